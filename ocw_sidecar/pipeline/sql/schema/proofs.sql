-- Proofs of storage: our objects' tags, the rounds they are asked in, and how storage nodes answered. Heights are
-- block numbers; times are milliseconds since 1970 in UTC.

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
