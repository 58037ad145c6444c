//! What is at the centre is what the nodes have: once, in order, whatever was killed or restored.

use std::fs;
use std::process::Command;

use postvakt::metrics::METRICS;
use postvakt::store::Store;

use super::*;
use crate::lab::run;

pub(super) const SIZES: &str = "SELECT coalesce(sum(size), 0) FROM postvakt.tree WHERE kind = 'record'";
const ROWS: &str = "SELECT (SELECT count(*) FROM postvakt.record) + (SELECT count(*) FROM postvakt.pruned)";

/// Every leaf here is that of its row, every tree's frontier that of its leaves, and every head agrees.
pub(super) fn assert_whole(cluster: &Cluster) {
    let wrong =
        "SELECT count(*) FROM postvakt.record WHERE postvakt.leaf(form, seq, salt, fields, escaped) <> leaf";
    assert_eq!(cluster.sql(wrong), "0");
    let wrong = "SELECT count(*) FROM postvakt.entry \
                 WHERE postvakt.leaf(1, n, salt, ARRAY[time::text, kind, body], escaped) <> leaf";
    assert_eq!(cluster.sql(wrong), "0");
    assert_eq!(cluster.sql(SIZES), cluster.sql(ROWS));
    let gaps = "SELECT count(*) FROM postvakt.tree t WHERE kind = 'record' AND size <> (SELECT count(*) FROM ( \
                SELECT seq FROM postvakt.record WHERE (node, epoch) = (t.node, t.epoch) UNION \
                SELECT seq FROM postvakt.pruned WHERE (node, epoch) = (t.node, t.epoch)) l WHERE seq BETWEEN 1 AND t.size)";
    assert_eq!(cluster.sql(gaps), "0");
    assert_eq!(cluster.sql("SELECT count(*) FROM postvakt.head WHERE NOT agrees"), "0");
}

