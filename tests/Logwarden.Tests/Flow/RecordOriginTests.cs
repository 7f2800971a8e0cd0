using System.Diagnostics;
using System.Globalization;
using System.Text;
using Logwarden.Flow;
using Logwarden.Journal;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Flow;

public sealed class RecordOriginTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly DedupKeys _keys = DedupKeys.Passing();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task A_file_is_known_by_its_path_its_inode_and_its_first_record_and_nothing_else()
    {
        var file = Made("app.log");
        using var stat = Process.Start(new ProcessStartInfo("stat", ["-c", "%i", file]) { RedirectStandardOutput = true })!;
        var inode = long.Parse(await stat.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), CultureInfo.InvariantCulture);
        // As docs/formats/journal.md has it; the number of the device, which may change at a mount, is not in it.
        var path = Encoding.UTF8.GetBytes(file);
        var hash = _keys.Begin();
        hash.Append(path.Length);
        hash.Append(path);
        hash.Append(inode);
        hash.Append("first"u8);

        Assert.Equal(hash.Finish(), RecordOrigin.File(_keys, file, "first"u8).Identity);
    }

    [Fact]
    public void Another_path_inode_or_first_record_is_another_file()
    {
        var file = Made("app.log");
        var origin = RecordOrigin.File(_keys, file, "first"u8);

        Assert.Equal("app.log", origin.Name);
        Assert.Equal(origin.Identity, RecordOrigin.File(_keys, file, "first"u8).Identity);
        Assert.NotEqual(origin.Identity, RecordOrigin.File(_keys, file, "other"u8).Identity);
        Assert.NotEqual(origin.Identity, RecordOrigin.File(_keys, Made("b.log"), "first"u8).Identity);
        new FileInfo(file).MoveTo(file + ".1");
        Assert.NotEqual(origin.Identity, RecordOrigin.File(_keys, Made("app.log"), "first"u8).Identity);
    }

    string Made(string name)
    {
        var path = _scratch.File(name);
        File.Create(path).Dispose();
        return path;
    }
}
