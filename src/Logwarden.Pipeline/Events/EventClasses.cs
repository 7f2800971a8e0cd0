namespace Logwarden.Events;

/// <summary>Classes that the program itself gives; the others are the policy's.</summary>
public static class EventClasses
{
    /// <summary>Records that could not be taken in. Only who asks for it by name is shown it.</summary>
    public const string Quarantine = "quarantine";
}
