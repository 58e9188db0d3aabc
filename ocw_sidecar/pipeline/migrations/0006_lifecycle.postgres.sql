-- From version 5 to version 6: what stands under each room's name below is the same as in `../sql/schema/`.

-- compaction

CREATE TABLE compaction_objects (
    object BYTEA PRIMARY KEY CHECK (length(object) = 32),
    erased_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    reason TEXT
);

CREATE INDEX compaction_objects_due ON compaction_objects (due_at, object);

CREATE TABLE compactions (
    id BYTEA PRIMARY KEY CHECK (length(id) = 16),
    state TEXT NOT NULL CHECK (state IN ('planned', 'assembled', 'stored')),
    size BIGINT NOT NULL,
    record_count BIGINT NOT NULL,
    object BYTEA CHECK (length(object) = 32),
    manifest_root BYTEA CHECK (length(manifest_root) = 32),
    planned_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    reason TEXT,
    CHECK ((state = 'planned') = (object IS NULL)),
    CHECK ((object IS NULL) = (manifest_root IS NULL))
);

CREATE INDEX compactions_due ON compactions (due_at, id);

CREATE INDEX compactions_of_object ON compactions (object);

CREATE TABLE compaction_records (
    record BYTEA PRIMARY KEY CHECK (length(record) = 16),
    compaction BYTEA NOT NULL REFERENCES compactions (id),
    patient BYTEA NOT NULL CHECK (length(patient) = 32),
    format BIGINT NOT NULL,
    source BYTEA NOT NULL CHECK (length(source) = 32),
    source_offset BIGINT NOT NULL,
    source_digest BYTEA NOT NULL CHECK (length(source_digest) = 32),
    position BIGINT NOT NULL,
    length BIGINT NOT NULL,
    digest BYTEA NOT NULL CHECK (length(digest) = 32),
    wrapped BYTEA
);

CREATE INDEX compaction_records_of_plan ON compaction_records (compaction, position);

CREATE INDEX compaction_records_of_source ON compaction_records (source);

CREATE TABLE reseals (
    record BYTEA PRIMARY KEY CHECK (length(record) = 16),
    asked_at BIGINT NOT NULL,
    done_at BIGINT,
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    reason TEXT
);

CREATE INDEX reseals_waiting ON reseals (due_at, record) WHERE done_at IS NULL;

CREATE INDEX reseals_done ON reseals (done_at) WHERE done_at IS NOT NULL;

-- threats

CREATE TABLE blocked_ips (
    net TEXT NOT NULL CHECK (length(net) BETWEEN 4 AND 64),
    organisation BYTEA NOT NULL CHECK (length(organisation) = 32),
    reason TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    expires_block BIGINT,
    wish TEXT NOT NULL CHECK (wish IN ('stand', 'go')),
    status TEXT NOT NULL CHECK (status IN ('pending', 'submitted', 'confirmed', 'failed')),
    attempts BIGINT NOT NULL DEFAULT 0,
    next_attempt BIGINT NOT NULL DEFAULT 0,
    last_error TEXT,
    block BIGINT,
    asked_at BIGINT NOT NULL,
    PRIMARY KEY (net, organisation)
);

CREATE INDEX blocked_ips_due ON blocked_ips (next_attempt, net) WHERE status IN ('pending', 'submitted');

CREATE INDEX blocked_ips_expiry ON blocked_ips (expires_at);

CREATE INDEX blocked_ips_confirmed ON blocked_ips (expires_block) WHERE status = 'confirmed';

CREATE INDEX blocked_ips_owner ON blocked_ips (organisation, status);

CREATE TABLE attack_signatures (
    id BYTEA PRIMARY KEY CHECK (length(id) = 16),
    organisation BYTEA NOT NULL CHECK (length(organisation) = 32),
    format TEXT NOT NULL,
    severity TEXT NOT NULL,
    pattern BYTEA NOT NULL CHECK (length(pattern) BETWEEN 1 AND 2048),
    wish TEXT NOT NULL CHECK (wish IN ('stand', 'go')),
    status TEXT NOT NULL CHECK (status IN ('pending', 'submitted', 'confirmed', 'failed')),
    attempts BIGINT NOT NULL DEFAULT 0,
    next_attempt BIGINT NOT NULL DEFAULT 0,
    last_error TEXT,
    block BIGINT,
    asked_at BIGINT NOT NULL
);

CREATE INDEX attack_signatures_due ON attack_signatures (next_attempt, id) WHERE status IN ('pending', 'submitted');

CREATE INDEX attack_signatures_owner ON attack_signatures (organisation, status);

CREATE TABLE threats_cursor (
    only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    block BIGINT NOT NULL
);

-- proofs

CREATE TABLE proof_objects (
    object BYTEA PRIMARY KEY CHECK (length(object) = 32),
    due_at BIGINT,
    attempts BIGINT NOT NULL DEFAULT 0,
    reason TEXT,
    committed_at BIGINT,
    round_at BIGINT NOT NULL DEFAULT 0,
    public_at BIGINT NOT NULL DEFAULT 0,
    risk BIGINT NOT NULL DEFAULT 1000,
    open_at BIGINT,
    misses BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX proof_objects_waiting ON proof_objects (due_at, object) WHERE due_at IS NOT NULL;

CREATE INDEX proof_objects_never_asked ON proof_objects (object) WHERE round_at = 0;

CREATE INDEX proof_objects_round ON proof_objects (round_at, object) WHERE committed_at IS NOT NULL;

CREATE INDEX proof_objects_risk ON proof_objects (risk DESC, round_at, object) WHERE committed_at IS NOT NULL;

CREATE INDEX proof_objects_open ON proof_objects (open_at, object) WHERE open_at IS NOT NULL;

CREATE TABLE proof_tags (
    object BYTEA NOT NULL CHECK (length(object) = 32),
    scheme TEXT NOT NULL CHECK (scheme IN ('Private', 'Public')),
    list BYTEA NOT NULL CHECK (length(list) <= 768069),
    PRIMARY KEY (object, scheme)
);

CREATE TABLE proof_nodes (
    node TEXT PRIMARY KEY CHECK (length(node) <= 128),
    answers BIGINT NOT NULL,
    condemned BIGINT NOT NULL,
    silent BIGINT NOT NULL,
    good BIGINT NOT NULL,
    bad BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);

CREATE INDEX proof_nodes_seen ON proof_nodes (seen_at, node);

-- erasure

CREATE TABLE erasures (
    record BYTEA PRIMARY KEY CHECK (length(record) = 16),
    state TEXT NOT NULL CHECK (state IN ('decided', 'erased', 'gone', 'withdrawn')),
    decided_at BIGINT NOT NULL,
    object BYTEA CHECK (length(object) = 32),
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    reason TEXT
);

CREATE INDEX erasures_due ON erasures (due_at, record) WHERE state IN ('decided', 'erased');

CREATE INDEX erasures_of_object ON erasures (object) WHERE state = 'erased';

CREATE TABLE erasure_receipts (
    number BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    record BYTEA NOT NULL CHECK (length(record) = 16),
    body TEXT NOT NULL CHECK (length(body) <= 1024),
    digest BYTEA NOT NULL CHECK (length(digest) = 32)
);

CREATE INDEX erasure_receipts_of_record ON erasure_receipts (record, number);

CREATE TABLE erasure_head (
    only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    number BIGINT NOT NULL,
    digest BYTEA NOT NULL CHECK (length(digest) = 32)
);

-- What was stored before is tagged, too.
INSERT INTO proof_objects (object, due_at) SELECT object, 0 FROM ledger_objects;
