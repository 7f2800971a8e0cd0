using System.Globalization;
using Logwarden.Match;

namespace Logwarden.Query;

/// <summary>A field by its name in the filter language, as an expression over the view <c>events</c>.</summary>
static class FieldSql
{
    /// <summary>Writes the expression; texts of the field become parameters.</summary>
    /// <exception cref="QueryRefusedException">There is no such field.</exception>
    public static string Value(string field, List<object> parameters)
    {
        if (field is "kinds" or "missing") return $"\"{field}\"";
        var parsed = PredicateParser.Parse($"exists({field})");
        if (parsed.Error is { } error) throw new QueryRefusedException($"No field '{field}': {error.ToString()}");
        switch (parsed.Predicate)
        {
            case Predicate.Has { Field: Field.Column column }:
                return SqlWriter.Column(column.Name);
            case Predicate.Has { Field: Field.Path path }:
                parameters.Add("$" + string.Concat(path.Segments.Select(segment => $".\"{segment.Replace("\"", "\\\"", StringComparison.Ordinal)}\"")));
                return "json_extract_string(event, ?)";
            default:
                throw new QueryRefusedException(string.Create(CultureInfo.InvariantCulture, $"'{field}' is not a field."));
        }
    }
}
