-- From version 3 to version 4: records that say the same as one that is final, and text that is no FHIR.

ALTER TABLE submissions ADD COLUMN media TEXT CHECK (media IN ('application/cda+xml', 'text/hl7v2'));

INSERT INTO transitions (kind, old, new) VALUES ('record', '', 'duplicate');

CREATE TABLE fingerprint_keys (
    only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    wrapped BYTEA NOT NULL
);

ALTER TABLE records
    ADD COLUMN original BYTEA CHECK (length(original) = 16),
    ADD COLUMN fingerprint BYTEA CHECK (length(fingerprint) = 32),
    DROP CONSTRAINT records_check,
    DROP CONSTRAINT records_check1,
    ADD CONSTRAINT records_check CHECK ((state IN ('rejected', 'duplicate')) = (length IS NULL)),
    ADD CONSTRAINT records_check1 CHECK ((state IN ('sealed', 'rejected', 'duplicate')) = (pack IS NULL)),
    ADD CONSTRAINT records_check2 CHECK ((state = 'duplicate') = (original IS NOT NULL));

CREATE INDEX records_by_fingerprint ON records (fingerprint) WHERE fingerprint IS NOT NULL;
