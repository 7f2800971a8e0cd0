using System.Buffers.Text;
using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>
/// Any JSON object, with the field map of its source: which path holds the time, the user and so on. A field that the map does not
/// name, or whose path finds nothing, is looked for under its common names.
/// </summary>
public sealed class JsonFormat : IFormat
{
    /// <inheritdoc/>
    public string Name => "json";

    /// <inheritdoc/>
    public string Summary => "Any JSON objects, with a field map from the source's configuration.";

    /// <inheritdoc/>
    public Framing Framing { get; } = new(FramingKind.Json);

    /// <inheritdoc/>
    public NormalizeError? Normalize(ReadOnlySpan<byte> record, in FormatContext context, NormalizedEvent output)
    {
        if (output.Read(record, out var view) is { } refused) return refused;
        Span<int> rows = stackalloc int[(int)CommonField.Count];
        CommonNames.Find(view, rows);
        if (context.Fields is { } map)
        {
            for (var target = 0; target < FieldMap.Targets.Count; target++)
            {
                if (map.Path(target) is { } path && Follow(view, path) is var row and >= 0) rows[target] = row;
            }
        }
        CommonEvent.Write(view, rows, "json"u8, context, output);
        return null;
    }

    static int Follow(scoped in JsonView view, byte[][] path)
    {
        var row = 0;
        foreach (var step in path)
        {
            if (view.Kind(row) == JsonKind.Array)
            {
                if (!Utf8Parser.TryParse(step, out int number, out var used) || used != step.Length || number < 0) return -1;
                var element = view.First(row);
                for (; element >= 0 && number > 0; number--) element = view.After(element, row);
                row = element;
            }
            else
            {
                row = view.Find(row, step);
            }
            if (row < 0) return -1;
        }
        return view.Kind(row) is JsonKind.String or JsonKind.Number or JsonKind.Boolean ? row : -1;
    }
}
