using System.CommandLine;
using System.Globalization;
using Logwarden.Sql;

namespace Logwarden.Commands;

/// <summary><c>logwarden sql-worker</c>: the process that runs statements for another one. Not for people, and not in the help.</summary>
static class SqlWorkerCommand
{
    /// <summary>Its verb.</summary>
    public const string Name = "sql-worker";

    public static Command Create()
    {
        var data = Cli.Data();
        var memory = new Option<long>("--memory") { Required = true };
        var rows = new Option<int>("--rows") { Required = true };
        var bytes = new Option<long>("--bytes") { Required = true };
        var seconds = new Option<double>("--seconds") { Required = true };
        var command = new Command(Name, "Runs SQL for another process of Logwarden.") { data, memory, rows, bytes, seconds };
        command.Hidden = true;
        command.SetAction(parsed =>
        {
            SqlWorker.Run(parsed.GetRequiredValue(data).FullName, new SqlLimits
            {
                MemoryBytesMax = parsed.GetValue(memory),
                Query = new() { SqlRowsMax = parsed.GetValue(rows), SqlBytesMax = parsed.GetValue(bytes), TimeMax = TimeSpan.FromSeconds(parsed.GetValue(seconds)) },
            });
            return Cli.Ok;
        });
        return command;
    }

    /// <summary>Its arguments for these limits.</summary>
    public static string[] Bounds(SqlLimits limits) =>
    [
        "--memory", Cli.Number(limits.MemoryBytesMax), "--rows", Cli.Number(limits.Query.SqlRowsMax), "--bytes", Cli.Number(limits.Query.SqlBytesMax),
        "--seconds", limits.Query.TimeMax.TotalSeconds.ToString("R", CultureInfo.InvariantCulture),
    ];
}
