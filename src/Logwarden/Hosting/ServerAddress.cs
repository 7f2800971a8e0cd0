using Logwarden.Journal;

namespace Logwarden.Hosting;

/// <summary>Where the server of an installation listens, in <c>DATA/state/server</c>, for commands on the same machine.</summary>
static class ServerAddress
{
    /// <summary>Keeps it.</summary>
    public static void Write(string data, System.Net.IPEndPoint endpoint)
    {
        var host = endpoint.Address.Equals(System.Net.IPAddress.Any) ? "127.0.0.1" : endpoint.Address.Equals(System.Net.IPAddress.IPv6Any) ? "[::1]"
            : endpoint.AddressFamily is System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[{endpoint.Address}]" : endpoint.Address.ToString();
        DurableFile.Replace(PathIn(data), System.Text.Encoding.ASCII.GetBytes(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"http://{host}:{endpoint.Port}/\n")));
    }

    /// <summary>Reads it; null when no server ran there.</summary>
    public static Uri? Read(string data) => File.Exists(PathIn(data)) ? new Uri(File.ReadAllText(PathIn(data)).Trim()) : null;

    /// <summary>The token of the server's present start.</summary>
    public static string Token(string data)
    {
        var path = Path.Combine(data, "state", "local.token");
        return File.Exists(path) ? File.ReadAllText(path).Trim() : "";
    }

    static string PathIn(string data) => Path.Combine(data, "state", "server");
}
