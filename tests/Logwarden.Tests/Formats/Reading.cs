using System.Text;
using System.Text.Json;
using Logwarden.Events;
using Logwarden.Formats;

namespace Logwarden.Tests.Formats;

/// <summary>What became of one record.</summary>
sealed record ReadItem(byte[] Raw, RecordPosition Position, NormalizeError? Error, NormalizedCopy? Event)
{
    public string RawText => Encoding.UTF8.GetString(Raw);
}

/// <summary>A <see cref="NormalizedEvent"/> that outlives the next one.</summary>
sealed record NormalizedCopy(
    JsonDocument Json, string Id, long TimeMicros, LogKinds Kinds, MissingFields Missing, string? User, string? Ip, string? Action, string? Object,
    int SqlLiterals)
{
    public JsonElement Root => Json.RootElement;

    public static NormalizedCopy Of(NormalizedEvent e)
    {
        var json = e.Json.WrittenSpan.ToArray();
        Assert.DoesNotContain((byte)'\n', json);
        string? Text(JsonSlice slice)
        {
            if (!slice.IsPresent) return null;
            Assert.Equal((byte)'"', json[slice.Start - 1]);
            Assert.Equal((byte)'"', json[slice.Start + slice.Length]);
            return JsonSerializer.Deserialize<string>(json.AsSpan(slice.Start - 1, slice.Length + 2));
        }
        foreach (var actor in e.Actors) Text(actor);
        var copy = new NormalizedCopy(JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 200 }), Encoding.UTF8.GetString(e.Id.WrittenSpan),
            e.TimeMicros, e.Kinds, e.Missing, Text(e.User), Text(e.Ip), Text(e.Action), Text(e.Object), e.SqlLiteralsRedacted);
        Assert.Equal(e.ClassUid, copy.Root.GetProperty("class_uid").GetInt32());
        Assert.Equal(e.ActivityId, copy.Root.GetProperty("activity_id").GetInt32());
        Assert.Equal(copy.User is null, e.Missing.HasFlag(MissingFields.User));
        Assert.Equal(copy.Ip is null, e.Missing.HasFlag(MissingFields.Ip));
        Assert.Equal(copy.Action is null, e.Missing.HasFlag(MissingFields.Action));
        Assert.Equal(copy.Object is null, e.Missing.HasFlag(MissingFields.Object));
        return copy;
    }
}

/// <summary>Runs the reader and a format over input, as the intake does.</summary>
static class Reading
{
    public const long Accepted = 1_790_000_000_000_000;

    public static List<ReadItem> All(IFormat format, ReadOnlyMemory<byte> input, FieldMap? map = null) =>
        All(format, new RecordReader(input, format.Framing, RecordLimits.Default), map);

    public static List<ReadItem> All(IFormat format, string input, FieldMap? map = null) => All(format, Encoding.UTF8.GetBytes(input), map);

    public static List<ReadItem> All(IFormat format, RecordReader reader, FieldMap? map = null)
    {
        var items = new List<ReadItem>();
        var output = new NormalizedEvent();
        while (reader.Read(out var record))
        {
            var error = record.Error ?? format.Normalize(record.Bytes, new FormatContext("test", map, Accepted), output);
            items.Add(new(record.Bytes.ToArray(), record.Position, error, error is null ? NormalizedCopy.Of(output) : null));
        }
        return items;
    }

    public static NormalizedCopy One(IFormat format, string record, FieldMap? map = null)
    {
        var item = Assert.Single(All(format, record, map));
        Assert.Null(item.Error);
        return item.Event!;
    }

    public static IFormat Format(string name) => FormatCatalog.Find(name)!;
}
