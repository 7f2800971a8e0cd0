using Logwarden.Formats;

namespace Logwarden.Commands;

/// <summary>Opens what a person names as input.</summary>
static class Input
{
    /// <summary>A file, or standard input for <c>-</c>; gzip and zstd are unpacked, told by their magic bytes.</summary>
    /// <exception cref="CommandException">There is no such file.</exception>
    public static Stream Open(string path) => Decompression.Open(OpenPacked(path), DecompressionLimits.Default);

    /// <summary>The same as it is, not unpacked.</summary>
    /// <exception cref="CommandException">There is no such file.</exception>
    public static Stream OpenPacked(string path)
    {
        if (IsStandard(path)) return Console.OpenStandardInput();
        Check(path);
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 128 * 1024, FileOptions.SequentialScan);
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException)
        {
            throw new CommandException($"{path}: {missing.Message}");
        }
    }

    /// <summary>Is it standard input?</summary>
    public static bool IsStandard(string path) => string.Equals(path, "-", StringComparison.Ordinal);

    /// <summary>Refuses what is no file.</summary>
    /// <exception cref="CommandException">It is a folder, or nothing.</exception>
    public static void Check(string path)
    {
        if (IsStandard(path) || File.Exists(path)) return;
        throw new CommandException(Directory.Exists(path)
            ? $"{path} is a folder: name the files in it, such as {Path.Join(path, "*")}"
            : $"there is no file {path}");
    }
}
