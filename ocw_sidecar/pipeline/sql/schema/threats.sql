-- Blocked networks and attack signatures: ours with what is to become of them on the chain, and others' as they stand
-- there. Times are milliseconds since 1970 in UTC; heights are block numbers. Nothing here names a person: an address
-- is kept no longer than its entry lasts.

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
