//! The outbox: one row for each key, whatever is killed, repeated or new; and a state that survives.

use std::time::Duration;

use jiff::SignedDuration;
use postvakt::record::{OutboxKind, OutboxRow};
use postvakt::store::outbox::{Change, Event, Listed, State};

use super::killed::program;
use super::*;

const AUGUST: &str = "2026-08-31T23:50:00Z";

fn letter(key: u8, kind: OutboxKind, at: Timestamp) -> OutboxRow {
    OutboxRow {
        key: [key; 16],
        kind,
        at,
        due: at + Duration::from_secs(10),
        until: at + Duration::from_hours(72),
        mailbox: "registrator@exempelby.se".into(),
        recipient: "x@example.org".into(),
        reference: "PV-2026-7K3M9Q".into(),
        held: false,
        message: "Subject: Hej\r\n\r\nHej\r\n".into(),
    }
}

async fn add(store: &Store, rows: Vec<OutboxRow>) {
    store.commit(Entry { outbox: rows, ..entry("case") }).await.unwrap();
}

async fn note(store: &Store, key: u8, change: Change, reply: &str) {
    let event = Event { key: [key; 16], at: store.now(), change, reply: reply.into() };
    store.note(event).await.unwrap();
}

fn listed(directory: &Path, at: &str) -> Vec<Listed> {
    super::listed(directory, at.parse().unwrap())
}

#[tokio::test]
async fn one_key_is_one_row_over_months_and_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let (seconds, clock) = clock(AUGUST);
    let store = Store::open_at(directory.path(), "gw1", clock.clone()).unwrap();
    let now = store.now();
    // Twice in one transaction, and in the next.
    add(&store, vec![letter(1, OutboxKind::Receipt, now), letter(1, OutboxKind::Receipt, now)]).await;
    add(&store, vec![letter(1, OutboxKind::Receipt, now), letter(2, OutboxKind::Notice, now)]).await;
    assert_eq!(store.outbox().pending(), 2);
    // In the next month, and after a restart.
    seconds.store(second("2026-09-01T00:10:00Z"), Ordering::SeqCst);
    add(&store, vec![letter(1, OutboxKind::Receipt, store.now())]).await;
    store.close().await;
    let store = Store::open_at(directory.path(), "gw1", clock).unwrap();
    add(&store, vec![letter(2, OutboxKind::Notice, store.now())]).await;
    assert_eq!(store.outbox().pending(), 2);
    let rows = listed(directory.path(), "2026-09-01T00:10:00Z");
    assert_eq!(rows.len(), 2, "{rows:#?}");
    assert_eq!(rows[0].stored.row.message, "Subject: Hej\r\n\r\nHej\r\n");
    store.close().await;
}

#[tokio::test]
async fn a_receipt_that_waits_waits_anew_and_a_notice_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let (seconds, clock) = clock(AUGUST);
    let store = Store::open_at(directory.path(), "gw1", clock).unwrap();
    let begun = store.now();
    add(&store, vec![letter(1, OutboxKind::Receipt, begun)]).await;
    let mut due = begun + Duration::from_secs(10);
    assert_eq!(store.outbox().next_due(), Some(due));
    for _ in 0..100 {
        seconds.fetch_add(9, Ordering::SeqCst);
        assert_eq!(store.outbox().take(store.now()), None, "it is not due yet");
        add(&store, vec![letter(1, OutboxKind::Receipt, store.now())]).await;
        due = store.now() + Duration::from_secs(10);
        if due.duration_since(begun) > SignedDuration::from_mins(10) {
            break;
        }
        assert_eq!(store.outbox().next_due(), Some(due));
    }
    // Whoever repeats a message for ever cannot keep its receipt back for ever.
    assert_eq!(store.outbox().next_due(), Some(begun + SignedDuration::from_mins(10)));
    add(&store, vec![letter(2, OutboxKind::Notice, begun)]).await;
    let notice = store.outbox().take(store.now()).unwrap();
    assert_eq!((notice.key, notice.kind, notice.attempts), ([2; 16], OutboxKind::Notice, 0));
    store.close().await;
}

#[tokio::test]
async fn what_was_sent_stays_sent_in_another_month_too() {
    let directory = tempfile::tempdir().unwrap();
    let (seconds, clock) = clock(AUGUST);
    let store = Store::open_at(directory.path(), "gw1", clock.clone()).unwrap();
    add(&store, vec![letter(1, OutboxKind::Receipt, store.now())]).await;
    seconds.store(second("2026-09-01T00:10:00Z"), Ordering::SeqCst);
    let lease = store.outbox().take(store.now()).unwrap();
    assert_eq!(store.leased(&lease).unwrap().row.recipient, "x@example.org");
    assert_eq!(store.outbox().take(store.now()), None, "one try at a time");
    // Nothing is known of a try that a kill ended, so there is another one.
    store.close().await;
    let store = Store::open_at(directory.path(), "gw1", clock.clone()).unwrap();
    let lease = store.outbox().take(store.now()).unwrap();
    note(&store, 1, Change::Sent, "250 2.0.0 Ok").await;
    store.outbox().release(&lease.key);
    assert_eq!((store.outbox().take(store.now()), store.outbox().pending()), (None, 0));
    for change in [Change::Again(store.now()), Change::Failed, Change::Cancel, Change::Retry] {
        note(&store, 1, change, "late").await;
    }
    add(&store, vec![letter(1, OutboxKind::Receipt, store.now())]).await;
    store.close().await;
    let store = Store::open_at(directory.path(), "gw1", clock).unwrap();
    assert_eq!(store.outbox().pending(), 0);
    let rows = listed(directory.path(), "2026-09-01T00:10:00Z");
    assert_eq!((rows.len(), rows[0].state, rows[0].attempts), (1, State::Sent, 1));
    assert_eq!(rows[0].history.len(), 1, "{:?}", rows[0].history);
    store.close().await;
}

