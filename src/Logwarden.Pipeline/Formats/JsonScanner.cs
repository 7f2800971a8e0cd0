using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Logwarden.Formats;

/// <summary>What a scan came to.</summary>
enum JsonScan
{
    /// <summary>The bytes ended inside the value.</summary>
    NeedMore,

    /// <summary>The value is complete.</summary>
    Done,

    /// <summary>An array of records begins, inside an envelope.</summary>
    Envelope,

    /// <summary>This can't become valid JSON.</summary>
    Bad,
}

/// <summary>
/// Finds where a JSON value ends, in pieces as the bytes arrive. It checks brackets, commas, colons and that strings end on their
/// line, which is enough to notice a torn record before it swallows the next; the normaliser checks the rest.
/// </summary>
struct JsonScanner
{
    enum Expect : byte
    {
        Value,
        ValueOrEnd,
        Key,
        KeyOrEnd,
        Colon,
        CommaOrEnd,
        InString,
        InScalar,
    }

    static readonly SearchValues<byte> StringStops = SearchValues.Create("\"\\\n"u8);

    UInt128 _objects;
    int _depth;
    int _beyond;
    int _keyStart;
    Expect _expect;
    Expect _afterString;
    bool _isEnvelope;

    /// <summary>Nested deeper than is accepted: to be refused once its end is found.</summary>
    public bool IsTooDeep { get; private set; }

    /// <summary>A scanner that stands inside an object, behind one of its values.</summary>
    public static JsonScanner BehindValue() => new() { _objects = 1, _depth = 1, _expect = Expect.CommaOrEnd };

