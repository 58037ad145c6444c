-- Version 2 of the central log: one gateway alone sends a receipt, and a retention run of one node respects the legal holds of
-- all.

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

REVOKE EXECUTE ON FUNCTION postvakt.claim(bytea), postvakt.holds() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION postvakt.claim(bytea), postvakt.holds() TO postvakt_node;
