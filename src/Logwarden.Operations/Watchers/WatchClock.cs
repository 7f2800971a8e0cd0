namespace Logwarden.Watchers;

/// <summary>Units of the watchers: instants are unix microseconds, slots last five minutes and hours of the week count from Monday 00:00 UTC.</summary>
static class WatchClock
{
    public const long Second = 1_000_000;
    public const long Slot = 300 * Second;
    public const long Hour = 3_600 * Second;
    public const long Day = 24 * Hour;
    public const long Week = 7 * Day;
    public const int SlotsPerHour = 12;
    public const int HoursPerWeek = 168;

    /// <summary>Weeks in a quarter of a year, over which false alarms are counted.</summary>
    public const int WeeksPerQuarter = 13;

    /// <summary>Hour of the week of an hour since the epoch. The epoch was a Thursday.</summary>
    public static int HourOfWeek(long hour) => (int)((hour + 72) % HoursPerWeek);

    /// <summary>Week since the epoch, from Monday to Sunday.</summary>
    public static long WeekOf(long micros) => (micros + 3 * Day) / Week;
}
