using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Logwarden.Journal;

namespace Logwarden.Hosting;

/// <summary>A registered source.</summary>
sealed record SourceEntry
{
    /// <summary>Id: 1 to 64 of letters, digits, <c>. _ -</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Input format that it sends.</summary>
    public required string Format { get; init; }

    /// <summary>Where the fields of a <c>json</c> source stand: our name → dotted path.</summary>
    public IReadOnlyDictionary<string, string> Fields { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>SHA-256 of each token that may send as this source, hex. Tokens are 256 random bits, so a plain hash is enough.</summary>
    public IReadOnlyList<string> TokenHashes { get; init; } = [];

    /// <summary>When it was registered.</summary>
    public required DateTimeOffset Created { get; init; }
}

/// <summary>
/// The sources of one installation, in <c>DATA/state/sources.json</c>. A source token is shown once, when it is made; what is kept is its
/// hash. Thread-safe; every change replaces the file durably and the snapshot whole.
/// </summary>
sealed class SourceRegistry
{
    readonly string _path;
    readonly TimeProvider _time;
    readonly Lock _gate = new();
    IReadOnlyList<SourceEntry> _sources;

    SourceRegistry(string path, TimeProvider time, IReadOnlyList<SourceEntry> sources)
    {
        _path = path;
        _time = time;
        _sources = sources;
    }

    /// <summary>All sources, by id.</summary>
    public IReadOnlyList<SourceEntry> All => Volatile.Read(ref _sources);

    /// <exception cref="InvalidDataException">The file is not a source list.</exception>
    public static SourceRegistry Open(string dataFolder, TimeProvider time)
    {
        var path = Path.Combine(dataFolder, "state", "sources.json");
        if (!File.Exists(path)) return new(path, time, []);
        try
        {
            var sources = JsonSerializer.Deserialize(File.ReadAllBytes(path), SourceJson.Default.IReadOnlyListSourceEntry) ?? [];
            return new(path, time, sources);
        }
        catch (JsonException bad)
        {
            throw new InvalidDataException($"{path} is not a list of sources: {bad.Message} Put back a copy, or move it away and register the sources again.", bad);
        }
    }

    /// <summary>The source of that id, or null.</summary>
    public SourceEntry? Find(string id) => All.FirstOrDefault(source => string.Equals(source.Id, id, StringComparison.Ordinal));

    /// <summary>The source that a token belongs to, or null. Compares every hash in constant time.</summary>
    public SourceEntry? FindByToken(string token)
    {
        var hash = Hash(token);
        SourceEntry? found = null;
        foreach (var source in All)
        {
            foreach (var known in source.TokenHashes)
            {
                if (CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(known), hash)) found = source;
            }
        }
        return found;
    }

    /// <summary>Registers a source, or gives back the one that is there.</summary>
    /// <returns>The source, and whether it is new.</returns>
    /// <exception cref="ArgumentException">The id is not one, or the source is there with another format.</exception>
    public (SourceEntry Source, bool IsNew) Ensure(string id, string format, IReadOnlyDictionary<string, string>? fields = null)
    {
        if (!IsId(id)) throw new ArgumentException($"source id '{id}' must be 1 to 64 of letters, digits, '.', '_' and '-'", nameof(id));
        lock (_gate)
        {
            if (Find(id) is { } known)
            {
                if (!string.Equals(known.Format, format, StringComparison.Ordinal))
                {
                    throw new ArgumentException(
                        $"source '{id}' is registered with format '{known.Format}', not '{format}'; use that format, or another source id", nameof(format));
                }
                return (known, false);
            }
            var source = new SourceEntry
            {
                Id = id,
                Format = format,
                Fields = fields ?? new Dictionary<string, string>(StringComparer.Ordinal),
                Created = _time.GetUtcNow(),
            };
            Save([.. All, source]);
            return (source, true);
        }
    }

    /// <summary>Makes a token for a source.</summary>
    /// <returns>The token: the only time that it can be read.</returns>
    /// <exception cref="ArgumentException">There is no such source.</exception>
    public string AddToken(string id)
    {
        lock (_gate)
        {
            var source = Find(id) ?? throw new ArgumentException($"there is no source '{id}'", nameof(id));
            var token = "lws_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
            var changed = source with { TokenHashes = [.. source.TokenHashes, Encoding.ASCII.GetString(Hash(token))] };
            Save([.. All.Where(other => !ReferenceEquals(other, source)), changed]);
            return token;
        }
    }

    void Save(IReadOnlyList<SourceEntry> sources)
    {
        SourceEntry[] sorted = [.. sources.OrderBy(source => source.Id, StringComparer.Ordinal)];
        Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        DurableFile.Replace(_path, JsonSerializer.SerializeToUtf8Bytes<IReadOnlyList<SourceEntry>>(sorted, SourceJson.Default.IReadOnlyListSourceEntry));
        Volatile.Write(ref _sources, sorted);
    }

    static byte[] Hash(string token) => Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token))));

    static bool IsId(string id) => id.Length is >= 1 and <= 64 && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
}

[JsonSerializable(typeof(IReadOnlyList<SourceEntry>))]
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
sealed partial class SourceJson : JsonSerializerContext;
