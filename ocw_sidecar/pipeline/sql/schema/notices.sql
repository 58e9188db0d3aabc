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
