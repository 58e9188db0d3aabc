-- From version 2 to version 3: what is to be done about our objects on the storage network.

-- Objects that a look found stored too thinly; one leaves when it is sound again.
CREATE TABLE storage_troubles (
    object BLOB PRIMARY KEY CHECK (length(object) = 32),
    since INTEGER NOT NULL,
    looked_at INTEGER NOT NULL,
    repaired_at INTEGER  -- when a repair was last begun
) STRICT, WITHOUT ROWID;

CREATE INDEX storage_troubles_looked ON storage_troubles (looked_at, object);

-- Objects whose last record was erased on the chain, until the storage network has given them up.
CREATE TABLE storage_removals (
    object BLOB PRIMARY KEY CHECK (length(object) = 32),
    removed_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,
    reason TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX storage_removals_due ON storage_removals (due_at, object);
