//! A full outbox: mail goes on, everybody is told, and there is room again as soon as letters are sent.

use std::time::Duration;

use jiff::Timestamp;
use postvakt::limits::OUTBOX_PENDING;
use postvakt::record::{OutboxKind, OutboxRow};
use postvakt::store::{Entry, Store};

use crate::lab::program::Postvakt;
use crate::lab::sink::{Act, Sink, Stage};
use crate::lab::{Directory, Ports, until};
use crate::storm::{RULES, session, take};

/// Letters that wait; the first three are due now, the others next year.
async fn fill(directory: &std::path::Path, count: usize) {
    let store = Store::open(directory, rustix::system::uname().nodename().to_str().unwrap()).unwrap();
    let now = Timestamp::now();
    let letter = |n: usize| OutboxRow {
        key: (n as u128).to_be_bytes(),
        kind: OutboxKind::Notice,
        at: now,
        due: if n < 3 { now } else { now + Duration::from_hours(300 * 24) },
        until: now + Duration::from_hours(400 * 24),
        mailbox: "registrator@exempelby.se".into(),
        recipient: "anna@exempelby.se".into(),
        reference: format!("PN-2026-{n:06}"),
        held: false,
        message: "Subject: Hej\r\n\r\nHej!\r\n".into(),
    };
    let record = crate::store::record("what they are about");
    let outbox = (0..count).map(letter).collect();
    store.commit(Entry { outbox, ..Entry::of(record) }).await.unwrap();
    store.close().await;
}

#[test]
fn a_full_outbox_costs_no_mail_and_has_room_again_by_itself() {
    let (directory, ports) = (Directory::new(), Ports::reserve());
    std::fs::create_dir(directory.path.join("run")).unwrap();
    let store = directory.path.join("store");
    tokio::runtime::Runtime::new().unwrap().block_on(fill(&store, OUTBOX_PENDING - 1));
    let sink = Sink::start_at(ports.reinjection, |stage| match stage {
        Stage::Connected => Act::Say("421 4.3.2 not now"),
        _ => Act::Well,
    });
    let postvakt = Postvakt::start(&directory.path, &ports, RULES);
    let (session, mut open) = (session(), None);
    // What became of the receipt of a case that was let in.
    let mut bring = |case: usize| {
        assert!(take(&mut open, ports.milter, &session, case), "the mail is accepted, whatever waits");
        let record = postvakt.search(&["--queue-id", &format!("STORM{case:06}")]).remove(0);
        assert_eq!(record["verdict"], "accepted");
        record["receipt"].as_str().unwrap().split_once('=').unwrap().1.to_owned()
    };
    let first = bring(1);
    assert!(first.starts_with("queued PV-"), "there is room for one: {first}");
    assert_eq!((bring(2), bring(3)), ("suppressed queue-full".into(), "suppressed queue-full".into()));
    assert_eq!(postvakt.metric("postvakt_outbox_pending"), OUTBOX_PENDING as u64);
    assert_eq!(postvakt.metric("postvakt_limits_exceeded_total{limit=\"outbox\"}"), 2);
    assert_eq!(
        postvakt.metric("postvakt_receipts_total{outcome=\"suppressed\",reason=\"queue-full\"}"),
        2,
        "the operator sees whose receipts are missing"
    );
    let says = |words: &str| {
        until(words, &postvakt.log, || postvakt.log.text().contains(words).then_some(()));
    };
    says("the outbox is full; no receipts and notices are written until some are sent");
    sink.behave(|_| Act::Well);
    until("the letters that are due, sent", &postvakt.log, || {
        (postvakt.metric("postvakt_outbox_pending") == OUTBOX_PENDING as u64 - 4).then_some(())
    });
    let next = bring(4);
    assert!(next.starts_with("queued PV-"), "{next}");
    says("the outbox has space again; receipts and notices are written");
}
