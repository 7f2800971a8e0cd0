namespace Logwarden.Redaction;

public sealed partial class Redactor
{
    /// <summary>
    /// Where in a text that is no valid JSON document, but may be a piece of one, the first field begins whose whole value is dropped: right behind its name and separator. What is behind
    /// that place may be payload, and nobody can tell where it ends. -1 when there is none.
    /// </summary>
    /// <param name="text">Any bytes.</param>
    public int PayloadAt(ReadOnlySpan<byte> text)
    {
        const int NameMax = 128;
        for (var at = 0; at < text.Length;)
        {
            var end = Chars.RunEnd(text, at, Ch.Token);
            if (end == at)
            {
                at++;
                continue;
            }
            var p = end;
            while (p < text.Length && p < end + 8 && (Chars.Is(text[p], Ch.Quote | Ch.Space) || text[p] == '\\')) p++;
            var isName = p < text.Length && text[p] is (byte)':' or (byte)'=' && end - at <= NameMax;
            // A name that is written with an escape may be any.
            var isEscaped = at > 0 && text[at - 1] == '\\' && text[at] == 'u';
            if (isName && (isEscaped || (ReadField(text[at..end]) & (FieldKind.Payload | FieldKind.PathEnd)) != FieldKind.None)) return p + 1;
            at = end;
        }
        return -1;
    }
}
