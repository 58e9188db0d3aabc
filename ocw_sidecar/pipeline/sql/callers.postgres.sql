-- Where PostgreSQL needs other words.

-- forget_nonces --
-- Processes that forget at the same time take different ones.
DELETE FROM nonces WHERE id IN (
    SELECT id FROM nonces WHERE forget_at < :now ORDER BY forget_at LIMIT :limit FOR UPDATE SKIP LOCKED
);
