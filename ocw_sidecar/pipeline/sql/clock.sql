-- The clock's statements.

-- position --
SELECT genesis, height, hash, moved_at FROM cursors WHERE name = 'chain';

-- begin_cursor --
INSERT INTO cursors (name, genesis, height, hash, moved_at) VALUES ('chain', :genesis, :height, :hash, :now)
ON CONFLICT (name) DO NOTHING;

-- move_cursor --
UPDATE cursors SET height = :height, hash = :hash, moved_at = :now
WHERE name = 'chain' AND height = :previous;

-- forget_cursor --
DELETE FROM cursors WHERE name = 'chain';

-- forget_job_heights --
DELETE FROM job_heights;

-- job_heights --
-- One row a job.
SELECT job, height FROM job_heights ORDER BY job;

-- note_job_height --
INSERT INTO job_heights (job, height) VALUES (:job, :height)
ON CONFLICT (job) DO UPDATE SET height = excluded.height WHERE excluded.height > job_heights.height;
