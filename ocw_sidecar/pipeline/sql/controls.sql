-- The statements of control. There is a row for each worker and each process: a handful.

-- workers --
SELECT name, paused, paused_at, paused_by, asked, answered, runs, failures, started_at, ended_at, succeeded_at,
    height, items, reason
FROM workers ORDER BY name;

-- pause_worker --
INSERT INTO workers (name, paused, paused_at, paused_by) VALUES (:name, 1, :now, :by)
ON CONFLICT (name) DO UPDATE SET paused = 1, paused_at = excluded.paused_at, paused_by = excluded.paused_by
WHERE workers.paused = 0;

-- resume_worker --
UPDATE workers SET paused = 0, paused_at = NULL, paused_by = NULL WHERE name = :name;

-- ask_worker --
INSERT INTO workers (name, asked) VALUES (:name, 1)
ON CONFLICT (name) DO UPDATE SET asked = workers.asked + 1
RETURNING asked;

-- note_run --
INSERT INTO workers (
    name, answered, runs, failures, started_at, ended_at, succeeded_at, height, items, reason
) VALUES (:name, :answered, :runs, :failures, :started, :ended, :succeeded, :height, :items, :reason)
ON CONFLICT (name) DO UPDATE SET
    answered = CASE WHEN excluded.answered > workers.answered THEN excluded.answered ELSE workers.answered END,
    runs = workers.runs + excluded.runs,
    failures = workers.failures + excluded.failures,
    started_at = excluded.started_at,
    ended_at = excluded.ended_at,
    succeeded_at = coalesce(excluded.succeeded_at, workers.succeeded_at),
    height = coalesce(excluded.height, workers.height),
    items = excluded.items,
    reason = excluded.reason;

-- note_process --
INSERT INTO processes (id, started_at, seen_at, leads) VALUES (:id, :now, :now, :leads)
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, leads = excluded.leads;

-- end_process --
DELETE FROM processes WHERE id = :id;

-- end_lost_processes --
DELETE FROM processes WHERE seen_at < :before;

-- processes --
SELECT id, started_at, seen_at, leads FROM processes ORDER BY started_at, id;
