using Logwarden.Hosting;
using Logwarden.Tests.World;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Hosting;

/// <summary>The shipped policy keeps security-audit 13 months, 90 days of them hot; whoever sends an event chooses its time, and not how long it stays.</summary>
public sealed class RetentionTests : IDisposable
{
    static readonly DateTimeOffset Now = new(2026, 7, 5, 12, 0, 0, TimeSpan.Zero);

    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void It_is_counted_from_the_event_within_bounds_that_no_sender_sets()
    {
        var policy = PolicyFile.Load(null, new DirectoryInfo(_scratch.Root));
        var rule = policy.Retention(new FakeTimeProvider(Now));
        var @class = policy.Policy.Class("security-audit");

        Assert.Equal(@class.Total.AddTo(Now.AddDays(-3)), Until(Now.AddDays(-3)));
        Assert.Equal(@class.Hot.AddTo(Now), Until(DateTimeOffset.UnixEpoch.AddYears(-1)));
        Assert.Equal(@class.Hot.AddTo(Now), Until(Now.AddYears(-20)));
        Assert.Equal(@class.Total.AddTo(Now.AddDays(1)), Until(new(9999, 12, 31, 0, 0, 0, TimeSpan.Zero)));
        Assert.True(@class.Total.AddTo(Now) > @class.Hot.AddTo(Now));

        DateTimeOffset Until(DateTimeOffset latest) => rule("security-audit", latest).RetainUntil;
    }
}
