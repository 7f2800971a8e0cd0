using System.Text;

namespace Logwarden.Redaction.Rules;

/// <summary>Words after which something that is not a token of fixed shape follows.</summary>
static class SpecialWords
{
    internal const int Begin = 1;
    internal const int Jwt = 2;
    internal const int Bearer = 3;
    internal const int Basic = 4;
    internal const int Jwt64 = 5;
    internal const int Putty = 6;
    internal const int Salesforce = 7;
    internal const int Identified = 8;
    internal const int Terraform = 9;
    internal const int Netrc = 10;
    internal const int SecureString = 11;
    internal const int ServerLogin = 12;
    internal const int DirectoryEntry = 13;
    internal const int Block = 14;
    internal const int DirectoryHash = 15;
    internal const int AccountOption = 16;
    internal const int PasswordOption = 17;
    internal const int PayPal = 18;
    internal const int AuthOption = 19;
    internal const int BindOption = 20;
    internal const int NetUser = 21;

    static readonly (string Word, bool Fold, int Kind)[] Words =
    [
        ("BEGIN", false, Begin),
        ("eyJ", false, Jwt),
        ("ewog", false, Jwt),
        ("bearer", true, Bearer),
        ("basic", true, Basic),
        ("ZXlK", false, Jwt64),
        ("PuTTY-User-Key-File", false, Putty),
        ("00D", false, Salesforce),
        ("identified", true, Identified),
        ("atlasv1", false, Terraform),
        ("machine", false, Netrc),
        ("convertto", true, SecureString),
        ("connect", true, ServerLogin),
        ("DirectoryEntry", false, DirectoryEntry),
        ("credentials", false, Block),
        ("SHA}", false, DirectoryHash),
        ("SSHA}", false, DirectoryHash),
        ("SHA256}", false, DirectoryHash),
        ("SSHA256}", false, DirectoryHash),
        ("SSHA512}", false, DirectoryHash),
        ("SMD5}", false, DirectoryHash),
        ("MD5}", false, DirectoryHash),
        ("curl ", false, AccountOption),
        ("sshpass ", false, PasswordOption),
        ("psexec", true, PasswordOption),
        ("mysql ", false, PasswordOption),
        ("mysqldump ", false, PasswordOption),
        ("net user ", true, NetUser),
        ("net1 user ", true, NetUser),
        ("net.exe user ", true, NetUser),
        // Behind the backslash of a path the n reads as that of an escape.
        ("et1 user ", true, NetUser),
        ("et.exe user ", true, NetUser),
        ("docker login ", false, PasswordOption),
        ("podman login ", false, PasswordOption),
        ("redis-cli ", false, AuthOption),
        ("ldapsearch ", false, BindOption),
        ("ldapmodify ", false, BindOption),
        ("ldapadd ", false, BindOption),
        ("ldapdelete ", false, BindOption),
        ("ldapwhoami ", false, BindOption),
        ("access_token$", false, PayPal),
    ];

    internal static readonly LiteralTable Table = new([.. Words.Select(w => (Encoding.ASCII.GetBytes(w.Word), w.Fold))]);

    /// <summary>Kind of a candidate that matched.</summary>
    internal static int KindOf(int candidate) => Words[candidate - 1].Kind;
}