#[tokio::test]
async fn people_cancel_and_retry() {
    let directory = tempfile::tempdir().unwrap();
    let (_, clock) = clock(AUGUST);
    let store = Store::open_at(directory.path(), "gw1", clock).unwrap();
    add(&store, vec![letter(1, OutboxKind::Receipt, store.now())]).await;
    note(&store, 1, Change::Cancel, "").await;
    assert_eq!(store.outbox().pending(), 0);
    note(&store, 1, Change::Retry, "").await;
    let lease = store.outbox().take(store.now()).unwrap();
    note(&store, 1, Change::Failed, "550 5.1.1 no such user").await;
    store.outbox().release(&lease.key);
    assert_eq!(store.outbox().pending(), 0);
    note(&store, 1, Change::Retry, "").await;
    assert_eq!(store.outbox().take(store.now()).map(|lease| lease.attempts), Some(0));
    // A cancel that comes while it is being sent comes too late, if the server takes it.
    note(&store, 1, Change::Cancel, "").await;
    note(&store, 1, Change::Sent, "250 2.0.0 Ok").await;
    let states: Vec<State> =
        listed(directory.path(), AUGUST)[0].history.iter().map(|(_, state, _)| *state).collect();
    let expected =
        [State::Cancelled, State::Pending, State::Failed, State::Pending, State::Cancelled, State::Sent];
    assert_eq!(states, expected);
    store.close().await;
}

#[tokio::test]
async fn the_outbox_is_read_for_a_reason_and_without_one_as_for_operation() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = Store::open(&path, "gw1").unwrap();
    let now = store.now();
    for n in 0..250_u32 {
        let mut row = letter(0, OutboxKind::Notice, now + Duration::from_secs(u64::from(n)));
        row.key[..4].copy_from_slice(&n.to_be_bytes());
        row.reference = format!("PV-{n}");
        row.recipient = "anna@exempelby.se".into();
        add(&store, vec![row]).await;
    }
    store.close().await;
    let listed = |more: &str, arguments: &[&str]| {
        let receipts = [&["receipts"][..], arguments, &["--json"]].concat();
        let output = program(directory.path(), more, &receipts).output().unwrap();
        let rows: Vec<serde_json::Value> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (output.status.code(), rows, String::from_utf8(output.stderr).unwrap())
    };
    let (code, rows, said) = listed("", &["list"]);
    assert_eq!((code, rows.len()), (Some(1), 200), "{said}");
    assert!(said.contains("only 200 rows are shown"), "{said}");
    assert_eq!((&rows[0]["reference"], &rows[199]["reference"]), (&"PV-50".into(), &"PV-249".into()));
    assert!(rows.iter().all(|row| row["recipient"].as_str().unwrap().starts_with("p-")), "{}", rows[0]);
    // One by its reference is shown whole; an organisation that lists purposes does not stop a program that states none.
    let purposes = "[store.access]\npurposes = [\"Felsökning\"]\n";
    for more in ["", purposes] {
        let (code, rows, said) = listed(more, &["show", "PV-7"]);
        assert_eq!((code, rows.len()), (Some(0), 1), "{said}");
        assert_eq!(rows[0]["recipient"], "anna@exempelby.se");
    }
    assert_eq!(listed(purposes, &["list", "--purpose", "nyfikenhet"]).0, Some(2));
    // A person's own request has theirs alone, a decision all.
    let (code, rows, said) = listed("", &["list", "--own-request", "bo@exempelby.se"]);
    assert_eq!((code, rows.len()), (Some(0), 0), "{said}");
    let (code, rows, said) = listed("", &["list", "--decision", "KS 1"]);
    assert_eq!((code, rows.len()), (Some(0), 250), "{said}");
    // All of it is logged.
    let (_, out) = super::cli::run(&path, &["access", "--json"]);
    let entries: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |at: usize| {
        [&entries[at]["verb"], &entries[at]["purpose"], &entries[at]["outcome"]].map(ToString::to_string)
    };
    assert_eq!(of(0), ["\"receipts list\"", "\"operation of the outbox\"", "\"capped\""]);
    assert_eq!(of(1), ["\"receipts show\"", "\"operation of the outbox\"", "\"done\""]);
    assert_eq!((&entries[3]["outcome"], &entries[5]["rows"]), (&"refused".into(), &250.into()), "{out}");
}
