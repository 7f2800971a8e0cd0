using System.Diagnostics.CodeAnalysis;
using Amazon.Runtime;

namespace Logwarden.Archive;

/// <summary>
/// HTTP that sends a call of the SDK once. When a connection ends before the answer, the SDK sends the same signed request again, below
/// its own retries and whatever their number: of a PUT that makes a second locked version, without anyone having looked for the first.
/// Here the second sending fails, and the store decides. <c>Expect: 100-continue</c>, which the SDK sets on every PUT, is left out: with
/// it .NET repeats a request too, and some gateways lose step after refusing one.
/// </summary>
sealed class S3SendOnce(TimeSpan timeout) : HttpClientFactory, IDisposable
{
    readonly HttpClient _http = new(new Sender()) { Timeout = timeout };

    public override HttpClient CreateHttpClient(IClientConfig clientConfig) => _http;

    public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

    public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;

    public void Dispose() => _http.Dispose();

    [SuppressMessage("Reliability", "CA2000", Justification = "A delegating handler disposes the one that it wraps.")]
    sealed class Sender() : DelegatingHandler(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        ConnectTimeout = S3Options.ConnectTimeout,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    })
    {
        const string CallId = "amz-sdk-invocation-id"; // one a call, the same in all that is sent for it
        const int RememberedMax = 256; // more than are ever under way

        readonly Lock _gate = new();
        readonly Queue<string> _order = new();
        readonly HashSet<string> _sent = new(StringComparer.Ordinal);

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.Headers.TryGetValues(CallId, out var ids) && !IsFirst(ids.First()))
            {
                throw new HttpRequestException("the connection ended before the answer");
            }
            request.Headers.ExpectContinue = false;
            return base.SendAsync(request, cancellationToken);
        }

        bool IsFirst(string id)
        {
            lock (_gate)
            {
                if (!_sent.Add(id)) return false;
                _order.Enqueue(id);
                if (_order.Count > RememberedMax) _sent.Remove(_order.Dequeue());
                return true;
            }
        }
    }
}
