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
    internal const int Command = 16;
    internal const int PayPal = 17;
    internal const int NetUser = 18;
    internal const int NetUse = 19;
    internal const int SlashedAccount = 20;
    internal const int ChangePassword = 21;
    internal const int LastArgument = 22;
    internal const int Arguments = 23;

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
        ("net user ", true, NetUser),
        ("net1 user ", true, NetUser),
        ("net.exe user ", true, NetUser),
        // Behind the backslash of a path the n reads as that of an escape.
        ("et1 user ", true, NetUser),
        ("et.exe user ", true, NetUser),
        ("net use ", true, NetUse),
        ("access_token$", false, PayPal),
        ("thin:", false, SlashedAccount),
        ("sqlplus ", false, SlashedAccount),
        ("chpasswd", false, ChangePassword),
        ("passwd --stdin", false, ChangePassword),
        ("htpasswd -", false, LastArgument),
        ("NetworkCredential(", false, Arguments),
        ("HTTPBasicAuth(", false, Arguments),
        ("UsernamePasswordCredentials(", false, Arguments),
        ("UsernamePasswordAuthenticationToken(", false, Arguments),
        ("PasswordAuthentication(", false, Arguments),
        ("SetBasicAuth(", true, Arguments),
        ("basic_auth(", false, Arguments),
        ("auth=(", false, Arguments),
        ("sp_addlogin ", true, Arguments),
    ];

    // Programs that take a password as an argument, and which (Option).
    static readonly (string Word, string Options)[] Commands =
    [
        ("curl ", "-u: --user: -U: --proxy-user:"),
        ("sshpass ", "-p -p*"),
        ("psexec", "-p"),
        ("mysql ", "-p -p*"),
        ("mysqldump ", "-p -p*"),
        ("mysqladmin ", "-p*"),
        ("mysqlimport ", "-p*"),
        ("mysqlcheck ", "-p*"),
        ("mariadb ", "-p*"),
        ("mariadb-dump ", "-p*"),
        ("docker login ", "-p -p*"),
        ("podman login ", "-p -p*"),
        ("helm registry login ", "-p"),
        ("oc login ", "-p"),
        ("cf login ", "-p"),
        ("az login ", "-p"),
        ("az acr login ", "-p"),
        ("skopeo ", "--creds: --src-creds: --dest-creds:"),
        ("mongo ", "-p -p*"),
        ("mongosh ", "-p -p*"),
        ("mongodump ", "-p -p*"),
        ("mongorestore ", "-p -p*"),
        ("mongoexport ", "-p -p*"),
        ("mongoimport ", "-p -p*"),
        ("redis-cli ", "-a"),
        ("ldapsearch ", "-w"),
        ("ldapmodify ", "-w"),
        ("ldapadd ", "-w"),
        ("ldapdelete ", "-w"),
        ("ldapwhoami ", "-w"),
        ("ldappasswd ", "-w -s -a"),
        ("sqlcmd ", "-P -P*"),
        ("osql ", "-P -P*"),
        ("bcp ", "-P -P*"),
        ("plink", "-pw"),
        ("pscp", "-pw"),
        ("psftp", "-pw"),
        ("xfreerdp ", "/p:*"),
        ("wfreerdp ", "/p:*"),
        ("rdesktop ", "-p"),
        ("zip ", "-P"),
        ("unzip ", "-P"),
        ("7z ", "-p*"),
        ("7za ", "-p*"),
        ("rar ", "-p* -hp*"),
        ("unrar ", "-p*"),
        ("ssh-keygen ", "-N -P"),
        ("openssl ", "-k -K"),
        ("ipmitool ", "-P"),
        ("snmpget ", "-A -X"),
        ("snmpset ", "-A -X"),
        ("snmpwalk ", "-A -X"),
        ("snmpbulkwalk ", "-A -X"),
        ("snmp-server ", "community"),
        ("smbclient ", "-U%"),
        ("rpcclient ", "-U%"),
        ("smbget ", "-U%"),
        ("smbmap ", "-p"),
        ("crackmapexec ", "-p"),
        ("evil-winrm ", "-p"),
        ("lftp ", "-u,"),
    ];

    internal static readonly LiteralTable Table =
        new([.. Words.Select(word => (Encoding.ASCII.GetBytes(word.Word), word.Fold)), .. Commands.Select(command => (Encoding.ASCII.GetBytes(command.Word), true))]);

    static readonly CommandOption[][] Options = [.. Commands.Select(command => command.Options.Split(' ').Select(CommandOption.Parse).ToArray())];

    /// <summary>Kind of a candidate that matched.</summary>
    internal static int KindOf(int candidate) => candidate <= Words.Length ? Words[candidate - 1].Kind : Command;

    /// <summary>The options of a candidate that is a command.</summary>
    internal static CommandOption[] OptionsOf(int candidate) => Options[candidate - 1 - Words.Length];
}

/// <summary>
/// An option of a program that takes a password: in the next argument (<c>-p</c>), behind a sign in it (<c>-u:</c>, an account before the colon), or in the same argument (<c>-p*</c>).
/// </summary>
/// <param name="Name">As it is written.</param>
/// <param name="Sign">What stands before the password in its argument; 0 for nothing.</param>
/// <param name="Attached">Whether the password is in the same argument.</param>
sealed record CommandOption(byte[] Name, byte Sign, bool Attached)
{
    internal static CommandOption Parse(string text)
    {
        var attached = text[^1] == '*';
        var sign = text[0] == '-' && text[^1] is ':' or '%' or ',' ? (byte)text[^1] : (byte)0;
        return new(Encoding.ASCII.GetBytes(attached || sign != 0 ? text[..^1] : text), sign, attached);
    }
}
