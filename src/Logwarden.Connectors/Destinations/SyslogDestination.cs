using System.Buffers;
using System.Net;
using System.Security.Authentication;
using Logwarden.Events;
using Logwarden.Flow;

namespace Logwarden.Destinations;

/// <summary>
/// A syslog receiver: RFC 5424 over TLS (RFC 5425), or over plain TCP with the same framing to this machine. Syslog acknowledges nothing. <see cref="Answer.Accepted"/>
/// means that the receiver's TCP has acknowledged every byte and that the connection stood after that, which is no promise that its process has read, let alone
/// stored them; so what was sent shortly before a connection ended is sent again on the next (<see cref="SyslogUnread"/>). Where proof is wanted, use a destination that answers.
/// </summary>
public sealed class SyslogDestination : IDestination
{
    /// <summary>What RFC 5425 wants every receiver to take, and what rsyslog takes unless told otherwise, cutting off the rest.</summary>
    const int MessageBytesMaxByDefault = 8192;
    const int BytesMax = 1 << 20;
    const int EventsMax = 2_000;
    const int AuditFacility = 13;

    static readonly SearchValues<char> NumberChars = SearchValues.Create("0123456789.");
    static readonly TimeSpan AgeMax = TimeSpan.FromSeconds(1);
    static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(60);

    readonly DestinationContext _context;
    readonly DnsEndPoint _address;
    readonly bool _isEncrypted;
    readonly SyslogFrame _frame;
    readonly ArrayBufferWriter<byte> _sending = new(64 << 10);
    readonly SyslogUnread _unread = new();
    SyslogConnection? _connection;

    SyslogDestination(DestinationContext context, DnsEndPoint address, bool isEncrypted, SyslogHeader header, int messageBytesMax)
    {
        (_context, _address, _isEncrypted, _frame) = (context, address, isEncrypted, new(header));
        var frame = SyslogFrame.BytesOf(messageBytesMax);
        Limits = new(EventsMax, Math.Max(BytesMax, frame), frame, 0, AgeMax);
    }

    /// <summary>This kind of destination.</summary>
    public static DestinationType Type { get; } = new(
        "syslog",
        "syslog receiver, RFC 5424 over TLS (RFC 5425); it acknowledges nothing",
        [
            new("address", "tls://HOST:PORT, port 6514 by default; tcp://127.0.0.1:PORT for a receiver on this machine, port 514 by default", IsRequired: true),
            new("facility", "facility, 0 to 23; 13, log audit, by default"),
            new("hostname", "HOSTNAME of the messages; this machine's name by default"),
            new("app-name", "APP-NAME of the messages; logwarden by default"),
            new("procid", "PROCID of the messages; the number of this process by default"),
            new("sd-id", "SD-ID of the structured data; logwarden@32473 by default, which is a number for documentation: take your company's"),
            new("utf8-bom", "yes or no: whether a message that is not ASCII begins with a byte order mark, as RFC 5424 wants; yes by default"),
            new("message-bytes-max", "most bytes of a message, 2048 to 16777216; larger ones are refused. 8192 by default: raise the receiver's limit first"),
            .. DestinationTls.Settings,
        ],
        Open);

    /// <inheritdoc/>
    public DestinationLimits Limits { get; }

    /// <summary>Whether there is a connection that the receiver has not ended, for tests.</summary>
    internal bool HasConnection => _connection is { Ended: null };

    /// <inheritdoc/>
    public void Render(in StoredEvent e, IBufferWriter<byte> output) => _frame.Write(e, output);

