using System.Buffers;
using System.CommandLine;
using System.Text.Json;
using Logwarden.Formats;
using Logwarden.Hosting;
using Logwarden.Redaction;

namespace Logwarden.Commands;

/// <summary><c>logwarden redact</c>: the redaction of the pipeline as a filter for text or NDJSON.</summary>
static class RedactCommand
{
    public static Command Create()
    {
        var files = Cli.Files();
        var policy = Cli.PolicyInForce();
        var data = Cli.Data();
        var format = new Option<string>("--format")
        {
            Description = "text, ndjson, or auto: a line that is a JSON document is treated as one, all else as text. pgaudit: a PostgreSQL log in any of its forms; the literals of its statements and the data in its messages go as well.",
            DefaultValueFactory = _ => "auto",
        };
        format.AcceptOnlyFromAmong("auto", "text", "ndjson", "pgaudit");
        var report = new Option<string?>("--report")
        {
            Description = "One JSON line for each finding (rule, file, line, offset and length in bytes; never the secret), into FILE, or in place of the redacted text where no FILE is given.",
            Arity = ArgumentArity.ZeroOrOne,
            HelpName = "FILE",
        };
        var payloads = new Option<bool>("--drop-payloads") { Description = "Also drop request and response bodies whole, by field name, as the pipeline does, and with --format pgaudit whole statements. Without it they are scanned like the rest." };
        var command = new Command("redact", "Takes secrets and personal data out of text or NDJSON.") { files, format, report, payloads, policy, data };
        command.SetAction(parsed =>
        {
            var rules = PolicyFile.InForce(parsed.GetValue(policy), parsed.GetRequiredValue(data));
            var redactor = parsed.GetValue(payloads) ? rules.Redactor : rules.RedactorOfPayloads();
            var wanted = parsed.GetResult(report) is not null;
            var path = parsed.GetValue(report);
            using var output = Console.OpenStandardOutput();
            using var reportFile = path is null ? null : File.Create(path);
            var filter = new RedactFilter(redactor, parsed.GetRequiredValue(format), wanted && path is null ? null : output, wanted ? reportFile ?? output : null)
            {
                Statements = parsed.GetValue(payloads) ? PostgresStatements.Removed : PostgresStatements.WithoutLiterals,
            };
            foreach (var file in parsed.GetRequiredValue(files))
            {
                using var input = Input.Open(file);
                filter.Run(input, file);
            }
            return Cli.Ok;
        });
        return command;
    }
}

/// <summary>
/// Feeds an input to the redactor in pieces: a JSON line by itself, text in blocks of whole lines, so that a key block which
/// spans lines is seen whole.
/// </summary>
sealed class RedactFilter(Redactor redactor, string format, Stream? output, Stream? report)
{
    const int BlockBytes = 1024 * 1024;
    const int BlockBytesMax = 64 * 1024 * 1024;

    readonly RedactionScratch _scratch = new();
    readonly PostgresData _postgres = new();
    readonly ArrayBufferWriter<byte> _redacted = new(BlockBytes);
    byte[] _buffer = new byte[2 * BlockBytes];
    string _file = "";
    long _offset;
    long _line;

    /// <summary>What becomes of statements in a PostgreSQL log.</summary>
    public PostgresStatements Statements { get; init; }

    public void Run(Stream input, string file)
    {
        (_file, _offset, _line) = (file, 0, 1);
        var held = 0;
        while (true)
        {
            if (held == _buffer.Length)
            {
                if (_buffer.Length >= BlockBytesMax) held = Flush(held, isEnd: true);
                else Array.Resize(ref _buffer, _buffer.Length * 2);
            }
            var read = input.Read(_buffer, held, _buffer.Length - held);
            held += read;
            if (read == 0)
            {
                Flush(held, isEnd: true);
                return;
            }
            if (held >= BlockBytes) held = Flush(held, isEnd: false);
        }
    }

