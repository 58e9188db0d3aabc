-- Looks for items, the newest first. A page looks at so many rows of an index and keeps those that fit.

-- search_submissions --
SELECT id, patient, format, state, reason, received_at FROM submissions
WHERE id >= :since AND id < :before ORDER BY id DESC LIMIT :look;

-- search_submissions_of_patient --
SELECT id, patient, format, state, reason, received_at FROM submissions
WHERE patient = :patient AND id >= :since AND id < :before ORDER BY id DESC LIMIT :look;

-- search_failed_submissions --
SELECT id, patient, format, state, reason, received_at FROM submissions
WHERE state = 'failed' AND id >= :since AND id < :before ORDER BY id DESC LIMIT :look;

-- search_records --
SELECT records.id, submission, ordinal, patient, format, records.state, outcome, original, records.reason,
    packs.object, block
FROM records LEFT JOIN packs ON packs.id = records.pack
WHERE records.id >= :since AND records.id < :before ORDER BY records.id DESC LIMIT :look;

-- search_records_of_patient --
SELECT records.id, submission, ordinal, patient, format, records.state, outcome, original, records.reason,
    packs.object, block
FROM records LEFT JOIN packs ON packs.id = records.pack
WHERE patient = :patient AND records.id >= :since AND records.id < :before ORDER BY records.id DESC LIMIT :look;

-- search_failed_records --
SELECT records.id, submission, ordinal, patient, format, records.state, outcome, original, records.reason,
    packs.object, block
FROM records LEFT JOIN packs ON packs.id = records.pack
WHERE records.state = 'failed' AND records.id >= :since AND records.id < :before
ORDER BY records.id DESC LIMIT :look;

-- releases_of_record --
SELECT id, account, released_at, ground FROM key_releases
WHERE record = :record AND id < :before ORDER BY id DESC LIMIT :limit;

-- next_patient_seen --
SELECT patient FROM submissions WHERE patient > :after ORDER BY patient LIMIT 1;
