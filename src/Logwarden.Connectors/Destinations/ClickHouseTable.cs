using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace Logwarden.Destinations;

/// <summary>
/// The table of one installation. People read <c>events_INSTALLATION</c>, a Merge table over the one that rows are in, <c>rows_NUMBER_INSTALLATION</c>. The number is a fence: an INSERT that
/// was sent, and whose answer did not come, names a number; once the table has the next one, the server can't begin it any more, however late it comes, and after that only an
/// INSERT that <c>system.processes</c> shows can still add rows. (A server enters a statement there before it looks for its table.) So what is looked up behind <see cref="OpenAsync"/> stays true.
/// <para>
/// Two forms: servers from 22.8 on have codecs, skip indexes and TTL; for older ones it is the same columns in plain types, and expired partitions are dropped from here.
/// </para>
/// </summary>
sealed partial class ClickHouseTable(ClickHouseConnection server, string database, string installation, IReadOnlyDictionary<string, int> classes, TimeProvider time)
{
    /// <summary>
    /// Settings of an INSERT for any version: rows of one request form one block, and one part a partition; a Distributed table takes them before it answers. The server is not to leave
    /// out what it has seen before: it can't tell a replay of rows that were deleted since, and we know what is there.
    /// </summary>
    const string PlainSettings = "max_insert_block_size=1048576&min_insert_block_size_rows=1048576&min_insert_block_size_bytes=268435456&insert_distributed_sync=1&insert_deduplicate=0";

    readonly string _view = $"events_{installation}";
    DateOnly _expired;
    string[] _rows = [];

    /// <summary>What is read, quoted.</summary>
    public string Name { get; } = $"`{database}`.`events_{installation}`";

    /// <summary>What the query ids of its INSERTs begin with.</summary>
    public string QueryIds { get; } = $"logwarden-{database}-{installation}-";

    /// <summary>Whether the server is of 22.8 or later.</summary>
    public bool IsModern { get; private set; }

    /// <summary>Whether <c>time</c> is a number of microseconds; otherwise it is a DateTime64.</summary>
    public bool IsTimeNumber { get; private set; }

    /// <summary>Statement that a row's bytes go behind.</summary>
    public string Insert => $"INSERT INTO `{database}`.`{_rows[^1]}` ({string.Join(", ", ClickHouseRow.Columns.Select(column => $"`{column}`"))}) FORMAT RowBinary";

    /// <summary>Settings of an INSERT.</summary>
    public string InsertSettings => IsModern ? $"{PlainSettings}&async_insert=0&max_partitions_per_insert_block=0" : PlainSettings;

    /// <summary>Asks for the version, creates what is not there, brings the expiry in line with the policy, and fences off INSERTs that were sent before.</summary>
    /// <returns>Null when all is well; otherwise what the server answered.</returns>
    public async ValueTask<ClickHouseReply?> OpenAsync(CancellationToken cancel)
    {
        var (failed, tables) = await LookAsync(cancel);
        if (failed is not null) return failed;
        List<string> known = [.. tables.Keys.Where(IsOfRows).OrderBy(NumberOf)];
        if (known.Count == 0)
        {
            // A number that no other start has, so that a CREATE that comes late makes no table that an INSERT of another start goes into.
            known.Add($"rows_{time.GetUtcNow().ToUnixTimeMilliseconds()}_{installation}");
            if (await DoAsync(cancel, $"CREATE DATABASE IF NOT EXISTS `{database}`", Definition(IsModern, known[0])) is { } refused) return refused;
        }
        var next = NumberOf(known[^1]) + 1;
        _rows = [.. known.Select((_, i) => $"rows_{next + i}_{installation}")];
        if (await DoAsync(cancel, "RENAME TABLE " + string.Join(", ", known.Zip(_rows, (old, named) => $"`{database}`.`{old}` TO `{database}`.`{named}`"))) is { } kept) return kept;
        if (!tables.TryGetValue(_view, out var view))
        {
            if (await DoAsync(cancel, $"CREATE TABLE IF NOT EXISTS {Name} AS `{database}`.`{_rows[^1]}` ENGINE = Merge(`{database}`, '^rows_[0-9]+_{installation}$')") is { } unmade) return unmade;
        }
        else if (!view.StartsWith("Merge(", StringComparison.Ordinal))
        {
            return new(16, HttpStatusCode.NotFound, $"{Name} is not the Merge table that it should be", [], null);
        }
        if (await ReadColumnsAsync(cancel) is { } wrong) return wrong;
        if (!IsModern || classes.Count == 0) return null;
        var others = known.Zip(_rows).Where(pair => tables.TryGetValue(pair.First, out var engine) && !engine.Contains(Expiry(), StringComparison.Ordinal));
        return await DoAsync(cancel, [.. others.Select(pair => $"ALTER TABLE `{database}`.`{pair.Second}` MODIFY TTL {Expiry()}")]);
    }

