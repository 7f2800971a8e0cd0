using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Logwarden.Redaction;

/// <summary>A fast keyed hash of short byte strings; the key is random per process, so that nobody can prepare a collision.</summary>
static class KeyedHash
{
    static readonly ulong Seed = MemoryMarshal.Read<ulong>(RandomNumberGenerator.GetBytes(8)) | 1;
    static readonly ulong Second = MemoryMarshal.Read<ulong>(RandomNumberGenerator.GetBytes(8)) | 1;

    /// <summary>64 bits of <paramref name="text"/> under the key and <paramref name="tweak"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Of(ReadOnlySpan<byte> text, ulong tweak)
    {
        unchecked
        {
            var hash = Seed ^ tweak ^ ((ulong)text.Length * 0x9E3779B97F4A7C15UL);
            ref var at = ref MemoryMarshal.GetReference(text);
            var n = text.Length;
            var i = 0;
            for (; i + 16 <= n; i += 16)
                hash = Mix(Read(ref at, i) ^ hash, Read(ref at, i + 8) ^ Second);
            if (n >= 16)
                return n == i ? Mix(hash, Second) : Mix(Mix(Read(ref at, n - 16) ^ hash, Read(ref at, n - 8) ^ Second), Second);
            if (n >= 8) return Mix(Mix(Read(ref at, 0) ^ hash, Read(ref at, n - 8) ^ Second), Second);
            ulong a = 0, b = 0;
            if (n >= 4)
            {
                a = Unsafe.ReadUnaligned<uint>(ref at);
                b = Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref at, n - 4));
            }
            else if (n > 0)
            {
                a = at | (ulong)Unsafe.Add(ref at, n >> 1) << 8 | (ulong)Unsafe.Add(ref at, n - 1) << 16;
            }
            return Mix(Mix(a ^ hash, b ^ Second), Second);
        }
    }

    static ulong Read(ref byte at, int offset) => Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref at, offset));

    static ulong Mix(ulong a, ulong b)
    {
        var high = Math.BigMul(a, b, out var low);
        return high ^ low;
    }
}

/// <summary>
/// Hashes seen a moment ago, two places for each: with one, those that come all the time would drive each other out. What they stand for
/// holds for one redactor.
/// </summary>
/// <param name="sets">Pairs of places, a power of two.</param>
abstract class Memo(int sets)
{
    object? _owner;

    /// <summary>The hashes; those of a set stand side by side.</summary>
    protected ulong[] Hashes { get; } = new ulong[sets * 2];

    /// <summary>Forgets everything when another redactor begins to use the scratch.</summary>
    public void Belong(object owner)
    {
        if (ReferenceEquals(_owner, owner)) return;
        _owner = owner;
        Array.Clear(Hashes);
    }
}

/// <summary>What was found out about recently seen names of JSON fields; the older one of a set is given up.</summary>
sealed class KeyMemo() : Memo(Sets)
{
    const int Sets = 2048;
    readonly FieldKind[] _kinds = new FieldKind[Sets * 2];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryGet(ulong hash, out FieldKind kind)
    {
        var first = (int)(hash & (Sets - 1)) * 2;
        var slot = Hashes[first] == hash ? first : first + 1;
        kind = _kinds[slot];
        return Hashes[slot] == hash;
    }

    public void Put(ulong hash, FieldKind kind)
    {
        var first = (int)(hash & (Sets - 1)) * 2;
        (Hashes[first + 1], _kinds[first + 1]) = (Hashes[first], _kinds[first]);
        (Hashes[first], _kinds[first]) = (hash, kind);
    }
}

/// <summary>
/// Hashes of values in which nothing was found a moment ago. Logs repeat themselves: regions, ARNs, user agents, names.
/// Only clean values are remembered, so a wrong answer needs a collision of 64 keyed bits.
/// </summary>
sealed class ValueMemo() : Memo(Sets)
{
    const int Sets = 8192;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsClean(ulong hash)
    {
        var first = (int)(hash & (Sets - 1)) * 2;
        if (Hashes[first] == hash) return true;
        if (Hashes[first + 1] != hash) return false;
        // In front again: what comes once only drives out what came once only.
        (Hashes[first + 1], Hashes[first]) = (Hashes[first], hash);
        return true;
    }

    public void Clean(ulong hash)
    {
        var second = (int)(hash & (Sets - 1)) * 2 + 1;
        // A new value takes the second place and moves up when it comes again.
        if (Hashes[second - 1] == 0) second--;
        Hashes[second] = hash;
    }
}
