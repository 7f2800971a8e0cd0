using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;

namespace Logwarden.Events;

/// <summary>What a value of a record is.</summary>
enum JsonKind : byte
{
    Absent,
    Object,
    Array,
    String,
    Number,
    Boolean,
    Null,
}

/// <summary>One value of a record: where its name and its text stand, and where the next value on its level is.</summary>
struct JsonNode
{
    public int NameStart;
    public int NameLength;
    public int Start;
    public int Length;
    public int Next;
    public JsonKind Kind;
}

/// <summary>
/// Where the values of one JSON record stand: a flat table in document order, filled in one pass and reused for the next record, so
/// that a normaliser finds what it wants without allocating. Values deeper than <see cref="DepthMax"/> levels, and elements of an
/// array after the first <see cref="ElementsMax"/>, are checked but have no row: they travel inside the text of what holds them.
/// </summary>
sealed class JsonIndex
{
    /// <summary>Levels that have rows; the record itself is level 0.</summary>
    public const int DepthMax = 8;

    /// <summary>Elements of one array that have rows.</summary>
    public const int ElementsMax = 64;

    /// <summary>Rows in all; a record with more is refused.</summary>
    public const int NodesMax = 65_536;

    /// <summary>Nesting that is accepted at all.</summary>
    public const int NestingMax = 128;

    const int DoubleDigitsSafe = 300;
    static readonly JsonReaderOptions Options = new() { MaxDepth = NestingMax };
    static readonly SearchValues<byte> LineBytes = SearchValues.Create("\n\r\t"u8);
    readonly int[] _open = new int[DepthMax + 1];
    readonly int[] _elements = new int[DepthMax + 1];
    JsonNode[] _nodes = new JsonNode[256];
    int _count;

    /// <summary>The record's text has blanks between its values, so copies of it must leave them out.</summary>
    public bool HasBlanks { get; private set; }

    /// <summary>Rows in use.</summary>
    public int Count => _count;

    /// <summary>One row.</summary>
    public ref readonly JsonNode this[int row] => ref _nodes[row];

    /// <summary>Fills the table from one JSON object.</summary>
    /// <returns>Null, or why the record can't be taken in.</returns>
    public NormalizeError? Read(ReadOnlySpan<byte> record)
    {
        _count = 0;
        if (!Utf8.IsValid(record)) return NormalizeError.At("invalid-utf8", FirstInvalid(record), "text is not valid UTF-8");
        HasBlanks = record.IndexOfAny(LineBytes) >= 0 || record.IndexOf("\": "u8) >= 0 || record.IndexOf("\" :"u8) >= 0;
        var reader = new Utf8JsonReader(record, Options);
        try
        {
            var refused = Fill(ref reader);
            if (refused is not null) return refused;
        }
        catch (JsonException)
        {
            // The reader tells what is wrong only by exception. Where: at the last byte it had accepted.
            var at = reader.BytesConsumed;
            return reader.CurrentDepth >= NestingMax
                ? NormalizeError.At("too-deep", at, $"JSON is nested deeper than {NestingMax} levels")
                : NormalizeError.At("invalid-json", at, "not a valid JSON object: expected one complete object in strict JSON");
        }
        if (_count == 0 || _nodes[0].Kind != JsonKind.Object)
            return NormalizeError.At("not-an-object", 0, "a record must be a JSON object");
        if (HasLoneSurrogate(record, out var position))
            return NormalizeError.At("invalid-escape", position, "a \\u escape is half of a surrogate pair");
        return FindRepeated(record) is var repeated && repeated < 0 ? null
            : NormalizeError.At("repeated-field", _nodes[repeated].NameStart, "a field of the record occurs twice");
    }

