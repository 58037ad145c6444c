-- Version 1 of the central log. Nodes write by functions that run as the owner and may do nothing else; readers may read.
-- Times are milliseconds since 1970, lists are JSON, as in a node's own log: what a leaf was made of is here as it was there.

CREATE SCHEMA postvakt AUTHORIZATION postvakt_owner;
SET LOCAL ROLE postvakt_owner;
-- Functions may be executed by everyone unless that is taken away from all that the owner makes; per schema it cannot be.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA postvakt GRANT SELECT ON TABLES TO postvakt_reader;
GRANT USAGE ON SCHEMA postvakt TO postvakt_node, postvakt_reader;

CREATE TABLE postvakt.version (version int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), program text NOT NULL);

-- What the administrator of the database decides.
CREATE TABLE postvakt.setting (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- A node's retention run takes no record here that is younger, so that a taken node cannot make its traces go.
    keep_least_days int NOT NULL DEFAULT 30 CHECK (keep_least_days >= 0)
);
INSERT INTO postvakt.setting DEFAULT VALUES;

-- Who writes: a gateway with its log. A login speaks for one node, and no node for another one. A node without a login was
-- removed; its rows stay.
CREATE TABLE postvakt.node (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9-]{1,63}$'),
    login name UNIQUE,
    -- The public key of its tree heads, from its first contact on; a node cannot change it.
    key text,
    -- Another key that it says it has now.
    other_key text,
    config text NOT NULL DEFAULT '',
    program text NOT NULL DEFAULT '',
    -- What keeps it from sending a part of its log, by name.
    trouble text NOT NULL DEFAULT '',
    contact timestamptz
);

-- A tree of records, or of accesses: how far it has come here.
CREATE TABLE postvakt.tree (
    node smallint NOT NULL REFERENCES postvakt.node,
    kind text NOT NULL CHECK (kind IN ('record', 'access')),
    epoch int NOT NULL CHECK (epoch > 0),
    size bigint NOT NULL DEFAULT 0,
    -- The number of the last leaf: entries of the access log have numbers with gaps.
    last bigint NOT NULL DEFAULT 0,
    frontier bytea NOT NULL DEFAULT '',
    -- How many leaves the node said that it has.
    told bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (node, kind, epoch)
);

-- States of a tree on its way, so that the root at any size is found from the one before it.
CREATE TABLE postvakt.mark (
    node smallint NOT NULL,
    kind text NOT NULL,
    epoch int NOT NULL,
    size bigint NOT NULL,
    last bigint NOT NULL,
    frontier bytea NOT NULL,
    PRIMARY KEY (node, kind, epoch, size)
);

-- The records. A row that retention took has its leaf in `pruned` alone.
CREATE TABLE postvakt.record (
    node smallint NOT NULL,
    epoch int NOT NULL,
    seq bigint NOT NULL,
    -- The node's file that has it.
    month text NOT NULL CHECK (month ~ '^\d{4}-\d{2}(-\d{1,9})?$'),
    time bigint NOT NULL,
    -- The values of the leaf's fields in their order, columns and evidence. No text of PostgreSQL has a NUL: where a value has
    -- one, all values of the row are escaped as decode(…, 'escape') reads them.
    fields text[] NOT NULL,
    escaped boolean NOT NULL,
    form smallint NOT NULL CHECK (form BETWEEN 1 AND 255),
    salt bytea NOT NULL CHECK (length(salt) = 16),
    leaf bytea NOT NULL CHECK (length(leaf) = 32),
    -- What is remembered of the message, as the node has it.
    seen bytea,
    PRIMARY KEY (node, epoch, seq, time)
) PARTITION BY RANGE (time);
CREATE TABLE postvakt.record_else PARTITION OF postvakt.record DEFAULT;

CREATE TABLE postvakt.pruned (
    node smallint NOT NULL,
    epoch int NOT NULL,
    seq bigint NOT NULL,
    month text NOT NULL CHECK (month ~ '^\d{4}-\d{2}(-\d{1,9})?$'),
    leaf bytea NOT NULL CHECK (length(leaf) = 32),
    run bigint NOT NULL,
    PRIMARY KEY (node, epoch, seq)
);

