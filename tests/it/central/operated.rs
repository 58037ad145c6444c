//! The central log as it is run: set up by the command line, away while mail comes, looked at by a reader.

use std::process::{Command, Output};

use serde_json::Value;

use super::*;
use crate::lab::program::PROGRAM;
use crate::lab::{Directory, Lab, message, run};

const FROM: &str = "x@example.org";
const TO: &str = "anna@exempelby.se";

fn central(config: &Path, arguments: &[&str]) -> Output {
    Command::new(PROGRAM).arg("central").args(arguments).arg("--config").arg(config).output().unwrap()
}

#[test]
fn mail_flows_while_the_centre_is_away_and_all_of_it_arrives() {
    let mut cluster = Cluster::laid_out(&[]);
    let directory = Directory::new();
    let home = directory.path.clone();
    let password = secret(&home.join("central.password"), "hemligt-gw1\n");
    let reader = secret(&home.join("reader.password"), "hemligt-log\n");
    let rules = format!(
        "[central]\nurl = \"{}\"\nlogin = \"postvakt_gw1\"\npassword_file = \"{}\"\nreader_login = \"postvakt_log\"\n\
         reader_password_file = \"{}\"\n",
        cluster.url(),
        password.display(),
        reader.display()
    );
    // Away from the start.
    let lab = Lab::start_in(directory, &rules);
    let mail = |subject: &str| {
        let reply = lab.outside().send(FROM, &[TO], &message(FROM, TO, subject, ""));
        assert!(reply.starts_with("250"), "{reply}");
    };
    for n in 0..5 {
        mail(&format!("{n}"));
    }
    let said = |what: &str| until(what, &lab, || lab.postvakt.log.text().contains(what).then_some(()));
    said("cannot send to the central log; what is new waits in the log here");
    assert_eq!(lab.postvakt.metric("postvakt_central_connected"), 0);
    assert!(lab.postvakt.metric("postvakt_central_lag_seconds{kind=\"record\"}") > 0);
    assert!(lab.postvakt.metric("postvakt_central_failures_total{error=\"unreachable\"}") > 0);
    // There, but without a schema; then with one, but without this node.
    cluster.up();
    cluster.create();
    cluster.sql("CREATE ROLE postvakt_gw1 LOGIN PASSWORD 'hemligt-gw1'");
    said("error=\"schema\"");
    cluster.administer(&["init"]);
    said("error=\"login\"");
    let node = lab.records(5)[0]["record"].as_str().unwrap().split("-1-").next().unwrap().to_owned();
    let said_of = cluster.administer(&["add-node", &node, "--login", "postvakt_gw1"]);
    assert!(!said_of.contains("has no password"), "{said_of}");
    said("sends to the central log again");
    assert_eq!(lab.postvakt.log.text().matches("error=\"unreachable\"").count(), 1, "told of once\n{lab}");
    let sizes = "SELECT size FROM postvakt.tree WHERE kind = 'record'";
    wait_for(&cluster, sizes, "5");
    until("the gauge", &lab, || (lab.postvakt.metric("postvakt_central_connected") == 1).then_some(()));
    mail("efter");
    wait_for(&cluster, sizes, "6");
    until("no lag", &lab, || {
        (lab.postvakt.metric("postvakt_central_lag_records{kind=\"record\"}") == 0).then_some(())
    });
    assert_eq!(lab.postvakt.metric("postvakt_central_shipped_total{kind=\"record\"}"), 6);
    let probed = |words: &str| {
        let output =
            Command::new(PROGRAM).args(["check", "--probe", "--config"]).arg(&lab.postvakt.config).output();
        let output = output.unwrap();
        let all = [output.stdout, output.stderr].concat();
        let all = String::from_utf8_lossy(&all).into_owned();
        assert!(all.contains(words), "{all}");
    };
    probed("as postvakt_gw1: ok");
    probed("as postvakt_log: password authentication failed");
    looked_at(&cluster, &lab, &node);
}

