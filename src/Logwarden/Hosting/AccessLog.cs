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
    readonly Lock _gate = new();

    /// <summary>What was asked, fit to be recorded: redacted like an event.</summary>
    public static string Subject(Redactor redactor, string asked)
    {
        var redacted = new ArrayBufferWriter<byte>();
        var utf8 = System.Text.Encoding.UTF8.GetBytes(asked);
        return redactor.Text(utf8, new RedactionScratch(), redacted) ? System.Text.Encoding.UTF8.GetString(redacted.WrittenSpan) : asked;
    }

    /// <summary>Records one access.</summary>
    /// <param name="actor">Who: token name, or the user of this machine.</param>
    /// <param name="ip">From where; null for the command line.</param>
    /// <param name="action">What: <c>query</c>, <c>sql</c>, <c>prove</c>, …</param>
    /// <param name="subject">On what: the filter or statement, already redacted.</param>
    /// <exception cref="IOException">It could not be made durable.</exception>
    public void Record(string actor, string? ip, string action, string subject)
    {
        var now = time.GetUtcNow();
        var line = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(line))
        {
            json.WriteStartObject();
            json.WriteString("time", now.ToString("yyyy-MM-ddTHH:mm:ss.ffffffZ", System.Globalization.CultureInfo.InvariantCulture));
            json.WriteString("user", actor);
            if (ip is not null) json.WriteString("ip", ip);
            json.WriteString("action", action);
            json.WriteString("object", subject);
            json.WriteEndObject();
        }
        line.Write("\n"u8);
        var folder = Path.Combine(dataFolder, "access");
        var path = Path.Combine(folder, now.ToString("yyyy-MM", System.Globalization.CultureInfo.InvariantCulture) + ".ndjson");
        lock (_gate)
        {
            var isNew = !File.Exists(path);
            Directory.CreateDirectory(folder);
            using var file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite);
            RandomAccess.Write(file, line.WrittenSpan, RandomAccess.GetLength(file));
            DurableFile.Sync(file);
            if (isNew) DurableFile.SyncDirectory(folder);
        }
    }
}
