using System.Globalization;

namespace Logwarden.Journal;

/// <summary>A journal file: its name is the first offset in it.</summary>
readonly record struct JournalFile(string Path, long First);

/// <summary>The journal files in a directory.</summary>
static class JournalFiles
{
    /// <summary>All of them, oldest first.</summary>
    public static List<JournalFile> List(string directory)
    {
        var files = new List<JournalFile>();
        if (!Directory.Exists(directory)) return files;
        foreach (var path in Directory.EnumerateFiles(directory, "*" + JournalFormat.Extension))
        {
            var name = Path.GetFileNameWithoutExtension(path.AsSpan());
            if (name.Length == 20 && long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var first))
            {
                files.Add(new(path, first));
            }
        }
        files.Sort((a, b) => a.First.CompareTo(b.First));
        return files;
    }

    /// <summary>The file in which <paramref name="offset"/> must be, if it is anywhere.</summary>
    public static JournalFile? Holding(string directory, long offset)
    {
        JournalFile? holding = null;
        foreach (var file in List(directory))
        {
            if (file.First <= offset) holding = file;
        }
        return holding;
    }

    /// <summary>Oldest offset kept; 0 when there is no file.</summary>
    public static long Oldest(string directory)
    {
        var files = List(directory);
        return files.Count == 0 ? 0 : files[0].First;
    }

    /// <summary>Takes away what a crash left unfinished: such a file never got its name, so nobody ever relied on it.</summary>
    public static void DeleteUnfinished(string directory)
    {
        foreach (var path in Directory.GetFiles(directory, "*" + DurableFile.FreshSuffix)) File.Delete(path);
    }
}
