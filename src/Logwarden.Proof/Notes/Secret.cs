using System.Security.Cryptography;
using System.Text;

namespace Logwarden.Proof.Notes;

/// <summary>Text that must not get into logs, messages or dumps by accident: it prints as <c>***</c> and compares in constant time.</summary>
public sealed class Secret(string value) : IEquatable<Secret>
{
    /// <summary>The text itself, for the one call that needs it.</summary>
    public string Reveal() => value;

    /// <inheritdoc/>
    public bool Equals(Secret? other) =>
        other is not null && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(value), Encoding.UTF8.GetBytes(other.Reveal()));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Secret);

    /// <summary>The same for all: a hash of the text would tell something about it.</summary>
    public override int GetHashCode() => 0;

    /// <summary>Always <c>***</c>.</summary>
    public override string ToString() => "***";
}
