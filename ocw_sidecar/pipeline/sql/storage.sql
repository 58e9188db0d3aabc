-- Statements about our objects on the storage network.

-- trouble --
SELECT object, since, repaired_at FROM storage_troubles WHERE object = :object;

-- longest_troubled --
SELECT object, since, repaired_at FROM storage_troubles ORDER BY looked_at, object LIMIT :limit;

-- put_trouble --
INSERT INTO storage_troubles (object, since, looked_at) VALUES (:object, :height, :height)
ON CONFLICT (object) DO UPDATE SET looked_at = excluded.looked_at;

-- end_trouble --
DELETE FROM storage_troubles WHERE object = :object;

-- note_repair --
UPDATE storage_troubles SET repaired_at = :height WHERE object = :object;

-- count_troubles --
SELECT count(*) AS items FROM storage_troubles;

-- forget_troubles --
DELETE FROM storage_troubles;

-- put_removal --
INSERT INTO storage_removals (object, removed_at, due_at) VALUES (:object, :height, :now)
ON CONFLICT (object) DO NOTHING;

-- end_removal --
DELETE FROM storage_removals WHERE object = :object;

-- due_removals --
SELECT object, removed_at, attempts FROM storage_removals
WHERE due_at <= :now ORDER BY due_at, object LIMIT :limit;

-- postpone_removal --
UPDATE storage_removals SET attempts = attempts + 1, due_at = :due, reason = :reason WHERE object = :object;

-- count_removals --
SELECT count(*) AS items FROM storage_removals;

-- open_pack --
-- Both look through an index of packs that are not settled, which are few.
SELECT 1 AS open FROM packs WHERE object = :object AND state NOT IN ('closed', 'failed') LIMIT 1;

-- failed_pack --
SELECT 1 AS failed FROM packs WHERE object = :object AND state = 'failed' LIMIT 1;

-- open_compaction --
SELECT 1 AS open FROM compactions WHERE object = :object LIMIT 1;
