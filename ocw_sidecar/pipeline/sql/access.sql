-- Statements of keys that must be delivered again.

-- mark_covering --
-- The grants that cover a record: its own, and its patient's.
INSERT INTO redeliveries (scope, grantee, wave)
SELECT scope, grantee, :wave FROM ledger_grants WHERE scope IN (:scope, :wide)
ON CONFLICT (scope, grantee) DO UPDATE SET wave = excluded.wave;

-- hold_covering --
-- Whoever keeps keys for one of these grants waits for this transaction.
UPDATE ledger_grants SET attempts = attempts WHERE scope IN (:scope, :wide);

-- mark_unsettled --
INSERT INTO redeliveries (scope, grantee, wave)
SELECT scope, grantee, :wave FROM ledger_grants WHERE scope IN (:scope, :wide) AND key_state = 'pending'
ON CONFLICT (scope, grantee) DO UPDATE SET wave = excluded.wave;

-- mark_account --
INSERT INTO redeliveries (scope, grantee, wave)
SELECT scope, grantee, :wave FROM ledger_grants WHERE grantee = :grantee
ON CONFLICT (scope, grantee) DO UPDATE SET wave = excluded.wave;

-- wake_covering --
-- Comes before all others of its transaction: whoever keeps keys for one of these grants waits for it.
UPDATE ledger_grants SET key_state = 'pending', due_at = 0, attempts = 0, reason = NULL
WHERE scope IN (:scope, :wide);

-- wake_account --
UPDATE ledger_grants SET key_state = 'pending', due_at = 0, attempts = 0, reason = NULL
WHERE grantee = :grantee;

-- drop_covering --
-- What was wrapped of the old data key opens nothing any more.
DELETE FROM escrow_keys WHERE scope IN (:scope, :wide);

-- drop_account --
DELETE FROM escrow_keys
WHERE grantee = :grantee AND scope IN (SELECT scope FROM ledger_grants WHERE grantee = :grantee);

-- patient_of_record --
SELECT patient FROM ledger_records WHERE record = :record;

-- hold_grant --
UPDATE ledger_grants SET attempts = attempts WHERE scope = :scope AND grantee = :grantee;

-- wave_of_grant --
SELECT wave FROM redeliveries WHERE scope = :scope AND grantee = :grantee;

-- end_redelivery --
DELETE FROM redeliveries WHERE scope = :scope AND grantee = :grantee;

-- end_redeliveries_of_scope --
DELETE FROM redeliveries WHERE scope = :scope;

-- wake_marked --
-- What was read from the chain's state does not know of these.
UPDATE ledger_grants SET key_state = 'pending' WHERE EXISTS (
    SELECT 1 FROM redeliveries
    WHERE redeliveries.scope = ledger_grants.scope AND redeliveries.grantee = ledger_grants.grantee
);

-- drop_unmarked --
DELETE FROM redeliveries WHERE NOT EXISTS (
    SELECT 1 FROM ledger_grants
    WHERE ledger_grants.scope = redeliveries.scope AND ledger_grants.grantee = redeliveries.grantee
);