    /// <summary>Goes on from <paramref name="at"/>, which moves behind the last byte that was understood.</summary>
    /// <param name="bytes">The value from its first byte on, unless parts of it were dropped.</param>
    /// <param name="at">Where to go on.</param>
    /// <param name="envelopes">Names of arrays that hold records; null when there are none.</param>
    public JsonScan Scan(ReadOnlySpan<byte> bytes, scoped ref int at, NameTable? envelopes)
    {
        while (at < bytes.Length)
        {
            if (_expect == Expect.InString)
            {
                var inside = ScanString(bytes, ref at, envelopes);
                if (inside is not null) return inside.Value;
                continue;
            }
            var c = bytes[at];
            if (_expect == Expect.InScalar)
            {
                if (char.IsAsciiLetterOrDigit((char)c) || c is (byte)'.' or (byte)'-' or (byte)'+')
                {
                    at++;
                    continue;
                }
                _expect = Expect.CommaOrEnd;
                if (_depth == 0) return JsonScan.Done;
            }
            if (c is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')
            {
                at++;
                continue;
            }
            if (_beyond == 0 && Pass(c, bytes, ref at)) continue;
            var step = Step(c, at, envelopes is not null);
            if (step == JsonScan.Bad) return step;
            at++;
            if (step != JsonScan.NeedMore) return step;
        }
        return JsonScan.NeedMore;
    }

    /// <summary>What stands between two strings nearly always, a colon or a comma and at once the next quote, without the way through <see cref="Step"/>.</summary>
    bool Pass(byte c, ReadOnlySpan<byte> bytes, scoped ref int at)
    {
        var isColon = c == ':' && _expect == Expect.Colon;
        if (!isColon && (c != ',' || _expect != Expect.CommaOrEnd)) return false;
        _expect = isColon || !InObject ? Expect.Value : Expect.Key;
        at++;
        if (at < bytes.Length && bytes[at] == '"')
        {
            Enter(isColon || !InObject ? Expect.CommaOrEnd : Expect.Colon, at);
            at++;
        }
        return true;
    }

    /// <summary>The next quote, backslash or end of a line; most strings are shorter than one vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static int StringStop(ReadOnlySpan<byte> bytes, int at)
    {
        if (bytes.Length - at >= Vector256<byte>.Count)
        {
            var v = Vector256.LoadUnsafe(ref MemoryMarshal.GetReference(bytes), (nuint)at);
            var stops = (Vector256.Equals(v, Vector256.Create((byte)'"')) | Vector256.Equals(v, Vector256.Create((byte)'\\'))
                | Vector256.Equals(v, Vector256.Create((byte)'\n'))).ExtractMostSignificantBits();
            if (stops != 0) return at + BitOperations.TrailingZeroCount(stops);
            at += Vector256<byte>.Count;
        }
        var stop = bytes[at..].IndexOfAny(StringStops);
        return stop < 0 ? -1 : at + stop;
    }

    /// <summary>Goes to the end of a string; null when the scan goes on behind it.</summary>
    JsonScan? ScanString(ReadOnlySpan<byte> bytes, scoped ref int at, NameTable? envelopes)
    {
        while (true)
        {
            var stop = StringStop(bytes, at);
            at = stop < 0 ? bytes.Length : stop;
            if (stop < 0) return JsonScan.NeedMore;
            if (bytes[at] == '\n') return JsonScan.Bad;
            if (bytes[at] == '"') break;
            if (at + 1 >= bytes.Length) return JsonScan.NeedMore;
            at++;
            if (bytes[at] == '\n') return JsonScan.Bad;
            at++;
        }
        if (_afterString == Expect.Colon && _depth == 1 && _beyond == 0 && envelopes is not null)
            _isEnvelope = envelopes.Has(bytes[_keyStart..at]);
        at++;
        _expect = _afterString;
        return _depth == 0 ? JsonScan.Done : null;
    }

    /// <summary>The input ended: is a value complete that only its end could complete?</summary>
    public readonly bool IsDoneAtEnd => _depth == 0 && _expect == Expect.InScalar;

    JsonScan Step(byte c, int at, bool hasEnvelopes)
    {
        if (_beyond > 0) return StepBeyond(c);
        switch (_expect)
        {
            case Expect.Value or Expect.ValueOrEnd:
                if (c is (byte)'{' or (byte)'[') return Open(c, hasEnvelopes);
                if (c == '"') Enter(Expect.CommaOrEnd, at);
                else if (c == ']' && _expect == Expect.ValueOrEnd) return Close(isObject: false);
                else if (char.IsAsciiLetterOrDigit((char)c) || c == '-') _expect = Expect.InScalar;
                else return JsonScan.Bad;
                return JsonScan.NeedMore;
            case Expect.Key or Expect.KeyOrEnd:
                if (c == '"') Enter(Expect.Colon, at);
                else if (c == '}' && _expect == Expect.KeyOrEnd) return Close(isObject: true);
                else return JsonScan.Bad;
                return JsonScan.NeedMore;
            case Expect.Colon:
                if (c != ':') return JsonScan.Bad;
                _expect = Expect.Value;
                return JsonScan.NeedMore;
            default:
                if (c is (byte)'}' or (byte)']') return Close(c == '}');
                if (c != ',') return JsonScan.Bad;
                _expect = InObject ? Expect.Key : Expect.Value;
                return JsonScan.NeedMore;
        }
    }

    /// <summary>Deeper than brackets are remembered: only counts them, to find the end.</summary>
    JsonScan StepBeyond(byte c)
    {
        if (c == '"') Enter(Expect.CommaOrEnd, 0);
        else if (c is (byte)'{' or (byte)'[') _beyond++;
        else if (c is (byte)'}' or (byte)']') _beyond--;
        return JsonScan.NeedMore;
    }

    readonly bool InObject => (_objects & 1) != 0;

    JsonScan Open(byte c, bool hasEnvelopes)
    {
        if (c == '[' && _depth == 1 && _isEnvelope && hasEnvelopes) return JsonScan.Envelope;
        if (_depth == Events.JsonIndex.NestingMax)
        {
            IsTooDeep = true;
            _beyond = 1;
            _expect = Expect.CommaOrEnd;
            return JsonScan.NeedMore;
        }
        _depth++;
        _objects = (_objects << 1) | (c == '{' ? 1u : 0u);
        _expect = c == '{' ? Expect.KeyOrEnd : Expect.ValueOrEnd;
        return JsonScan.NeedMore;
    }

    JsonScan Close(bool isObject)
    {
        if (InObject != isObject) return JsonScan.Bad;
        _depth--;
        _objects >>= 1;
        _expect = Expect.CommaOrEnd;
        return _depth == 0 ? JsonScan.Done : JsonScan.NeedMore;
    }

    void Enter(Expect after, int at)
    {
        _afterString = after;
        _keyStart = at + 1;
        _expect = Expect.InString;
    }
}
