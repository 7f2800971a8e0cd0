using System.Text;

namespace Logwarden.Formats;

/// <summary>
/// Where the fields of an event stand in the records of one source, such as <c>user: $.actor.id</c>. A path is names joined by dots,
/// with or without <c>$.</c> in front; an array is entered by number: <c>$.targets.0.id</c>.
/// </summary>
public sealed class FieldMap
{
    /// <summary>The fields that can be mapped.</summary>
    public static readonly IReadOnlyList<string> Targets =
        ["time", "id", "user", "user_name", "ip", "action", "object", "object_type", "message", "severity", "status", "session",
         "user_agent", "service"];

    readonly byte[][]?[] _paths = new byte[][]?[Targets.Count];

    /// <summary>Reads a map as it stands in a source's configuration.</summary>
    /// <param name="fields">Path by field.</param>
    /// <param name="error">What is wrong, for people; null when nothing is.</param>
    /// <returns>Null when it is wrong.</returns>
    public static FieldMap? Parse(IReadOnlyDictionary<string, string> fields, out string? error)
    {
        var map = new FieldMap();
        foreach (var (field, path) in fields)
        {
            var target = IndexOf(field);
            if (target < 0)
            {
                error = $"`{field}` is not a field that can be mapped: expected one of {string.Join(", ", Targets)}";
                return null;
            }
            var names = path.StartsWith("$.", StringComparison.Ordinal) ? path[2..] : path;
            var steps = names.Split('.');
            if (Array.Exists(steps, step => step.Length == 0))
            {
                error = $"the path of `{field}` has an empty name: expected names joined by dots, such as $.actor.id";
                return null;
            }
            map._paths[target] = Array.ConvertAll(steps, Encoding.UTF8.GetBytes);
        }
        error = null;
        return map;
    }

    /// <summary>The steps to a field, in UTF-8; null when it is not mapped.</summary>
    internal byte[][]? Path(int target) => _paths[target];

    static int IndexOf(string field)
    {
        for (var i = 0; i < Targets.Count; i++)
        {
            if (string.Equals(Targets[i], field, StringComparison.Ordinal)) return i;
        }
        return -1;
    }
}
