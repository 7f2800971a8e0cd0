using Microsoft.Data.Sqlite;

namespace Logwarden.Data;

/// <summary>Work on the control database whose failures are those of a disk, for whoever tries again.</summary>
static class Sqlite
{
    /// <summary>Does something on a connection of its own.</summary>
    /// <exception cref="IOException">The database failed.</exception>
    public static T Do<T>(ControlDatabase database, Func<SqliteConnection, T> work)
    {
        try
        {
            using var connection = database.Connect();
            return work(connection);
        }
        catch (SqliteException failed)
        {
            throw new IOException($"{database.Path}: {failed.Message} It can be tried again when the disk is in order.", failed);
        }
    }
}
