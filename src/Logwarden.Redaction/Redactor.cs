using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Logwarden.Redaction.Rules;

namespace Logwarden.Redaction;

/// <summary>
/// Finds secrets and personal data in JSON documents and in text, and replaces them. Immutable and safe for any number of
/// threads, each with a <see cref="RedactionScratch"/> of its own. Bad input is no error: invalid UTF-8 is passed on as it is.
/// </summary>
public sealed partial class Redactor
{
    readonly RedactionAction[] _actions;
    readonly bool[] _personal;
    readonly byte[] _pseudonymKey;
    readonly HashSet<string> _payloadEnds;
    readonly Dictionary<string, FieldKind> _fields;

    Redactor(RedactionOptions options)
    {
        _actions = new RedactionAction[RedactionRules.All.Count];
        _personal = [.. RedactionRules.All.Select(r => r.Family == RuleFamily.Personal)];
        foreach (var id in options.DisabledRules) _actions[Known(id)] = RedactionAction.Keep;
        foreach (var (id, action) in options.Actions)
            if (!options.DisabledRules.Contains(id)) _actions[Known(id)] = action;
        _pseudonymKey = options.PseudonymKey.ToArray();
        if (_pseudonymKey.Length < 16 && (options.Actor == ActorTreatment.Pseudonym || _actions.Contains(RedactionAction.Pseudonym)))
            throw new ArgumentException("Pseudonyms need a key of at least 16 bytes.", nameof(options));
        ActorPersonal = options.Actor switch
        {
            ActorTreatment.Keep => Personal.Keep,
            ActorTreatment.Pseudonym => Personal.Pseudonym,
            _ => Personal.ByRule,
        };
        var payloads = options.PayloadFields.ToLookup(f => f.Contains('.', StringComparison.Ordinal));
        _payloadEnds = new(payloads[true].Select(LastTwo), StringComparer.OrdinalIgnoreCase);
        _fields = FieldsOf(options, payloads[false]);
        AwsKeyId = RedactionRules.IndexOf("aws-access-key-id");
    }

    /// <summary>Every rule there is: for documentation and to validate a policy.</summary>
    public static IReadOnlyList<RedactionRule> Rules => RedactionRules.All;

    internal Personal ActorPersonal { get; }

    internal int AwsKeyId { get; }

    internal int AlibabaKeyId { get; } = RedactionRules.IndexOf("alibaba-access-key-id");

    internal int Vault { get; } = RedactionRules.IndexOf("hashicorp-vault-token");

    internal int Terraform { get; } = RedactionRules.IndexOf("terraform-token");

    internal int GoogleClient { get; } = RedactionRules.IndexOf("gcp-oauth-secret");

    /// <summary>Builds a redactor.</summary>
    /// <exception cref="ArgumentException">A rule id is unknown, or a pseudonym key is missing.</exception>
    public static Redactor Create(RedactionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new Redactor(options);
    }

    /// <summary>
    /// Redacts one valid JSON document. Returns false, and writes nothing, when nothing was changed; true when the redacted
    /// document, valid JSON again, was written. What was found is in <see cref="RedactionScratch.Findings"/>.
    /// </summary>
    /// <param name="json">One valid JSON document, compact or not.</param>
    /// <param name="actors">The values that name the actor, by offset.</param>
    /// <param name="scratch">The calling thread's working memory.</param>
    /// <param name="output">Where the redacted document goes.</param>
    public bool Json(ReadOnlySpan<byte> json, ReadOnlySpan<ProtectedSpan> actors, RedactionScratch scratch, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(scratch);
        ArgumentNullException.ThrowIfNull(output);
        scratch.Begin(this);
        new JsonWalk(this, scratch, json, actors).Run();
        if (scratch.Hits.Count == 0) return false;
        Settle(json, actors, scratch, isJson: true);
        Write(json, scratch, output);
        return true;
    }

    /// <summary>
    /// Redacts plain text: one line of a log or a whole file. Returns false, and writes nothing, when nothing was changed.
    /// </summary>
    /// <param name="text">Any bytes.</param>
    /// <param name="scratch">The calling thread's working memory.</param>
    /// <param name="output">Where the redacted text goes.</param>
    public bool Text(ReadOnlySpan<byte> text, RedactionScratch scratch, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(scratch);
        ArgumentNullException.ThrowIfNull(output);
        scratch.Hits.Clear();
        new Scanner(this, scratch, text, text.Length, 0, 0, Personal.ByRule, identifier: false).Run();
        if (scratch.Hits.Count == 0) return false;
        Settle(text, [], scratch, isJson: false);
        Write(text, scratch, output);
        return true;
    }

    // What was replaced may let something beside it be read differently: scan the result until nothing more is found. Then
    // redacting the result again changes nothing, and no half of a secret is left beside a marker.
    void Settle(ReadOnlySpan<byte> input, ReadOnlySpan<ProtectedSpan> actors, RedactionScratch scratch, bool isJson)
    {
        const int RoundsMax = 32;
        var result = scratch.Result;
        for (var round = 0; round < RoundsMax; round++)
        {
            var known = scratch.Known;
            known.Clear();
            known.AddRange(scratch.Hits);
            result.ResetWrittenCount();
            Write(input, scratch, result);
            scratch.Hits.Clear();
            var text = result.WrittenSpan;
            if (isJson)
            {
                var moved = scratch.Actors;
                moved.Clear();
                foreach (var actor in actors) moved.Add(Moved.Forward(known, actor));
                new JsonWalk(this, scratch, text, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(moved)).Run();
            }
            else
            {
                new Scanner(this, scratch, text, text.Length, 0, 0, Personal.ByRule, identifier: false).Run();
            }
            var more = scratch.Hits.Count > 0 && Moved.Merge(known, scratch.Hits);
            scratch.Hits.Clear();
            scratch.Hits.AddRange(known);
            if (!more) return;
        }
    }

