-- Where PostgreSQL needs other words for the queue's statements.

-- claim_jobs --
-- Several processes claim at once: what another one is just taking is passed over, not waited for.
UPDATE jobs SET lease = :lease, due_at = :until, attempts = attempts + 1
WHERE id IN (
    SELECT id FROM jobs WHERE stage = :stage AND due_at <= :now ORDER BY due_at, id LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
RETURNING id, item, attempts;

-- job_is_held --
-- The lock keeps the lease from being claimed until this transaction is through.
SELECT id FROM jobs WHERE item = :item AND stage = :stage AND lease = :lease FOR UPDATE;

-- tallies --
-- Every writing connection has rows of its own; see schema/queue.postgres.sql.
SELECT kind, state, sum(items) AS items, sum(bytes) AS bytes FROM tallies
GROUP BY kind, state ORDER BY kind, state;
