using System.CommandLine;
using System.Globalization;
using Logwarden.Formats;
using Logwarden.Hosting;

namespace Logwarden.Commands;

/// <summary>Options that several commands share, and what their exit codes mean.</summary>
static class Cli
{
    /// <summary>All is well.</summary>
    public const int Ok = 0;

    /// <summary>It ran, and what it looked at is not as it should be: a record that was refused or quarantined, a finding of a check.</summary>
    public const int Findings = 1;

    /// <summary>It could not run: a wrong option, a missing file, a locked folder (EX_USAGE of sysexits.h).</summary>
    public const int Usage = 64;

    /// <summary>The machine failed us: disk, network (EX_IOERR).</summary>
    public const int Broken = 74;

    /// <summary>Stopped by the person (128 + SIGINT).</summary>
    public const int Interrupted = 130;

    /// <summary>Name of <see cref="Data"/>.</summary>
    public const string DataName = "--data";

    public static Option<DirectoryInfo> Data() => new(DataName)
    {
        Description = "Folder of one installation: journal, hot store, keys and, unless configured otherwise, the archive.",
        DefaultValueFactory = _ => new DirectoryInfo(Environment.GetEnvironmentVariable("LOGWARDEN_DATA") is { Length: > 0 } set ? set : "data"),
    };

    public static Option<string?> Archive() => new("--archive")
    {
        Description = "Archive: a folder, file:PATH or s3://BUCKET/PREFIX?endpoint=URL&region=R&path-style=true. Default DATA/archive.",
        DefaultValueFactory = _ => ArchiveOfEnvironment,
    };

    /// <summary>The archive that is set for all commands; null when none is.</summary>
    public static string? ArchiveOfEnvironment => Environment.GetEnvironmentVariable("LOGWARDEN_ARCHIVE") is { Length: > 0 } set ? set : null;

    public static Option<FileInfo?> Policy() => new("--policy")
    {
        Description = "Policy file. Default DATA/policy.yaml, and where there is none the policy that is shipped.",
    };

    public static Option<FileInfo?> PolicyInForce() => new("--policy")
    {
        Description = "Policy file. Default the one that `serve` or `ingest` ran with last, then DATA/policy.yaml, then the policy that is shipped.",
    };

    public static Option<bool> ContinueAfterLoss() => new(LossRecovery.Option)
    {
        Description = "When the journal is lost and the archive is not: begin again behind what is sealed. Events that were acknowledged and not sealed are lost; the first event of the new journal says so.",
    };

    /// <summary>The installation that the options name.</summary>
    public static InstallationOptions Installation(ParseResult parsed, Option<DirectoryInfo> data, Option<string?> archive, Option<FileInfo?> policy, Option<bool> loss) => new()
    {
        ContinueAfterLoss = parsed.GetValue(loss),
        Data = parsed.GetRequiredValue(data).FullName,
        Archive = parsed.GetValue(archive),
        Policy = parsed.GetValue(policy)?.FullName,
    };

    public static Option<bool> Json() => new("--json") { Description = "Print JSON instead of a table." };

    public static Argument<string[]> Files() => new("FILE")
    {
        Description = "Files to read, .gz and .zst too; - is standard input.",
        Arity = ArgumentArity.ZeroOrMore,
        DefaultValueFactory = _ => ["-"],
    };

    /// <summary>The format of that name.</summary>
    /// <exception cref="CommandException">There is none.</exception>
    public static IFormat Format(string name) => FormatCatalog.Find(name) is { } format ? format
        : throw new CommandException($"unknown format '{name}'; known: {FormatCatalog.Names}");

    /// <summary>The <c>NAME=PATH</c> pairs of a field map.</summary>
    /// <exception cref="CommandException">A pair is not one, or the format has no field map.</exception>
    public static Dictionary<string, string> FieldPairs(string[]? pairs, string format)
    {
        if (pairs is { Length: > 0 } && format is not ("json" or "")) throw new CommandException($"--field goes with format json; {format} has its fields where they always stand");
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var pair in pairs ?? [])
        {
            var at = pair.IndexOf('=', StringComparison.Ordinal);
            if (at < 1 || at == pair.Length - 1) throw new CommandException($"--field {pair}: expected NAME=PATH, such as user=actor.id");
            fields[pair[..at]] = pair[(at + 1)..];
        }
        Fields(fields);
        return fields;
    }

    /// <summary>A field map from its pairs; null when there are none.</summary>
    /// <exception cref="CommandException">It is not one.</exception>
    public static FieldMap? Fields(IReadOnlyDictionary<string, string> pairs) => pairs.Count == 0 ? null
        : FieldMap.Parse(pairs, out var error) ?? throw new CommandException("--field: " + error);

    /// <summary>The folder of an installation that is there.</summary>
    /// <exception cref="CommandException">It is not.</exception>
    public static DirectoryInfo Existing(DirectoryInfo data) => Directory.Exists(data.FullName) ? data
        : throw new CommandException($"there is no installation in {data.FullName}; name its folder with --data");

    /// <summary>An option that takes a time.</summary>
    public static Option<DateTimeOffset?> Instant(string name, string description) => new(name)
    {
        Description = description,
        CustomParser = result =>
        {
            var text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
            if (Times.TryParse(text, TimeProvider.System.GetUtcNow(), out var instant)) return instant;
            result.AddError($"'{text}' is not a time: expected 2026-11-25, 2026-11-25T01:02:03Z, or how long ago, such as 90m, 24h, 7d");
            return null;
        },
    };

    public static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    /// <summary>A size for people: bytes up to 10 KiB, then KiB, MiB, GiB.</summary>
    public static string Size(long bytes) => bytes switch
    {
        < 10 * 1024 => $"{Number(bytes)} B",
        < 10 * 1024 * 1024 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:F1} KiB"),
        < 10L * 1024 * 1024 * 1024 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:F1} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1073741824.0:F1} GiB"),
    };
}

/// <summary>A reason to end with a message for the person: what is wrong and what to do next. Never carries event content.</summary>
sealed class CommandException(string message, int exitCode = Cli.Usage) : Exception(message)
{
    /// <summary>What the process ends with.</summary>
    public int ExitCode { get; } = exitCode;
}
