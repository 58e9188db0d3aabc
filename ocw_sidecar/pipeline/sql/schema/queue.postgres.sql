-- What SQLite's triggers do, in PostgreSQL's words.
--
-- Tallies are sums over rows. Each writing connection holds a shard number of its own, and so rows that nobody else
-- changes or waits for. Triggers append what a change adds and takes to a setting of the transaction, which forgets it
-- at a rollback, to a savepoint also; a deferred trigger adds it up into those rows once, at the commit. A row changes
-- in place: pages have room for it, and no index holds a count, so that nothing dead is left behind to be read.

CREATE TABLE tallies (
    shard INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    items BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (shard, kind, state)
) WITH (fillfactor = 20);

CREATE FUNCTION own_shard() RETURNS INTEGER LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('caregrid.shard', true), ''), '-1')::integer
$$;

CREATE FUNCTION moves_so_far() RETURNS TEXT LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('caregrid.moves', true), '')
$$;

CREATE FUNCTION uncounted_moves() RETURNS TABLE (kind TEXT, state TEXT, items BIGINT, bytes BIGINT)
LANGUAGE sql STABLE AS $$
    SELECT part[1], part[2], part[3]::bigint, part[4]::bigint
    FROM (SELECT string_to_array(move, ',') AS part FROM string_to_table(moves_so_far(), ' ') AS move) AS moves
    WHERE part[4] IS NOT NULL
$$;

CREATE FUNCTION fold_tallies() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tallies AS kept
    SELECT own_shard(), moves.kind, moves.state, sum(moves.items), sum(moves.bytes)
    FROM uncounted_moves() AS moves GROUP BY moves.kind, moves.state ORDER BY moves.kind, moves.state
    ON CONFLICT (shard, kind, state)
    DO UPDATE SET items = kept.items + excluded.items, bytes = kept.bytes + excluded.bytes;
    PERFORM set_config('caregrid.moves', '', true);
END $$;

CREATE FUNCTION note(thing TEXT, state TEXT, items BIGINT, size NUMERIC) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- A long text would be copied for each row of a large transaction.
    IF length(moves_so_far()) > 4096 THEN
        PERFORM fold_tallies();
    END IF;
    PERFORM set_config('caregrid.moves', concat(moves_so_far(), ' ', thing, ',', state, ',', items, ',', size), true);
END $$;

CREATE FUNCTION note_begin(thing TEXT, state TEXT, items BIGINT, size NUMERIC) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM transitions AS t WHERE t.kind = thing AND t.old = '' AND t.new = state) THEN
        RAISE EXCEPTION 'no % begins so', thing USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM note(thing, state, items, size);
END $$;

CREATE FUNCTION note_move(thing TEXT, before TEXT, after TEXT, old_size BIGINT, new_size BIGINT)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM transitions AS t WHERE t.kind = thing AND t.old = before AND t.new = after
    ) THEN
        RAISE EXCEPTION 'no % moves so', thing USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM note(thing, before, -1, -old_size);
    PERFORM note(thing, after, 1, new_size);
END $$;

CREATE FUNCTION moves_are_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF moves_so_far() <> '' THEN
        PERFORM fold_tallies();
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION submission_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_begin('submission', state, count(*), sum(length)) FROM added GROUP BY state;
    RETURN NULL;
END $$;

CREATE FUNCTION submission_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_move('submission', OLD.state, NEW.state, OLD.length, NEW.length);
    RETURN NULL;
END $$;

CREATE FUNCTION submission_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note('submission', OLD.state, -1, -OLD.length);
    RETURN NULL;
END $$;

CREATE FUNCTION record_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_begin('record', state, count(*), coalesce(sum(length), 0)) FROM added GROUP BY state;
    RETURN NULL;
END $$;

CREATE FUNCTION record_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_move('record', OLD.state, NEW.state, coalesce(OLD.length, 0), coalesce(NEW.length, 0));
    RETURN NULL;
END $$;

CREATE FUNCTION record_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note('record', OLD.state, -1, -coalesce(OLD.length, 0));
    RETURN NULL;
END $$;

CREATE FUNCTION pack_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_begin('pack', state, count(*), sum(size)) FROM added GROUP BY state;
    RETURN NULL;
END $$;

CREATE FUNCTION pack_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_move('pack', OLD.state, NEW.state, OLD.size, NEW.size);
    RETURN NULL;
END $$;

CREATE FUNCTION pack_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note('pack', OLD.state, -1, -OLD.size);
    RETURN NULL;
END $$;

CREATE TRIGGER submission_begins AFTER INSERT ON submissions REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION submission_begins();

CREATE TRIGGER submission_moves AFTER UPDATE OF state ON submissions
FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION submission_moves();

CREATE TRIGGER submission_ends AFTER DELETE ON submissions
FOR EACH ROW EXECUTE FUNCTION submission_ends();

-- The first change of a transaction asks for it, and perhaps a few more of the same statement.
CREATE CONSTRAINT TRIGGER submissions_are_counted AFTER INSERT OR DELETE OR UPDATE OF state ON submissions
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (moves_so_far() = '') EXECUTE FUNCTION moves_are_counted();

CREATE TRIGGER record_begins AFTER INSERT ON records REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION record_begins();

CREATE TRIGGER record_moves AFTER UPDATE OF state ON records
FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION record_moves();

CREATE TRIGGER record_ends AFTER DELETE ON records
FOR EACH ROW EXECUTE FUNCTION record_ends();

-- The first change of a transaction asks for it, and perhaps a few more of the same statement.
CREATE CONSTRAINT TRIGGER records_are_counted AFTER INSERT OR DELETE OR UPDATE OF state ON records
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (moves_so_far() = '') EXECUTE FUNCTION moves_are_counted();

CREATE TRIGGER pack_begins AFTER INSERT ON packs REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION pack_begins();

CREATE TRIGGER pack_moves AFTER UPDATE OF state ON packs
FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION pack_moves();

CREATE TRIGGER pack_ends AFTER DELETE ON packs
FOR EACH ROW EXECUTE FUNCTION pack_ends();

-- The first change of a transaction asks for it, and perhaps a few more of the same statement.
CREATE CONSTRAINT TRIGGER packs_are_counted AFTER INSERT OR DELETE OR UPDATE OF state ON packs
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (moves_so_far() = '') EXECUTE FUNCTION moves_are_counted();

-- Sealed bytes do not shrink; do not try.
ALTER TABLE payloads ALTER COLUMN body SET STORAGE EXTERNAL;
