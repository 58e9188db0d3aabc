-- What SQLite's triggers do, in PostgreSQL's words.
--
-- Tallies are sums over rows. A trigger appends what a change adds and takes; `fold_tallies`, called before every
-- commit, merges the rows of its own connection once they are many. Each writing connection holds a shard number
-- of its own, so that nobody waits for anybody else's row.

CREATE TABLE tallies (
    shard INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    items BIGINT NOT NULL,
    bytes BIGINT NOT NULL
);

CREATE INDEX tallies_of_shard ON tallies (shard);

CREATE FUNCTION own_shard() RETURNS INTEGER LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('caregrid.shard', true), ''), '-1')::integer
$$;

CREATE FUNCTION fold_tallies() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM tallies WHERE shard = own_shard()) > 64 THEN
        WITH own AS (DELETE FROM tallies WHERE shard = own_shard() RETURNING kind, state, items, bytes)
        INSERT INTO tallies
        SELECT own_shard(), kind, state, sum(items), sum(bytes) FROM own GROUP BY kind, state
        HAVING sum(items) <> 0 OR sum(bytes) <> 0;
    END IF;
END $$;

CREATE FUNCTION note_begin(thing TEXT, state TEXT, size BIGINT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM transitions AS t WHERE t.kind = thing AND t.old = '' AND t.new = state) THEN
        RAISE EXCEPTION 'no % begins so', thing USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    INSERT INTO tallies VALUES (own_shard(), thing, state, 1, size);
END $$;

CREATE FUNCTION note_move(thing TEXT, before TEXT, after TEXT, old_size BIGINT, new_size BIGINT)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM transitions AS t WHERE t.kind = thing AND t.old = before AND t.new = after
    ) THEN
        RAISE EXCEPTION 'no % moves so', thing USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    INSERT INTO tallies VALUES
        (own_shard(), thing, before, -1, -old_size), (own_shard(), thing, after, 1, new_size);
END $$;

CREATE FUNCTION submission_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_begin('submission', NEW.state, NEW.length);
    RETURN NULL;
END $$;

CREATE FUNCTION submission_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_move('submission', OLD.state, NEW.state, OLD.length, NEW.length);
    RETURN NULL;
END $$;

CREATE FUNCTION record_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_begin('record', NEW.state, coalesce(NEW.length, 0));
    RETURN NULL;
END $$;

CREATE FUNCTION record_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_move('record', OLD.state, NEW.state, coalesce(OLD.length, 0), coalesce(NEW.length, 0));
    RETURN NULL;
END $$;

CREATE FUNCTION pack_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_begin('pack', NEW.state, NEW.size);
    RETURN NULL;
END $$;

CREATE FUNCTION pack_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_move('pack', OLD.state, NEW.state, OLD.size, NEW.size);
    RETURN NULL;
END $$;

CREATE TRIGGER submission_begins AFTER INSERT ON submissions
FOR EACH ROW EXECUTE FUNCTION submission_begins();

CREATE TRIGGER submission_moves AFTER UPDATE OF state ON submissions
FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION submission_moves();

CREATE TRIGGER record_begins AFTER INSERT ON records
FOR EACH ROW EXECUTE FUNCTION record_begins();

CREATE TRIGGER record_moves AFTER UPDATE OF state ON records
FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION record_moves();

CREATE TRIGGER pack_begins AFTER INSERT ON packs
FOR EACH ROW EXECUTE FUNCTION pack_begins();

CREATE TRIGGER pack_moves AFTER UPDATE OF state ON packs
FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION pack_moves();

-- Sealed bytes do not shrink; do not try.
ALTER TABLE payloads ALTER COLUMN body SET STORAGE EXTERNAL;
