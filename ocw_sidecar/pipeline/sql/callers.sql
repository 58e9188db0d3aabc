-- Tokens and nonces. Parameters are named; each entry runs inside the caller's transaction.

-- token_by_digest --
SELECT id, digest, account, scopes, created_at, expires_at, revoked_at, used_on
FROM tokens WHERE digest = :digest;

-- all_tokens --
SELECT id, digest, account, scopes, created_at, expires_at, revoked_at, used_on
FROM tokens ORDER BY created_at, id;

-- count_tokens --
SELECT count(*) AS items FROM tokens;

-- insert_token --
INSERT INTO tokens (id, digest, account, scopes, created_at, expires_at)
VALUES (:id, :digest, :account, :scopes, :created_at, :expires_at)
ON CONFLICT (digest) DO NOTHING;

-- revoke_token --
UPDATE tokens SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL;

-- note_token_use --
UPDATE tokens SET used_on = :day WHERE id = :id AND (used_on IS NULL OR used_on < :day);

-- delete_ended_tokens --
DELETE FROM tokens WHERE revoked_at < :before OR expires_at < :before;

-- insert_nonce --
INSERT INTO nonces (id, forget_at) VALUES (:id, :forget_at) ON CONFLICT (id) DO NOTHING;

-- forget_nonces --
DELETE FROM nonces WHERE id IN (
    SELECT id FROM nonces WHERE forget_at < :now ORDER BY forget_at LIMIT :limit
);
