using System.Buffers;
using System.CommandLine;
using System.Text.Json;
using Logwarden.Data;
using Logwarden.Delivery;
using Logwarden.Events;

namespace Logwarden.Commands;

/// <summary><c>logwarden deadletter list|show|replay</c>: events that a destination would not take.</summary>
static class DeadLetterCommand
{
    public static Command Create() => new("deadletter", "Events that a destination refused for good: what and why, and sending them again.") { List(), Show(), Replay() };

    static Command List()
    {
        var destination = Destination();
        var all = new Option<bool>("--all") { Description = "Also those that arrived after all." };
        var after = new Option<long>("--after") { Description = "Only those behind this number: the next page." };
        var limit = new Option<int>("--limit") { Description = "How many at most.", DefaultValueFactory = _ => 100 };
        var (data, json) = (Cli.Data(), Cli.Json());
        var command = new Command("list", "Lists them, oldest first.") { destination, all, after, limit, data, json };
        command.SetAction(parsed => DestinationCommand.Run(parsed, data, control =>
        {
            var letters = control.Deliveries.DeadLetters(parsed.GetValue(destination), parsed.GetValue(after), parsed.GetValue(limit), parsed.GetValue(all));
            var table = new TextTable("NUMBER", "DESTINATION", "REFUSED", "SOURCE", "CLASS", "EVENT", "STATE", "REASON");
            foreach (var letter in letters)
            {
                if (parsed.GetValue(json)) Console.Out.WriteLine(JsonSerializer.Serialize(Facts(letter)));
                else table.Row(Cli.Number(letter.Number), letter.Destination, Cli.Time(letter.Refused), letter.Source, letter.Class, letter.EventId, State(letter), letter.Reason);
            }
            if (!parsed.GetValue(json)) table.Write(Console.Out);
            if (letters.Count == parsed.GetValue(limit)) Console.Error.WriteLine($"there may be more: --after {Cli.Number(letters[^1].Number)}");
        }));
        return command;
    }

    static Command Show()
    {
        var number = new Argument<long>("NUMBER") { Description = "Number of the dead letter." };
        var data = Cli.Data();
        var command = new Command("show", "Prints one, with its event, as JSON.") { number, data };
        command.SetAction(parsed => DestinationCommand.Run(parsed, data, control =>
        {
            var letter = control.Deliveries.DeadLetter(parsed.GetValue(number)) ?? throw new CommandException($"there is no dead letter {Cli.Number(parsed.GetValue(number))}");
            control.Events.Write(new("deadletter.read", letter.EventId) { ObjectType = "event", User = OwnEvents.LocalUser });
            var output = new ArrayBufferWriter<byte>();
            if (EventEncoding.TryRead(letter.Event, out var e)) EventJson.Write(output, e);
            using var shown = JsonDocument.Parse(output.WrittenMemory);
            Console.Out.WriteLine(JsonSerializer.Serialize(new { letter = Facts(letter), @event = shown.RootElement }));
        }));
        return command;
    }

    static Command Replay()
    {
        var destination = Destination();
        destination.Required = true;
        var number = new Option<long?>("--number") { Description = "Only this one. Default all that did not arrive." };
        var data = Cli.Data();
        var command = new Command("replay", "Has a running server send them again, within seconds; one that is refused again stays in the list.") { destination, number, data };
        command.SetAction(parsed => DestinationCommand.Run(parsed, data, control =>
        {
            var name = parsed.GetRequiredValue(destination)!;
            if (control.Destinations.Find(name) is null) throw new CommandException($"there is no destination '{name}'; `logwarden destination list` shows those there are");
            var marked = control.Deliveries.Replay(name, parsed.GetValue(number));
            control.Events.Write(new("deadletter.update", name) { ObjectType = "destination", User = OwnEvents.LocalUser, Message = "Dead letters are sent again.", Details = [("count", Cli.Number(marked))] });
            Console.Out.WriteLine($"{Cli.Number(marked)} to be sent again");
        }));
        return command;
    }

    static Option<string?> Destination() => new("--destination") { Description = "Of this destination." };

    static string State(DeadLetter letter) => letter.Arrived is { } arrived ? "arrived " + Cli.Time(arrived) : letter.IsToReplay ? "to be sent again" : "refused";

    static object Facts(DeadLetter letter) => new
    {
        number = letter.Number,
        destination = letter.Destination,
        refused = Cli.Time(letter.Refused),
        source = letter.Source,
        @class = letter.Class,
        offset = letter.Offset,
        event_id = letter.EventId,
        state = State(letter),
        reason = letter.Reason,
    };
}
