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

-- Large sealed payloads where several machines have to reach them; a sole process keeps them in files.

CREATE TABLE pieces (
    name TEXT NOT NULL,  -- the payload's, as in payloads.spool
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    body BLOB NOT NULL CHECK (length(body) <= 524288),
    written_at INTEGER NOT NULL,
    PRIMARY KEY (name, ordinal)
) STRICT;

CREATE INDEX pieces_begun ON pieces (written_at) WHERE ordinal = 0;

-- What searching needs beyond the queue's tables. Ids grow with time (UUIDv7), so a range of ids is one of times.

CREATE INDEX submissions_of_patient ON submissions (patient, id);
CREATE INDEX records_of_patient ON records (patient, id);

-- Who may ask for what. No token stands here, and no name.

CREATE TABLE tokens (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    account BLOB CHECK (length(account) = 32),
    scopes TEXT NOT NULL,  -- names, with a space between
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    used_on INTEGER  -- the beginning of that day
) STRICT, WITHOUT ROWID;

-- Signed requests that were seen; each is forgotten when its time of signing lies too far back to be taken.
CREATE TABLE nonces (
    id BLOB PRIMARY KEY CHECK (length(id) = 32),
    forget_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX nonces_due ON nonces (forget_at);

-- Patients that applications asked us to register: the intent, durable before anything is sent to the chain.

CREATE TABLE registrations (
    patient BLOB PRIMARY KEY CHECK (length(patient) = 32),
    controller BLOB CHECK (length(controller) = 32),
    state TEXT NOT NULL CHECK (state IN ('pending', 'registered', 'failed')),
    reason TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,
    asked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX registrations_pending ON registrations (due_at, patient) WHERE state = 'pending';

-- What recipients are told, by whom it is carried, and how far that has come. Times are milliseconds since 1970.
-- Facts are ids, numbers and codes. Where a channel leads identifies a person and holds tokens: it lies sealed.

-- Every account that was ever told something; its notices are numbered from 1.
CREATE TABLE recipients (
    account BLOB PRIMARY KEY CHECK (length(account) = 32),
    newest INTEGER NOT NULL DEFAULT 0,
    kept INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,  -- the highest position that is gone
    oversees INTEGER NOT NULL DEFAULT 0  -- 1: is told of what fails here
) STRICT, WITHOUT ROWID;

CREATE INDEX recipients_overseeing ON recipients (account) WHERE oversees = 1;

CREATE TABLE notices (
    recipient BLOB NOT NULL REFERENCES recipients (account),
    position INTEGER NOT NULL,
    key BLOB NOT NULL CHECK (length(key) = 32),
    id BLOB NOT NULL CHECK (length(id) = 16),
    kind TEXT NOT NULL,
    facts TEXT NOT NULL CHECK (length(facts) <= 2048),
    told_at INTEGER NOT NULL,
    PRIMARY KEY (recipient, position)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX notices_by_key ON notices (recipient, key);
CREATE INDEX notices_by_age ON notices (told_at);

CREATE TABLE channels (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    recipient BLOB NOT NULL CHECK (length(recipient) = 32),
    origin TEXT NOT NULL CHECK (origin IN ('own', 'settings')),
    slot INTEGER NOT NULL,
    digest_at INTEGER NOT NULL,  -- minutes after midnight in UTC; -1: at once
    sealed BLOB NOT NULL CHECK (length(sealed) <= 4096),
    wrapped BLOB NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,  -- in a row
    rests_until INTEGER NOT NULL DEFAULT 0,
    wake_at INTEGER NOT NULL,  -- when a lane has to look at it; for a leased one the lease's end
    lease BLOB
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX channels_of_recipient ON channels (recipient, origin, slot);
CREATE INDEX channels_sound ON channels (wake_at) WHERE failures = 0;
CREATE INDEX channels_troubled ON channels (wake_at) WHERE failures > 0;

CREATE TABLE subscriptions (
    channel BLOB NOT NULL REFERENCES channels (id),
    kind TEXT NOT NULL,
    PRIMARY KEY (channel, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    channel BLOB NOT NULL REFERENCES channels (id),
    recipient BLOB NOT NULL,
    position INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,
    code TEXT
) STRICT;

CREATE UNIQUE INDEX deliveries_of_notice ON deliveries (recipient, position, channel);
CREATE INDEX deliveries_of_channel ON deliveries (channel);
CREATE INDEX deliveries_waiting ON deliveries (channel, due_at) WHERE state = 'waiting';
CREATE INDEX deliveries_failed ON deliveries (channel) WHERE state = 'failed';

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

-- Grants whose keys must be wrapped anew although the grantee's own key is the same: the record was sealed under
-- another data key. A scope is as in the ledger. A wave is drawn at random each time, so that
-- what was prepared for an earlier one settles nothing.

CREATE TABLE redeliveries (
    scope BLOB NOT NULL,
    grantee BLOB NOT NULL CHECK (length(grantee) = 32),
    wave INTEGER NOT NULL,
    PRIMARY KEY (scope, grantee)
) STRICT, WITHOUT ROWID;

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

-- What is to be done about our objects on the storage network. Heights are block numbers; times are milliseconds
-- since 1970 in UTC.

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
