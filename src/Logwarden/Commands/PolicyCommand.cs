using System.CommandLine;
using Logwarden.Hosting;
using Logwarden.Policy;

namespace Logwarden.Commands;

/// <summary><c>logwarden policy check|show</c>.</summary>
static class PolicyCommand
{
    /// <summary>Its verb.</summary>
    public const string Name = "policy";

    public static Command Create()
    {
        var file = new Argument<FileInfo?>("FILE") { Description = "Policy file. Default DATA/policy.yaml.", Arity = ArgumentArity.ZeroOrOne };
        var data = Cli.Data();
        var json = Cli.Json();
        var check = new Command("check", "Reports every error of a policy file with its line, column, what was expected and the nearest valid word. Exit code 0 only when there is none.") { file, data, json };
        check.SetAction(parsed =>
        {
            var path = parsed.GetValue(file)?.FullName ?? PolicyFile.PathIn(parsed.GetRequiredValue(data));
            if (!File.Exists(path)) throw new CommandException($"there is no file {path}; name the policy file. Without one the shipped policy is in force: `logwarden policy show` prints it");
            return PolicyCheck.Run(path, PolicyFile.RuleIds, Console.Out, parsed.GetValue(json));
        });

        var policy = Cli.PolicyInForce();
        var show = new Command("show", "Prints the policy that is in force, with every default filled in.") { policy, data, json };
        show.SetAction(parsed =>
        {
            var loaded = PolicyFile.InForce(parsed.GetValue(policy), parsed.GetRequiredValue(data));
            if (parsed.GetValue(json)) Console.Out.WriteLine(PolicyJson.Print(loaded.Policy));
            else PolicyPrinter.Print(loaded.Policy, Console.Out);
            return Cli.Ok;
        });
        return new(Name, "Checks a policy file, or shows the policy in force.") { check, show };
    }
}