/// Has a head signed of all that is stored, and waits until it is compared.
fn assert_head(cluster: &Cluster, node: &Node, size: usize) {
    node.store().sign();
    let newest = "SELECT size || ' ' || agrees FROM postvakt.head WHERE kind = 'record' ORDER BY epoch DESC, size DESC LIMIT 1";
    wait_for(cluster, newest, &format!("{size} true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_is_there_once_though_the_server_is_killed() {
    let mut cluster = Cluster::start();
    let node = Node::start(&cluster, "gw1", &cluster.home.join("gw1"));
    for round in 0..5 {
        node.mail(400, "före").await;
        // At some time while it takes them.
        std::thread::sleep(std::time::Duration::from_millis(37 * round));
        cluster.kill();
        node.mail(100, "under").await;
        cluster.up();
    }
    wait_for(&cluster, SIZES, "2500");
    assert_head(&cluster, &node, 2_500);
    assert_whole(&cluster);
    let names: i64 = cluster.sql("SELECT count(DISTINCT seq) FROM postvakt.record").parse().unwrap();
    assert_eq!(names, 2_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_centre_that_is_restored_from_an_older_dump_gets_what_it_lacks() {
    let cluster = Cluster::start();
    let node = Node::start(&cluster, "gw1", &cluster.home.join("gw1"));
    node.mail(300, "före").await;
    wait_for(&cluster, SIZES, "300");
    let dump = cluster.home.join("dump");
    cluster.dump(&dump);
    node.mail(700, "efter").await;
    wait_for(&cluster, SIZES, "1000");
    cluster.restore(&dump);
    wait_for(&cluster, SIZES, "1000");
    assert_head(&cluster, &node, 1_000);
    assert_whole(&cluster);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_restored_goes_on_in_a_new_epoch_and_a_clone_is_refused() {
    let cluster = Cluster::start();
    let path = cluster.home.join("gw1");
    let mut node = Node::start(&cluster, "gw1", &path);
    node.mail(50, "före").await;
    wait_for(&cluster, SIZES, "50");
    node.stop().await;
    let copy = |to: &str| run(Command::new("cp").arg("-a").arg(&path).arg(cluster.home.join(to)));
    copy("snapshot");
    node.restart(&cluster);
    node.mail(50, "efter").await;
    wait_for(&cluster, SIZES, "100");
    node.stop().await;
    // The files of the snapshot with the heads of today: the log says itself that it is older.
    let restore = |keep_heads: bool| {
        let heads = fs::read(path.join("heads")).unwrap();
        fs::remove_dir_all(&path).unwrap();
        run(Command::new("cp").arg("-a").arg(cluster.home.join("snapshot")).arg(&path));
        if keep_heads {
            fs::write(path.join("heads"), heads).unwrap();
        }
    };
    restore(true);
    node.restart(&cluster);
    node.mail(30, "ny epok").await;
    let by_epoch = "SELECT string_agg(epoch || ':' || size, ' ' ORDER BY epoch) FROM postvakt.tree WHERE kind = 'record'";
    wait_for(&cluster, by_epoch, "1:100 2:30");
    assert_head(&cluster, &node, 30);
    assert_whole(&cluster);
    node.stop().await;
    // The whole of an older machine, in the epoch that it had: nobody may write over what is there.
    restore(false);
    node.restart(&cluster);
    node.mail(10, "klon").await;
    let trouble = "SELECT trouble FROM postvakt.node";
    wait_for(&cluster, trouble, "ahead");
    node.mail(100, "klon").await;
    wait_for(&cluster, trouble, "forked");
    assert!(METRICS.central_failures.with_label_values(&["forked"]).get() > 0);
    assert_eq!(cluster.sql(by_epoch), "1:100 2:30");
    assert_eq!(cluster.sql("SELECT count(*) FROM postvakt.record WHERE fields[6] LIKE 'klon%'"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_octet_arrives_as_it_was() {
    let cluster = Cluster::start();
    let node = Node::start(&cluster, "gw1", &cluster.home.join("gw1"));
    let odd: Vec<String> = vec![
        "NUL \0 and \\ and \\000 and \\\\".into(),
        "\\x00 'quotes' \"double\" {a,b} NULL".into(),
        (1..=0x2_00).filter_map(char::from_u32).collect(),
        "\u{202E}\u{FEFF}\u{FFFF}\u{10FFFF} å\r\n\t\u{7F}".into(),
        String::new(),
        "\0".into(),
    ];
    for subject in &odd {
        node.store().commit(Entry::of(of_now(subject))).await.unwrap();
    }
    wait_for(&cluster, SIZES, &odd.len().to_string());
    assert_head(&cluster, &node, odd.len());
    assert_whole(&cluster);
    let stored = cluster
        .sql("SELECT encode(postvakt.octets(fields[6], escaped), 'hex') FROM postvakt.record ORDER BY seq");
    let hex = |text: &String| postvakt::text::hex(text.as_bytes());
    assert_eq!(stored.lines().collect::<Vec<_>>(), odd.iter().map(hex).collect::<Vec<_>>());
    let escaped = cluster.sql("SELECT count(*) FROM postvakt.record WHERE escaped");
    assert_eq!(escaped, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_changed_on_the_node_is_refused_and_what_is_before_it_is_not() {
    let cluster = Cluster::start();
    let path = cluster.home.join("gw1");
    cluster.add_node("gw1");
    let store = Store::open(&path, "gw1").unwrap();
    let mut node = Node { name: "gw1", path: path.clone(), store: Some((store.clone(), None)) };
    node.mail(120, "riktig").await;
    store.close().await;
    let months = fs::read_dir(&path).unwrap().map(|file| file.unwrap().path());
    let mut months = months.filter(|file| file.file_name().unwrap().to_string_lossy().starts_with("log-"));
    let file = rusqlite::Connection::open(months.next().unwrap()).unwrap();
    file.execute("UPDATE record SET subject = 'ändrad' WHERE seq = 77", []).unwrap();
    drop(file);
    node.restart(&cluster);
    wait_for(&cluster, "SELECT trouble FROM postvakt.node", "leaf");
    assert_eq!(cluster.sql(SIZES), "76");
    assert_eq!(cluster.sql("SELECT count(*) FROM postvakt.record WHERE fields[6] = 'ändrad'"), "0");
    assert!(METRICS.central_failures.with_label_values(&["leaf"]).get() > 0);
    // The access log is sent all the same.
    let sent = "SELECT size FROM postvakt.tree WHERE kind = 'access'";
    postvakt::store::access::AccessLog::open(&path)
        .unwrap()
        .add(postvakt::store::access::Kind::Label, jiff::Timestamp::now(), &"prov")
        .unwrap();
    wait_for(&cluster, sent, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_records_of_two_nodes_are_there() {
    let cluster = Cluster::start();
    let first = Node::start(&cluster, "gw1", &cluster.home.join("gw1"));
    let second = Node::start(&cluster, "gw2", &cluster.home.join("gw2"));
    for _ in 0..10 {
        tokio::join!(first.mail(1_000, "ett"), second.mail(1_000, "två"));
    }
    wait_for(&cluster, SIZES, "20000");
    for node in [&first, &second] {
        node.store().sign();
        let agrees = format!(
            "SELECT agrees FROM postvakt.head h JOIN postvakt.node n ON n.id = h.node WHERE n.name = '{}' AND size = 10000",
            node.name
        );
        wait_for(&cluster, &agrees, "t");
    }
    assert_whole(&cluster);
    let partitions = "SELECT count(*) FROM postvakt.record_else";
    assert_eq!(cluster.sql(partitions), "0", "each month has a partition");
}
