-- Version 3: the shared memory of seen messages. A node learns hashes of the keys of what others have seen; the keys are hashes of
-- messages under the organisation's key. It may ask what a message was whose key it has. It cannot list what there is.

ALTER TABLE postvakt.node ADD COLUMN memory_key bytea CHECK (length(memory_key) = 32);

-- What came with a record is remembered, and forgotten with it.
CREATE FUNCTION postvakt.remember() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first int := CASE WHEN get_byte(NEW.seen, 0) & 128 = 0 THEN 3 ELSE 11 END;
    keys int := get_byte(NEW.seen, 0) & 127;
BEGIN
    INSERT INTO postvakt.memory (key, at, node, epoch, seq)
        SELECT substr(NEW.seen, first + 16 * number, 16), NEW.time, NEW.node, NEW.epoch, NEW.seq
        FROM generate_series(0, keys - 1) AS number;
    RETURN NULL;
END $$;
CREATE TRIGGER remember AFTER INSERT ON postvakt.record FOR EACH ROW
    WHEN (length(NEW.seen) > 2) EXECUTE FUNCTION postvakt.remember();

CREATE FUNCTION postvakt.forget() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM postvakt.memory WHERE node = OLD.node AND epoch = OLD.epoch AND seq = OLD.seq;
    RETURN NULL;
END $$;
CREATE TRIGGER forget AFTER DELETE ON postvakt.record FOR EACH ROW
    WHEN (length(OLD.seen) > 2) EXECUTE FUNCTION postvakt.forget();

-- A node says by which key it remembers, as a hash of that key. The answer names the nodes that remember by another one: what one
-- of them has seen, the other one does not recognise. What is too old for every node is deleted.
CREATE FUNCTION postvakt.share_memory(own_key bytea, oldest bigint) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE own smallint := postvakt.own_node();
BEGIN
    UPDATE postvakt.node SET memory_key = own_key WHERE id = own AND memory_key IS DISTINCT FROM own_key;
    -- Nothing of the last ninety days, whatever a node says.
    DELETE FROM postvakt.memory WHERE at < least(oldest, (extract(epoch FROM now() - interval '90 days') * 1000)::bigint);
    RETURN (SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM postvakt.node
        WHERE login IS NOT NULL AND memory_key <> own_key);
END $$;

-- The hashes of the keys of what other nodes have seen since the places that are given, at most some thousands for each node, whole records
-- alone. A node that is not named is followed from its beginning.
CREATE FUNCTION postvakt.follow_memory(names text[], epochs int[], seqs bigint[], oldest bigint)
RETURNS TABLE (node text, epoch int, seq bigint, hash bytea, at bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE own smallint := postvakt.own_node();
BEGIN
    -- Not the keys themselves: who has them may ask for the messages.
    RETURN QUERY SELECT n.name, m.epoch, m.seq, substr(sha256(m.key), 1, 16), m.at
        FROM postvakt.node n
        LEFT JOIN unnest(names, epochs, seqs) AS place (name, epoch, seq) ON place.name = n.name
        CROSS JOIN LATERAL (
            SELECT m.epoch, m.seq, m.key, m.at FROM postvakt.memory m
            WHERE m.node = n.id AND (m.epoch, m.seq) > (coalesce(place.epoch, 0), coalesce(place.seq, 0)) AND m.at >= oldest
            ORDER BY m.epoch, m.seq FETCH FIRST 2000 ROWS WITH TIES
        ) AS m
        WHERE n.id <> own ORDER BY n.name, m.epoch, m.seq;
END $$;

-- What other nodes remember of the message with this key, the newest first. Sender and recipients complete what is remembered.
CREATE FUNCTION postvakt.recall(of_key bytea, oldest bigint)
RETURNS TABLE (at bigint, seen bytea, sender text, recipients text, escaped boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE own smallint := postvakt.own_node();
BEGIN
    RETURN QUERY SELECT r.time, r.seen, r.fields[3], r.fields[4], r.escaped
        FROM postvakt.memory m
        JOIN postvakt.record r ON r.node = m.node AND r.epoch = m.epoch AND r.seq = m.seq AND r.time = m.at
        WHERE m.key = of_key AND m.at >= oldest AND m.node <> own
        ORDER BY m.at DESC LIMIT 100;
END $$;

-- Who is known to somebody inside, since a time, by other nodes' mail.
CREATE FUNCTION postvakt.follow_contacts(since bigint) RETURNS TABLE (key bytea, at bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE own smallint := postvakt.own_node();
BEGIN
    RETURN QUERY SELECT c.key, c.at FROM postvakt.contact c WHERE c.at >= since AND c.node <> own ORDER BY c.at LIMIT 20000;
END $$;

GRANT EXECUTE ON FUNCTION postvakt.share_memory, postvakt.follow_memory, postvakt.recall, postvakt.follow_contacts TO postvakt_node;
