using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Logwarden.Journal;

/// <summary>
/// The conservation ledger at one commit: what came in is exactly what was stored, what was a duplicate and what was quarantined, and
/// what was stored or quarantined is exactly what the journal numbered.
/// </summary>
/// <param name="DurableEnd">Events that the journal has numbered: the sum of all stored and quarantined.</param>
/// <param name="Total">All sources together.</param>
/// <param name="Sources">Each source by its id, in ordinal order.</param>
/// <param name="Readers">Each registered reader by its name, in ordinal order.</param>
public sealed record LedgerSnapshot(
    long DurableEnd, SourceLedger Total, IReadOnlyList<SourceLedger> Sources, IReadOnlyList<ReaderLedger> Readers);

/// <summary>The ledger of one source. <c>In = Stored + Duplicates + Quarantined</c>, always.</summary>
/// <param name="Source">Its id; empty in a total.</param>
/// <param name="In">Entries handed in.</param>
/// <param name="Stored">Of them stored as events.</param>
/// <param name="Duplicates">Of them not stored, because they had been stored before.</param>
/// <param name="Quarantined">Of them stored as records that could not be taken in.</param>
/// <param name="QuarantinedByReason">The same by reason code, in ordinal order.</param>
public sealed record SourceLedger(
    string Source, long In, long Stored, long Duplicates, long Quarantined, IReadOnlyDictionary<string, long> QuarantinedByReason);

/// <summary>How far one reader is.</summary>
/// <param name="Reader">Its name.</param>
/// <param name="Cursor">Everything below this offset is done.</param>
/// <param name="InFlight">Events that it has yet to do.</param>
public sealed record ReaderLedger(string Reader, long Cursor, long InFlight);

/// <summary>Counts per source: the totals of the journal, or what one commit adds to them. Not thread-safe.</summary>
sealed class LedgerTotals
{
    readonly SortedDictionary<string, SourceTotals> _sources = new(StringComparer.Ordinal);

    public SourceTotals Of(string source)
    {
        if (!_sources.TryGetValue(source, out var totals)) _sources.Add(source, totals = new());
        return totals;
    }

    public void Clear() => _sources.Clear();

    public void Add(LedgerTotals delta)
    {
        foreach (var (source, added) in delta._sources) Of(source).Add(added);
    }

    /// <summary>Entries that got an offset.</summary>
    public long Numbered()
    {
        var sum = 0L;
        foreach (var totals in _sources.Values) sum += totals.Stored + totals.Quarantined();
        return sum;
    }

    /// <summary>Whether each source adds up, and all of them to <paramref name="numbered"/> entries.</summary>
    public bool Balances(long numbered)
    {
        foreach (var totals in _sources.Values)
        {
            if (totals.In != totals.Stored + totals.Duplicates + totals.Quarantined()) return false;
        }
        return Numbered() == numbered;
    }

    public List<SourceLedger> Snapshot(out SourceLedger total)
    {
        var sum = new SourceTotals();
        var all = new List<SourceLedger>(_sources.Count);
        foreach (var (source, totals) in _sources)
        {
            all.Add(totals.Snapshot(source));
            sum.Add(totals);
        }
        total = sum.Snapshot("");
        return all;
    }

    /// <summary>
    /// <c>u32 sources</c>, each <c>text id ‖ i64 in ‖ i64 stored ‖ i64 duplicates ‖ u16 reasons</c>, each <c>text reason ‖ i64</c>; a text is
    /// <c>u16 length ‖ UTF-8</c>. Sources and reasons in ordinal order.
    /// </summary>
    public void Write(IBufferWriter<byte> output)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(output.GetSpan(4), (uint)_sources.Count);
        output.Advance(4);
        foreach (var (source, totals) in _sources)
        {
            Text(output, source);
            Number(output, totals.In);
            Number(output, totals.Stored);
            Number(output, totals.Duplicates);
            BinaryPrimitives.WriteUInt16LittleEndian(output.GetSpan(2), (ushort)totals.ByReason.Count);
            output.Advance(2);
            foreach (var (reason, count) in totals.ByReason)
            {
                Text(output, reason);
                Number(output, count);
            }
        }
    }

    /// <summary>Reads what <see cref="Write"/> wrote; null when the bytes are not exactly that.</summary>
    public static LedgerTotals? Read(ReadOnlySpan<byte> input)
    {
        var ledger = new LedgerTotals();
        if (input.Length < 4) return null;
        var sources = BinaryPrimitives.ReadUInt32LittleEndian(input);
        input = input[4..];
        for (var i = 0u; i < sources; i++)
        {
            if (Text(ref input) is not { } source || input.Length < 26 || ledger._sources.ContainsKey(source)) return null;
            var totals = ledger.Of(source);
            totals.In = BinaryPrimitives.ReadInt64LittleEndian(input);
            totals.Stored = BinaryPrimitives.ReadInt64LittleEndian(input[8..]);
            totals.Duplicates = BinaryPrimitives.ReadInt64LittleEndian(input[16..]);
            var reasons = BinaryPrimitives.ReadUInt16LittleEndian(input[24..]);
            input = input[26..];
            for (var j = 0; j < reasons; j++)
            {
                if (Text(ref input) is not { } reason || input.Length < 8 || totals.ByReason.ContainsKey(reason)) return null;
                totals.ByReason.Add(reason, BinaryPrimitives.ReadInt64LittleEndian(input));
                input = input[8..];
            }
        }
        return input.IsEmpty ? ledger : null;
    }

    static void Text(IBufferWriter<byte> output, string text)
    {
        var to = output.GetSpan(2 + Encoding.UTF8.GetMaxByteCount(text.Length));
        var length = Encoding.UTF8.GetBytes(text, to[2..]);
        BinaryPrimitives.WriteUInt16LittleEndian(to, (ushort)length);
        output.Advance(2 + length);
    }

    static void Number(IBufferWriter<byte> output, long number)
    {
        BinaryPrimitives.WriteInt64LittleEndian(output.GetSpan(8), number);
        output.Advance(8);
    }

    static string? Text(ref ReadOnlySpan<byte> input)
    {
        if (input.Length < 2) return null;
        var length = BinaryPrimitives.ReadUInt16LittleEndian(input);
        if (input.Length - 2 < length) return null;
        var text = Encoding.UTF8.GetString(input.Slice(2, length));
        input = input[(2 + length)..];
        return text;
    }
}

/// <summary>Counts of one source.</summary>
sealed class SourceTotals
{
    public long In { get; set; }

    public long Stored { get; set; }

    public long Duplicates { get; set; }

    public SortedDictionary<string, long> ByReason { get; } = new(StringComparer.Ordinal);

    public long Quarantined()
    {
        var sum = 0L;
        foreach (var count in ByReason.Values) sum += count;
        return sum;
    }

    public void Quarantine(string reason, long count) => ByReason[reason] = ByReason.GetValueOrDefault(reason) + count;

    public void Add(SourceTotals added)
    {
        In += added.In;
        Stored += added.Stored;
        Duplicates += added.Duplicates;
        foreach (var (reason, count) in added.ByReason) Quarantine(reason, count);
    }

    public SourceLedger Snapshot(string source) =>
        new(source, In, Stored, Duplicates, Quarantined(), new SortedDictionary<string, long>(ByReason, StringComparer.Ordinal));
}
