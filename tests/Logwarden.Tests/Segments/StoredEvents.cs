using System.Buffers;
using System.Globalization;
using System.Text;
using Logwarden.Events;

namespace Logwarden.Tests.Segments;

/// <summary>Encoded events, as the journal holds them.</summary>
static class StoredEvents
{
    /// <summary>2026-07-01T00:00:00Z.</summary>
    public const long Epoch = 1_782_864_000_000_000;

    static readonly string[] Users = ["ada", "grace", "linus", "ken"];

    public static byte[] One(long offset, long? timeMicros = null, string @class = "application", string source = "shop", string? json = null)
    {
        var output = new ArrayBufferWriter<byte>();
        var time = timeMicros ?? Epoch + offset * 1_000;
        EventEncoding.Write(output, new StoredEvent
        {
            Offset = offset,
            TimeMicros = time,
            IngestedMicros = Epoch + offset * 1_000 + 5_000_000,
            ClassUid = 6003,
            ActivityId = (int)(offset % 4),
            SeverityId = 1,
            StatusId = 1,
            Kinds = LogKinds.ObjectAccess,
            Missing = offset % 3 == 0 ? MissingFields.Object : MissingFields.None,
            Id = Encoding.UTF8.GetBytes(Id(offset)),
            Class = Encoding.UTF8.GetBytes(@class),
            Source = Encoding.UTF8.GetBytes(source),
            Format = "app"u8,
            User = new(Encoding.UTF8.GetBytes(Users[offset % Users.Length])),
            Ip = new("192.0.2.7"u8),
            Action = new("order:update"u8),
            Object = offset % 3 == 0 ? default : new(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"order/{offset % 97}"))),
            Redactions = offset % 5 == 0 ? "email=1"u8 : default,
            Json = Encoding.UTF8.GetBytes(json ?? string.Create(
                CultureInfo.InvariantCulture, $$"""{"class_uid":6003,"time":{{time / 1000}},"metadata":{"uid":"{{Id(offset)}}"},"message":"order {{offset}} updated"}""")),
        });
        return output.WrittenSpan.ToArray();
    }

    public static string Id(long offset) => string.Create(CultureInfo.InvariantCulture, $"evt-{offset:D8}");
}