/// Who looks, and what they are told.
fn looked_at(cluster: &Cluster, lab: &Lab, node: &str) {
    let refused = central(&lab.postvakt.config, &["status"]);
    assert_eq!(refused.status.code(), Some(2), "no reader yet: {refused:?}");
    let made = cluster.administer(&["add-reader", "postvakt_log"]);
    assert!(made.contains("has no password"), "{made}");
    cluster.sql("ALTER ROLE postvakt_log PASSWORD 'hemligt-log'");
    let status = central(&lab.postvakt.config, &["status", "--json"]);
    let told: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((status.status.code(), &told["well"]), (Some(0), &true.into()), "{told:#}");
    assert_eq!((&told["nodes"][0]["node"], &told["nodes"][0]["trees"][0]["size"]), (&node.into(), &6.into()));
    until("a signed head", lab, || {
        let status = central(&lab.postvakt.config, &["status", "--json"]);
        let told: Value = serde_json::from_slice(&status.stdout).unwrap();
        (told["nodes"][0]["trees"][0]["signed"] == true).then_some(())
    });
    // Somebody with rights on the database writes a head of their own.
    cluster.sql("UPDATE postvakt.head SET note = replace(note, E'\ntime 2', E'\ntime 1')");
    let status = central(&lab.postvakt.config, &["status"]);
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.status.code() == Some(1) && text.contains("is not signed with its key"), "{text}");
    cluster.sql("UPDATE postvakt.head SET note = replace(note, E'\ntime 1', E'\ntime 2')");
    let table = central(&lab.postvakt.config, &["status"]);
    assert!(String::from_utf8_lossy(&table.stdout).contains("record 1"), "{table:?}");
    let check = |expected: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["check", "--against-nodes", "--config"]).arg(&lab.postvakt.config);
        let out = run(&mut command);
        assert!(out.contains(expected), "{out}");
        out
    };
    assert!(!check("valid").contains("another config"));
    // A second node with another config.
    cluster.add_node("gw2");
    cluster
        .as_node(
            "gw2",
            "SELECT postvakt.hello('gw2', '0.1.0', 'fedcba9876543210', NULL, '', '{}', '{}', '{}')",
        )
        .unwrap();
    check("node gw2 has another config: fedcba9876543210");
    let status = central(&lab.postvakt.config, &["status"]);
    assert_eq!(status.status.code(), Some(1));
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(text.contains("is not that of all nodes"), "{text}");
    cluster.administer(&["remove-node", "gw2"]);
    assert_eq!(central(&lab.postvakt.config, &["status"]).status.code(), Some(0));
    // A reader reads and does nothing else.
    let as_reader = |sql: &str| {
        let mut command = Command::new("psql");
        command.args(["-XAtqc", sql, "-U", "postvakt_log", "-h", "127.0.0.1", "-d", "postvakt", "-p"]);
        command.arg(cluster.port.to_string()).env("PGPASSWORD", "hemligt-log").output().unwrap()
    };
    assert_eq!(as_reader("SELECT count(*) FROM postvakt.record").stdout, b"6\n");
    for sql in [
        "DELETE FROM postvakt.record",
        "SELECT * FROM postvakt.state()",
        "UPDATE postvakt.setting SET keep_least_days = 0",
    ] {
        assert!(!as_reader(sql).status.success(), "{sql}");
    }
}

