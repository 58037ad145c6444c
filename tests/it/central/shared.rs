//! What gateways share by the centre: one sends a receipt, and the legal holds of one bind the others.

use std::sync::Mutex;
use std::time::Duration;

use postvakt::central::claims::Claims;
use postvakt::courier::Claim;
use postvakt::record::OutboxRow;
use postvakt::store::access::{AccessLog, Kind, Reader, Via};
use postvakt::store::outbox::State;
use postvakt::store::register::{Close, Hold};

use super::*;
use crate::courier::{Post, is, letter};
use crate::lab::run;
use crate::lab::sink::{Act, Sink};
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

/// What a courier asks the centre by.
fn claim(cluster: &Cluster, node: &str) -> Option<Claim> {
    let claims = Claims::of(Some(&cluster.central(node))).unwrap();
    Some(Arc::new(move |key| {
        let claims = claims.clone();
        Box::pin(async move { claims.claim(key).await.map_err(|error| error.to_string()) })
    }))
}

/// A courier of a node that asks the centre.
fn post(cluster: &Cluster, node: &'static str, port: u16) -> Post {
    let directory = tempfile::tempdir().unwrap();
    Post::start_claiming(directory, (node, port), Duration::from_mins(1), claim(cluster, node))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_message_at_two_gateways_one_receipt_is_sent() {
    let mut cluster = Cluster::start();
    cluster.add_node("gw1");
    cluster.add_node("gw2");
    let sink = Sink::start(|_| Act::Well);
    let (first, second) = (post(&cluster, "gw1", sink.port), post(&cluster, "gw2", sink.port));
    let letters = || (1..=20).map(|n| letter(n, "x@example.org")).collect::<Vec<OutboxRow>>();
    tokio::join!(first.write(letters()), second.write(letters()));
    let ended = |listed: &postvakt::store::outbox::Listed| listed.state != State::Pending;
    let (at_first, at_second) = (first.until(ended).await, second.until(ended).await);
    assert_eq!(sink.taken().len(), 20);
    for (one, other) in at_first.iter().zip(&at_second) {
        assert_eq!(one.stored.row.key, other.stored.row.key);
        let (sent, left) = if one.state == State::Sent { (one, other) } else { (other, one) };
        assert_eq!((sent.state, left.state), (State::Sent, State::Cancelled));
        assert!(left.history[0].2.starts_with("other-gateway"), "{left:?}");
    }
    // While nobody can say who sends, they wait, and go when somebody can.
    cluster.kill();
    first.write(vec![letter(21, "x@example.org")]).await;
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(sink.taken().len(), 20);
    cluster.up();
    first.until(|listed| listed.stored.row.key != [21; 16] || listed.state == State::Sent).await;
    assert_eq!(sink.taken().len(), 21);
    first.end().await;
    second.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_a_gateway_that_is_gone_are_sent_by_another_unless_they_may_have_been_sent() {
    let cluster = Cluster::start();
    let path = cluster.home.join("gw1");
    let mut gone = Node::start(&cluster, "gw1", &path);
    // They have waited for a while; one of them it has claimed, and may have sent.
    let old = |n| {
        let row = letter(n, "x@example.org");
        OutboxRow { at: row.at - Duration::from_mins(5), ..row }
    };
    for n in [1, 2, 3] {
        gone.store().send(old(n)).await.unwrap();
    }
    wait_for(&cluster, "SELECT count(*) FROM postvakt.letter", "3");
    Claims::of(Some(&cluster.central("gw1"))).unwrap().claim([2; 16]).await.unwrap();
    gone.stop().await;
    let sink = Sink::start(|_| Act::Well);
    cluster.add_node("gw2");
    let other = post(&cluster, "gw2", sink.port);
    let start = || {
        let hash = Arc::new(|| "0".to_owned());
        Shipper::start(&other.store, Some(&cluster.central("gw2")), "gw2", hash).unwrap().unwrap()
    };
    // Not as long as it may come back.
    let shipper = start();
    wait_for(&cluster, "SELECT count(*) FROM postvakt.node WHERE name = 'gw2' AND contact IS NOT NULL", "1");
    shipper.stop().await;
    assert_eq!(cluster.sql("SELECT count(*) FROM postvakt.letter WHERE taken IS NULL"), "3");
    cluster.sql("UPDATE postvakt.node SET contact = now() - interval '2 hours' WHERE name = 'gw1'");
    let shipper = start();
    wait_for(&cluster, "SELECT count(*) FROM postvakt.letter", "0");
    let sent = other.until(is(State::Sent)).await;
    let mut keys: Vec<u8> = sent.iter().map(|listed| listed.stored.row.key[0]).collect();
    keys.sort_unstable();
    assert_eq!((keys, sink.taken().len()), (vec![1, 3], 2));
    shipper.stop().await;
    other.end().await;
    // It comes back, and sends the one that is its own.
    let directory = tempfile::tempdir().unwrap();
    run(std::process::Command::new("cp").arg("-a").arg(path.join(".")).arg(directory.path()));
    let back =
        Post::start_claiming(directory, ("gw1", sink.port), Duration::from_mins(1), claim(&cluster, "gw1"));
    let all = back.until(|listed| listed.state != State::Pending).await;
    let states: Vec<State> = all.iter().map(|listed| listed.state).collect();
    assert_eq!(states, [State::Cancelled, State::Sent, State::Cancelled], "{all:#?}");
    assert_eq!(sink.taken().len(), 3);
    back.end().await;
}
