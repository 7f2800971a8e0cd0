using System.Collections;
using System.Text;
using Logwarden.Archive;

namespace Logwarden.Verify;

/// <summary>
/// Completeness: within each seal every journal offset of its range exactly once, and the rows of each source, and of each reason to quarantine, as many as its
/// ledger says.
/// Holds a bit per offset of one seal.
/// </summary>
sealed class OffsetLedger(VerifyState state)
{
    const int OffsetsNamedMax = 20;

    readonly List<(byte[] Id, SourceRows Rows)> _sources = [];
    SealHeader? _seal;
    string _key = "";
    BitArray _seen = new(0);
    long _unknown;
    bool _incomplete;

    public void Begin(SealHeader seal, string key)
    {
        (_seal, _key, _unknown) = (seal, key, 0);
        _seen = new(checked((int)(seal.To - seal.From)));
    }

    /// <summary>Takes a row in.</summary>
    /// <param name="segment">Its segment.</param>
    /// <param name="offset">Its journal offset.</param>
    /// <param name="source">Its source.</param>
    /// <param name="reason">Why it was quarantined; null when it was not.</param>
    /// <param name="row">Its row.</param>
    public void Seen(SealedSegment segment, long offset, ReadOnlySpan<byte> source, string? reason, long row)
    {
        Count(source, reason);
        if (offset < _seal!.From || offset >= _seal.To)
        {
            state.Add(FindingCode.OffsetDuplicate, segment.Path, $"Row {row} has offset {offset}; its seal is of {_seal.From} to {_seal.To}.", Advice.Investigate, segment.FirstLeaf + row, offset);
            return;
        }
        var at = (int)(offset - _seal.From);
        if (_seen[at]) state.Add(FindingCode.OffsetDuplicate, segment.Path, $"Row {row} has an offset that another row has.", Advice.Investigate, segment.FirstLeaf + row, offset);
        _seen[at] = true;
    }

    /// <summary>Rows that are not there to be read; why not has been said.</summary>
    public void Unknown(long rows)
    {
        _unknown += rows;
        _incomplete |= rows > 0;
    }

    /// <summary>A seal is missing: from here on the rows of a source cannot be counted.</summary>
    public void Gap() => _incomplete = true;

    public void End(SealRecord record)
    {
        var missing = 0L;
        for (var i = 0; i < _seen.Length; i++) missing += _seen[i] ? 0 : 1;
        if (missing > _unknown)
        {
            var named = 0;
            for (var i = 0; i < _seen.Length && named < OffsetsNamedMax; i++)
            {
                if (_seen[i]) continue;
                named++;
                state.Add(FindingCode.OffsetMissing, _key, "No segment of the seal has it.", Advice.Investigate, leaf: null, _seal!.From + i);
            }
            if (missing > named) state.Add(FindingCode.OffsetMissing, _key, $"{missing - named} more offsets are in no segment.", Advice.Investigate);
        }
        if (record.Ledger is { } ledger) Compare(record, ledger);
    }

    void Compare(SealRecord record, SealedLedger ledger)
    {
        if (ledger.In != ledger.Stored + ledger.Duplicates + ledger.Quarantined)
            Wrong($"{ledger.In} in, but {ledger.Stored} stored + {ledger.Duplicates} duplicates + {ledger.Quarantined} quarantined");
        if (ledger.Stored + ledger.Quarantined != record.Header.To)
            Wrong($"{ledger.Stored} stored + {ledger.Quarantined} quarantined, but {record.Header.To} offsets");
        if (record.Sources.Sum(source => source.In) != ledger.In || record.Sources.Sum(source => source.Stored) != ledger.Stored
            || record.Sources.Sum(source => source.Duplicates) != ledger.Duplicates)
        {
            Wrong("the sources do not add up to the total");
        }
        foreach (var source in record.Sources)
        {
            var quarantined = source.Quarantined.Values.Sum();
            if (source.In != source.Stored + source.Duplicates + quarantined) Wrong($"source {source.Id} does not add up");
            var rows = _sources.Find(known => known.Id.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(source.Id))).Rows ?? new();
            // Rows that cannot be read are of an unknown source; that they are missing has been said.
            if (_incomplete) continue;
            if (rows.Stored != source.Stored || rows.Quarantined.Values.Sum() != quarantined)
                Wrong($"source {source.Id} has {rows.Stored} rows and {rows.Quarantined.Values.Sum()} quarantined ones, its ledger says {source.Stored} and {quarantined}");
            foreach (var reason in source.Quarantined.Keys.Union(rows.Quarantined.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal))
            {
                var (said, there) = (source.Quarantined.GetValueOrDefault(reason), rows.Quarantined.GetValueOrDefault(reason));
                if (said != there) Wrong($"source {source.Id} has {there} rows quarantined as {reason}, its ledger says {said}");
            }
        }

        void Wrong(string what) => state.Add(FindingCode.LedgerMismatch, _key, $"The ledger does not hold: {what}.", Advice.Investigate);
    }

    void Count(ReadOnlySpan<byte> source, string? reason)
    {
        foreach (var (id, known) in _sources)
        {
            if (!source.SequenceEqual(id)) continue;
            known.Add(reason);
            return;
        }
        var rows = new SourceRows();
        rows.Add(reason);
        _sources.Add((source.ToArray(), rows));
    }

    sealed class SourceRows
    {
        public long Stored { get; private set; }

        public Dictionary<string, long> Quarantined { get; } = new(StringComparer.Ordinal);

        public void Add(string? reason)
        {
            if (reason is null) Stored++;
            else Quarantined[reason] = Quarantined.GetValueOrDefault(reason) + 1;
        }
    }
}
