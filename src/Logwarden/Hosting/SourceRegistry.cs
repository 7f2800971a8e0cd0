using System.Text.Json;
using System.Text.Json.Serialization;
using Logwarden.Commands;
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

    /// <summary>Cloud that it runs in, such as <c>AWS</c>; null where its records say it, or it is not known.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Cloud { get; init; }

    /// <summary>Silence that is an alarm, whatever its rhythm; null leaves it to what is learned.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public TimeSpan? SilenceMax { get; init; }

    /// <summary><see cref="BearerToken.Hash"/> of each token that may send as this source, the oldest first.</summary>
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
    IReadOnlyList<SourceEntry> _sources = [];
    (DateTime Written, long Length) _version = (DateTime.MinValue, -1);
    string? _lastError;

    SourceRegistry(string path, TimeProvider time)
    {
        _path = path;
        _time = time;
    }

    /// <summary>
    /// All sources, by id. A source that the command line adds while a server runs is there at once. When the file can't be read any more, those that were there before stay.
    /// </summary>
    /// <exception cref="InvalidDataException">The file is not a source list or can't be read, and there was none before.</exception>
    public IReadOnlyList<SourceEntry> All
    {
        get
        {
            lock (_gate)
            {
                try
                {
                    var version = Version();
                    if (version == _version && _lastError is null) return _sources;
                    _sources = version.Length < 0 ? [] : Read(_path);
                    (_version, _lastError) = (version, null);
                }
                catch (Exception bad) when (bad is InvalidDataException or IOException or UnauthorizedAccessException)
                {
                    // Looked at anew each time: a file that its owner may read again has the same length and time.
                    var isNew = _lastError is null;
                    _lastError = bad is InvalidDataException ? bad.Message : $"{_path} can't be read: {bad.Message} Give it back to the user that the server runs as.";
                    if (isNew) Unreadable?.Invoke(_lastError);
                    if (_version.Length < 0) throw bad as InvalidDataException ?? new InvalidDataException(_lastError, bad);
                }
                return _sources;
            }
        }
    }

    /// <summary>Is told when the file can't be read any more.</summary>
    public Action<string>? Unreadable { get; set; }

    /// <summary>Why the file can't be read now, while the sources are those that it held before; null when it can.</summary>
    public string? Failure
    {
        get
        {
            lock (_gate)
            {
                try
                {
                    _ = All;
                }
                catch (InvalidDataException bad)
                {
                    return bad.Message;
                }
                return _lastError;
            }
        }
    }

    (DateTime Written, long Length) Version()
    {
        try
        {
            File.GetAttributes(_path); // unlike Exists it tells what is not there from what may not be looked at
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            return (DateTime.MinValue, -1);
        }
        var file = new FileInfo(_path);
        return (file.LastWriteTimeUtc, file.Length);
    }

    /// <exception cref="InvalidDataException">The file is not a source list.</exception>
    public static SourceRegistry Open(string dataFolder, TimeProvider time)
    {
        var registry = new SourceRegistry(Path.Combine(dataFolder, "state", "sources.json"), time);
        _ = registry.All;
        return registry;
    }

    static IReadOnlyList<SourceEntry> Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), SourceJson.Default.IReadOnlyListSourceEntry) ?? [];
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
        var hash = BearerToken.Hash(token);
        SourceEntry? found = null;
        foreach (var source in All)
        {
            foreach (var known in source.TokenHashes)
            {
                if (BearerToken.IsSame(known, hash)) found = source;
            }
        }
        return found;
    }

    /// <summary>Registers a source, or gives back the one that is there.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="format">What it sends.</param>
    /// <param name="fields">Where its fields stand; none or null is those of the source that is there.</param>
    /// <param name="cloud">Cloud that it runs in; null is that of the source that is there.</param>
    /// <returns>The source, and whether it is new.</returns>
    /// <exception cref="CommandException">The id or the cloud is not one, or the source is there with another format, other fields or another cloud.</exception>
    public (SourceEntry Source, bool IsNew) Ensure(string id, string format, IReadOnlyDictionary<string, string>? fields = null, string? cloud = null)
    {
        cloud = Cloud(cloud, format);
        if (!IsId(id)) throw new CommandException($"source id '{id}' must be 1 to 64 of letters, digits, '.', '_' and '-'");
        using var alone = ProcessLock.Take(_path);
        lock (_gate)
        {
            if (Find(id) is { } known)
            {
                if (!string.Equals(known.Format, format, StringComparison.Ordinal))
                {
                    throw new CommandException(
                        $"source '{id}' is registered with format '{known.Format}', not '{format}'; use that format, or another source id");
                }
                if (fields is { Count: > 0 } && !IsSame(fields, known.Fields))
                {
                    throw new CommandException(
                        $"source '{id}' is registered with {Print(known.Fields)}, not {Print(fields)}; leave --field out to use what is registered, or change it with `logwarden source set {id} {Print(fields)}`");
                }
                if (cloud is not null && !string.Equals(cloud, known.Cloud, StringComparison.Ordinal))
                    throw new CommandException($"source '{id}' is registered with {(known.Cloud is null ? "no --cloud" : "--cloud " + known.Cloud)}, not {cloud}; change it with `logwarden source set {id} --cloud {cloud}`");
                return (known, false);
            }
            var source = new SourceEntry
            {
                Id = id,
                Format = format,
                Fields = fields ?? new Dictionary<string, string>(StringComparer.Ordinal),
                Cloud = cloud,
                Created = _time.GetUtcNow(),
            };
            Save([.. All, source]);
            return (source, true);
        }
    }

    /// <summary>Changes where the fields of a source stand, for what it sends from now on.</summary>
    /// <exception cref="CommandException">There is no such source.</exception>
    public SourceEntry SetFields(string id, IReadOnlyDictionary<string, string> fields)
    {
        using var alone = ProcessLock.Take(_path);
        lock (_gate)
        {
            var source = Known(id);
            var changed = source with { Fields = fields };
            Save([.. All.Where(other => !ReferenceEquals(other, source)), changed]);
            return changed;
        }
    }

    /// <summary>Changes the cloud that a source runs in, for what it sends from now on.</summary>
    /// <exception cref="CommandException">There is no such source, its records say it, or it is none.</exception>
    public void SetCloud(string id, string cloud)
    {
        using var alone = ProcessLock.Take(_path);
        lock (_gate)
        {
            var source = Known(id);
            Save([.. All.Where(other => !ReferenceEquals(other, source)), source with { Cloud = Cloud(cloud, source.Format) }]);
        }
    }

    /// <summary>Changes the silence of a source that is an alarm.</summary>
    /// <exception cref="CommandException">There is no such source.</exception>
    public void SetSilence(string id, TimeSpan max)
    {
        using var alone = ProcessLock.Take(_path);
        lock (_gate)
        {
            var source = Known(id);
            Save([.. All.Where(other => !ReferenceEquals(other, source)), source with { SilenceMax = max }]);
        }
    }

    /// <summary>Makes a token for a source.</summary>
    /// <returns>The token: the only time that it can be read.</returns>
    /// <exception cref="CommandException">There is no such source.</exception>
    public string AddToken(string id)
    {
        using var alone = ProcessLock.Take(_path);
        lock (_gate)
        {
            var source = Known(id);
            var token = BearerToken.New("lws_");
            var changed = source with { TokenHashes = [.. source.TokenHashes, BearerToken.Hash(token)] };
            Save([.. All.Where(other => !ReferenceEquals(other, source)), changed]);
            return token;
        }
    }

    /// <summary>Takes the tokens of a source away.</summary>
    /// <param name="id">Source.</param>
    /// <param name="keepNewest">All but the one that was made last.</param>
    /// <returns>How many there were.</returns>
    /// <exception cref="CommandException">There is no such source.</exception>
    public int RevokeTokens(string id, bool keepNewest)
    {
        using var alone = ProcessLock.Take(_path);
        lock (_gate)
        {
            var source = Known(id);
            string[] kept = keepNewest ? [.. source.TokenHashes.TakeLast(1)] : [];
            Save([.. All.Where(other => !ReferenceEquals(other, source)), source with { TokenHashes = kept }]);
            return source.TokenHashes.Count - kept.Length;
        }
    }

    SourceEntry Known(string id) => Find(id) ?? throw new CommandException($"there is no source '{id}'; `logwarden source list` shows those there are");

    void Save(IReadOnlyList<SourceEntry> sources)
    {
        if (_lastError is { } bad) throw new CommandException(bad);
        SourceEntry[] sorted = [.. sources.OrderBy(source => source.Id, StringComparer.Ordinal)];
        DurableFile.Replace(_path, JsonSerializer.SerializeToUtf8Bytes<IReadOnlyList<SourceEntry>>(sorted, SourceJson.Default.IReadOnlyListSourceEntry));
        _sources = sorted;
        _version = Version();
    }

    /// <summary>The name of a cloud as predicates compare it: those that the shipped policy speaks of in its spelling.</summary>
    static string? Cloud(string? cloud, string format)
    {
        if (cloud is null) return null;
        if (string.Equals(format, "cloudtrail", StringComparison.Ordinal)) throw new CommandException("--cloud: each record of format cloudtrail says it; leave it out");
        if (cloud.Length is 0 or > 64 || !cloud.All(c => char.IsAsciiLetterOrDigit(c) || c is ' ' or '-')) throw new CommandException($"--cloud {cloud}: must be 1 to 64 of letters, digits, spaces and '-', such as AWS or Vultr");
        return Clouds.FirstOrDefault(known => string.Equals(known, cloud, StringComparison.OrdinalIgnoreCase)) ?? cloud;
    }

    static readonly string[] Clouds = ["AWS", "Vultr"];

    static bool IsSame(IReadOnlyDictionary<string, string> one, IReadOnlyDictionary<string, string> other) =>
        one.Count == other.Count && one.All(pair => other.TryGetValue(pair.Key, out var path) && string.Equals(path, pair.Value, StringComparison.Ordinal));

    static string Print(IReadOnlyDictionary<string, string> fields) => fields.Count == 0 ? "no --field"
        : string.Join(' ', fields.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"--field {pair.Key}={pair.Value}"));

    static bool IsId(string id) => id.Length is >= 1 and <= 64 && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
}

[JsonSerializable(typeof(IReadOnlyList<SourceEntry>))]
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
sealed partial class SourceJson : JsonSerializerContext;
