using System.Buffers;
using System.Text.Json;
using Logwarden.Journal;
using Logwarden.Redaction;

namespace Logwarden.Hosting;

/// <summary>
/// Who looked at the logs: one line of JSON for each query, proof and list, in <c>DATA/access/YYYY-MM.ndjson</c>, synced before the
/// answer is given. An access that can't be recorded is not allowed: the failure reaches the caller.
/// </summary>
sealed class AccessLog(string dataFolder, TimeProvider time)
{
    // Whoever can reach the port could fill the disk with refusals, a synced line each.
    const int RefusalsRecordedMax = 60;
    static readonly TimeSpan RefusalsPer = TimeSpan.FromMinutes(1);

    readonly Lock _gate = new();
    long _since = time.GetTimestamp();
    int _refusals;
    int _passedOver;

    /// <summary>What was asked, fit to be recorded: redacted like an event.</summary>
    public static string Subject(Redactor redactor, string asked)
    {
        var redacted = new ArrayBufferWriter<byte>();
        var utf8 = System.Text.Encoding.UTF8.GetBytes(asked);
        return redactor.Text(utf8, new RedactionScratch(), redacted) ? System.Text.Encoding.UTF8.GetString(redacted.WrittenSpan) : asked;
    }

    /// <summary>Records that someone was not let in, up to sixty times a minute; the next record tells how many were passed over.</summary>
    /// <exception cref="UnrecordedAccessException">It could not be made durable.</exception>
    public void RecordRefusal(string path, string? ip)
    {
        int passedOver;
        lock (_gate)
        {
            if (time.GetElapsedTime(_since) >= RefusalsPer) (_since, _refusals) = (time.GetTimestamp(), 0);
            if (++_refusals > RefusalsRecordedMax)
            {
                _passedOver++;
                return;
            }
            (passedOver, _passedOver) = (_passedOver, 0);
        }
        Record(new("", "refused", path) { Ip = ip, Scope = [("passed_over", passedOver == 0 ? null : Commands.Cli.Number(passedOver))] });
    }

    /// <summary>Records one access.</summary>
    /// <exception cref="UnrecordedAccessException">It could not be made durable.</exception>
    public void Record(AccessRecord record)
    {
        var now = time.GetUtcNow();
        var line = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(line))
        {
            json.WriteStartObject();
            json.WriteString("time", now.ToString("yyyy-MM-ddTHH:mm:ss.ffffffZ", System.Globalization.CultureInfo.InvariantCulture));
            json.WriteString("user", record.Actor);
            if (record.Ip is not null) json.WriteString("ip", record.Ip);
            json.WriteString("action", record.Action);
            json.WriteString("object", record.Subject);
            foreach (var (name, value) in record.Scope)
                if (value is not null) json.WriteString(name, value);
            json.WriteEndObject();
        }
        line.Write("\n"u8);
        var folder = Path.Combine(dataFolder, "access");
        try
        {
            DurableFile.CreateDirectory(folder);
            DurableFile.AppendLine(Path.Combine(folder, now.ToString("yyyy-MM", System.Globalization.CultureInfo.InvariantCulture) + ".ndjson"), line.WrittenSpan);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            throw new UnrecordedAccessException($"The access can't be recorded, and so it is not allowed: {failed.Message}", failed);
        }
    }
}

/// <summary>An access could not be recorded: it must not be given.</summary>
sealed class UnrecordedAccessException(string message, Exception inner) : IOException(message, inner);

/// <summary>One access to logs.</summary>
/// <param name="Actor">Who: token name, or the user of this machine; empty when it was nobody that we know.</param>
/// <param name="Action">What: <c>query</c>, <c>sql</c>, <c>top</c>, <c>histogram</c>, <c>prove</c>, <c>ledger</c>, or <c>refused</c>.</param>
/// <param name="Subject">On what: the filter or statement, already redacted.</param>
sealed record AccessRecord(string Actor, string Action, string Subject)
{
    /// <summary>From where; null for the command line.</summary>
    public string? Ip { get; init; }

    /// <summary>What else was said of what is wanted; a null is not recorded.</summary>
    public IReadOnlyList<(string Name, string? Value)> Scope { get; init; } = [];
}
