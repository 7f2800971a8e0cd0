namespace Logwarden.Match;

/// <summary>What a predicate speaks about.</summary>
public static class PredicateFields
{
    /// <summary>Whether it names the column <c>class</c>.</summary>
    public static bool NamesClass(this Predicate predicate) => predicate switch
    {
        Predicate.AllOf all => all.Parts.Any(NamesClass),
        Predicate.AnyOf any => any.Parts.Any(NamesClass),
        Predicate.Negation not => not.Part.NamesClass(),
        Predicate.Has { Field: var field } => IsClass(field),
        Predicate.FieldTest { Field: var field } => IsClass(field),
        _ => false,
    };

    static bool IsClass(Field field) => field is Field.Column { Name: EventColumn.Class };
}