    NormalizeError? Fill(ref Utf8JsonReader reader)
    {
        int nameStart = 0, nameLength = -1;
        while (reader.Read())
        {
            var depth = reader.CurrentDepth;
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName:
                    nameStart = (int)reader.TokenStartIndex + 1;
                    nameLength = reader.ValueSpan.Length;
                    continue;
                case JsonTokenType.StartObject or JsonTokenType.StartArray:
                    if (depth <= DepthMax)
                    {
                        var kind = reader.TokenType == JsonTokenType.StartObject ? JsonKind.Object : JsonKind.Array;
                        _open[depth] = Add(kind, depth, nameStart, nameLength, (int)reader.TokenStartIndex, 1);
                        _elements[depth] = kind == JsonKind.Array ? 0 : int.MinValue;
                    }
                    break;
                case JsonTokenType.EndObject or JsonTokenType.EndArray:
                    if (depth <= DepthMax && _open[depth] >= 0) Close(_open[depth], (int)reader.TokenStartIndex);
                    break;
                case JsonTokenType.Number:
                    if ((reader.ValueSpan.Length > 17 || reader.ValueSpan.IndexOfAny((byte)'e', (byte)'E') >= 0) && !IsFinite(ref reader))
                        return NormalizeError.At("number-out-of-range", reader.TokenStartIndex, "a number is too large for any reader");
                    Leaf(JsonKind.Number, ref reader, nameStart, nameLength, 0);
                    break;
                case JsonTokenType.String:
                    Leaf(JsonKind.String, ref reader, nameStart, nameLength, 2);
                    break;
                default:
                    var literal = reader.TokenType == JsonTokenType.Null ? JsonKind.Null : JsonKind.Boolean;
                    Leaf(literal, ref reader, nameStart, nameLength, 0);
                    break;
            }
            nameLength = -1;
            if (_count == NodesMax) return NormalizeError.At("too-many-values", reader.TokenStartIndex, $"more than {NodesMax} values");
        }
        return null;
    }

    static bool IsFinite(ref Utf8JsonReader reader) =>
        reader.ValueSpan.Length <= DoubleDigitsSafe && reader.TryGetDouble(out var value) && double.IsFinite(value);

    void Leaf(JsonKind kind, ref Utf8JsonReader reader, int nameStart, int nameLength, int quotes)
    {
        var depth = reader.CurrentDepth;
        if (depth <= DepthMax) Add(kind, depth, nameStart, nameLength, (int)reader.TokenStartIndex, reader.ValueSpan.Length + quotes);
    }

    /// <summary>Adds a row unless what holds the value has no row or has enough of them; then −1.</summary>
    int Add(JsonKind kind, int depth, int nameStart, int nameLength, int start, int length)
    {
        if (depth > 0 && (_open[depth - 1] < 0 || ++_elements[depth - 1] > ElementsMax)) return -1;
        if (_count == _nodes.Length) System.Array.Resize(ref _nodes, _nodes.Length * 2);
        _nodes[_count] = new JsonNode
        {
            NameStart = nameStart,
            NameLength = nameLength,
            Start = start,
            Length = length,
            Next = _count + 1,
            Kind = kind,
        };
        return _count++;
    }

    void Close(int row, int end)
    {
        _nodes[row].Length = end + 1 - _nodes[row].Start;
        _nodes[row].Next = _count;
    }

    /// <summary>A second field of the same name would be read by one reader and not by the next: nobody may hide behind that.</summary>
    int FindRepeated(ReadOnlySpan<byte> record)
    {
        ulong seen = 0;
        for (var row = 1; row < _count; row = _nodes[row].Next)
        {
            var name = record.Slice(_nodes[row].NameStart, _nodes[row].NameLength);
            var mark = name.Length == 0 ? 1UL
                : 1UL << ((name.Length * 7 + name[0] * 3 + name[^1] * 5 + name[name.Length / 2] * 11) & 63);
            if ((seen & mark) != 0)
            {
                for (var before = 1; before < row; before = _nodes[before].Next)
                {
                    if (record.Slice(_nodes[before].NameStart, _nodes[before].NameLength).SequenceEqual(name)) return row;
                }
            }
            seen |= mark;
        }
        return -1;
    }

    static bool HasLoneSurrogate(ReadOnlySpan<byte> record, out int position)
    {
        position = 0;
        if (record.IndexOf("\\uD"u8) < 0 && record.IndexOf("\\ud"u8) < 0) return false;
        var wantsLow = false;
        for (var at = 0; at < record.Length; at++)
        {
            var unit = -1;
            if (record[at] == '\\')
            {
                if (record[at + 1] == 'u') unit = System.Convert.ToInt32(System.Text.Encoding.ASCII.GetString(record.Slice(at + 2, 4)), 16);
                position = at;
                at += unit < 0 ? 1 : 5;
            }
            var low = unit is >= 0xDC00 and <= 0xDFFF;
            if (low != wantsLow) return true;
            wantsLow = unit is >= 0xD800 and <= 0xDBFF;
        }
        return false;
    }

    static int FirstInvalid(ReadOnlySpan<byte> text)
    {
        var at = 0;
        while (at < text.Length && System.Text.Rune.DecodeFromUtf8(text[at..], out _, out var used) == OperationStatus.Done) at += used;
        return at;
    }
}

