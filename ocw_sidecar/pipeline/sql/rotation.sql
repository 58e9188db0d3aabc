-- Wrapping every key anew when the master key has a new version; there are no tables of its own. The queue's keys,
-- the channels' and those of records that are being sealed anew are read page by page; a row is changed only when
-- it is as it was read, so whatever was erased meanwhile stays erased.

-- count_keys --
SELECT count(*) AS found FROM keys;

-- count_channels --
SELECT count(*) AS found FROM channels;

-- count_compaction_records --
SELECT count(*) AS found FROM compaction_records WHERE wrapped IS NOT NULL;

-- count_fingerprint_keys --
SELECT count(*) AS found FROM fingerprint_keys;

-- page_keys --
SELECT id, wrapped FROM keys
WHERE id > :after
ORDER BY id
LIMIT :limit;

-- page_channels --
SELECT id, wrapped FROM channels
WHERE id > :after
ORDER BY id
LIMIT :limit;

-- page_compaction_records --
SELECT record AS id, wrapped FROM compaction_records
WHERE record > :after AND wrapped IS NOT NULL
ORDER BY record
LIMIT :limit;

-- page_fingerprint_keys --
SELECT wrapped FROM fingerprint_keys WHERE only_row = 1;

-- swap_keys --
UPDATE keys SET wrapped = :new
WHERE id = :id AND wrapped = :old;

-- swap_channels --
UPDATE channels SET wrapped = :new
WHERE id = :id AND wrapped = :old;

-- swap_compaction_records --
UPDATE compaction_records SET wrapped = :new
WHERE record = :id AND wrapped = :old;

-- swap_fingerprint_keys --
UPDATE fingerprint_keys SET wrapped = :new
WHERE only_row = 1 AND wrapped = :old;