#[test]
fn the_administrator_sets_it_up_once_and_is_told_what_is_wrong() {
    let cluster = Cluster::empty(&[]);
    let refused = |arguments: &[&str], words: &str| {
        let output = cluster.try_administer(arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && told.contains(words), "{arguments:?}: {output:?}");
    };
    refused(&["add-node", "gw1", "--login", "postvakt_gw1"], "postvakt central init");
    refused(&["upgrade"], "postvakt central init");
    // The SQL alone does the same.
    let sql = run(Command::new(PROGRAM).args(["central", "init", "--sql"]));
    fs::write(cluster.home.join("init.sql"), sql).unwrap();
    cluster.sql(&format!("\\i {}", cluster.home.join("init.sql").display()));
    refused(&["init"], "is here already");
    assert!(cluster.administer(&["upgrade"]).contains("already"));
    cluster.add_node("gw1");
    refused(&["add-node", "gw2", "--login", "postvakt_gw1"], "is the node gw1's");
    refused(&["add-node", "gw2", "--login", "postgres"], "may do everything");
    refused(&["add-node", "gw2", "--login", "a\"; DROP ROLE b"], "is no name");
    refused(&["add-node", "gw2", "--login", "postvakt_reader"], "is a role of the schema");
    refused(&["add-node", "gw_2", "--login", "postvakt_gw2"], "letters, digits and `-`");
    refused(&["remove-node", "gw9"], "no node gw9");
    // Another login for the node: the one before writes no more.
    cluster.administer(&["add-node", "gw1", "--login", "postvakt_new"]);
    assert!(cluster.as_node("gw1", "SELECT * FROM postvakt.state()").is_err());
    cluster.administer(&["add-node", "gw1", "--login", "postvakt_gw1"]);
    assert!(cluster.as_node("gw1", "SELECT * FROM postvakt.state()").is_ok());
    // Whoever owns the functions is no superuser.
    let owner = "SELECT bool_or(rolsuper OR rolcanlogin OR rolcreaterole) FROM pg_proc JOIN pg_roles ON proowner = pg_roles.oid \
                 WHERE pronamespace = 'postvakt'::regnamespace";
    assert_eq!(cluster.sql(owner), "f");
    let everyone = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'postvakt'::regnamespace \
                    AND has_function_privilege('public', oid, 'EXECUTE')";
    assert_eq!(cluster.sql(everyone), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_goes_on_while_the_schema_is_upgraded() {
    let cluster = Cluster::empty(&[]);
    // The first version, as a program that knew no other one made it.
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/central/schema");
    let read = |name: &str| fs::read_to_string(schema.join(name)).unwrap();
    let sql = format!(
        "BEGIN; {}; {}; INSERT INTO postvakt.version VALUES (1, now(), '0.1.0'); COMMIT;",
        read("roles.sql"),
        read("1.sql")
    );
    fs::write(cluster.home.join("first.sql"), sql).unwrap();
    cluster.sql(&format!("\\i {}", cluster.home.join("first.sql").display()));
    let node = Node::start(&cluster, "gw1", &cluster.home.join("gw1"));
    let claims = postvakt::central::claims::Claims::of(Some(&cluster.central("gw1"))).unwrap();
    node.mail(300, "före").await;
    assert_eq!(claims.claim([1; 16]).await.unwrap_err().name(), "schema");
    let (told, ()) = tokio::join!(
        async { tokio::task::block_in_place(|| cluster.administer(&["upgrade"])) },
        node.mail(300, "under")
    );
    assert!(told.contains("was version 1 and is version 3"), "{told}");
    assert!(cluster.administer(&["upgrade"]).contains("has version 3 already"));
    node.mail(300, "efter").await;
    wait_for(&cluster, "SELECT size FROM postvakt.tree WHERE kind = 'record'", "900");
    assert!(claims.claim([1; 16]).await.unwrap());
    assert_eq!(
        cluster.sql("SELECT string_agg(version::text, ' ' ORDER BY version) FROM postvakt.version"),
        "1 2 3"
    );
    // A version that this program does not know is left alone.
    cluster.sql("INSERT INTO postvakt.version VALUES (99, now(), '9.9.9')");
    let refused = cluster.try_administer(&["upgrade"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("a newer postvakt made"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_server_that_takes_writes_is_used() {
    let standby = Cluster::empty(&[]);
    standby.sql("CREATE ROLE postvakt_gw1 LOGIN PASSWORD 'hemligt-gw1'");
    standby.sql("ALTER ROLE postvakt_gw1 SET default_transaction_read_only = on");
    let cluster = Cluster::start();
    cluster.add_node("gw1");
    let store = Store::open(&cluster.home.join("gw1"), "gw1").unwrap();
    let (closed, read_only, right) = (crate::lab::free_port(), standby.port, cluster.port);
    let url = format!("postgresql://127.0.0.1:{closed},127.0.0.1:{read_only},127.0.0.1:{right}/postvakt");
    let central = Central { database: database(&url).unwrap(), ..cluster.central("gw1") };
    let hash = Arc::new(|| "0".to_owned());
    let shipper = Shipper::start(&store, Some(&central), "gw1", hash).unwrap().unwrap();
    store.commit(Entry::of(of_now("prov"))).await.unwrap();
    wait_for(&cluster, "SELECT size FROM postvakt.tree WHERE kind = 'record'", "1");
    shipper.stop().await;
    store.close().await;
}
