-- Forgetting how records came in, long after they are final. The wrapped keys stay.

-- next_submissions --
-- Ids are UUIDv7, which sort by time.
SELECT id, state FROM submissions WHERE id > :after AND id < :before ORDER BY id LIMIT :limit;

-- open_record_of --
SELECT 1 AS open FROM records
WHERE submission = :submission AND state NOT IN ('confirmed', 'rejected', 'duplicate') LIMIT 1;

-- purge_records_of --
DELETE FROM records WHERE submission = :submission RETURNING pack;

-- purge_submission --
DELETE FROM submissions WHERE id = :submission;

-- purge_pack --
DELETE FROM packs WHERE id = :pack AND state = 'closed'
AND NOT EXISTS (SELECT 1 FROM records WHERE records.pack = packs.id);

-- own_record_ids --
SELECT id FROM keys WHERE id > :after ORDER BY id LIMIT :limit;

-- pull_jobs --
-- No lease and no pause is that long: the wall clock was set back.
UPDATE jobs SET due_at = :now WHERE stage = :stage AND due_at > :horizon;
