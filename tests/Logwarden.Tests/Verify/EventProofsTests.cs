using Logwarden.Events;
using Logwarden.Tests.Archive;
using Logwarden.Tests.Segments;
using Logwarden.Verify;

namespace Logwarden.Tests.Verify;

public sealed class EventProofsTests : IDisposable
{
    readonly ArchiveWorld _world = new();

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(777)]
    [InlineData(1999)]
    public async Task Each_event_has_a_proof_that_needs_no_archive(long offset)
    {
        await _world.SealTo(1200, 2000);
        var proofs = new EventProofs(_world.Store, [_world.Key.Verifier], Path.Combine(_world.DataFolder, "hot"));

        var proof = await proofs.Build(StoredEvents.Id(offset), Cancel);

        var bytes = proof!.File.ToBytes();
        var verdict = EventProofs.Check(bytes, [_world.Key.Verifier]);
        Assert.Equal("", verdict.Reason);
        Assert.True(verdict.IsValid);
        Assert.True(EventEncoding.TryRead(verdict.Event.Span, out var e));
        Assert.Equal(offset, e.Offset);

        // Any bit of it changed makes it worthless.
        for (var at = 0; at < bytes.Length - 200; at += 7)
        {
            var changed = bytes.ToArray();
            changed[at] ^= 1;
            Assert.False(EventProofs.Check(changed, [_world.Key.Verifier]).IsValid, $"byte {at}");
        }
    }

    [Fact]
    public async Task What_is_not_there_has_no_proof()
    {
        await _world.SealTo(100);

        Assert.Null(await new EventProofs(_world.Store, [_world.Key.Verifier], null).Build("evt-00000100", Cancel));
    }

    [Fact]
    public async Task Lost_partial_tiles_are_made_again()
    {
        await _world.SealTo(1200);
        Directory.Delete(Path.Combine(_world.ArchiveFolder, "live"), recursive: true);

        var proof = await new EventProofs(_world.Store, [_world.Key.Verifier], null).Build(StoredEvents.Id(1190), Cancel);

        Assert.True(EventProofs.Check(proof!.File.ToBytes(), [_world.Key.Verifier]).IsValid);
    }
}
