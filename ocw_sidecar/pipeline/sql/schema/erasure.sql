-- Records that are erased, or are to be, and receipts of it. Ids and codes only: nothing here says whose they were.

CREATE TABLE erasures (
    record BLOB PRIMARY KEY CHECK (length(record) = 16),
    state TEXT NOT NULL CHECK (state IN ('decided', 'erased', 'gone', 'withdrawn')),
    decided_at INTEGER NOT NULL,
    object BLOB CHECK (length(object) = 32),  -- where its bytes lie
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX erasures_due ON erasures (due_at, record) WHERE state IN ('decided', 'erased');
CREATE INDEX erasures_of_object ON erasures (object) WHERE state = 'erased';

-- Each receipt holds the digest of the one before it, whichever record that was of.
CREATE TABLE erasure_receipts (
    number INTEGER PRIMARY KEY,
    record BLOB NOT NULL CHECK (length(record) = 16),
    body TEXT NOT NULL CHECK (length(body) <= 1024),
    digest BLOB NOT NULL CHECK (length(digest) = 32)
) STRICT;

CREATE INDEX erasure_receipts_of_record ON erasure_receipts (record, number);

CREATE TABLE erasure_head (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    number INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32)
) STRICT, WITHOUT ROWID;
