namespace Logwarden.Destinations;

/// <summary>
/// Severities of OCSF as other protocols know them. Syslog's come first; OpenTelemetry's follow from them by the table of its data model for syslog, so that one
/// event has the same weight wherever it arrives. Nothing becomes an emergency (0): receivers shout those to every terminal.
/// </summary>
static class Severities
{
    const byte Unknown = 0;

    /// <summary>Syslog severity (RFC 5424, 6.2.1), 1 alert to 6 informational; what is unknown or other is informational.</summary>
    public static int Syslog(byte severity) => severity switch { 2 => 5, 3 => 4, 4 => 3, 5 => 2, 6 => 1, _ => 6 };

    /// <summary>OpenTelemetry's severity number, 9 INFO to 21 FATAL; 0, unspecified, for what is unknown or other.</summary>
    public static int Otel(byte severity) => severity switch { 1 => 9, 2 => 10, 3 => 13, 4 => 17, 5 => 18, 6 => 21, _ => Unknown };

    /// <summary>OCSF's own word.</summary>
    public static ReadOnlySpan<byte> Text(byte severity) => severity switch
    {
        Unknown => "Unknown"u8,
        1 => "Informational"u8,
        2 => "Low"u8,
        3 => "Medium"u8,
        4 => "High"u8,
        5 => "Critical"u8,
        6 => "Fatal"u8,
        _ => "Other"u8,
    };
}
