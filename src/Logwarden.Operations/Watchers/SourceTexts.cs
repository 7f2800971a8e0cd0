using System.Globalization;
using Logwarden.Events;

namespace Logwarden.Watchers;

/// <summary>What is said about sources.</summary>
static class SourceTexts
{
    /// <summary>What is wrong with a source, and what to do next.</summary>
    public static string Alarm(string source, Finding finding) => $"{Detail(source, finding)} {Next(source, finding)}";

    /// <summary>What is wrong with a source.</summary>
    public static string Detail(string source, Finding finding)
    {
        var what = finding.Verdict switch
        {
            Verdict.Dead => $"Source '{source}' has gone silent.",
            Verdict.Late => $"Source '{source}' delivers late: its newest events are {Span(finding.LagMicros)} old when they arrive.",
            Verdict.ClockSkewed when finding.LagMicros < 0 => $"The clock of source '{source}' is wrong: its events are {Span(-finding.LagMicros)} ahead of us.",
            Verdict.ClockSkewed => $"The clock of source '{source}' is wrong: from one moment to the next its events were {Span(finding.LagMicros)} old.",
            Verdict.Partial => $"A part of source '{source}' is missing: {string.Join("; ", finding.Missing.Select(missing => $"nothing of {missing.Part} since {Time(missing.LastSeen)}"))}.",
            Verdict.Quiet when finding.Low is { } low => string.Create(CultureInfo.InvariantCulture,
                $"Source '{source}' sends less than usual: {low.Count:N0} events in {low.Hours} hours, where at least {low.Usual:N0} are usual."),
            Verdict.Quiet => $"Source '{source}' is back, with less than half of what is usual.",
            Verdict.NeverSent => $"Source '{source}' was registered and has never sent anything.",
            _ => $"Source '{source}' is in order.",
        };
        if (finding.LastArrivalMicros == 0) return what;
        var usual = finding.UsualPerHour is { } rate ? string.Create(CultureInfo.InvariantCulture, $"usually {rate:N0} events an hour at this time") : "its rhythm is not learned yet";
        return $"{what} Last event {Time(finding.LastEventMicros)}, arrived {Time(finding.LastArrivalMicros)}; {usual}.";
    }

    /// <summary>The same as facts.</summary>
    public static IReadOnlyList<AlarmFact> Evidence(string source, Finding finding)
    {
        var facts = new List<AlarmFact> { new("source", source), VerdictFact(finding.Verdict) };
        if (finding.LastArrivalMicros != 0)
        {
            facts.Add(new("last_event", EventJson.Micros(finding.LastEventMicros)));
            facts.Add(new("last_arrival", EventJson.Micros(finding.LastArrivalMicros)));
            facts.Add(new("lag_seconds", Number(finding.LagMicros / (double)WatchClock.Second)));
        }
        facts.Add(new("events_last_hour", Number(finding.LastHour)));
        if (finding.UsualPerHour is { } usual) facts.Add(new("usual_per_hour", Number(usual)));
        if (finding.Low is { } low)
        {
            facts.Add(new("low_events", Number(low.Count)));
            facts.Add(new("low_hours", Number(low.Hours)));
            facts.Add(new("low_usual", Number(low.Usual)));
        }
        foreach (var (part, last) in finding.Missing) facts.Add(new("missing_part", $"{part} since {EventJson.Micros(last)}"));
        facts.Add(new("learned", finding.IsLearned ? "yes" : "no"));
        return facts;
    }

    /// <summary>The verdict as a fact.</summary>
    public static AlarmFact VerdictFact(Verdict verdict) => new("verdict", verdict.Name());

    static string Next(string source, Finding finding) => finding.Verdict switch
    {
        Verdict.Dead => $"See whether what sends it runs, reaches this host and still has a valid token; when it was taken out of service, remove the source '{source}'.",
        Verdict.NeverSent => $"Set up what sends it, or remove the source '{source}'.",
        Verdict.Late => "See whether a queue or a collector before us is behind; alerts on these events come as late as they do.",
        Verdict.ClockSkewed => "Set the clock of the sender by its time service: queries by time and correlation miss these events.",
        Verdict.Partial => "See whether logging of that part was switched off at the sender; that is what an intruder would do first.",
        Verdict.Quiet => "See whether one of several senders or a filter is the reason; a lower rate that is meant to be is learned within some weeks.",
        _ => "",
    };

    static string Time(long micros) => micros == 0 ? "never" : UnixMicros.ToInstant(micros).ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);

    static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    static string Span(long micros)
    {
        var span = TimeSpan.FromMicroseconds(micros);
        if (span.TotalMinutes < 1) return $"{span.Seconds} s";
        return span.TotalHours < 1 ? $"{span.Minutes} min" : string.Create(CultureInfo.InvariantCulture, $"{(long)span.TotalHours} h {span.Minutes} min");
    }
}
