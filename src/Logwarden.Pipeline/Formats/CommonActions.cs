using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>What the words of an application's action say.</summary>
[Flags]
enum ActionWords
{
    None = 0,
    Create = 1,
    Read = 2,
    Update = 4,
    Delete = 8,
    SignIn = 16,
    SignOut = 32,
    Failed = 64,
    Identity = 128,
    Security = 256,
    Customer = 512,
    Administrator = 1024,
    PasswordOrFactor = 2048,
    Disable = 4096,
    Enable = 8192,
}

/// <summary>Reads the names of actions that applications make up, such as <c>user.login.failed</c>, <c>InvoiceExported</c> or <c>DELETE /users/7</c>.</summary>
static class CommonActions
{
    const int WordBytesMax = 24;

    static readonly (string Words, ActionWords Meaning)[] Vocabulary =
    [
        ("create created creates add added insert inserted register registered invite invited upload uploaded import imported issue issued post", ActionWords.Create),
        ("read reads view viewed get list listed search searched query queried export exported download downloaded access accessed open opened fetch show print", ActionWords.Read),
        ("update updated updates edit edited change changed modify modified set put patch rename renamed move moved restore restored approve approved assign assigned unassign grant granted revoke revoked reset rotate rotated attach detach", ActionWords.Update),
        ("delete deleted deletes remove removed destroy destroyed purge purged erase erased drop dropped", ActionWords.Delete),
        ("login logon signin authenticate authenticated authentication", ActionWords.SignIn),
        ("logout logoff signout signoff", ActionWords.SignOut),
        ("fail failed fails failure failures denied rejected refused invalid error", ActionWords.Failed),
        ("user users account accounts member members employee operator", ActionWords.Identity),
        ("role roles permission permissions policy policies privilege privileges grant granted revoke revoked setting settings config configuration security audit logging mfa 2fa otp sso token tokens apikey key keys secret webhook firewall retention", ActionWords.Security),
        ("customer customers patient tenant client order invoice payment card document personal pii subscriber", ActionWords.Customer),
        ("admin administrator root superuser impersonate impersonated impersonation support sudo owner staff", ActionWords.Administrator),
        ("password passwd mfa 2fa otp", ActionWords.PasswordOrFactor),
        ("disable disabled deactivate deactivated suspend suspended lock locked block blocked", ActionWords.Disable),
        ("enable enabled activate activated reactivate unlock unlocked unblock", ActionWords.Enable),
    ];

    static readonly Dictionary<string, ActionWords> Known = Merge();
    static readonly NameTable Words = new([.. Known.Keys]);
    static readonly ActionWords[] Meanings = [.. Known.Values];

    static Dictionary<string, ActionWords> Merge()
    {
        var meanings = new Dictionary<string, ActionWords>(StringComparer.Ordinal);
        foreach (var (words, meaning) in Vocabulary)
        {
            foreach (var word in words.Split(' ')) meanings[word] = meanings.GetValueOrDefault(word) | meaning;
        }
        return meanings;
    }

    /// <summary>Does it have any of these meanings?</summary>
    public static bool Says(this ActionWords words, ActionWords any) => (words & any) != ActionWords.None;

    /// <summary>The meanings of all words in a text; words end at anything but letters and digits, and where a capital begins.</summary>
    public static ActionWords Read(ReadOnlySpan<byte> text)
    {
        Span<byte> word = stackalloc byte[WordBytesMax];
        var found = ActionWords.None;
        var length = 0;
        var verb = (byte)0;
        for (var at = 0; at <= text.Length; at++)
        {
            var c = at < text.Length ? text[at] : (byte)' ';
            var isCapital = char.IsAsciiLetterUpper((char)c);
            var begins = isCapital && at > 0 && char.IsAsciiLetterLower((char)text[at - 1]);
            if (begins || !char.IsAsciiLetterOrDigit((char)c))
            {
                found |= Meaning(word[..length], ref verb);
                length = 0;
                if (!begins) continue;
            }
            if (length < WordBytesMax) word[length++] = (byte)(isCapital ? c | 0x20 : c);
        }
        return found;
    }

    /// <summary>One word; <paramref name="verb"/> remembers a log or sign that waits for its in or out.</summary>
    static ActionWords Meaning(ReadOnlySpan<byte> word, ref byte verb)
    {
        if (word.IsEmpty) return ActionWords.None;
        if (verb != 0)
        {
            verb = 0;
            if (word.SequenceEqual("in"u8) || word.SequenceEqual("on"u8)) return ActionWords.SignIn;
            if (word.SequenceEqual("out"u8) || word.SequenceEqual("off"u8)) return ActionWords.SignOut;
        }
        if (word.SequenceEqual("log"u8) || word.SequenceEqual("logged"u8) || word.SequenceEqual("sign"u8) || word.SequenceEqual("signed"u8)) verb = 1;
        var known = Words.Find(word);
        return known < 0 ? ActionWords.None : Meanings[known];
    }

    /// <summary>What an action is, by its words and those of what it was done to.</summary>
    public static ActionType Type(ActionWords action, ActionWords target, bool hasUser, bool hasObject)
    {
        const ActionWords Changing = ActionWords.Create | ActionWords.Update | ActionWords.Delete | ActionWords.Disable | ActionWords.Enable;
        var all = action | target;
        var isChange = action.Says(Changing);
        var kinds = isChange || action.Says(ActionWords.Read) ? LogKinds.ObjectAccess : LogKinds.None;
        if (isChange && all.Says(ActionWords.Security | ActionWords.PasswordOrFactor)) kinds |= LogKinds.SecuritySetting;
        if (all.Says(ActionWords.Administrator) || (all.Says(ActionWords.Customer) && action.Says(ActionWords.Read)))
            kinds |= LogKinds.CustomerDataAccess;
        var isSign = action.Says(ActionWords.SignIn | ActionWords.SignOut) && !isChange;
        if (isSign && hasUser)
            return new(Ocsf.Authentication, action.Says(ActionWords.SignOut) ? 2 : 1, 0, kinds | LogKinds.SignIn);
        if (isSign) kinds |= LogKinds.SignIn;
        // Only an object that is itself the account makes it an account change; `user.export` is not.
        if (isChange && hasObject && all.Says(ActionWords.Identity) && target.Says(ActionWords.Identity))
            return new(Ocsf.AccountChange, Account(action), 0, kinds | LogKinds.SecuritySetting);
        return new(Ocsf.ApiActivity, Crud(action), 0, kinds);
    }

    static int Account(ActionWords action) =>
        action.Says(ActionWords.PasswordOrFactor) ? 3
        : action.Says(ActionWords.Create) ? 1
        : action.Says(ActionWords.Delete) ? 6
        : action.Says(ActionWords.Disable) ? 5
        : action.Says(ActionWords.Enable) ? 2
        : Ocsf.Other;

    static int Crud(ActionWords action) =>
        action.Says(ActionWords.Delete) ? 4
        : action.Says(ActionWords.Create) ? 1
        : action.Says(ActionWords.Update | ActionWords.Disable | ActionWords.Enable) ? 3
        : action.Says(ActionWords.Read) ? 2
        : Ocsf.Other;
}
