//! What whoever takes a node can do at the centre with its password: add to its own log, and nothing else. And who cannot be
//! taken for the centre.

use std::process::Command;

use super::*;
use crate::lab::{certify, run};

const SIZES: &str = "SELECT coalesce(sum(size), 0) FROM postvakt.tree WHERE kind = 'record'";

/// A cluster with two nodes, the first of which has sent some records; that node, stopped.
async fn two_nodes() -> Cluster {
    let cluster = Cluster::start();
    let mut node = Node::start(&cluster, "gw1", &cluster.home.join("gw1"));
    cluster.add_node("gw2");
    node.mail(20, "hemligt").await;
    wait_for(&cluster, SIZES, "20");
    node.stop().await;
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_node_can_neither_read_nor_change_what_is_there() {
    let cluster = two_nodes().await;
    let tables = cluster.sql("SELECT c.oid::regclass FROM pg_class c WHERE relnamespace = 'postvakt'::regnamespace AND relkind IN ('r', 'p')");
    assert!(tables.lines().count() > 15, "{tables}");
    for table in tables.lines() {
        for sql in
            ["SELECT count(*) FROM", "DELETE FROM", "TRUNCATE", "DROP TABLE", "COPY (TABLE", "INSERT INTO"]
        {
            let rest = match sql {
                "COPY (TABLE" => ") TO STDOUT",
                "INSERT INTO" => " DEFAULT VALUES",
                _ => "",
            };
            let refused = cluster.as_node("gw1", &format!("{sql} {table}{rest}")).unwrap_err();
            assert!(
                refused.contains("permission denied") || refused.contains("must be owner"),
                "{sql} {table}: {refused}"
            );
        }
    }
    for sql in [
        "UPDATE postvakt.tree SET size = 0",
        "UPDATE postvakt.node SET login = 'postvakt_gw2'",
        "SET ROLE postvakt_owner",
        "SET ROLE postvakt_reader",
        "SET SESSION AUTHORIZATION postvakt_gw2",
        "CREATE TABLE postvakt.own (a int)",
        "CREATE FUNCTION postvakt.root(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
        "ALTER FUNCTION postvakt.own_node() SECURITY INVOKER",
        "CREATE ROLE another",
    ] {
        let refused = cluster.as_node("gw1", sql).unwrap_err();
        assert!(
            refused.contains("ermission denied") || refused.contains("must be owner"),
            "{sql}: {refused}"
        );
    }
    // What may be executed is what is meant to be.
    let may = "SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'postvakt'::regnamespace \
               AND has_function_privilege(oid, 'EXECUTE')";
    assert_eq!(
        cluster.as_node("gw1", may).unwrap(),
        "add_contacts add_heads add_letter append append_entries claim contact_places drop_letters follow_contacts \
         follow_memory hello holds letters own_node prune prune_entries recall runs share_memory state take_letters"
    );
    // A login that is no node's, and a node that was removed, may not even that.
    cluster.administer(&["remove-node", "gw2"]);
    let refused = cluster.as_node("gw2", "SELECT * FROM postvakt.state()").unwrap_err();
    assert!(refused.contains("permission denied"), "{refused}");
    cluster.sql("GRANT postvakt_node TO postvakt_gw2");
    let refused = cluster.as_node("gw2", "SELECT * FROM postvakt.state()").unwrap_err();
    assert!(refused.contains("is no node"), "{refused}");
}

/// An array of that text with as many elements as are wanted.
fn call(epoch: u32, from: u64, before: &str, leaf: &str) -> String {
    format!(
        "SELECT postvakt.append({epoch}, {from}, {before}, '{{2026-08}}', NULL, NULL, ARRAY[NULL]::text[], '{{f}}', \
         ARRAY[{leaf}]::bytea[], '{{7}}', NULL)"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_node_can_neither_rewind_nor_replace_nor_write_as_another() {
    let cluster = two_nodes().await;
    let leaf = "decode(repeat('ab', 32), 'hex')";
    let now =
        "SELECT encode(postvakt.root(frontier), 'hex') || size FROM postvakt.tree WHERE kind = 'record'";
    let before = cluster.sql(now);
    let records = cluster.sql("SELECT md5(string_agg(r::text, '' ORDER BY seq)) FROM postvakt.record r");
    // From an earlier place: nothing is written, and the answer is the next one.
    for from in [0_u64, 1, 20, 22, 1_000] {
        assert_eq!(cluster.as_node("gw1", &call(1, from, leaf, leaf)).unwrap(), "21");
    }
    // From the next place, on other records before it.
    let refused = cluster.as_node("gw1", &call(1, 21, leaf, leaf)).unwrap_err();
    assert!(refused.contains("has other records here before number 21"), "{refused}");
    assert_eq!(cluster.sql(now), before);
    // As another node.
    let hello =
        |name: &str| format!("SELECT postvakt.hello('{name}', '', '', NULL, '', '{{}}', '{{}}', '{{}}')");
    assert!(cluster.as_node("gw1", &hello("gw1")).is_ok());
    let refused = cluster.as_node("gw1", &hello("gw2")).unwrap_err();
    assert!(refused.contains("speaks for node gw1, and this is node gw2"), "{refused}");
    // A head of another node's tree is not taken.
    let head = |name: &str| {
        format!(
            "SELECT postvakt.add_heads(ARRAY[E'postvakt/{name}/1\\n5\\n' || encode({leaf}, 'base64') || \
             E'\\ntime 2026-11-30T12:00:00Z\\n\\n— x y\\n'])"
        )
    };
    assert_eq!(cluster.as_node("gw1", &head("gw2")).unwrap(), "0");
    assert_eq!(cluster.sql("SELECT count(*) FROM postvakt.head WHERE node <> (SELECT id FROM postvakt.node WHERE name = 'gw1')"), "0");
    // One of its own that says something else is kept, and told of.
    assert_eq!(cluster.as_node("gw1", &head("gw1")).unwrap(), "1");
    // Its key stays what it was, whether the node had signed anything before it was stopped or not.
    cluster.sql("UPDATE postvakt.node SET key = 'first' WHERE name = 'gw1'");
    for key in ["first", "another"] {
        let hello = format!("SELECT postvakt.hello('gw1', '', '', '{key}', '', '{{}}', '{{}}', '{{}}')");
        assert!(cluster.as_node("gw1", &hello).is_ok());
    }
    let keys = "SELECT key || ' ' || other_key FROM postvakt.node WHERE name = 'gw1'";
    assert_eq!(cluster.sql(keys), "first another");
    cluster.administer(&["add-node", "gw1", "--login", "postvakt_gw1", "--new-key"]);
    assert_eq!(
        cluster.sql("SELECT key FROM postvakt.node WHERE name = 'gw1' AND other_key IS NULL"),
        "another"
    );
    // A run of retention that nothing tells of, and one that it tells of itself, over records that are young.
    let prune = "SELECT postvakt.prune(1, (SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')), 1, 0, '', '{1,2,3}', 0)";
    let refused = cluster.as_node("gw1", prune).unwrap_err();
    assert!(refused.contains("no entry of the access log"), "{refused}");
    let (salt, month) = ("decode(repeat('00', 16), 'hex')", "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')");
    let digest = "encode(sha256(int8send(1) || int8send(2) || int8send(3)), 'hex')";
    let body = cluster.sql(&format!(
        "SELECT json_build_object('files', json_build_array(json_build_object('month', {month}, 'digest', {digest})))"
    ));
    let of_entry =
        cluster.sql(&format!("SELECT postvakt.leaf(1, 1, {salt}, ARRAY['0', 'retention', '{body}'], false)"));
    let entry = format!(
        "SELECT postvakt.append_entries(1, 1, sha256(''), '{{1}}', '{{0}}', '{{retention}}', ARRAY['{body}'], '{{f}}', ARRAY[{salt}], \
         ARRAY['{of_entry}']::bytea[], ARRAY[NULL]::bigint[])"
    );
    assert_eq!(cluster.as_node("gw1", &entry).unwrap(), "2");
    let refused = cluster.as_node("gw1", prune).unwrap_err();
    assert!(refused.contains("younger than 30 days"), "{refused}");
    let other = prune.replace("{1,2,3}", "{1,2}");
    let refused = cluster.as_node("gw1", &other).unwrap_err();
    assert!(refused.contains("tells of other records"), "{refused}");
    assert_eq!(
        cluster.sql("SELECT md5(string_agg(r::text, '' ORDER BY seq)) FROM postvakt.record r"),
        records
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_a_session_makes_of_its_own_are_not_used() {
    let cluster = two_nodes().await;
    // Temporary objects with the names of what the functions use.
    let own = "CREATE TEMP TABLE node (id smallint, name text, login name); CREATE DOMAIN pg_temp.text AS int; \
               CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT NULL::bytea'; \
               SET search_path = pg_temp, postvakt; ";
    let answer =
        cluster.as_node("gw1", &format!("{own} SELECT size FROM postvakt.state() WHERE kind = 'record'"));
    assert_eq!(answer.unwrap(), "20");
    let leaf = "decode(repeat('ab', 32), 'hex')";
    let refused = cluster.as_node("gw1", &format!("{own} {}", call(1, 21, leaf, leaf))).unwrap_err();
    assert!(refused.contains("has other records here"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_certificate_gets_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (right, wrong) = (directory.path().join("right"), directory.path().join("wrong"));
    for folder in [&right, &wrong] {
        fs::create_dir(folder).unwrap();
        certify(folder, "ca");
        let script = "openssl req -newkey rsa:2048 -nodes -subj /CN=db -keyout server.key -out csr.pem && \
                      printf 'subjectAltName=IP:127.0.0.1' > san && \
                      openssl x509 -req -in csr.pem -CA cert.pem -CAkey key.pem -days 2 -extfile san -out server.pem";
        run(Command::new("sh").args(["-c", script]).current_dir(folder));
    }
    let mut cluster =
        Cluster::laid_out(&["ssl=on", "ssl_cert_file=../server.pem", "ssl_key_file=../server.key"]);
    run(Command::new("install")
        .args(["-o", "postgres", "-m", "600"])
        .arg(right.join("server.pem"))
        .arg(right.join("server.key"))
        .arg(cluster.own()));
    cluster.up();
    cluster.create();
    cluster.administer(&["init"]);
    cluster.add_node("gw1");
    let url = format!("{}?sslmode=verify-full", cluster.url());
    let path = cluster.home.join("gw1");
    let store = Store::open(&path, "gw1").unwrap();
    let start = |ca: &Path| {
        let central = Central {
            database: database(&url).unwrap(),
            ca_file: Some(ca.join("cert.pem")),
            ..cluster.central("gw1")
        };
        Shipper::start(&store, Some(&central), "gw1", Arc::new(|| "0".to_owned())).unwrap().unwrap()
    };
    let unreachable =
        || postvakt::metrics::METRICS.central_failures.with_label_values(&["unreachable"]).get();
    let before = unreachable();
    let shipper = start(&wrong);
    store.commit(Entry::of(of_now("prov"))).await.unwrap();
    until("the certificate to be refused", &cluster, || (unreachable() > before).then_some(()));
    assert_eq!(cluster.sql("SELECT contact FROM postvakt.node"), "");
    shipper.stop().await;
    let shipper = start(&right);
    wait_for(&cluster, SIZES, "1");
    let sealed = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'postvakt_gw1'";
    assert_eq!(cluster.sql(sealed), "t");
    shipper.stop().await;
    store.close().await;
}
