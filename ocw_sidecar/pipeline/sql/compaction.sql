-- Statements about records that are moved out of objects that something was erased from.

-- put_erased --
-- One that waited for more to be erased is looked at again; one whose attempts fail keeps its time.
INSERT INTO compaction_objects (object, erased_at, due_at) VALUES (:object, :now, :now)
ON CONFLICT (object) DO UPDATE SET due_at = excluded.due_at WHERE compaction_objects.attempts = 0;

-- add_erased --
INSERT INTO compaction_objects (object, erased_at, due_at) VALUES (:object, :now, :now)
ON CONFLICT (object) DO NOTHING;

-- due_objects --
SELECT object, erased_at, attempts FROM compaction_objects
WHERE due_at <= :now AND NOT EXISTS (SELECT 1 FROM compaction_records WHERE source = compaction_objects.object)
ORDER BY due_at, object LIMIT :limit;

-- postpone_object --
UPDATE compaction_objects SET due_at = :due, reason = :reason, attempts = attempts + :failed
WHERE object = :object;

-- attempts_at --
SELECT attempts FROM compaction_objects WHERE object = :object;

-- end_erased --
DELETE FROM compaction_objects WHERE object = :object;

-- count_objects --
SELECT count(*) AS items FROM compaction_objects;

-- objects_after --
SELECT object FROM ledger_objects WHERE object > :after ORDER BY object LIMIT :limit;

-- failed_records --
-- Looks through an index of what failed.
SELECT 1 AS failed FROM records JOIN packs ON packs.id = records.pack
WHERE records.state = 'failed' AND packs.object = :object LIMIT 1;

-- insert_compaction --
INSERT INTO compactions (id, state, size, record_count, planned_at, due_at)
VALUES (:id, 'planned', :size, :record_count, :now, :now);

-- insert_transfer --
INSERT INTO compaction_records
    (record, compaction, patient, format, source, source_offset, source_digest, position, length, digest, wrapped)
VALUES
    (:record, :compaction, :patient, :format, :source, :source_offset, :source_digest, :position, :length,
    :source_digest, :wrapped)
ON CONFLICT (record) DO NOTHING;

-- open_compactions --
SELECT id, state, size, record_count, object, manifest_root, attempts FROM compactions ORDER BY planned_at, id;

-- due_compactions --
SELECT id, state, size, record_count, object, manifest_root, attempts FROM compactions
WHERE due_at <= :now ORDER BY due_at, id LIMIT :limit;

-- compaction --
SELECT id, state, size, record_count, object, manifest_root, attempts FROM compactions WHERE id = :id;

-- transfers --
SELECT record, patient, format, source, source_offset, source_digest, position, length, digest, wrapped
FROM compaction_records WHERE compaction = :id ORDER BY position;

-- assemble --
UPDATE compactions
SET state = 'assembled', object = :object, manifest_root = :manifest_root, due_at = :now, attempts = 0, reason = NULL
WHERE id = :id AND state = 'planned';

-- note_digest --
UPDATE compaction_records SET digest = :digest
WHERE record = :record AND compaction = :id AND wrapped IS NOT NULL;

-- note_stored --
UPDATE compactions SET state = 'stored', due_at = :now, attempts = 0, reason = NULL
WHERE id = :id AND state = 'assembled';

-- plan_again --
UPDATE compactions SET state = 'planned', object = NULL, manifest_root = NULL, due_at = :now
WHERE id = :id AND state = 'assembled';

-- postpone_compaction --
UPDATE compactions SET due_at = :due, reason = :reason, attempts = attempts + 1 WHERE id = :id;

-- drop_transfers --
DELETE FROM compaction_records WHERE compaction = :id;

-- drop_compaction --
DELETE FROM compactions WHERE id = :id;

-- pack_of_record --
SELECT pack FROM records WHERE id = :record AND state = 'confirmed';

-- place_record --
UPDATE records SET pack = :id, position = :position, digest = :digest WHERE id = :record AND state = 'confirmed';

-- replace_key --
-- Only where one stands: a key that was destroyed meanwhile stays so.
UPDATE keys SET wrapped = :wrapped WHERE id = :record;

-- key_under_way --
SELECT wrapped FROM compaction_records
WHERE record = :record AND wrapped IS NOT NULL
AND EXISTS (SELECT 1 FROM compactions WHERE id = compaction_records.compaction AND object = :object);

-- take_key --
UPDATE compaction_records SET wrapped = NULL WHERE record = :record AND wrapped IS NOT NULL;

-- put_reseal --
INSERT INTO reseals (record, asked_at, due_at) VALUES (:record, :now, :now)
ON CONFLICT (record) DO UPDATE
SET asked_at = excluded.asked_at, due_at = excluded.due_at, done_at = NULL, attempts = 0, reason = NULL
WHERE reseals.done_at IS NOT NULL;

-- reseal --
SELECT record, asked_at, done_at, attempts, reason FROM reseals WHERE record = :record;

-- due_reseals --
SELECT record, asked_at, done_at, attempts, reason FROM reseals
WHERE done_at IS NULL AND due_at <= :now
AND NOT EXISTS (SELECT 1 FROM compaction_records WHERE compaction_records.record = reseals.record)
ORDER BY due_at, record LIMIT :limit;

-- postpone_reseal --
UPDATE reseals SET due_at = :due, reason = :reason, attempts = attempts + 1
WHERE record = :record AND done_at IS NULL;

-- finish_reseal --
UPDATE reseals SET done_at = :now, reason = NULL WHERE record = :record AND done_at IS NULL;

-- drop_reseal --
DELETE FROM reseals WHERE record = :record;

-- purge_reseals --
DELETE FROM reseals WHERE done_at < :before;
