using System.Text;
using System.Text.Unicode;

namespace Logwarden.Destinations;

/// <summary>Text on its way to the far side and back from it.</summary>
static class FarText
{
    const int SecretCharsMin = 6;

    /// <summary>The text itself when it is valid UTF-8; else a copy in which U+FFFD stands for what is not.</summary>
    public static ReadOnlySpan<byte> Valid(ReadOnlySpan<byte> utf8) => Utf8.IsValid(utf8) ? utf8 : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(utf8));

    /// <summary>What the far side said, fit to be shown to people: one line, not long, with <c>***</c> for each credential that it may have repeated.</summary>
    /// <param name="said">Anything.</param>
    /// <param name="secrets">Values of the headers that were sent; their words count too, so that a token is found without its <c>Bearer</c>.</param>
    public static string Shown(string? said, IEnumerable<string> secrets)
    {
        if (said is null) return "";
        var words = secrets.SelectMany(value => value.Split(' ', ',', ';').Prepend(value)).Where(word => word.Length >= SecretCharsMin);
        return DestinationHttp.Clean(Encoding.UTF8.GetBytes(said), words);
    }
}
