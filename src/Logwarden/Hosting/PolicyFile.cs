using System.Security.Cryptography;
using Logwarden.Archive;
using Logwarden.Commands;
using Logwarden.Events;
using Logwarden.Journal;
using Logwarden.Match;
using Logwarden.Policy;
using Logwarden.Redaction;
using Logwarden.Retention;

namespace Logwarden.Hosting;

/// <summary>The policy in force and what is built from it: redaction, classes, retention, archive checks.</summary>
sealed class PolicyFile
{
    const int PseudonymKeyBytesMin = 16;

    readonly RedactionOptions _redaction;

    PolicyFile(PolicySnapshot policy, RedactionOptions redaction)
    {
        Policy = policy;
        _redaction = redaction;
        Redactor = Redactor.Create(redaction);
        Classifier = new(policy);
        Rules = new(policy);
    }

    /// <summary>The policy.</summary>
    public PolicySnapshot Policy { get; }

    /// <summary>Its redaction (LOG-6).</summary>
    public Redactor Redactor { get; }

    /// <summary>The same without dropping payload fields whole: what is in them is scanned like the rest.</summary>
    public Redactor RedactorOfPayloads() => Redactor.Create(_redaction with { PayloadFields = [] });

    /// <summary>Its classes.</summary>
    public PolicyClassifier Classifier { get; }

    /// <summary>Where an installation has its policy.</summary>
    public static string PathIn(DirectoryInfo data) => Path.Combine(data.FullName, "policy.yaml");

    /// <summary>Where an installation keeps a copy of the policy file that the process which writes was told to take.</summary>
    static string CopyIn(DirectoryInfo data) => Path.Combine(data.FullName, "state", "policy-in-force.yaml");

    /// <summary>Keeps which policy is in force, so that commands beside the process that writes redact and classify as it does.</summary>
    /// <exception cref="IOException">It can't be written.</exception>
    public static void Note(FileInfo? file, DirectoryInfo data)
    {
        var copy = CopyIn(data);
        if (file is not null)
        {
            DurableFile.CreateDirectory(Path.GetDirectoryName(copy)!);
            DurableFile.Replace(copy, File.ReadAllBytes(file.FullName));
        }
        else if (File.Exists(copy))
        {
            File.Delete(copy);
            DurableFile.SyncDirectory(Path.GetDirectoryName(copy)!);
        }
    }

    /// <summary>The file named; else what <see cref="Note"/> kept; else as <see cref="Load"/>.</summary>
    /// <exception cref="CommandException">It has errors; the message lists all of them.</exception>
    public static PolicyFile InForce(FileInfo? file, DirectoryInfo data) => Load(file ?? (File.Exists(CopyIn(data)) ? new(CopyIn(data)) : null), data);

    /// <summary>The file named; else <c>DATA/policy.yaml</c>; else the shipped policy.</summary>
    /// <exception cref="CommandException">It has errors; the message lists all of them.</exception>
    public static PolicyFile Load(FileInfo? file, DirectoryInfo data)
    {
        var path = file?.FullName ?? PathIn(data);
        if (file is null && !File.Exists(path)) return Of(PolicySnapshot.Default, data);
        string yaml;
        try
        {
            yaml = File.ReadAllText(path);
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException)
        {
            throw new CommandException($"--policy: {missing.Message}");
        }
        var read = PolicyReader.Read(yaml, RuleIds);
        if (read.Policy is null) throw new CommandException(string.Join('\n', read.Errors.Select(error => error.Render(path))));
        return Of(read.Policy, data);
    }

    /// <summary>Ids of all redaction rules, to check a policy against.</summary>
    public static IReadOnlySet<string> RuleIds { get; } = Redaction.Redactor.Rules.Select(rule => rule.Id).ToHashSet(StringComparer.Ordinal);

    /// <summary>What is wrong with a name of a class; null when it is one.</summary>
    public string? Unknown(string @class)
    {
        string[] names = [.. Policy.Classes.Select(known => known.Name), EventClasses.Quarantine];
        if (names.Contains(@class, StringComparer.Ordinal)) return null;
        var nearest = NearestWord.Find(@class, names);
        return $"there is no class '{@class}'{(nearest is null ? "" : $", did you mean '{nearest}'?")} The classes are {string.Join(", ", names.Distinct(StringComparer.Ordinal))}.";
    }

    /// <summary>Whether the policy has the program refuse an archive with this defect.</summary>
    public bool Refuses(BucketFinding finding) =>
        string.Equals(finding.Code, "unreachable", StringComparison.Ordinal)
        || Policy.ArchiveChecks.Any(check => check.Refuse && string.Equals(check.Finding, finding.Code, StringComparison.Ordinal));

    /// <summary>How long it keeps what.</summary>
    public RetentionRules Rules { get; }

    /// <summary>How long objects are locked when they are sealed now (<see cref="RetentionRules"/>).</summary>
    public RetentionRule Retention(TimeProvider time) => (name, latest) =>
        new(Policy.Class(name).Lock is ClassLock.Governance ? LockMode.Governance : LockMode.Compliance, Rules.Reckon(name, latest, time.GetUtcNow(), default).Until, legalHold: false);

    /// <summary>What keeps single events longer; null where the policy has no such requirement.</summary>
    public SegmentRequirements? Requirements(TimeProvider time) =>
        Policy.Requirements.Any(one => one.When is not null) ? new(Rules.Matcher, (matched, latest) => Rules.Until(matched, latest, time.GetUtcNow())) : null;

    static PolicyFile Of(PolicySnapshot policy, DirectoryInfo data)
    {
        var redaction = policy.Redaction;
        var actions = redaction.Rules.Where(rule => rule.Choice is RedactionChoice.Pseudonym or RedactionChoice.Keep)
            .ToDictionary(rule => rule.Rule, rule => rule.Choice is RedactionChoice.Keep ? RedactionAction.Keep : RedactionAction.Pseudonym, StringComparer.Ordinal);
        var actor = redaction.Actor switch
        {
            RedactionChoice.Pseudonym => ActorTreatment.Pseudonym,
            RedactionChoice.Redact => ActorTreatment.Redact,
            _ => ActorTreatment.Keep,
        };
        var needsKey = actor is ActorTreatment.Pseudonym || actions.ContainsValue(RedactionAction.Pseudonym);
        var options = new RedactionOptions
        {
            DisabledRules = redaction.Rules.Where(rule => rule.Choice is RedactionChoice.Off).Select(rule => rule.Rule).ToHashSet(StringComparer.Ordinal),
            Actions = actions,
            Actor = actor,
            PseudonymKey = needsKey ? PseudonymKey(data.FullName) : default,
        };
        return new(policy, options with { PayloadFields = [.. options.PayloadFields, .. redaction.PayloadFields] });
    }

    /// <summary>The installation's key of pseudonyms: made once, kept with mode 0600. Without it equal values no longer get equal pseudonyms.</summary>
    static byte[] PseudonymKey(string data)
    {
        var path = Path.Combine(data, "keys", "pseudonym.key");
        DurableFile.CreateDirectory(Path.GetDirectoryName(path)!);
        using var alone = ProcessLock.Take(path);
        if (File.Exists(path))
        {
            var known = File.ReadAllBytes(path);
            return known.Length >= PseudonymKeyBytesMin ? known
                : throw new CommandException($"{path} is cut off: put it back from your secret store. If there is no copy, delete it: a new one is made, and values get other pseudonyms than before", Cli.Broken);
        }
        var key = RandomNumberGenerator.GetBytes(32);
        DurableFile.Replace(path, key);
        return key;
    }
}
