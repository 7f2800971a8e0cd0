using System.Buffers;
using CsCheck;
using Logwarden.Events;

namespace Logwarden.Tests.Events;

public class EventEncodingTests
{
    [Fact]
    public void What_is_written_is_read() =>
        Gen.Select(Gen.Long, Gen.String, Gen.String.Null(), Gen.String).Sample((number, id, user, json) =>
        {
            var written = new ArrayBufferWriter<byte>();
            EventEncoding.Write(written, new StoredEvent
            {
                Offset = number,
                TimeMicros = number,
                Id = System.Text.Encoding.UTF8.GetBytes(id),
                User = user is null ? default : new(System.Text.Encoding.UTF8.GetBytes(user)),
                Kinds = LogKinds.SecuritySetting,
                Json = System.Text.Encoding.UTF8.GetBytes(json),
            });

            Assert.True(EventEncoding.TryRead(written.WrittenSpan, out var read));
            Assert.Equal(number, read.Offset);
            Assert.Equal(System.Text.Encoding.UTF8.GetBytes(id), read.Id);
            Assert.Equal(user is not null, read.User.HasValue);
            Assert.Equal(System.Text.Encoding.UTF8.GetBytes(user ?? ""), read.User.Utf8);
            Assert.Equal(System.Text.Encoding.UTF8.GetBytes(json), read.Json);
            Assert.Equal(LogKinds.SecuritySetting, read.Kinds);
            Assert.False(EventEncoding.TryRead(written.WrittenSpan[..^1], out _));
        });

    [Fact]
    public void No_bytes_make_it_throw() => Gen.Byte.Array[0, 400].Sample(bytes =>
    {
        if (bytes.Length > 0) bytes[0] = EventEncoding.Version;
        EventEncoding.TryRead(bytes, out _);
    });
}
