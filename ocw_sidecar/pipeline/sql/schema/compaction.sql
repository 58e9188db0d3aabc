-- How records are moved out of objects that something was erased from. Times are milliseconds since 1970 in UTC.

-- Objects with erased bytes in them, until the chain has given them up.
CREATE TABLE compaction_objects (
    object BLOB PRIMARY KEY CHECK (length(object) = 32),
    erased_at INTEGER NOT NULL,  -- when we first learned of it
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX compaction_objects_due ON compaction_objects (due_at, object);

-- New objects on their way.
CREATE TABLE compactions (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    state TEXT NOT NULL CHECK (state IN ('planned', 'assembled', 'stored')),
    size INTEGER NOT NULL,
    record_count INTEGER NOT NULL,
    object BLOB CHECK (length(object) = 32),
    manifest_root BLOB CHECK (length(manifest_root) = 32),
    planned_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    CHECK ((state = 'planned') = (object IS NULL)),
    CHECK ((object IS NULL) = (manifest_root IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX compactions_due ON compactions (due_at, id);
CREATE INDEX compactions_of_object ON compactions (object);

-- What goes where. A record is in one plan at most.
CREATE TABLE compaction_records (
    record BLOB PRIMARY KEY CHECK (length(record) = 16),
    compaction BLOB NOT NULL REFERENCES compactions (id),
    patient BLOB NOT NULL CHECK (length(patient) = 32),
    format INTEGER NOT NULL,
    source BLOB NOT NULL CHECK (length(source) = 32),
    source_offset INTEGER NOT NULL,
    source_digest BLOB NOT NULL CHECK (length(source_digest) = 32),
    position INTEGER NOT NULL,  -- first byte within the new object
    length INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),  -- the source's, until a record sealed anew is assembled
    wrapped BLOB  -- the data key that it is sealed anew under
) STRICT, WITHOUT ROWID;

CREATE INDEX compaction_records_of_plan ON compaction_records (compaction, position);
CREATE INDEX compaction_records_of_source ON compaction_records (source);

-- Wishes to have a record sealed anew.
CREATE TABLE reseals (
    record BLOB PRIMARY KEY CHECK (length(record) = 16),
    asked_at INTEGER NOT NULL,
    done_at INTEGER,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX reseals_waiting ON reseals (due_at, record) WHERE done_at IS NULL;
CREATE INDEX reseals_done ON reseals (done_at) WHERE done_at IS NOT NULL;