    /// <summary>Finds out what is needed to read, and changes nothing.</summary>
    /// <returns>Null when it can be read; otherwise what the server answered.</returns>
    public async ValueTask<ClickHouseReply?> LookOnlyAsync(CancellationToken cancel) => (await LookAsync(cancel)).Failed ?? await ReadColumnsAsync(cancel);

    /// <summary>On a server without TTL: once a day, drops the partitions whose events are past their hot days.</summary>
    /// <returns>Null when all is well; otherwise what the server answered.</returns>
    public async ValueTask<ClickHouseReply?> ExpireAsync(CancellationToken cancel)
    {
        var today = DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime);
        if (IsModern || classes.Count == 0 || _expired == today) return null;
        foreach (var table in _rows)
        {
            var parts = await server.RunAsync($"""
                SELECT DISTINCT partition FROM system.parts WHERE database = {ClickHouseConnection.Literal(database)} AND table = '{table}' AND active FORMAT RowBinary
                """, "", cancel);
            if (!parts.IsDone) return parts;
            var expired = Texts(parts.Body).Where(partition => IsExpired(partition, today));
            if (await DoAsync(cancel, [.. expired.Select(partition => $"ALTER TABLE `{database}`.`{table}` DROP PARTITION {partition}")]) is { } failed) return failed;
        }
        _expired = today;
        return null;
    }

    /// <summary>The statement that makes the table of rows.</summary>
    public string Definition(bool isModern, string name)
    {
        var lines = isModern ? ModernColumns.Concat(ModernIndexes) : PlainColumns;
        var definition = $"""
            CREATE TABLE IF NOT EXISTS `{database}`.`{name}`
            (
                {string.Join(",\n    ", lines)}
            )
            ENGINE = ReplacingMergeTree
            PARTITION BY (class, day)
            PRIMARY KEY (time, `offset`)
            ORDER BY (time, `offset`, event_id)
            """;
        if (!isModern) return definition;
        return $"{definition}{(classes.Count == 0 ? "" : $"\nTTL {Expiry()}")}\nSETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1";
    }

    static readonly string[] ModernColumns =
    [
        "`offset` Int64 CODEC(Delta, ZSTD(1))", "`time` DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1))", "`ingested` DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1))",
        "`event_id` String CODEC(ZSTD(1))", "`class` LowCardinality(String)", "`source` LowCardinality(String)", "`format` LowCardinality(String)",
        "`class_uid` Int32 CODEC(ZSTD(1))", "`activity_id` Int32 CODEC(ZSTD(1))", "`severity_id` UInt8 CODEC(ZSTD(1))", "`status_id` UInt8 CODEC(ZSTD(1))",
        "`kinds` UInt8 CODEC(ZSTD(1))", "`missing` UInt8 CODEC(ZSTD(1))", "`user` LowCardinality(Nullable(String))", "`ip` Nullable(String) CODEC(ZSTD(1))",
        "`action` LowCardinality(Nullable(String))", "`object` Nullable(String) CODEC(ZSTD(1))", "`redactions` LowCardinality(String)", "`event` String CODEC(ZSTD(3))",
        "`day` Date CODEC(ZSTD(1))",
    ];

    static readonly string[] ModernIndexes =
    [
        "INDEX offset_range `offset` TYPE minmax GRANULARITY 1", "INDEX source_set source TYPE set(100) GRANULARITY 1",
        "INDEX event_id_bloom event_id TYPE bloom_filter(0.01) GRANULARITY 1", "INDEX user_bloom user TYPE bloom_filter(0.01) GRANULARITY 1",
        "INDEX ip_bloom ip TYPE bloom_filter(0.01) GRANULARITY 1", "INDEX action_bloom action TYPE bloom_filter(0.01) GRANULARITY 1",
        "INDEX object_bloom object TYPE bloom_filter(0.01) GRANULARITY 1", "INDEX event_words event TYPE tokenbf_v1(65536, 3, 0) GRANULARITY 1",
    ];

    static readonly string[] PlainColumns =
    [
        "`offset` Int64", "`time` Int64", "`ingested` Int64", "`event_id` String", "`class` String", "`source` String", "`format` String", "`class_uid` Int32", "`activity_id` Int32",
        "`severity_id` UInt8", "`status_id` UInt8", "`kinds` UInt8", "`missing` UInt8", "`user` Nullable(String)", "`ip` Nullable(String)", "`action` Nullable(String)",
        "`object` Nullable(String)", "`redactions` String", "`event` String", "`day` Date",
    ];

    static bool HasAll(string version)
    {
        var parts = version.Split('.');
        return parts.Length >= 2 && int.TryParse(parts[0], CultureInfo.InvariantCulture, out var year) && int.TryParse(parts[1], CultureInfo.InvariantCulture, out var month)
            && (year, month).CompareTo((22, 8)) >= 0;
    }

    /// <summary>An event of day D is there for N whole days behind it, so the row ends at the beginning of D + N + 1. A class that the policy does not name stays longest.</summary>
    string Expiry() => $"day + toIntervalDay(multiIf({string.Concat(classes.OrderBy(one => one.Key, StringComparer.Ordinal)
        .Select(one => string.Create(CultureInfo.InvariantCulture, $"class = {ClickHouseConnection.Literal(one.Key)}, {DaysOf(one.Key)}, ")))}{DaysOf(null)}))";

    /// <summary>Days from that of an event to the first on which it is gone. A Date ends in 2149, and begins again behind that.</summary>
    int DaysOf(string? @class) => Math.Min(@class is not null && classes.TryGetValue(@class, out var hot) ? hot : classes.Values.Max(), 36_500) + 1;

    bool IsOfRows(string table) => table.EndsWith($"_{installation}", StringComparison.Ordinal) && Number().IsMatch(table.AsSpan(0, table.Length - installation.Length - 1));

    static long NumberOf(string table) => long.Parse(table.AsSpan(5, table.IndexOf('_', 5) - 5), CultureInfo.InvariantCulture);

    /// <summary>Version of the server, and engines of the database's tables by name.</summary>
    async ValueTask<(ClickHouseReply? Failed, Dictionary<string, string> Engines)> LookAsync(CancellationToken cancel)
    {
        var engines = new Dictionary<string, string>(StringComparer.Ordinal);
        var version = await server.RunAsync("SELECT version() FORMAT RowBinary", "", cancel);
        if (!version.IsDone) return (version, engines);
        IsModern = HasAll(new ClickHouseRows(version.Body).Text());
        var tables = await server.RunAsync($"SELECT name, engine_full FROM system.tables WHERE database = {ClickHouseConnection.Literal(database)} FORMAT RowBinary", "", cancel);
        if (!tables.IsDone) return (tables, engines);
        var texts = Texts(tables.Body);
        for (var i = 0; i < texts.Count; i += 2) engines[texts[i]] = texts[i + 1];
        return (null, engines);
    }

    async ValueTask<ClickHouseReply?> ReadColumnsAsync(CancellationToken cancel)
    {
        var reply = await server.RunAsync($"SELECT name, type FROM system.columns WHERE database = {ClickHouseConnection.Literal(database)} AND table = '{_view}' FORMAT RowBinary", "", cancel);
        if (!reply.IsDone) return reply;
        var texts = Texts(reply.Body);
        var types = Enumerable.Range(0, texts.Count / 2).ToDictionary(i => texts[2 * i], i => texts[2 * i + 1], StringComparer.Ordinal);
        if (ClickHouseRow.Columns.FirstOrDefault(column => !types.ContainsKey(column)) is { } missing)
            return new(16, HttpStatusCode.NotFound, $"there is no column {missing} in {Name}", [], null);
        IsTimeNumber = !types["time"].StartsWith("DateTime64", StringComparison.Ordinal);
        return null;
    }

    async ValueTask<ClickHouseReply?> DoAsync(CancellationToken cancel, params IReadOnlyList<string> statements)
    {
        foreach (var statement in statements)
        {
            var reply = await server.RunAsync(statement, "", cancel);
            if (!reply.IsDone) return reply;
        }
        return null;
    }

    static List<string> Texts(byte[] body)
    {
        var found = new List<string>();
        var rows = new ClickHouseRows(body);
        while (rows.HasMore) found.Add(rows.Text());
        return found;
    }

    bool IsExpired(string partition, DateOnly today)
    {
        if (Partition().Match(partition) is not { Success: true } match) return false;
        var @class = match.Groups["class"].Value.Replace("\\'", "'", StringComparison.Ordinal).Replace("\\\\", "\\", StringComparison.Ordinal);
        return DateOnly.TryParseExact(match.Groups["day"].ValueSpan, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day)
            && day.AddDays(DaysOf(@class)) <= today;
    }

    [GeneratedRegex("^rows_[0-9]{1,17}$", RegexOptions.NonBacktracking)]
    private static partial Regex Number();

    [GeneratedRegex(@"^\('(?<class>.*)','(?<day>[0-9]{4}-[0-9]{2}-[0-9]{2})'\)$", RegexOptions.NonBacktracking | RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex Partition();
}
