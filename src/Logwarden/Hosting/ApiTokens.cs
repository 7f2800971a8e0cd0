using System.Text.Json;
using System.Text.Json.Serialization;
using Logwarden.Journal;

namespace Logwarden.Hosting;

/// <summary>A token of a person or program that may query.</summary>
/// <param name="Name">Who holds it; it is what the access log shows.</param>
/// <param name="Hash"><see cref="BearerToken.Hash"/> of the token.</param>
/// <param name="Created">When it was made.</param>
sealed record ApiToken(string Name, string Hash, DateTimeOffset Created);

/// <summary>
/// Who may use the API: the holders of the tokens in <c>DATA/state/tokens.json</c>, read anew for each check, so that a change needs no restart; and whoever can read
/// <c>DATA/state/local.token</c>, which a server makes anew at each start. Where a request comes from lets nobody in: behind a proxy on this machine everyone comes from here.
/// </summary>
sealed class ApiTokens(string dataFolder, TimeProvider time)
{
    /// <summary>Holder of the token that is made at each start.</summary>
    public const string Local = "local";

    readonly string _path = Path.Combine(dataFolder, "state", "tokens.json");
    string? _localHash;

    /// <summary>The file that holds this start's token.</summary>
    public string LocalPath { get; } = Path.Combine(dataFolder, "state", "local.token");

    /// <summary>Makes the token of this start, for those who may read the installation's files anyway.</summary>
    /// <exception cref="IOException">It can't be written.</exception>
    public void MakeLocal()
    {
        var token = BearerToken.New("lwl_");
        DurableFile.CreateDirectory(Path.GetDirectoryName(LocalPath)!);
        DurableFile.Replace(LocalPath, System.Text.Encoding.ASCII.GetBytes(token + "\n"));
        _localHash = BearerToken.Hash(token);
    }

    /// <summary>All tokens.</summary>
    /// <exception cref="InvalidDataException">The file is not a token list: nobody is let in by it.</exception>
    /// <exception cref="IOException">The file can't be read; also an <see cref="UnauthorizedAccessException"/>.</exception>
    public IReadOnlyList<ApiToken> All
    {
        get
        {
            try
            {
                return JsonSerializer.Deserialize(File.ReadAllBytes(_path), TokenJson.Default.IReadOnlyListApiToken) ?? [];
            }
            catch (Exception none) when (none is FileNotFoundException or DirectoryNotFoundException)
            {
                return [];
            }
            catch (JsonException bad)
            {
                throw new InvalidDataException($"{_path} is not a list of tokens: {bad.Message} Put back a copy, or make the tokens again after `[]` was written into it.", bad);
            }
        }
    }

    /// <summary>Makes a token.</summary>
    /// <returns>The token: the only time that it can be read.</returns>
    /// <exception cref="Commands.CommandException">The name is taken.</exception>
    public string Add(string name)
    {
        if (string.Equals(name, Local, StringComparison.Ordinal)) throw new Commands.CommandException($"'{Local}' is who the token in {LocalPath} stands for; choose another name");
        var token = BearerToken.New("lwa_");
        using var alone = ProcessLock.Take(_path);
        Save([.. All, new(name, BearerToken.Hash(token), time.GetUtcNow())]);
        return token;
    }

    /// <summary>Takes away every token of that name.</summary>
    /// <returns>How many there were.</returns>
    public int Remove(string name)
    {
        using var alone = ProcessLock.Take(_path);
        var all = All;
        ApiToken[] left = [.. all.Where(token => !string.Equals(token.Name, name, StringComparison.Ordinal))];
        if (left.Length < all.Count) Save(left);
        return all.Count - left.Length;
    }

    /// <summary>The holder of a token, or null. Compares every hash in constant time.</summary>
    public string? Holder(string token)
    {
        var hash = BearerToken.Hash(token);
        if (_localHash is { } local && BearerToken.IsSame(local, hash)) return Local;
        string? found = null;
        foreach (var known in All)
        {
            if (BearerToken.IsSame(known.Hash, hash)) found = known.Name;
        }
        return found;
    }

    void Save(IReadOnlyList<ApiToken> tokens) => DurableFile.Replace(_path, JsonSerializer.SerializeToUtf8Bytes(tokens, TokenJson.Default.IReadOnlyListApiToken));
}

[JsonSerializable(typeof(IReadOnlyList<ApiToken>))]
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
sealed partial class TokenJson : JsonSerializerContext;
