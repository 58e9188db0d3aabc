-- How far the chain was followed. There is one cursor; `job_heights` says for which block each job was last done.

CREATE TABLE cursors (
    name TEXT PRIMARY KEY CHECK (name = 'chain'),
    genesis BLOB NOT NULL CHECK (length(genesis) = 32),
    height INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    moved_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE job_heights (
    job TEXT PRIMARY KEY,
    height INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
