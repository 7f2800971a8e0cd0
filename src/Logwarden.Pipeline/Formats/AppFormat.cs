using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>
/// Audit events of applications, one JSON object each: who, from where, did what, to what, when, and anything else
/// (<c>docs/formats/app.md</c>). Lenient with names: <see cref="CommonNames"/> lists what is understood, among it ECS names and the
/// <c>dt</c> of Better Stack. A record that has none of the five fields and no message is no event and is refused.
/// </summary>
public sealed class AppFormat : IFormat
{
    /// <inheritdoc/>
    public string Name => "app";

    /// <inheritdoc/>
    public string Summary => "Audit events of applications: user, ip, action, object, time and anything else, as JSON.";

    /// <inheritdoc/>
    public Framing Framing { get; } = new(FramingKind.Json);

    /// <inheritdoc/>
    public NormalizeError? Normalize(ReadOnlySpan<byte> record, in FormatContext context, NormalizedEvent output)
    {
        if (output.Read(record, out var view) is { } refused) return refused;
        Span<int> rows = stackalloc int[(int)CommonField.Count];
        CommonNames.Find(view, rows);
        if (!HasAny(rows))
        {
            return NormalizeError.At("not-an-event", 0,
                "not an audit event: expected at least one of user, ip, action, object, time, message (names in docs/formats/app.md)");
        }
        CommonEvent.Write(view, rows, "application"u8, context, output);
        return null;
    }

    static bool HasAny(ReadOnlySpan<int> rows)
    {
        ReadOnlySpan<CommonField> telling =
        [
            CommonField.User, CommonField.UserName, CommonField.Ip, CommonField.Action, CommonField.Object, CommonField.Time,
            CommonField.Message,
        ];
        foreach (var field in telling)
        {
            if (rows[(int)field] >= 0) return true;
        }
        return false;
    }
}
