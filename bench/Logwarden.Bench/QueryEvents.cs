using System.Buffers;
using System.Globalization;
using System.Text;
using Logwarden.Events;

namespace Logwarden.Bench;

/// <summary>
/// Events in the shape of CloudTrail management events as OCSF, about 1.1 KB of JSON each, with what makes logs hard: two random ids an event, sessions that last
/// some hundred events, some users with most of the events, and now and then something rare. The same for the same index.
/// </summary>
sealed class QueryEvents
{
    /// <summary>2026-01-01T00:00:00Z.</summary>
    public const long StartMicros = 1_767_225_600_000_000;

    /// <summary>A user with one event in 200,000.</summary>
    public const string RareUser = "mallory.quinn";

    /// <summary>A word that one event in 1,000,000 has.</summary>
    public const string Needle = "exfiltrate-ledger-backup";

    /// <summary>Microseconds between events: 10 million take 90 days of time.</summary>
    public const long StepMicros = 777_600;

    static readonly string[] Services = ["ec2", "s3", "iam", "sts", "kms", "rds", "lambda", "logs", "dynamodb", "ecs"];
    static readonly string[] Verbs = ["Describe", "List", "Get", "Put", "Create", "Delete", "Update", "Assume", "Attach", "Start"];
    static readonly string[] Nouns = ["Instances", "Buckets", "Role", "Key", "Function", "LogStreams", "Table", "Policy", "Volumes", "Snapshot", "Trail", "Secret"];
    static readonly string[] Regions = ["us-east-1", "us-west-2", "eu-central-1", "ap-southeast-2"];
    static readonly string[] Agents =
    [
        "aws-cli/2.17.0 md/awscrt#0.20.11 ua/2.0 os/linux#6.1 md/arch#x86_64 lang/python#3.11.8 md/pyimpl#CPython",
        "Boto3/1.34.131 md/Botocore#1.34.131 ua/2.0 os/linux#5.10.218 md/arch#aarch64 lang/python#3.12.3 exec-env/AWS_Lambda_python3.12",
        "APN/1.0 HashiCorp/1.0 Terraform/1.8.5 (+https://www.terraform.io) terraform-provider-aws/5.54.1 aws-sdk-go-v2/1.30.0",
        "console.amazonaws.com",
    ];

    readonly ArrayBufferWriter<byte> _encoded = new(4096);
    readonly byte[] _json = new byte[4096];

    /// <summary>Bytes of the JSON of the last event.</summary>
    public ReadOnlySpan<byte> Json => _json.AsSpan(0, Length);

    int Length { get; set; }