-- A run of retention on a node; `run` is the number of its entry in the node's access log. The month of a run over that log
-- itself is `access`.
CREATE TABLE postvakt.run (
    node smallint NOT NULL REFERENCES postvakt.node,
    month text NOT NULL CHECK (month ~ '^\d{4}-\d{2}(-\d{1,9})?$' OR month = 'access'),
    run bigint NOT NULL,
    time bigint NOT NULL,
    decision text NOT NULL,
    records bigint NOT NULL,
    PRIMARY KEY (node, month, run)
);

-- The entries of the nodes' access logs. An entry that retention took leaves its leaf in `entry_pruned`.
CREATE TABLE postvakt.entry (
    node smallint NOT NULL REFERENCES postvakt.node,
    epoch int NOT NULL,
    n bigint NOT NULL,
    time bigint NOT NULL,
    kind text NOT NULL,
    body text NOT NULL,
    escaped boolean NOT NULL,
    salt bytea NOT NULL CHECK (length(salt) = 16),
    leaf bytea NOT NULL CHECK (length(leaf) = 32),
    PRIMARY KEY (node, epoch, n)
);
CREATE INDEX entry_kind ON postvakt.entry (kind, time);

CREATE TABLE postvakt.entry_pruned (
    node smallint NOT NULL REFERENCES postvakt.node,
    epoch int NOT NULL,
    n bigint NOT NULL,
    leaf bytea NOT NULL CHECK (length(leaf) = 32),
    run bigint NOT NULL,
    PRIMARY KEY (node, epoch, n)
);

