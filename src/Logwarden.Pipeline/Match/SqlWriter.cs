using System.Globalization;
using System.Text;

namespace Logwarden.Match;

/// <summary>
/// Writes a predicate as a condition of DuckDB SQL over the view <c>events</c>, with the same matches as <see cref="Matcher"/>. All texts of
/// the predicate are parameters (<c>?</c>, in order); names are quoted. Times compare as TIMESTAMPTZ.
/// A condition is true or it is not: null counts as false, and under NOT as true.
/// </summary>
public static class SqlWriter
{
    /// <summary>Writes the condition.</summary>
    public static (string Sql, IReadOnlyList<object> Parameters) Write(Predicate predicate)
    {
        var writing = new Writing();
        writing.Append(predicate);
        return (writing.Sql.ToString(), writing.Parameters);
    }

    /// <summary>An identifier of the view, quoted.</summary>
    public static string Column(EventColumn column) => $"\"{EventColumns.Name(column)}\"";

    sealed class Writing
    {
        internal StringBuilder Sql { get; } = new();

        internal List<object> Parameters { get; } = [];

        internal void Append(Predicate predicate)
        {
            switch (predicate)
            {
                case Predicate.Everything:
                    Sql.Append("true");
                    break;
                case Predicate.AllOf all:
                    Joined(all.Parts, " AND ");
                    break;
                case Predicate.AnyOf any:
                    Joined(any.Parts, " OR ");
                    break;
                case Predicate.Negation not:
                    Sql.Append("((");
                    Append(not.Part);
                    Sql.Append(") IS NOT TRUE)");
                    break;
                case Predicate.KindTest kind:
                    Flags("kinds", (int)kind.Kinds);
                    break;
                case Predicate.MissingTest missing:
                    Flags("missing", (int)missing.Fields);
                    break;
                case Predicate.FreeText free:
                    AppendFreeText(free.Pattern);
                    break;
                case Predicate.Has { Field: Field.Column column }:
                    Sql.Append(EventColumns.Type(column.Name) == ColumnType.Text ? $"{Column(column.Name)} <> ''" : "true");
                    break;
                case Predicate.Has { Field: Field.Path path }:
                    AppendPath(path, value => Sql.Append(CultureInfo.InvariantCulture, $"json_type({value}) <> 'NULL' AND {value}::VARCHAR <> '\"\"'"));
                    break;
                case Predicate.FieldTest { Field: Field.Column column } test:
                    AppendColumn(column.Name, test.Tests);
                    break;
                case Predicate.FieldTest { Field: Field.Path path } test:
                    AppendPath(path, value => AppendAny(test.Tests, one => AppendJsonTest(value, one)));
                    break;
            }
        }

        string Parameter(object value)
        {
            Parameters.Add(value);
            return "?";
        }

        void Joined(ValueList<Predicate> parts, string separator)
        {
            for (var i = 0; i < parts.Count; i++)
            {
                Sql.Append(i == 0 ? "(" : separator);
                Append(parts[i]);
            }
            Sql.Append(')');
        }

