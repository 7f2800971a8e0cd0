using System.Diagnostics.CodeAnalysis;
using System.Net;
using Amazon.Runtime;

namespace Logwarden.Archive;

/// <summary>
/// HTTP that sends a body once. When a connection ends before the answer, .NET's client sends the request again by itself, a PUT too:
/// that makes a second locked version, without anyone having looked for the first. Here the second sending fails instead, and the store
/// decides. <c>Expect: 100-continue</c>, which the SDK sets on every PUT, is left out: some gateways lose step after refusing such a PUT.
/// </summary>
sealed class S3SendOnce(TimeSpan timeout) : HttpClientFactory, IDisposable
{
    readonly HttpClient _http = new(new Sender()) { Timeout = timeout };

    public override HttpClient CreateHttpClient(IClientConfig clientConfig) => _http;

    public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

    public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;

    public void Dispose() => _http.Dispose();

    [SuppressMessage("Reliability", "CA2000", Justification = "A delegating handler disposes the one that it wraps; a request disposes its content.")]
    sealed class Sender() : DelegatingHandler(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    })
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.ExpectContinue = false;
            if (request.Content is { } body) request.Content = new OnceContent(body);
            return base.SendAsync(request, cancellationToken);
        }
    }

    sealed class OnceContent : HttpContent
    {
        readonly HttpContent _body;
        bool _isSent;

        public OnceContent(HttpContent body)
        {
            _body = body;
            foreach (var header in body.Headers) Headers.TryAddWithoutValidation(header.Key, header.Value);
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            if (_isSent) throw new IOException("the connection ended before the answer");
            _isSent = true;
            return _body.CopyToAsync(stream, context, cancellationToken);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = _body.Headers.ContentLength ?? 0;
            return _body.Headers.ContentLength is not null;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) _body.Dispose();
            base.Dispose(disposing);
        }
    }
}
