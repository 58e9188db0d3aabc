-- Where PostgreSQL needs other words for the queue's statements.

-- add_submissions --
-- These are given arrays, and take many submissions in at once.
INSERT INTO submissions (id, patient, format, length, digest, idempotency, state, received_at, submitter, media)
SELECT id, patient, format, length, digest, idempotency, 'received', received_at, submitter, media
FROM unnest(
    :id::BYTEA[], :patient::BYTEA[], :format::BIGINT[], :length::BIGINT[], :digest::BYTEA[],
    :idempotency::BYTEA[], :now::BIGINT[], :submitter::BYTEA[], :media::TEXT[]
) AS new (id, patient, format, length, digest, idempotency, received_at, submitter, media);

-- add_payloads --
INSERT INTO payloads (id, body, spool) SELECT * FROM unnest(:id::BYTEA[], :body::BYTEA[], :spool::TEXT[]);

-- add_keys --
INSERT INTO keys (id, wrapped) SELECT * FROM unnest(:id::BYTEA[], :wrapped::BYTEA[]);

-- add_jobs --
INSERT INTO jobs (stage, item, due_at) SELECT * FROM unnest(:stage::TEXT[], :item::BYTEA[], :now::BIGINT[]);

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
-- Every writing connection has rows of its own, and what this transaction changed is not in them yet; see
-- schema/queue.postgres.sql.
SELECT kind, state, sum(items) AS items, sum(bytes) AS bytes
FROM (
    SELECT kind, state, items, bytes FROM tallies
    UNION ALL SELECT kind, state, items, bytes FROM uncounted_moves()
) AS moves
GROUP BY kind, state ORDER BY kind, state;
