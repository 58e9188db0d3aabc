-- The ledger's statements.

-- put_grant --
-- A grant or a renewal; whoever holds it is warned anew before it ends.
INSERT INTO ledger_grants (
    scope, grantee, granted_at, expires_at, key_state, key_version, emergency, warned, attempts, due_at
) VALUES (:scope, :grantee, :height, :expires_at, :key_state, :key_version, :emergency, 0, 0, :now)
ON CONFLICT (scope, grantee) DO UPDATE SET
    granted_at = excluded.granted_at, expires_at = excluded.expires_at, key_state = excluded.key_state,
    key_version = excluded.key_version, emergency = excluded.emergency, warned = 0, attempts = 0,
    due_at = excluded.due_at, reason = NULL;

-- deliver_grant --
-- Unless another key is to be delivered since.
UPDATE ledger_grants SET key_state = :key_state, key_version = :key_version, attempts = 0, reason = NULL
WHERE scope = :scope AND grantee = :grantee AND NOT EXISTS (
    SELECT 1 FROM redeliveries
    WHERE redeliveries.scope = :scope AND redeliveries.grantee = :grantee AND redeliveries.wave <> :wave
);

-- wake_grants --
-- The grantee has a key now that his pending grants wait for.
UPDATE ledger_grants SET due_at = :now, attempts = 0, reason = NULL
WHERE grantee = :grantee AND key_state = 'pending';

-- stale_grants --
-- What was wrapped to an earlier key of his must be wrapped again, whoever did it.
UPDATE ledger_grants SET key_state = 'pending', due_at = :now, attempts = 0, reason = NULL
WHERE grantee = :grantee AND key_state <> 'pending' AND key_version < :key_version AND expires_at > :height;

-- postpone_grant --
UPDATE ledger_grants SET attempts = attempts + 1, due_at = :due, reason = :reason
WHERE scope = :scope AND grantee = :grantee AND key_state = 'pending';

-- end_grant --
DELETE FROM ledger_grants WHERE scope = :scope AND grantee = :grantee;

-- end_grants_of_scope --
DELETE FROM ledger_grants WHERE scope = :scope;

-- warn_grant --
UPDATE ledger_grants SET warned = 1
WHERE scope = :scope AND grantee = :grantee AND expires_at = :expires_at;

-- pending_grants --
-- Emergencies first, then those that have waited longest.
SELECT scope, grantee, granted_at, expires_at, emergency, attempts, coalesce((
    SELECT wave FROM redeliveries
    WHERE redeliveries.scope = ledger_grants.scope AND redeliveries.grantee = ledger_grants.grantee
), 0) AS wave FROM ledger_grants
WHERE key_state = 'pending' AND due_at <= :now ORDER BY emergency DESC, due_at LIMIT :limit;

-- ending_grants --
SELECT scope, grantee FROM ledger_grants WHERE expires_at <= :height ORDER BY expires_at LIMIT :limit;

-- unwarned_grants --
-- Those that end soon and were given for longer than that.
SELECT scope, grantee, granted_at, expires_at FROM ledger_grants
WHERE warned = 0 AND expires_at > :height AND expires_at <= :until AND expires_at - granted_at > :lead
ORDER BY expires_at LIMIT :limit;

-- put_request --
INSERT INTO ledger_requests (record, requester, purpose, expires_at)
VALUES (:record, :requester, :purpose, :expires_at)
ON CONFLICT (record, requester) DO UPDATE SET purpose = excluded.purpose, expires_at = excluded.expires_at;

-- end_request --
DELETE FROM ledger_requests WHERE record = :record AND requester = :requester;

-- ending_requests --
SELECT record, requester FROM ledger_requests WHERE expires_at <= :height ORDER BY expires_at LIMIT :limit;

-- put_object --
INSERT INTO ledger_objects (object, stored_at, looked_at, asked_at) VALUES (:object, :height, :height, :height)
ON CONFLICT (object) DO NOTHING;

-- end_object --
DELETE FROM ledger_objects WHERE object = :object;

-- note_health --
UPDATE ledger_objects SET health = :health, replicas = :replicas, nodes = :nodes, looked_at = :height
WHERE object = :object;

-- note_looked --
UPDATE ledger_objects SET looked_at = :height WHERE object = :object;

-- note_outcome --
UPDATE ledger_objects SET outcome = :outcome, challenged_at = :challenged_at WHERE object = :object;

-- note_asked --
UPDATE ledger_objects SET asked_at = :height, contained = :contained, contained_at = :contained_at
WHERE object = :object;

-- longest_unlooked --
SELECT object, stored_at, looked_at, asked_at, challenged_at, contained, contained_at FROM ledger_objects
ORDER BY looked_at, object LIMIT :limit;

-- longest_unasked --
SELECT object, stored_at, looked_at, asked_at, challenged_at, contained, contained_at FROM ledger_objects
WHERE stored_at < :height ORDER BY asked_at, object LIMIT :limit;

-- object_after --
SELECT object, stored_at, looked_at, asked_at, challenged_at, contained, contained_at FROM ledger_objects
WHERE object >= :pivot ORDER BY object LIMIT 1;

-- put_record --
INSERT INTO ledger_records (record, patient, object) VALUES (:record, :patient, :object)
ON CONFLICT (record) DO NOTHING;

-- end_record --
DELETE FROM ledger_records WHERE record = :record;

-- records_of_object --
SELECT record FROM ledger_records WHERE object = :object ORDER BY record LIMIT :limit;

-- records_of_patient --
SELECT record FROM ledger_records WHERE patient = :patient ORDER BY record LIMIT :limit;

-- put_escrow --
INSERT INTO escrow_keys (scope, grantee, record, wrapped, key_version)
VALUES (:scope, :grantee, :record, :wrapped, :key_version)
ON CONFLICT (scope, grantee, record) DO UPDATE SET
    wrapped = excluded.wrapped, key_version = excluded.key_version;

-- escrow_of_grant --
SELECT record, wrapped, key_version FROM escrow_keys
WHERE scope = :scope AND grantee = :grantee ORDER BY record;

-- end_escrow --
DELETE FROM escrow_keys WHERE scope = :scope AND grantee = :grantee;

-- end_escrow_of_record --
DELETE FROM escrow_keys WHERE record = :record;

-- put_bundle --
INSERT INTO proof_bundles (digest, object, challenged_at, body)
VALUES (:digest, :object, :challenged_at, :body) ON CONFLICT (digest) DO NOTHING;

-- bundle --
SELECT body FROM proof_bundles WHERE digest = :digest;

-- prune_bundles --
-- The newest `keep` stay.
DELETE FROM proof_bundles WHERE id <= (SELECT max(id) AS newest FROM proof_bundles) - :keep;

-- forget_grants --
DELETE FROM ledger_grants;

-- forget_requests --
DELETE FROM ledger_requests;

-- forget_objects --
DELETE FROM ledger_objects;

-- forget_records --
DELETE FROM ledger_records;

-- drop_orphans --
-- Escrowed keys of grants that ended while the ledger was not kept.
DELETE FROM escrow_keys WHERE NOT EXISTS (
    SELECT 1 FROM ledger_grants
    WHERE ledger_grants.scope = escrow_keys.scope AND ledger_grants.grantee = escrow_keys.grantee
);
