using System.Buffers;
using System.Text;
using System.Text.Json;
using Logwarden.Redaction;

namespace Logwarden.Tests.Redaction;

/// <summary>Short ways to run a redactor in a test.</summary>
static class Redacting
{
    public static readonly Redactor Default = Redactor.Create(new RedactionOptions());

    public static string Text(string text, Redactor? redactor = null) => Encoding.UTF8.GetString(Text(Encoding.UTF8.GetBytes(text), out _, redactor));

    public static byte[] Text(byte[] text, out RedactionScratch scratch, Redactor? redactor = null)
    {
        scratch = new RedactionScratch();
        var output = new ArrayBufferWriter<byte>();
        if ((redactor ?? Default).Text(text, scratch, output)) return output.WrittenSpan.ToArray();
        Assert.Equal(0, output.WrittenCount);
        return text;
    }

    public static string Json(string json, Redactor? redactor = null, params ProtectedSpan[] actors)
    {
        var output = new ArrayBufferWriter<byte>();
        if (!(redactor ?? Default).Json(Encoding.UTF8.GetBytes(json), actors, new RedactionScratch(), output))
        {
            Assert.Equal(0, output.WrittenCount);
            return json;
        }
        using var valid = JsonDocument.Parse(output.WrittenMemory);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    /// <summary>The secret, or any eight characters of it in a row, is still there.</summary>
    public static bool Leaks(string output, string secret)
    {
        if (secret.Length < 8) return output.Contains(secret, StringComparison.Ordinal);
        for (var i = 0; i + 8 <= secret.Length; i++)
            if (output.Contains(secret.Substring(i, 8), StringComparison.Ordinal)) return true;
        return false;
    }
}
