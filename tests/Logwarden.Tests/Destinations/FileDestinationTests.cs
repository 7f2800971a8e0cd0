using System.Text;
using System.Text.Json;
using CsCheck;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Destinations;

public sealed class FileDestinationTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly FakeTimeProvider _time = new(UnixMicros.ToInstant(StoredEvents.Epoch));

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    string Target => _scratch.File("events.ndjson");

    public void Dispose() => _scratch.Dispose();

    IDestination Open(params (string Name, string Value)[] settings) => DestinationRig.Make("file", _time, [("path", Target), .. settings]);

    static async Task SendAsync(IDestination destination, int from, int count, int size = 10) => Assert.IsType<Answer.Accepted>(await destination.SendAsync(
        DestinationRig.Batch(destination, [.. Enumerable.Range(from, count).Select(offset => StoredEvents.One(offset, json: $$"""{"message":"{{new string('x', size)}}"}"""))]), Cancel));

    static IEnumerable<string> Ids(byte[] content) => Encoding.UTF8.GetString(content).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => DestinationRig.FactId(JsonElement.Parse(line)));

    static IEnumerable<string> Expected(int from, int count) => Enumerable.Range(from, count).Select(offset => StoredEvents.Id(offset));

    [Fact]
    public async Task Wherever_a_crash_cuts_what_was_being_written_no_line_is_broken_and_nothing_accepted_is_lost()
    {
        await using (var first = Open()) await SendAsync(first, 0, 3);
        var accepted = File.ReadAllBytes(Target);
        await using (var second = Open()) await SendAsync(second, 3, 3);
        var whole = File.ReadAllBytes(Target);
        Gen.Int[accepted.Length, whole.Length].Select(Gen.Int[0, 3]).Sample((cut, zeros) =>
        {
            // The blocks behind the cut never reached the disk, or as zeros, although the file had grown already.
            var survivor = new byte[zeros == 0 ? cut : whole.Length];
            whole.AsSpan(0, cut).CopyTo(survivor);
            if (zeros == 2 && cut < whole.Length) survivor[^1] = (byte)'\n';
            File.WriteAllBytes(Target, survivor);
            var destination = Open();
            var batch = DestinationRig.Batch(destination, [.. Enumerable.Range(3, 3).Select(offset => StoredEvents.One(offset, json: """{"message":"xxxxxxxxxx"}"""))]);
            var answer = destination.SendAsync(batch, CancellationToken.None);
            Assert.True(answer.IsCompletedSuccessfully);
            Assert.IsType<Answer.Accepted>(answer.GetAwaiter().GetResult());
            var content = File.ReadAllBytes(Target);
            Assert.Equal(accepted, content[..accepted.Length]);
            var ids = Ids(content).ToList();
            Assert.Equal(Expected(0, 6), ids.Distinct(StringComparer.Ordinal));
            Assert.Equal(Expected(3, 3), ids.TakeLast(3));
        }, iter: 300, threads: 1);
    }

    [Fact]
    public async Task A_line_of_somebody_else_that_only_lacks_its_end_gets_it()
    {
        File.WriteAllText(Target, """{"other":1}""", new UTF8Encoding(false));
        await using var destination = Open();
        await SendAsync(destination, 0, 1);
        Assert.StartsWith("{\"other\":1}\n{", File.ReadAllText(Target, Encoding.UTF8), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("none", "")]
    [InlineData("zstd", ".zst")]
    public async Task A_new_file_begins_when_one_is_full_and_at_midnight_also_after_a_restart(string compression, string ending)
    {
        (string, string)[] settings = [("compression", compression), ("rotate-bytes", "1048576")];
        await using (var destination = Open(settings))
        {
            await SendAsync(destination, 0, 10, size: 60_000);
            _time.Advance(TimeSpan.FromSeconds(1));
            await SendAsync(destination, 10, 10, size: 60_000); // too much for the first
            await SendAsync(destination, 20, 10, size: 60_000); // in the same second
        }
        _time.Advance(TimeSpan.FromDays(1));
        await using (var again = Open(settings)) await SendAsync(again, 30, 1);
        Assert.Equal(
            [
                $"events-20260701T000001Z-2.ndjson{ending}", $"events-20260701T000001Z.ndjson{ending}", $"events-20260702T000001Z.ndjson{ending}", "events.ndjson",
            ],
            Directory.EnumerateFiles(_scratch.Root).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(Expected(0, 10), Ids(Content($"events-20260701T000001Z.ndjson{ending}")));
        Assert.Equal(Expected(10, 10), Ids(Content($"events-20260701T000001Z-2.ndjson{ending}")));
        Assert.Equal(Expected(20, 10), Ids(Content($"events-20260702T000001Z.ndjson{ending}")));
        Assert.Equal(Expected(30, 1), Ids(Content("events.ndjson")));
        Assert.All(Directory.EnumerateFiles(_scratch.Root), file => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file)));
    }

    [Fact]
    public async Task What_a_crash_left_of_compressing_is_done_again_and_files_of_others_are_left_alone()
    {
        await using (var destination = Open()) await SendAsync(destination, 0, 3);
        File.Copy(Target, _scratch.File("events-20260630T120000Z.ndjson"));
        File.WriteAllText(_scratch.File("events-20260630T120000Z.ndjson.zst.new"), "half", Encoding.UTF8);
        File.WriteAllText(_scratch.File("events-20260630T120000Z.ndjson.zst"), "an older try", Encoding.UTF8);
        foreach (var other in (string[])["events-notes.ndjson", "events-20261399T000000Z.ndjson", "other-20260630T120000Z.ndjson", "events-20260630T120000Z-x.ndjson"]) File.WriteAllText(_scratch.File(other), "mine", Encoding.UTF8);
        await using (var again = Open(("compression", "zstd"))) await SendAsync(again, 3, 1);
        Assert.Equal(Expected(0, 3), Ids(Content("events-20260630T120000Z.ndjson.zst")));
        Assert.False(File.Exists(_scratch.File("events-20260630T120000Z.ndjson")));
        Assert.False(File.Exists(_scratch.File("events-20260630T120000Z.ndjson.zst.new")));
        Assert.Equal(4, Directory.EnumerateFiles(_scratch.Root, "*.ndjson").Count(file => File.ReadAllText(file, Encoding.UTF8) == "mine"));
    }

    [Fact]
    public async Task A_file_that_is_moved_away_is_followed_by_a_new_one()
    {
        await using var destination = Open();
        await SendAsync(destination, 0, 1);
        File.Move(Target, _scratch.File("moved"), overwrite: false);
        await SendAsync(destination, 1, 1);
        Assert.Equal(Expected(0, 1), Ids(Content("moved")));
        Assert.Equal(Expected(1, 1), Ids(Content("events.ndjson")));
    }

    [Fact]
    public async Task A_folder_that_is_not_there_and_a_path_that_is_a_folder_block_until_somebody_puts_it_right()
    {
        await using var destination = DestinationRig.Make("file", _time, ("path", _scratch.File("missing/events.ndjson")));
        var batch = DestinationRig.Batch(destination, StoredEvents.One(0));
        Assert.Contains("missing", Assert.IsType<Answer.Blocked>(await destination.SendAsync(batch, Cancel)).Reason, StringComparison.Ordinal);
        Directory.CreateDirectory(_scratch.File("missing/events.ndjson"));
        Assert.IsType<Answer.Blocked>(await destination.SendAsync(batch, Cancel));
        Directory.Delete(_scratch.File("missing/events.ndjson"));
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(batch, Cancel));
    }

    [Fact]
    public async Task A_full_disk_is_an_exception_and_does_not_break_a_line()
    {
        await using var destination = DestinationRig.Make("file", _time, ("path", "/dev/full"), ("rotate-daily", "no"));
        await Assert.ThrowsAnyAsync<IOException>(async () => await destination.SendAsync(DestinationRig.Batch(destination, StoredEvents.One(0)), Cancel));
    }

    byte[] Content(string name)
    {
        var bytes = File.ReadAllBytes(_scratch.File(name));
        if (!name.EndsWith(".zst", StringComparison.Ordinal)) return bytes;
        using var zstd = new ZstdSharp.Decompressor();
        return zstd.Unwrap(bytes).ToArray();
    }
}
