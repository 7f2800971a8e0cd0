using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Serialization;
using Logwarden.Query;

namespace Logwarden.Sql;

/// <summary>What a worker is asked.</summary>
/// <param name="Sql">One SELECT.</param>
/// <param name="Scope">What its view holds.</param>
/// <param name="Format">How the answer is printed.</param>
/// <param name="Width">Columns of the terminal, for tables.</param>
sealed record SqlTask(string Sql, EventScope Scope, ExportFormat Format, int Width);

/// <summary>What is known when an answer is whole.</summary>
/// <param name="Rows">Rows of it.</param>
/// <param name="Truncated">Whether there was more than an answer may have.</param>
/// <param name="Elapsed">How long the database took.</param>
sealed record SqlEnd(int Rows, bool Truncated, TimeSpan Elapsed);

[JsonSerializable(typeof(SqlTask))]
[JsonSerializable(typeof(SqlEnd))]
sealed partial class SqlJson : JsonSerializerContext;

/// <summary>
/// The pipes between a process and its SQL worker: a byte that tells the kind, four bytes of length (little-endian), and so many bytes. To the worker go tasks; for each one come back
/// pieces of the answer as it is printed and an end, or why it is refused, or how the disk failed.
/// </summary>
static class SqlFrames
{
    public const byte Task = (byte)'t';
    public const byte Piece = (byte)'p';
    public const byte End = (byte)'e';
    public const byte Refused = (byte)'r';
    public const byte Failed = (byte)'f';

    /// <summary>Bytes of a frame from a worker: the process that asks is bounded too, whatever the other one sends.</summary>
    public const int AnswerBytesMax = 1 << 20;

    /// <summary>Bytes of a frame to a worker.</summary>
    public const int TaskBytesMax = 16 << 20;

    const int HeadBytes = 5;

    /// <summary>Writes one frame.</summary>
    public static void Write(Stream pipe, byte kind, ReadOnlySpan<byte> bytes)
    {
        Span<byte> head = stackalloc byte[HeadBytes];
        head[0] = kind;
        BinaryPrimitives.WriteInt32LittleEndian(head[1..], bytes.Length);
        pipe.Write(head);
        pipe.Write(bytes);
        pipe.Flush();
    }

    /// <summary>Reads one frame; null at the end of the pipe, also when that is within a frame, and when it is longer than may be: the other side is gone, or not sane.</summary>
    public static async Task<(byte Kind, byte[] Bytes)?> ReadAsync(Stream pipe, int bytesMax, CancellationToken cancel)
    {
        var head = new byte[HeadBytes];
        if (await pipe.ReadAtLeastAsync(head, HeadBytes, throwOnEndOfStream: false, cancel) < HeadBytes) return null;
        var length = BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(1));
        if (length < 0 || length > bytesMax) return null;
        var bytes = new byte[length];
        if (await pipe.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancel) < bytes.Length) return null;
        return (head[0], bytes);
    }

    public static byte[] Bytes(SqlTask task) => JsonSerializer.SerializeToUtf8Bytes(task, SqlJson.Default.SqlTask);

    public static byte[] Bytes(SqlEnd end) => JsonSerializer.SerializeToUtf8Bytes(end, SqlJson.Default.SqlEnd);
}
