-- The queue's statements. Parameters are named; each entry runs inside the caller's transaction.

-- add_submissions --
INSERT INTO submissions (id, patient, format, length, digest, idempotency, state, received_at, submitter, media)
VALUES (:id, :patient, :format, :length, :digest, :idempotency, 'received', :now, :submitter, :media);

-- add_payloads --
INSERT INTO payloads (id, body, spool) VALUES (:id, :body, :spool);

-- add_keys --
INSERT INTO keys (id, wrapped) VALUES (:id, :wrapped);

-- add_jobs --
INSERT INTO jobs (stage, item, due_at) VALUES (:stage, :item, :now);

-- submission --
SELECT id, patient, format, media, length, digest, state, reason FROM submissions WHERE id = :id;

-- sealed_submission --
SELECT id, patient, format, media, length, digest, state, reason, body, spool, wrapped
FROM submissions JOIN payloads USING (id) JOIN keys USING (id) WHERE id = :id;

-- submission_by_key --
SELECT id, patient, format, media, length, digest, state, reason FROM submissions
WHERE idempotency = :idempotency;

-- records_of_submission --
SELECT records.id, ordinal, records.state, outcome, original, records.reason, packs.object, block
FROM records LEFT JOIN packs ON packs.id = records.pack
WHERE submission = :submission ORDER BY ordinal;

-- insert_payload --
INSERT INTO payloads (id, body, spool) VALUES (:id, :body, :spool);

-- payload --
SELECT body, spool FROM payloads WHERE id = :id;

-- delete_payload --
-- Forget sealed bytes; the caller removes the spool file once this is committed.
DELETE FROM payloads WHERE id = :id RETURNING spool;

-- insert_key --
INSERT INTO keys (id, wrapped) VALUES (:id, :wrapped);

-- delete_key --
DELETE FROM keys WHERE id = :id;

-- releasable_key --
-- The key of a record that was accepted, also when the rest of it is purged; a submission that is not validated
-- yet has none to give, and one that was rejected has none any more.
SELECT wrapped FROM keys
WHERE id = :id AND NOT EXISTS (
    SELECT 1 FROM submissions WHERE submissions.id = keys.id AND submissions.state <> 'validated'
);

-- insert_release --
INSERT INTO key_releases (record, account, released_at, ground) VALUES (:record, :account, :now, :ground);

-- insert_job --
INSERT INTO jobs (stage, item, due_at) VALUES (:stage, :item, :now);

-- claim_jobs --
-- Lease the longest due jobs to one worker.
UPDATE jobs SET lease = :lease, due_at = :until, attempts = attempts + 1
WHERE id IN (
    SELECT id FROM jobs WHERE stage = :stage AND due_at <= :now ORDER BY due_at, id LIMIT :limit
)
RETURNING id, item, attempts;

-- job_is_held --
SELECT 1 FROM jobs WHERE item = :item AND stage = :stage AND lease = :lease;

-- extend_lease --
UPDATE jobs SET due_at = :until WHERE item = :item AND lease = :lease;

-- retry_job --
UPDATE jobs SET lease = NULL, due_at = :due, reason = :reason WHERE item = :item;

-- move_job --
-- The same item, now for the next stage, from its first attempt on.
UPDATE jobs SET stage = :stage, attempts = 0, due_at = :now, lease = NULL, reason = NULL WHERE item = :item;

-- delete_job --
DELETE FROM jobs WHERE item = :item;

-- release_leases --
-- An attempt that the process's end cut short does not count.
UPDATE jobs SET lease = NULL, due_at = :now, attempts = attempts - 1 WHERE lease IS NOT NULL;

-- submitter_of --
SELECT id AS submission, submitter FROM submissions WHERE id = :id;

-- fail_submission --
UPDATE submissions SET state = 'failed', reason = :reason WHERE id = :id;

-- fail_pack --
UPDATE packs SET failed_from = state, state = 'failed', reason = :reason WHERE id = :id;

-- fail_records_of_pack --
UPDATE records SET failed_from = state, state = 'failed', reason = :reason
WHERE pack = :pack AND state IN ('packed', 'stored', 'anchored')
RETURNING submission, (SELECT submitter FROM submissions WHERE submissions.id = records.submission) AS submitter;

-- replay_submission_jobs --
INSERT INTO jobs (stage, item, due_at) SELECT 'validate', id, :now FROM submissions WHERE state = 'failed';

-- replay_submissions --
UPDATE submissions SET state = 'received', reason = NULL WHERE state = 'failed';

-- replay_pack_jobs --
INSERT INTO jobs (stage, item, due_at)
SELECT CASE failed_from
    WHEN 'planned' THEN 'assemble' WHEN 'assembled' THEN 'store' WHEN 'stored' THEN 'anchor' ELSE 'confirm'
END, id, :now
FROM packs WHERE state = 'failed';

-- replay_packs --
UPDATE packs SET state = failed_from, failed_from = NULL, reason = NULL WHERE state = 'failed';

-- reopen_pack_jobs --
-- Closed packs with records that the chain refused; the rest of such a pack stays confirmed.
INSERT INTO jobs (stage, item, due_at)
SELECT 'anchor', id, :now FROM packs
WHERE state = 'closed' AND id IN (SELECT pack FROM records WHERE state = 'failed');

