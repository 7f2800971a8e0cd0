using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Logwarden.Data;
using Logwarden.Events;
using Logwarden.Journal;
using Logwarden.Proof.Notes;
using Microsoft.Data.Sqlite;

namespace Logwarden.Delivery;

/// <summary>A completeness certificate as it is kept.</summary>
/// <param name="Number">Number among all certificates of its destination, from 0.</param>
/// <param name="Destination">Destination.</param>
/// <param name="Issued">When it was made.</param>
/// <param name="From">First journal offset that it covers.</param>
/// <param name="To">Offset behind the last.</param>
/// <param name="IsComplete">Whether every event that was to go there is accounted for.</param>
/// <param name="Note">The signed note.</param>
public sealed record Certificate(long Number, string Destination, DateTimeOffset Issued, long From, long To, bool IsComplete, byte[] Note);

/// <summary>
/// States, signed, that nothing is missing on the way to a destination: for a stretch of the journal the events that its routes take are counted from the events themselves, not by the
/// loop that delivers, and set against what that loop has booked: <c>routed = delivered + refused + shed</c>, by source, and behind the stretch those in flight. Each names the one before by its
/// hash and is an audit event of its own, so the chain is in the Merkle log (<c>docs/certificates.md</c>). Thread-safe.
/// </summary>
public sealed class Certificates
{
    readonly ControlDatabase _database;
    readonly DeliveryStore _store;
    readonly OwnEvents _events;
    readonly TimeProvider _time;

    /// <summary>Those of an installation.</summary>
    public Certificates(ControlDatabase database, DeliveryStore store, OwnEvents events, TimeProvider time)
    {
        (_database, _store, _events, _time) = (database, store, events, time);
        database.Migrate("certificates",
        [
            """
            CREATE TABLE certificate (
                destination TEXT NOT NULL, number INTEGER NOT NULL, issued INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, complete INTEGER NOT NULL, note BLOB NOT NULL,
                PRIMARY KEY (destination, number)) STRICT;
            CREATE TABLE certificate_total (destination TEXT NOT NULL, source TEXT NOT NULL, outcome INTEGER NOT NULL, events INTEGER NOT NULL, PRIMARY KEY (destination, source, outcome)) STRICT;
            """,
        ]);
    }

