using System.Buffers;
using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Text;
using Logwarden.Events;

namespace Logwarden.Segments;

/// <summary>The UUIDs of one event that are stored as such, in the order in which its JSON has them first; null where there is none.</summary>
[InlineArray(SegmentSchema.Uuids)]
struct EventUuids
{
    Guid? _first;
}

/// <summary>
/// The text of the column <c>event</c>: the JSON, in which values that stand in another column of the row are references to it. A random id costs 16 bytes
/// wherever it is stored, so it is stored once, and as 16 bytes. The text stays JSON, and whoever reads a segment with other software sees what is
/// meant and can put it back with <c>replace</c> (<c>docs/formats/segment.md</c>).
/// <para>
/// A reference is the name of the column between two DEL characters (0x7F), as a string: <c>"uid":"␡event_id␡"</c>. A text that has a DEL of its own, or begins with
/// a space, is stored whole behind a space. What is read is what was written, byte for byte, whatever the text is.
/// </para>
/// Budget: 1 µs per event of 1 KB, each way.
/// </summary>
static class EventReferences
{
    /// <summary>
    /// Bytes of a JSON that references are used in, at most; a larger one is stored whole. A few bytes of text can stand for a long column any number of times: who reads a
    /// segment that somebody made for that must not put together what fits no memory. A record of 10 MiB becomes as large only when each byte of it is escaped.
    /// </summary>
    public const int JsonBytesMax = 64 << 20;

    const byte Mark = 0x7F;
    const byte Whole = (byte)' ';
    const byte Quote = (byte)'"';
    const int UuidLength = 36;
    const int DigitsMax = 20;

    // "␡time␡", with its quotes: a shorter number stays, for a reference must not be longer than what it stands for.
    const int TimeReference = 8;

    static readonly byte[][] Names = [.. SegmentSchema.Names.Select(Encoding.UTF8.GetBytes)];

    static readonly int[] Columns = [.. TextColumns.All, SegmentSchema.Time, .. Enumerable.Range(SegmentSchema.FirstUuid, SegmentSchema.Uuids)];

    /// <summary>Writes the text of the column; it has at most one byte more than the JSON.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="e">Event.</param>
    /// <param name="uuids">For the columns of UUIDs.</param>
    public static void Write(ArrayBufferWriter<byte> output, in StoredEvent e, out EventUuids uuids)
    {
        uuids = default;
        var json = e.Json;
        var text = new Text(output.GetSpan(json.Length + 1));
        if (json.Length > JsonBytesMax || json.Contains(Mark) || (!json.IsEmpty && json[0] == Whole))
        {
            text.Put(Whole);
            text.Put(json);
            output.Advance(text.Length);
            return;
        }
        Span<byte> digits = stackalloc byte[DigitsMax];
        // A time before 1970 is not referred to: not everyone rounds a division of it alike.
        var millis = e.TimeMicros >= 0 && Utf8Formatter.TryFormat(e.TimeMicros / 1000, digits, out var size) && size >= TimeReference ? digits[..size] : default;
        var lengths = Lengths(e);
        var copied = 0;
        for (var at = 0; NextString(json, at, out var start, out var end);)
        {
            at = end + 1;
            var value = json[start..end];
            if (at < json.Length && json[at] == ':')
            {
                if (!value.SequenceEqual("time"u8) || !IsNumber(json[(at + 1)..], millis)) continue;
                text.Put(json[copied..(at + 1)]);
                text.Put(Quote);
                text.Refer(SegmentSchema.Time);
                text.Put(Quote);
                copied = at += 1 + millis.Length;
            }
            else if (Column(value, e, lengths, ref uuids) is >= 0 and var column)
            {
                text.Put(json[copied..start]);
                text.Refer(column);
                copied = end;
            }
        }
        text.Put(json[copied..]);
        output.Advance(text.Length);
    }

    /// <summary>Puts the JSON together again.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="text">Text of the column.</param>
    /// <param name="e">The row's other columns.</param>
    /// <param name="uuids">The row's UUIDs.</param>
    /// <returns>Null, or what is wrong with the text.</returns>
    public static string? Read(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> text, in StoredEvent e, in EventUuids uuids) => Read(output, text, e, uuids, JsonBytesMax);

