using System.Text.Json;

namespace Logwarden.Query;

/// <summary>
/// Bounds what functions may make out of nothing. The database counts the memory of tables and aggregates, and not that of a value while it is made: <c>repeat('a',
/// 900000000)</c> takes gigabytes whatever its limit is. So where an argument tells a size it must be a number in the text, and a small one.
/// </summary>
static class SqlSizes
{
    /// <summary>Characters or elements that such a function may make.</summary>
    public const int SizeMax = 10_000;

    const int WidthDigitsMax = 3;

    // Function → which arguments tell a size; -1 for all.
    static readonly Dictionary<string, int> Arguments = new(StringComparer.OrdinalIgnoreCase)
    {
        ["repeat"] = 1,
        ["lpad"] = 1,
        ["rpad"] = 1,
        ["list_resize"] = 1,
        ["array_resize"] = 1,
        ["to_base"] = 2,
        ["range"] = -1,
        ["generate_series"] = -1,
    };

    /// <summary>Checks a call of a function.</summary>
    /// <param name="function">Its node.</param>
    /// <exception cref="QueryRefusedException">It could make too much.</exception>
    public static void Check(JsonElement function)
    {
        var name = function.GetProperty("function_name").GetString()!;
        if (!function.TryGetProperty("children", out var children)) return;
        if (name.Equals("printf", StringComparison.OrdinalIgnoreCase) || name.Equals("format", StringComparison.OrdinalIgnoreCase)) CheckFormat(name, children);
        if (!Arguments.TryGetValue(name, out var which)) return;
        for (var i = Math.Max(which, 0); i < children.GetArrayLength() && (which < 0 || i == which); i++)
        {
            if (Constant(children[i]) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out var size) && Math.Abs(size) <= SizeMax) continue;
            throw new QueryRefusedException($"{name} makes as much as its argument says: write a number up to {SizeMax} there{(which < 0 ? ", or use it in FROM" : "")}.");
        }
    }

    // A width is a run of digits; "*" and "{}" within braces take one from an argument.
    static void CheckFormat(string name, JsonElement children)
    {
        if (children.GetArrayLength() == 0) return;
        var text = Constant(children[0]) is { ValueKind: JsonValueKind.String } constant ? constant.GetString()! : null;
        var run = 0;
        var (isFine, depth) = (text is not null && !text.Contains('*', StringComparison.Ordinal), 0);
        foreach (var c in text ?? "")
        {
            depth += c == '{' ? 1 : c == '}' ? -1 : 0;
            run = char.IsAsciiDigit(c) ? run + 1 : 0;
            isFine &= run <= WidthDigitsMax && depth <= 1;
        }
        if (!isFine) throw new QueryRefusedException($"The first argument of {name} must be a text with widths of at most {WidthDigitsMax} digits.");
    }

    static JsonElement? Constant(JsonElement expression) =>
        expression.TryGetProperty("type", out var type) && type.ValueEquals("VALUE_CONSTANT") && expression.TryGetProperty("value", out var value)
            && value.ValueKind == JsonValueKind.Object && value.TryGetProperty("value", out var constant) ? constant : null;
}
