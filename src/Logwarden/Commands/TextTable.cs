namespace Logwarden.Commands;

/// <summary>A table for people: columns as wide as their widest cell, numbers to the right.</summary>
sealed class TextTable(params string[] heads)
{
    readonly List<string[]> _rows = [];

    /// <summary>Adds a row of as many cells as there are heads.</summary>
    public void Row(params string[] cells) => _rows.Add(cells);

    /// <summary>Prints it.</summary>
    public void Write(TextWriter to)
    {
        var widths = heads.Select((head, i) => Math.Max(head.Length, _rows.Count == 0 ? 0 : _rows.Max(row => row[i].Length))).ToArray();
        var numeric = heads.Select((_, i) => _rows.Count > 0 && _rows.TrueForAll(row => row[i].Length > 0 && char.IsAsciiDigit(row[i][0]) && !row[i].Contains('T', StringComparison.Ordinal))).ToArray();
        Line(heads);
        foreach (var row in _rows) Line(row);

        void Line(string[] cells)
        {
            var padded = cells.Select((cell, i) => numeric[i] ? cell.PadLeft(widths[i]) : cell.PadRight(widths[i]));
            to.WriteLine(string.Join("  ", padded).TrimEnd());
        }
    }
}
