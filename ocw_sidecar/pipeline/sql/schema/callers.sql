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