    /// <inheritdoc/>
    public async ValueTask<Answer> SendAsync(EventBatch batch, CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(SendTimeout, _context.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, late.Token);
        var isWhole = false;
        try
        {
            await ConnectAsync(both.Token);
            _sending.ResetWrittenCount();
            for (var i = 0; i < batch.Count; i++) _sending.Write(batch.Wire(i).Span);
            await _connection!.SendAsync(_sending.WrittenMemory, both.Token);
            _unread.Add(_sending.WrittenSpan, _context.Time.GetUtcNow());
            isWhole = true;
            return new Answer.Accepted();
        }
        catch (SettingException bad)
        {
            return new Answer.Blocked(bad.Message);
        }
        catch (AuthenticationException bad)
        {
            return new Answer.Blocked($"no TLS connection: {FarText.Shown(bad.InnerException?.Message ?? bad.Message, [])}. Put the setting ca-file right, the name in address, or the client certificate");
        }
        catch (OperationCanceledException bad) when (!cancel.IsCancellationRequested)
        {
            throw new IOException($"the receiver did not take a batch within {SendTimeout.TotalSeconds} seconds", bad);
        }
        finally
        {
            // Part of a message may be out: what came after it on this connection would be read as its rest.
            if (!isWhole) await DropAsync();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_connection is not null) await _connection.DisposeAsync();
        _connection = null;
    }

    async Task ConnectAsync(CancellationToken cancel)
    {
        if (_connection is { Ended: not null }) await DropAsync();
        if (_connection is not null) return;
        // The certificates are read for each connection: rotated ones are taken without a restart.
        using var tls = _isEncrypted ? new DestinationTls(_context) : null;
        _connection = await SyslogConnection.OpenAsync(_address, tls?.Options(_address.Host), _context.Time, cancel);
        await _unread.SendAgainAsync(_connection, _context.Time, cancel);
    }

    /// <summary>Gives the connection up. What had not time enough to be read stays to be sent again.</summary>
    async Task DropAsync()
    {
        if (_connection is null) return;
        _unread.Forget(_connection.Ended ?? _context.Time.GetUtcNow());
        await _connection.DisposeAsync();
        _connection = null;
    }

    static SyslogDestination Open(DestinationContext context)
    {
        var address = context.Address("address", "tls", "tcp") ?? throw new SettingException("address", "is missing");
        var isEncrypted = address.Scheme is "tls";
        if (address.PathAndQuery is not ("" or "/") || address.Host.Length == 0) throw new SettingException("address", "must be no more than tls://HOST:PORT");
        if (!isEncrypted && !(address.IdnHost is "localhost" || (IPAddress.TryParse(address.IdnHost, out var ip) && IPAddress.IsLoopback(ip))))
            throw new SettingException("address", "would send logs readable over the network; use tls://, tcp:// is for a receiver on this machine");
        if (isEncrypted) new DestinationTls(context).Dispose();
        var header = new SyslogHeader(
            context.Number("facility", 0, 23, AuditFacility),
            Name(context, "hostname", 255, Dns.GetHostName()),
            Name(context, "app-name", 48, "logwarden"),
            Name(context, "procid", 128, Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture)),
            DataId(context),
            (context.Optional("utf8-bom") ?? "yes") switch { "yes" => true, "no" => false, _ => throw new SettingException("utf8-bom", "must be yes or no") });
        var port = address.Port > 0 ? address.Port : isEncrypted ? 6514 : 514;
        return new(context, new(address.IdnHost, port), isEncrypted, header, context.Number("message-bytes-max", 2048, 16 << 20, MessageBytesMaxByDefault));
    }

    static string Name(DestinationContext context, string name, int max, string byDefault)
    {
        var text = context.Optional(name) ?? byDefault;
        return text.Length > 0 && text.Length <= max && !text.AsSpan().ContainsAnyExceptInRange('!', '~')
            ? text : throw new SettingException(name, $"must be 1 to {max} printable ASCII characters without blanks");
    }

    static string DataId(DestinationContext context)
    {
        var text = Name(context, "sd-id", 32, "logwarden@32473");
        var at = text.IndexOf('@', StringComparison.Ordinal);
        var number = text.AsSpan(at + 1);
        var isOne = at > 0 && number.Length > 0 && !text.AsSpan(0, at).ContainsAny('=', ']', '"') && !number.ContainsAnyExcept(NumberChars) && char.IsDigit(number[0]) && char.IsDigit(number[^1]);
        return isOne ? text : throw new SettingException("sd-id", "must be NAME@NUMBER, the number being a private enterprise number of IANA's");
    }
}
