using System.Buffers;
using System.Text;
using Logwarden.Formats;
using Logwarden.Redaction;

namespace Logwarden.Tests.Formats;

public class PostgresDataTests
{
    const string Gone = "[REDACTED:sql-literal]";

    [Theory]
    [InlineData("2026-01-02 03:04:05 UTC [7] u@d LOG:  statement: select 'Zaphod1', 42", "2026-01-02 03:04:05 UTC [7] u@d LOG:  statement: select #, #")]
    [InlineData("2026-01-02 03:04:05 UTC [7] u@d DETAIL:  Key (mail)=(Zaphod1) already exists.", "2026-01-02 03:04:05 UTC [7] u@d DETAIL:  Key (mail)=(#) already exists.")]
    [InlineData("2026-01-02 03:04:05 UTC [7] u@d STATEMENT:  update t set a = $q$Zaphod1$q$", "2026-01-02 03:04:05 UTC [7] u@d STATEMENT:  update t set a = #")]
    [InlineData("2026-01-02 03:04:05 UTC [7] u@d CONTEXT:  unnamed portal with parameters: $1 = 'Zaphod1', $2 = NULL", "2026-01-02 03:04:05 UTC [7] u@d CONTEXT:  unnamed portal with parameters: $1 = '#', $2 = NULL")]
    [InlineData("2026-01-02 03:04:05 UTC [7] u@d LOG:  AUDIT: SESSION,1,1,WRITE,INSERT,TABLE,t,\"insert into \"\"t\"\" values ('Zaphod1')\",\"Zaphod1,2\"", "2026-01-02 03:04:05 UTC [7] u@d LOG:  AUDIT: SESSION,1,1,WRITE,INSERT,TABLE,t,\"insert into \"\"t\"\" values (#)\",#")]
    [InlineData("2026-01-02 03:04:05 UTC [7] u@d LOG:  connection authorized: user=u database=d", null)]
    [InlineData("{\"pid\":7,\"message\":\"duration: 1 ms  statement: select \\\"a\\\" from t\\nwhere b = 'Z\\u0061phod1'\"}", "{\"pid\":7,\"message\":\"duration: 1 ms  statement: select \\\"a\\\" from t\\nwhere b = #\"}")]
    [InlineData("{\"pid\":7,\"message\":\"x\",\"statement\":\"select 'Zaphod1'\"}", "{\"pid\":7,\"message\":\"x\",\"statement\":\"select #\"}")]
    [InlineData("2026-01-02 03:04:05.678 UTC,\"u\",\"d\",7,\"[local]\",6a.1,1,\"SELECT\",2026-01-02 03:04:05 UTC,3/4,0,LOG,00000,\"statement: select \"\"a\"\" from t where b = 'Zaphod1'\",,,,,,,,,\"psql\"", "2026-01-02 03:04:05.678 UTC,\"u\",\"d\",7,\"[local]\",6a.1,1,\"SELECT\",2026-01-02 03:04:05 UTC,3/4,0,LOG,00000,\"statement: select \"\"a\"\" from t where b = #\",,,,,,,,,\"psql\"")]
    public void A_record_in_any_form_keeps_its_shape_and_loses_its_data(string record, string? expected)
    {
        expected = (expected ?? record).Replace("#", Gone, StringComparison.Ordinal);
        Assert.Equal(expected, Redact(record));
        Assert.Equal(expected, Redact(expected));
    }

    static string Redact(string record)
    {
        var bytes = Encoding.UTF8.GetBytes(record);
        Assert.Equal(bytes.Length, PostgresData.RecordLength(bytes));
        var output = new ArrayBufferWriter<byte>();
        var found = new PostgresData().Find(bytes, record[0] == '{', PostgresStatements.WithoutLiterals);
        return Redactor.Create(new RedactionOptions()).Postgres(bytes, found, record[0] == '{', new RedactionScratch(), output)
            ? Encoding.UTF8.GetString(output.WrittenSpan)
            : record;
    }
}
