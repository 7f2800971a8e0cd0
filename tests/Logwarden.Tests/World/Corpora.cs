using System.Diagnostics;

namespace Logwarden.Tests.World;

/// <summary>
/// Real logs and secrets that stay outside the repository. They are looked for in <c>LOGWARDEN_CORPORA</c>, then in
/// <c>../shared/corpora</c> beside the checkout; a test that needs one that is absent is skipped with that message.
/// </summary>
static class Corpora
{
    static readonly Lock Gate = new();

    /// <summary>Folder that holds the unpacked corpus <paramref name="name"/>; skips the calling test when it is absent.</summary>
    public static string Folder(string name)
    {
        var packed = Path.Combine(Home, name + ".tar.gz");
        Assert.SkipUnless(File.Exists(packed), $"corpus {name} is absent: {packed}");
        var scratch = Path.Combine(Path.GetTempPath(), "logwarden-corpora", name);
        lock (Gate)
        {
            if (Directory.Exists(scratch)) return scratch;
            var fresh = scratch + "." + Environment.ProcessId;
            Directory.CreateDirectory(fresh);
            using (var tar = Process.Start(new ProcessStartInfo("tar", ["-xzf", packed, "-C", fresh]))!)
            {
                tar.WaitForExit();
                Assert.Equal(0, tar.ExitCode);
            }
            // Another test process may have been quicker: its copy is as good.
            if (!Directory.Exists(scratch)) Directory.Move(Path.Combine(fresh, name), scratch);
            if (Directory.Exists(fresh)) Directory.Delete(fresh, recursive: true);
            return scratch;
        }
    }

    /// <summary>One file of a corpus.</summary>
    public static string PathOf(string name, string path) => Path.Combine(Folder(name), path);

    /// <summary>A file of the wire contracts, which lie beside the corpora; skips the calling test when it is absent.</summary>
    public static string Contract(string path)
    {
        var file = Path.Combine(Home, "..", "contracts", path);
        Assert.SkipUnless(File.Exists(file), $"contract {path} is absent: {file}");
        return file;
    }

    /// <summary>The source of the OCSF 1.8.0 schema, unpacked; skips the calling test when it is absent.</summary>
    public static string Ocsf()
    {
        var packed = Contract("ocsf/ocsf-schema-1.8.0.tar.gz");
        var scratch = Path.Combine(Path.GetTempPath(), "logwarden-corpora", "ocsf-schema-1.8.0." + Environment.ProcessId);
        Directory.CreateDirectory(scratch);
        using var tar = Process.Start(new ProcessStartInfo("tar", ["-xzf", packed, "-C", scratch]))!;
        tar.WaitForExit();
        Assert.Equal(0, tar.ExitCode);
        return Directory.EnumerateFiles(scratch, "dictionary.json", SearchOption.AllDirectories).Select(Path.GetDirectoryName).First()!;
    }

    static string Home => Environment.GetEnvironmentVariable("LOGWARDEN_CORPORA") is { Length: > 0 } set ? set
        : Path.Combine(Repository.Root, "..", "shared", "corpora");
}
