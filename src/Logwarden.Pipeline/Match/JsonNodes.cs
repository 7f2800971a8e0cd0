using System.Buffers;
using System.Text;
using System.Text.Json;
using Logwarden.Events;

namespace Logwarden.Match;

/// <summary>
/// Tests the values at a path of the JSON. An array on the way, or at the end, stands for its elements; an array directly in an
/// array does not. Of a key that occurs twice in an object the first counts.
/// </summary>
sealed class PathNode : MatchNode
{
    readonly byte[][] _segments;
    readonly CompiledTest[] _tests;
    readonly byte[]? _quotedKey;

    internal PathNode(Field.Path path, CompiledTest[] tests)
    {
        _segments = [.. path.Segments.Select(Encoding.UTF8.GetBytes)];
        _tests = tests;
        if (JsonScan.IsNeverEscaped(path.Segments[^1])) _quotedKey = Encoding.UTF8.GetBytes($"\"{path.Segments[^1]}\"");
    }

    internal override bool Matches(in StoredEvent e)
    {
        if (!JsonScan.MayContain(e.Json, _quotedKey)) return false;
        var reader = JsonScan.Open(e.Json);
        try
        {
            return reader.Read() && Value(ref reader, 0, arrayAllowed: true);
        }
        catch (JsonException)
        {
            return false;
        }
        catch (InvalidOperationException)
        {
            return false; // half a surrogate pair in an escape
        }
    }

    bool Value(ref Utf8JsonReader reader, int segment, bool arrayAllowed)
    {
        if (reader.TokenType == JsonTokenType.StartArray && arrayAllowed)
        {
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                if (Value(ref reader, segment, arrayAllowed: false)) return true;
            }
            return false;
        }
        if (segment == _segments.Length) return Passes(ref reader);
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return false;
        }
        var seen = false;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var isNext = !seen && reader.ValueTextEquals(_segments[segment]);
            reader.Read();
            if (!isNext) reader.Skip();
            else if (Value(ref reader, segment + 1, arrayAllowed: true)) return true;
            seen |= isNext;
        }
        return false;
    }

    bool Passes(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.String:
                return PassesText(ref reader);
            case JsonTokenType.Number:
                return reader.TryGetDouble(out var number) && PassesNumber(number);
            case JsonTokenType.True or JsonTokenType.False:
                foreach (var test in _tests)
                {
                    if (test.Boolean(reader.TokenType == JsonTokenType.True)) return true;
                }
                return false;
            case JsonTokenType.StartObject or JsonTokenType.StartArray:
                reader.Skip();
                foreach (var test in _tests)
                {
                    if (test.Container()) return true;
                }
                return false;
            default:
                return false;
        }
    }

    bool PassesNumber(double number)
    {
        foreach (var test in _tests)
        {
            if (test.Number(number)) return true;
        }
        return false;
    }

    bool PassesText(ref Utf8JsonReader reader)
    {
        if (!reader.ValueIsEscaped) return PassesText(reader.ValueSpan);
        var unescaped = ArrayPool<byte>.Shared.Rent(reader.ValueSpan.Length);
        try
        {
            return PassesText(unescaped.AsSpan(0, reader.CopyString(unescaped)));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(unescaped);
        }
    }

    bool PassesText(ReadOnlySpan<byte> text)
    {
        foreach (var test in _tests)
        {
            if (test.Text(text)) return true;
        }
        return false;
    }
}

/// <summary>Looks for a text in every string value of the JSON; keys do not count.</summary>
sealed class FreeTextNode : MatchNode
{
    readonly byte[] _lower;
    readonly byte[] _literal;
    readonly CompiledPattern? _pattern;

    internal FreeTextNode(TextPattern pattern)
    {
        _literal = Encoding.UTF8.GetBytes(JsonScan.LongestPlainRun(pattern));
        _lower = pattern.HasWildcards ? [] : TextFold.LowerUtf8(pattern.Unescaped());
        _pattern = pattern.HasWildcards ? TextPattern.FromEscaped($"*{pattern.Text}*").Compile() : null;
    }

    internal override bool Matches(in StoredEvent e)
    {
        if (!TextFold.Contains(e.Json, _literal) && e.Json.IndexOf(JsonScan.UnicodeEscape) < 0) return false;
        var reader = JsonScan.Open(e.Json);
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.String && Passes(ref reader)) return true;
            }
        }
        catch (JsonException)
        {
            return false;
        }
        catch (InvalidOperationException)
        {
            return false; // half a surrogate pair in an escape
        }
        return false;
    }

    bool Passes(ref Utf8JsonReader reader)
    {
        if (!reader.ValueIsEscaped) return Passes(reader.ValueSpan);
        var unescaped = ArrayPool<byte>.Shared.Rent(reader.ValueSpan.Length);
        try
        {
            return Passes(unescaped.AsSpan(0, reader.CopyString(unescaped)));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(unescaped);
        }
    }

    bool Passes(ReadOnlySpan<byte> text) => _pattern is null ? TextFold.Contains(text, _lower) : _pattern.Matches(text);
}

/// <summary>Quick checks on JSON text that spare most events a parse. They may say "perhaps" wrongly, never "no".</summary>
static class JsonScan
{
    /// <summary>Any character can hide behind this escape, so that literal checks mean nothing in a text that has it.</summary>
    internal static ReadOnlySpan<byte> UnicodeEscape => "\\u"u8;

    internal static Utf8JsonReader Open(ReadOnlySpan<byte> json) => new(json, new JsonReaderOptions { MaxDepth = 1_000 });

    /// <summary>Whether the key can occur. Null is a key of which no literal form is known.</summary>
    internal static bool MayContain(ReadOnlySpan<byte> json, byte[]? quotedKey) =>
        quotedKey is null || json.IndexOf(quotedKey) >= 0 || json.IndexOf(UnicodeEscape) >= 0;

    /// <summary>True when JSON can write the text only as it is, or with Unicode escapes.</summary>
    internal static bool IsNeverEscaped(string text)
    {
        foreach (var c in text)
        {
            if (c is < ' ' or '"' or '\\' or '/' || char.IsSurrogate(c)) return false;
        }
        return true;
    }

    /// <summary>The longest part of the pattern, in lower case, that JSON can write only as it is, or with Unicode escapes.</summary>
    internal static string LongestPlainRun(TextPattern pattern)
    {
        var (best, run) = ("", new StringBuilder());
        var text = pattern.Text;
        for (var i = 0; i <= text.Length; i++)
        {
            var isLiteral = i < text.Length && (text[i] == '\\' || text[i] is not ('*' or '?'));
            if (isLiteral && text[i] == '\\') i++;
            if (isLiteral && IsNeverEscaped(text.Substring(i, 1)))
            {
                run.Append(text[i]);
                continue;
            }
            if (run.Length > best.Length) best = run.ToString();
            run.Clear();
        }
        return TextFold.Lower(best);
    }
}
