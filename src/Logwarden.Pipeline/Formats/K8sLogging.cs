using System.Text;

namespace Logwarden.Formats;

/// <summary>
/// Tells changes of logging itself in a cluster. The audit policy of an API server is a file of its host and is not seen here; what is: the resources that some distributions keep it in,
/// collectors of logs by their usual names, the identities and log settings that hosted clusters keep in config maps, and the removal of events.
/// </summary>
static class K8sLogging
{
    const int Delete = 4;

    // auditregistration.k8s.io; OpenShift's cluster configuration and its logging; the Logging operator.
    static readonly NameTable Resources = new("auditsinks", "apiservers", "clusterlogforwarders", "clusterloggings", "loggings", "clusterflows", "clusteroutputs");

    static readonly NameTable Workloads = new("daemonsets", "deployments", "statefulsets", "configmaps");

    static readonly byte[][] Collectors =
    [
        .. new[]
        {
            "audit", "logging", "fluentd", "fluent-bit", "fluentbit", "filebeat", "promtail", "falco", "auditbeat", "datadog-agent", "otel-collector", "splunk",
            "aws-auth", "container-azm-ms-agentconfig",
        }.Select(Encoding.ASCII.GetBytes),
    ];

    /// <summary>Does a change of this object change what is logged? <paramref name="activity"/> is the OCSF activity of the call.</summary>
    public static bool IsChanged(ReadOnlySpan<byte> resource, ReadOnlySpan<byte> subresource, ReadOnlySpan<byte> name, int activity)
    {
        // Controllers write the status of everything all the time.
        if (subresource.SequenceEqual("status"u8)) return false;
        if (Resources.Has(resource)) return true;
        if (resource.SequenceEqual("events"u8)) return activity == Delete;
        if (!Workloads.Has(resource)) return false;
        foreach (var collector in Collectors)
        {
            if (name.IndexOf(collector) >= 0) return true;
        }
        return false;
    }
}
