using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Logwarden.Redaction.Rules;

namespace Logwarden.Redaction;

/// <summary>What a JSON field is, by its name.</summary>
[Flags]
enum FieldKind : ushort
{
    /// <summary>Nothing is known from the name. The lower byte is the <see cref="KeyKind"/> of the name.</summary>
    None = 0,

    /// <summary>Its whole value is dropped.</summary>
    Payload = 0x100,

    /// <summary>Its scalar value is a secret.</summary>
    Sensitive = 0x200,

    /// <summary>Its value is the name of the value beside it (<c>{"name": …, "value": …}</c>).</summary>
    Names = 0x400,

    /// <summary>Its value is named by the field before it.</summary>
    Named = 0x800,

    /// <summary>The name may be the end of a configured path.</summary>
    PathEnd = 0x1000,

    /// <summary>Its value says who acts.</summary>
    Actor = 0x2000,
}

/// <summary>
/// Walks one valid JSON document string by string: knows names from values, hands each value to the scanner, and leaves
/// everything else alone. Budget: 15 ns per string (bench row "redact").
/// </summary>
ref struct JsonWalk
{
    const FieldKind KeyMask = (FieldKind)0xFF;

    readonly Redactor _redactor;
    readonly RedactionScratch _scratch;
    readonly ReadOnlySpan<byte> _json;
    ReadOnlySpan<ProtectedSpan> _actors;
    (int Start, int End) _pair;
    (int Start, int End) _olderPair;
    int _gap;
    FieldKind _kind;
    FieldKind _listKind;
    int _listUntil;
    FieldKind _objectKind;
    int _objectUntil;
    FieldKind _outerKind;
    int _outerUntil;
    int _skip;
    int _valueQuote;
    int _key;
    int _keyLength;

    public JsonWalk(Redactor redactor, RedactionScratch scratch, ReadOnlySpan<byte> json, ReadOnlySpan<ProtectedSpan> actors)
    {
        _redactor = redactor;
        _scratch = scratch;
        _json = json;
        _actors = actors;
        _valueQuote = -1;
    }

    /// <summary>Cuts the document into its strings: 32 bytes at a time become a mask of quotes and backslashes, and only those are looked at.</summary>
    public void Run()
    {
        var n = _json.Length;
        var start = -1;
        var escaped = false;
        var hasStrings = false;
        for (var i = 0; i < n; i += Blocks.Bytes)
        {
            for (var mask = Marks(Blocks.At(_json, n, i)); mask != 0; mask &= mask - 1)
            {
                var p = i + BitOperations.TrailingZeroCount(mask);
                if (p < _skip) continue;
                if (_json[p] == '\\')
                {
                    _skip = p + 2;
                    escaped = true;
                }
                else if (start < 0)
                {
                    start = p + 1;
                    escaped = false;
                }
                else
                {
                    OnQuoted(start, p, escaped);
                    hasStrings = true;
                    start = -1;
                }
            }
        }
        if (start >= 0) OnQuoted(start, n, escaped);
        // A document that is one bare number.
        else if (!hasStrings && n is >= 12 and < 24) OnBare(0, FieldKind.None);
    }

    /// <summary>One bit per byte: a quote or a backslash.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static uint Marks(Vector256<byte> v) => (Vector256.Equals(v, Vector256.Create((byte)'"')) | Vector256.Equals(v, Vector256.Create((byte)'\\'))).ExtractMostSignificantBits();

    readonly int SkipSpace(int p)
    {
        while (p < _json.Length && _json[p] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t') p++;
        return p;
    }

    readonly int StringEnd(int start)
    {
        var p = start;
        while (true)
        {
            var at = _json[p..].IndexOfAny((byte)'"', (byte)'\\');
            if (at < 0) return _json.Length;
            p += at;
            if (_json[p] == '"') return p;
            p += 2;
            if (p > _json.Length) return _json.Length;
        }
    }

    /// <summary>A string, which is the value of the last name, a name, or an element of an array.</summary>
    void OnQuoted(int start, int end, bool escaped)
    {
        // Names and values that are members of one object have no bracket between them.
        if (_pair.End > 0 && _json[Math.Min(_gap, start)..start].IndexOfAny("{}[]"u8) >= 0) _pair = _olderPair = default;
        _gap = end + 1;
        if (start - 1 == _valueQuote)
        {
            var name = _json.Slice(_key, _keyLength);
            if (name.Length <= 2 && Scanner.IsPrivateMember(name, _json[start..end], Scanner.Around(_json, _key, _valueQuote)))
                Add(RedactionRules.PrivateKey, start, end, bare: false);
            else
                OnString(start, end, escaped, _kind);
            return;
        }
        var next = SkipSpace(end + 1);
        if (next < _json.Length && _json[next] == ':') OnName(start, end, SkipSpace(next + 1));
        else OnString(start, end, escaped, start < _listUntil ? _listKind : FieldKind.None);
    }

    /// <summary>A field whose name is at start..end and whose value starts at <paramref name="value"/>.</summary>
    void OnName(int start, int end, int value)
    {
        var name = _json[start..end];
        var kind = FieldOf(name);
        if ((kind & FieldKind.PathEnd) != FieldKind.None && _redactor.IsPayloadPath(_json.Slice(_key, _keyLength), name)) kind |= FieldKind.Payload;
        _key = start;
        _keyLength = end - start;
        if (value >= _json.Length) return;
        var first = _json[value];
        if ((kind & FieldKind.Named) != FieldKind.None) kind |= KindOfNamed(start, value);
        if ((kind & FieldKind.Payload) != FieldKind.None)
        {
            _skip = OnPayload(value);
        }
        else if (first == '"')
        {
            _valueQuote = value;
            _kind = kind;
        }
        else if (first is (byte)'[' && (kind & (FieldKind.Sensitive | KeyMask)) != FieldKind.None)
        {
            _listUntil = ValueEnd(value);
            _listKind = kind;
        }
        else if (first is (byte)'{')
        {
            OnObject(value, kind & (FieldKind.Sensitive | KeyMask));
        }
        else if (first is (byte)'-' or (>= (byte)'0' and <= (byte)'9'))
        {
            OnBare(value, kind);
        }
    }

    /// <summary>
    /// What a value is by the name that stands beside it (<c>{"name": "DB_PASSWORD", "value": …}</c>, also the other way around), else by that of the object which it
    /// is in (<c>"password": {"value": …}</c>).
    /// </summary>
    FieldKind KindOfNamed(int start, int value)
    {
        var kind = FieldKind.None;
        if (_pair.End > 0) kind = _redactor.ReadField(_json[_pair.Start.._pair.End]);
        else if (NameBehind(value) is { IsEmpty: false } name) kind = _redactor.ReadField(name);
        if (_olderPair.End > 0) kind |= _redactor.ReadField(_json[_olderPair.Start.._olderPair.End]);
        if (start < _objectUntil) kind |= _objectKind;
        else if (start < _outerUntil) kind |= _outerKind;
        return kind & (FieldKind.Sensitive | KeyMask);
    }

    // Of an object that a name calls a secret the values are one, but not those of objects within it: "password": {"minLength": {"value": 12}}.
    void OnObject(int value, FieldKind kind)
    {
        if (value >= _objectUntil) (_objectKind, _objectUntil, _outerUntil) = (_outerKind, _outerUntil, 0);
        if (value >= _objectUntil) _objectUntil = 0;
        if (kind == FieldKind.None && _objectUntil == 0) return;
        (_outerKind, _outerUntil) = (_objectKind, _objectUntil);
        (_objectKind, _objectUntil) = (kind, ValueEnd(value, ObjectBytesMax));
    }

    // Of the members behind a value, the first few, the one that names it.
    readonly ReadOnlySpan<byte> NameBehind(int value)
    {
        const int NameMax = 80;
        const int MembersMax = 3;
        var p = value;
        for (var members = 0; members < MembersMax; members++)
        {
            if (_json[p] is (byte)'{' or (byte)'[') return default;
            p = SkipSpace(ValueEnd(p));
            if (p >= _json.Length || _json[p] != ',') return default;
            var field = SkipSpace(p + 1) + 1;
            if (field >= _json.Length || _json[field - 1] != '"') return default;
            var fieldEnd = StringEnd(field);
            p = SkipSpace(fieldEnd + 1);
            if (p >= _json.Length || _json[p] != ':') return default;
            p = SkipSpace(p + 1);
            if (p >= _json.Length) return default;
            if (_json[p] != '"' || (_redactor.ReadField(_json[field..fieldEnd]) & FieldKind.Names) == FieldKind.None) continue;
            var end = StringEnd(p + 1);
            return end - p - 1 <= NameMax ? _json[(p + 1)..end] : default;
        }
        return default;
    }

    readonly FieldKind FieldOf(ReadOnlySpan<byte> name)
    {
        var hash = KeyedHash.Of(name, 1);
        if (_scratch.Keys.TryGet(hash, out var kind)) return kind;
        kind = _redactor.ReadField(name);
        _scratch.Keys.Put(hash, kind);
        return kind;
    }

    int OnPayload(int value)
    {
        var end = ValueEnd(value);
        var inner = _json[value..end];
        // Null and what was dropped before stay.
        if (inner.SequenceEqual("null"u8) || inner.SequenceEqual("\"[REDACTED:payload]\""u8) || inner.SequenceEqual("\"\""u8)) return end;
        Add(RedactionRules.Payload, value, end, bare: true);
        return end;
    }

    // Further than that no value stands from the name of the object that it is in; it bounds what is looked at more than once.
    const int ObjectBytesMax = 512;

    readonly int ValueEnd(int p, int bytesMax = int.MaxValue)
    {
        var depth = 0;
        var limit = bytesMax < _json.Length - p ? p + bytesMax : _json.Length;
        for (; p < limit; p++)
        {
            switch (_json[p])
            {
                case (byte)'"':
                    p = StringEnd(p + 1);
                    if (depth == 0) return Math.Min(p + 1, _json.Length);
                    break;
                case (byte)'{' or (byte)'[':
                    depth++;
                    break;
                case (byte)'}' or (byte)']':
                    if (depth <= 1) return depth == 0 ? p : p + 1;
                    depth--;
                    break;
                case (byte)',' when depth == 0:
                    return p;
                case <= (byte)' ' when depth == 0:
                    return p;
                default:
                    break;
            }
        }
        return limit;
    }

    // A number: of a password field, or long enough to be a card.
    readonly void OnBare(int value, FieldKind kind)
    {
        var end = value;
        while (end < _json.Length && _json[end] is (>= (byte)'0' and <= (byte)'9') or (byte)'.' or (byte)'-' or (byte)'+' or (byte)'e' or (byte)'E') end++;
        var number = _json[value..end];
        if ((kind & FieldKind.Sensitive) != FieldKind.None || ((KeyKind)(kind & KeyMask) & (KeyKind.Password | KeyKind.About)) == KeyKind.Password && number.Length >= 3)
        {
            Add(((KeyKind)(kind & KeyMask) & KeyKind.Password) != KeyKind.None ? RedactionRules.Password : RedactionRules.SensitiveField, value, end, bare: true);
            return;
        }
        if (number.Length is < 15 or > 16 || number.IndexOfAnyExceptInRange((byte)'0', (byte)'9') >= 0 || number[0] is < (byte)'3' or > (byte)'5') return;
        if (Checks.Luhn(number) && !Checks.AllSame(number)) Add(RedactionRules.Card, value, end, bare: true);
    }

    readonly void Add(int rule, int start, int end, bool bare)
    {
        var action = _redactor.ActionOf(rule);
        if (action != RedactionAction.Keep && end > start) _scratch.Hits.Add(new RedactionFinding(rule, start, end - start, action) { Bare = bare });
    }

    void OnString(int start, int end, bool escaped, FieldKind kind)
    {
        if (end <= start) return;
        var personal = PersonalAt(start, end, out var isActor);
        if ((kind & FieldKind.Actor) != FieldKind.None) personal = _redactor.ActorPersonal;
        if ((kind & FieldKind.Names) != FieldKind.None && end - start <= 80) (_olderPair, _pair) = (_pair, (start, end));
        var value = _json[start..end];
        var key = (KeyKind)(kind & KeyMask);
        if ((kind & FieldKind.Sensitive) != FieldKind.None || (key & ~(KeyKind.AccessKeyId | KeyKind.About | KeyKind.Id)) != KeyKind.None)
        {
            if (OnKeyed(value, start, end, kind, key)) return;
        }
        if (end - start < 6) return;
        var identifier = isActor || (key & KeyKind.AccessKeyId) != KeyKind.None;
        var hash = KeyedHash.Of(value, (identifier ? 2UL : 3UL) + ((ulong)personal << 8));
        if (_scratch.Values.IsClean(hash)) return;
        var before = _scratch.Hits.Count;
        if (escaped) ScanEscaped(start, end, personal, identifier);
        else new Scanner(_redactor, _scratch, value, _json.Length - start, start, 0, personal, identifier).Run();
        if (_scratch.Hits.Count == before) _scratch.Values.Clean(hash);
    }

    // The field's name says what its value is.
    readonly bool OnKeyed(ReadOnlySpan<byte> value, int start, int end, FieldKind kind, KeyKind key)
    {
        if (Placeholders.IsReference(value)) return false;
        if ((kind & FieldKind.Sensitive) != FieldKind.None)
        {
            var rule = (key & KeyKind.Password) != KeyKind.None ? RedactionRules.Password : RedactionRules.SensitiveField;
            if (_redactor.ActionOf(rule) == RedactionAction.Keep) return false;
            Add(rule, start, end, bare: false);
            return true;
        }
        if (value.IndexOf((byte)' ') >= 0 && (key & KeyKind.Password) == KeyKind.None) return false;
        var decided = Scanner.Decide(key, value, quoted: true);
        if (decided < 0 || _redactor.ActionOf(decided) == RedactionAction.Keep) return false;
        Add(decided, start, end, bare: false);
        return true;
    }

    Personal PersonalAt(int start, int end, out bool isActor)
    {
        isActor = false;
        // Actor values come in the order of the document; one that is behind is done with.
        while (!_actors.IsEmpty && _actors[0].Start + _actors[0].Length <= start && _actors[0].Start < start) _actors = _actors[1..];
        foreach (var actor in _actors)
        {
            if (actor.Start >= end) break;
            if (actor.Start + actor.Length <= start) continue;
            isActor = true;
            return _redactor.ActorPersonal;
        }
        return Personal.ByRule;
    }

    readonly void ScanEscaped(int start, int end, Personal personal, bool identifier)
    {
        var raw = _json[start..end];
        var plain = _scratch.Buffer(0, raw.Length);
        var length = Encodings.Json(raw, plain);
        var hits = _scratch.Hits;
        var before = hits.Count;
        new Scanner(_redactor, _scratch, plain.AsSpan(0, length), plain.Length, 0, 1, personal, identifier).Run();
        int rawAt = 0, plainAt = 0;
        for (var i = before; i < hits.Count; i++)
        {
            var hit = hits[i];
            var from = Encodings.JsonOffset(raw, hit.Start, after: false, ref rawAt, ref plainAt);
            var to = Encodings.JsonOffset(raw, hit.Start + hit.Length, after: true, ref rawAt, ref plainAt);
            hits[i] = hit with { Start = start + from, Length = to - from };
        }
    }
}
