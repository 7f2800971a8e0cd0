using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Logwarden.Events;
using Logwarden.Match;
using JsonNode = System.Text.Json.Nodes.JsonNode;

namespace Logwarden.Tests.Match;

/// <summary>Predicates and events from one small vocabulary, so that they meet often.</summary>
static class Gens
{
    static readonly string[] Texts =
    [
        "ada", "Ada", "ADA", "adam", "a", "", "bob smith", "s3:GetObject", "10.1.2.3", "10.1.2.300", "010.1.2.3", "192.168.7.1", "::ffff:10.1.2.3",
        "2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:db8:1:2:3:4:5:6", "::", "::1", "1::", "fe80::1%eth0", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:8:9", "true", "FALSE", "42", "4.20e1",
        "-7", "Müller", "MÜLLER", "İstanbul", "istanbul", "\u212Aelvin", "kelvin", "ſ", "straße", "日本語", "😀 ok", "a*b", "a?b", "a\\b",
        "100%", "a_b", "quote\"d", "tab\there", "line\nbreak", "and", "OR", "in", "a/b", "1..4", "10.0.0.0/8", "\ua7cb", "<b>+'&",
    ];

    static readonly string[] Keys = ["a", "b", "ip", "user", "a.b", "x y", "", "quo\"te", "*", "0", "back\\slash", "sl/ash~", "ü", "status"];

    static readonly IpNetwork[] Networks = [.. new[] { "10.0.0.0/8", "10.1.2.3", "10.1.2.0/23", "0.0.0.0/0", "192.168.0.0/13", "2001:db8::/32", "2001:db8::1", "::/0", "2001:db8::/29", "::1", "fe80::/10" }
        .Select(text => IpNetwork.TryParse(text, out var network) ? network : throw new FormatException(text))];

    internal static readonly Gen<string> Text = Gen.Frequency((6, Gen.OneOf(Texts)), (1, Gen.String[Gen.Char["aAbBzZ *?\\%_.-ü"], 0, 6]));

    static readonly Gen<TextPattern> Pattern = Gen.Select(Text, Gen.OneOf("*", "?", "a*", "*a", "?d?", ""), Gen.Bool, (text, wild, front) =>
        TextPattern.FromEscaped(front ? wild + TextPattern.Literal(text).Text : TextPattern.Literal(text).Text + wild));

    static readonly Gen<Field> TextColumn = Gen.OneOf(EventColumn.EventId, EventColumn.Class, EventColumn.Source, EventColumn.Format, EventColumn.User,
        EventColumn.Ip, EventColumn.Action, EventColumn.Object, EventColumn.Redactions).Select(column => (Field)new Field.Column(column));

    static readonly Gen<Field> WholeColumn = Gen.OneOf(EventColumn.Offset, EventColumn.Time, EventColumn.Ingested, EventColumn.ClassUid, EventColumn.ActivityId,
        EventColumn.SeverityId, EventColumn.StatusId).Select(column => (Field)new Field.Column(column));

    static readonly Gen<Field> Path = Gen.OneOf(Keys).Array[1, 3].Select(keys => (Field)new Field.Path([.. keys]));

    static readonly Gen<ValueTest> Network = Gen.OneOf(Networks).Select(network => (ValueTest)new ValueTest.InNetwork(network));

    static Gen<ValueTest> TextTest(Field field) => Gen.OneOf(
        Text.Where(text => !(field.IsIp && IpNetwork.TryParse(text, out _))).Select(text => (ValueTest)new ValueTest.EqualTo(text)),
        Pattern.Where(pattern => pattern.HasWildcards).Select(pattern => (ValueTest)new ValueTest.Fits(pattern)),
        Network);

    static readonly Gen<ValueTest> WholeTest = Gen.Select(Gen.Long[-3, 8], Gen.Long[0, 3], Gen.Int[0, 3], (low, width, shape) => (ValueTest)(shape switch
    {
        0 => new ValueTest.WholeRange(low, low),
        1 => new ValueTest.WholeRange(low, null),
        2 => new ValueTest.WholeRange(null, low),
        _ => new ValueTest.WholeRange(low, low + width),
    }));

    static readonly Gen<ValueTest> RealTest = Gen.Select(Gen.OneOf(-7, 0, 0.5, 42, 1e300), Gen.OneOf(0, 0.5, 3), Gen.Bool, Gen.Int[0, 2], (low, width, included, shape) => (ValueTest)(shape switch
    {
        0 => new ValueTest.RealRange(low, included, null, true),
        1 => new ValueTest.RealRange(null, true, low, included),
        _ => new ValueTest.RealRange(low, true, low + width, true),
    }));

