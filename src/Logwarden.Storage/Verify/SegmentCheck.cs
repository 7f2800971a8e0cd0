using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Logwarden.Archive;
using Logwarden.Events;
using Logwarden.Proof.Tree;
using Logwarden.Segments;

namespace Logwarden.Verify;

/// <summary>
/// Reads the segments of a seal: hash of the file, every leaf, every offset. A segment that is not what was sealed is compared row by row with
/// the hashes in the stored tiles, so that the rows are named; the tree then goes on with the stored hashes.
/// </summary>
sealed class SegmentCheck(
    VersionedReader reader, VerifyState state, Func<string, string?> pathOfHash, OffsetLedger offsets, DeletionTrail deletions, SealHeader seal, DateTimeOffset now, Action<string> progress)
{
    const int RowsNamedMax = 20;

    // Of what is not as it was sealed; a small file can have rows without end.
    const int RowsOverMax = 100_000;

    static readonly byte[] Quarantine = Encoding.UTF8.GetBytes(EventClasses.Quarantine);

    public async ValueTask Check(SealedSegment segment, TreeCheck tree, CancellationToken cancel)
    {
        progress(segment.Path);
        if (segment.FirstLeaf != tree.Size && !tree.IsLost) await Align(segment, tree, cancel);
        if (tree.Size > segment.FirstLeaf) return;
        // What was changed is read too, to name its rows; not what is of another order of size.
        var bytesMax = 2 * segment.Bytes + (1 << 20);
        await using var file = await reader.Fetch(segment.Path, () => new ScratchStream(bytesMax), stream => string.Equals(Hash(stream), segment.Sha256, StringComparison.Ordinal), cancel);
        if (file is null)
        {
            await Absent(segment, tree, cancel);
            return;
        }
        if (deletions.Find(segment, seal, out var deletion, out var why))
        {
            if (why is null) state.SegmentsUndeleted++;
            else Unfounded(segment, deletion, why);
        }
        state.Segments++;
        state.Bytes += file.Content.Length;
        await reader.CheckLock(segment.Path, file.Right.Count > 0 ? file.Right : [null], segment.Mode, segment.RetainUntil, now, cancel);
        if (file.IsRight) ReadRows(segment, file.Content, tree);
        else if (file.IsTooLarge) TooLarge(segment, bytesMax);
        else await Diagnose(segment, file.Content, tree, cancel);
        // Whatever the rows gave, the tree goes on behind the segment.
        await tree.FillTo(segment.FirstLeaf + segment.Rows, cancel);
    }

    // Leaves between the last segment and this one: those of a seal that is missing, or a contradiction in a signed record.
    async ValueTask Align(SealedSegment segment, TreeCheck tree, CancellationToken cancel)
    {
        state.Add(FindingCode.LeafRange, segment.Path, $"It begins with leaf {segment.FirstLeaf}; the leaves before it end at {tree.Size}.",
            "The segments of a seal that is missing lie between, or the records contradict each other. " + Advice.Investigate);
        if (tree.Size < segment.FirstLeaf) await tree.FillTo(segment.FirstLeaf, cancel);
    }

    async ValueTask Absent(SealedSegment segment, TreeCheck tree, CancellationToken cancel)
    {
        // The record is there before the deletes are: one that was made since we began is read now.
        if (!deletions.Find(segment, seal, out var deletion, out var why)) await deletions.Read(cancel);
        if (deletions.Find(segment, seal, out deletion, out why))
        {
            if (why is null) state.SegmentsExpired++;
            else Unfounded(segment, deletion, why);
        }
        else
        {
            var ended = segment.RetainUntil <= now.UtcDateTime ? $"Its retention ended at {segment.RetainUntil:u}, but no deletion record says that it was deleted as required" : "It is not there";
            state.Add(FindingCode.SegmentMissing, segment.Path, $"{ended}; {segment.Rows} events are gone.", Advice.Restore);
        }
        offsets.Unknown(segment.Rows);
        await tree.FillTo(segment.FirstLeaf + segment.Rows, cancel);
    }

    void Unfounded(SealedSegment segment, string deletion, string why) =>
        state.Add(FindingCode.DeletionUnfounded, segment.Path, $"{deletion} says that it was deleted as required, which does not hold. {why}", Advice.Investigate);

    void TooLarge(SealedSegment segment, long bytesMax)
    {
        state.Add(FindingCode.SegmentChanged, segment.Path, $"It has more than {bytesMax} bytes; {segment.Bytes} bytes with {segment.Sha256} were sealed.", Advice.Restore);
        offsets.Unknown(segment.Rows);
    }

    void ReadRows(SealedSegment segment, Stream content, TreeCheck tree)
    {
        using var rows = SegmentReader.Open(content);
        var classUtf8 = Encoding.UTF8.GetBytes(segment.Class);
        var date = segment.Path.Split('/') is [.., var partition, _] ? partition : "";
        var last = (Time: long.MinValue, Offset: long.MinValue);
        while (rows.Next())
        {
            tree.Append(new(SHA256.HashData(rows.LeafInput)));
            state.Events++;
            if (!EventEncoding.TryRead(rows.Event, out var e)) continue;
            offsets.Seen(segment, e.Offset, e.Source, Reason(e), rows.Row);
            var wrong = rows.Leaf != segment.FirstLeaf + rows.Row ? $"It states leaf {rows.Leaf}."
                : !e.Class.SequenceEqual(classUtf8) ? $"Its class is {Encoding.UTF8.GetString(e.Class)}."
                : (e.TimeMicros, e.Offset).CompareTo(last) < 0 ? "It is earlier than the row before it."
                : IsOfDay(e.TimeMicros, date) ? null : "Its time is of another date.";
            if (wrong is not null) state.Add(FindingCode.RowMisplaced, segment.Path, $"Row {rows.Row}: {wrong}", Advice.Investigate, segment.FirstLeaf + rows.Row, e.Offset);
            last = (e.TimeMicros, e.Offset);
            if (rows.Row % 16_384 == 0) progress(segment.Path);
        }
        if (rows.Error is null && rows.Rows == segment.Rows) return;
        // The bytes are those that were sealed: whoever sealed them wrote nonsense.
        state.Add(FindingCode.SegmentChanged, segment.Path, $"Its bytes are those that were sealed, but it cannot be read: {rows.Error ?? $"{rows.Rows} rows instead of {segment.Rows}"}.", Advice.Investigate);
        offsets.Unknown(Math.Max(0, segment.Rows - rows.Row - 1));
    }

    async ValueTask Diagnose(SealedSegment segment, Stream content, TreeCheck tree, CancellationToken cancel)
    {
        var (hash, bytes) = (Hash(content), content.Length);
        content.Position = 0;
        if (pathOfHash(hash) is { } other && !string.Equals(other, segment.Path, StringComparison.Ordinal))
        {
            state.Add(FindingCode.SegmentSwapped, segment.Path, $"It holds the bytes of {other}.", Advice.Restore);
            offsets.Unknown(segment.Rows);
            return;
        }
        var rows = Leaves(content, (long)segment.Rows + RowsOverMax, out var error);
        var sealedLeaves = new List<TreeHash?>(segment.Rows);
        for (var i = 0; i < segment.Rows; i++) sealedLeaves.Add(await tree.StoredLeaf(segment.FirstLeaf + i, cancel));
        var what = error is null
            ? $"It has {bytes} bytes with SHA-256 {hash}; {segment.Bytes} bytes with {segment.Sha256} were sealed."
            : $"Its bytes are not those that were sealed, and it can be read only up to row {rows.Count} of {segment.Rows}: {error}.";
        state.Add(FindingCode.SegmentChanged, segment.Path, what, Advice.Restore);
        Name(segment, rows, sealedLeaves, isWhole: error is null);
    }

    /// <summary>
    /// Goes through what is there and what must be there side by side. Where they differ, the side that has more left is passed over: a few
    /// rows taken out, put in or changed are found as such.
    /// </summary>
    void Name(SealedSegment segment, List<(TreeHash Leaf, long Offset, string Source, string? Reason)> rows, List<TreeHash?> sealedLeaves, bool isWhole)
    {
        var (row, leaf, named, lost) = (0, 0, 0, 0);
        while (leaf < sealedLeaves.Count && (row < rows.Count || isWhole))
        {
            if (row < rows.Count && (sealedLeaves[leaf] is null || rows[row].Leaf == sealedLeaves[leaf]))
            {
                offsets.Seen(segment, rows[row].Offset, Encoding.UTF8.GetBytes(rows[row].Source), rows[row].Reason, row);
                (row, leaf) = (row + 1, leaf + 1);
                continue;
            }
            var surplus = rows.Count - row - (sealedLeaves.Count - leaf);
            var code = surplus > 0 ? FindingCode.RowAdded : surplus < 0 && isWhole ? FindingCode.RowMissing : FindingCode.RowChanged;
            if (named++ < RowsNamedMax) Report(segment, code, row, leaf, row < rows.Count ? rows[row].Offset : null);
            if (code != FindingCode.RowMissing) row++;
            if (code == FindingCode.RowAdded) continue;
            leaf++;
            lost++;
        }
        for (; row < rows.Count && isWhole; row++)
            if (named++ < RowsNamedMax) Report(segment, FindingCode.RowAdded, row, leaf, rows[row].Offset);
        offsets.Unknown(lost + sealedLeaves.Count - leaf);
        if (named > RowsNamedMax) state.Add(FindingCode.RowChanged, segment.Path, $"{named - RowsNamedMax} more rows are not as sealed.", Advice.Restore);
    }

    void Report(SealedSegment segment, FindingCode code, int row, int leaf, long? offset)
    {
        var (what, at) = code switch
        {
            FindingCode.RowMissing => ($"The event of leaf {segment.FirstLeaf + leaf} is not in it; it stood before row {row}.", (long?)segment.FirstLeaf + leaf),
            FindingCode.RowAdded => ($"Row {row} is no event that was sealed.", null),
            _ => ($"Row {row} is not the event that was sealed.", segment.FirstLeaf + leaf),
        };
        state.Add(code, segment.Path, what, Advice.Restore, at, code == FindingCode.RowMissing ? null : offset);
    }

    static List<(TreeHash Leaf, long Offset, string Source, string? Reason)> Leaves(Stream content, long most, out string? error)
    {
        using var reader = SegmentReader.Open(content);
        var leaves = new List<(TreeHash, long, string, string?)>();
        var source = "";
        while (reader.Next())
        {
            if (leaves.Count == most)
            {
                error = $"it has {reader.Rows} rows";
                return leaves;
            }
            EventEncoding.TryRead(reader.Event, out var e);
            if (!Encoding.UTF8.GetBytes(source).AsSpan().SequenceEqual(e.Source)) source = Encoding.UTF8.GetString(e.Source);
            leaves.Add((new(SHA256.HashData(reader.LeafInput)), e.Offset, source, Reason(e)));
        }
        error = reader.Error;
        return leaves;
    }

    /// <summary>Why a record was quarantined, as its event says; null for an event of another class.</summary>
    static string? Reason(in StoredEvent e)
    {
        if (!e.Class.SequenceEqual(Quarantine)) return null;
        try
        {
            var json = new Utf8JsonReader(e.Json);
            var isUnmapped = false;
            while (json.Read())
            {
                if (json.TokenType != JsonTokenType.PropertyName) continue;
                if (json.CurrentDepth == 1) isUnmapped = json.ValueTextEquals("unmapped"u8);
                if (isUnmapped && json.CurrentDepth == 2 && json.ValueTextEquals("reason"u8) && json.Read()) return json.GetString() ?? "";
            }
        }
        catch (Exception broken) when (broken is JsonException or InvalidOperationException)
        {
            // It says nothing then.
        }
        return "";
    }

    static bool IsOfDay(long timeMicros, string partition) =>
        string.Equals(partition, $"date={DateOnly.FromDayNumber(SegmentCutter.DayOf(timeMicros)):yyyy-MM-dd}", StringComparison.Ordinal);

    static string Hash(Stream stream)
    {
        stream.Position = 0;
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
