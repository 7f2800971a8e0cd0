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
}
