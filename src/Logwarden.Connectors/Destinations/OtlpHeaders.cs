using System.Buffers;

namespace Logwarden.Destinations;

/// <summary>Headers that go with every request, such as a token. Their values are never shown.</summary>
sealed class OtlpHeaders
{
    static readonly SearchValues<char> NameChars = SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    static readonly string[] Ours = ["host", "te", "content-type", "content-length", "content-encoding", "transfer-encoding", "connection", "accept", "user-agent"];

    OtlpHeaders(IReadOnlyList<KeyValuePair<string, string>> all) => All = all;

    /// <summary>Name, in lower case, and value of each.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> All { get; }

    /// <summary>Reads the secret setting <c>headers</c>: one a line, <c>Name: value</c>.</summary>
    /// <exception cref="SettingException">It can't be read, or a line is no header; the line is told by number, not by content.</exception>
    public static OtlpHeaders Read(DestinationContext context)
    {
        var all = new List<KeyValuePair<string, string>>();
        var number = 0;
        foreach (var raw in (context.Secret("headers") ?? "").Split('\n'))
        {
            number++;
            var line = raw.Trim();
            if (line.Length == 0) continue;
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            var (name, value) = colon < 0 ? ("", "") : (line[..colon].Trim().ToLowerInvariant(), line[(colon + 1)..].Trim());
            if (name.Length == 0 || value.Length == 0 || name.AsSpan().ContainsAnyExcept(NameChars) || value.AsSpan().ContainsAnyExceptInRange(' ', '~'))
                throw new SettingException("headers", $"has a line {number} that is no header; write one a line as Name: value, in ASCII");
            if (Ours.Contains(name, StringComparer.Ordinal) || name.StartsWith("grpc-", StringComparison.Ordinal) || name.EndsWith("-bin", StringComparison.Ordinal))
                throw new SettingException("headers", $"sets {name} in line {number}, which is not for a setting to choose");
            all.Add(new(name, value));
        }
        return new(all);
    }

    /// <summary>What the far side said, without what it may have repeated of these headers.</summary>
    public string Hide(string? said) => FarText.Shown(said, All.Select(header => header.Value));
}
