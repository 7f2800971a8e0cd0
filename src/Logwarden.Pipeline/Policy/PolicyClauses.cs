namespace Logwarden.Policy;

/// <summary>The clause ids that a policy must state: stable names that controls, tests and evidence refer to.</summary>
public static class PolicyClauses
{
    /// <summary>All of them, in the order of the policy.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        "LOG-1", "LOG-2", "LOG-3", "LOG-4", "LOG-5", "LOG-6", "DST-1", "DST-2", "DST-3", "DST-4", "RET-1", "RET-2", "RET-3", "RET-4",
        "RET-5", "RET-6", "RET-7", "PRO-1", "PRO-2", "PRO-3", "PRO-4", "ALR-1", "ALR-2", "ALR-3", "MON-1", "MON-2", "MON-3", "MON-4",
        "MON-5", "CLK-1", "GOV-1",
    ];
}
