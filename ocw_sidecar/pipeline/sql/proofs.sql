-- Statements about proofs of storage.

-- put_object --
INSERT INTO proof_objects (object, due_at) VALUES (:object, :now) ON CONFLICT (object) DO NOTHING;

-- end_object --
DELETE FROM proof_objects WHERE object = :object;

-- end_tags --
DELETE FROM proof_tags WHERE object = :object;

-- due_taggings --
SELECT object, attempts FROM proof_objects
WHERE due_at IS NOT NULL AND due_at <= :now ORDER BY due_at, object LIMIT :limit;

-- put_tags --
INSERT INTO proof_tags (object, scheme, list) VALUES (:object, :scheme, :list)
ON CONFLICT (object, scheme) DO UPDATE SET list = excluded.list;

-- tags --
SELECT list FROM proof_tags WHERE object = :object AND scheme = :scheme;

-- note_committed --
-- Rounds that were open belong to the commitment that they were asked under.
UPDATE proof_objects SET
    open_at = CASE WHEN committed_at = :committed_at THEN open_at END,
    misses = CASE WHEN committed_at = :committed_at THEN misses ELSE 0 END,
    committed_at = :committed_at
WHERE object = :object;

-- finish_tagging --
UPDATE proof_objects SET due_at = NULL, attempts = 0, reason = NULL WHERE object = :object;

-- postpone_tagging --
UPDATE proof_objects SET due_at = :due, attempts = attempts + 1, reason = :reason WHERE object = :object;

-- tag_again --
UPDATE proof_objects SET due_at = :now WHERE object = :object;

-- open_rounds --
SELECT object, round_at, public_at, risk, open_at, misses FROM proof_objects
WHERE open_at IS NOT NULL ORDER BY open_at, object LIMIT :limit;

-- oldest_rounds --
SELECT object, round_at, public_at, risk, open_at, misses FROM proof_objects
WHERE committed_at IS NOT NULL AND committed_at < :before AND round_at < :round
ORDER BY round_at, object LIMIT :limit;

-- riskiest_rounds --
SELECT object, round_at, public_at, risk, open_at, misses FROM proof_objects
WHERE committed_at IS NOT NULL AND committed_at < :before AND round_at < :round
ORDER BY risk DESC, round_at, object LIMIT :limit;

-- note_round --
UPDATE proof_objects SET
    round_at = :round_at, public_at = :public_at, risk = :risk, open_at = :open_at, misses = :misses
WHERE object = :object;

-- never_asked --
-- What no round can be asked of yet, with the longest unread first.
SELECT ledger_objects.object, stored_at, looked_at, asked_at, challenged_at, contained, contained_at
FROM proof_objects JOIN ledger_objects ON ledger_objects.object = proof_objects.object
WHERE proof_objects.round_at = 0 AND (committed_at IS NULL OR committed_at >= :before) AND stored_at < :height
ORDER BY asked_at, ledger_objects.object LIMIT :limit;

-- count_objects --
SELECT count(*) AS items, count(committed_at) AS proved, count(due_at) AS waiting, count(open_at) AS open
FROM proof_objects;

-- count_overdue --
SELECT count(*) AS items FROM (
    SELECT object FROM proof_objects
    WHERE committed_at IS NOT NULL AND committed_at < :before AND round_at < :before LIMIT :limit
) AS overdue;

-- node --
SELECT node, answers, condemned, silent, good, bad FROM proof_nodes WHERE node = :node;

-- worst_nodes --
SELECT node, answers, condemned, silent, good, bad FROM proof_nodes
ORDER BY condemned DESC, bad DESC, node LIMIT :limit;

-- put_node --
INSERT INTO proof_nodes (node, answers, condemned, silent, good, bad, seen_at)
VALUES (:node, :answers, :condemned, :silent, :good, :bad, :seen_at)
ON CONFLICT (node) DO UPDATE SET answers = excluded.answers, condemned = excluded.condemned,
    silent = excluded.silent, good = excluded.good, bad = excluded.bad, seen_at = excluded.seen_at;

-- prune_nodes --
-- Of many names the last seen stay.
DELETE FROM proof_nodes WHERE node IN (
    SELECT node FROM proof_nodes ORDER BY seen_at DESC, node DESC LIMIT :dropped OFFSET :keep
);
