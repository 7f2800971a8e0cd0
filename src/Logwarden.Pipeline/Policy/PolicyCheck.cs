using System.Globalization;

namespace Logwarden.Policy;

/// <summary>What <c>logwarden policy check</c> and <c>logwarden policy show</c> do.</summary>
public static class PolicyCheck
{
    /// <summary>Checks a file and prints every error, or that there is none.</summary>
    /// <param name="path">File.</param>
    /// <param name="redactionRules">Ids that redaction rules may have; null to take any.</param>
    /// <param name="output">Where to print.</param>
    /// <param name="json">One JSON object instead of lines.</param>
    /// <returns>Exit code: 0 when the policy is right, 1 when it is not or cannot be read.</returns>
    public static int Run(string path, IReadOnlySet<string>? redactionRules, TextWriter output, bool json)
    {
        var read = Read(path, redactionRules);
        if (json) output.WriteLine(PolicyJson.Print(path, read));
        else if (read.Policy is { } policy) output.WriteLine($"{path}: policy {policy.Header.Version} is right");
        else Print(path, read, output);
        return read.Policy is null ? 1 : 0;
    }

    /// <summary>Prints a resolved policy, or its errors.</summary>
    /// <param name="path">File; null is the policy that is shipped.</param>
    /// <param name="redactionRules">Ids that redaction rules may have; null to take any.</param>
    /// <param name="output">Where to print.</param>
    /// <param name="json">JSON instead of text.</param>
    /// <returns>Exit code: 0, or 1 when the policy is not right or cannot be read.</returns>
    public static int Show(string? path, IReadOnlySet<string>? redactionRules, TextWriter output, bool json)
    {
        var read = path is null ? PolicyReader.Read(ShippedPolicy.Text, redactionRules) : Read(path, redactionRules);
        if (read.Policy is not { } policy)
        {
            if (json) output.WriteLine(PolicyJson.Print(path ?? "policy.yaml", read));
            else Print(path ?? "policy.yaml", read, output);
            return 1;
        }
        if (json) output.WriteLine(PolicyJson.Print(policy));
        else PolicyPrinter.Print(policy, output);
        return 0;
    }

    /// <summary>Reads a policy from a file; a file that cannot be read is an error like others.</summary>
    public static PolicyOrErrors Read(string path, IReadOnlySet<string>? redactionRules)
    {
        try
        {
            return PolicyReader.Read(File.ReadAllText(path), redactionRules);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            return new(null, [new(1, 1, "", $"the file cannot be read: {e.Message}", "a policy file", null)]);
        }
    }

    static void Print(string path, PolicyOrErrors read, TextWriter output)
    {
        foreach (var error in read.Errors) output.WriteLine(error.Render(path));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{path}: {read.Errors.Count} error{(read.Errors.Count == 1 ? "" : "s")}"));
    }
}
