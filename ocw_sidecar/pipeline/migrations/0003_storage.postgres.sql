-- From version 2 to version 3: what is to be done about our objects on the storage network.

-- Objects that a look found stored too thinly; one leaves when it is sound again.
CREATE TABLE storage_troubles (
    object BYTEA PRIMARY KEY CHECK (length(object) = 32),
    since BIGINT NOT NULL,
    looked_at BIGINT NOT NULL,
    repaired_at BIGINT  -- when a repair was last begun
);

CREATE INDEX storage_troubles_looked ON storage_troubles (looked_at, object);

-- Objects whose last record was erased on the chain, until the storage network has given them up.
CREATE TABLE storage_removals (
    object BYTEA PRIMARY KEY CHECK (length(object) = 32),
    removed_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    due_at BIGINT NOT NULL,
    reason TEXT
);

CREATE INDEX storage_removals_due ON storage_removals (due_at, object);
