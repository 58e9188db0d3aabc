-- Statements of erasures. A key is destroyed in the transaction that decides so.

-- erasure --
SELECT record, state, decided_at, object, attempts, reason FROM erasures WHERE record = :record;

-- decide --
INSERT INTO erasures (record, state, decided_at, object, due_at)
VALUES (:record, :state, :now, :object, :now)
ON CONFLICT (record) DO NOTHING;

-- place_of_record --
-- Where the bytes lie: as the ledger has it, which follows moves; else as the queue has.
SELECT coalesce(
    (SELECT object FROM ledger_records WHERE record = :record),
    (SELECT packs.object FROM records JOIN packs ON packs.id = records.pack WHERE records.id = :record)
) AS object;

-- unread_submission --
SELECT id FROM submissions WHERE id = :record AND state IN ('received', 'failed');

-- withdraw_submission --
DELETE FROM submissions WHERE id = :record;

-- count_escrow --
SELECT count(*) AS items FROM escrow_keys WHERE record = :record;

-- held --
SELECT id FROM keys WHERE id = :record;

-- forget_facts --
-- What could tell of the content: whether a guess is what it said, and what was found in it.
UPDATE records SET fingerprint = NULL, outcome = NULL WHERE id = :record;

-- due_erasures --
SELECT record, state, decided_at, object, attempts, reason FROM erasures
WHERE state IN ('decided', 'erased') AND due_at <= :now ORDER BY due_at, record LIMIT :limit;

-- postpone_erasure --
UPDATE erasures SET due_at = :due, attempts = attempts + 1, reason = :reason WHERE record = :record;

-- note_place --
UPDATE erasures SET object = :object
WHERE record = :record AND (state = 'decided' OR state = 'erased' AND object IS NULL);

-- note_erased --
UPDATE erasures SET state = 'erased', object = coalesce(:object, object), due_at = :now, attempts = 0, reason = NULL
WHERE record = :record AND state = 'decided';

-- note_gone --
UPDATE erasures SET state = 'gone', reason = NULL WHERE record = :record AND state = 'erased';

-- wake_object --
UPDATE erasures SET due_at = :now, attempts = 0 WHERE object = :object AND state = 'erased';

-- queued_record --
SELECT records.state, records.pack, packs.state AS pack_state
FROM records LEFT JOIN packs ON packs.id = records.pack WHERE records.id = :record;

-- forget_record --
DELETE FROM records WHERE id = :record AND state = 'failed';

-- next_receipt --
-- Whoever writes a receipt waits here for who writes another one.
INSERT INTO erasure_head (only_row, number, digest) VALUES (1, 1, :origin)
ON CONFLICT (only_row) DO UPDATE SET number = erasure_head.number + 1
RETURNING number, digest;

-- put_receipt --
INSERT INTO erasure_receipts (number, record, body, digest) VALUES (:number, :record, :body, :digest);

-- end_receipt --
UPDATE erasure_head SET digest = :digest WHERE only_row = 1;

-- receipts --
SELECT number, body, digest FROM erasure_receipts WHERE record = :record ORDER BY number;
