-- Version 2 of the central log: one gateway alone sends a receipt, another one sends those of a gateway that is gone, and a
-- retention run of one node respects the legal holds of all.

-- Which node sends a receipt: the first one that asks, and no other one ever.
CREATE TABLE postvakt.claim (
    key bytea PRIMARY KEY CHECK (length(key) = 16),
    node smallint NOT NULL REFERENCES postvakt.node,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX claim_at ON postvakt.claim (at);

-- Whether the node may send the receipt with this key. Claims that are older than any log remembers a receipt go.
CREATE FUNCTION postvakt.claim(wanted bytea) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE own smallint := postvakt.own_node();
BEGIN
    INSERT INTO postvakt.claim (key, node) VALUES (wanted, own) ON CONFLICT DO NOTHING;
    DELETE FROM postvakt.claim WHERE key IN (
        SELECT key FROM postvakt.claim WHERE at < now() - interval '400 days' ORDER BY at LIMIT 10 FOR UPDATE SKIP LOCKED);
    RETURN (SELECT node = own FROM postvakt.claim WHERE key = wanted);
END $$;

-- The entries of other nodes' access logs that place and release legal holds, in their order. A node may see these alone, so
-- that its retention runs keep what another node's hold names.
CREATE FUNCTION postvakt.holds() RETURNS TABLE (node text, kind text, body text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE own smallint := postvakt.own_node();
BEGIN
    RETURN QUERY SELECT n.name, e.kind, e.body FROM postvakt.entry e JOIN postvakt.node n ON n.id = e.node
        WHERE e.node <> own AND e.kind IN ('hold', 'release') AND NOT e.escaped ORDER BY n.name, e.epoch, e.n;
END $$;

-- Receipts that have waited on a node for a while, so that another node can send them when that one is gone.
CREATE TABLE postvakt.letter (
    key bytea PRIMARY KEY CHECK (length(key) = 16),
    node smallint NOT NULL REFERENCES postvakt.node,
    -- The node that sends it instead.
    taken smallint REFERENCES postvakt.node,
    at bigint NOT NULL,
    until bigint NOT NULL,
    mailbox text NOT NULL,
    recipient text NOT NULL,
    reference text NOT NULL,
    message text NOT NULL
);

-- The keys of the node's receipts that are here.
CREATE FUNCTION postvakt.letters() RETURNS SETOF bytea LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE own smallint := postvakt.own_node();
BEGIN
    RETURN QUERY SELECT key FROM postvakt.letter WHERE node = own;
END $$;

-- Takes a receipt that waits on the node.
CREATE FUNCTION postvakt.add_letter(
    of_key bytea, written bigint, not_after bigint, of_mailbox text, to_recipient text, of_reference text, content text
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE own smallint := postvakt.own_node();
BEGIN
    INSERT INTO postvakt.letter VALUES (of_key, own, NULL, written, not_after, of_mailbox, to_recipient, of_reference, content)
        ON CONFLICT DO NOTHING;
END $$;

-- Forgets receipts that wait on the node no longer, and those that it has taken over and stored.
CREATE FUNCTION postvakt.drop_letters(keys bytea[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE own smallint := postvakt.own_node();
BEGIN
    DELETE FROM postvakt.letter WHERE key = ANY (keys) AND (node = own AND taken IS NULL OR taken = own);
END $$;

-- Receipts that the node is to send in the place of one that was not in contact for an hour. Each is claimed by that; one that
-- anybody claimed before may have been sent, and is given to nobody.
CREATE FUNCTION postvakt.take_letters() RETURNS TABLE (
    key bytea, at bigint, until bigint, mailbox text, recipient text, reference text, message text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own smallint := postvakt.own_node();
    now_ms bigint := (extract(epoch FROM now()) * 1000)::bigint;
    item postvakt.letter;
BEGIN
    DELETE FROM postvakt.letter l WHERE l.until < now_ms;
    FOR item IN SELECT l.* FROM postvakt.letter l JOIN postvakt.node n ON n.id = l.node
        WHERE l.node <> own AND l.taken IS NULL AND n.contact < now() - interval '1 hour' ORDER BY l.at LIMIT 100
        FOR UPDATE OF l SKIP LOCKED
    LOOP
        INSERT INTO postvakt.claim (key, node) VALUES (item.key, own) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            UPDATE postvakt.letter l SET taken = own WHERE l.key = item.key;
        ELSE
            DELETE FROM postvakt.letter l WHERE l.key = item.key;
        END IF;
    END LOOP;
    RETURN QUERY SELECT l.key, l.at, l.until, l.mailbox, l.recipient, l.reference, l.message
        FROM postvakt.letter l WHERE l.taken = own;
END $$;

REVOKE EXECUTE ON FUNCTION postvakt.claim(bytea), postvakt.holds(), postvakt.letters(),
    postvakt.add_letter(bytea, bigint, bigint, text, text, text, text), postvakt.drop_letters(bytea[]), postvakt.take_letters()
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION postvakt.claim(bytea), postvakt.holds(), postvakt.letters(),
    postvakt.add_letter(bytea, bigint, bigint, text, text, text, text), postvakt.drop_letters(bytea[]), postvakt.take_letters()
TO postvakt_node;
