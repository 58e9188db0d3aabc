-- Statements about blocked networks and attack signatures. `organisation` is ours unless said otherwise.

-- count_own_blocks --
SELECT count(*) AS items FROM blocked_ips WHERE organisation = :organisation;

-- count_own_signatures --
SELECT count(*) AS items FROM attack_signatures WHERE organisation = :organisation;

-- want_block --
-- What somebody is sending just now is left alone until his time is over: two calls could pass each other.
INSERT INTO blocked_ips
    (net, organisation, reason, expires_at, wish, status, next_attempt, asked_at)
VALUES (:net, :organisation, :reason, :expires_at, 'stand', 'pending', :now, :now)
ON CONFLICT (net, organisation) DO UPDATE SET
    reason = excluded.reason, expires_at = excluded.expires_at, wish = 'stand', status = 'pending', attempts = 0,
    next_attempt = CASE WHEN blocked_ips.status = 'submitted' THEN blocked_ips.next_attempt ELSE :now END,
    last_error = NULL, asked_at = :now
WHERE blocked_ips.wish = 'go' OR blocked_ips.status = 'failed' OR blocked_ips.reason <> excluded.reason
    OR blocked_ips.expires_at <> excluded.expires_at;

-- forget_unsent_block --
DELETE FROM blocked_ips
WHERE net = :net AND organisation = :organisation AND expires_block IS NULL AND status IN ('pending', 'failed');

-- unwant_block --
UPDATE blocked_ips SET
    wish = 'go', status = 'pending', attempts = 0, last_error = NULL, asked_at = :now,
    next_attempt = CASE WHEN status = 'submitted' THEN next_attempt ELSE :now END
WHERE net = :net AND organisation = :organisation AND wish = 'stand';

-- want_signature --
INSERT INTO attack_signatures
    (id, organisation, format, severity, pattern, wish, status, next_attempt, asked_at)
VALUES (:id, :organisation, :format, :severity, :pattern, 'stand', 'pending', :now, :now)
ON CONFLICT (id) DO NOTHING;

-- forget_unsent_signature --
DELETE FROM attack_signatures
WHERE id = :id AND organisation = :organisation AND attempts = 0 AND status = 'pending' AND wish = 'stand';

-- unwant_signature --
UPDATE attack_signatures SET
    wish = 'go', status = 'pending', attempts = 0, last_error = NULL, asked_at = :now,
    next_attempt = CASE WHEN status = 'submitted' THEN next_attempt ELSE :now END
WHERE id = :id AND organisation = :organisation AND wish = 'stand';

-- due_blocks --
SELECT net, reason, expires_at, expires_block, wish, status, attempts FROM blocked_ips
WHERE status IN ('pending', 'submitted') AND next_attempt <= :now AND organisation = :organisation
ORDER BY next_attempt, net LIMIT :limit;

-- due_signatures --
SELECT id, format, severity, pattern, wish, status, attempts FROM attack_signatures
WHERE status IN ('pending', 'submitted') AND next_attempt <= :now AND organisation = :organisation
ORDER BY next_attempt, id LIMIT :limit;

-- claim_block --
UPDATE blocked_ips SET status = 'submitted', attempts = attempts + 1, next_attempt = :until
WHERE net = :net AND organisation = :organisation AND attempts = :attempts AND status = :status
    AND next_attempt <= :now;

-- claim_signature --
UPDATE attack_signatures SET status = 'submitted', attempts = attempts + 1, next_attempt = :until
WHERE id = :id AND organisation = :organisation AND attempts = :attempts AND status = :status
    AND next_attempt <= :now;

-- note_sending --
UPDATE blocked_ips SET expires_block = :sent_until
WHERE net = :net AND organisation = :organisation AND status = 'submitted' AND attempts = :attempts;

-- settle_block --
UPDATE blocked_ips SET status = :status, block = :block, last_error = :reason, next_attempt = :next_attempt
WHERE net = :net AND organisation = :organisation AND status = 'submitted' AND attempts = :attempts
    AND wish = :wish;

-- settle_signature --
UPDATE attack_signatures SET status = :status, block = :block, last_error = :reason, next_attempt = :next_attempt
WHERE id = :id AND organisation = :organisation AND status = 'submitted' AND attempts = :attempts
    AND wish = :wish;

-- drop_gone_block --
DELETE FROM blocked_ips
WHERE net = :net AND organisation = :organisation AND wish = 'go' AND status = 'submitted' AND attempts = :attempts;

-- drop_gone_signature --
DELETE FROM attack_signatures
WHERE id = :id AND organisation = :organisation AND wish = 'go' AND status = 'submitted' AND attempts = :attempts;

-- count_blocks --
SELECT status, count(*) AS items, min(asked_at) AS oldest FROM blocked_ips
WHERE organisation = :organisation GROUP BY status ORDER BY status;

-- count_signatures --
SELECT status, count(*) AS items, min(asked_at) AS oldest FROM attack_signatures
WHERE organisation = :organisation GROUP BY status ORDER BY status;

-- cursor --
SELECT block FROM threats_cursor;

-- put_cursor --
INSERT INTO threats_cursor (only_row, block) VALUES (1, :block)
ON CONFLICT (only_row) DO UPDATE SET block = excluded.block;

-- see_block --
-- Of any organisation. What of ours waits to be sent differently stays as it is.
INSERT INTO blocked_ips
    (net, organisation, reason, expires_at, expires_block, wish, status, block, asked_at)
VALUES (:net, :organisation, :reason, :expires_at, :expires_block, 'stand', 'confirmed', :block, :now)
ON CONFLICT (net, organisation) DO UPDATE SET
    reason = excluded.reason, expires_at = excluded.expires_at, expires_block = excluded.expires_block,
    status = 'confirmed', block = excluded.block, last_error = NULL
WHERE blocked_ips.wish = 'stand'
    AND (blocked_ips.status = 'confirmed' OR blocked_ips.expires_block = excluded.expires_block);

-- see_block_gone --
DELETE FROM blocked_ips
WHERE net = :net AND organisation = :organisation AND (wish = 'go' OR status = 'confirmed');

-- see_signature --
INSERT INTO attack_signatures
    (id, organisation, format, severity, pattern, wish, status, block, asked_at)
VALUES (:id, :organisation, :format, :severity, :pattern, 'stand', 'confirmed', :block, :now)
ON CONFLICT (id) DO UPDATE SET status = 'confirmed', block = excluded.block, last_error = NULL
WHERE attack_signatures.wish = 'stand' AND attack_signatures.organisation = excluded.organisation;

-- see_signature_gone --
DELETE FROM attack_signatures WHERE id = :id AND (wish = 'go' OR status = 'confirmed');

-- forget_seen_blocks --
DELETE FROM blocked_ips WHERE status = 'confirmed';

-- forget_seen_signatures --
DELETE FROM attack_signatures WHERE status = 'confirmed';

-- count_expired --
-- By the clock, whatever the chain says: it removes the entry itself once its block has come.
SELECT count(*) AS items FROM blocked_ips WHERE expires_at <= :now;

-- count_ended --
-- Beside those of `count_expired`.
SELECT count(*) AS items FROM blocked_ips
WHERE status = 'confirmed' AND expires_block <= :height AND expires_at > :now;

-- remove_expired --
DELETE FROM blocked_ips WHERE expires_at <= :now;

-- remove_ended --
DELETE FROM blocked_ips WHERE status = 'confirmed' AND expires_block <= :height;
