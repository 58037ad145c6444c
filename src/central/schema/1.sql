-- Version 1 of the central log. Nodes write by functions that run as the owner and may do nothing else; readers may read.
-- Times are milliseconds since 1970, lists are JSON, as in a node's own log: what a leaf was made of is here as it was there.

CREATE SCHEMA postvakt;
REVOKE ALL ON SCHEMA postvakt FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA postvakt REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
GRANT USAGE ON SCHEMA postvakt TO postvakt_node, postvakt_reader;

CREATE TABLE postvakt.version (version int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), program text NOT NULL);

-- Who writes: a gateway with its log. A login speaks for one node, and no node for another one.
CREATE TABLE postvakt.node (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    login name NOT NULL UNIQUE,
    -- The public key of its tree heads, from its first contact on; a node cannot change it.
    key text,
    config text NOT NULL DEFAULT '',
    program text NOT NULL DEFAULT '',
    contact timestamptz
);

-- A tree of records, or of accesses: how far it has come here.
CREATE TABLE postvakt.tree (
    node smallint NOT NULL REFERENCES postvakt.node,
    kind text NOT NULL CHECK (kind IN ('record', 'access')),
    epoch int NOT NULL,
    size bigint NOT NULL DEFAULT 0,
    frontier bytea NOT NULL DEFAULT '',
    PRIMARY KEY (node, kind, epoch)
);

-- The records. A row that retention took has its leaf in `pruned` alone.
CREATE TABLE postvakt.record (
    node smallint NOT NULL,
    epoch int NOT NULL,
    seq bigint NOT NULL,
    -- The node's file that has it.
    month text NOT NULL,
    time bigint NOT NULL,
    -- The values of the leaf's fields in their order, columns and evidence. No text of PostgreSQL has a NUL: where a value has
    -- one, all values of the row are escaped as decode(…, 'escape') reads them.
    fields text[] NOT NULL,
    escaped boolean NOT NULL,
    form smallint NOT NULL,
    salt bytea NOT NULL,
    leaf bytea NOT NULL,
    -- What is remembered of the message, as the node has it.
    seen bytea,
    PRIMARY KEY (node, epoch, seq, time)
) PARTITION BY RANGE (time);
CREATE TABLE postvakt.record_else PARTITION OF postvakt.record DEFAULT;

CREATE TABLE postvakt.pruned (
    node smallint NOT NULL,
    epoch int NOT NULL,
    seq bigint NOT NULL,
    month text NOT NULL,
    leaf bytea NOT NULL,
    run bigint NOT NULL,
    PRIMARY KEY (node, epoch, seq)
);

-- A run of retention on a node; `run` is the number of its entry in the node's access log.
CREATE TABLE postvakt.run (
    node smallint NOT NULL REFERENCES postvakt.node,
    month text NOT NULL,
    run bigint NOT NULL,
    time bigint NOT NULL,
    decision text NOT NULL,
    records bigint NOT NULL,
    PRIMARY KEY (node, month, run)
);

-- The entries of the nodes' access logs. An entry that retention took leaves its leaf.
CREATE TABLE postvakt.entry (
    node smallint NOT NULL REFERENCES postvakt.node,
    epoch int NOT NULL,
    n bigint NOT NULL,
    time bigint NOT NULL,
    kind text NOT NULL,
    body text NOT NULL,
    escaped boolean NOT NULL,
    salt bytea NOT NULL,
    leaf bytea NOT NULL,
    PRIMARY KEY (node, epoch, n)
);
CREATE INDEX entry_kind ON postvakt.entry (kind, time);

-- Signed tree heads. `agrees` is whether the leaves that are here have this root; absent as long as too few are here.
CREATE TABLE postvakt.head (
    node smallint NOT NULL REFERENCES postvakt.node,
    kind text NOT NULL,
    epoch int NOT NULL,
    size bigint NOT NULL,
    root bytea NOT NULL,
    time timestamptz NOT NULL,
    note text NOT NULL,
    frontier bytea,
    agrees boolean,
    PRIMARY KEY (node, kind, epoch, size, root)
);

