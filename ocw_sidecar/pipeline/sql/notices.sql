-- The statements of notices, channels and deliveries.

-- enter_recipient --
-- From here on nobody else changes this recipient's notices until the transaction ends.
INSERT INTO recipients (account) VALUES (:account)
ON CONFLICT (account) DO UPDATE SET newest = recipients.newest;

-- recipient --
SELECT newest, kept, dropped FROM recipients WHERE account = :account;

-- notice_by_key --
SELECT position FROM notices WHERE recipient = :recipient AND key = :key;

-- count_notice --
UPDATE recipients SET newest = newest + 1, kept = kept + 1 WHERE account = :account RETURNING newest, kept;

-- insert_notice --
INSERT INTO notices (recipient, position, key, id, kind, facts, told_at)
VALUES (:recipient, :position, :key, :id, :kind, :facts, :now);

-- insert_deliveries --
-- What is not urgent waits for the time of day that its channel's digest has; `day` is the last midnight.
INSERT INTO deliveries (channel, recipient, position, state, due_at)
SELECT channels.id, :recipient, :position, 'waiting', CASE
    WHEN channels.digest_at < 0 OR :urgent = 1 THEN :now
    WHEN :day + channels.digest_at * 60000 > :now THEN :day + channels.digest_at * 60000
    ELSE :day + channels.digest_at * 60000 + 86400000
END
FROM channels JOIN subscriptions ON subscriptions.channel = channels.id
WHERE channels.recipient = :recipient AND subscriptions.kind = :kind
RETURNING channel, due_at;

-- subscribed --
SELECT 1 FROM channels JOIN subscriptions ON subscriptions.channel = channels.id
WHERE channels.recipient = :recipient AND subscriptions.kind = :kind LIMIT 1;

-- wake_channel --
-- Touches the row in any case: so it waits for a lane that is just ending, and sees what that leaves. A lane
-- that ends later looks by itself.
UPDATE channels SET wake_at = CASE
    WHEN lease IS NOT NULL OR wake_at <= :due THEN wake_at
    WHEN rests_until > :due THEN rests_until
    ELSE :due
END
WHERE id = :id;

-- notices_after --
SELECT position, id, key, kind, facts, told_at FROM notices
WHERE recipient = :recipient AND position > :after ORDER BY position LIMIT :limit;

-- delivered_notices --
-- The oldest that no channel waits for.
SELECT position FROM notices
WHERE recipient = :recipient AND NOT EXISTS (
    SELECT 1 FROM deliveries
    WHERE deliveries.recipient = notices.recipient AND deliveries.position = notices.position
    AND deliveries.state = 'waiting'
)
ORDER BY position LIMIT :limit;

-- oldest_notices --
SELECT position FROM notices WHERE recipient = :recipient ORDER BY position LIMIT :limit;

-- old_notices --
SELECT recipient, position FROM notices WHERE told_at < :before ORDER BY told_at LIMIT :limit;

-- delete_deliveries_of_notice --
DELETE FROM deliveries WHERE recipient = :recipient AND position = :position;

-- delete_notice --
DELETE FROM notices WHERE recipient = :recipient AND position = :position;

-- drop_counted --
UPDATE recipients SET
    kept = kept - :count,
    dropped = CASE WHEN dropped > :highest THEN dropped ELSE :highest END
WHERE account = :account;

-- overseers --
SELECT account FROM recipients WHERE oversees = 1;

-- oversee --
INSERT INTO recipients (account, oversees) VALUES (:account, 1)
ON CONFLICT (account) DO UPDATE SET oversees = 1;

-- oversee_no_more --
UPDATE recipients SET oversees = 0 WHERE oversees = 1 AND account <> :account;

-- due_channel --
SELECT id FROM (
    SELECT id FROM channels WHERE failures = 0 AND wake_at <= :now
    UNION ALL SELECT id FROM channels WHERE failures > 0 AND wake_at <= :now
) AS due LIMIT 1;

-- claim_sound_channels --
UPDATE channels SET lease = :lease, wake_at = :until WHERE id IN (
    SELECT id FROM channels WHERE failures = 0 AND wake_at <= :now ORDER BY wake_at LIMIT :limit
)
RETURNING id, recipient, origin, digest_at, sealed, wrapped, failures;

-- claim_troubled_channels --
UPDATE channels SET lease = :lease, wake_at = :until WHERE id IN (
    SELECT id FROM channels WHERE failures > 0 AND wake_at <= :now ORDER BY wake_at LIMIT :limit
)
RETURNING id, recipient, origin, digest_at, sealed, wrapped, failures;

-- due_deliveries --
-- What failed most often comes last, so that one bad message holds up none.
SELECT deliveries.id AS delivery, attempts, notices.recipient, notices.position, notices.id, key, kind,
    facts, told_at
FROM deliveries JOIN notices
    ON notices.recipient = deliveries.recipient AND notices.position = deliveries.position