    /// <summary>Length of what replaces a hit.</summary>
    internal static int MarkerLength(in RedactionFinding hit) =>
        hit.RuleId.Length + (hit.Action == RedactionAction.Pseudonym ? 12 + 1 + PseudonymLength : 11) + (hit.Bare ? 2 : 0);

    const int PseudonymLength = 16;

    internal RedactionAction ActionOf(int rule) => _actions[rule];

    internal bool IsPersonal(int rule) => _personal[rule];

    internal FieldKind ReadField(ReadOnlySpan<byte> name)
    {
        const int StackMax = 128;
        if (name.IndexOf((byte)'\\') >= 0) return ReadField(Plain(name));
        var kind = (FieldKind)KeyNames.Read(name);
        var text = name.Length <= StackMax ? stackalloc char[StackMax] : new char[name.Length];
        var length = Encoding.UTF8.GetChars(name, text);
        return _fields.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text[..length], out var known) ? kind | known : kind;
    }

    internal static readonly string[] NamesFields = ["name", "key", "parameterKey", "parameterName", "header"];

    // What the names of fields mean by themselves and by the options.
    Dictionary<string, FieldKind> FieldsOf(RedactionOptions options, IEnumerable<string> payloads)
    {
        Dictionary<string, FieldKind> fields = new(StringComparer.OrdinalIgnoreCase);
        void Add(FieldKind kind, IEnumerable<string> names)
        {
            foreach (var name in names) fields[name] = fields.GetValueOrDefault(name) | kind;
        }
        Add(FieldKind.Payload, payloads);
        Add(FieldKind.PathEnd, _payloadEnds.Select(end => end[(end.IndexOf('.', StringComparison.Ordinal) + 1)..]));
        Add(FieldKind.Sensitive, options.SensitiveFields);
        Add(FieldKind.Actor, options.ActorFields);
        Add(FieldKind.Names, NamesFields);
        Add(FieldKind.Named, ["value", "values", "parameterValue", "stringValue", "newValue", "oldValue", "plaintext", "resolvedValue"]);
        return fields;
    }

    internal bool IsPayloadPath(ReadOnlySpan<byte> parent, ReadOnlySpan<byte> name) =>
        _payloadEnds.Contains(Encoding.UTF8.GetString(Plain(parent)) + "." + Encoding.UTF8.GetString(Plain(name)));

    // A name may be written with escapes, which every parser reads as the same name.
    static ReadOnlySpan<byte> Plain(ReadOnlySpan<byte> name)
    {
        if (name.IndexOf((byte)'\\') < 0) return name;
        var plain = new byte[name.Length];
        var length = Encodings.Json(name, plain);
        // What is no escape any more is read as it stands.
        for (var i = 0; i < length; i++)
            if (plain[i] == '\\') plain[i] = (byte)'_';
        return plain.AsSpan(0, length);
    }

    static string LastTwo(string path)
    {
        var parts = path.Split('.');
        return parts[^2] + "." + parts[^1];
    }

    static int Known(string id) => RedactionRules.IndexOf(id) is >= 0 and var index ? index
        : throw new ArgumentException($"There is no redaction rule '{id}'.", nameof(id));

    void Write(ReadOnlySpan<byte> input, RedactionScratch scratch, IBufferWriter<byte> output)
    {
        var at = 0;
        foreach (var hit in scratch.Findings)
        {
            output.Write(input[at..hit.Start]);
            var secret = input.Slice(hit.Start, hit.Length);
            if (hit.Bare) output.Write("\""u8);
            WriteMarker(hit, secret, output);
            if (hit.Bare) output.Write("\""u8);
            at = hit.Start + hit.Length;
        }
        output.Write(input[at..]);
    }

    void WriteMarker(in RedactionFinding hit, ReadOnlySpan<byte> secret, IBufferWriter<byte> output)
    {
        var id = hit.RuleId;
        var span = output.GetSpan(id.Length + 48);
        var pseudonym = hit.Action == RedactionAction.Pseudonym;
        var n = Put(span, 0, pseudonym ? "[PSEUDONYM:"u8 : "[REDACTED:"u8);
        n += Encoding.ASCII.GetBytes(id, span[n..]);
        if (pseudonym)
        {
            Span<byte> mac = stackalloc byte[32];
            HMACSHA256.HashData(_pseudonymKey, secret, mac);
            span[n++] = (byte)':';
            Base64Url.EncodeToUtf8(mac[..12], span[n..], out _, out var written);
            n += written;
        }
        span[n++] = (byte)']';
        output.Advance(n);
    }

    static int Put(Span<byte> span, int at, ReadOnlySpan<byte> text)
    {
        text.CopyTo(span[at..]);
        return at + text.Length;
    }
}
