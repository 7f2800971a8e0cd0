using System.Text;

namespace Logwarden.SystemTests.World;

/// <summary>Looks for planted secrets in every byte below a folder: raw, base64 in its three alignments, URL-encoded; Parquet unpacked.</summary>
static class Leaks
{
    public static void AssertNone(string folder, IEnumerable<string> secrets)
    {
        var needles = secrets.SelectMany(Forms).ToArray();
        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            AssertNone(File.ReadAllBytes(file), file, needles);
            if (file.EndsWith(".parquet", StringComparison.Ordinal)) AssertNone(Rows(file), file, needles);
        }
    }

    /// <summary>The same for what a program printed.</summary>
    public static void AssertNoneIn(string printed, IEnumerable<string> secrets) =>
        AssertNone(Encoding.UTF8.GetBytes(printed), "output", [.. secrets.SelectMany(Forms)]);

    static void AssertNone(ReadOnlySpan<byte> bytes, string where, (string Secret, byte[] Form)[] needles)
    {
        foreach (var (secret, form) in needles)
        {
            Assert.False(bytes.IndexOf(form) >= 0, $"secret of {secret.Length} characters, first two '{secret[..2]}', is in {where}");
        }
    }

    static byte[] Rows(string parquet)
    {
        using var reader = Segments.SegmentReader.Open(parquet);
        var all = new MemoryStream();
        while (reader.Next()) all.Write(reader.Event);
        return all.ToArray();
    }

    static IEnumerable<(string, byte[])> Forms(string secret)
    {
        var raw = Encoding.UTF8.GetBytes(secret);
        yield return (secret, raw);
        var url = Uri.EscapeDataString(secret);
        if (!string.Equals(url, secret, StringComparison.Ordinal)) yield return (secret, Encoding.ASCII.GetBytes(url));
        for (var shift = 0; shift < 3; shift++)
        {
            var padded = Convert.ToBase64String([.. new byte[shift], .. raw]).TrimEnd('=');
            // The characters at both ends depend on what stands beside the secret.
            var middle = padded[(shift == 0 ? 0 : shift + 1)..^1];
            if (middle.Length >= 8) yield return (secret, Encoding.ASCII.GetBytes(middle));
        }
    }
}
