-- Grants whose keys must be wrapped anew although the grantee's own key is the same: the record was sealed under
-- another data key. A scope is as in the ledger. A wave is drawn at random each time, so that
-- what was prepared for an earlier one settles nothing.

CREATE TABLE redeliveries (
    scope BLOB NOT NULL,
    grantee BLOB NOT NULL CHECK (length(grantee) = 32),
    wave INTEGER NOT NULL,
    PRIMARY KEY (scope, grantee)
) STRICT, WITHOUT ROWID;
