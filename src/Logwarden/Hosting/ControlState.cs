using Logwarden.Commands;
using Logwarden.Data;
using Logwarden.Delivery;
using Logwarden.Destinations;
using Logwarden.Flow;
using Logwarden.Policy;
using Logwarden.Watchers;

namespace Logwarden.Hosting;

/// <summary>What an installation knows besides its logs, put together: for the server and for commands beside it.</summary>
sealed class ControlState
{
    ControlState(ControlDatabase database, TimeProvider time)
    {
        Database = database;
        Events = new(database, time);
        Destinations = new(database, Events);
        Deliveries = new(database, time);
        Canaries = new(database, time);
        Certificates = new(database, Deliveries, Events, time);
        Alarms = new(database, time) { Told = Tell };
    }

    /// <summary>Where it is kept.</summary>
    public ControlDatabase Database { get; }

    /// <summary>Own audit events.</summary>
    public OwnEvents Events { get; }

    /// <summary>Where events go.</summary>
    public DestinationRegistry Destinations { get; }

    /// <summary>How far each destination is.</summary>
    public DeliveryStore Deliveries { get; }

    /// <summary>What is wrong at present, and was.</summary>
    public AlarmBook Alarms { get; }

    /// <summary>Statements that nothing is missing.</summary>
    public Certificates Certificates { get; }

    /// <summary>Proof that the ways work.</summary>
    public Canaries Canaries { get; }

    /// <exception cref="IOException">It can't be opened; the message says what to do.</exception>
    public static ControlState Open(string dataFolder, TimeProvider time) => new(ControlDatabase.Open(dataFolder), time);

    /// <summary>Each change of an alarm is an audit event, in the transaction that changes it.</summary>
    void Tell(AlarmChange change, Alarm alarm, Microsoft.Data.Sqlite.SqliteConnection connection, Microsoft.Data.Sqlite.SqliteTransaction transaction) =>
        Events.Write(connection, transaction, new OwnEvent("alarm." + change.ToString().ToLowerInvariant(), alarm.Subject)
        {
            ObjectType = alarm.Kind,
            Severity = alarm.Cleared is null ? "error" : "info",
            Message = alarm.Text,
            Details = [("severity", alarm.Severity), .. alarm.Evidence.Select(fact => (fact.Name, (string?)fact.Value))],
        });

    /// <summary>Makes a destination of its configuration. Connects to nothing yet.</summary>
    /// <param name="entry">The configuration.</param>
    /// <param name="policy">Policy in force.</param>
    /// <param name="time">Clock.</param>
    /// <param name="tell">Takes what it finds and puts right.</param>
    /// <exception cref="SettingException">A setting is missing or wrong.</exception>
    /// <exception cref="CommandException">There is no such kind of destination.</exception>
    public static IDestination Make(DestinationEntry entry, PolicySnapshot policy, TimeProvider time, Action<string> tell)
    {
        if (!DestinationCatalog.TryFind(entry.Type, out var type))
            throw new CommandException($"there is no kind of destination '{entry.Type}'; `logwarden destination types` shows those there are");
        foreach (var name in entry.Settings.Keys)
        {
            if (type.Settings.Any(setting => string.Equals(setting.Name, name, StringComparison.Ordinal))) continue;
            var nearest = Match.NearestWord.Find(name, [.. type.Settings.Select(setting => setting.Name)]);
            throw new SettingException(name, $"is none of {type.Name}{(nearest is null ? "" : $"; did you mean {nearest}?")}");
        }
        var hot = policy.Classes.ToDictionary(one => one.Name, one => Days(one.Hot, time), StringComparer.Ordinal);
        return type.Open(new(entry.Name, entry.Settings, hot, time) { Tell = tell });
    }

    /// <summary>Keeps what a destination found as an own event: somebody changed how it keeps logs, or took rights away that guard it.</summary>
    public void Found(string destination, string what) =>
        Events.Write(new("destination.notice", destination) { Severity = "warning", Message = what });

    static int Days(Period period, TimeProvider time)
    {
        var now = time.GetUtcNow();
        return (int)Math.Ceiling((period.AddTo(now) - now).TotalDays);
    }
}
