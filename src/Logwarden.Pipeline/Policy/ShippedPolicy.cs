namespace Logwarden.Policy;

/// <summary>The policy file that is part of the program.</summary>
public static class ShippedPolicy
{
    /// <summary>Text of <c>policy/policy.yaml</c>.</summary>
    public static string Text { get; } = ReadText();

    internal static PolicySnapshot Read()
    {
        var read = PolicyReader.Read(Text, null);
        return read.Policy ?? throw new InvalidOperationException(read.Errors[0].Render("policy.yaml"));
    }

    static string ReadText()
    {
        using var stream = typeof(ShippedPolicy).Assembly.GetManifestResourceStream("policy.yaml")
            ?? throw new InvalidOperationException("The program was built without its policy.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
