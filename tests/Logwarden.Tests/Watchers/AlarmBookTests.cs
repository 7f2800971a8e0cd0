using Logwarden.Data;
using Logwarden.Tests.World;
using Logwarden.Watchers;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Watchers;

public sealed class AlarmBookTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly FakeTimeProvider _time = new(new(2026, 7, 5, 12, 0, 0, TimeSpan.Zero));
    readonly ControlDatabase _database;
    readonly List<(AlarmChange Change, Alarm Alarm)> _told = [];
    readonly AlarmBook _book;

    public AlarmBookTests()
    {
        _database = ControlDatabase.Open(_scratch.Root);
        _book = Book();
    }

    AlarmBook Book() => new(_database, _time) { Told = (change, alarm, _, _) => _told.Add((change, alarm)) };

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        _scratch.Dispose();
    }

    [Fact]
    public void An_alarm_is_opened_once_changed_and_cleared_and_each_is_told_once()
    {
        for (var i = 0; i < 3; i++) _book.Raise("destination", "siem", "P1", "It refuses.", [new("status", "401")]);
        _time.Advance(TimeSpan.FromMinutes(1));
        _book.Raise("destination", "siem", "P1", "It refuses.", [new("status", "403")]);
        Assert.Equal([AlarmChange.Opened], _told.Select(told => told.Change));
        Assert.Equal("403", Assert.Single(Assert.Single(_book.Open).Evidence).Value);
        _book.Raise("destination", "siem", "P0", "It refuses.", [new("status", "403")]);
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.True(_book.Clear("destination", "siem"));
        Assert.False(_book.Clear("destination", "siem"));
        Assert.Equal([AlarmChange.Opened, AlarmChange.Updated, AlarmChange.Cleared], _told.Select(told => told.Change));
        Assert.Equal(["P1", "P0", "P0"], _told.Select(told => told.Alarm.Severity));
        Assert.Empty(_book.Open);
        var past = Assert.Single(_book.History(_time.GetUtcNow() - TimeSpan.FromHours(1)));
        Assert.Equal((TimeSpan.FromMinutes(2), 1L), (past.Cleared!.Value - past.Opened, past.Number));
        Assert.All(_told, told => Assert.Equal(1, told.Alarm.Number));
    }

    [Fact]
    public void What_is_raised_again_after_its_end_is_another_alarm()
    {
        _book.Raise("journal", "full", "P0", "The journal is full.", []);
        _book.Clear("journal", "full");
        _time.Advance(TimeSpan.FromHours(2));
        _book.Raise("journal", "full", "P0", "The journal is full.", []);
        Assert.Equal([1L, 2L], _book.History(DateTimeOffset.UnixEpoch).Select(alarm => alarm.Number));
        Assert.Equal([2L], _book.History(_time.GetUtcNow() - TimeSpan.FromHours(1)).Select(alarm => alarm.Number));
    }

    [Fact]
    public void The_most_urgent_stands_first()
    {
        _book.Raise("clock", "this host", "P2", "It is off.", []);
        _book.Raise("credentials", "siem", "P0", "They are lost.", []);
        _book.Raise("destination", "siem", "P1", "It is late.", []);
        Assert.Equal(["P0", "P1", "P2"], _book.Open.Select(alarm => alarm.Severity));
    }

    [Fact]
    public void A_restart_finds_what_was_open_and_does_not_tell_it_again()
    {
        _book.Raise("ingestion", "shop", "P1", "Silent.", [new("verdict", "dead")]);
        var again = Book();
        again.Raise("ingestion", "shop", "P1", "Silent.", [new("verdict", "dead")]);
        Assert.Single(_told);
        Assert.True(again.Clear("ingestion", "shop"));
    }

    [Fact]
    public void What_is_told_is_kept_only_with_the_change()
    {
        var own = new OwnEvents(_database, _time);
        var book = new AlarmBook(_database, _time)
        {
            Told = (_, alarm, connection, transaction) =>
            {
                own.Write(connection, transaction, new("alarm.open", alarm.Subject));
                if (alarm.Subject == "bad") throw new IOException("no");
            },
        };
        book.Raise("ingestion", "good", "P1", "Silent.", []);
        Assert.Throws<IOException>(() => book.Raise("ingestion", "bad", "P1", "Silent.", []));
        Assert.Equal(["good"], book.Open.Select(alarm => alarm.Subject));
        Assert.Single(own.Waiting(10));
    }

    [Fact]
    public void A_book_that_tells_nobody_keeps_its_alarms_all_the_same()
    {
        var book = new AlarmBook(_database, _time);
        book.Raise("ingestion", "shop", "P1", "Silent.", []);
        Assert.Single(book.Open);
        Assert.True(book.Clear("ingestion", "shop"));
    }

    [Fact]
    public async Task Many_at_once_open_one_alarm()
    {
        var books = Enumerable.Range(0, 4).Select(_ => new AlarmBook(_database, _time) { Told = (change, alarm, _, _) => { lock (_told) _told.Add((change, alarm)); } }).ToArray();
        await Task.WhenAll(books.Select(book => Task.Run(
            () => { for (var i = 0; i < 5; i++) book.Raise("ingestion", "shop", "P1", "Silent.", []); }, TestContext.Current.CancellationToken)));
        Assert.Single(_told);
        Assert.Single(_book.Open);
    }
}