    /// <summary>Certificates, newest first.</summary>
    /// <param name="destination">Of one destination; null is of all.</param>
    /// <param name="max">How many at most.</param>
    public IReadOnlyList<Certificate> List(string? destination, int max)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(
            connection, "SELECT number, destination, issued, first, last, complete, note FROM certificate WHERE $name IS NULL OR destination = $name ORDER BY issued DESC, destination LIMIT $max",
            ("$name", destination), ("$max", max));
        using var rows = command.ExecuteReader();
        var all = new List<Certificate>();
        while (rows.Read())
        {
            all.Add(new(rows.GetInt64(0), rows.GetString(1), DateTimeOffset.FromUnixTimeMilliseconds(rows.GetInt64(2)), rows.GetInt64(3), rows.GetInt64(4), rows.GetInt64(5) == 1,
                rows.GetFieldValue<byte[]>(6)));
        }
        return all;
    }

    /// <summary>Makes the next certificate of a destination, of everything since the last one up to where its delivery is.</summary>
    /// <returns>Null when the destination has not begun.</returns>
    /// <exception cref="IOException">The journal or a segment can't be read.</exception>
    public Certificate? Issue(string destination, DiskJournal journal, string dataFolder, SigningKey key)
    {
        if (_store.Snapshot(destination) is not var (cursor, counts)) return null;
        var newest = List(destination, 1);
        var last = newest.Count > 0 ? newest[0] : null;
        var from = last is null || last.To > cursor.Position ? cursor.Since : last.To;
        var isFirst = from == cursor.Since;
        var before = isFirst ? [] : Totals(destination);
        var stretch = Count(destination, journal, dataFolder, from, cursor.Position);
        var flight = Count(destination, journal, dataFolder, cursor.Position, journal.DurableEnd);
        var lines = Lines(stretch, Since(before, counts));
        var isComplete = lines.TrueForAll(line => line.Unaccounted == 0) && stretch.Missing == 0;
        var now = _time.GetUtcNow();
        var number = (last?.Number ?? -1) + 1;
        var text = Text(destination, number, now, (from, cursor.Position), lines, stretch, flight, (cursor.Position, journal.DurableEnd), last, isComplete);
        var certificate = new Certificate(number, destination, now, from, cursor.Position, isComplete, SignedNote.Sign(text, key));
        Keep(certificate, counts, lines);
        return certificate;
    }

    static string Text(
        string destination, long number, DateTimeOffset now, (long From, long To) range, List<Line> lines, Counted stretch, Counted flight, (long From, long To) behind, Certificate? last, bool isComplete)
    {
        var text = new StringBuilder("logwarden completeness certificate v1\n");
        Add($"destination {destination}");
        Add($"number {number}");
        Add($"issued {now.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}");
        Add($"offsets {range.From} {range.To}");
        foreach (var line in lines)
        {
            var seen = line.Seen;
            var span = seen.Events == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" first={seen.First} last={seen.Last} from={EventJson.Micros(seen.MinTime)} to={EventJson.Micros(seen.MaxTime)}");
            Add($"source {line.Source} routed={seen.Events} delivered={line.Delivered} refused={line.Refused} shed={line.Shed} unaccounted={line.Unaccounted}{span}");
        }
        Add($"gaps {(stretch.Missing == 0 ? "none" : string.Create(CultureInfo.InvariantCulture, $"{stretch.Missing} offsets of the stretch are not in the hot store any more"))}");
        Add($"in-flight {flight.Sources.Values.Sum(seen => seen.Events)} of offsets {behind.From} {behind.To}");
        Add($"previous {(last is null ? "none" : Convert.ToHexStringLower(SHA256.HashData(last.Note)))}");
        Add($"result {(isComplete ? "complete" : "incomplete")}");
        return text.ToString();

        void Add(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }

    Counted Count(string destination, DiskJournal journal, string dataFolder, long from, long to)
    {
        var counted = new Counted();
        if (from >= to) return counted;
        var routes = _store.Routes(destination).Select(route => (route.From, Route: DeliveryRoute.Parse(route.Routes))).ToList();
        using var backlog = new Backlog(journal, dataFolder, from);
        var next = 0;
        DeliveryRoute? current = null;
        while (backlog.Position < to && backlog.TryNext(out var encoded))
        {
            if (!EventEncoding.TryRead(encoded, out var e)) throw new InvalidDataException($"The event before offset {backlog.Position} can't be read.");
            if (e.Offset >= to) break;
            while (next < routes.Count && (routes[next].From <= e.Offset || current is null)) current = routes[next++].Route;
            if (current?.Takes(e) == true) counted.Add(e);
        }
        counted.Missing = backlog.Missing;
        return counted;
    }

    static List<Line> Lines(Counted stretch, Dictionary<(string Source, Outcome Outcome), long> booked)
    {
        return
        [
            .. stretch.Sources.Keys.Union(booked.Keys.Where(key => key.Outcome != Outcome.Missing).Select(key => key.Source), StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(source =>
                new Line(source, stretch.Sources.GetValueOrDefault(source), Booked(source, Outcome.Delivered), Booked(source, Outcome.Refused), Booked(source, Outcome.Shed))),
        ];

        long Booked(string source, Outcome outcome) => booked.GetValueOrDefault((source, outcome));
    }

    static Dictionary<(string, Outcome), long> Since(IReadOnlyList<OutcomeCount> before, IReadOnlyList<OutcomeCount> now)
    {
        var since = now.ToDictionary(count => (count.Source, count.Outcome), count => count.Count);
        foreach (var (source, outcome, count) in before) since[(source, outcome)] = since.GetValueOrDefault((source, outcome)) - count;
        return since;
    }

    List<OutcomeCount> Totals(string destination)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(connection, "SELECT source, outcome, events FROM certificate_total WHERE destination = $name", ("$name", destination));
        using var rows = command.ExecuteReader();
        var totals = new List<OutcomeCount>();
        while (rows.Read()) totals.Add(new(rows.GetString(0), (Outcome)rows.GetInt32(1), rows.GetInt64(2)));
        return totals;
    }

    void Keep(Certificate certificate, IReadOnlyList<OutcomeCount> counts, List<Line> lines)
    {
        using var connection = _database.Connect();
        using var transaction = connection.BeginTransaction(deferred: false);
        var name = ("$name", (object?)certificate.Destination);
        Run(connection, transaction, "INSERT INTO certificate VALUES ($name, $number, $issued, $first, $last, $complete, $note)", name, ("$number", certificate.Number),
            ("$issued", certificate.Issued.ToUnixTimeMilliseconds()), ("$first", certificate.From), ("$last", certificate.To), ("$complete", certificate.IsComplete), ("$note", certificate.Note));
        Run(connection, transaction, "DELETE FROM certificate_total WHERE destination = $name", name);
        foreach (var (source, outcome, count) in counts)
            Run(connection, transaction, "INSERT INTO certificate_total VALUES ($name, $source, $outcome, $events)", name, ("$source", source), ("$outcome", (int)outcome), ("$events", count));
        var unaccounted = lines.Sum(line => line.Unaccounted);
        _events.Write(connection, transaction, new("certificate.create", certificate.Destination)
        {
            ObjectType = "destination",
            Status = certificate.IsComplete ? "success" : "failure",
            Severity = certificate.IsComplete ? "info" : "error",
            Message = certificate.IsComplete ? null : $"Events for {certificate.Destination} are not accounted for; `logwarden certificate show {certificate.Destination}` tells which.",
            Details =
            [
                ("sha256", Convert.ToHexStringLower(SHA256.HashData(certificate.Note))), ("number", certificate.Number.ToString(CultureInfo.InvariantCulture)),
                ("unaccounted", unaccounted.ToString(CultureInfo.InvariantCulture)),
            ],
        });
        transaction.Commit();
    }

    static void Run(SqliteConnection connection, SqliteTransaction transaction, string sql, params ReadOnlySpan<(string, object?)> parameters)
    {
        using var command = ControlDatabase.Command(connection, sql, parameters);
        command.Transaction = transaction;
        command.ExecuteNonQuery();
    }

    /// <summary>Events of one source in a stretch, as they were counted.</summary>
    readonly record struct Seen(long Events, long First, long Last, long MinTime, long MaxTime);

    sealed record Line(string Source, Seen Seen, long Delivered, long Refused, long Shed)
    {
        public long Unaccounted => Seen.Events - Delivered - Refused - Shed;
    }

    sealed class Counted
    {
        public Dictionary<string, Seen> Sources { get; } = new(StringComparer.Ordinal);

        public long Missing { get; set; }

        public void Add(in StoredEvent e)
        {
            var source = Encoding.UTF8.GetString(e.Source);
            var seen = Sources.GetValueOrDefault(source, new(0, e.Offset, e.Offset, e.TimeMicros, e.TimeMicros));
            Sources[source] = new(seen.Events + 1, seen.First, e.Offset, Math.Min(seen.MinTime, e.TimeMicros), Math.Max(seen.MaxTime, e.TimeMicros));
        }
    }
}
