using System.Text;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Formats;
using Logwarden.Journal;
using Logwarden.Policy;
using Logwarden.Redaction;

namespace Logwarden.Tests.Flow;

public class IntakeWorkerTests
{
    [Fact]
    public void Who_acts_is_kept_whatever_the_order_in_which_the_format_names_it()
    {
        var record = """{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a-1","stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"list","user":{"username":"ann@example.com","uid":"ann.uid@example.com","groups":["of bob@example.com"]},"sourceIPs":["192.0.2.7"],"requestReceivedTimestamp":"2026-01-02T03:04:05.000000Z"}"""u8;
        var route = new IntakeRoute("cluster", FormatCatalog.Find("k8s-audit")!, null);
        var worker = new IntakeWorker(route, Redactor.Create(new RedactionOptions()), new PolicyClassifier(PolicySnapshot.Default), DedupKeys.Passing(), TimeProvider.System);
        var batch = new AppendBatch { Source = "cluster" };

        worker.Add(new FramedRecord { Bytes = record }, RecordOrigin.None, batch);

        Assert.True(EventEncoding.TryRead(batch.Bytes.WrittenSpan, out var stored));
        Assert.Equal("ann@example.com", Encoding.UTF8.GetString(stored.User.Utf8));
        var json = Encoding.UTF8.GetString(stored.Json);
        Assert.Contains("\"ann@example.com\"", json, StringComparison.Ordinal);
        Assert.Contains("\"ann.uid@example.com\"", json, StringComparison.Ordinal);
        Assert.DoesNotContain("bob@example.com", json, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("192.0.2.7")]
    [InlineData("of bob@example.com")] // also where redaction changes what stands before it
    public void An_event_says_the_cloud_of_its_source(string address)
    {
        var record = Encoding.UTF8.GetBytes($$"""{"id":"e1","dt":"2026-01-02T03:04:05Z","user":"ann","ip":"192.0.2.7","action":"order.read","object":"order/7","message":"{{address}}"}""");
        var route = new IntakeRoute("shop", FormatCatalog.Find("app")!, null) { Cloud = "Vultr" };
        var worker = new IntakeWorker(route, Redactor.Create(new RedactionOptions()), new PolicyClassifier(PolicySnapshot.Default), DedupKeys.Passing(), TimeProvider.System);
        var batch = new AppendBatch { Source = "shop" };

        worker.Add(new FramedRecord { Bytes = record }, RecordOrigin.None, batch);

        Assert.True(EventEncoding.TryRead(batch.Bytes.WrittenSpan, out var stored));
        Assert.Equal("Vultr", System.Text.Json.JsonElement.Parse(stored.Json).GetProperty("cloud").GetProperty("provider").GetString());
        Assert.Equal(("ann", "192.0.2.7", "order.read", "order/7"), (Text(stored.User), Text(stored.Ip), Text(stored.Action), Text(stored.Object)));
        Assert.DoesNotContain("bob@example.com", Encoding.UTF8.GetString(stored.Json), StringComparison.Ordinal);

        static string Text(OptionalText text) => Encoding.UTF8.GetString(text.Utf8);
    }
}
