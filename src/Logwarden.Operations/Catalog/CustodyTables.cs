using Logwarden.Data;

namespace Logwarden.Catalog;

/// <summary>The tables about sealed segments: what there is, what is held, what was restored. They are one set, for a seal is noted in several of them at once.</summary>
static class CustodyTables
{
    public static void Migrate(ControlDatabase database)
    {
        database.Migrate("catalog",
        [
            """
            CREATE TABLE catalog_seal (number INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, sealed INTEGER NOT NULL) STRICT;
            CREATE TABLE catalog_segment (
                path TEXT PRIMARY KEY, seal INTEGER NOT NULL REFERENCES catalog_seal (number), class TEXT NOT NULL, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, rows INTEGER NOT NULL,
                first_leaf INTEGER NOT NULL, min_time INTEGER NOT NULL, max_time INTEGER NOT NULL, retain_until INTEGER NOT NULL, mode INTEGER NOT NULL, legal_hold INTEGER NOT NULL,
                expired INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
            CREATE INDEX catalog_segment_seal ON catalog_segment (seal);
            CREATE INDEX catalog_segment_time ON catalog_segment (max_time, min_time);
            """,
        ]);
        database.Migrate("holds",
        [
            """
            CREATE TABLE hold (
                id INTEGER PRIMARY KEY AUTOINCREMENT, matter TEXT NOT NULL, scope TEXT NOT NULL, requester TEXT NOT NULL, approver TEXT NOT NULL, created INTEGER NOT NULL,
                scanned_to INTEGER NOT NULL DEFAULT -1, applied INTEGER,
                released INTEGER, release_requester TEXT, release_approver TEXT, release_reason TEXT, objects_released INTEGER) STRICT;
            CREATE TABLE hold_object (hold INTEGER NOT NULL REFERENCES hold (id), path TEXT NOT NULL, state INTEGER NOT NULL, PRIMARY KEY (hold, path)) STRICT, WITHOUT ROWID;
            CREATE INDEX hold_object_path ON hold_object (path);
            """,
        ]);
        database.Migrate("restores",
        [
            """
            CREATE TABLE restore (
                id INTEGER PRIMARY KEY AUTOINCREMENT, from_time INTEGER NOT NULL, to_time INTEGER NOT NULL, class TEXT, requested_by TEXT NOT NULL, created INTEGER NOT NULL, until INTEGER NOT NULL,
                segments INTEGER NOT NULL, bytes INTEGER NOT NULL, finished INTEGER) STRICT;
            CREATE TABLE restored_segment (path TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
            """,
        ]);
    }
}
