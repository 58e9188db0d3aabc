-- The queue's schema as it is now. Older databases come here through ../migrations; a test compares the two.
-- Times are milliseconds since 1970 in UTC. Ids, digests and keys are raw bytes. Nothing here is plaintext.

CREATE TABLE transitions (
    kind TEXT NOT NULL,
    old TEXT NOT NULL,  -- empty: may begin so
    new TEXT NOT NULL,
    PRIMARY KEY (kind, old, new)
) STRICT, WITHOUT ROWID;

INSERT INTO transitions (kind, old, new) VALUES
    ('submission', '', 'received'),
    ('submission', 'received', 'validated'),
    ('submission', 'received', 'failed'),
    ('submission', 'failed', 'received'),
    ('record', '', 'sealed'),
    ('record', '', 'rejected'),
    ('record', '', 'duplicate'),
    ('record', 'sealed', 'packed'),
    ('record', 'packed', 'stored'),
    ('record', 'stored', 'anchored'),
    ('record', 'anchored', 'confirmed'),
    ('record', 'anchored', 'stored'),
    ('record', 'packed', 'failed'),
    ('record', 'stored', 'failed'),
    ('record', 'anchored', 'failed'),
    ('record', 'failed', 'packed'),
    ('record', 'failed', 'stored'),
    ('record', 'failed', 'anchored'),
    ('pack', '', 'planned'),
    ('pack', 'planned', 'assembled'),
    ('pack', 'assembled', 'stored'),
    ('pack', 'stored', 'anchored'),
    ('pack', 'anchored', 'closed'),
    ('pack', 'anchored', 'stored'),
    ('pack', 'closed', 'stored'),
    ('pack', 'planned', 'failed'),
    ('pack', 'assembled', 'failed'),
    ('pack', 'stored', 'failed'),
    ('pack', 'anchored', 'failed'),
    ('pack', 'failed', 'planned'),
    ('pack', 'failed', 'assembled'),
    ('pack', 'failed', 'stored'),
    ('pack', 'failed', 'anchored');

-- `media` is what the format does not tell: of text that rides as BINARY.
CREATE TABLE submissions (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    patient BLOB NOT NULL CHECK (length(patient) = 32),
    format INTEGER NOT NULL,
    length INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    idempotency BLOB UNIQUE,
    state TEXT NOT NULL,
    reason TEXT,
    received_at INTEGER NOT NULL,
    submitter BLOB CHECK (length(submitter) = 32),
    media TEXT CHECK (media IN ('application/cda+xml', 'text/hl7v2'))
) STRICT, WITHOUT ROWID;

CREATE INDEX submissions_waiting ON submissions (received_at) WHERE state = 'received';
CREATE INDEX submissions_failed ON submissions (id) WHERE state = 'failed';

