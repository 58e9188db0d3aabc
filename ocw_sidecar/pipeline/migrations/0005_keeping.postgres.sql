-- From version 4 to version 5: what stands under each room's name below is the same as in `../sql/schema/`.

-- access

ALTER TABLE key_releases ADD COLUMN ground TEXT CHECK (ground IN ('own', 'record', 'patient', 'emergency'));

CREATE TABLE redeliveries (
    scope BYTEA NOT NULL,
    grantee BYTEA NOT NULL CHECK (length(grantee) = 32),
    wave BIGINT NOT NULL,
    PRIMARY KEY (scope, grantee)
);
