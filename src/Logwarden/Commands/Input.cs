using Logwarden.Formats;

namespace Logwarden.Commands;

/// <summary>Opens what a person names as input.</summary>
static class Input
{
    /// <summary>A file, or standard input for <c>-</c>; gzip and zstd are unpacked, told by their magic bytes.</summary>
    /// <exception cref="CommandException">There is no such file.</exception>
    public static Stream Open(string path)
    {
        if (string.Equals(path, "-", StringComparison.Ordinal)) return Decompression.Open(Console.OpenStandardInput(), DecompressionLimits.Default);
        try
        {
            return Decompression.Open(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 128 * 1024, FileOptions.SequentialScan), DecompressionLimits.Default);
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException)
        {
            throw new CommandException($"{path}: {missing.Message}");
        }
    }
}
