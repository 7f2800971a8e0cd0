namespace Logwarden.Watchers;

/// <summary>How sources are watched.</summary>
public sealed record WatchOptions
{
    /// <summary>No shorter silence is told; default 15 minutes.</summary>
    public TimeSpan SilenceMin { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>
    /// Silence of a source that is told as long as its rhythm is not learned, unless the source has a limit of its own: this, or twice the longest silence that it came back from, whichever is longer. Default 24 hours.
    /// A source that has sent nothing for so long since it was registered is told as well.
    /// </summary>
    public TimeSpan SilenceMaxUnlearned { get; init; } = TimeSpan.FromHours(24);

    /// <summary>Weeks until a rhythm is trusted; default 4, 3 to 8.</summary>
    public int WeeksToLearn { get; init; } = 4;

    /// <summary>Delay of delivery that is never told, however steady the source; default 10 minutes.</summary>
    public TimeSpan LagMin { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How far ahead of our clock event times may be; default 2 minutes.</summary>
    public TimeSpan AheadMax { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>All must have been well for so long before an alarm is cleared; default 15 minutes.</summary>
    public TimeSpan CalmFor { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>Known holidays; null: any day may be one, so that a source that is silent on Sundays is given a day more.</summary>
    public HolidayCalendar? Holidays { get; init; }
}