        void Flags(string column, int bits) =>
            Sql.Append(CultureInfo.InvariantCulture, $"({(bits == 0 ? $"\"{column}\" = 0" : $"(\"{column}\" & {bits}) <> 0")})");

        void AppendAny(ValueList<ValueTest> tests, Action<ValueTest> append)
        {
            for (var i = 0; i < tests.Count; i++)
            {
                Sql.Append(i == 0 ? "(" : " OR ");
                append(tests[i]);
            }
            Sql.Append(')');
        }

        void AppendColumn(EventColumn column, ValueList<ValueTest> tests)
        {
            var name = Column(column);
            var type = EventColumns.Type(column);
            AppendAny(tests, test =>
            {
                if (type == ColumnType.Text) AppendTextTest(name, test);
                else AppendWholeTest(name, (ValueTest.WholeRange)test, type == ColumnType.Time ? "make_timestamptz({0}::BIGINT)" : "{0}");
            });
        }

        void AppendWholeTest(string name, ValueTest.WholeRange range, string format)
        {
            string Bound(long value) => string.Format(CultureInfo.InvariantCulture, format, value.ToString(CultureInfo.InvariantCulture));
            if (range.Min is { } only && range.Max == only) Sql.Append(CultureInfo.InvariantCulture, $"{name} = {Bound(only)}");
            else if (range is { Min: { } min, Max: { } max }) Sql.Append(CultureInfo.InvariantCulture, $"({name} >= {Bound(min)} AND {name} <= {Bound(max)})");
            else if (range.Min is { } low) Sql.Append(CultureInfo.InvariantCulture, $"{name} >= {Bound(low)}");
            else if (range.Max is { } high) Sql.Append(CultureInfo.InvariantCulture, $"{name} <= {Bound(high)}");
            else Sql.Append("true");
        }

        void AppendTextTest(string text, ValueTest test)
        {
            switch (test)
            {
                case ValueTest.EqualTo equal:
                    Sql.Append(CultureInfo.InvariantCulture, $"lower({text}) = {Parameter(TextFold.Lower(equal.Text))}");
                    break;
                case ValueTest.Exactly exactly:
                    Sql.Append(CultureInfo.InvariantCulture, $"{text} = {Parameter(exactly.Text)}");
                    break;
                case ValueTest.Fits like:
                    Sql.Append(CultureInfo.InvariantCulture, $"lower({text}) LIKE {Parameter(like.Pattern.ToLike())} ESCAPE '\\'");
                    break;
                case ValueTest.InNetwork network:
                    Sql.Append(SqlNetwork.Condition(text, network.Network));
                    break;
                default:
                    Sql.Append("false");
                    break;
            }
        }

        void AppendJsonTest(string value, ValueTest test)
        {
            if (test is ValueTest.RealRange range)
            {
                AppendNumber(value, range);
                return;
            }
            Sql.Append(CultureInfo.InvariantCulture, $"(json_type({value}) = 'VARCHAR' AND ");
            AppendTextTest($"json_extract_string({value}, '$')", test);
            Sql.Append(')');
            if (test is not ValueTest.EqualTo equal) return;
            if (JsonNumber.TryParse(equal.Text, out var number))
            {
                Sql.Append(" OR ");
                AppendNumber(value, new(number, true, number, true));
            }
            if (equal.Text.Equals("true", StringComparison.OrdinalIgnoreCase)) Sql.Append(CultureInfo.InvariantCulture, $" OR {value}::VARCHAR = 'true'");
            if (equal.Text.Equals("false", StringComparison.OrdinalIgnoreCase)) Sql.Append(CultureInfo.InvariantCulture, $" OR {value}::VARCHAR = 'false'");
        }

        void AppendNumber(string value, ValueTest.RealRange range)
        {
            var number = $"TRY_CAST({value}::VARCHAR AS DOUBLE)";
            Sql.Append(CultureInfo.InvariantCulture, $"(json_type({value}) IN ('BIGINT', 'UBIGINT', 'DOUBLE')");
            if (range.Min is { } min) Sql.Append(CultureInfo.InvariantCulture, $" AND {number} {(range.MinIncluded ? ">=" : ">")} {Parameter(min)}");
            if (range.Max is { } max) Sql.Append(CultureInfo.InvariantCulture, $" AND {number} {(range.MaxIncluded ? "<=" : "<")} {Parameter(max)}");
            Sql.Append(')');
        }

        /// <summary>Some value at the path fulfils the condition: step by step, with the elements in place of each array.</summary>
        void AppendPath(Field.Path path, Action<string> condition)
        {
            var last = path.Segments[^1];
            var guarded = JsonScan.IsNeverEscaped(last);
            if (guarded) Sql.Append(CultureInfo.InvariantCulture, $"CASE WHEN contains(\"event\", {Parameter($"\"{last}\"")}) OR contains(\"event\", '\\u') THEN ");
            Sql.Append("len(list_filter(");
            AppendValues(path.Segments, path.Segments.Count);
            Sql.Append(", lambda v: ");
            condition("v");
            Sql.Append(")) > 0");
            if (guarded) Sql.Append(" ELSE false END");
        }

        void AppendValues(ValueList<string> segments, int count)
        {
            Sql.Append("flatten(list_transform(");
            if (count == 0)
            {
                Sql.Append("[\"event\"::JSON]");
            }
            else if (count == 1)
            {
                Sql.Append('[');
                AppendKey("\"event\"", segments[0]);
                Sql.Append(']');
            }
            else
            {
                Sql.Append("list_transform(");
                AppendValues(segments, count - 1);
                Sql.Append(", lambda x: ");
                AppendKey("x", segments[count - 1]);
                Sql.Append(')');
            }
            Sql.Append(", lambda x: CASE WHEN json_type(x) = 'ARRAY' THEN json_extract(x, '$[*]') ELSE [x] END))");
        }

        // DuckDB's own paths know no escapes and take "*" for a wildcard even in quotes; a JSON pointer can say every key, but
        // takes digits for an index when it meets an array
        void AppendKey(string from, string key)
        {
            if (key.Length > 0 && !key.AsSpan().ContainsAny('"', '\\', '*'))
            {
                Sql.Append(CultureInfo.InvariantCulture, $"json_extract({from}, {Parameter($"$.\"{key}\"")})");
            }
            else
            {
                var pointer = "/" + key.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
                Sql.Append(CultureInfo.InvariantCulture, $"CASE WHEN json_type({from}) = 'OBJECT' THEN json_extract({from}, {Parameter(pointer)}) END");
            }
        }

        void AppendFreeText(TextPattern pattern)
        {
            Sql.Append("CASE WHEN ");
            var literal = JsonScan.LongestPlainRun(pattern);
            if (literal.Length > 0) Sql.Append(CultureInfo.InvariantCulture, $"contains(lower(\"event\"), {Parameter(literal)}) OR contains(\"event\", '\\u')");
            else Sql.Append("true");
            Sql.Append(" THEN len(list_filter(json_extract(\"event\", '$..*'), lambda v: json_type(v) = 'VARCHAR' AND ");
            const string Text = "lower(json_extract_string(v, '$'))";
            if (pattern.HasWildcards) Sql.Append(CultureInfo.InvariantCulture, $"{Text} LIKE {Parameter(TextPattern.FromEscaped($"*{pattern.Text}*").ToLike())} ESCAPE '\\'");
            else Sql.Append(CultureInfo.InvariantCulture, $"contains({Text}, {Parameter(TextFold.Lower(pattern.Unescaped()))})");
            Sql.Append(")) > 0 ELSE false END");
        }
    }
}
