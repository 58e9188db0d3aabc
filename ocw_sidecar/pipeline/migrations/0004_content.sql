-- From version 3 to version 4: records that say the same as one that is final, and text that is no FHIR.

ALTER TABLE submissions ADD COLUMN media TEXT CHECK (media IN ('application/cda+xml', 'text/hl7v2'));

INSERT INTO transitions (kind, old, new) VALUES ('record', '', 'duplicate');

-- The key of fingerprints, wrapped: without the key store nobody can tell whether a guess is what a record says.
CREATE TABLE fingerprint_keys (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- SQLite changes no CHECK, so the table is made anew; its indexes and triggers go with the old one.
ALTER TABLE records RENAME TO records_before;

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

INSERT INTO records (
    id, submission, ordinal, patient, format, length, digest, pack, position, state, failed_from, reason, outcome,
    block, sealed_at
)
SELECT
    id, submission, ordinal, patient, format, length, digest, pack, position, state, failed_from, reason, outcome,
    block, sealed_at
FROM records_before;

DROP TABLE records_before;

CREATE UNIQUE INDEX records_of_submission ON records (submission, ordinal);
CREATE INDEX records_of_pack ON records (pack, position) WHERE pack IS NOT NULL;
CREATE INDEX records_sealed ON records (sealed_at, id) WHERE state = 'sealed';
CREATE INDEX records_failed ON records (id) WHERE state = 'failed';
CREATE INDEX records_by_fingerprint ON records (fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX records_of_patient ON records (patient, id);

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
