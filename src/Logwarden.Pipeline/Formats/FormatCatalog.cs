namespace Logwarden.Formats;

/// <summary>The formats there are.</summary>
public static class FormatCatalog
{
    /// <summary>All of them, in the order in which they are listed to people.</summary>
    public static readonly IReadOnlyList<IFormat> All =
    [
        new CloudTrailFormat(),
        new PgAuditFormat(),
        new K8sAuditFormat(),
        new AppFormat(),
        new JsonFormat(),
    ];

    /// <summary>The names of all of them, for help and errors.</summary>
    public static string Names => string.Join(", ", All.Select(format => format.Name));

    /// <summary>The format of this name, or null.</summary>
    public static IFormat? Find(string name)
    {
        foreach (var format in All)
        {
            if (string.Equals(format.Name, name, StringComparison.Ordinal)) return format;
        }
        return null;
    }
}