    /// <summary>The encoded event of an index.</summary>
    public ReadOnlySpan<byte> Make(long index)
    {
        var random = new SplitMix((ulong)index * 0x9E37 + 12345);
        var session = new SplitMix((ulong)(index / 4096 * 64 + (long)(random.Next() % 64)));
        var userNumber = (int)(session.Next() % 3000 * (session.Next() % 3000) / 3000);
        var user = index % 200_000 == 77_777 ? RareUser : string.Create(CultureInfo.InvariantCulture, $"user{userNumber:D4}");
        var ip = string.Create(CultureInfo.InvariantCulture, $"{11 + session.Next() % 180}.{session.Next() % 256}.{session.Next() % 16}.{1 + random.Next() % 8}");
        var key = Base32("ASIA", session.Next());
        var service = Services[random.Next() % (ulong)Services.Length];
        var call = Verbs[random.Next() % (ulong)Verbs.Length] + Nouns[random.Next() % (ulong)Nouns.Length];
        var region = Regions[session.Next() % 4];
        var target = index % 1_000_000 == 654_321 ? Needle : string.Create(CultureInfo.InvariantCulture, $"res-{random.Next() % 40_000}");
        var denied = random.Next() % 50 == 0;
        var time = StartMicros + index * StepMicros + (long)(random.Next() % 1_000_000);
        var id = Uuid(ref random);
        var account = 100_000_000_000 + (long)(session.Next() % 12) * 7_654_321_987;
        var action = $"{service}:{call}";
        var arn = string.Create(CultureInfo.InvariantCulture, $"arn:aws:{service}:{region}:{account}:{target}");
        var json = string.Create(CultureInfo.InvariantCulture, $$$"""
            {"activity_id":{{{(denied ? 4 : 2)}}},"category_uid":6,"class_uid":6003,"type_uid":600302,"severity_id":1,"time":{{{time / 1000}}},"status_id":{{{(denied ? 2 : 1)}}},"status_code":"{{{(denied ? "AccessDenied" : "")}}}","metadata":{"version":"1.8.0","uid":"{{{id}}}","product":{"name":"CloudTrail","vendor_name":"AWS","feature":{"name":"Management"}},"event_code":"AwsApiCall"},"actor":{"user":{"type":"AssumedRole","name":"{{{user}}}","uid":"AROA{{{key[4..]}}}:{{{user}}}","uid_alt":"arn:aws:sts::{{{account}}}:assumed-role/platform-engineer/{{{user}}}","account":{"uid":"{{{account}}}"},"credential_uid":"{{{key}}}"},"session":{"is_mfa":{{{(userNumber % 3 == 0 ? "true" : "false")}}},"issuer":"arn:aws:iam::{{{account}}}:role/platform-engineer"}},"src_endpoint":{"ip":"{{{ip}}}"},"http_request":{"user_agent":"{{{Agents[session.Next() % 4]}}}"},"api":{"operation":"{{{call}}}","service":{"name":"{{{service}}}.amazonaws.com"},"request":{"uid":"{{{Uuid(ref random)}}}"}},"cloud":{"provider":"AWS","region":"{{{region}}}","account":{"uid":"{{{account}}}"}},"resources":[{"uid":"{{{arn}}}","type":"AWS::{{{service}}}"}],"unmapped":{"readOnly":{{{(call[0] is 'D' or 'L' or 'G' ? "true" : "false")}}},"eventVersion":"1.09","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256"}} }
            """);
        Length = Encoding.UTF8.GetBytes(json, _json);
        _encoded.ResetWrittenCount();
        EventEncoding.Write(_encoded, new StoredEvent
        {
            Offset = index,
            TimeMicros = time,
            IngestedMicros = time + 3_000_000,
            ClassUid = 6003,
            ActivityId = denied ? 4 : 2,
            SeverityId = 1,
            StatusId = (byte)(denied ? 2 : 1),
            Kinds = LogKinds.ObjectAccess,
            Id = Encoding.UTF8.GetBytes(id),
            Class = "security-audit"u8,
            Source = "aws-prod"u8,
            Format = "cloudtrail"u8,
            User = new(Encoding.UTF8.GetBytes(user)),
            Ip = new(Encoding.UTF8.GetBytes(ip)),
            Action = new(Encoding.UTF8.GetBytes(action)),
            Object = new(Encoding.UTF8.GetBytes(arn)),
            Json = Json,
        });
        return _encoded.WrittenSpan;
    }

    static string Uuid(ref SplitMix random)
    {
        Span<byte> bytes = stackalloc byte[16];
        BitConverter.TryWriteBytes(bytes, random.Next());
        BitConverter.TryWriteBytes(bytes[8..], random.Next());
        return new Guid(bytes).ToString();
    }

    static string Base32(string prefix, ulong value)
    {
        Span<char> text = stackalloc char[16];
        for (var i = 0; i < text.Length; i++) text[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(int)(unchecked(value * 0xD6E8FEB86659FD93) >> i * 3 & 31)];
        return string.Concat(prefix, text);
    }

    struct SplitMix(ulong state)
    {
        public ulong Next()
        {
            unchecked
            {
                state += 0x9E3779B97F4A7C15;
                var mixed = (state ^ state >> 30) * 0xBF58476D1CE4E5B9;
                mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB;
                return mixed ^ mixed >> 31;
            }
        }
    }
}
