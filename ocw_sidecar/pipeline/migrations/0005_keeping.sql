-- From version 4 to version 5: what stands under each room's name below is the same as in `../sql/schema/`.

-- access

ALTER TABLE key_releases ADD COLUMN ground TEXT CHECK (ground IN ('own', 'record', 'patient', 'emergency'));

CREATE TABLE redeliveries (
    scope BLOB NOT NULL,
    grantee BLOB NOT NULL CHECK (length(grantee) = 32),
    wave INTEGER NOT NULL,
    PRIMARY KEY (scope, grantee)
) STRICT, WITHOUT ROWID;