-- What other nodes signed of a head: each had seen the one before, and that this one goes on from it.
CREATE TABLE postvakt.cosignature (
    witness smallint NOT NULL REFERENCES postvakt.node,
    node smallint NOT NULL,
    kind text NOT NULL,
    epoch int NOT NULL,
    size bigint NOT NULL,
    root bytea NOT NULL,
    line text NOT NULL,
    PRIMARY KEY (witness, node, kind, epoch, size),
    FOREIGN KEY (node, kind, epoch, size, root) REFERENCES postvakt.head
);

-- The shared memory: where each message that came from outside is, by keyed hash.
CREATE TABLE postvakt.memory (
    key bytea NOT NULL,
    at bigint NOT NULL,
    node smallint NOT NULL,
    epoch int NOT NULL,
    seq bigint NOT NULL
);
CREATE INDEX memory_key ON postvakt.memory (key, at);
CREATE INDEX memory_place ON postvakt.memory (node, epoch, seq);
CREATE INDEX memory_at ON postvakt.memory USING brin (at);

-- Who is known to somebody inside, by keyed hash.
CREATE TABLE postvakt.contact (key bytea PRIMARY KEY, at bigint NOT NULL, node smallint NOT NULL);
CREATE INDEX contact_at ON postvakt.contact (at);

-- Which node sends a receipt or notice: the first one that asks, and no other one ever.
CREATE TABLE postvakt.claim (key bytea PRIMARY KEY, node smallint NOT NULL, at timestamptz NOT NULL DEFAULT now());

-- Receipts and notices that wait on a node, so that another one can send them when that one is gone.
CREATE TABLE postvakt.letter (
    node smallint NOT NULL REFERENCES postvakt.node,
    key bytea NOT NULL,
    kind text NOT NULL,
    at bigint NOT NULL,
    due bigint NOT NULL,
    until bigint NOT NULL,
    mailbox text NOT NULL,
    recipient text NOT NULL,
    reference text NOT NULL,
    message text NOT NULL,
    PRIMARY KEY (key)
);

-- Who speaks: the node of this login.
CREATE FUNCTION postvakt.own_node() RETURNS smallint LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE own smallint;
BEGIN
    SELECT id INTO own FROM postvakt.node WHERE login = session_user;
    IF own IS NULL THEN
        RAISE EXCEPTION 'the login % is no node''s', session_user USING ERRCODE = 'insufficient_privilege',
            HINT = 'run postvakt central add-node';
    END IF;
    RETURN own;
END $$;

-- A value as its leaf has it.
CREATE FUNCTION postvakt.octets(value text, escaped boolean) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN escaped THEN decode(value, 'escape') ELSE convert_to(value, 'UTF8') END
$$;

-- The leaf of a record or an entry (RFC 6962 §2.1, docs/log.md): computed here again, so that a node cannot send a row that is
-- not what its tree says.
CREATE FUNCTION postvakt.leaf(form int, number bigint, salt bytea, fields text[], escaped boolean) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256('\x00'::bytea || set_byte('\x00'::bytea, 0, form) || int8send(number) || sha256(string_agg(
        sha256(sha256(salt || set_byte('\x00'::bytea, 0, (place - 1)::int)) || postvakt.octets(value, escaped)),
        '' ORDER BY place)))
    FROM unnest(fields) WITH ORDINALITY AS field (value, place)
$$;

-- The frontier of a tree of `size` leaves after one more.
CREATE FUNCTION postvakt.push(size bigint, frontier bytea, leaf bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    hash bytea := leaf;
    rest bytea := frontier;
    left_over bigint := size;
BEGIN
    WHILE left_over & 1 = 1 LOOP
        hash := sha256('\x01'::bytea || substr(rest, length(rest) - 31) || hash);
        rest := substr(rest, 1, length(rest) - 32);
        left_over := left_over >> 1;
    END LOOP;
    RETURN rest || hash;
END $$;

-- The root of the tree with that frontier.
CREATE FUNCTION postvakt.root(frontier bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    hash bytea := substr(frontier, length(frontier) - 31);
    rest bytea := frontier;
BEGIN
    IF length(frontier) = 0 THEN
        RETURN sha256('');
    END IF;
    rest := substr(rest, 1, length(rest) - 32);
    WHILE length(rest) > 0 LOOP
        hash := sha256('\x01'::bytea || substr(rest, length(rest) - 31) || hash);
        rest := substr(rest, 1, length(rest) - 32);
    END LOOP;
    RETURN hash;
END $$;
