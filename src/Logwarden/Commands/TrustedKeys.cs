using System.Globalization;
using Logwarden.Proof.Notes;

namespace Logwarden.Commands;

/// <summary>The keys that must have signed, and where they come from: a verdict is worth as much as the way of its key.</summary>
/// <param name="Keys">The keys.</param>
/// <param name="From">Where they were found, for people.</param>
/// <param name="IsBesideArchive">Whether they came with the archive itself: whoever can replace the one can replace the other.</param>
sealed record TrustedKeys(IReadOnlyList<VerifierKey> Keys, string From, bool IsBesideArchive)
{
    /// <summary>What to say of keys that came with the archive.</summary>
    public const string Warning = "the key came with the archive: whoever could replace the archive could replace it too. Name the key that you have from elsewhere with --key.";

    /// <summary>Name and id of each.</summary>
    public string Names => string.Join(", ", Keys.Select(NameOf));

    /// <summary>Name and id of one, as its text form begins.</summary>
    public static string NameOf(VerifierKey key) => string.Create(CultureInfo.InvariantCulture, $"{key.Name}+{key.Id:x8}");

    /// <summary>The keys that were named; else the one of the installation; only when there is none, the one that lies beside the archive.</summary>
    /// <exception cref="CommandException">There is none, or what was named is none.</exception>
    public static TrustedKeys Choose(string[]? given, string? target, string data)
    {
        if (given is { Length: > 0 }) return new([.. given.Select(Parse)], "--key", IsBesideArchive: false);
        var own = PathIn(data);
        if (File.Exists(own)) return new([Parse(own)], own, IsBesideArchive: false);
        if (Beside(target) is { } beside && File.Exists(beside)) return new([Parse(beside)], beside, IsBesideArchive: true);
        throw new CommandException("which key must have signed? Name it with --key; it is in keys/log.pub of the installation that made the archive");
    }

    static string PathIn(string installation) => Path.Combine(installation, "keys", "log.pub");

    static string? Beside(string? target)
    {
        if (target is null || !Archive.ArchiveTarget.TryParse(target, out var parsed, out _) || parsed.Folder is not { } folder) return null;
        return Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))) is { } parent ? PathIn(parent) : null;
    }

    static VerifierKey Parse(string textOrFile)
    {
        var text = File.Exists(textOrFile) ? File.ReadAllText(textOrFile).Trim() : textOrFile;
        return VerifierKey.TryParse(text, out var key, out var reason) ? key : throw new CommandException($"key {textOrFile}: {reason}");
    }
}
