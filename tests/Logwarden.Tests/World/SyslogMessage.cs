using System.Globalization;
using System.Text;

namespace Logwarden.Tests.World;

/// <summary>A message of RFC 5424, read strictly by its grammar.</summary>
sealed record SyslogMessage
{
    static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    public required int Facility { get; init; }
    public required int Severity { get; init; }

    /// <summary>Null is the nil value, here and below.</summary>
    public required DateTimeOffset? Time { get; init; }

    public required string? Host { get; init; }
    public required string? App { get; init; }
    public required string? Process { get; init; }
    public required string? MessageId { get; init; }

    /// <summary>SD-ID, then parameters in their order.</summary>
    public required IReadOnlyList<(string Id, IReadOnlyList<(string Name, string Value)> Parameters)> Data { get; init; }

    public required bool HasBom { get; init; }

    /// <summary>Without the byte order mark; null when there is none.</summary>
    public required byte[]? Text { get; init; }

    /// <exception cref="FormatException">It is not such a message; says what and where.</exception>
    public static SyslogMessage Parse(ReadOnlySpan<byte> message)
    {
        var reader = new Reader(message);
        reader.Take('<');
        var priority = reader.Number(3);
        if (priority > 191) throw new FormatException("PRIVAL is more than 191");
        reader.Take('>');
        if (reader.Number(3) != 1) throw new FormatException("VERSION is not 1");
        reader.Take(' ');
        var time = Timestamp(reader.Word(32));
        var (host, app, process, id) = (reader.Word(255), reader.Word(48), reader.Word(128), reader.Word(32));
        var data = reader.Data();
        byte[]? text = null;
        var hasBom = false;
        if (!reader.IsAtEnd)
        {
            reader.Take(' ');
            var rest = reader.Rest();
            hasBom = rest.StartsWith(new byte[] { 0xEF, 0xBB, 0xBF });
            text = rest[(hasBom ? 3 : 0)..].ToArray();
            if (hasBom) Strict.GetCharCount(text);
        }
        return new()
        {
            Facility = priority / 8,
            Severity = priority % 8,
            Time = time,
            Host = host,
            App = app,
            Process = process,
            MessageId = id,
            Data = data,
            HasBom = hasBom,
            Text = text,
        };
    }

    /// <summary>Value of a parameter; null when there is none.</summary>
    public string? Parameter(string name) => Data.SelectMany(element => element.Parameters).Where(parameter => parameter.Name == name).Select(parameter => parameter.Value).SingleOrDefault();

    static DateTimeOffset? Timestamp(string? text)
    {
        if (text is null) return null;
        // FULL-DATE "T" TIME-HOUR ":" TIME-MINUTE ":" TIME-SECOND ["." 1*6DIGIT] ("Z" / ±hh:mm), letters in upper case.
        string[] forms = ["yyyy-MM-dd'T'HH:mm:ssK", .. Enumerable.Range(1, 6).Select(digits => $"yyyy-MM-dd'T'HH:mm:ss.{new string('f', digits)}K")];
        if (text[^1] != 'Z' && !(text.Length > 6 && text[^6] is '+' or '-')) throw new FormatException("TIMESTAMP has no zone");
        return DateTimeOffset.TryParseExact(text, forms, CultureInfo.InvariantCulture, DateTimeStyles.None, out var time) ? time : throw new FormatException($"TIMESTAMP {text}");
    }

    ref struct Reader(ReadOnlySpan<byte> message)
    {
        readonly ReadOnlySpan<byte> _message = message;
        int _at;

        public readonly bool IsAtEnd => _at == _message.Length;

        readonly byte Next => _at < _message.Length ? _message[_at] : throw new FormatException("ends too early");

        public void Take(char c)
        {
            if (Next != c) throw new FormatException($"no {c} at byte {_at}");
            _at++;
        }

        public int Number(int digits)
        {
            var from = _at;
            while (_at - from < digits && Next is >= (byte)'0' and <= (byte)'9') _at++;
            if (_at == from || (_message[from] == '0' && _at - from > 1)) throw new FormatException($"no number at byte {from}");
            return int.Parse(_message[from.._at], CultureInfo.InvariantCulture);
        }

        /// <summary>Printable ASCII up to a blank, which is taken too.</summary>
        public string? Word(int max)
        {
            var from = _at;
            while (Next is >= 33 and <= 126) _at++;
            var length = _at - from;
            if (length == 0 || length > max) throw new FormatException($"field of {length} bytes at byte {from}");
            Take(' ');
            var text = Encoding.ASCII.GetString(_message.Slice(from, length));
            return text == "-" ? null : text;
        }

        public List<(string, IReadOnlyList<(string, string)>)> Data()
        {
            var elements = new List<(string, IReadOnlyList<(string, string)>)>();
            if (Next == '-')
            {
                _at++;
                return elements;
            }
            do
            {
                Take('[');
                var id = Name();
                if (elements.Exists(element => element.Item1 == id)) throw new FormatException("SD-ID twice");
                var parameters = new List<(string, string)>();
                while (Next == ' ')
                {
                    _at++;
                    var name = Name();
                    Take('=');
                    Take('"');
                    parameters.Add((name, Value()));
                }
                Take(']');
                elements.Add((id, parameters));
            }
            while (!IsAtEnd && Next == '[');
            return elements;
        }

        public ReadOnlySpan<byte> Rest() => _message[_at..];

        string Name()
        {
            var from = _at;
            while (Next is >= 33 and <= 126 and not ((byte)'=' or (byte)']' or (byte)'"')) _at++;
            if (_at == from || _at - from > 32) throw new FormatException($"SD-NAME of {_at - from} bytes at byte {from}");
            return Encoding.ASCII.GetString(_message[from.._at]);
        }

        string Value()
        {
            var value = new List<byte>();
            for (; Next != '"'; _at++)
            {
                if (Next == ']') throw new FormatException($"] not escaped at byte {_at}");
                if (Next == '\\')
                {
                    _at++;
                    if (Next is not ((byte)'"' or (byte)'\\' or (byte)']')) throw new FormatException($"odd escape at byte {_at}");
                }
                // The RFC allows control characters; a receiver that writes lines does not want them.
                if (Next is < 32 or 127) throw new FormatException($"control character at byte {_at}");
                value.Add(Next);
            }
            _at++;
            return Strict.GetString([.. value]);
        }
    }
}
