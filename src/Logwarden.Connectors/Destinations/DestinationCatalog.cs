using System.Diagnostics.CodeAnalysis;
using Logwarden.Flow;

namespace Logwarden.Destinations;

/// <summary>A kind of destination: its name, its settings, and how one is made of them.</summary>
/// <param name="Name">Name in <c>logwarden destination add NAME --type …</c>, such as <c>better-stack</c>.</param>
/// <param name="What">What it is, in one line for <c>--help</c>.</param>
/// <param name="Settings">What it can be told.</param>
/// <param name="Open">Makes one; throws <see cref="SettingException"/> when a setting is missing or wrong. Connects to nothing yet.</param>
public sealed record DestinationType(string Name, string What, IReadOnlyList<DestinationSetting> Settings, Func<DestinationContext, IDestination> Open);

/// <summary>One setting of a kind of destination.</summary>
/// <param name="Name">Name, in lower case with dashes, such as <c>endpoint</c>.</param>
/// <param name="What">What it is and its default, in one line.</param>
/// <param name="IsRequired">Whether there is no default.</param>
/// <param name="IsSecret">Whether its value is a secret: then it names a file (<c>file:PATH</c>) or a variable of the environment (<c>env:NAME</c>) and is read when it is used.</param>
public sealed record DestinationSetting(string Name, string What, bool IsRequired = false, bool IsSecret = false);

/// <summary>What a destination is made with.</summary>
/// <param name="Name">Name of this one, as routes of the policy name it.</param>
/// <param name="Settings">Settings as they were given.</param>
/// <param name="Classes">Hot time of each class in days, for stores that delete by themselves.</param>
/// <param name="Time">Clock.</param>
public sealed record DestinationContext(string Name, IReadOnlyDictionary<string, string> Settings, IReadOnlyDictionary<string, int> Classes, TimeProvider Time)
{
    /// <summary>Takes a sentence for people about something that was found and put right, or that somebody should look at, and that holds no delivery up.</summary>
    public Action<string> Tell { get; init; } = static _ => { };

    /// <summary>A setting, or null.</summary>
    public string? Optional(string name) => Settings.GetValueOrDefault(name);

    /// <summary>A setting that must be there.</summary>
    /// <exception cref="SettingException">It is not.</exception>
    public string Required(string name) => Optional(name) ?? throw new SettingException(name, "is missing");

    /// <summary>An absolute address with one of these schemes; null when it is not set.</summary>
    /// <exception cref="SettingException">It is not one, or holds a user name or password, which belong into a secret setting.</exception>
    public Uri? Address(string name, params ReadOnlySpan<string> schemes)
    {
        if (Optional(name) is not { } text) return null;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var address) || !schemes.Contains(address.Scheme))
            throw new SettingException(name, $"is no address that begins with {string.Join(" or ", schemes.ToArray().Select(scheme => scheme + "://"))}");
        return address.UserInfo.Length == 0 ? address : throw new SettingException(name, "must not hold a password; there is a setting for it");
    }

    /// <summary>The address of a service that is given secrets: <c>https://…</c>, on this machine also <c>http://…</c>. Null when it is not set.</summary>
    /// <exception cref="SettingException">It is not one.</exception>
    public Uri? Service(string name)
    {
        var address = Address(name, "https", "http");
        return address is null or { Scheme: "https" } or { IsLoopback: true } ? address : throw new SettingException(name, "must begin with https://, or anyone on the way could read what is sent");
    }

    /// <summary>The value of a secret setting, read now: a rotated one is taken without a restart. Null when it is not set.</summary>
    /// <exception cref="SettingException">The file or the variable is not there.</exception>
    public string? Secret(string name) => Optional(name) is { } text ? ReadSecret(name, text) : null;

    /// <summary>The same, for a secret that must be there and goes into the header of a request.</summary>
    /// <exception cref="SettingException">It is not there, or a header can't hold it.</exception>
    public string HeaderSecret(string name) => ReadHeaderSecret(name, Required(name));

    /// <summary>The value of a secret that goes into the header of a request, read now.</summary>
    /// <param name="name">Name of the setting, for the message of an error.</param>
    /// <param name="text"><c>file:PATH</c> or <c>env:NAME</c>.</param>
    /// <exception cref="SettingException">It is not there, or a header can't hold it.</exception>
    public static string ReadHeaderSecret(string name, string text)
    {
        var value = ReadSecret(name, text);
        return value.AsSpan().ContainsAnyExceptInRange(' ', '~') ? throw new SettingException(name, $"names {text}, which holds more than one line of plain ASCII") : value;
    }

    /// <summary>The value of a secret, read now.</summary>
    /// <param name="name">Name of the setting, for the message of an error.</param>
    /// <param name="text"><c>file:PATH</c> or <c>env:NAME</c>.</param>
    /// <exception cref="SettingException">The file or the variable is not there.</exception>
    public static string ReadSecret(string name, string text)
    {
        if (text.StartsWith("env:", StringComparison.Ordinal))
            return Environment.GetEnvironmentVariable(text[4..]) is { Length: > 0 } value ? value : throw new SettingException(name, $"names the variable {text[4..]}, which is not set");
        if (!text.StartsWith("file:", StringComparison.Ordinal)) throw new SettingException(name, "must be file:PATH or env:NAME, so that no secret stands in a configuration");
        try
        {
            return File.ReadAllText(text[5..]).Trim() is { Length: > 0 } value ? value : throw new SettingException(name, $"names the file {text[5..]}, which is empty");
        }
        catch (Exception bad) when (bad is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new SettingException(name, $"names the file {text[5..]}, which can't be read: {bad.Message}", bad);
        }
    }

    /// <summary>A whole number of a range, or what it is by default.</summary>
    /// <exception cref="SettingException">It is not one.</exception>
    public int Number(string name, int min, int max, int byDefault)
    {
        if (Optional(name) is not { } text) return byDefault;
        return int.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var number) && number >= min && number <= max
            ? number : throw new SettingException(name, $"must be a whole number from {min} to {max}");
    }
}

/// <summary>A setting of a destination is missing or wrong.</summary>
public sealed class SettingException(string setting, string what, Exception? inner = null) : Exception($"setting {setting} {what}", inner)
{
    /// <summary>Name of the setting.</summary>
    public string Setting { get; } = setting;
}

/// <summary>The kinds of destinations, one a file. A test compares this list with the folder.</summary>
public static class DestinationCatalog
{
    /// <summary>All of them, by name.</summary>
    public static IReadOnlyList<DestinationType> All { get; } =
    [
        BetterStackDestination.Type, ClickHouseDestination.Type, CloudWatchDestination.Type, FileDestination.Type, HttpJsonDestination.Type, OtlpDestination.Type,
        SyslogDestination.Type,
    ];

    /// <summary>The kind of that name.</summary>
    public static bool TryFind(string name, [NotNullWhen(true)] out DestinationType? type)
    {
        type = All.FirstOrDefault(one => string.Equals(one.Name, name, StringComparison.Ordinal));
        return type is not null;
    }
}
