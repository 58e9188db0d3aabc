-- What the chain says of our organisation's objects, records, grants and requests, folded from its events.
-- A scope is one byte, 0 for a record and 1 for a patient, and the id. Heights are block numbers; times are
-- milliseconds since 1970 in UTC.

CREATE TABLE ledger_grants (
    scope BLOB NOT NULL,
    grantee BLOB NOT NULL CHECK (length(grantee) = 32),
    granted_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    key_state TEXT NOT NULL CHECK (key_state IN ('pending', 'escrowed', 'given')),
    key_version INTEGER,
    emergency INTEGER NOT NULL DEFAULT 0,
    warned INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,  -- of the next attempt to deliver the key
    reason TEXT,
    PRIMARY KEY (scope, grantee)
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_grants_waiting ON ledger_grants (emergency DESC, due_at) WHERE key_state = 'pending';
CREATE INDEX ledger_grants_of_grantee ON ledger_grants (grantee);
CREATE INDEX ledger_grants_ending ON ledger_grants (expires_at);
CREATE INDEX ledger_grants_unwarned_open ON ledger_grants (expires_at) WHERE warned = 0;

CREATE TABLE ledger_requests (
    record BLOB NOT NULL CHECK (length(record) = 16),
    requester BLOB NOT NULL CHECK (length(requester) = 32),
    purpose TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (record, requester)
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_requests_ending ON ledger_requests (expires_at);

CREATE TABLE ledger_objects (
    object BLOB PRIMARY KEY CHECK (length(object) = 32),
    stored_at INTEGER NOT NULL,
    looked_at INTEGER NOT NULL,  -- when its storage was last looked at; at first when it was stored
    health INTEGER,
    replicas INTEGER,
    nodes INTEGER,
    asked_at INTEGER NOT NULL,  -- when it was last challenged; at first when it was stored
    outcome TEXT,
    challenged_at INTEGER,
    contained INTEGER NOT NULL DEFAULT 0,  -- times that the present challenge went unanswered
    contained_at INTEGER  -- the challenge that is to be asked again
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_objects_looked ON ledger_objects (looked_at, object);
CREATE INDEX ledger_objects_asked ON ledger_objects (asked_at, object);

CREATE TABLE ledger_records (
    record BLOB PRIMARY KEY CHECK (length(record) = 16),
    patient BLOB NOT NULL CHECK (length(patient) = 32),
    object BLOB NOT NULL CHECK (length(object) = 32)
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_records_of_patient ON ledger_records (patient, record);
CREATE INDEX ledger_records_of_object ON ledger_records (object, record);

-- Wrapped keys that the chain knows by their digest. They open nothing without the grantee's private key.
CREATE TABLE escrow_keys (
    scope BLOB NOT NULL,
    grantee BLOB NOT NULL CHECK (length(grantee) = 32),
    record BLOB NOT NULL CHECK (length(record) = 16),
    wrapped BLOB NOT NULL,
    key_version INTEGER NOT NULL,
    PRIMARY KEY (scope, grantee, record)
) STRICT, WITHOUT ROWID;

CREATE INDEX escrow_keys_of_record ON escrow_keys (record);

-- What was asked and answered in a check of an object; its SHA-256 stands on the chain.
CREATE TABLE proof_bundles (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    object BLOB NOT NULL CHECK (length(object) = 32),
    challenged_at INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
