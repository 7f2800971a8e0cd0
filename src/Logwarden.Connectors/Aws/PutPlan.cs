using System.Globalization;
using System.Text;
using Logwarden.Flow;

namespace Logwarden.Aws;

/// <summary>A log stream.</summary>
/// <param name="Group">Its log group.</param>
/// <param name="Name">Its name.</param>
readonly record struct LogStream(string Group, string Name);

/// <summary>An event of a call.</summary>
/// <param name="Index">Which of the batch.</param>
/// <param name="Millis">When it happened, unix milliseconds.</param>
readonly record struct PutEvent(int Index, long Millis);

/// <summary>One PutLogEvents: events of a stream, in order of time.</summary>
/// <param name="Stream">Where to.</param>
/// <param name="Class">Policy class of the events.</param>
/// <param name="Events">At least one.</param>
sealed record PutCall(LogStream Stream, string Class, IReadOnlyList<PutEvent> Events);

/// <summary>
/// How a batch of any classes, sources and times becomes calls that CloudWatch Logs takes. A call that breaks a rule fails whole, so each has events of one stream,
/// in order of time (of those of the same millisecond, in order of the journal), of less than 24 hours, and within the limits of size. Depends on nothing but its input.
/// </summary>
sealed class PutPlan
{
    /// <summary>Longest from the first to the last event of a call. Whether exactly this is allowed is not said: calls stay below.</summary>
    static readonly long SpanMax = (long)TimeSpan.FromHours(24).TotalMilliseconds;

    /// <summary>AWS takes no signature of a clock that is more than five minutes off; with twice that, what we call outside is outside for AWS too.</summary>
    static readonly TimeSpan ClockOff = TimeSpan.FromMinutes(10);

    /// <summary>The calls, in order of each stream's first event in the batch, then of time.</summary>
    public List<PutCall> Calls { get; } = [];

    /// <summary>Events whose time is so far off that they would be dropped, while each day of them would need a call of its own.</summary>
    public List<PutEvent> Outside { get; } = [];

    /// <summary>Makes the plan.</summary>
    /// <param name="batch">What is to be sent.</param>
    /// <param name="prefix">What all groups' names begin with.</param>
    /// <param name="now">The time.</param>
    public static PutPlan Of(EventBatch batch, string prefix, DateTimeOffset now)
    {
        var plan = new PutPlan();
        var streams = new Dictionary<(string Class, string Source), List<PutEvent>>();
        var oldest = (now - CloudWatchLogs.OldestAge - ClockOff).ToUnixTimeMilliseconds();
        var newest = (now + CloudWatchLogs.MostAhead + ClockOff).ToUnixTimeMilliseconds();
        List<PutEvent>? events = null;
        var last = 0;
        for (var i = 0; i < batch.Count; i++)
        {
            var e = batch.Event(i);
            var one = new PutEvent(i, Millis(e.TimeMicros));
            if (one.Millis < oldest || one.Millis > newest)
            {
                plan.Outside.Add(one);
                continue;
            }
            // Events of one stream often stand together: its texts are made once for all of them.
            if (events is null || !e.Class.SequenceEqual(batch.Event(last).Class) || !e.Source.SequenceEqual(batch.Event(last).Source))
            {
                var key = (Encoding.UTF8.GetString(e.Class), Encoding.UTF8.GetString(e.Source));
                if (!streams.TryGetValue(key, out events)) streams.Add(key, events = []);
            }
            last = i;
            events.Add(one);
        }
        foreach (var ((name, source), taken) in streams) plan.Split(new(Group(prefix, name), Stream(source)), name, taken, batch);
        return plan;
    }

    /// <summary>Unix milliseconds of unix microseconds: the whole one that it is in.</summary>
    public static long Millis(long micros) => micros / 1000 - (micros % 1000 < 0 ? 1 : 0);

    /// <summary>The log group of a class. Bytes that its name can't hold are written as <c>#</c> and two digits.</summary>
    public static string Group(string prefix, string name) => $"{prefix}/{Escape(name, '#', static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or '/')}";

    /// <summary>The log stream of a source. Bytes that its name can't hold are written as <c>%</c> and two digits.</summary>
    public static string Stream(string source) => source.Length == 0 ? "%" : Escape(source, '%', static c => c is > ' ' and < '\x7f' and not (':' or '*' or '%'));

    static string Escape(string text, char mark, Func<char, bool> isPlain)
    {
        if (text.All(isPlain)) return text;
        var escaped = new StringBuilder();
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            if (b < 0x80 && isPlain((char)b)) escaped.Append((char)b);
            else escaped.Append(CultureInfo.InvariantCulture, $"{mark}{b:X2}");
        }
        return escaped.ToString();
    }

    void Split(LogStream stream, string name, List<PutEvent> events, EventBatch batch)
    {
        events.Sort(static (a, b) => a.Millis != b.Millis ? a.Millis.CompareTo(b.Millis) : a.Index.CompareTo(b.Index));
        var (from, bytes) = (0, 0);
        for (var i = 0; i < events.Count; i++)
        {
            var size = batch.Wire(events[i].Index).Length + CloudWatchLogs.EventOverhead;
            if (i > from && (events[i].Millis - events[from].Millis >= SpanMax || i - from == CloudWatchLogs.EventsMax || bytes + size > CloudWatchLogs.BytesMax))
            {
                Calls.Add(new(stream, name, events[from..i]));
                (from, bytes) = (i, 0);
            }
            bytes += size;
        }
        Calls.Add(new(stream, name, events[from..]));
    }
}
