//! What retention took on a node is gone at the centre, whether it was there before or not; the leaves stay.

use super::*;
use crate::store::cli::run_with;
use crate::store::retention;

const LEFT: &str =
    "SELECT (SELECT count(*) FROM postvakt.record) || ' ' || (SELECT count(*) FROM postvakt.pruned)";

#[tokio::test(flavor = "multi_thread")]
async fn what_retention_takes_goes_at_the_centre_too() {
    let cluster = Cluster::start();
    let path = cluster.home.join("gw1");
    retention::store(&path).await;
    let config = retention::decided(&path);
    let day = retention::today();
    let take = |decision: &str, gone: &str| {
        let (code, out) = run_with(&config, &["retention", "run", "--today", &day, "--decision", decision]);
        assert!(code == 0 && out.contains(gone), "{out}");
    };
    // Before anything is sent.
    take("KS 2026/45", "100 records deleted");
    let mut node = Node::start(&cluster, "gw1", &path);
    wait_for(&cluster, LEFT, "700 100");
    // After it was sent. A shipper looks at its start, and every half minute.
    take("KS 2026/46", "300 records deleted");
    node.stop().await;
    node.restart(&cluster);
    wait_for(&cluster, LEFT, "400 400");
    let runs = "SELECT string_agg(decision || ' ' || records, ', ' ORDER BY run) FROM postvakt.run";
    wait_for(&cluster, runs, "KS 2026/45 100, KS 2026/46 300");
    for text in ["gammal", "Ärende"] {
        let holds = format!(
            "SELECT count(*) FROM postvakt.record WHERE fields::text LIKE '%{text}%' OR seen::text LIKE '%{text}%'"
        );
        assert_eq!(cluster.sql(&holds), "0", "{text}");
    }
    // The tree is what it was.
    node.store().sign();
    wait_for(&cluster, "SELECT agrees FROM postvakt.head WHERE kind = 'record' AND size = 800", "t");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_the_administrator_does_not_allow_waits() {
    let cluster = Cluster::start();
    cluster.administer(&["keep-least", "365"]);
    let path = cluster.home.join("gw1");
    retention::store(&path).await;
    let mut node = Node::start(&cluster, "gw1", &path);
    wait_for(&cluster, LEFT, "800 0");
    let day = retention::today();
    let run = ["retention", "run", "--today", &day, "--decision", "KS 2026/45"];
    assert_eq!(run_with(&retention::decided(&path), &run).0, 0);
    node.stop().await;
    node.restart(&cluster);
    wait_for(&cluster, "SELECT trouble FROM postvakt.node", "young");
    assert_eq!(cluster.sql(LEFT), "800 0");
    cluster.administer(&["keep-least", "30"]);
    node.stop().await;
    node.restart(&cluster);
    wait_for(&cluster, LEFT, "700 100");
    wait_for(&cluster, "SELECT trouble FROM postvakt.node", "");
}