/// <summary>A record together with its index, so that values are had by row.</summary>
readonly ref struct JsonView(JsonIndex index, ReadOnlySpan<byte> record)
{
    readonly ReadOnlySpan<byte> _record = record;

    /// <summary>Copies of the record's text must leave out blanks.</summary>
    public bool HasBlanks => index.HasBlanks;

    /// <summary>Name of a value, escapes included; empty for an element of an array.</summary>
    public ReadOnlySpan<byte> Name(int row) => index[row].NameLength < 0 ? default : _record.Slice(index[row].NameStart, index[row].NameLength);

    /// <summary>The error for a value of the wrong type.</summary>
    public NormalizeError Wrong(int row, string expected) =>
        new("wrong-type", System.Text.Encoding.UTF8.GetString(Name(row)), Position(row), expected);

    /// <summary>Kind of a value; absent for row −1.</summary>
    public JsonKind Kind(int row) => row < 0 ? JsonKind.Absent : index[row].Kind;

    /// <summary>Where a value begins in the record.</summary>
    public int Position(int row) => row < 0 ? 0 : index[row].Start;

    /// <summary>The text of a value, as it stands: quotes and escapes included.</summary>
    public ReadOnlySpan<byte> Raw(int row) => _record.Slice(index[row].Start, index[row].Length);

    /// <summary>The text between the quotes of a string, escapes included; empty when it is none.</summary>
    public ReadOnlySpan<byte> Text(int row) =>
        Kind(row) == JsonKind.String ? _record.Slice(index[row].Start + 1, index[row].Length - 2) : default;

    /// <summary>The text of a string, a number or a boolean; empty for anything else.</summary>
    public ReadOnlySpan<byte> Scalar(int row) => Kind(row) switch
    {
        JsonKind.String => Text(row),
        JsonKind.Number or JsonKind.Boolean => Raw(row),
        _ => default,
    };

    /// <summary>The first child of an object or array, or −1.</summary>
    public int First(int row) => row >= 0 && index[row].Next > row + 1 ? row + 1 : -1;

    /// <summary>The value after <paramref name="row"/> below the same <paramref name="parent"/>, or −1.</summary>
    public int After(int row, int parent) => index[row].Next < index[parent].Next ? index[row].Next : -1;

    /// <summary>The child with this name, or −1; a child that is null counts as absent.</summary>
    public int Find(int parent, ReadOnlySpan<byte> name)
    {
        if (Kind(parent) != JsonKind.Object) return -1;
        for (var row = First(parent); row >= 0; row = After(row, parent))
        {
            if (index[row].NameLength == name.Length && Name(row).SequenceEqual(name))
                return index[row].Kind == JsonKind.Null ? -1 : row;
        }
        return -1;
    }

    /// <summary>The non-empty text of the child with this name.</summary>
    public ReadOnlySpan<byte> Text(int parent, ReadOnlySpan<byte> name) => Text(Find(parent, name));
}
