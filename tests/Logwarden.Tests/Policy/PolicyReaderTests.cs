using System.Text;
using CsCheck;
using Logwarden.Policy;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Policy;

public class PolicyReaderTests
{
    static readonly string TestData = Path.Combine(Repository.Root, "tests", "Logwarden.Tests", "Policy", "testdata");
    static readonly string Good = File.ReadAllText(Path.Combine(TestData, "base.yaml"));
    static readonly HashSet<string> Rules = new(["email", "jwt", "phone", "iban"], StringComparer.Ordinal);

    public static TheoryData<string> Cases() => [.. Directory.EnumerateFiles(TestData, "*.case").Select(file => Path.GetFileNameWithoutExtension(file)!).Order(StringComparer.Ordinal)];

    [Fact]
    public void A_good_file_has_no_errors()
    {
        var read = PolicyReader.Read(Good, Rules);
        Assert.Empty(read.Errors);
        Assert.Equal(RedactionChoice.Pseudonym, read.Policy!.Redaction.Actor);
        Assert.Equal([new("email", RedactionChoice.Pseudonym), new("jwt", RedactionChoice.Redact), new("phone", RedactionChoice.Off)], read.Policy.Redaction.Rules);
        Assert.Equal(["request.body"], read.Policy.Redaction.PayloadFields);
        Assert.Equal(ClassLock.None, read.Policy.Class("quarantine").Lock);
        Assert.False(read.Policy.ArchiveChecks[2].Refuse);
        Assert.Equal(64, read.Policy.Sha256.Length);
    }

    /// <summary>
    /// A case is a change of the good file, lines with - become the lines with +, and every error that it must give, each after !.
    /// </summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Each_bad_file_gives_exactly_its_errors(string name)
    {
        var lines = File.ReadAllLines(Path.Combine(TestData, name + ".case"));
        var before = Part(lines, '-', "\n");
        Assert.Equal(2, Good.Split(before).Length);
        var read = PolicyReader.Read(Good.Replace(before, Part(lines, '+', "\n"), StringComparison.Ordinal), Rules);
        Assert.Null(read.Policy);
        Assert.Equal(Part(lines, '!', "\n"), string.Concat(read.Errors.Select(error => error.Render("policy.yaml") + "\n")));
    }

    [Theory]
    [InlineData("", "policy.yaml:1:1: error: the file is empty; expected a policy")]
    [InlineData("hello", "policy.yaml:1:1: error: 'hello'; expected a map of keys and values")]
    [InlineData("- a\n- b", "policy.yaml:1:1: error: a list; expected a map of keys and values")]
    public void What_is_no_map_is_one_error(string yaml, string error) =>
        Assert.Equal(error, Assert.Single(PolicyReader.Read(yaml, Rules).Errors).Render("policy.yaml"));

    [Fact]
    public void A_second_document_and_deep_nesting_are_errors()
    {
        Assert.Contains(PolicyReader.Read(Good + "---\nx: 1\n", Rules).Errors, error => error.Reason is "a second document");
        Assert.Contains("nested deeper", PolicyReader.Read("a: " + new string('[', 200) + new string(']', 200), Rules).Errors[0].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void An_alias_anywhere_never_makes_the_reader_throw()
    {
        for (var at = 0; at < Good.Length; at += 4)
        {
            var read = PolicyReader.Read(Good[..at] + "*a" + Good[at..], Rules);
            Assert.Equal(read.Policy is null, read.Errors.Count > 0);
        }
    }

    [Fact]
    public void No_change_of_the_file_makes_the_reader_throw() =>
        Gen.Select(Gen.Int[0, Good.Length - 1], Gen.Int[0, 40], Gen.OneOf("", " ", "\n", ":", "- ", "{", "]", "\"", "'", "&a", "*a", "!!x", "#", "|\n", "~", "\t", "\ud800", "é", "%", "---\n")).Sample((at, cut, text) =>
        {
            var changed = Good[..at] + text + Good[Math.Min(Good.Length, at + cut)..];
            var read = PolicyReader.Read(changed, Rules);
            Assert.Equal(read.Policy is null, read.Errors.Count > 0);
            var lines = changed.Split('\n').Length;
            Assert.All(read.Errors, error => Assert.InRange(error.Line, 1, lines + 1));
        }, iter: 1_000);

    [Fact]
    public void Check_prints_every_error_and_fails()
    {
        var directory = Directory.CreateTempSubdirectory("logwarden-policy-");
        try
        {
            var file = Path.Combine(directory.FullName, "bad.yaml");
            using (var stream = File.Create(file)) stream.Write(Encoding.UTF8.GetBytes(Good.Replace("lock: none", "lock: nine", StringComparison.Ordinal)));
            using var text = new StringWriter { NewLine = "\n" };
            Assert.Equal(1, PolicyCheck.Run(file, Rules, text, json: false));
            Assert.Equal($"{file}:17:59: error: classes.quarantine.lock: 'nine'; expected one of compliance, governance, none; did you mean none?\n{file}: 1 error\n", text.ToString());
            using var json = new StringWriter();
            Assert.Equal(1, PolicyCheck.Run(file, Rules, json, json: true));
            using var document = System.Text.Json.JsonDocument.Parse(json.ToString());
            Assert.Equal("none", document.RootElement.GetProperty("errors")[0].GetProperty("nearest").GetString());
            Assert.Equal(1, PolicyCheck.Run(file + ".absent", Rules, json, json: false));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    static string Part(string[] lines, char mark, string end) =>
        string.Concat(lines.Where(line => line.StartsWith(mark)).Select(line => line[1..] + end));
}
