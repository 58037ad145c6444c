//! What gateways share by the centre: one sends a receipt, and the legal holds of one bind the others.

use std::sync::Mutex;

use postvakt::central::claims::Claims;
use postvakt::store::access::{AccessLog, Kind, Reader, Via};
use postvakt::store::register::{Close, Hold};

use super::*;
use crate::store::cli::run_with;
use crate::store::retention;

#[tokio::test(flavor = "multi_thread")]
async fn one_gateway_alone_sends_a_receipt() {
    let mut cluster = Cluster::start();
    let mut claims = Vec::new();
    for node in ["gw1", "gw2", "gw3"] {
        cluster.add_node(node);
        claims.push(Claims::of(Some(&cluster.central(node))).unwrap());
    }
    let won = Arc::new(Mutex::new([0_usize; 40]));
    let mut tasks = Vec::new();
    for asking in &claims {
        let (asking, won) = (asking.clone(), Arc::clone(&won));
        tasks.push(tokio::spawn(async move {
            for key in 0..40_u8 {
                if asking.claim([key; 16]).await.unwrap() {
                    won.lock().unwrap()[usize::from(key)] += 1;
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*won.lock().unwrap(), [1; 40]);
    // Its own claim stays its own, also on another connection.
    assert!(claims[0].claim([77; 16]).await.unwrap());
    cluster.kill();
    assert!(claims[0].claim([78; 16]).await.is_err());
    cluster.up();
    assert!(claims[0].claim([77; 16]).await.unwrap());
    assert!(!claims[1].claim([77; 16]).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legal_hold_of_another_node_keeps_what_it_names() {
    let mut cluster = Cluster::start();
    let other = Node::start(&cluster, "gw2", &cluster.home.join("gw2"));
    cluster.add_node("gw1");
    let path = cluster.home.join("gw1");
    retention::store(&path).await;
    let mut config = retention::decided(&path);
    config.central = Some(cluster.central("gw1"));
    let plan = |words: &str| {
        let (code, out) = run_with(&config, &["retention", "plan"]);
        assert!(code == 0 && out.contains(words), "{out}");
    };
    plan("100");
    let hold = Hold {
        placed_by: Reader::of_this_process(Via::CommandLine),
        reference: "D 2026/1".into(),
        parties: Vec::new(),
        since: None,
        until: None,
        query: String::new(),
    };
    let mut log = AccessLog::open(&other.path).unwrap();
    log.add(Kind::Hold, jiff::Timestamp::now(), &hold).unwrap();
    wait_for(&cluster, "SELECT count(*) FROM postvakt.entry WHERE kind = 'hold'", "1");
    plan("400 more are due, but under a legal hold");
    let release = Close { closed_by: hold.placed_by.clone(), reference: hold.reference.clone() };
    log.add(Kind::Release, jiff::Timestamp::now(), &release).unwrap();
    wait_for(&cluster, "SELECT count(*) FROM postvakt.entry WHERE kind = 'release'", "1");
    plan("100");
    // Who cannot ask deletes nothing.
    cluster.kill();
    let day = retention::today();
    let run = ["retention", "run", "--today", &day, "--decision", "KS 2026/45"];
    let (code, out) = run_with(&config, &run);
    assert!(code == 2 && out.contains("so nothing may be deleted"), "{out}");
    cluster.up();
    let (code, out) = run_with(&config, &run);
    assert!(code == 0 && out.contains("100 records deleted"), "{out}");
}