    static readonly Gen<Predicate> TextField = TextColumn.SelectMany(field => Gen.OneOf(
        TextTest(field).Array[1, 3].Select(tests => (Predicate)new Predicate.FieldTest(field, [.. tests])),
        Text.Select(text => (Predicate)new Predicate.FieldTest(field, [new ValueTest.Exactly(text)]))));

    static readonly Gen<Predicate> PathField = Path.SelectMany(field => Gen.OneOf(
        TextTest(field).Array[1, 3].Select(tests => (Predicate)new Predicate.FieldTest(field, [.. tests])),
        Text.Select(text => (Predicate)new Predicate.FieldTest(field, [new ValueTest.Exactly(text)])),
        RealTest.Select(test => (Predicate)new Predicate.FieldTest(field, [test])),
        Gen.Const((Predicate)new Predicate.Has(field))));

    static readonly Gen<Predicate> Leaf = Gen.Frequency(
        (4, TextField),
        (6, PathField),
        (2, Gen.Select(WholeColumn, WholeTest.Array[1, 2], (field, tests) => (Predicate)new Predicate.FieldTest(field, [.. tests]))),
        (2, Pattern.Where(pattern => pattern.Text is not ("" or "*")).Select(pattern => (Predicate)new Predicate.FreeText(pattern))),
        (1, TextColumn.Select(field => (Predicate)new Predicate.Has(field))),
        (1, Gen.Byte[0, 15].Select(bits => (Predicate)new Predicate.KindTest((LogKinds)bits))),
        (1, Gen.Byte[0, 31].Select(bits => (Predicate)new Predicate.MissingTest((MissingFields)bits))),
        (1, Gen.Const((Predicate)new Predicate.Everything())));

    internal static readonly Gen<Predicate> Predicates = Nested(3);

    static Gen<Predicate> Nested(int depth) => depth == 0 ? Leaf : Gen.Frequency(
        (3, Leaf),
        (1, Nested(depth - 1).Array[2, 3].Select(parts => Predicate.All(parts))),
        (1, Nested(depth - 1).Array[2, 3].Select(parts => Predicate.Any(parts))),
        (1, Nested(depth - 1).Select(part => (Predicate)new Predicate.Negation(part))));

    static readonly Gen<JsonNode?> Scalar = Gen.OneOf(
        Text.Select(text => (JsonNode?)JsonValue.Create(text)),
        Gen.OneOf(0, -7, 42, 0.5, 1e300).Select(number => (JsonNode?)JsonValue.Create(number)),
        Gen.Bool.Select(flag => (JsonNode?)JsonValue.Create(flag)),
        Gen.Const((JsonNode?)null));

    static Gen<JsonNode?> Node(int depth) => depth == 0 ? Scalar : Gen.Frequency(
        (2, Scalar),
        (1, Node(depth - 1).Array[0, 3].Select(items => (JsonNode?)new JsonArray([.. items.Select(item => item?.DeepClone())]))),
        (3, Object(depth - 1).Select(item => (JsonNode?)item)));

    static Gen<JsonObject> Object(int depth) => Gen.Select(Gen.OneOf(Keys), Node(depth)).Array[0, 5].Select(pairs =>
    {
        var result = new JsonObject();
        foreach (var (key, value) in pairs) result[key] = value?.DeepClone();
        return result;
    });

    static readonly JsonSerializerOptions[] Writers =
    [
        new() { Encoder = JavaScriptEncoder.Default }, new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping },
    ];

    static readonly Gen<string> Json = Gen.Select(Object(3), Gen.Int[0, 1], (json, writer) => json.ToJsonString(Writers[writer]));

    internal static readonly Gen<SampleEvent> Events = Gen.Select(
        Gen.Select(Gen.Long[-3, 8], Gen.Int[0, 8], Gen.Byte[0, 15], Gen.Byte[0, 31]),
        Gen.Select(Text, Text, Text.Null(), Text.Null(), Text.Null(), Json),
        (numbers, texts) => new SampleEvent
        {
            Offset = Math.Max(0, numbers.Item1),
            TimeMicros = numbers.Item1,
            IngestedMicros = numbers.Item2,
            ClassUid = numbers.Item2,
            ActivityId = numbers.Item2,
            SeverityId = (byte)numbers.Item2,
            StatusId = (byte)numbers.Item2,
            Kinds = (LogKinds)numbers.Item3,
            Missing = (MissingFields)numbers.Item4,
            Id = texts.Item1,
            Class = texts.Item2,
            Source = texts.Item1,
            Format = texts.Item2,
            Redactions = texts.Item1,
            User = texts.Item3,
            Ip = texts.Item4,
            Action = texts.Item5,
            Object = texts.Item3,
            Json = texts.Item6,
        });
}
