-- What operators ask of workers, and what became of their runs. Times are milliseconds since 1970 in UTC.

CREATE TABLE workers (
    name TEXT PRIMARY KEY,
    paused INTEGER NOT NULL DEFAULT 0,
    paused_at INTEGER,
    paused_by TEXT,
    asked INTEGER NOT NULL DEFAULT 0,  -- single runs that were asked for, ever
    answered INTEGER NOT NULL DEFAULT 0,  -- of these, how many are done
    runs INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    started_at INTEGER,
    ended_at INTEGER,
    succeeded_at INTEGER,
    height INTEGER,
    items TEXT,  -- of the last run: names and counts, as JSON
    reason TEXT  -- the error code of the last run
) STRICT, WITHOUT ROWID;

CREATE TABLE processes (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    leads INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