CREATE TABLE packs (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    size INTEGER NOT NULL,
    record_count INTEGER NOT NULL,
    object BLOB CHECK (length(object) = 32),
    manifest_root BLOB CHECK (length(manifest_root) = 32),
    state TEXT NOT NULL,
    failed_from TEXT,
    reason TEXT,
    oldest_at INTEGER NOT NULL,
    CHECK (state IN ('planned', 'failed') OR object IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX packs_open ON packs (oldest_at) WHERE state NOT IN ('closed', 'failed');
CREATE INDEX packs_failed ON packs (id) WHERE state = 'failed';

CREATE TABLE records (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    submission BLOB NOT NULL REFERENCES submissions (id),
    ordinal INTEGER NOT NULL,
    patient BLOB NOT NULL CHECK (length(patient) = 32),
    format INTEGER NOT NULL,
    length INTEGER,
    digest BLOB CHECK (length(digest) = 32),
    pack BLOB REFERENCES packs (id),
    position INTEGER,  -- first byte within the object
    state TEXT NOT NULL,
    failed_from TEXT,
    reason TEXT,
    outcome TEXT,
    block INTEGER,
    sealed_at INTEGER NOT NULL,
    original BLOB CHECK (length(original) = 16),  -- the record that a duplicate says the same as
    fingerprint BLOB CHECK (length(fingerprint) = 32),  -- of patient, format and content, under a secret key
    CHECK ((state IN ('rejected', 'duplicate')) = (length IS NULL)),
    CHECK ((state IN ('sealed', 'rejected', 'duplicate')) = (pack IS NULL)),
    CHECK ((state = 'duplicate') = (original IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX records_of_submission ON records (submission, ordinal);
CREATE INDEX records_of_pack ON records (pack, position) WHERE pack IS NOT NULL;
CREATE INDEX records_sealed ON records (sealed_at, id) WHERE state = 'sealed';
CREATE INDEX records_failed ON records (id) WHERE state = 'failed';
CREATE INDEX records_by_fingerprint ON records (fingerprint) WHERE fingerprint IS NOT NULL;

-- Sealed bytes until they are confirmed; small ones here, large ones in the spool folder.
CREATE TABLE payloads (
    id BLOB PRIMARY KEY,
    body BLOB,
    spool TEXT UNIQUE,
    CHECK ((body IS NULL) <> (spool IS NULL))
) STRICT;

-- The custodian's copies of the data keys, wrapped. They outlive everything else here.
CREATE TABLE keys (
    id BLOB PRIMARY KEY,
    wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The key of fingerprints, wrapped: without the key store nobody can tell whether a guess is what a record says.
CREATE TABLE fingerprint_keys (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE key_releases (
    id INTEGER PRIMARY KEY,
    record BLOB NOT NULL,
    account BLOB NOT NULL CHECK (length(account) = 32),
    released_at INTEGER NOT NULL,
    ground TEXT CHECK (ground IN ('own', 'record', 'patient', 'emergency'))
) STRICT;

CREATE INDEX key_releases_of_record ON key_releases (record);

-- A claimed job's due time is the end of its lease: it comes back by itself.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    stage TEXT NOT NULL,
    item BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,
    lease BLOB,
    reason TEXT,
    UNIQUE (item)
) STRICT;

CREATE INDEX jobs_due ON jobs (stage, due_at, id);
CREATE INDEX jobs_troubled ON jobs (stage, reason) WHERE reason IS NOT NULL;

CREATE TABLE tallies (
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    items INTEGER NOT NULL CHECK (items >= 0),
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (kind, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER submission_begins AFTER INSERT ON submissions BEGIN
    SELECT raise(ABORT, 'no submission begins so')
    WHERE NOT EXISTS (SELECT 1 FROM transitions WHERE kind = 'submission' AND old = '' AND new = NEW.state);
    INSERT INTO tallies VALUES ('submission', NEW.state, 1, NEW.length)
    ON CONFLICT DO UPDATE SET items = items + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER submission_moves AFTER UPDATE OF state ON submissions WHEN OLD.state <> NEW.state BEGIN
    SELECT raise(ABORT, 'no submission moves so')
    WHERE NOT EXISTS (
        SELECT 1 FROM transitions WHERE kind = 'submission' AND old = OLD.state AND new = NEW.state
    );
    UPDATE tallies SET items = items - 1, bytes = bytes - OLD.length
    WHERE kind = 'submission' AND state = OLD.state;
    INSERT INTO tallies VALUES ('submission', NEW.state, 1, NEW.length)
    ON CONFLICT DO UPDATE SET items = items + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER submission_ends AFTER DELETE ON submissions BEGIN
    UPDATE tallies SET items = items - 1, bytes = bytes - OLD.length
    WHERE kind = 'submission' AND state = OLD.state;
END;

CREATE TRIGGER record_begins AFTER INSERT ON records BEGIN
    SELECT raise(ABORT, 'no record begins so')
    WHERE NOT EXISTS (SELECT 1 FROM transitions WHERE kind = 'record' AND old = '' AND new = NEW.state);
    INSERT INTO tallies VALUES ('record', NEW.state, 1, coalesce(NEW.length, 0))
    ON CONFLICT DO UPDATE SET items = items + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER record_moves AFTER UPDATE OF state ON records WHEN OLD.state <> NEW.state BEGIN
    SELECT raise(ABORT, 'no record moves so')
    WHERE NOT EXISTS (
        SELECT 1 FROM transitions WHERE kind = 'record' AND old = OLD.state AND new = NEW.state
    );
    UPDATE tallies SET items = items - 1, bytes = bytes - coalesce(OLD.length, 0)
    WHERE kind = 'record' AND state = OLD.state;
    INSERT INTO tallies VALUES ('record', NEW.state, 1, coalesce(NEW.length, 0))
    ON CONFLICT DO UPDATE SET items = items + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER record_ends AFTER DELETE ON records BEGIN
    UPDATE tallies SET items = items - 1, bytes = bytes - coalesce(OLD.length, 0)
    WHERE kind = 'record' AND state = OLD.state;
END;

CREATE TRIGGER pack_begins AFTER INSERT ON packs BEGIN
    SELECT raise(ABORT, 'no pack begins so')
    WHERE NOT EXISTS (SELECT 1 FROM transitions WHERE kind = 'pack' AND old = '' AND new = NEW.state);
    INSERT INTO tallies VALUES ('pack', NEW.state, 1, NEW.size)
    ON CONFLICT DO UPDATE SET items = items + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER pack_moves AFTER UPDATE OF state ON packs WHEN OLD.state <> NEW.state BEGIN
    SELECT raise(ABORT, 'no pack moves so')
    WHERE NOT EXISTS (
        SELECT 1 FROM transitions WHERE kind = 'pack' AND old = OLD.state AND new = NEW.state
    );
    UPDATE tallies SET items = items - 1, bytes = bytes - OLD.size WHERE kind = 'pack' AND state = OLD.state;
    INSERT INTO tallies VALUES ('pack', NEW.state, 1, NEW.size)
    ON CONFLICT DO UPDATE SET items = items + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER pack_ends AFTER DELETE ON packs BEGIN
    UPDATE tallies SET items = items - 1, bytes = bytes - OLD.size
    WHERE kind = 'pack' AND state = OLD.state;
END;
