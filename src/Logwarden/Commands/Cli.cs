using System.CommandLine;

namespace Logwarden.Commands;

/// <summary>Options that several commands share, and what their exit codes mean.</summary>
static class Cli
{
    /// <summary>All is well.</summary>
    public const int Ok = 0;

    /// <summary>It ran, and what it looked at is not as it should be: a refused record, a finding of a check.</summary>
    public const int Findings = 1;

    /// <summary>It could not run: a wrong option, a missing file, a locked folder (EX_USAGE of sysexits.h).</summary>
    public const int Usage = 64;

    /// <summary>The machine failed us: disk, network (EX_IOERR).</summary>
    public const int Broken = 74;

    /// <summary>Stopped by the person (128 + SIGINT).</summary>
    public const int Interrupted = 130;

    public static Option<DirectoryInfo> Data() => new("--data")
    {
        Description = "Folder of one installation: journal, hot store, keys and, unless configured otherwise, the archive.",
        DefaultValueFactory = _ => new DirectoryInfo(Environment.GetEnvironmentVariable("LOGWARDEN_DATA") is { Length: > 0 } set ? set : "data"),
    };

    public static Option<string?> Archive() => new("--archive")
    {
        Description = "Archive: a folder, file:PATH or s3://BUCKET/PREFIX?endpoint=URL&region=R&path-style=true. Default DATA/archive.",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("LOGWARDEN_ARCHIVE") is { Length: > 0 } set ? set : null,
    };

    public static Option<FileInfo?> Policy() => new("--policy")
    {
        Description = "Policy file. Default DATA/policy.yaml, and where there is none the policy that is shipped.",
    };

    public static Option<bool> Json() => new("--json") { Description = "Print JSON instead of a table." };

    public static Argument<string[]> Files() => new("FILE")
    {
        Description = "Files to read, .gz and .zst too; - is standard input.",
        Arity = ArgumentArity.ZeroOrMore,
        DefaultValueFactory = _ => ["-"],
    };
}

/// <summary>A reason to end with a message for the person: what is wrong and what to do next. Never carries event content.</summary>
sealed class CommandException(string message, int exitCode = Cli.Usage) : Exception(message)
{
    /// <summary>What the process ends with.</summary>
    public int ExitCode { get; } = exitCode;
}
