using System.Buffers;

namespace Logwarden.Redaction;

public sealed partial class Redactor
{
    /// <summary>
    /// Redacts one record of a PostgreSQL log like any text or JSON document, and besides the ranges that
    /// <see cref="PostgresText"/> found in it.
    /// </summary>
    /// <param name="record">The record: valid JSON when <paramref name="isJson"/>.</param>
    /// <param name="data">The ranges, in order and apart; in a JSON document each lies within one string.</param>
    /// <param name="isJson">Whether the record is a JSON document.</param>
    /// <param name="scratch">The calling thread's working memory.</param>
    /// <param name="output">Where the redacted record goes.</param>
    /// <returns>False, and nothing was written, when nothing was changed.</returns>
    public bool Postgres(ReadOnlySpan<byte> record, List<Range> data, bool isJson, RedactionScratch scratch, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(scratch);
        if (data.Count == 0 || ActionOf(RedactionRules.SqlLiteral) == RedactionAction.Keep)
            return isJson ? Json(record, [], scratch, output) : Text(record, scratch, output);
        scratch.Begin(this);
        foreach (var range in data)
        {
            var (start, length) = range.GetOffsetAndLength(record.Length);
            scratch.Hits.Add(new RedactionFinding(RedactionRules.SqlLiteral, start, length, ActionOf(RedactionRules.SqlLiteral)));
        }
        Settle(record, [], scratch, isJson);
        Write(record, scratch, output);
        return true;
    }
}
