using System.Text;

namespace Logwarden.Match;

/// <summary>A <see cref="ValueTest"/> ready to be asked. What a test does not speak about is false.</summary>
abstract class CompiledTest
{
    internal static CompiledTest Of(ValueTest test) => test switch
    {
        ValueTest.EqualTo equal => new EqualTest(equal.Text),
        ValueTest.Exactly exactly => new ExactTest(Encoding.UTF8.GetBytes(exactly.Text)),
        ValueTest.Fits like => new LikeTest(like.Pattern.Compile()),
        ValueTest.InNetwork network => new NetworkTest(network.Network),
        ValueTest.WholeRange range => new WholeTest(range.Min ?? long.MinValue, range.Max ?? long.MaxValue),
        ValueTest.RealRange range => new RealTest(range),
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    /// <summary>A text, as UTF-8.</summary>
    internal virtual bool Text(ReadOnlySpan<byte> utf8) => false;

    /// <summary>A JSON number.</summary>
    internal virtual bool Number(double value) => false;

    /// <summary>A JSON boolean.</summary>
    internal virtual bool Boolean(bool value) => false;

    /// <summary>A JSON object, or an array directly in an array.</summary>
    internal virtual bool Container() => false;

    /// <summary>A whole number of a column.</summary>
    internal virtual bool Whole(long value) => false;
}

sealed class PresentTest : CompiledTest
{
    internal override bool Text(ReadOnlySpan<byte> utf8) => !utf8.IsEmpty;

    internal override bool Number(double value) => true;

    internal override bool Boolean(bool value) => true;

    internal override bool Container() => true;
}

sealed class EqualTest(string text) : CompiledTest
{
    readonly byte[] _lower = TextFold.LowerUtf8(text);
    readonly double _number = JsonNumber.TryParse(text, out var number) ? number : double.NaN;
    readonly bool _isTrue = text.Equals("true", StringComparison.OrdinalIgnoreCase);
    readonly bool _isFalse = text.Equals("false", StringComparison.OrdinalIgnoreCase);

    internal override bool Text(ReadOnlySpan<byte> utf8) => TextFold.Equal(utf8, _lower);

    internal override bool Number(double value) => value == _number;

    internal override bool Boolean(bool value) => value ? _isTrue : _isFalse;
}

sealed class ExactTest(byte[] text) : CompiledTest
{
    internal override bool Text(ReadOnlySpan<byte> utf8) => utf8.SequenceEqual(text);
}

sealed class LikeTest(CompiledPattern pattern) : CompiledTest
{
    internal override bool Text(ReadOnlySpan<byte> utf8) => pattern.Matches(utf8);
}

sealed class NetworkTest(IpNetwork network) : CompiledTest
{
    internal override bool Text(ReadOnlySpan<byte> utf8) => network.Contains(utf8);
}

sealed class WholeTest(long min, long max) : CompiledTest
{
    internal override bool Whole(long value) => value >= min && value <= max;
}

sealed class RealTest(ValueTest.RealRange range) : CompiledTest
{
    readonly double _min = range.Min ?? double.NegativeInfinity;
    readonly double _max = range.Max ?? double.PositiveInfinity;
    readonly bool _minIncluded = range.MinIncluded;
    readonly bool _maxIncluded = range.MaxIncluded;

    internal override bool Number(double value) =>
        (_minIncluded ? value >= _min : value > _min) && (_maxIncluded ? value <= _max : value < _max);
}
