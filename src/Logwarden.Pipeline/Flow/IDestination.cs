using System.Buffers;
using Logwarden.Events;

namespace Logwarden.Flow;

/// <summary>
/// Somewhere that events go. The delivery loop owns order, batching, retries, dead letters, canaries and metrics; a destination only says what fits, how an event
/// looks on the wire, sends, and tells what the far side answered. One call at a time. To write one, see <c>docs/guides/add-a-destination.md</c>.
/// </summary>
public interface IDestination : IAsyncDisposable
{
    /// <summary>What the far side takes in one request. The loop never exceeds it.</summary>
    DestinationLimits Limits { get; }

    /// <summary>Appends the wire form of one event. Its length is what counts against the limits. Never throws, whatever the event holds.</summary>
    void Render(in StoredEvent e, IBufferWriter<byte> output);

    /// <summary>Sends one batch, whole. May be repeated with the same batch, or a part of it, after any failure.</summary>
    /// <returns>What the far side answered. A refusal is a value, never an exception; no answer holds a credential.</returns>
    /// <exception cref="HttpRequestException">The far side was not reached.</exception>
    /// <exception cref="IOException">The connection broke; whether the batch was taken is not known.</exception>
    ValueTask<Answer> SendAsync(EventBatch batch, CancellationToken cancel);

    /// <summary>Looks for events at the far side, long after they were sent.</summary>
    /// <param name="wanted">What to look for.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>The ids that are there; null when the far side can't be read, so that its acknowledgement is all the proof there is.</returns>
    /// <exception cref="HttpRequestException">It can't be told now; the message says why, for people, without a credential. Ask again later.</exception>
    /// <exception cref="IOException">The connection broke. Ask again later.</exception>
    ValueTask<IReadOnlySet<string>?> FindAsync(IReadOnlyList<SentEvent> wanted, CancellationToken cancel) => new((IReadOnlySet<string>?)null);
}

/// <summary>Limits of one request to a destination.</summary>
/// <param name="EventsMax">Most events in one request, at least 1.</param>
/// <param name="BytesMax">Most bytes of one request before compression, at least 1: the events' wire forms and <paramref name="EventOverhead"/> for each.</param>
/// <param name="EventBytesMax">Most bytes of one event's wire form. A larger one is refused without being sent.</param>
/// <param name="EventOverhead">Bytes that the far side counts besides an event's wire form, such as a separator.</param>
/// <param name="AgeMax">Longest that an event waits for others before its batch leaves.</param>
public readonly record struct DestinationLimits(int EventsMax, int BytesMax, int EventBytesMax, int EventOverhead, TimeSpan AgeMax);

/// <summary>An event that was sent.</summary>
/// <param name="Id">Its id.</param>
/// <param name="TimeMicros">When it happened, unix microseconds.</param>
/// <param name="Class">Its class.</param>
/// <param name="Source">Its source.</param>
public sealed record SentEvent(string Id, long TimeMicros, string Class, string Source);

/// <summary>What a destination answered to a batch.</summary>
public abstract record Answer
{
    Answer()
    {
    }

    /// <summary>All of it is durable on the far side.</summary>
    public sealed record Accepted : Answer;

    /// <summary>Not all of it was taken, for a reason that passes: try what was not again.</summary>
    /// <param name="RetryAfter">When the far side wants it again; null is our own back-off.</param>
    /// <param name="Reason">What it said, for people.</param>
    public sealed record Later(TimeSpan? RetryAfter, string Reason) : Answer
    {
        /// <summary>Indexes of the events that are durable on the far side all the same.</summary>
        public IReadOnlyList<int> Taken { get; init; } = [];

        /// <summary>Events that will never be taken, told already now. Those that are in neither list are tried again.</summary>
        public IReadOnlyList<RefusedEvent> Refusals { get; init; } = [];
    }

    /// <summary>None of it was taken, and none will be until somebody puts something right: credentials, a quota, a name. Raises the alarm at once.</summary>
    /// <param name="Reason">What it said and what to do, for people.</param>
    public sealed record Blocked(string Reason) : Answer;

    /// <summary>None of it was taken because it is too big: the loop halves it. One event alone is refused.</summary>
    public sealed record TooLarge : Answer;

    /// <summary>Some events will never be taken; the others are durable.</summary>
    /// <param name="Events">Index in the batch and why, for people.</param>
    public sealed record Refused(IReadOnlyList<RefusedEvent> Events) : Answer
    {
        /// <summary>All of the batch, for one reason.</summary>
        public static Refused All(EventBatch batch, string reason) => new([.. Enumerable.Range(0, batch.Count).Select(index => new RefusedEvent(index, reason))]);
    }
}

/// <summary>An event that the far side will never take.</summary>
/// <param name="Index">Which of the batch.</param>
/// <param name="Reason">Why, for people; no credential in it.</param>
public readonly record struct RefusedEvent(int Index, string Reason);
