using System.Globalization;

namespace Logwarden.Match;

/// <summary>Why a text is no predicate.</summary>
/// <param name="Position">Where, in UTF-16 characters from the start, from 0.</param>
/// <param name="Length">Characters that are wrong there; 0 when something is missing.</param>
/// <param name="Reason">What is wrong, as a sentence without a full stop.</param>
/// <param name="Expected">What could stand there; null when nothing could.</param>
/// <param name="Nearest">The valid word that was most probably meant.</param>
public sealed record PredicateError(int Position, int Length, string Reason, string? Expected, string? Nearest)
{
    /// <summary>Reason, expectation and suggestion in one line.</summary>
    public string Message => Reason + (Expected is null ? "" : ", expected " + Expected)
        + (Nearest is null ? "" : ", did you mean " + Nearest + "?");

    /// <summary>The message with its position, counted from 1.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"character {Position + 1}: {Message}");
}

/// <summary>A predicate, or why there is none.</summary>
public sealed class PredicateOrError
{
    PredicateOrError(Predicate? predicate, PredicateError? error) => (Predicate, Error) = (predicate, error);

    /// <summary>The predicate; null when the text was wrong.</summary>
    public Predicate? Predicate { get; }

    /// <summary>What is wrong; null when nothing is.</summary>
    public PredicateError? Error { get; }

    /// <summary>Takes the predicate of a text that is known to be right.</summary>
    /// <exception cref="InvalidOperationException">The text was wrong.</exception>
    public Predicate Value => Predicate ?? throw new InvalidOperationException(Error!.ToString());

    internal static PredicateOrError Of(Predicate predicate) => new(predicate, null);

    internal static PredicateOrError Of(PredicateError error) => new(null, error);
}
