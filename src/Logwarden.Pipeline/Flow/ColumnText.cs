using System.IO.Hashing;
using System.Text.Json;
using Logwarden.Events;

namespace Logwarden.Flow;

/// <summary>
/// The four LOG-5 texts of an event (user, IP, action, object) as they stand in its JSON after redaction, without escapes. They are
/// copied, a hundred bytes or so, so that they outlive the buffers they came from.
/// </summary>
sealed class ColumnText
{
    const int Columns = 4;
    const int DepthMax = 128;
    static readonly byte[] Gone = "[REDACTED]"u8.ToArray();

    readonly (int Start, int Length)[] _ranges = new (int, int)[Columns];
    readonly ulong[] _paths = new ulong[Columns];
    readonly bool[] _wanted = new bool[Columns];
    readonly ulong[] _prefix = new ulong[DepthMax + 1];
    readonly int[] _index = new int[DepthMax + 1];
    byte[] _text = new byte[1024];
    int _used;

    public OptionalText User => Column(0);

    public OptionalText Ip => Column(1);

    public OptionalText Action => Column(2);

    public OptionalText Object => Column(3);

    /// <summary>Takes the texts where the normaliser put them: nothing was redacted.</summary>
    public void Take(ReadOnlySpan<byte> json, NormalizedEvent e)
    {
        _used = 0;
        for (var i = 0; i < Columns; i++)
        {
            var slice = Slice(e, i);
            if (slice.IsPresent) Put(i, json.Slice(slice.Start, slice.Length));
            else _ranges[i] = (-1, 0);
        }
    }

    /// <summary>
    /// Takes the texts from the redacted JSON: the value at the same path as in the original, so that nothing that redaction took out
    /// comes back through a column. Where redaction replaced what held the value, the text is <c>[REDACTED]</c>.
    /// </summary>
    public void TakeChanged(ReadOnlySpan<byte> original, ReadOnlySpan<byte> redacted, NormalizedEvent e)
    {
        _used = 0;
        for (var i = 0; i < Columns; i++)
        {
            _wanted[i] = Slice(e, i).IsPresent;
            _ranges[i] = (-1, 0);
        }
        Walk(original, e, isOriginal: true);
        Walk(redacted, e, isOriginal: false);
        for (var i = 0; i < Columns; i++)
        {
            if (_wanted[i] && _ranges[i].Start < 0) Put(i, Gone);
        }
    }

    void Walk(ReadOnlySpan<byte> json, NormalizedEvent e, bool isOriginal)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = DepthMax });
        var depth = 0;
        _prefix[0] = 0;
        _index[0] = -1;
        ulong name = 0;
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName:
                    name = XxHash3.HashToUInt64(reader.ValueSpan, unchecked((long)_prefix[depth]));
                    break;
                case JsonTokenType.StartObject or JsonTokenType.StartArray:
                    var path = Path(ref name, depth);
                    depth++;
                    _prefix[depth] = path;
                    _index[depth] = reader.TokenType == JsonTokenType.StartArray ? 0 : -1;
                    break;
                case JsonTokenType.EndObject or JsonTokenType.EndArray:
                    depth--;
                    break;
                case JsonTokenType.String:
                    Visit(ref reader, Path(ref name, depth), e, isOriginal);
                    break;
                default:
                    Path(ref name, depth);
                    break;
            }
        }
    }

    ulong Path(ref ulong name, int depth)
    {
        if (_index[depth] < 0) return name;
        var index = _index[depth]++;
        return unchecked((_prefix[depth] ^ (ulong)index) * 0x9E3779B97F4A7C15UL + 1);
    }

    void Visit(ref Utf8JsonReader reader, ulong path, NormalizedEvent e, bool isOriginal)
    {
        for (var i = 0; i < Columns; i++)
        {
            if (!_wanted[i]) continue;
            if (isOriginal)
            {
                if (Slice(e, i).Start == reader.TokenStartIndex + 1) _paths[i] = path;
            }
            else if (_paths[i] == path && _ranges[i].Start < 0)
            {
                Put(i, reader.ValueSpan);
            }
        }
    }

    void Put(int column, ReadOnlySpan<byte> escaped)
    {
        if (_text.Length < _used + escaped.Length) Array.Resize(ref _text, Math.Max(_text.Length * 2, _used + escaped.Length));
        var to = _text.AsSpan(_used);
        int length;
        if (escaped.Contains((byte)'\\'))
        {
            length = Unescape(escaped, to);
        }
        else
        {
            escaped.CopyTo(to);
            length = escaped.Length;
        }
        _ranges[column] = (_used, length);
        _used += length;
    }

    /// <summary>Text without escapes is never longer than with them.</summary>
    static int Unescape(ReadOnlySpan<byte> escaped, Span<byte> to)
    {
        var quoted = new byte[escaped.Length + 2];
        quoted[0] = quoted[^1] = (byte)'"';
        escaped.CopyTo(quoted.AsSpan(1));
        var reader = new Utf8JsonReader(quoted);
        reader.Read();
        return reader.CopyString(to);
    }

    OptionalText Column(int i) => _ranges[i].Start < 0 ? default : new(_text.AsSpan(_ranges[i].Start, _ranges[i].Length));

    static JsonSlice Slice(NormalizedEvent e, int i) => i switch { 0 => e.User, 1 => e.Ip, 2 => e.Action, _ => e.Object };
}
