namespace Logwarden.Match;

/// <summary>
/// Reads the text form of predicates (<c>docs/query-language.md</c>). Recursive descent; never throws, whatever the text.
/// <code>
/// choice = sequence { "OR" sequence }
/// sequence = item { [ "AND" ] item }
/// item = "NOT" item | "-" item | "(" choice ")" | "exists" "(" field ")" | field operator operand | word | phrase
/// </code>
/// </summary>
public static class PredicateParser
{
    /// <summary>Characters that a text may have.</summary>
    public const int LengthMax = 65_536;

    /// <summary>How deep parentheses and negations may nest.</summary>
    public const int DepthMax = 64;

    /// <summary>Terms, list items included, that a text may have.</summary>
    public const int TermsMax = 4_096;

    /// <summary>Reads a predicate. An empty text is every event.</summary>
    public static PredicateOrError Parse(string text)
    {
        if (text.Length > LengthMax) return PredicateOrError.Of(new PredicateError(LengthMax, text.Length - LengthMax, "the text is too long", $"at most {LengthMax} characters", null));
        var scanner = new PredicateScanner(text);
        scanner.SkipSpace();
        if (scanner.AtEnd) return PredicateOrError.Of(new Predicate.Everything());
        var predicate = new Descent(scanner).Choice();
        if (scanner.Error is null)
        {
            scanner.SkipSpace();
            if (!scanner.AtEnd)
            {
                var extra = scanner.Current;
                scanner.Fail(scanner.Position, 1, extra == ')' ? "this ) closes nothing" : $"unexpected '{extra}'", extra == ')' ? null : "a term");
            }
        }
        return scanner.Error is { } error ? PredicateOrError.Of(error) : PredicateOrError.Of(predicate!);
    }

    /// <summary>One parse. Methods return null after an error, which the scanner holds.</summary>
    sealed class Descent(PredicateScanner scanner)
    {
        readonly OperandReader _operands = new(scanner);
        int _depth;

        internal Predicate? Choice()
        {
            var parts = new List<Predicate>();
            do
            {
                if (Sequence() is not { } part) return null;
                parts.Add(part);
            }
            while (scanner.TakeKeyword("or"));
            return Predicate.Any([.. parts]);
        }

        Predicate? Sequence()
        {
            var parts = new List<Predicate>();
            while (true)
            {
                if (Item() is not { } part) return null;
                parts.Add(part);
                if (scanner.TakeKeyword("and")) continue;
                scanner.SkipSpace();
                if (scanner.AtEnd || scanner.Current == ')' || scanner.IsKeywordAt(scanner.Position, "or")) return Predicate.All([.. parts]);
            }
        }

        Predicate? Item()
        {
            scanner.SkipSpace();
            var start = scanner.Position;
            if (_depth >= DepthMax)
            {
                scanner.Fail(start, 1, "too deeply nested", $"at most {DepthMax} levels");
                return null;
            }
            if (scanner.TakeKeyword("not") || TakeMinus())
            {
                _depth++;
                var negated = Item();
                _depth--;
                return negated is null ? null : new Predicate.Negation(negated);
            }
            return scanner.TakeSymbol('(') ? Group(start) : Term();
        }

        Predicate? Group(int start)
        {
            _depth++;
            var inner = Choice();
            _depth--;
            if (inner is null) return null;
            if (scanner.TakeSymbol(')')) return inner;
            if (scanner.AtEnd) scanner.Fail(start, 1, "the parenthesis is not closed", ")");
            else scanner.Fail(scanner.Position, 1, $"unexpected '{scanner.Current}'", "a term or )");
            return null;
        }

        bool TakeMinus()
        {
            var next = scanner.Position + 1;
            if (scanner.Current != '-' || next >= scanner.Text.Length || char.IsWhiteSpace(scanner.Text[next])) return false;
            scanner.Position++;
            return true;
        }

        Predicate? Term()
        {
            if (!_operands.CountTerm()) return null;
            if (scanner.IsKeywordAt(scanner.Position, "exists"))
            {
                scanner.Position += "exists".Length;
                return Existence();
            }
            var word = scanner.TakeWord();
            if (scanner.Error is not null) return null;
            if (word.Length == 0)
            {
                var found = scanner.AtEnd ? "the text ends" : $"unexpected '{scanner.Current}'";
                scanner.Fail(scanner.Position, scanner.AtEnd ? 0 : 1, found, "a term: a word, \"a phrase\", field=value, NOT or (");
                return null;
            }
            var isKeyword = !word.Quoted && PredicateScanner.Keywords.Contains(word.Text, StringComparer.OrdinalIgnoreCase);
            if (isKeyword)
            {
                scanner.Fail(word.Position, word.Length, $"'{word.Text}' is a keyword", "a term; write it in quotes to search for the word");
                return null;
            }
            var operatorAt = scanner.Position;
            return scanner.TakeOperator() is { } symbol ? _operands.Read(word, symbol, operatorAt) : Words(word);
        }

        Predicate? Existence()
        {
            if (!scanner.TakeSymbol('('))
            {
                scanner.Fail(scanner.Position, 0, "exists needs a field in parentheses", "(");
                return null;
            }
            scanner.SkipSpace();
            var exists = _operands.Existence(scanner.TakeWord());
            if (exists is null || scanner.TakeSymbol(')')) return exists;
            scanner.Fail(scanner.Position, scanner.AtEnd ? 0 : 1, "exists takes one field", ")");
            return null;
        }

        Predicate? Words(ScannedValue word)
        {
            if (!word.Quoted)
            {
                var pattern = TextPattern.FromEscaped(word.Text);
                return pattern.Text is "*" ? new Predicate.Everything() : new Predicate.FreeText(pattern);
            }
            var end = scanner.Position;
            scanner.Position = word.Position;
            var phrase = scanner.TakeQuoted();
            if (scanner.Position != end)
            {
                scanner.Position = end;
                scanner.Fail(end, 0, "a field needs an operator", "= : == != < <= > >= in or is");
                return null;
            }
            if (phrase.Text.Length > 0) return new Predicate.FreeText(TextPattern.Literal(phrase.Text));
            scanner.Fail(phrase.Position, phrase.Length, "an empty phrase finds nothing", "a text in the quotes");
            return null;
        }
    }
}
