using System.Security.Cryptography;
using Logwarden.Archive;
using Logwarden.Events;
using Logwarden.Match;
using Logwarden.Segments;
using Logwarden.Verify;

namespace Logwarden.Holds;

/// <summary>What a look into a segment gave.</summary>
enum Look
{
    /// <summary>None of its events matches.</summary>
    None,

    /// <summary>At least one event matches.</summary>
    Match,

    /// <summary>Its bytes are not those that were sealed, here and in the archive: nobody can tell.</summary>
    Changed,

    /// <summary>It is not there.</summary>
    Gone,
}

/// <summary>Looks into sealed segments for a matching event: into the hot copy when it is what was sealed, else into the archive's. Nothing is believed before its hash is right.</summary>
sealed class HoldScan(string hotFolder, IBlobStore store)
{
    const int RowsPerLook = 4096;

    /// <summary>Bytes that were fetched from the archive.</summary>
    public long Fetched => Interlocked.Read(ref _fetched);

    long _fetched;

    public async ValueTask<Look> LookAsync(SealedSegment segment, Matcher matcher, CancellationToken cancel)
    {
        if (await HotAsync(segment, matcher, cancel) is { } hot) return hot;
        var scratch = new ScratchStream(segment.Bytes);
        await using var closing = scratch;
        var (right, isThere) = await store.ReadSealed(segment, scratch, cancel);
        if (right is null) return isThere ? Look.Changed : Look.Gone;
        Interlocked.Add(ref _fetched, segment.Bytes);
        return Find(scratch, matcher, cancel) ?? Look.Changed;
    }

    /// <summary>Null when there is no hot copy that is as it was sealed.</summary>
    async ValueTask<Look?> HotAsync(SealedSegment segment, Matcher matcher, CancellationToken cancel)
    {
        try
        {
            await using var file = new FileStream(Path.Combine(hotFolder, segment.Path), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            if (file.Length != segment.Bytes) return null;
            var hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancel));
            if (!string.Equals(hash, segment.Sha256, StringComparison.Ordinal)) return null;
            file.Position = 0;
            return Find(file, matcher, cancel);
        }
        catch (Exception none) when (none is IOException or UnauthorizedAccessException)
        {
            // Evicted, or its disk is broken: the archive has it.
            return null;
        }
    }

    static Look? Find(Stream segment, Matcher matcher, CancellationToken cancel)
    {
        using var reader = SegmentReader.Open(segment);
        while (reader.Next())
        {
            if (EventEncoding.TryRead(reader.Event, out var e) && matcher.Matches(e)) return Look.Match;
            if (reader.Row % RowsPerLook == 0) cancel.ThrowIfCancellationRequested();
        }
        return reader.Error is null ? Look.None : null;
    }
}
