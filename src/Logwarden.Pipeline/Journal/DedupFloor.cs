using System.Globalization;
using System.Text;

namespace Logwarden.Journal;

/// <summary>
/// Where the runs begin: file <c>dedup/floor</c>, an offset in decimal digits. Keys of events below were forgotten for their age. It is what tells this from runs that are missing.
/// </summary>
static class DedupFloor
{
    public static string PathOf(JournalOptions options) => Path.Combine(options.DedupDirectory, "floor");

    /// <summary>0 when there is no file: nothing was forgotten yet.</summary>
    /// <exception cref="JournalDamagedException">It holds no offset.</exception>
    public static long Read(JournalOptions options)
    {
        var path = PathOf(options);
        if (!File.Exists(path)) return 0;
        return long.TryParse(File.ReadAllText(path).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var floor)
            ? floor
            : throw new JournalDamagedException(path, 0, "expected the offset at which the first .keys file begins, in digits. Write it there: it is the first number of that file's name.");
    }

    public static void Replace(JournalOptions options, long floor)
    {
        options.Step(DiskStep.ReplaceFloor, done: false);
        DurableFile.Replace(PathOf(options), Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{floor}\n")));
        options.Step(DiskStep.ReplaceFloor, done: true);
    }
}
