-- Registrations of patients. Parameters are named; each entry runs inside the caller's transaction.

-- insert_registration --
INSERT INTO registrations (patient, controller, state, due_at, asked_at)
VALUES (:patient, :controller, 'pending', :now, :now) ON CONFLICT (patient) DO NOTHING;

-- registration --
SELECT patient, controller, state, reason, attempts FROM registrations WHERE patient = :patient;

-- due_registrations --
SELECT patient, controller, state, reason, attempts FROM registrations
WHERE state = 'pending' AND due_at <= :now ORDER BY due_at, patient LIMIT :limit;

-- count_pending_registrations --
SELECT count(*) AS items FROM (
    SELECT patient FROM registrations WHERE state = 'pending' LIMIT :limit
) AS pending;

-- count_registrations --
SELECT state, count(*) AS items, min(asked_at) AS oldest FROM registrations GROUP BY state ORDER BY state;

-- finish_registration --
UPDATE registrations SET state = 'registered', reason = NULL WHERE patient = :patient AND state = 'pending';

-- fail_registration --
UPDATE registrations SET state = 'failed', reason = :reason WHERE patient = :patient AND state = 'pending';

-- postpone_registration --
UPDATE registrations SET attempts = attempts + 1, due_at = :due, reason = :reason
WHERE patient = :patient AND state = 'pending';

-- reopen_registration --
-- Asked for again after a failure.
UPDATE registrations SET state = 'pending', attempts = 0, due_at = :now, reason = NULL
WHERE patient = :patient AND state = 'failed';

-- next_registration --
SELECT patient FROM registrations WHERE patient > :after ORDER BY patient LIMIT 1;
