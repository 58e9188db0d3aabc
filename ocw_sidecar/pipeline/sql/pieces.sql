-- Pieces of large payloads. They are written before the row of `payloads` that names them, and removed after it.

-- insert_piece --
INSERT INTO pieces (name, ordinal, body, written_at) VALUES (:name, :ordinal, :body, :now);

-- complete_pieces --
-- From now on the payload's row may come; the sweep counts from here.
UPDATE pieces SET written_at = :now WHERE name = :name AND ordinal = 0;

-- piece --
SELECT body FROM pieces WHERE name = :name AND ordinal = :ordinal;

-- delete_pieces --
DELETE FROM pieces WHERE name = :name;

-- stray_pieces --
-- Payloads that were begun long ago and that no row names: their process died.
SELECT name FROM pieces
WHERE ordinal = 0 AND written_at <= :before AND NOT EXISTS (SELECT 1 FROM payloads WHERE spool = pieces.name)
ORDER BY written_at LIMIT :limit;