-- reopen_packs --
UPDATE packs SET state = 'stored'
WHERE state = 'closed' AND id IN (SELECT pack FROM records WHERE state = 'failed');

-- replay_records --
UPDATE records SET state = failed_from, failed_from = NULL, reason = NULL WHERE state = 'failed';

-- finish_submission --
UPDATE submissions SET state = 'validated' WHERE id = :id;

-- keep_submission_as_record --
-- The sealed submission is the record: same id, bytes, key.
INSERT INTO records
    (id, submission, ordinal, patient, format, length, digest, state, sealed_at, outcome, fingerprint)
SELECT id, id, 0, patient, format, length, digest, 'sealed', :now, :outcome, :fingerprint
FROM submissions WHERE id = :submission;

-- insert_part --
INSERT INTO records
    (id, submission, ordinal, patient, format, length, digest, state, sealed_at, outcome, fingerprint)
SELECT :id, id, :ordinal, patient, format, :length, :digest, 'sealed', :now, :outcome, :fingerprint
FROM submissions WHERE id = :submission;

-- insert_rejected --
INSERT INTO records (id, submission, ordinal, patient, format, state, outcome, sealed_at)
SELECT :id, id, :ordinal, patient, format, 'rejected', :outcome, :now
FROM submissions WHERE id = :submission;

-- insert_duplicate --
INSERT INTO records (id, submission, ordinal, patient, format, state, outcome, original, sealed_at)
SELECT :id, id, :ordinal, patient, format, 'duplicate', :outcome, :original, :now
FROM submissions WHERE id = :submission;

-- original_of --
-- A record that is final and can still be read: who has it destroyed may hand the same content in again.
SELECT records.id FROM records JOIN keys ON keys.id = records.id
WHERE fingerprint = :fingerprint AND state = 'confirmed' ORDER BY records.id LIMIT 1;

-- insert_fingerprint_key --
INSERT INTO fingerprint_keys (only_row, wrapped) VALUES (1, :wrapped) ON CONFLICT DO NOTHING;

-- replace_fingerprint_key --
UPDATE fingerprint_keys SET wrapped = :wrapped WHERE wrapped = :old;

-- fingerprint_key --
SELECT wrapped FROM fingerprint_keys;

-- oldest_sealed --
SELECT sealed_at FROM records WHERE state = 'sealed' ORDER BY sealed_at, id LIMIT 1;

-- sealed_records --
SELECT id, length, sealed_at FROM records WHERE state = 'sealed' ORDER BY sealed_at, id LIMIT :limit;

-- insert_pack --
INSERT INTO packs (id, size, record_count, state, oldest_at)
VALUES (:id, :size, :record_count, 'planned', :oldest);

-- pack_record --
UPDATE records SET state = 'packed', pack = :pack, position = :position WHERE id = :id AND state = 'sealed';

-- pack --
SELECT id, state, size, record_count, object, manifest_root FROM packs WHERE id = :id;

-- records_of_pack --
SELECT id, patient, format, length, digest, position, state, block
FROM records WHERE pack = :pack AND state = coalesce(:state, state) ORDER BY position;

-- assemble_pack --
UPDATE packs SET state = 'assembled', object = :object, manifest_root = :manifest_root WHERE id = :id;

-- move_pack --
UPDATE packs SET state = :state WHERE id = :id;

-- store_records_of_pack --
UPDATE records SET state = 'stored' WHERE pack = :pack AND state = 'packed';

-- anchor_record --
UPDATE records SET state = 'anchored', block = :block WHERE id = :id AND pack = :pack AND state = 'stored';

-- confirm_record --
UPDATE records SET state = 'confirmed', block = :block WHERE id = :id AND pack = :pack AND state = 'anchored';

-- refuse_record --
-- Replaying it means to anchor it anew.
UPDATE records SET state = 'failed', failed_from = 'stored', reason = :reason, block = NULL
WHERE id = :id AND pack = :pack AND state IN ('stored', 'anchored')
RETURNING submission, (SELECT submitter FROM submissions WHERE submissions.id = records.submission) AS submitter;

-- lose_record --
UPDATE records SET state = 'stored', block = NULL WHERE id = :id AND pack = :pack AND state = 'anchored';

-- count_to_anchor --
SELECT count(*) AS items FROM records WHERE pack = :pack AND state = 'stored';

-- tallies --
SELECT kind, state, items, bytes FROM tallies ORDER BY kind, state;

-- troubles --
SELECT stage, reason, count(*) AS items FROM jobs WHERE reason IS NOT NULL GROUP BY stage, reason;

-- oldest_open --
SELECT min(since) AS since FROM (
    SELECT min(received_at) AS since FROM submissions WHERE state = 'received'
    UNION ALL SELECT min(sealed_at) FROM records WHERE state = 'sealed'
    UNION ALL SELECT min(oldest_at) FROM packs WHERE state NOT IN ('closed', 'failed')
) AS open_items;

-- spool_files --
SELECT spool FROM payloads WHERE spool IS NOT NULL;

-- open_packs --
SELECT id FROM packs WHERE state <> 'closed';
