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
/// Who may use the API, in <c>DATA/state/tokens.json</c>. While there is no token at all and the server listens on loopback only, whoever
/// is on the machine may; from the first token on, nobody may without one, also when the last one is taken away. Read anew for each check, so a change needs no restart.
/// </summary>
sealed class ApiTokens(string dataFolder, TimeProvider time)
{
    readonly string _path = Path.Combine(dataFolder, "state", "tokens.json");

    /// <summary>Whether a token was ever made: from then on nobody is let in without one.</summary>
    public bool WereMade => File.Exists(_path);

    /// <summary>All tokens.</summary>
    /// <exception cref="InvalidDataException">The file is not a token list: nobody is let in.</exception>
    public IReadOnlyList<ApiToken> All
    {
        get
        {
            if (!File.Exists(_path)) return [];
            try
            {
                return JsonSerializer.Deserialize(File.ReadAllBytes(_path), TokenJson.Default.IReadOnlyListApiToken) ?? [];
            }
            catch (JsonException bad)
            {
                throw new InvalidDataException($"{_path} is not a list of tokens: {bad.Message} Put back a copy, or make the tokens again after `[]` was written into it.", bad);
            }
        }
    }

    /// <summary>Makes a token.</summary>
    /// <returns>The token: the only time that it can be read.</returns>
    public string Add(string name)
    {
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
