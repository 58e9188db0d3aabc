-- Large sealed payloads where several machines have to reach them; a sole process keeps them in files.

CREATE TABLE pieces (
    name TEXT NOT NULL,  -- the payload's, as in payloads.spool
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    body BLOB NOT NULL CHECK (length(body) <= 524288),
    written_at INTEGER NOT NULL,
    PRIMARY KEY (name, ordinal)
) STRICT;

CREATE INDEX pieces_begun ON pieces (written_at) WHERE ordinal = 0;
