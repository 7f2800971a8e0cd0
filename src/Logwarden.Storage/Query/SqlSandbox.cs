using System.Text.Json;
using Logwarden.Hot;

namespace Logwarden.Query;

/// <summary>
/// Lets through SQL that is one SELECT over the view <c>events</c> and calls nothing but pure functions. DuckDB's own parser reads the text and gives its
/// tree; every node of it must be of a kind that is known here. This stands before the database's own lock (<see cref="HotDatabase"/>), so that
/// neither has to be perfect.
/// </summary>
static class SqlSandbox
{
    /// <summary>Characters that a statement may have.</summary>
    public const int LengthMax = 100_000;

    const string View = "events";

    static readonly HashSet<string> Nodes = new(StringComparer.Ordinal)
    {
        "SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE",
        "BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "COLUMN_DATA",
        "ORDER_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "DISTINCT_MODIFIER", "ORDER_DEFAULT", "ASCENDING", "DESCENDING",
        "COLUMN_REF", "POSITIONAL_REFERENCE", "STAR", "FUNCTION", "VALUE_CONSTANT", "VALUE_DEFAULT", "CASE_EXPR", "LAMBDA", "LAMBDA_REF", "ARRAY_CONSTRUCTOR",
        "CONJUNCTION_AND", "CONJUNCTION_OR", "ARRAY_EXTRACT", "ARRAY_SLICE", "STRUCT_EXTRACT",
    };

    static readonly HashSet<string> NamedTypes = new(StringComparer.OrdinalIgnoreCase) { "json", "decimal", "numeric", "dec", "variant", "uuid", "bit" };

    static readonly string[] NodeFamilies = ["COMPARE_", "OPERATOR_", "WINDOW_", "GROUPING_"];

    /// <summary>Checks a statement.</summary>
    /// <returns>The statement to run.</returns>
    /// <exception cref="QueryRefusedException">It may not run; the message says why.</exception>
    public static string Check(QueryRun run, string sql)
    {
        if (sql.Length > LengthMax) throw new QueryRefusedException($"The SQL is longer than {LengthMax} characters.");
        if (sql.Contains('\0', StringComparison.Ordinal)) throw new QueryRefusedException("The SQL has a NUL character.");
        var tree = "";
        run.Read($"SELECT json_serialize_sql({HotDatabase.Literal(sql)})", [], null, row =>
        {
            tree = row.GetString(0);
            return true;
        });
        using var parsed = JsonDocument.Parse(tree, new JsonDocumentOptions { MaxDepth = 1000 });
        var root = parsed.RootElement;
        if (root.GetProperty("error").GetBoolean())
        {
            var message = root.GetProperty("error_message").GetString()!;
            throw new QueryRefusedException(message.StartsWith("Only SELECT", StringComparison.Ordinal) ? "Only a SELECT is allowed." : message);
        }
        var statements = root.GetProperty("statements");
        if (statements.GetArrayLength() != 1) throw new QueryRefusedException("Exactly one SELECT is allowed.");
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        CollectNames(statements[0], names);
        Walk(statements[0], names);
        return sql;
    }

    static void CollectNames(JsonElement element, HashSet<string> names)
    {
        if (element.ValueKind == JsonValueKind.Array)
        {
            foreach (var item in element.EnumerateArray()) CollectNames(item, names);
            return;
        }
        if (element.ValueKind != JsonValueKind.Object) return;
        if (element.TryGetProperty("cte_map", out var ctes))
        {
            foreach (var cte in ctes.GetProperty("map").EnumerateArray()) AddName(cte.GetProperty("key").GetString()!, names);
        }
        if (TypeOf(element) is "RECURSIVE_CTE_NODE" or "CTE_NODE" && element.TryGetProperty("cte_name", out var name)) AddName(name.GetString()!, names);
        foreach (var property in element.EnumerateObject()) CollectNames(property.Value, names);
    }

