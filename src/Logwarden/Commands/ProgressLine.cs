using System.Globalization;

namespace Logwarden.Commands;

/// <summary>
/// A progress bar on stderr: redrawn in place on a terminal, a line every ten seconds elsewhere, nothing at all for work that ends
/// sooner. Thread-safe. <paramref name="output"/> takes the place of stderr.
/// </summary>
sealed class ProgressLine(string what, long total, TimeProvider time, TextWriter? output = null) : IDisposable
{
    const int BarCells = 24;
    static readonly TimeSpan RedrawEvery = TimeSpan.FromMilliseconds(100);
    static readonly TimeSpan LineEvery = TimeSpan.FromSeconds(10);

    readonly Lock _gate = new();
    readonly long _began = time.GetTimestamp();
    readonly bool _terminal = output is null && !Console.IsErrorRedirected;
    long _last = time.GetTimestamp();
    bool _drawn;

    TextWriter Output => output ?? Console.Error;

    /// <summary>Shows how far it is.</summary>
    /// <param name="done">Of <c>total</c>, in its unit.</param>
    /// <param name="note">What else to say, such as a count of events.</param>
    public void Report(long done, string note)
    {
        lock (_gate)
        {
            if (time.GetElapsedTime(_last) < (_terminal ? RedrawEvery : LineEvery)) return;
            _last = time.GetTimestamp();
            var text = Text(done, note);
            if (_terminal) Output.Write($"\r{text}\u001b[K");
            else Output.WriteLine(text);
            _drawn = true;
        }
    }

    /// <summary>Says something at once, above the bar.</summary>
    public void Tell(string what)
    {
        lock (_gate)
        {
            if (_drawn && _terminal) Output.Write("\r\u001b[K");
            Output.WriteLine(what);
            _drawn = false;
        }
    }

    string Text(long done, string note)
    {
        var seconds = time.GetElapsedTime(_began).TotalSeconds;
        if (total <= 0) return string.Create(CultureInfo.InvariantCulture, $"{what} {note} ({seconds:F0} s)");
        var share = Math.Clamp((double)done / total, 0, 1);
        var filled = (int)(share * BarCells);
        var left = share > 0.01 ? string.Create(CultureInfo.InvariantCulture, $", {seconds / share - seconds:F0} s left") : "";
        return string.Create(CultureInfo.InvariantCulture, $"{what} {new string('█', filled)}{new string('░', BarCells - filled)} {share:P0} {note}{left}");
    }

    /// <summary>Takes the bar off the terminal.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_drawn && _terminal) Output.Write("\r\u001b[K");
        }
    }
}
