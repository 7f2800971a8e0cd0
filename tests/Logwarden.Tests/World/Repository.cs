using System.Runtime.CompilerServices;

namespace Logwarden.Tests.World;

/// <summary>The checkout that the tests were built from.</summary>
static class Repository
{
    /// <summary>Its root.</summary>
    public static string Root { get; } = Find();

    static string Find([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(here, "../../../.."));
}