    // A name outside its scope would be looked up in the catalog or as a file: it must not be able to mean anything there.
    static void AddName(string name, HashSet<string> names)
    {
        var plain = name.Length is > 0 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_') && !char.IsAsciiDigit(name[0]);
        if (!plain || name.StartsWith("duckdb_", StringComparison.OrdinalIgnoreCase) || name.StartsWith("pg_", StringComparison.OrdinalIgnoreCase)
            || name.StartsWith("sqlite_", StringComparison.OrdinalIgnoreCase) || name.StartsWith("pragma_", StringComparison.OrdinalIgnoreCase)
            || name.StartsWith("tail_", StringComparison.OrdinalIgnoreCase))
        {
            throw new QueryRefusedException($"The name '{name}' can't be given to a part of the query: use letters, digits and _.");
        }
        names.Add(name);
    }

    static void Walk(JsonElement element, HashSet<string> names)
    {
        if (element.ValueKind == JsonValueKind.Array)
        {
            foreach (var item in element.EnumerateArray()) Walk(item, names);
            return;
        }
        if (element.ValueKind != JsonValueKind.Object) return;
        var type = TypeOf(element);
        if (type is not null)
        {
            if (!Nodes.Contains(type) && !Array.Exists(NodeFamilies, family => type.StartsWith(family, StringComparison.Ordinal)))
                throw new QueryRefusedException($"{Plain(type)} is not allowed in a query.");
            if (type is "VALUE_CONSTANT") return;
            if (type is "BASE_TABLE") CheckTable(element, names);
            if (type is "TABLE_FUNCTION") CheckFunction(element.GetProperty("function"), SqlFunctions.Tables, "as a table");
        }
        if (element.TryGetProperty("function_name", out _))
            CheckFunction(element, SqlFunctions.All, "");
        foreach (var property in element.EnumerateObject())
        {
            if (property.NameEquals("function") && type is "TABLE_FUNCTION")
            {
                // Its name was checked as that of a table; its arguments are expressions like any other.
                Walk(property.Value.GetProperty("children"), names);
                continue;
            }
            if (property.NameEquals("cast_type")) CheckType(property.Value);
            else Walk(property.Value, names);
        }
    }

    static void CheckTable(JsonElement table, HashSet<string> names)
    {
        var name = table.GetProperty("table_name").GetString()!;
        var schema = table.GetProperty("schema_name").GetString();
        var catalog = table.GetProperty("catalog_name").GetString();
        var known = name.Equals(View, StringComparison.OrdinalIgnoreCase) || names.Contains(name);
        if (!string.IsNullOrEmpty(schema) || !string.IsNullOrEmpty(catalog) || !known)
            throw new QueryRefusedException($"There is no table '{name}'; the one that there is is `{View}`.");
        if (table.GetProperty("at_clause").ValueKind != JsonValueKind.Null) throw new QueryRefusedException("AT is not allowed in a query.");
    }

    static void CheckFunction(JsonElement function, HashSet<string> allowed, string how)
    {
        if (function.ValueKind != JsonValueKind.Object || !function.TryGetProperty("function_name", out var property))
            throw new QueryRefusedException("Something other than a function is called as a table.");
        var name = property.GetString()!;
        var schema = function.TryGetProperty("schema", out var place) ? place.GetString() : "";
        var catalog = function.TryGetProperty("catalog", out place) ? place.GetString() : "";
        var builtIn = string.IsNullOrEmpty(catalog) && (string.IsNullOrEmpty(schema) || schema is "main" or "pg_catalog");
        if (!builtIn || !allowed.Contains(name)) throw new QueryRefusedException($"The function '{name}' can't be used{(how.Length == 0 ? "" : " " + how)} in a query.");
    }

    // Types that are not the parser's own would be looked up by name, in the catalog or in extensions.
    static void CheckType(JsonElement type)
    {
        if (type.ValueKind == JsonValueKind.Array)
        {
            foreach (var item in type.EnumerateArray()) CheckType(item);
        }
        if (type.ValueKind != JsonValueKind.Object) return;
        if (TypeOf(type) is "UNBOUND_TYPE_INFO")
        {
            var name = type.GetProperty("name").GetString()!;
            var place = type.GetProperty("schema").GetString() + type.GetProperty("catalog").GetString();
            if (place.Length > 0 || !NamedTypes.Contains(name)) throw new QueryRefusedException($"The type '{name}' can't be used in a query.");
        }
        foreach (var property in type.EnumerateObject()) CheckType(property.Value);
    }

    static string? TypeOf(JsonElement element) =>
        element.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String ? type.GetString() : null;

    static string Plain(string type) => type.Replace('_', ' ').ToLowerInvariant();
}
