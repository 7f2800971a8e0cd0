using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.RegularExpressions;
using Logwarden.Events;
using Logwarden.Flow;

namespace Logwarden.Destinations;

/// <summary>
/// A table of a ClickHouse server, over HTTP (<c>docs/destinations-clickhouse.md</c>). An event is in it once, however often it is sent:
/// <list type="number">
/// <item>There is one writer, one call at a time, and it knows the highest offset that may be in the table: at first from the table, then from what it sent itself.</item>
/// <item>Events above that offset can't be there, and are inserted. Of a batch that reaches below it (the same one again, a part of it, a replay) those that are there are looked up, and only the others are inserted.
/// What tells an event is offset, time of acceptance and id together: after the loss of a journal an offset alone may come twice.</item>
/// <item>Before the first INSERT of a run, and after each whose outcome is not known, those that were sent before are fenced off (<see cref="ClickHouseTable"/>); while one of them still runs nothing is sent. That also
/// stops a second writer of the table: each that begins ends the other's INSERTs.</item>
/// <item>Behind that, rows of the same event fall together when the server merges parts.</item>
/// </list>
/// </summary>
public sealed partial class ClickHouseDestination : IDestination
{
    /// <summary>Ids or offsets in one question.</summary>
    const int AskedMax = 10_000;

    const string Reading = "max_query_size=16777216&max_execution_time=50";

    /// <summary>1900-01-02 and 2299-12-30, unix microseconds: beyond, old and new servers do not agree on what a DateTime64 is.</summary>
    const long TimeMin = -2_208_902_400_000_000, TimeMax = 10_413_619_200_000_000;

    readonly ClickHouseConnection _server;
    readonly ClickHouseTable _table;
    readonly TimeProvider _time;
    bool _isOpen;
    long _reached = -1;

    /// <summary>A destination that speaks through <paramref name="client"/>, which it disposes of.</summary>
    /// <exception cref="SettingException">A setting is missing or wrong.</exception>
    internal ClickHouseDestination(DestinationContext context, HttpClient client)
    {
        var endpoint = context.Address("endpoint", "http", "https") ?? throw new SettingException("endpoint", "is missing");
        if (endpoint.Query.Length > 0) throw new SettingException("endpoint", "must not hold settings behind a question mark");
        var database = context.Optional("database") ?? "logwarden";
        if (!Identifier().IsMatch(database)) throw new SettingException("database", "must be 1 to 64 of a-z, A-Z, 0-9 and _");
        var installation = context.Optional("installation") ?? "main";
        if (!Identifier().IsMatch(installation)) throw new SettingException("installation", "must be 1 to 64 of a-z, A-Z, 0-9 and _");
        var user = context.Optional("user") ?? "default";
        if (!IsHeader(user)) throw new SettingException("user", "must be printable ASCII");
        Password(context);
        _time = context.Time;
        _server = new(client, endpoint, user, () => Password(context));
        _table = new(_server, database, installation, context.Classes, context.Time);
    }

    /// <summary>This kind of destination.</summary>
    public static DestinationType Type { get; } = new("clickhouse", "A table of a ClickHouse server, with each event once",
        [
            new("endpoint", "address of the HTTP interface, such as https://clickhouse.example:8443", IsRequired: true),
            new("database", "database, made when it is not there; logwarden by default"),
            new("user", "user; default by default"),
            new("password", "password of the user; none by default", IsSecret: true),
            new("installation", "names the table, events_INSTALLATION; main by default. Two installations that share a database need two names"),
        ],
        context => new ClickHouseDestination(context, NewClient(context)));