    /// <summary>Works off the whole lines that are held.</summary>
    /// <returns>Bytes that stay, moved to the front.</returns>
    int Flush(int held, bool isEnd)
    {
        var bytes = _buffer.AsSpan(0, held);
        int end;
        if (string.Equals(format, "pgaudit", StringComparison.Ordinal))
        {
            end = Postgres(bytes, isEnd);
        }
        else
        {
            end = isEnd ? held : Boundary(bytes);
            if (end > 0) Block(bytes[..end]);
        }
        bytes[end..].CopyTo(_buffer);
        return held - end;
    }

    /// <summary>The last line end that is not within a PEM block.</summary>
    static int Boundary(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.LastIndexOf((byte)'\n') + 1;
        var begin = bytes[..end].LastIndexOf("-----BEGIN "u8);
        if (begin < 0 || bytes[begin..end].IndexOf("-----END "u8) >= 0) return end;
        return bytes[..begin].LastIndexOf((byte)'\n') + 1;
    }

    /// <summary>Works off the whole records: one is whole when the next has begun, so before the end the last one waits.</summary>
    /// <returns>Bytes worked off.</returns>
    int Postgres(ReadOnlySpan<byte> bytes, bool isEnd)
    {
        var at = 0;
        while (at < bytes.Length)
        {
            var length = PostgresData.RecordLength(bytes[at..]);
            if (!isEnd && at + length == bytes.Length) break;
            var record = bytes.Slice(at, length).TrimEnd("\r\n"u8);
            var isJson = IsJson(record);
            _redacted.ResetWrittenCount();
            Emit(record, redactor.Postgres(record, _postgres.Find(record, isJson, Statements), isJson, _scratch, _redacted));
            Pass(bytes[(at + record.Length)..(at + length)]);
            at += length;
        }
        return at;
    }

    void Block(ReadOnlySpan<byte> block)
    {
        if (string.Equals(format, "text", StringComparison.Ordinal))
        {
            Text(block);
            return;
        }
        var textStart = 0;
        var at = 0;
        while (at < block.Length)
        {
            var newline = block[at..].IndexOf((byte)'\n');
            var next = newline < 0 ? block.Length : at + newline + 1;
            var line = block[at..next].TrimEnd("\r\n"u8);
            if (IsJson(line))
            {
                Text(block[textStart..at]);
                Json(line);
                Pass(block[(at + line.Length)..next]);
                textStart = next;
            }
            at = next;
        }
        Text(block[textStart..]);
    }

    static bool IsJson(ReadOnlySpan<byte> line)
    {
        var trimmed = line.TrimStart(" \t"u8);
        if (trimmed.IsEmpty || trimmed[0] is not ((byte)'{' or (byte)'[' or (byte)'"')) return false;
        var reader = new Utf8JsonReader(line, new JsonReaderOptions { MaxDepth = 128 });
        try
        {
            while (reader.Read()) { }
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    void Text(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty) return;
        _redacted.ResetWrittenCount();
        Emit(text, redactor.Text(text, _scratch, _redacted));
    }

    void Json(ReadOnlySpan<byte> line)
    {
        _redacted.ResetWrittenCount();
        Emit(line, redactor.Json(line, [], _scratch, _redacted));
    }

    void Emit(ReadOnlySpan<byte> original, bool changed)
    {
        if (changed && report is not null) Report(original);
        Pass(original, changed ? _redacted.WrittenSpan : original);
    }

    void Pass(ReadOnlySpan<byte> original) => Pass(original, original);

    void Pass(ReadOnlySpan<byte> original, ReadOnlySpan<byte> written)
    {
        output?.Write(written);
        _offset += original.Length;
        _line += original.Count((byte)'\n');
    }

    void Report(ReadOnlySpan<byte> original)
    {
        var line = new ArrayBufferWriter<byte>();
        foreach (var finding in _scratch.Findings)
        {
            line.ResetWrittenCount();
            using (var json = new Utf8JsonWriter(line))
            {
                json.WriteStartObject();
                json.WriteString("rule", finding.RuleId);
                json.WriteString("file", _file);
                json.WriteNumber("line", _line + original[..finding.Start].Count((byte)'\n'));
                json.WriteNumber("offset", _offset + finding.Start);
                json.WriteNumber("length", finding.Length);
                json.WriteEndObject();
            }
            line.Write("\n"u8);
            report!.Write(line.WrittenSpan);
        }
    }
}
