using System.Text;
using Logwarden.Destinations;
using Logwarden.Flow;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Destinations;

/// <summary>What every destination must do, whatever it sends to.</summary>
public class DestinationContractTests
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Rigged => [.. DestinationRig.Kinds.Keys];

    public static TheoryData<string> All => [.. DestinationCatalog.All.Select(type => type.Name)];

    [Fact]
    public void The_catalog_has_what_the_folder_has()
    {
        var files = Directory.EnumerateFiles(Path.Combine(Repository.Root, "src", "Logwarden.Connectors", "Destinations"), "*Destination.cs").Select(Path.GetFileNameWithoutExtension).Order(StringComparer.Ordinal);
        var entries = DestinationCatalog.All.Select(type => type.Name).ToList();
        Assert.Equal(files.Count(), entries.Count);
        Assert.Equal(entries.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal), entries);
        Assert.All(entries, name => Assert.Contains(files, file => string.Equals(file, name.Replace("-", "", StringComparison.Ordinal) + "Destination", StringComparison.OrdinalIgnoreCase)));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Every_setting_is_described_and_what_is_required_is_missed(string kind)
    {
        Assert.True(DestinationCatalog.TryFind(kind, out var type));
        var manual = string.Concat(Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "destinations*.md").Select(file => $"\n{File.ReadAllText(file, Encoding.UTF8)}"));
        var section = manual.Split("\n## ").Single(one => one.AsSpan().TrimStart('`').StartsWith(kind, StringComparison.Ordinal) && one[..one.IndexOf('\n', StringComparison.Ordinal)].Trim('`') == kind);
        Assert.All(type.Settings, setting => Assert.Contains($"`{setting.Name}`", section, StringComparison.Ordinal));
        if (!type.Settings.Any(setting => setting.IsRequired)) return;
        var missed = Assert.Throws<SettingException>(() => DestinationRig.Make(kind, TimeProvider.System));
        Assert.Contains(type.Settings, setting => setting.IsRequired && setting.Name == missed.Setting);
    }

    [Theory]
    [MemberData(nameof(Rigged))]
    public async Task What_is_accepted_has_arrived_in_order_and_sending_it_again_does_no_harm(string kind)
    {
        await using var rig = await DestinationRig.Kinds[kind](Cancel);
        var batch = rig.Batch(0, 25);
        Assert.IsType<Answer.Accepted>(await rig.Destination.SendAsync(batch, Cancel));
        var expected = Enumerable.Range(0, 25).Select(offset => StoredEvents.Id(offset)).ToList();
        Assert.Equal(expected, rig.Arrived);
        Assert.IsType<Answer.Accepted>(await rig.Destination.SendAsync(batch, Cancel));
        var part = new EventBatch();
        part.CopyFrom(batch, [3, 24]);
        Assert.IsType<Answer.Accepted>(await rig.Destination.SendAsync(part, Cancel));
        Assert.Equal(expected, rig.Arrived.Distinct(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Rigged))]
    public async Task The_largest_batch_and_the_largest_event_that_the_limits_allow_are_taken(string kind)
    {
        await using var rig = await DestinationRig.Kinds[kind](Cancel);
        var limits = rig.Destination.Limits;
        Assert.InRange(limits.EventsMax, 1, int.MaxValue);
        Assert.InRange(limits.EventBytesMax, 1, limits.BytesMax);
        Assert.InRange(limits.AgeMax, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1));
        // Text that can't be compressed, so that the limit holds behind compression as well.
        var noise = Convert.ToBase64String(Bytes(new Random(7), limits.EventBytesMax * 3 / 4));
        byte[] Sized(int offset, int length) => StoredEvents.One(offset, json: $$"""{"message":"{{noise.AsSpan(0, length)}}"}""");
        var around = DestinationRig.Batch(rig.Destination, Sized(0, 1000)).WireBytes - 1000;

        var largest = DestinationRig.Batch(rig.Destination, Sized(0, limits.EventBytesMax - around));
        Assert.Equal(limits.EventBytesMax, largest.WireBytes);
        Assert.IsType<Answer.Accepted>(await rig.Destination.SendAsync(largest, Cancel));

        var many = new EventBatch();
        var each = limits.BytesMax / 8 - around - limits.EventOverhead - 100;
        var offset = 1;
        for (var left = limits.BytesMax; left > around + limits.EventOverhead + 100; offset++)
        {
            var length = Math.Min(Math.Min(each, limits.EventBytesMax - around - 100), left - around - limits.EventOverhead - 50);
            var encoded = Sized(offset, length);
            Assert.True(Logwarden.Events.EventEncoding.TryRead(encoded, out var e));
            left -= many.Add(encoded, e, rig.Destination) + limits.EventOverhead;
        }
        Assert.InRange(many.WireBytes + many.Count * limits.EventOverhead, limits.BytesMax - around - 1000, limits.BytesMax);
        Assert.IsType<Answer.Accepted>(await rig.Destination.SendAsync(many, Cancel));
        Assert.Equal(offset, rig.Arrived.Count);
    }

    [Theory]
    [MemberData(nameof(Rigged))]
    public async Task Giving_up_leaves_it_able_to_send(string kind)
    {
        await using var rig = await DestinationRig.Kinds[kind](Cancel);
        var batch = rig.Batch(0, 3);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await rig.Destination.SendAsync(batch, new CancellationToken(canceled: true)));
        Assert.IsType<Answer.Accepted>(await rig.Destination.SendAsync(batch, Cancel));
        Assert.Equal(3, rig.Arrived.Count);
    }

    [Theory]
    [MemberData(nameof(Rigged))]
    public async Task No_answer_holds_a_credential_even_when_the_far_side_repeats_it(string kind)
    {
        await using var rig = await DestinationRig.Kinds[kind](Cancel);
        foreach (var status in (int[])[200, 301, 302, 400, 401, 402, 403, 404, 406, 407, 408, 409, 413, 415, 422, 425, 429, 500, 501, 507])
        {
            if (!rig.AnswerWith(status)) return;
            var answer = await rig.Destination.SendAsync(rig.Batch(0, 1), Cancel);
            var text = Reasons(answer);
            Assert.All(rig.Secrets, secret => Assert.DoesNotContain(secret, text, StringComparison.OrdinalIgnoreCase));
            Assert.All(rig.Secrets, secret => Assert.DoesNotContain(Uri.EscapeDataString(secret), text, StringComparison.OrdinalIgnoreCase));
            if (answer is Answer.Accepted) continue;
            if (answer is not Answer.TooLarge) Assert.Contains(status.ToString(System.Globalization.CultureInfo.InvariantCulture), text, StringComparison.Ordinal);
            Assert.DoesNotContain(text, char.IsControl);
        }
    }

    [Theory]
    [MemberData(nameof(Rigged))]
    public async Task A_far_side_that_is_away_is_an_exception_of_the_contract_without_a_credential(string kind)
    {
        await using var rig = await DestinationRig.Kinds[kind](Cancel);
        if (!await rig.GoAwayAsync()) return;
        for (var i = 0; i < 8; i++)
        {
            var failed = await Assert.ThrowsAsync<HttpRequestException>(async () => await rig.Destination.SendAsync(rig.Batch(0, 1), Cancel));
            Assert.All(rig.Secrets, secret => Assert.DoesNotContain(secret, failed.ToString(), StringComparison.OrdinalIgnoreCase));
            // The circuit opens meanwhile; the far side is not asked any more.
            if (i == 7) Assert.Contains("not asked", failed.Message, StringComparison.Ordinal);
        }
    }

    static string Reasons(Answer answer) => answer switch
    {
        Answer.Later later => later.Reason,
        Answer.Blocked blocked => blocked.Reason,
        Answer.Refused refused => string.Join(' ', refused.Events.Select(one => one.Reason)),
        _ => "",
    };

    static byte[] Bytes(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }
}
