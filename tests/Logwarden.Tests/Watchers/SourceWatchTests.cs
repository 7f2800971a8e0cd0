using System.Diagnostics;
using System.Text;
using Logwarden.Data;
using Logwarden.Events;
using Logwarden.Policy;
using Logwarden.Tests.World;
using Logwarden.Watchers;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Watchers;

public sealed class SourceWatchTests : IDisposable
{
    static readonly DateTimeOffset Start = new(2026, 7, 6, 0, 0, 0, TimeSpan.Zero);

    readonly ScratchFolder _scratch = new();
    readonly FakeTimeProvider _time = new(Start);
    readonly ControlDatabase _database;
    readonly List<WatchedSource> _sources = [new("shop", Start, TimeSpan.FromHours(1))];
    readonly List<(AlarmChange Change, string Subject, string Severity, string Verdict)> _told = [];
    readonly List<GapRecord> _lateData = [];
    AlarmBook _alarms;
    SourceWatch _watch;
    long _offset;

    public SourceWatchTests()
    {
        _database = ControlDatabase.Open(_scratch.Root);
        (_alarms, _watch) = Open();
    }

    (AlarmBook, SourceWatch) Open()
    {
        _alarms = new(_database, _time)
        {
            Told = (change, alarm, _, _) => _told.Add((change, alarm.Subject, alarm.Severity, alarm.Evidence.Single(fact => fact.Name == "verdict").Value)),
        };
        _watch = new(new(_database, _alarms, () => _sources, () => PolicySnapshot.Default, new()) { RulesOf = _ => ["brute-force"], LateData = _lateData.Add }, _time.GetUtcNow(), 0);
        return (_alarms, _watch);
    }

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        _scratch.Dispose();
    }

    void Send(string source = "shop", TimeSpan lag = default, string @class = "security-audit", LogKinds kinds = LogKinds.SignIn)
    {
        var now = UnixMicros.Of(_time.GetUtcNow());
        _watch.Observer.Observe(new StoredEvent
        {
            Offset = _offset++,
            TimeMicros = now - (long)lag.TotalMicroseconds,
            IngestedMicros = now,
            Source = Encoding.UTF8.GetBytes(source),
            Class = Encoding.UTF8.GetBytes(@class),
            Format = "cloudtrail"u8,
            Kinds = kinds,
        }, now);
    }

    /// <summary>Lets minutes pass, with a step in each.</summary>
    void Pass(int minutes, bool isSending, bool isCurrent = true)
    {
        for (var i = 0; i < minutes; i++)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            if (isSending) Send();
            _watch.Step(_time.GetUtcNow(), isCurrent);
        }
    }

    [Fact]
    public void Silence_is_an_alarm_that_names_what_was_seen_and_ends_by_itself()
    {
        Pass(120, isSending: true);
        var last = _time.GetUtcNow();
        Pass(66, isSending: false);
        var alarm = Assert.Single(_alarms.Open);
        Assert.Equal(("ingestion", "shop", "P1"), (alarm.Kind, alarm.Subject, alarm.Severity));
        Assert.Contains("'shop' has gone silent", alarm.Text, StringComparison.Ordinal);
        Assert.Contains("2026-07-06 02:00:00 UTC", alarm.Text, StringComparison.Ordinal);
        Assert.Contains(new AlarmFact("last_arrival", "2026-07-06T02:00:00.000000Z"), alarm.Evidence);
        Assert.InRange(alarm.Opened - last, TimeSpan.FromHours(1), TimeSpan.FromMinutes(66));
        var gap = Assert.Single(_watch.Gaps(Start));
        Assert.Equal((Verdict.Dead, last, null), (gap.Verdict, gap.From, gap.To));
        Assert.Equal(["LOG-1", "DST-2", "DST-4", "RET-1"], gap.Radius.Clauses);
        Assert.Equal(["security-audit"], gap.Radius.Classes);
        Assert.Equal(["brute-force"], gap.Radius.Rules);
        Assert.Equal(Verdict.Dead, Assert.Single(_watch.Status(_time.GetUtcNow())).Verdict);

        Pass(1, isSending: true);
        var back = _time.GetUtcNow();
        Pass(130, isSending: true);
        Assert.Empty(_alarms.Open);
        Assert.Equal([AlarmChange.Opened, AlarmChange.Cleared], _told.Select(told => told.Change));
        Assert.Equal((last, back), (_watch.Gaps(Start).Single().From, _watch.Gaps(Start).Single().To));
        Assert.Equal(Verdict.Ok, Assert.Single(_watch.Status(_time.GetUtcNow())).Verdict);
    }

    [Fact]
    public void Events_that_arrive_late_in_a_gap_are_counted_and_told_once_they_are_all_there()
    {
        Pass(120, isSending: true);
        Pass(70, isSending: false);
        _time.Advance(TimeSpan.FromMinutes(1));
        for (var i = 0; i < 40; i++) Send(lag: TimeSpan.FromMinutes(5 + i));
        for (var i = 0; i < 5; i++) Send(lag: TimeSpan.FromHours(3));
        _watch.Step(_time.GetUtcNow(), true);
        Pass(3, isSending: true);
        Assert.Empty(_lateData);
        Pass(10, isSending: true);
        Assert.Equal(40, Assert.Single(_lateData).Late);
        Assert.Equal(40, _watch.Gaps(Start).Single().Late);
        Pass(20, isSending: true);
        Send(lag: TimeSpan.FromMinutes(60));
        Pass(20, isSending: true);
        Assert.Equal([40L, 41L], _lateData.Select(gap => gap.Late));
        Open();
        Pass(20, isSending: true);
        Assert.Equal(2, _lateData.Count);
    }

    [Fact]
    public void A_source_that_never_sent_is_told_until_it_does()
    {
        _sources.Add(new("vpn", Start, null));
        Pass(23 * 60, isSending: true);
        Assert.Empty(_alarms.Open);
        Pass(61, isSending: true);
        Assert.Equal("vpn", Assert.Single(_alarms.Open).Subject);
        Assert.Equal(Verdict.NeverSent, _watch.Status(_time.GetUtcNow()).Single(status => status.Source == "vpn").Verdict);
        Open();
        Pass(10, isSending: true);
        Send("vpn");
        Pass(1, isSending: true);
        Assert.Empty(_alarms.Open);
        Assert.Equal([AlarmChange.Opened, AlarmChange.Cleared], _told.Select(told => told.Change));
    }

    [Fact]
    public void A_restart_goes_on_where_it_was_and_counts_nothing_twice()
    {
        Pass(120, isSending: true);
        Pass(66, isSending: false);
        var position = _watch.Observer.Position;
        Open();
        Assert.Equal(position, _watch.Observer.Position);
        var before = _watch.Status(_time.GetUtcNow()).Single();
        _offset = 0;
        Send();
        Assert.Equal(before.LastArrival, _watch.Status(_time.GetUtcNow()).Single().LastArrival);
        _offset = position;
        Pass(10, isSending: false);
        Assert.Single(_alarms.Open);
        Assert.Single(_told);
        Pass(130, isSending: true);
        Assert.Empty(_alarms.Open);
        Assert.NotNull(_watch.Gaps(Start).Single().To);
    }

    [Fact]
    public void Our_own_absence_is_a_gap_of_ours_and_no_fault_of_the_sources()
    {
        Pass(120, isSending: true);
        var left = _time.GetUtcNow();
        _time.Advance(TimeSpan.FromHours(5));
        Open();
        Pass(50, isSending: false);
        Assert.Empty(_alarms.Open);
        var gap = Assert.Single(_watch.Gaps(Start));
        Assert.Equal((OwnEvents.Source, Verdict.NotWatched), (gap.Source, gap.Verdict));
        Assert.InRange(left - gap.From, TimeSpan.Zero, TimeSpan.FromMinutes(5));
        Pass(20, isSending: false);
        Assert.Single(_alarms.Open);
    }

    [Fact]
    public void While_the_journal_is_being_caught_up_with_silence_says_nothing()
    {
        Pass(120, isSending: true);
        Pass(90, isSending: false, isCurrent: false);
        Assert.Empty(_alarms.Open);
        Pass(1, isSending: false);
        Assert.Single(_alarms.Open);
    }

    [Fact]
    public void A_source_that_is_removed_is_waited_for_no_longer()
    {
        Pass(120, isSending: true);
        Pass(70, isSending: false);
        _sources.Clear();
        Pass(6, isSending: false);
        Assert.Empty(_alarms.Open);
        Assert.NotNull(_watch.Gaps(Start).Single().To);
        Open();
        Pass(200, isSending: false);
        Assert.Empty(_alarms.Open);
    }

    [Fact]
    public void A_step_that_can_not_be_written_is_made_up_for_by_the_next()
    {
        Pass(120, isSending: true);
        using (var connection = _database.Connect())
        {
            using var fail = ControlDatabase.Command(connection, "CREATE TRIGGER full BEFORE UPDATE ON source_watch_state BEGIN SELECT RAISE(ABORT, 'disk full'); END");
            fail.ExecuteNonQuery();
        }
        Assert.Throws<SqliteException>(() => Pass(90, isSending: false));
        Assert.Empty(_alarms.Open);
        _time.Advance(TimeSpan.FromMinutes(80));
        Assert.Throws<SqliteException>(() => _watch.Step(_time.GetUtcNow(), true));
        Assert.Empty(_alarms.Open);
        Assert.Empty(_watch.Gaps(Start));
        using (var connection = _database.Connect())
        {
            using var mend = ControlDatabase.Command(connection, "DROP TRIGGER full");
            mend.ExecuteNonQuery();
        }
        Pass(1, isSending: false);
        Assert.Single(_alarms.Open);
        Assert.Single(_watch.Gaps(Start));
        Open();
        Assert.Equal(120, _watch.Observer.Position);
    }

    [Fact]
    public void What_can_not_be_read_is_learned_anew_and_told()
    {
        Pass(120, isSending: true);
        using (var connection = _database.Connect())
        {
            using var harm = ControlDatabase.Command(connection, "UPDATE source_watch SET rhythm = substr(rhythm, 1, 100)");
            Assert.Equal(1, harm.ExecuteNonQuery());
        }
        var alarms = new AlarmBook(_database, _time);
        _ = new SourceWatch(new(_database, alarms, () => _sources, () => PolicySnapshot.Default, new()), _time.GetUtcNow(), 0);
        Assert.Contains("learned anew", Assert.Single(alarms.Open).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_sequence_numbers_are_a_gap_that_late_events_fill()
    {
        Pass(60, isSending: true);
        _watch.ReportSequenceGap("shop", Start + TimeSpan.FromMinutes(20), Start + TimeSpan.FromMinutes(30), 17);
        var gap = Assert.Single(_watch.Gaps(Start));
        Assert.Equal((Verdict.SequenceGap, "17 sequence numbers of source 'shop' are missing."), (gap.Verdict, gap.Detail));
        Send(lag: TimeSpan.FromMinutes(35));
        Pass(15, isSending: true);
        Assert.Equal(1, Assert.Single(_lateData).Late);
    }

    [Fact]
    public void A_source_whose_habits_have_changed_can_be_learned_anew()
    {
        Pass(120, isSending: true);
        Pass(70, isSending: false);
        var last = _watch.Status(_time.GetUtcNow()).Single().LastArrival;
        _watch.Relearn("shop", _time.GetUtcNow());
        Assert.Empty(_alarms.Open);
        Assert.Equal(last, _watch.Status(_time.GetUtcNow()).Single().LastArrival);
        Assert.NotNull(_watch.Gaps(Start).Single().To);
        Pass(30, isSending: false);
        Assert.Empty(_alarms.Open);
    }

    [Fact]
    public void Observing_costs_no_allocation()
    {
        var (one, other) = ("shop"u8.ToArray(), "vpn"u8.ToArray());
        var now = UnixMicros.Of(Start) + 1;
        Run(10_000);
        var started = Stopwatch.GetTimestamp();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run(200_000);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        TestContext.Current.TestOutputHelper!.WriteLine($"{Stopwatch.GetElapsedTime(started).TotalNanoseconds / 200_000:F0} ns an event");
        Assert.Equal(0, allocated);

        void Run(int count)
        {
            for (var i = 0; i < count; i++)
            {
                _watch.Observer.Observe(new StoredEvent
                {
                    Offset = _offset++,
                    TimeMicros = now - i % 100_000,
                    Source = i % 7 == 0 ? other : one,
                    Class = "application"u8,
                    Format = "app"u8,
                    Kinds = (LogKinds)(i % 3),
                }, now + i);
            }
        }
    }
}
