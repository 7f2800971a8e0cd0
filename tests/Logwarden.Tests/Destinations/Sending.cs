using System.Buffers;
using System.Text;
using CsCheck;
using Logwarden.Destinations;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Tests.Segments;

namespace Logwarden.Tests.Destinations;

/// <summary>What tests of destinations need: batches, settings, and any event.</summary>
static class Sending
{
    public static DestinationContext Context(TimeProvider? time, params ReadOnlySpan<(string Name, string Value)> settings)
    {
        var all = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in settings) all[name] = value;
        return new("test", all, new Dictionary<string, int>(StringComparer.Ordinal), time ?? TimeProvider.System);
    }

    public static IDestination Open(DestinationType type, params ReadOnlySpan<(string Name, string Value)> settings) => type.Open(Context(null, settings));

    public static EventBatch Batch(IDestination destination, params ReadOnlySpan<byte[]> encoded)
    {
        var batch = new EventBatch();
        foreach (var one in encoded)
        {
            Assert.True(EventEncoding.TryRead(one, out var e));
            batch.Add(one, e, destination);
        }
        return batch;
    }

    public static EventBatch Batch(IDestination destination, int count, int from = 0) =>
        Batch(destination, [.. Enumerable.Range(from, count).Select(offset => StoredEvents.One(offset))]);

    static readonly Gen<string> Text = Gen.Frequency(
        (4, Gen.String[Gen.Char["abcXYZ019 :/=._-@\"\\][<>{},;#%"], 0, 40]),
        (2, Gen.String[0, 40]),
        (1, Gen.String[Gen.Char["\0\n\r\t\u001b\u007f\u0085a"], 0, 20]),
        (1, Gen.String[Gen.Char["äß漢字\u2028\ufeffé"], 0, 300]));

    static readonly Gen<byte[]> Bytes = Gen.Frequency(
        (9, Text.Select(Encoding.UTF8.GetBytes)),
        (1, Gen.Byte.Array[0, 30]));

    /// <summary>Any event at all, encoded: texts of every kind, some not UTF-8, times and numbers at their ends.</summary>
    public static Gen<byte[]> AnyEvent { get; } = Gen.Select(
        Gen.Select(Bytes, Bytes, Bytes, Bytes, Bytes),
        Gen.Select(Bytes.Null(), Bytes.Null(), Bytes.Null(), Bytes.Null(), Bytes),
        Gen.Select(
            Gen.Frequency((3, Gen.Long[-62_135_596_800_000_000, 253_402_300_799_999_999]), (1, Gen.Long)),
            Gen.Frequency((3, Gen.Long[0, 4_000_000_000_000_000]), (1, Gen.Long)),
            Gen.Long,
            Gen.Int,
            Gen.Byte)).Select(parts =>
        {
            var ((id, @class, source, format, redactions), (user, ip, action, @object, json), (time, ingested, offset, number, severity)) = parts;
            var output = new ArrayBufferWriter<byte>();
            EventEncoding.Write(output, new StoredEvent
            {
                Offset = offset,
                TimeMicros = time,
                IngestedMicros = ingested,
                ClassUid = number,
                ActivityId = unchecked(-number),
                SeverityId = severity,
                StatusId = unchecked((byte)(severity * 7)),
                Id = id,
                Class = @class,
                Source = source,
                Format = format,
                User = user is null ? default : new(user),
                Ip = ip is null ? default : new(ip),
                Action = action is null ? default : new(action),
                Object = @object is null ? default : new(@object),
                Redactions = redactions,
                Json = json,
            });
            return output.WrittenSpan.ToArray();
        });

    /// <summary>What a far side must find for a text: the text, with U+FFFD for what is not UTF-8.</summary>
    public static string Found(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text);
}
