-- From version 5 to version 6: what stands under each room's name below is the same as in `../sql/schema/`.

-- compaction

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

-- threats

CREATE TABLE blocked_ips (
    net TEXT NOT NULL CHECK (length(net) BETWEEN 4 AND 64),  -- CIDR notation
    organisation BLOB NOT NULL CHECK (length(organisation) = 32),
    reason TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    expires_block INTEGER,  -- as sent, or as it stands on the chain
    wish TEXT NOT NULL CHECK (wish IN ('stand', 'go')),
    status TEXT NOT NULL CHECK (status IN ('pending', 'submitted', 'confirmed', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    block INTEGER,  -- where it is final
    asked_at INTEGER NOT NULL,
    PRIMARY KEY (net, organisation)
) STRICT, WITHOUT ROWID;

CREATE INDEX blocked_ips_due ON blocked_ips (next_attempt, net) WHERE status IN ('pending', 'submitted');
CREATE INDEX blocked_ips_expiry ON blocked_ips (expires_at);
CREATE INDEX blocked_ips_confirmed ON blocked_ips (expires_block) WHERE status = 'confirmed';
CREATE INDEX blocked_ips_owner ON blocked_ips (organisation, status);

CREATE TABLE attack_signatures (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    organisation BLOB NOT NULL CHECK (length(organisation) = 32),
    format TEXT NOT NULL,
    severity TEXT NOT NULL,
    pattern BLOB NOT NULL CHECK (length(pattern) BETWEEN 1 AND 2048),
    wish TEXT NOT NULL CHECK (wish IN ('stand', 'go')),
    status TEXT NOT NULL CHECK (status IN ('pending', 'submitted', 'confirmed', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    block INTEGER,
    asked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX attack_signatures_due ON attack_signatures (next_attempt, id) WHERE status IN ('pending', 'submitted');
CREATE INDEX attack_signatures_owner ON attack_signatures (organisation, status);

-- How far the chain was followed for these tables.
CREATE TABLE threats_cursor (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    block INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- proofs

CREATE TABLE proof_objects (
    object BLOB PRIMARY KEY CHECK (length(object) = 32),
    due_at INTEGER,  -- when it is to be tagged; NULL where its tags are on the nodes
    attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    committed_at INTEGER,  -- the block in which the chain took the commitment to the tags
    round_at INTEGER NOT NULL DEFAULT 0,  -- the round it was last asked in; 0 before the first
    public_at INTEGER NOT NULL DEFAULT 0,  -- likewise with public proofs
    risk INTEGER NOT NULL DEFAULT 1000,  -- 0 to 1000: of its nodes the worst, or a new one
    open_at INTEGER,  -- the round that is to be asked again
    misses INTEGER NOT NULL DEFAULT 0  -- times that the open round went unanswered
) STRICT, WITHOUT ROWID;

CREATE INDEX proof_objects_waiting ON proof_objects (due_at, object) WHERE due_at IS NOT NULL;
CREATE INDEX proof_objects_never_asked ON proof_objects (object) WHERE round_at = 0;
CREATE INDEX proof_objects_round ON proof_objects (round_at, object) WHERE committed_at IS NOT NULL;
CREATE INDEX proof_objects_risk ON proof_objects (risk DESC, round_at, object) WHERE committed_at IS NOT NULL;
CREATE INDEX proof_objects_open ON proof_objects (open_at, object) WHERE open_at IS NOT NULL;

-- The list of an object's tags, one for each scheme: 69 bytes and 64 a fragment.
CREATE TABLE proof_tags (
    object BLOB NOT NULL CHECK (length(object) = 32),
    scheme TEXT NOT NULL CHECK (scheme IN ('Private', 'Public')),
    list BLOB NOT NULL CHECK (length(list) <= 768069),
    PRIMARY KEY (object, scheme)
) STRICT, WITHOUT ROWID;

-- Storage nodes by their names on the network.
CREATE TABLE proof_nodes (
    node TEXT PRIMARY KEY CHECK (length(node) <= 128),
    answers INTEGER NOT NULL,  -- rounds in which it was right
    condemned INTEGER NOT NULL,  -- rounds in which it was proved wrong
    silent INTEGER NOT NULL,  -- rounds without a proof
    good INTEGER NOT NULL,  -- rounds that count for it, in thousandths; older ones count less
    bad INTEGER NOT NULL,  -- likewise against it
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX proof_nodes_seen ON proof_nodes (seen_at, node);

-- erasure

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

-- What was stored before is tagged, too.
INSERT INTO proof_objects (object, due_at) SELECT object, 0 FROM ledger_objects;
