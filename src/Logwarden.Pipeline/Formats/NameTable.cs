using System.Text;
using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>A fixed set of names, each with its number, looked up by UTF-8 text without allocating.</summary>
sealed class NameTable
{
    readonly byte[]?[] _names;
    readonly int[] _numbers;

    /// <summary>A table of these names; the number of a name is its place in the list.</summary>
    public NameTable(params ReadOnlySpan<string> names)
    {
        var size = 16;
        while (size < names.Length * 3) size *= 2;
        _names = new byte[]?[size];
        _numbers = new int[size];
        for (var number = 0; number < names.Length; number++)
        {
            var name = Encoding.UTF8.GetBytes(names[number]);
            var slot = Slot(name);
            while (_names[slot] is not null) slot = (slot + 1) & (size - 1);
            _names[slot] = name;
            _numbers[slot] = number;
        }
    }

    /// <summary>The name's number, or −1.</summary>
    public int Find(ReadOnlySpan<byte> name)
    {
        var slot = Slot(name);
        while (_names[slot] is { } known)
        {
            if (name.SequenceEqual(known)) return _numbers[slot];
            slot = (slot + 1) & (_names.Length - 1);
        }
        return -1;
    }

    /// <summary>Is it one of them?</summary>
    public bool Has(ReadOnlySpan<byte> name) => Find(name) >= 0;

    /// <summary>Finds the members of a record that have these names: the row of each by its number, −1 where it is absent or null.</summary>
    public void Find(scoped in JsonView record, Span<int> rows)
    {
        rows.Fill(-1);
        for (var row = record.First(0); row >= 0; row = record.After(row, 0))
        {
            var number = Find(record.Name(row));
            if (number >= 0 && record.Kind(row) != JsonKind.Null) rows[number] = row;
        }
    }

    int Slot(ReadOnlySpan<byte> name) => name.IsEmpty ? 0
        : (name.Length * 29 + name[0] * 7 + name[^1] * 13 + name[name.Length / 2] * 17 + name[name.Length / 3] * 31) & (_names.Length - 1);
}
