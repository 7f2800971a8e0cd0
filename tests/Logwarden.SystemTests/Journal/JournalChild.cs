using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Logwarden.Events;
using Logwarden.Journal;

namespace Logwarden.SystemTests.Journal;

/// <summary>
/// A real process that appends to a journal until it is killed or its disk fails: this executable itself, started with
/// <see cref="Variable"/> set. It writes <c>ack N</c> when everything up to event N was acknowledged.
/// </summary>
static class JournalChild
{
    const string Variable = "LOGWARDEN_JOURNAL_CHILD";
    const int SmallBatch = 7;
    const int LargeBatch = 1000;
    static readonly DedupKeys Keys = DedupKeys.Of("0123456789abcdef"u8);

    public static JournalOptions Options(string directory) =>
        new() { Directory = directory, FileBytesMax = 64 << 10, BytesMax = 1 << 30, DedupKeysInMemory = 256 };

    /// <summary>Starts it, behind a command such as strace where one is given.</summary>
    public static Process Start(string directory, int from, params string[] behind)
    {
        string[] line = [.. behind, Environment.ProcessPath!];
        var start = new ProcessStartInfo(line[0], line[1..])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment[Variable] = string.Create(CultureInfo.InvariantCulture, $"{from}:{directory}");
        return Process.Start(start)!;
    }

    public static AppendBatch Batch(int from, int count)
    {
        var batch = new AppendBatch { Source = "child" };
        for (var i = from; i < from + count; i++)
        {
            var start = batch.Bytes.WrittenCount;
            var id = Encoding.UTF8.GetBytes(i.ToString(CultureInfo.InvariantCulture));
            EventEncoding.Write(batch.Bytes, new StoredEvent { Id = id, Source = "child"u8, Json = new byte[300] });
            batch.Entries.Add(new(start, batch.Bytes.WrittenCount - start, Keys.Of("child"u8, id), null));
        }
        return batch;
    }

#pragma warning disable CA2255 // the test platform owns Main; this is the one place before it
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Become()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { } work) return;
        var colon = work.IndexOf(':', StringComparison.Ordinal);
        Environment.Exit(Append(work[(colon + 1)..], int.Parse(work.AsSpan(0, colon), CultureInfo.InvariantCulture)));
    }

    static int Append(string directory, int from)
    {
        using var output = Console.OpenStandardOutput();
        try
        {
            using var journal = DiskJournal.Open(Options(directory), TimeProvider.System);
            using var reader = journal.OpenReader("slow");
            var next = from;
            for (var n = 1; ; n++)
            {
                // Now and then one that is long enough to be cut in the middle.
                var events = n % 8 == 0 ? LargeBatch : SmallBatch;
                journal.AppendAsync(Batch(next, events), CancellationToken.None).AsTask().GetAwaiter().GetResult();
                next += events;
                output.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"ack {next - 1}\n")));
                output.Flush();
            }
        }
        catch (IOException e)
        {
            output.Write(Encoding.UTF8.GetBytes($"error {e.Message}\n"));
            return 3;
        }
    }
}
