using System.Buffers;
using System.Buffers.Text;
using System.Runtime.InteropServices;

namespace Logwarden.Redaction;

/// <summary>
/// The working memory of one thread: buffers, the findings of the last document and the counts per rule. Not safe for
/// two threads at once. Buffers that held unredacted bytes are cleared by <see cref="Clear"/> and reused otherwise.
/// </summary>
public sealed class RedactionScratch
{
    internal const int DepthMax = 4;

    readonly List<RedactionFinding> _hits = [];
    readonly byte[]?[] _buffers = new byte[DepthMax + 1][];
    readonly int[] _counts = new int[RedactionRules.All.Count];
    readonly List<string> _counted = [];

    /// <summary>The findings of the last document, by offset, none overlapping another.</summary>
    public ReadOnlySpan<RedactionFinding> Findings => CollectionsMarshal.AsSpan(_hits);

    internal List<RedactionFinding> Hits => _hits;

    internal List<RedactionFinding> Known { get; } = [];

    internal List<ProtectedSpan> Actors { get; } = [];

    internal ArrayBufferWriter<byte> Result { get; } = new();

    internal KeyMemo Keys { get; } = new();

    internal KeyMemo Names { get; } = new();

    internal ValueMemo Values { get; } = new();

    /// <summary>Writes the counts of the last document as <c>rule=count,rule=count</c>, sorted by rule; nothing when there are none.</summary>
    public void WriteCounts(IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        _counted.Clear();
        foreach (var hit in _hits)
            if (_counts[hit.Rule]++ == 0) _counted.Add(hit.RuleId);
        _counted.Sort(StringComparer.Ordinal);
        var first = true;
        foreach (var id in _counted)
        {
            if (!first) output.Write(","u8);
            first = false;
            var rule = RedactionRules.IndexOf(id);
            var span = output.GetSpan(id.Length + 16);
            var n = System.Text.Encoding.UTF8.GetBytes(id, span);
            span[n++] = (byte)'=';
            Utf8Formatter.TryFormat(_counts[rule], span[n..], out var written);
            output.Advance(n + written);
            _counts[rule] = 0;
        }
    }

    /// <summary>Overwrites the buffers, which may still hold what was decoded from the last document.</summary>
    public void Clear()
    {
        foreach (var buffer in _buffers) buffer?.AsSpan().Clear();
        _hits.Clear();
        Result.Clear();
    }

    /// <summary>Makes it ready for a document that <paramref name="redactor"/> works on.</summary>
    internal void Begin(Redactor redactor)
    {
        _hits.Clear();
        Keys.Belong(redactor);
        Values.Belong(redactor);
    }

    /// <summary>A buffer of at least <paramref name="length"/> bytes for texts decoded at <paramref name="depth"/>.</summary>
    internal byte[] Buffer(int depth, int length)
    {
        var buffer = _buffers[depth];
        if (buffer is null || buffer.Length < length)
            _buffers[depth] = buffer = new byte[Math.Max(1024, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)length))];
        return buffer;
    }
}