    /// <inheritdoc/>
    /// <remarks>Every INSERT makes a part for each class and day in it, so batches are large and wait for others.</remarks>
    public DestinationLimits Limits { get; } = new(100_000, 32 << 20, 32 << 20, 0, TimeSpan.FromSeconds(3));

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _server.Dispose();
        return default;
    }

    /// <inheritdoc/>
    public void Render(in StoredEvent e, IBufferWriter<byte> output) => ClickHouseRow.Write(e, output);

    /// <inheritdoc/>
    public async ValueTask<Answer> SendAsync(EventBatch batch, CancellationToken cancel)
    {
        if (batch.Count == 0) return new Answer.Accepted();
        try
        {
            var answer = await TrySendAsync(batch, cancel);
            // Somebody took the table away: once more, from its creation.
            return answer ?? await TrySendAsync(batch, cancel) ?? new Answer.Later(null, "the table in ClickHouse goes away as soon as it is made");
        }
        catch (SettingException bad)
        {
            return new Answer.Blocked(bad.Message);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlySet<string>?> FindAsync(IReadOnlyList<SentEvent> wanted, CancellationToken cancel)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        try
        {
            if (!_isOpen && await _table.LookOnlyAsync(cancel) is not null) return null;
            foreach (var chunk in wanted.Chunk(1000))
            {
                var asked = chunk.Select(one => (one.Id, one.TimeMicros, one.Class, one.Source)).ToHashSet();
                var reply = await _server.RunAsync($"""
                    SELECT event_id, time, class, source FROM {_table.Name}
                    WHERE event_id IN ({string.Join(", ", chunk.Select(one => ClickHouseConnection.Literal(one.Id)))}){Within(chunk.Min(one => one.TimeMicros), chunk.Max(one => one.TimeMicros))}
                    FORMAT RowBinary
                    """, Reading, cancel);
                if (!reply.IsDone) return null;
                Read(reply.Body, asked, found);
            }
        }
        catch (SettingException)
        {
            return null;
        }
        return found;

        static void Read(byte[] body, HashSet<(string, long, string, string)> asked, HashSet<string> found)
        {
            var rows = new ClickHouseRows(body);
            while (rows.HasMore)
            {
                var (id, time) = (rows.Text(), rows.Int64());
                if (asked.Contains((id, time, rows.Text(), rows.Text()))) found.Add(id);
            }
        }
    }

    /// <summary>Sends once.</summary>
    /// <returns>The answer; null when the table is not there under the name that it had.</returns>
    async ValueTask<Answer?> TrySendAsync(EventBatch batch, CancellationToken cancel)
    {
        if (!_isOpen && await OpenAsync(batch, cancel) is { } shut) return shut;
        if (await _table.ExpireAsync(cancel) is { } kept) return AnswerOf(kept, batch);
        var (lowest, highest) = OffsetsOf(batch);
        IReadOnlyList<int> wanted = [.. Enumerable.Range(0, batch.Count)];
        if (lowest <= _reached)
        {
            var (unknown, missing) = await MissingAsync(batch, cancel);
            if (unknown is not null) return AnswerOf(unknown, batch);
            if (missing.Count == 0) return new Answer.Accepted();
            wanted = missing;
        }
        // From here on they may be there, and an INSERT may be under way, whatever comes back.
        _reached = Math.Max(_reached, highest);
        _isOpen = false;
        var reply = await _server.InsertAsync(_table.Insert, _table.QueryIds + Guid.CreateVersion7(_time.GetUtcNow()).ToString("N"), _table.InsertSettings, [.. wanted.Select(index => batch.Wire(index))], cancel);
        // Done or refused, it has ended. What is not ClickHouse's answer says nothing about that.
        _isOpen = reply.Code != ClickHouseReply.Unnamed;
        return reply.IsDone ? new Answer.Accepted() : AnswerOf(reply, batch);
    }

    /// <summary>Makes the table ready, and sure that nothing that was sent before is still to come.</summary>
    async ValueTask<Answer?> OpenAsync(EventBatch batch, CancellationToken cancel)
    {
        // Before the fence, because an old server does not rename a table that is written to; and behind it, because one may have begun in between.
        if (await BusyAsync(batch, cancel) is { } before) return before;
        if (await _table.OpenAsync(cancel) is { } failed) return ClickHouseAnswers.Of(failed, batch);
        if (await BusyAsync(batch, cancel) is { } behind) return behind;
        // A column is read as a whole. Where that takes too long, everything is looked up: slower, and as safe.
        var highest = await _server.RunAsync($"SELECT max(`offset`), toInt64(count()) FROM {_table.Name} FORMAT RowBinary", "max_execution_time=20", cancel);
        if (!highest.IsDone && highest.Code is not (159 or 160)) return ClickHouseAnswers.Of(highest, batch);
        _reached = highest.IsDone ? Math.Max(_reached, Highest(highest.Body)) : long.MaxValue;
        _isOpen = true;
        return null;

        static long Highest(byte[] body)
        {
            var rows = new ClickHouseRows(body);
            var offset = rows.Int64();
            return rows.Int64() == 0 ? -1 : offset;
        }
    }

    /// <summary>Whether the server runs an INSERT of this table; then it is told to end it.</summary>
    /// <returns>Null when it runs none.</returns>
    async ValueTask<Answer?> BusyAsync(EventBatch batch, CancellationToken cancel)
    {
        var ids = $"position(query_id, {ClickHouseConnection.Literal(_table.QueryIds)}) = 1";
        var running = await _server.RunAsync($"SELECT toInt64(count()) FROM system.processes WHERE {ids} FORMAT RowBinary", "", cancel);
        if (!running.IsDone) return ClickHouseAnswers.Of(running, batch);
        if (new ClickHouseRows(running.Body).Int64() == 0) return null;
        // Whether it may or not does not matter: the next attempt looks again.
        await _server.RunAsync($"KILL QUERY WHERE {ids} ASYNC", "", cancel);
        return new Answer.Later(TimeSpan.FromSeconds(2), "an earlier INSERT is still running on the ClickHouse server");
    }

    /// <summary>Looks up which events are not in the table.</summary>
    /// <returns>Their indexes; or what the server answered when it could not say.</returns>
    async ValueTask<(ClickHouseReply? Failed, IReadOnlyList<int> Missing)> MissingAsync(EventBatch batch, CancellationToken cancel)
    {
        var keys = Enumerable.Range(0, batch.Count).Select(index => Key.Of(batch, index)).ToArray();
        var there = new HashSet<(long, long, string)>();
        foreach (var chunk in keys.Chunk(AskedMax))
        {
            var reply = await _server.RunAsync($"""
                SELECT `offset`, ingested, event_id FROM {_table.Name}
                WHERE `offset` IN ({string.Join(',', chunk.Select(key => key.Offset.ToString(CultureInfo.InvariantCulture)))})
                AND `offset` BETWEEN {chunk.Min(key => key.Offset)} AND {chunk.Max(key => key.Offset)}{Within(chunk.Min(key => key.Time), chunk.Max(key => key.Time))}
                FORMAT RowBinary
                """, Reading, cancel);
            if (!reply.IsDone) return (reply, []);
            var rows = new ClickHouseRows(reply.Body);
            while (rows.HasMore) there.Add((rows.Int64(), rows.Int64(), rows.Text()));
        }
        return (null, [.. Enumerable.Range(0, keys.Length).Where(index => !there.Contains((keys[index].Offset, keys[index].Ingested, keys[index].Id)))]);
    }

    Answer? AnswerOf(ClickHouseReply reply, EventBatch batch)
    {
        if (!reply.IsGone) return ClickHouseAnswers.Of(reply, batch);
        _isOpen = false;
        return null;
    }

    /// <summary>Narrows a question to times, which is how rows are sorted.</summary>
    string Within(long from, long to)
    {
        if (from < TimeMin || to > TimeMax) return "";
        string At(long micros) => _table.IsTimeNumber ? micros.ToString(CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"fromUnixTimestamp64Micro(toInt64({micros}), 'UTC')");
        return $" AND time >= {At(from)} AND time <= {At(to)}";
    }

    static (long Lowest, long Highest) OffsetsOf(EventBatch batch)
    {
        var (lowest, highest) = (long.MaxValue, long.MinValue);
        for (var i = 0; i < batch.Count; i++)
        {
            var offset = BinaryPrimitives.ReadInt64LittleEndian(batch.Encoded(i).Span[EventEncoding.OffsetPosition..]);
            (lowest, highest) = (Math.Min(lowest, offset), Math.Max(highest, offset));
        }
        return (lowest, highest);
    }

    static string? Password(DestinationContext context) => context.Secret("password") is not { } secret || IsHeader(secret) ? context.Secret("password")
        : throw new SettingException("password", "must be printable ASCII");

    static bool IsHeader(string text) => text.All(c => c is >= ' ' and <= '~');

    /// <summary>Head of an answer within the attempt's time, all of it within twice that.</summary>
    [SuppressMessage("Reliability", "CA2000:Dispose objects before losing scope", Justification = "The client disposes of its handler.")]
    static HttpClient NewClient(DestinationContext context) =>
        new(DestinationHttp.Handler(context.Address("endpoint", "http", "https") ?? throw new SettingException("endpoint", "is missing"), DestinationHttp.AttemptMax, context.Time)) { Timeout = 2 * DestinationHttp.AttemptMax };

    [GeneratedRegex("^[A-Za-z0-9_]{1,64}$", RegexOptions.NonBacktracking)]
    private static partial Regex Identifier();

    /// <summary>What tells an event.</summary>
    readonly record struct Key(long Offset, long Time, long Ingested, string Id)
    {
        public static Key Of(EventBatch batch, int index)
        {
            var e = batch.Event(index);
            return new(e.Offset, e.TimeMicros, e.IngestedMicros, System.Text.Encoding.UTF8.GetString(e.Id));
        }
    }
}
