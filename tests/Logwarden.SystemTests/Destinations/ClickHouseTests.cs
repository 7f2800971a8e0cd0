using System.Buffers;
using System.Globalization;
using System.Text;
using Logwarden.Destinations;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Formats;
using Logwarden.Journal;
using Logwarden.Policy;
using Logwarden.Redaction;
using Logwarden.SystemTests.World;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.SystemTests.Destinations;

/// <summary>The destination on real servers: Debian's 18.16, and today's engine behind HTTP.</summary>
public sealed class ClickHouseTests(ClickHouseServers servers)
{
    const long Day = 86_400_000_000;

    static readonly Dictionary<string, int> Classes = new(StringComparer.Ordinal) { ["security-audit"] = 90, ["application"] = 30, ["database"] = 90, ["infrastructure"] = 90 };

    /// <summary>For events of a fixed time, which must not expire while they are looked at.</summary>
    static readonly Dictionary<string, int> Long = Classes.ToDictionary(one => one.Key, _ => 30_000, StringComparer.Ordinal);

    /// <summary>Days before now.</summary>
    static readonly int[] Ages = [0, 30, 32, 89, 92];

    static int _tables;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("old", "18.16", "day")]
    [InlineData("today", "26.", "TTL day + toIntervalDay(multiIf(class = \\'application\\', 30001, class = \\'database\\', 36501, 36501))")]
    public async Task The_shipped_samples_are_read_back_as_they_are(string kind, string version, string definition)
    {
        var server = await servers.StartAsync(kind);
        Assert.StartsWith(version, await server.OneAsync("SELECT version()"), StringComparison.Ordinal);
        var table = NewTable();
        await using var destination = Open(server, table, classes: new(StringComparer.Ordinal) { ["application"] = 30_000, ["database"] = 99_999 });
        var events = Samples();
        Assert.True(events.Count > 20);

        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, events), Cancel));

        Assert.Equal(events.Select(Row), (await RowsAsync(server, kind, table)).Select(row => string.Join('|', row)));
        Assert.Contains(definition, await server.OneAsync($"SELECT {(kind == "old" ? "partition_key" : "engine_full")} FROM system.tables WHERE database = 'lw' AND name LIKE 'rows\\_%\\_{table}'"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("old")]
    [InlineData("today")]
    public async Task Odd_texts_numbers_and_times_are_stored_and_found(string kind)
    {
        var server = await servers.StartAsync(kind);
        var table = NewTable();
        await using var destination = Open(server, table);
        long[] times = [long.MinValue, -62_135_596_800_000_000, -2_208_988_800_000_000, -1, 0, 1, StoredEvents.Epoch, 10_413_792_000_000_000, 253_402_300_799_999_999, long.MaxValue];
        string[] texts = ["", " ", "\0", "a\0b", "'", "\\'", "\\", "\"", "\n", "\n\n", "\t\r\n", "\\N", "NULL", "€", "\U0001F512", "‮", "a,b;c)", "'; DROP TABLE x; --", new('x', 70_000), "{}"];
        var events = texts.Select((text, i) => Odd(i * 10L, times[i % times.Length], text)).Append(Odd(long.MaxValue, long.MaxValue, "last")).ToList();

        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, events), Cancel));
        // Again: looked up, all of them.
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, events), Cancel));

        Assert.Equal(events.Select(Row), (await RowsAsync(server, kind, table)).Select(row => string.Join('|', row)));
        var wanted = events.Select(Sent).ToList();
        var found = await destination.FindAsync([.. wanted, wanted[5] with { Source = "another" }, wanted[6] with { TimeMicros = 7 }, wanted[7] with { Id = "not there" }], Cancel);
        Assert.Equal(wanted.Select(one => one.Id).Order(StringComparer.Ordinal), found!.Order(StringComparer.Ordinal));
        Assert.Empty((await destination.FindAsync([wanted[5] with { Source = "another" }], Cancel))!);
        // The days that rows are kept under do not grow into the future, whatever an event says.
        Assert.True(string.CompareOrdinal(await server.OneAsync($"SELECT max(day) FROM lw.events_{table}"), "2026-07-03") < 0);
    }

    [Theory]
    [InlineData("old", 0, 50)]
    [InlineData("today", 1000, 12)]
    public async Task Nothing_is_there_twice_or_missing_however_connections_break(string kind, int seed, int count)
    {
        var server = await servers.StartAsync(kind);
        for (var run = seed; run < seed + count; run++) await DeliverAsync(server, new Random(run), NewTable(), $"seed {run}");
    }

    [Fact]
    public async Task A_server_that_stops_in_the_middle_takes_the_rest_later()
    {
        await using var server = new ClickHouseServer("old");
        _ = await servers.StartAsync("old");
        Assert.Null(await server.StartAsync());
        var table = NewTable();
        await using var destination = Open(server, table);
        var events = Enumerable.Range(0, 60).Select(i => StoredEvents.One(i)).ToList();
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, events[..40]), Cancel));
        await server.StopAsync();

        await Assert.ThrowsAsync<HttpRequestException>(async () => await destination.SendAsync(Batch(destination, events[40..]), Cancel));

        Assert.Null(await server.StartAsync());
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, events[40..]), Cancel));
        await using var other = Open(server, table);
        Assert.IsType<Answer.Accepted>(await other.SendAsync(Batch(other, events[20..]), Cancel));
        Assert.Equal("60", await server.OneAsync($"SELECT count() FROM lw.events_{table}"));
    }

    [Fact]
    public async Task While_an_earlier_insert_runs_nothing_is_sent_and_it_is_ended()
    {
        var server = await servers.StartAsync("old");
        var table = NewTable();
        await using var destination = Open(server, table);
        var events = Enumerable.Range(0, 5).Select(i => StoredEvents.One(i)).ToList();
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, events), Cancel));
        var rows = await RowsTableAsync(server, table);
        var running = Record.ExceptionAsync(() => server.SqlAsync($"INSERT INTO lw.{rows} ({"`offset`, event_id"}) SELECT sleep(1), 'x' FROM system.numbers LIMIT 1000000", $"logwarden-lw-{table}-earlier"));
        while (await server.OneAsync($"SELECT count() FROM system.processes WHERE query_id = 'logwarden-lw-{table}-earlier'") == "0") await Task.Yield();

        await using var restarted = Open(server, table);
        Assert.IsType<Answer.Later>(await restarted.SendAsync(Batch(restarted, [StoredEvents.One(9)]), Cancel));

        Assert.NotNull(await running);
        Assert.IsType<Answer.Accepted>(await restarted.SendAsync(Batch(restarted, events), Cancel));
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, events), Cancel));
        Assert.Equal("5", await server.OneAsync($"SELECT count() FROM lw.events_{table}"));
    }

    [Theory]
    [InlineData("old")]
    [InlineData("today")]
    public async Task An_offset_that_another_event_has_is_not_taken_for_this_one(string kind)
    {
        var server = await servers.StartAsync(kind);
        var table = NewTable();
        await using var destination = Open(server, table);
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, [StoredEvents.One(1), StoredEvents.One(2)]), Cancel));

        // As after the loss of a journal.
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, [Odd(2, StoredEvents.Epoch, "other"), StoredEvents.One(1)]), Cancel));

        Assert.Equal("3", await server.OneAsync($"SELECT count() FROM lw.events_{table}"));
    }

    [Theory]
    [InlineData("old")]
    [InlineData("today")]
    public async Task A_table_that_went_away_is_made_again(string kind)
    {
        var server = await servers.StartAsync(kind);
        var table = NewTable();
        await using var destination = Open(server, table);
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, [StoredEvents.One(1)]), Cancel));
        await server.SqlAsync($"DROP TABLE lw.{await RowsTableAsync(server, table)}");
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, [StoredEvents.One(2)]), Cancel));
        await server.SqlAsync($"DROP TABLE lw.{await RowsTableAsync(server, table)}");
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, [StoredEvents.One(2), StoredEvents.One(3)]), Cancel));
        Assert.Equal("2", await server.OneAsync($"SELECT count() FROM lw.events_{table}"));
    }

    [Fact]
    public async Task Rows_that_were_stored_and_deleted_are_stored_again_when_they_are_sent_again()
    {
        var server = await servers.StartAsync("today");
        var table = NewTable();
        await using var destination = Open(server, table);
        var events = Enumerable.Range(0, 5).Select(i => StoredEvents.One(i)).ToList();
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, events), Cancel));
        await server.SqlAsync($"ALTER TABLE lw.{await RowsTableAsync(server, table)} DELETE WHERE 1 SETTINGS mutations_sync = 2");
        Assert.Equal("0", await server.OneAsync($"SELECT count() FROM lw.events_{table}"));

        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, events), Cancel));

        Assert.Equal("5", await server.OneAsync($"SELECT count() FROM lw.events_{table}"));
    }

    [Fact]
    public async Task Without_TTL_partitions_past_their_hot_days_are_dropped_once_a_day()
    {
        var server = await servers.StartAsync("old");
        var table = NewTable();
        var clock = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddTicks(StoredEvents.Epoch * 10 + TimeSpan.TicksPerDay / 2));
        await using var destination = Open(server, table, clock, classes: Classes);
        // Days 0 and 1 of two classes, and of one that the policy does not name.
        var events = Enumerable.Range(0, 6).Select(i => StoredEvents.One(i, StoredEvents.Epoch + i % 2 * Day, i < 2 ? "application" : i < 4 ? "database" : "it's")).ToList();
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, events), Cancel));

        // The last moment at which day 0 of "application" is kept: the end of the 30th day behind it.
        clock.SetUtcNow(DateTimeOffset.UnixEpoch.AddTicks((StoredEvents.Epoch + 31 * Day) * 10 - 1));
        Assert.Equal("0:application 1:application 0:database 1:database 0:it\\'s 1:it\\'s", await KeptAsync(10));
        clock.Advance(TimeSpan.FromTicks(1));
        Assert.Equal("1:application 0:database 1:database 0:it\\'s 1:it\\'s", await KeptAsync(11));
        clock.Advance(TimeSpan.FromDays(59));
        Assert.Equal("0:database 1:database 0:it\\'s 1:it\\'s", await KeptAsync(12));
        clock.Advance(TimeSpan.FromDays(1));
        Assert.Equal("1:database 1:it\\'s", await KeptAsync(13));

        async Task<string> KeptAsync(long offset)
        {
            // Anything that is sent, here of a class and day of its own.
            Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, [StoredEvents.One(offset, StoredEvents.Epoch + 200 * Day, "infrastructure")]), Cancel));
            var rows = await server.SqlAsync($"SELECT concat(toString(day - toDate('2026-07-01')), ':', class) FROM lw.events_{table} WHERE class != 'infrastructure' ORDER BY class, day");
            return string.Join(' ', rows.Select(row => row[0]));
        }
    }

    [Fact]
    public async Task With_TTL_the_server_expires_by_the_policy_in_force()
    {
        var server = await servers.StartAsync("today");
        var table = NewTable();
        var now = UnixMicros.Now(TimeProvider.System) / Day * Day + Day / 2;
        var events = Ages.Select((ago, i) => Odd(i, now - ago * Day, $"{ago}", ingested: now)).ToList();
        await using (var destination = Open(server, table, classes: Classes)) Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, events), Cancel));
        Assert.Equal("0 30", await KeptAsync());
        await using (var same = Open(server, table, classes: Classes)) Assert.IsType<Answer.Accepted>(await same.SendAsync(Batch(same, events[..1]), Cancel));
        Assert.Equal("0", await server.OneAsync($"SELECT count() FROM system.mutations WHERE database = 'lw' AND table LIKE 'rows\\_%\\_{table}'"));

        await using var longer = Open(server, table, classes: new(Classes, StringComparer.Ordinal) { ["application"] = 90 });
        Assert.IsType<Answer.Accepted>(await longer.SendAsync(Batch(longer, events), Cancel));

        Assert.Equal("0 30 32 89", await KeptAsync());
        Assert.Contains("class = \\'application\\', 91,", await server.OneAsync($"SELECT engine_full FROM system.tables WHERE database = 'lw' AND name LIKE 'rows\\_%\\_{table}'"), StringComparison.Ordinal);

        async Task<string> KeptAsync()
        {
            await server.SqlAsync($"OPTIMIZE TABLE lw.{await RowsTableAsync(server, table)} FINAL");
            return string.Join(' ', (await server.SqlAsync($"SELECT event_id FROM lw.events_{table} ORDER BY time DESC")).Select(row => row[0][4..]));
        }
    }

    [Theory]
    [InlineData("user", "event_words", "hasToken(event, 'needle')")]
    [InlineData("id", "event_id_bloom", "event_id = 'odd-7-needle'")]
    [InlineData("offset", "Description: minmax", "`offset` = 7")]
    [InlineData("time", "(time in [", "time = '2026-07-01 00:00:00'")]
    [InlineData("day", "(day in [20635, 20635])", "class = 'application' AND day = '2026-07-01'")]
    public async Task Lookups_are_answered_by_an_index(string name, string index, string where)
    {
        var server = await servers.StartAsync("today");
        var table = NewTable() + name;
        await using var destination = Open(server, table);
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, [Odd(7, StoredEvents.Epoch, "needle")]), Cancel));

        var plan = string.Join('\n', (await server.SqlAsync($"EXPLAIN indexes = 1 SELECT * FROM lw.events_{table} WHERE {where}")).Select(row => row[0]));

        Assert.True(plan.Contains(index, StringComparison.Ordinal), plan);
        Assert.Equal("1", await server.OneAsync($"SELECT count() FROM lw.events_{table} WHERE {where}"));
    }

    [Theory]
    [InlineData("old")]
    [InlineData("today")]
    public async Task A_wrong_password_blocks_and_is_not_told(string kind)
    {
        var server = await servers.StartAsync(kind);
        using var folder = new ScratchFolder();
        await System.IO.File.WriteAllBytesAsync(folder.File("password"), "wr0ngS3cret"u8.ToArray(), Cancel);
        await using var destination = Open(server, NewTable(), settings: new() { ["password"] = "file:" + folder.File("password") });

        var answer = Assert.IsType<Answer.Blocked>(await destination.SendAsync(Batch(destination, [StoredEvents.One(1)]), Cancel));

        Assert.DoesNotContain("wr0ngS3cret", answer.Reason, StringComparison.Ordinal);
        Assert.Contains("password", answer.Reason, StringComparison.Ordinal);
        Assert.Null(await destination.FindAsync([new("x", 1, "application", "shop")], Cancel));
        // A rotated one is taken without a restart.
        await System.IO.File.WriteAllBytesAsync(folder.File("password"), Encoding.ASCII.GetBytes(server.Password), Cancel);
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Batch(destination, [StoredEvents.One(1)]), Cancel));
        System.IO.File.Delete(folder.File("password"));
        Assert.IsType<Answer.Blocked>(await destination.SendAsync(Batch(destination, [StoredEvents.One(2)]), Cancel));
    }

    [Fact]
    public async Task Who_may_only_read_and_a_table_of_another_shape_block()
    {
        var server = await servers.StartAsync("old");
        var table = NewTable();
        await using var destination = Open(server, table, settings: new() { ["user"] = "reader" });
        Assert.Contains("grant", Assert.IsType<Answer.Blocked>(await destination.SendAsync(Batch(destination, [StoredEvents.One(1)]), Cancel)).Reason, StringComparison.Ordinal);

        var other = NewTable();
        await server.SqlAsync("CREATE DATABASE IF NOT EXISTS lw");
        await server.SqlAsync($"CREATE TABLE lw.events_{other} (`offset` Int64) ENGINE = Log");
        await using var odd = Open(server, other);
        Assert.Contains("Merge table", Assert.IsType<Answer.Blocked>(await odd.SendAsync(Batch(odd, [StoredEvents.One(1)]), Cancel)).Reason, StringComparison.Ordinal);
    }

    /// <summary>Delivers events as the delivery loop does, over a relay that breaks every other INSERT, and now and then another request, with restarts and with batches that are cut anew.</summary>
    static async Task DeliverAsync(ClickHouseServer server, Random random, string table, string what)
    {
        await using var relay = new FaultyRelay(server.Endpoint, line => random.Next(line.Contains("query=INSERT", StringComparison.Ordinal) ? 8 : 60) switch
        {
            0 or 1 => Fate.NoAnswer,
            2 => Fate.Leave,
            3 => Fate.CutShort,
            _ => Fate.Pass,
        });
        string[] classes = ["application", "database", "security-audit"];
        var events = Enumerable.Range(0, 60).Select(i => StoredEvents.One(i * 3L, StoredEvents.Epoch + random.Next(3) * Day + random.Next(), classes[random.Next(3)])).ToList();
        var destination = Open(server, table, endpoint: relay.Address);
        var next = 0;
        while (next < events.Count)
        {
            var count = Math.Min(random.Next(1, 30), events.Count - next);
            try
            {
                var answer = await destination.SendAsync(Batch(destination, events[next..(next + count)]), Cancel);
                // Now and then a crash before the cursor was written: what was accepted comes again.
                if (answer is Answer.Accepted && random.Next(4) > 0) next += count;
                else if (answer is not (Answer.Accepted or Answer.Later)) Assert.Fail($"{what}: {answer}");
            }
            catch (Exception lost) when (lost is IOException or HttpRequestException)
            {
            }
            if (random.Next(5) > 0) continue;
            await destination.DisposeAsync();
            destination = Open(server, table, endpoint: relay.Address);
        }
        await destination.DisposeAsync();
        // Rows of a key fall together in merges; the parts as they were inserted show every row that ever came.
        while (await server.OneAsync($"SELECT count() FROM system.processes WHERE position(query_id, 'logwarden-lw-{table}-') = 1") != "0") await Task.Yield();
        var rows = await server.SqlAsync($"SELECT toString(`offset`) FROM lw.events_{table} ORDER BY `offset`");
        Assert.Equal(events.Select((_, i) => $"{i * 3}"), rows.Select(row => row[0]));
        Assert.Equal((what, "60"), (what, await server.OneAsync($"SELECT sum(rows) FROM system.parts WHERE database = 'lw' AND table LIKE 'rows\\_%\\_{table}' AND min_block_number = max_block_number")));
    }

    /// <summary>The table that rows are in at present.</summary>
    static Task<string> RowsTableAsync(ClickHouseServer server, string table) =>
        server.OneAsync($"SELECT name FROM system.tables WHERE database = 'lw' AND name LIKE 'rows\\_%\\_{table}'");

    static string NewTable() => $"t{Interlocked.Increment(ref _tables)}";

    static ClickHouseDestination Open(ClickHouseServer server, string table, TimeProvider? time = null, Dictionary<string, string>? settings = null, Uri? endpoint = null,
        Dictionary<string, int>? classes = null)
    {
        var all = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["endpoint"] = (endpoint ?? server.Endpoint).ToString(),
            ["database"] = "lw",
            ["user"] = "logwarden",
            ["password"] = "file:" + server.PasswordFile,
            ["installation"] = table,
        };
        foreach (var (name, value) in settings ?? []) all[name] = value;
        return Assert.IsType<ClickHouseDestination>(ClickHouseDestination.Type.Open(new("clickhouse", all, classes ?? Long, time ?? TimeProvider.System)));
    }

    static EventBatch Batch(IDestination destination, IEnumerable<byte[]> events)
    {
        var batch = new EventBatch();
        foreach (var encoded in events)
        {
            Assert.True(EventEncoding.TryRead(encoded, out var e));
            batch.Add(encoded, e, destination);
        }
        return batch;
    }

    static SentEvent Sent(byte[] encoded)
    {
        Assert.True(EventEncoding.TryRead(encoded, out var e));
        return new(Encoding.UTF8.GetString(e.Id), e.TimeMicros, Encoding.UTF8.GetString(e.Class), Encoding.UTF8.GetString(e.Source));
    }

    static byte[] Odd(long offset, long time, string text, long? ingested = null)
    {
        var output = new ArrayBufferWriter<byte>();
        var utf8 = Encoding.UTF8.GetBytes(text);
        EventEncoding.Write(output, new StoredEvent
        {
            Offset = offset,
            TimeMicros = time,
            IngestedMicros = ingested ?? StoredEvents.Epoch + 1,
            ClassUid = offset % 20 == 0 ? int.MinValue : int.MaxValue,
            ActivityId = int.MaxValue,
            SeverityId = 99,
            StatusId = 255,
            Kinds = (LogKinds)15,
            Missing = (MissingFields)255,
            Id = Encoding.UTF8.GetBytes(ingested is null ? $"odd-{offset}-{text}" : $"odd-{text}"),
            Class = "application"u8,
            Source = utf8,
            Format = utf8,
            User = offset % 30 == 0 ? default : new(utf8),
            Ip = offset % 30 == 10 ? default : new(utf8),
            Action = offset % 30 == 20 ? default : new(utf8),
            Object = new(utf8),
            Redactions = utf8,
            Json = utf8,
        });
        return output.WrittenSpan.ToArray();
    }

    /// <summary>The samples of every format, taken in as they are when they come.</summary>
    static List<byte[]> Samples()
    {
        var events = new List<byte[]>();
        foreach (var format in FormatCatalog.All)
        {
            foreach (var file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "samples", "logs", format.Name)).Order(StringComparer.Ordinal))
            {
                if (file.EndsWith(".ocsf.ndjson", StringComparison.Ordinal)) continue;
                var map = format is JsonFormat ? new FieldMap() : null;
                var worker = new IntakeWorker(new("sample", format, map), Redactor.Create(new RedactionOptions()), new PolicyClassifier(PolicySnapshot.Default), DedupKeys.Passing(), TimeProvider.System);
                var batch = new AppendBatch { Source = "sample" };
                var reader = new RecordReader(System.IO.File.ReadAllBytes(file), format.Framing, RecordLimits.Default);
                while (reader.Read(out var record)) worker.Add(record, RecordOrigin.None, batch);
                foreach (var entry in batch.Entries)
                {
                    var encoded = batch.Bytes.WrittenSpan.Slice(entry.Start, entry.Length).ToArray();
                    EventEncoding.SetOffset(encoded, events.Count);
                    events.Add(encoded);
                }
            }
        }
        return events;
    }

    /// <summary>An event as <see cref="RowsAsync"/> shows a row.</summary>
    static string Row(byte[] encoded)
    {
        Assert.True(EventEncoding.TryRead(encoded, out var e));
        static string Hex(ReadOnlySpan<byte> utf8) => Convert.ToHexString(utf8);
        static string Optional(OptionalText text) => text.HasValue ? Hex(text.Utf8) : "\\N";
        return string.Create(CultureInfo.InvariantCulture, $"{e.Offset}|{e.TimeMicros}|{e.IngestedMicros}|{Hex(e.Id)}|{Hex(e.Class)}|{Hex(e.Source)}|{Hex(e.Format)}|{e.ClassUid}|{e.ActivityId}|{e.SeverityId}|")
            + string.Create(CultureInfo.InvariantCulture, $"{e.StatusId}|{(int)e.Kinds}|{(int)e.Missing}|{Optional(e.User)}|{Optional(e.Ip)}|{Optional(e.Action)}|{Optional(e.Object)}|{Hex(e.Redactions)}|{Hex(e.Json)}");
    }

    static Task<string[][]> RowsAsync(ClickHouseServer server, string kind, string table)
    {
        string Micros(string column) => kind == "old" ? column : $"toUnixTimestamp64Micro({column})";
        return server.SqlAsync($"""
            SELECT `offset`, {Micros("time")}, {Micros("ingested")}, hex(event_id), hex(class), hex(source), hex(format), class_uid, activity_id, severity_id,
            status_id, kinds, missing, hex(user), hex(ip), hex(action), hex(object), hex(redactions), hex(event) FROM lw.events_{table} ORDER BY `offset`
            """);
    }
}