    internal static string? Read(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> text, in StoredEvent e, in EventUuids uuids, int bytesMax)
    {
        if (!text.IsEmpty && text[0] == Whole)
        {
            output.Write(text[1..]);
            return null;
        }
        Span<byte> made = stackalloc byte[UuidLength];
        var mark = text.IndexOf(Mark);
        var left = mark < 0 ? text.Length : (long)bytesMax; // what refers to nothing is not larger than it is
        for (; mark >= 0; mark = text.IndexOf(Mark))
        {
            var size = text[(mark + 1)..].IndexOf(Mark);
            if (size < 0) return "a reference in `event` has no end";
            var before = text[..mark];
            var after = text[(mark + size + 2)..];
            var column = ColumnOf(text.Slice(mark + 1, size));
            if (column < 0) return "`event` refers to what is no column";
            if (column == SegmentSchema.Time)
            {
                // The quotes belong to the reference: it stands for a number.
                if (mark == 0 || before[^1] != Quote || after.IsEmpty || after[0] != Quote || e.TimeMicros < 0) return "`event` refers to `time` other than as a number";
                before = before[..^1];
                after = after[1..];
            }
            if (!TryValue(column, e, uuids, made, out var value)) return $"`event` refers to `{SegmentSchema.Names[column]}`, which is null";
            left -= (long)before.Length + value.Length;
            if (left < 0) return TooLarge(bytesMax);
            output.Write(before);
            output.Write(value);
            text = after;
        }
        if (text.Length > left) return TooLarge(bytesMax);
        output.Write(text);
        return null;

        static string TooLarge(int bytesMax) => $"`event` refers to more than {bytesMax} bytes";
    }

    // What is no text of the row is made in memory of the caller's.
    static bool TryValue(int column, in StoredEvent e, in EventUuids uuids, Span<byte> made, out ReadOnlySpan<byte> value)
    {
        value = default;
        var size = 0;
        if (column == SegmentSchema.Time)
        {
            Utf8Formatter.TryFormat(e.TimeMicros / 1000, made, out size);
        }
        else if (SegmentSchema.IsUuid(column))
        {
            if (uuids[column - SegmentSchema.FirstUuid] is not { } uuid) return false;
            Utf8Formatter.TryFormat(uuid, made, out size);
        }
        else
        {
            var text = TextColumns.TextOf(column, e);
            value = text.Utf8;
            return text.HasValue;
        }
        value = made[..size];
        return true;
    }

    /// <summary>The column that a value can be read from again; −1 when there is none, or its name is not shorter.</summary>
    static int Column(ReadOnlySpan<byte> value, in StoredEvent e, ulong lengths, ref EventUuids uuids)
    {
        if ((lengths & LengthBit(value)) != 0)
        {
            foreach (var column in TextColumns.All)
                if (IsReferable(column, value) && value.SequenceEqual(TextColumns.TextOf(column, e).Utf8)) return column;
        }
        if (!TryUuid(value, out var uuid)) return -1;
        for (var i = 0; i < SegmentSchema.Uuids; i++)
        {
            uuids[i] ??= uuid;
            if (uuids[i] == uuid) return SegmentSchema.FirstUuid + i;
        }
        return -1;
    }

    /// <summary>The lengths that the texts have which can be referred to, as bits: few values have one of them, and the others need not be compared.</summary>
    static ulong Lengths(in StoredEvent e)
    {
        var lengths = 0UL;
        foreach (var column in TextColumns.All)
        {
            var text = TextColumns.TextOf(column, e).Utf8;
            if (IsReferable(column, text)) lengths |= LengthBit(text);
        }
        return lengths;
    }

    static ulong LengthBit(ReadOnlySpan<byte> text) => 1UL << Math.Min(text.Length, 63);

    static bool IsReferable(int column, ReadOnlySpan<byte> text) => text.Length > Names[column].Length + 2;

    // As it is written again, and no other way: lower case, with dashes.
    static bool TryUuid(ReadOnlySpan<byte> value, out Guid uuid)
    {
        uuid = default;
        if (value.Length != UuidLength || value[8] != '-') return false;
        Span<byte> again = stackalloc byte[UuidLength];
        return Utf8Parser.TryParse(value, out uuid, out var read) && read == UuidLength && Utf8Formatter.TryFormat(uuid, again, out _) && value.SequenceEqual(again);
    }

    static bool IsNumber(ReadOnlySpan<byte> text, ReadOnlySpan<byte> digits) =>
        !digits.IsEmpty && text.StartsWith(digits) && text.Length > digits.Length && text[digits.Length] is (byte)',' or (byte)'}';

    /// <summary>The next string; its quotes stand around it.</summary>
    static bool NextString(ReadOnlySpan<byte> json, int from, out int start, out int end)
    {
        end = -1;
        start = json[from..].IndexOf(Quote);
        if (start < 0) return false;
        start += from + 1;
        for (var at = start; ;)
        {
            var next = json[at..].IndexOfAny(Quote, (byte)'\\');
            if (next < 0) return false;
            at += next;
            if (json[at] == Quote)
            {
                end = at;
                return true;
            }
            at += 2;
            if (at > json.Length) return false;
        }
    }

    static int ColumnOf(ReadOnlySpan<byte> name)
    {
        foreach (var column in Columns)
            if (name.SequenceEqual(Names[column])) return column;
        return -1;
    }

    ref struct Text(Span<byte> to)
    {
        readonly Span<byte> _to = to;

        public int Length { get; private set; }

        public void Put(byte one) => _to[Length++] = one;

        public void Put(ReadOnlySpan<byte> some)
        {
            some.CopyTo(_to[Length..]);
            Length += some.Length;
        }

        public void Refer(int column)
        {
            Put(Mark);
            Put(Names[column]);
            Put(Mark);
        }
    }
}