-- Signed tree heads. `agrees` is whether the leaves that are here have this root; absent as long as too few are here.
CREATE TABLE postvakt.head (
    node smallint NOT NULL REFERENCES postvakt.node,
    kind text NOT NULL CHECK (kind IN ('record', 'access')),
    epoch int NOT NULL,
    size bigint NOT NULL,
    root bytea NOT NULL CHECK (length(root) = 32),
    time timestamptz NOT NULL,
    note text NOT NULL CHECK (length(note) <= 4096),
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
CREATE TABLE postvakt.contact (
    key bytea PRIMARY KEY CHECK (length(key) = 16),
    at bigint NOT NULL,
    node smallint NOT NULL
);
CREATE INDEX contact_at ON postvakt.contact (at);

-- Up to which row of a month file its contacts are here.
CREATE TABLE postvakt.contact_place (
    node smallint NOT NULL REFERENCES postvakt.node,
    month text NOT NULL CHECK (month ~ '^\d{4}-\d{2}(-\d{1,9})?$'),
    place bigint NOT NULL,
    PRIMARY KEY (node, month)
);

-- Errors have codes of their own: PV001 no node's login, PV002 another node's name, PV003 other leaves before, PV004 a row that
-- does not have its leaf, PV005 a run of retention that nothing tells of, PV006 records too young for it.
--
-- What is executed by a node runs as the owner, names everything in full, and looks for types in the session's temporary tables
-- last.

-- Who speaks: the node of this login.
CREATE FUNCTION postvakt.own_node() RETURNS smallint LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE own smallint;
BEGIN
    SELECT id INTO own FROM postvakt.node WHERE login = session_user;
    IF own IS NULL THEN
        RAISE EXCEPTION 'the login % is no node''s', session_user
            USING ERRCODE = 'PV001', HINT = 'run postvakt central add-node';
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
CREATE FUNCTION postvakt.push(size bigint, frontier bytea, leaf bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
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

-- The partition of the month in which that is, unless it is there. Odd times have none of their own, nor has a month for which a
-- lock does not come: their rows go to `record_else`.
CREATE FUNCTION postvakt.make_partition(at bigint) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    first timestamp := date_trunc('month', to_timestamp(at / 1000) AT TIME ZONE 'UTC');
    name text := 'record_' || to_char(first, 'YYYY_MM');
BEGIN
    IF at NOT BETWEEN 1420070400000 AND extract(epoch FROM now() + interval '40 days') * 1000
        OR to_regclass('postvakt.' || name) IS NOT NULL THEN
        RETURN;
    END IF;
    -- One that is attached locks the table less than one that is made there.
    EXECUTE format('CREATE TABLE postvakt.%I (LIKE postvakt.record INCLUDING ALL)', name);
    EXECUTE format('ALTER TABLE postvakt.record ATTACH PARTITION postvakt.%I FOR VALUES FROM (%s) TO (%s)', name,
        extract(epoch FROM first AT TIME ZONE 'UTC')::bigint * 1000,
        extract(epoch FROM (first + interval '1 month') AT TIME ZONE 'UTC')::bigint * 1000);
EXCEPTION
    -- A long reader is in the way, another node makes it just now, or `record_else` has rows of that month.
    WHEN lock_not_available OR duplicate_table OR unique_violation OR check_violation OR deadlock_detected THEN NULL;
END $$;

-- A word that a node says of itself, without what would change a terminal.
CREATE FUNCTION postvakt.plain(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT left(regexp_replace($1, '[^A-Za-z0-9 ._+-]', '', 'g'), 64)
$$;

-- A node says who it is and how many leaves it has. The answer is the version of the schema.
CREATE FUNCTION postvakt.hello(
    own_name text, own_program text, own_config text, own_key text, own_trouble text,
    kinds text[], epochs int[], sizes bigint[]
) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own smallint := postvakt.own_node();
    named text;
BEGIN
    SELECT name INTO named FROM postvakt.node WHERE id = own;
    IF named <> own_name THEN
        RAISE EXCEPTION 'the login % speaks for node %, and this is node %', session_user, named, own_name
            USING ERRCODE = 'PV002', HINT = 'give each node a login of its own';
    END IF;
    UPDATE postvakt.node SET
        key = coalesce(key, own_key),
        other_key = CASE WHEN own_key IS NULL OR own_key = coalesce(key, own_key) THEN other_key ELSE own_key END,
        config = postvakt.plain(own_config), program = postvakt.plain(own_program), trouble = postvakt.plain(own_trouble),
        contact = now()
    WHERE id = own;
    INSERT INTO postvakt.tree (node, kind, epoch, told)
        SELECT own, kind, epoch, least(greatest(size, 0), 1000000000000000)
            FROM unnest(kinds, epochs, sizes) AS told (kind, epoch, size)
        ON CONFLICT (node, kind, epoch) DO UPDATE SET told = excluded.told;
    PERFORM postvakt.make_partition((extract(epoch FROM now()) * 1000)::bigint);
    PERFORM postvakt.make_partition((extract(epoch FROM now() + interval '20 days') * 1000)::bigint);
    RETURN (SELECT max(version) FROM postvakt.version);
END $$;

-- How far each of the node's trees has come here, with its root, and the size of the newest head.
CREATE FUNCTION postvakt.state() RETURNS TABLE (kind text, epoch int, size bigint, root bytea, head bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE own smallint := postvakt.own_node();
BEGIN
    RETURN QUERY SELECT t.kind, t.epoch, t.size, postvakt.root(t.frontier),
        coalesce((SELECT max(h.size) FROM postvakt.head h WHERE h.node = own AND h.kind = t.kind AND h.epoch = t.epoch), 0)
    FROM postvakt.tree t WHERE t.node = own;
END $$;

-- Locks a tree of the node, and tells how it is.
CREATE FUNCTION postvakt.lock_tree(own smallint, of_kind text, of_epoch int) RETURNS postvakt.tree LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE here postvakt.tree;
BEGIN
    INSERT INTO postvakt.tree (node, kind, epoch) VALUES (own, of_kind, of_epoch) ON CONFLICT DO NOTHING;
    SELECT * INTO here FROM postvakt.tree WHERE node = own AND kind = of_kind AND epoch = of_epoch FOR UPDATE;
    RETURN here;
END $$;

-- Notes how a tree is now, and compares the heads of this size that have waited for it.
CREATE FUNCTION postvakt.compare_head(own smallint, of_kind text, of_epoch int, at bigint, now_root bytea, state bytea)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE postvakt.head SET agrees = (root = now_root), frontier = state
    WHERE node = own AND kind = of_kind AND epoch = of_epoch AND size = at AND agrees IS NULL
$$;

-- The sizes of heads that wait for the next leaves.
CREATE FUNCTION postvakt.waiting_heads(own smallint, of_kind text, of_epoch int, after bigint, up_to bigint)
RETURNS bigint[] LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT size), '{}') FROM postvakt.head
    WHERE node = own AND kind = of_kind AND epoch = of_epoch AND agrees IS NULL AND size > after AND size <= up_to
$$;

-- Notes how far a tree has come, and from time to time its state.
CREATE FUNCTION postvakt.advance(before postvakt.tree, now_size bigint, now_last bigint, state bytea) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE postvakt.tree SET size = now_size, last = now_last, frontier = state, told = greatest(told, now_size)
    WHERE node = before.node AND kind = before.kind AND epoch = before.epoch;
    IF now_size >> 10 > before.size >> 10 THEN
        INSERT INTO postvakt.mark VALUES (before.node, before.kind, before.epoch, now_size, now_last, state);
    END IF;
END $$;

-- Adds records to a tree of the node: all of them, if the first one is the next one here. The answer is the number of the next
-- one that is wanted. `before` is the root of the leaves before the first one. A row is a JSON array of its fields; one that
-- retention took has none, and its run instead.
CREATE FUNCTION postvakt.append(
    of_epoch int, from_seq bigint, before bytea, months text[], forms smallint[], salts bytea[], rows text[],
    escapes boolean[], leaves bytea[], runs bigint[], seens bytea[]
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own smallint := postvakt.own_node();
    here postvakt.tree := postvakt.lock_tree(own, 'record', of_epoch);
    size bigint := here.size;
    state bytea := here.frontier;
    waiting bigint[];
    made text := '';
    item record;
    texts text[];
    at bigint;
BEGIN
    IF from_seq IS DISTINCT FROM size + 1 THEN
        RETURN size + 1;
    END IF;
    IF before IS DISTINCT FROM postvakt.root(state) THEN
        RAISE EXCEPTION 'epoch % has other records here before number %', of_epoch, from_seq USING ERRCODE = 'PV003';
    END IF;
    waiting := postvakt.waiting_heads(own, 'record', of_epoch, size, size + cardinality(leaves));
    FOR item IN SELECT * FROM unnest(months, forms, salts, rows, escapes, leaves, runs, seens)
        AS sent (month, form, salt, fields, escaped, leaf, run, seen)
    LOOP
        size := size + 1;
        IF item.fields IS NULL THEN
            INSERT INTO postvakt.pruned VALUES (own, of_epoch, size, item.month, item.leaf, item.run);
        ELSE
            SELECT array_agg(value ORDER BY place) INTO texts
                FROM json_array_elements_text(item.fields::json) WITH ORDINALITY AS field (value, place);
            IF postvakt.leaf(item.form, size, item.salt, texts, item.escaped) IS DISTINCT FROM item.leaf THEN
                RAISE EXCEPTION 'record % of epoch % is not what its leaf says', size, of_epoch
                    USING ERRCODE = 'PV004', DETAIL = size::text;
            END IF;
            at := texts[1]::bigint;
            IF item.month <> made THEN
                PERFORM postvakt.make_partition(at);
                made := item.month;
            END IF;
            INSERT INTO postvakt.record VALUES (own, of_epoch, size, item.month, at, texts, item.escaped, item.form, item.salt,
                item.leaf, item.seen);
        END IF;
        state := postvakt.push(size - 1, state, item.leaf);
        IF size = ANY (waiting) THEN
            PERFORM postvakt.compare_head(own, 'record', of_epoch, size, postvakt.root(state), state);
        END IF;
    END LOOP;
    PERFORM postvakt.advance(here, size, size, state);
    RETURN size + 1;
END $$;

-- The same with entries of the access log. They are counted by their place in the tree, from 1; the answer is the next place.
CREATE FUNCTION postvakt.append_entries(
    of_epoch int, from_place bigint, before bytea, numbers bigint[], times bigint[], kinds text[], bodies text[],
    escapes boolean[], salts bytea[], leaves bytea[], runs bigint[]
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own smallint := postvakt.own_node();
    here postvakt.tree := postvakt.lock_tree(own, 'access', of_epoch);
    size bigint := here.size;
    last bigint := here.last;
    state bytea := here.frontier;
    waiting bigint[];
    item record;
BEGIN
    IF from_place IS DISTINCT FROM size + 1 THEN
        RETURN size + 1;
    END IF;
    IF before IS DISTINCT FROM postvakt.root(state) THEN
        RAISE EXCEPTION 'epoch % of the access log has other entries here before place %', of_epoch, from_place
            USING ERRCODE = 'PV003';
    END IF;
    waiting := postvakt.waiting_heads(own, 'access', of_epoch, size, size + cardinality(leaves));
    FOR item IN SELECT * FROM unnest(numbers, times, kinds, bodies, escapes, salts, leaves, runs)
        AS sent (n, time, kind, body, escaped, salt, leaf, run)
    LOOP
        size := size + 1;
        IF item.n <= last THEN
            RAISE EXCEPTION 'entry % follows entry %', item.n, last USING ERRCODE = 'PV003';
        END IF;
        last := item.n;
        IF item.body IS NULL THEN
            INSERT INTO postvakt.entry_pruned VALUES (own, of_epoch, item.n, item.leaf, item.run);
        ELSE
            IF postvakt.leaf(1, item.n, item.salt, ARRAY[item.time::text, item.kind, item.body], item.escaped)
                IS DISTINCT FROM item.leaf THEN
                RAISE EXCEPTION 'entry % of the access log is not what its leaf says', item.n
                    USING ERRCODE = 'PV004', DETAIL = item.n::text;
            END IF;
            INSERT INTO postvakt.entry VALUES (own, of_epoch, item.n, item.time, item.kind, item.body, item.escaped, item.salt,
                item.leaf);
        END IF;
        state := postvakt.push(size - 1, state, item.leaf);
        IF size = ANY (waiting) THEN
            PERFORM postvakt.compare_head(own, 'access', of_epoch, size, postvakt.root(state), state);
        END IF;
    END LOOP;
    PERFORM postvakt.advance(here, size, last, state);
    RETURN size + 1;
END $$;

-- Compares the heads of a tree whose leaves are all here.
CREATE FUNCTION postvakt.compare_heads(own smallint, of_kind text, of_epoch int) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    here postvakt.tree := postvakt.lock_tree(own, of_kind, of_epoch);
    known postvakt.mark;
    state bytea := '';
    size bigint := 0;
    last bigint := 0;
    wanted bigint;
    item record;
BEGIN
    FOREACH wanted IN ARRAY postvakt.waiting_heads(own, of_kind, of_epoch, -1, here.size) LOOP
        IF wanted = here.size THEN
            PERFORM postvakt.compare_head(own, of_kind, of_epoch, wanted, postvakt.root(here.frontier), here.frontier);
            CONTINUE;
        END IF;
        SELECT * INTO known FROM postvakt.mark m
            WHERE m.node = own AND m.kind = of_kind AND m.epoch = of_epoch AND m.size <= wanted ORDER BY m.size DESC LIMIT 1;
        IF known.size > size OR size > wanted THEN
            size := coalesce(known.size, 0);
            last := coalesce(known.last, 0);
            state := coalesce(known.frontier, '');
        END IF;
        FOR item IN SELECT * FROM (
            SELECT seq AS number, leaf FROM postvakt.record
                WHERE of_kind = 'record' AND node = own AND epoch = of_epoch AND seq > last AND seq <= wanted
            UNION ALL SELECT seq, leaf FROM postvakt.pruned
                WHERE of_kind = 'record' AND node = own AND epoch = of_epoch AND seq > last AND seq <= wanted
            UNION ALL SELECT n, leaf FROM postvakt.entry
                WHERE of_kind = 'access' AND node = own AND epoch = of_epoch AND n > last
            UNION ALL SELECT n, leaf FROM postvakt.entry_pruned
                WHERE of_kind = 'access' AND node = own AND epoch = of_epoch AND n > last
        ) AS leaves ORDER BY number LIMIT wanted - size
        LOOP
            state := postvakt.push(size, state, item.leaf);
            size := size + 1;
            last := item.number;
        END LOOP;
        PERFORM postvakt.compare_head(own, of_kind, of_epoch, wanted, postvakt.root(state), state);
    END LOOP;
END $$;

-- Takes signed tree heads of the node. The answer is how many of all that it ever sent are not what the leaves here say.
CREATE FUNCTION postvakt.add_heads(notes text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own smallint := postvakt.own_node();
    item record;
BEGIN
    FOR item IN
        WITH line AS (
            SELECT note, string_to_array(note, E'\n') AS lines, 'postvakt/' || name AS own_name
            FROM unnest(notes) AS sent (note), postvakt.node WHERE id = own
        ), parsed AS (
            SELECT note, lines, substr(lines[1], length(own_name) + 1) AS tree,
                substring(note FROM E'\ntime ([^\n]+)\n') AS time
            FROM line WHERE starts_with(lines[1], own_name || '/')
        )
        SELECT CASE WHEN tree ~ '^/access' THEN 'access' ELSE 'record' END AS kind,
            CASE tree WHEN '/access' THEN 1 ELSE substring(tree FROM '(\d{1,9})$')::int END AS epoch,
            lines[2]::bigint AS size, decode(lines[3], 'base64') AS root, time::timestamptz AS time, note
        FROM parsed WHERE tree ~ '^/access(/\d{1,9})?$' OR tree ~ '^/\d{1,9}$'
    LOOP
        INSERT INTO postvakt.head (node, kind, epoch, size, root, time, note)
            VALUES (own, item.kind, item.epoch, item.size, item.root, item.time, item.note) ON CONFLICT DO NOTHING;
    END LOOP;
    FOR item IN SELECT DISTINCT kind, epoch FROM postvakt.head WHERE node = own AND agrees IS NULL ORDER BY kind, epoch LOOP
        PERFORM postvakt.compare_heads(own, item.kind, item.epoch);
    END LOOP;
    RETURN (SELECT count(*) FROM postvakt.head WHERE node = own AND NOT agrees);
END $$;

-- The runs of retention of the node that are done here.
CREATE FUNCTION postvakt.runs() RETURNS TABLE (month text, run bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE own smallint := postvakt.own_node();
BEGIN
    RETURN QUERY SELECT r.month, r.run FROM postvakt.run r WHERE r.node = own;
END $$;

-- The digest by which an entry of the access log names numbers.
CREATE FUNCTION postvakt.digest(numbers bigint[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(sha256(coalesce(string_agg(int8send(number), '' ORDER BY number), '')), 'hex') FROM unnest(numbers) AS number
$$;

-- What the node's access log tells of a run, as it is here: the newest entry of that number and kind.
CREATE FUNCTION postvakt.told_of(own smallint, of_kind text, number bigint) RETURNS json LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE told json;
BEGIN
    SELECT body::json INTO told FROM postvakt.entry
        WHERE node = own AND n = number AND kind = of_kind AND NOT escaped ORDER BY epoch DESC LIMIT 1;
    IF told IS NULL THEN
        RAISE EXCEPTION 'no entry of the access log that is here tells of run %', number USING ERRCODE = 'PV005';
    END IF;
    RETURN told;
END $$;

-- The time before which a run may take what is here.
CREATE FUNCTION postvakt.may_go_before() RETURNS bigint LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT (extract(epoch FROM now() - make_interval(days => keep_least_days)) * 1000)::bigint FROM postvakt.setting
$$;

-- Does here what a run of retention did on the node: values and salts go, leaves stay. The node's access log has to tell of these
-- very records, and none may be younger than the database's administrator allows. What is remembered of messages before
-- `forget` goes too.
CREATE FUNCTION postvakt.prune(
    of_epoch int, of_month text, of_run bigint, at bigint, by_decision text, numbers bigint[], forget bigint
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own smallint := postvakt.own_node();
    told json := postvakt.told_of(own, 'retention', of_run);
    gone bigint;
BEGIN
    PERFORM postvakt.lock_tree(own, 'record', of_epoch);
    IF NOT EXISTS (SELECT FROM json_array_elements(told -> 'files') AS file
            WHERE file ->> 'month' = of_month AND file ->> 'digest' = postvakt.digest(numbers)) THEN
        RAISE EXCEPTION 'entry % of the access log tells of other records in %', of_run, of_month USING ERRCODE = 'PV005';
    END IF;
    IF EXISTS (SELECT FROM postvakt.record
            WHERE node = own AND epoch = of_epoch AND seq = ANY (numbers) AND time >= postvakt.may_go_before()) THEN
        RAISE EXCEPTION 'run % takes records that are younger than % days', of_run,
            (SELECT keep_least_days FROM postvakt.setting) USING ERRCODE = 'PV006', HINT = 'run postvakt central keep-least';
    END IF;
    WITH taken AS (
        DELETE FROM postvakt.record WHERE node = own AND epoch = of_epoch AND seq = ANY (numbers) RETURNING seq, month, leaf
    )
    INSERT INTO postvakt.pruned SELECT own, of_epoch, seq, month, leaf, of_run FROM taken;
    GET DIAGNOSTICS gone = ROW_COUNT;
    DELETE FROM postvakt.memory WHERE node = own AND epoch = of_epoch AND seq = ANY (numbers);
    forget := least(forget, postvakt.may_go_before());
    UPDATE postvakt.record SET seen = NULL WHERE node = own AND epoch = of_epoch AND month = of_month AND time < forget
        AND seen IS NOT NULL;
    INSERT INTO postvakt.run VALUES (own, of_month, of_run, at, by_decision, cardinality(numbers)) ON CONFLICT DO NOTHING;
    RETURN gone;
END $$;

-- The same for entries of the access log itself.
CREATE FUNCTION postvakt.prune_entries(of_run bigint, at bigint, by_decision text, numbers bigint[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own smallint := postvakt.own_node();
    told json := postvakt.told_of(own, 'access-retention', of_run);
    gone bigint;
BEGIN
    IF told ->> 'digest' IS DISTINCT FROM postvakt.digest(numbers) THEN
        RAISE EXCEPTION 'entry % of the access log tells of other entries', of_run USING ERRCODE = 'PV005';
    END IF;
    IF EXISTS (SELECT FROM postvakt.entry WHERE node = own AND n = ANY (numbers) AND time >= postvakt.may_go_before()) THEN
        RAISE EXCEPTION 'run % takes entries that are younger than % days', of_run,
            (SELECT keep_least_days FROM postvakt.setting) USING ERRCODE = 'PV006', HINT = 'run postvakt central keep-least';
    END IF;
    WITH taken AS (
        DELETE FROM postvakt.entry WHERE node = own AND n = ANY (numbers) RETURNING epoch, n, leaf
    )
    INSERT INTO postvakt.entry_pruned SELECT own, epoch, n, leaf, of_run FROM taken;
    GET DIAGNOSTICS gone = ROW_COUNT;
    INSERT INTO postvakt.run VALUES (own, 'access', of_run, at, by_decision, cardinality(numbers)) ON CONFLICT DO NOTHING;
    RETURN gone;
END $$;

-- Up to which row each month file's contacts are here.
CREATE FUNCTION postvakt.contact_places() RETURNS TABLE (month text, place bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE own smallint := postvakt.own_node();
BEGIN
    RETURN QUERY SELECT c.month, c.place FROM postvakt.contact_place c WHERE c.node = own;
END $$;

-- Takes contacts from a month file, up to that row.
CREATE FUNCTION postvakt.add_contacts(of_month text, up_to bigint, keys bytea[], times bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE own smallint := postvakt.own_node();
BEGIN
    INSERT INTO postvakt.contact
        -- A time ahead would be the newest for ever.
        SELECT key, max(least(at, (extract(epoch FROM now() + interval '1 hour') * 1000)::bigint)), own FROM unnest(keys, times) AS sent (key, at) GROUP BY key ORDER BY key
        ON CONFLICT (key) DO UPDATE SET at = excluded.at, node = own WHERE contact.at < excluded.at;
    INSERT INTO postvakt.contact_place VALUES (own, of_month, up_to)
        ON CONFLICT (node, month) DO UPDATE SET place = greatest(contact_place.place, excluded.place);
END $$;

GRANT EXECUTE ON FUNCTION
    postvakt.own_node(), postvakt.hello(text, text, text, text, text, text[], int[], bigint[]), postvakt.state(),
    postvakt.append(int, bigint, bytea, text[], smallint[], bytea[], text[], boolean[], bytea[], bigint[], bytea[]),
    postvakt.append_entries(int, bigint, bytea, bigint[], bigint[], text[], text[], boolean[], bytea[], bytea[], bigint[]),
    postvakt.add_heads(text[]), postvakt.runs(), postvakt.prune(int, text, bigint, bigint, text, bigint[], bigint),
    postvakt.prune_entries(bigint, bigint, text, bigint[]), postvakt.contact_places(),
    postvakt.add_contacts(text, bigint, bytea[], bigint[])
TO postvakt_node;
GRANT EXECUTE ON FUNCTION
    postvakt.octets(text, boolean), postvakt.leaf(int, bigint, bytea, text[], boolean), postvakt.push(bigint, bytea, bytea),
    postvakt.root(bytea)
TO postvakt_reader;
