using System.Text;
using Logwarden.Api;
using Logwarden.Flow;
using Logwarden.Formats;
using Logwarden.Journal;
using Logwarden.Policy;
using Logwarden.Redaction;

namespace Logwarden.Tests.Api;

/// <summary>What a request may become is bounded, by records and by bytes, and nothing is made beyond the bound.</summary>
public class RequestBatchTests
{
    static readonly Redactor Redactor = Redactor.Create(new RedactionOptions());
    static readonly PolicyClassifier Classifier = new(PolicySnapshot.Default);

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("{}\n", 100)]
    [InlineData("x\n", 100)]
    [InlineData("[{bad},{bad},", 100)]
    public void More_records_than_the_limit_are_too_large_at_once(string record, int recordsMax)
    {
        var request = Request(string.Concat(Enumerable.Repeat(record, 10_000)), RequestLimits.Default with { RecordsMax = recordsMax });

        Assert.True(request.Read(int.MaxValue, Cancel));

        Assert.True(request.IsTooLarge);
        Assert.Equal(recordsMax + 1, request.Events.Entries.Count);
    }

    [Fact]
    public void More_bytes_of_events_than_the_limit_are_too_large_at_once()
    {
        var request = Request(string.Concat(Enumerable.Repeat("{}\n", 10_000)), RequestLimits.Default with { EventBytesMax = 10_000 });

        Assert.True(request.Read(int.MaxValue, Cancel));

        Assert.True(request.IsTooLarge);
        Assert.InRange(request.Events.Bytes.WrittenCount, 10_001, 11_000);
    }

    [Fact]
    public void A_request_at_the_limit_is_taken_and_may_be_made_in_steps()
    {
        var request = Request(string.Concat(Enumerable.Repeat("{\"message\":\"m\"}\n", 99)) + "x\n", RequestLimits.Default with { RecordsMax = 100 });

        Assert.False(request.Read(1000, Cancel));
        Assert.InRange(request.Events.Bytes.WrittenCount, 1000, 2000);
        Assert.True(request.Read(int.MaxValue, Cancel));

        Assert.False(request.IsTooLarge);
        Assert.Equal((100, 1, 1), (request.Events.Entries.Count, request.Refused, request.Unread));
    }

    [Fact]
    public void It_ends_when_the_client_is_gone() =>
        Assert.Throws<OperationCanceledException>(() => Request("{}\n", RequestLimits.Default).Read(int.MaxValue, new CancellationToken(canceled: true)));

    static RequestBatch Request(string body, RequestLimits limits)
    {
        var route = new IntakeRoute("s", FormatCatalog.Find("app")!, null);
        return new(new IntakeWorker(route, Redactor, Classifier, DedupKeys.Passing(), TimeProvider.System), route, Encoding.UTF8.GetBytes(body), limits);
    }
}
