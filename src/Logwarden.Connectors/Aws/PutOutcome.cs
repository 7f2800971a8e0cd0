using Logwarden.Flow;

namespace Logwarden.Aws;

/// <summary>What became of a batch's events, from the answers to its calls. Thread-safe.</summary>
sealed class PutOutcome
{
    const string Elsewhere = "The event is in Logwarden's own store and in the archive, where nothing is too old.";

    /// <summary>Why an event is refused that happened too long ago.</summary>
    public const string TooOld = "CloudWatch Logs takes no event that is more than 14 days old. " + Elsewhere;

    /// <summary>Why an event is refused that has not happened yet.</summary>
    public const string TooNew = "CloudWatch Logs takes no event that is more than 2 hours ahead: set the clock of its source right. " + Elsewhere;

    readonly Lock _gate = new();
    readonly List<int> _taken = [];
    readonly List<RefusedEvent> _refused = [];
    Answer? _failure;

    /// <summary>What failed first and weighs most; null as long as nothing has.</summary>
    public Answer? Failure
    {
        get
        {
            lock (_gate) return _failure;
        }
    }

    /// <summary>A call was carried out.</summary>
    /// <param name="call">The call.</param>
    /// <param name="dropped">Which of its events were dropped, as <see cref="CloudWatchLogs.Dropped"/> tells.</param>
    public void Took(PutCall call, (int TooOld, int Expired, int TooNew) dropped)
    {
        var expired = $"CloudWatch Logs takes no event that is older than its log group keeps, here {call.Stream.Group}. {Elsewhere}";
        lock (_gate)
        {
            for (var i = 0; i < call.Events.Count; i++)
            {
                var index = call.Events[i].Index;
                if (i < dropped.TooOld) _refused.Add(new(index, TooOld));
                else if (i < dropped.Expired) _refused.Add(new(index, expired));
                else if (i >= dropped.TooNew) _refused.Add(new(index, TooNew));
                else _taken.Add(index);
            }
        }
    }

    /// <summary>An event will never be taken.</summary>
    public void Refuse(int index, string reason)
    {
        lock (_gate) _refused.Add(new(index, reason));
    }

    /// <summary>A call failed. Of several failures the one counts that a person must put right, then the one that passes.</summary>
    public void Failed(Answer failure)
    {
        lock (_gate)
        {
            if (Weight(failure) > Weight(_failure)) _failure = failure;
        }
    }

    /// <summary>The answer to the batch.</summary>
    public Answer ToAnswer()
    {
        lock (_gate)
        {
            _taken.Sort();
            _refused.Sort(static (a, b) => a.Index.CompareTo(b.Index));
            if (_failure is null) return _refused.Count == 0 ? new Answer.Accepted() : new Answer.Refused(_refused);
            if (_taken.Count + _refused.Count == 0) return _failure;
            var (after, reason) = _failure switch
            {
                Answer.Later later => (later.RetryAfter, later.Reason),
                Answer.Blocked blocked => (null, blocked.Reason),
                _ => (null, "A part of the batch is too large."),
            };
            return new Answer.Later(after, reason) { Taken = _taken, Refusals = _refused };
        }
    }

    static int Weight(Answer? failure) => failure switch
    {
        null => 0,
        Answer.TooLarge => 1,
        Answer.Later => 2,
        _ => 3,
    };
}
