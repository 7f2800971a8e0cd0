using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Logwarden.Policy;

/// <summary>A YAML value with its position.</summary>
abstract record YamlValue(int Line, int Column)
{
    /// <summary>What it is, for messages.</summary>
    internal abstract string What { get; }

    internal sealed record Text(int Line, int Column, string Value, ScalarStyle Style) : YamlValue(Line, Column)
    {
        internal bool IsNull => Style == ScalarStyle.Plain && Value is "" or "~" or "null";

        internal override string What => IsNull ? "nothing" : $"'{(Value.Length > 60 ? Value[..60] + "…" : Value)}'";
    }

    internal sealed record List(int Line, int Column, IReadOnlyList<YamlValue> Items) : YamlValue(Line, Column)
    {
        internal override string What => "a list";
    }

    internal sealed record Map(int Line, int Column, IReadOnlyList<(Text Key, YamlValue Value)> Entries) : YamlValue(Line, Column)
    {
        internal override string What => "a map";
    }
}

/// <summary>Reads a YAML document into <see cref="YamlValue"/>s. Anchors, aliases and tags are refused: a policy is read by people.</summary>
sealed class YamlTree(List<PolicyError> errors)
{
    const int DepthMax = 16;
    const int LengthMax = 1 << 20;

    /// <summary>The document; null after an error of syntax.</summary>
    internal YamlValue? Read(string text)
    {
        if (text.Length > LengthMax)
        {
            errors.Add(new(1, 1, "", "the file is too long", $"at most {LengthMax} characters", null));
            return null;
        }
        var parser = new Parser(new StringReader(text));
        try
        {
            parser.Consume<StreamStart>();
            if (parser.Accept<StreamEnd>(out _))
            {
                errors.Add(new(1, 1, "", "the file is empty", "a policy", null));
                return null;
            }
            parser.Consume<DocumentStart>();
            var root = Value(parser, 0);
            parser.Consume<DocumentEnd>();
            if (!parser.Accept<StreamEnd>(out _)) Fail(parser.Current!.Start, "a second document", "one document in the file");
            return root;
        }
        catch (YamlException e)
        {
            Fail(e.Start, $"not valid YAML: {e.Message}", null);
            return null;
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or IndexOutOfRangeException or FormatException or OverflowException or EndOfStreamException)
        {
            // the library's scanner throws these, instead of its own exception, on some broken texts
            Fail(parser.Current?.End ?? Mark.Empty, "not valid YAML from here on", null);
            return null;
        }
    }

    YamlValue Value(Parser parser, int depth)
    {
        if (depth > DepthMax) throw new YamlException(parser.Current!.Start, parser.Current.End, $"nested deeper than {DepthMax} levels");
        if (parser.TryConsume<Scalar>(out var scalar))
        {
            Refuse(scalar, scalar.Start);
            return new YamlValue.Text(Line(scalar.Start), Column(scalar.Start), scalar.Value, scalar.Style);
        }
        if (parser.TryConsume<SequenceStart>(out var sequence))
        {
            Refuse(sequence, sequence.Start);
            var items = new List<YamlValue>();
            while (!parser.TryConsume<SequenceEnd>(out _)) items.Add(Value(parser, depth + 1));
            return new YamlValue.List(Line(sequence.Start), Column(sequence.Start), items);
        }
        if (parser.TryConsume<MappingStart>(out var mapping))
        {
            Refuse(mapping, mapping.Start);
            return Map(parser, mapping, depth);
        }
        if (!parser.Accept<AnchorAlias>(out _)) throw new YamlException(parser.Current!.Start, parser.Current.End, "a value is missing");
        var other = parser.Consume<AnchorAlias>();
        Fail(other.Start, "an alias", "the value itself: anchors and aliases are not read");
        return new YamlValue.Text(Line(other.Start), Column(other.Start), "", ScalarStyle.Plain);
    }

    YamlValue.Map Map(Parser parser, MappingStart start, int depth)
    {
        var entries = new List<(YamlValue.Text, YamlValue)>();
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            var key = Value(parser, depth + 1);
            var value = Value(parser, depth + 1);
            if (key is YamlValue.Text text) entries.Add((text, value));
            else errors.Add(new(key.Line, key.Column, "", $"{key.What} as a key", "a word", null));
        }
        return new(Line(start.Start), Column(start.Start), entries);
    }

    void Refuse(NodeEvent node, Mark at)
    {
        if (!node.Anchor.IsEmpty) Fail(at, $"the anchor &{node.Anchor.Value}", "the value alone: anchors and aliases are not read");
        if (!node.Tag.IsEmpty) Fail(at, $"the tag {node.Tag.Value}", "the value alone: tags are not read");
    }

    void Fail(Mark at, string reason, string? expected) => errors.Add(new(Line(at), Column(at), "", reason, expected, null));

    static int Line(Mark mark) => Math.Max(1, (int)mark.Line);

    static int Column(Mark mark) => Math.Max(1, (int)mark.Column);
}
