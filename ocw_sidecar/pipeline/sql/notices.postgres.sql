-- Where PostgreSQL needs other words: two processes must not wait for each other's channels, nor take the same.

-- claim_sound_channels --
UPDATE channels SET lease = :lease, wake_at = :until WHERE id IN (
    SELECT id FROM channels WHERE failures = 0 AND wake_at <= :now ORDER BY wake_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
RETURNING id, recipient, origin, digest_at, sealed, wrapped, failures;

-- claim_troubled_channels --
UPDATE channels SET lease = :lease, wake_at = :until WHERE id IN (
    SELECT id FROM channels WHERE failures > 0 AND wake_at <= :now ORDER BY wake_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
RETURNING id, recipient, origin, digest_at, sealed, wrapped, failures;