WHERE deliveries.channel = :channel AND deliveries.state = 'waiting' AND due_at <= :now
ORDER BY attempts, deliveries.id LIMIT :limit;

-- note_sent --
UPDATE deliveries SET state = 'sent', code = NULL WHERE id = :id AND state = 'waiting';

-- note_retry --
UPDATE deliveries SET attempts = attempts + 1, due_at = :due, code = :code
WHERE id = :id AND state = 'waiting';

-- note_given_up --
UPDATE deliveries SET state = 'failed', attempts = attempts + 1, code = :code
WHERE id = :id AND state = 'waiting';

-- extend_channel --
UPDATE channels SET wake_at = :until WHERE id = :id AND lease = :lease;

-- channel_troubled --
UPDATE channels SET failures = failures + 1, rests_until = :until WHERE id = :id AND lease = :lease;

-- channel_sound --
UPDATE channels SET failures = 0, rests_until = 0 WHERE id = :id AND lease = :lease;

-- release_channel --
-- It wakes for what is due next, when it has rested; never, when nothing waits. Comes after a statement that
-- holds the row, so it sees everything that was committed before.
UPDATE channels SET lease = NULL, wake_at = coalesce((
    SELECT min(CASE WHEN due_at > channels.rests_until THEN due_at ELSE channels.rests_until END)
    FROM deliveries WHERE deliveries.channel = channels.id AND deliveries.state = 'waiting'
), :never)
WHERE id = :id AND lease = :lease;

-- release_channels --
UPDATE channels SET lease = NULL, wake_at = :now WHERE lease IS NOT NULL;

-- pull_deliveries --
-- The wall clock was set back. A digest is due at its time of day, whatever the clock says, but within a day.
UPDATE deliveries SET due_at = :now
WHERE state = 'waiting' AND due_at > :horizon AND (due_at > :now + 86400000 OR due_at % 86400000 <> (
    SELECT digest_at * 60000 FROM channels WHERE channels.id = deliveries.channel
));

-- pull_leases --
-- Whoever holds one has time to prolong it.
UPDATE channels SET wake_at = :until WHERE lease IS NOT NULL AND wake_at > :until;

-- pull_rests --
UPDATE channels SET rests_until = :now WHERE rests_until > :horizon;

-- pull_channels --
-- One that wakes for nothing goes to sleep again until its next delivery.
UPDATE channels SET wake_at = :now WHERE lease IS NULL AND wake_at > :horizon AND wake_at < :never;

-- failed_deliveries --
SELECT deliveries.id, deliveries.channel FROM deliveries WHERE state = 'failed';

-- failed_deliveries_of --
SELECT deliveries.id, deliveries.channel
FROM channels JOIN deliveries ON deliveries.channel = channels.id
WHERE channels.recipient = :recipient AND deliveries.state = 'failed';

-- replay_delivery --
UPDATE deliveries SET state = 'waiting', attempts = 0, due_at = :now WHERE id = :id AND state = 'failed';

-- delivery_tallies --
SELECT 'waiting' AS state, count(*) AS items FROM deliveries WHERE state = 'waiting'
UNION ALL SELECT 'failed' AS state, count(*) AS items FROM deliveries WHERE state = 'failed';

-- channels_of --
SELECT id, slot, digest_at, sealed, wrapped, failures FROM channels
WHERE recipient = :recipient AND origin = :origin ORDER BY slot;

-- kinds_of_channel --
SELECT kind FROM subscriptions WHERE channel = :channel ORDER BY kind;

-- backlog_of_channel --
SELECT
    (SELECT count(*) FROM deliveries WHERE channel = :channel AND state = 'waiting') AS waiting,
    (SELECT count(*) FROM deliveries WHERE channel = :channel AND state = 'failed') AS failed;

-- last_code_of_channel --
SELECT code FROM deliveries
WHERE channel = :channel AND state = 'waiting' AND code IS NOT NULL ORDER BY due_at LIMIT 1;

-- put_channel --
-- A new way gets a new start: what waits for the slot is tried at once.
INSERT INTO channels (id, recipient, origin, slot, digest_at, sealed, wrapped, wake_at)
VALUES (:id, :recipient, :origin, :slot, :digest_at, :sealed, :wrapped, :now)
ON CONFLICT (id) DO UPDATE SET digest_at = excluded.digest_at, sealed = excluded.sealed,
    wrapped = excluded.wrapped, failures = 0, rests_until = 0, wake_at = excluded.wake_at, lease = NULL;

-- clear_subscriptions --
DELETE FROM subscriptions WHERE channel = :channel;

-- subscribe --
INSERT INTO subscriptions (channel, kind) VALUES (:channel, :kind);

-- delete_deliveries_of_channel --
DELETE FROM deliveries WHERE channel = :channel;

-- delete_channel --
DELETE FROM channels WHERE id = :channel;
