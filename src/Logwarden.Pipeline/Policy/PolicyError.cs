using System.Globalization;

namespace Logwarden.Policy;

/// <summary>One thing that is wrong in a policy file.</summary>
/// <param name="Line">Line, from 1.</param>
/// <param name="Column">Column in characters, from 1.</param>
/// <param name="Path">Where in the document, such as <c>classes.database.hot</c>; empty for the whole file.</param>
/// <param name="Reason">What is wrong.</param>
/// <param name="Expected">What could stand there; null when nothing could.</param>
/// <param name="Nearest">The valid word that was most probably meant.</param>
public sealed record PolicyError(int Line, int Column, string Path, string Reason, string? Expected, string? Nearest)
{
    /// <summary><c>path: reason; expected …; did you mean …?</c></summary>
    public string Message => (Path.Length == 0 ? "" : Path + ": ") + Reason + (Expected is null ? "" : "; expected " + Expected)
        + (Nearest is null ? "" : "; did you mean " + Nearest + "?");

    /// <summary>The line that compilers print.</summary>
    public string Render(string file) => string.Create(CultureInfo.InvariantCulture, $"{file}:{Line}:{Column}: error: {Message}");
}

/// <summary>A policy, or everything that is wrong with the file.</summary>
/// <param name="Policy">The policy; null when there are errors.</param>
/// <param name="Errors">Errors in the order of the file.</param>
public sealed record PolicyOrErrors(PolicySnapshot? Policy, IReadOnlyList<PolicyError> Errors);
