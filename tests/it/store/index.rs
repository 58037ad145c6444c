//! Side files: they make search quicker and change nothing of what it finds, whatever becomes of them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use postvakt::store::index;
use postvakt::store::month::Month;
use postvakt::store::query::{Needle, Party};
use postvakt::store::verify::{Verdict, verify};

use super::*;

const RECORDS: u32 = 400;

/// A month of records and one of the month after, which closes it.
async fn store(directory: &Path) {
    store_of(directory, mail).await;
}

async fn store_of(directory: &Path, mail: impl Fn(u32) -> Record) {
    let (time, clock) = clock("2026-08-21T00:00:00Z");
    let store = Store::open_at(directory, "gw1", clock).unwrap();
    for n in 0..RECORDS {
        store.enqueue(Entry { record: mail(n), ..entry("") });
    }
    store.commit(entry("the last one of the month")).await.unwrap();
    time.store(second("2026-09-02T06:00:00Z"), Ordering::SeqCst);
    store.commit(entry("of the next month")).await.unwrap();
    while !whole(&side(directory)) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store.close().await;
}

fn side(directory: &Path) -> PathBuf {
    directory.join("log-2026-08.idx")
}

/// Whether the header has been written, which comes last.
fn whole(path: &Path) -> bool {
    fs::read(path).is_ok_and(|octets| octets.starts_with(b"PVIX"))
}

fn mail(n: u32) -> Record {
    let mut record = Record {
        time: Timestamp::from_second(second("2026-08-21T00:00:00Z") + i64::from(n) * 60).unwrap(),
        sender: format!("Avsandare{}@d{}.example", n % 37, n % 5),
        recipients: (0..=n % 3).map(|more| format!("handlaggare{}@exempelby.se", (n + more) % 11)).collect(),
        header_from: format!("avsandare{}@d{}.example, annan{}@example.net", n % 37, n % 5, n % 50),
        subject: format!("{} nummer {n}", ["Ansökan", "ÄRENDE", "Möte\nvecka"][n as usize % 3]),
        queue_id: format!("4f{n:04X}"),
        message_id: format!("<{n}@example.org>"),
        ..record("")
    };
    // The same addresses, as a sender may write them too.
    if n.is_multiple_of(9) {
        record.sender = format!("\"avsandare{}\"@d{}.example", n % 37, n % 5);
        record.recipients.push(["A\u{30A}sa@exempelby.se", "Åsa@exempelby.se"][n as usize % 2].into());
    }
    if n.is_multiple_of(7) {
        record.outcome = Outcome::Held;
        record.would = vec!["custom.no-exe=marked".into()];
        record.attachments = vec![(format!("Ritning {n}.PDF"), 1), ("bild.png".into(), 2)];
    }
    record
}

fn queries() -> Vec<Query> {
    let party = |text: &str| Some(Party::parse(text).unwrap());
    let text = |text: &str| Some(Needle::new(text));
    let at = |text: &str| Some(text.parse().unwrap());
    vec![
        Query { sender: party("avsandare5@D0.example"), ..Query::default() },
        Query { sender: party("@d3.example"), ..Query::default() },
        Query { sender: party("<>"), ..Query::default() },
        Query { recipient: party("HANDLAGGARE7@exempelby.se"), ..Query::default() },
        Query { recipient: party("ingen@exempelby.se"), ..Query::default() },
        Query { recipient: party("åsa@exempelby.se"), ..Query::default() },
        Query { person: vec![Party::parse("a\u{30A}sa@exempelby.se").unwrap()], ..Query::default() },
        Query { person: vec![Party::parse("annan9@example.net").unwrap()], ..Query::default() },
        Query { subject: text("ÄRENDE nummer 3"), ..Query::default() },
        Query { subject: text("möte\nvecka nummer 2"), ..Query::default() },
        Query { subject: text("e"), ..Query::default() },
        Query { subject: text(""), ..Query::default() },
        Query { attachment: text("ritning 14.pdf"), ..Query::default() },
        Query { attachment: text(".png"), verdict: Some(Outcome::Held), ..Query::default() },
        Query { verdict: Some(Outcome::Held), subject: text("möte"), ..Query::default() },
        Query { rule: Some("custom.no-exe".into()), ..Query::default() },
        Query { rule: Some("custom".into()), ..Query::default() },
        Query { queue_id: Some("4f0011".into()), ..Query::default() },
        Query { message_id: Some("17@example.org".into()), ..Query::default() },
        Query {
            record: Some("gw1-1-000000000012".parse().unwrap()),
            subject: text("nummer"),
            ..Query::default()
        },
        Query { record: Some("gw1-1-000000000012".parse().unwrap()), ..Query::default() },
        Query { since: at("2026-08-21T01:00:00Z"), until: at("2026-08-21T02:00:00Z"), ..Query::default() },
        Query { since: at("2026-08-21T03:00:00Z"), subject: text("ansökan"), ..Query::default() },
        Query { until: at("2026-08-01T00:00:00Z"), subject: text("ansökan"), ..Query::default() },
        Query { subject: text("of the next month"), ..Query::default() },
    ]
}

/// The same is found as by reading every record.
fn assert_same(directory: &Path) {
    let mut hits = 0;
    for query in queries() {
        let scan = Query { scan: true, ..query.clone() };
        let (found, read) = (find(directory, &query), find(directory, &scan));
        assert_eq!(found, read, "{}", serde_json::to_string(&query).unwrap());
        hits += usize::from(!read.is_empty());
    }
    assert!(hits > 15, "{hits} queries find something");
}

#[tokio::test]
async fn what_side_files_name_is_what_reading_everything_finds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    store(path).await;
    assert_same(path);
    // Another record now has what the index file says of this one: what it names is looked at before it is shown.
    let file = rusqlite::Connection::open(path.join("log-2026-08.db")).unwrap();
    file.execute("UPDATE record SET queue_id = 'gone' WHERE queue_id = '4f0011'", []).unwrap();
    let gone = Query { queue_id: Some("4f0011".into()), ..Query::default() };
    assert_eq!(find(path, &gone), []);
}

#[tokio::test]
async fn a_side_file_that_is_damaged_cut_or_of_another_file_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    store(path).await;
    let octets = fs::read(side(path)).unwrap();
    for octet in [0, 7, 9, 17, 25, 33, 41, 49, 90, 140] {
        let mut changed = octets.clone();
        changed[octet] ^= 0x20;
        fs::write(side(path), &changed).unwrap();
        assert_same(path);
    }
    for length in [0, 100, 144, octets.len() / 2, octets.len() - 1] {
        fs::write(side(path), &octets[..length]).unwrap();
        assert_same(path);
    }
    fs::write(side(path), &octets).unwrap();
    let file = rusqlite::Connection::open(path.join("log-2026-08.db")).unwrap();
    file.execute("UPDATE record SET time = time + 1, sender = 'other@d0.example'", []).unwrap();
    assert_same(path);
    file.execute("DELETE FROM record WHERE seq > 100", []).unwrap();
    assert_same(path);
}

#[tokio::test]
async fn what_is_forgotten_is_gone_and_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    store(path).await;
    let has = |text: &str| {
        let octets = fs::read(side(path)).unwrap();
        octets.windows(text.len()).any(|window| window == text.as_bytes())
    };
    assert!(has("ansökan nummer 3\n"), "{}", side(path).display());
    let file = rusqlite::Connection::open(path.join("log-2026-08.db")).unwrap();
    file.execute("UPDATE record SET subject = '' WHERE seq = 4", []).unwrap();
    drop(file);
    index::forget(path, Month::parse("2026-08").unwrap()).unwrap();
    index::forget(path, Month::parse("2026-08").unwrap()).unwrap();
    assert!(!side(path).exists());
    assert_same(path);
    let store = Store::open(path, "gw1").unwrap();
    while !whole(&side(path)) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store.close().await;
    assert!(!has("ansökan nummer 3\n") && has("ansökan nummer 6\n"));
    assert_same(path);
}

#[tokio::test]
async fn whatever_becomes_of_an_index_file_no_row_is_hidden_and_verify_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    store(path).await;
    let whole = fs::read(side(path)).unwrap();
    let query = Query { sender: Some(Party::parse("avsandare5@d0.example").unwrap()), ..Query::default() };
    let right = find(path, &Query { scan: true, ..query.clone() });
    assert!(!right.is_empty());
    let mut told = 0;
    for at in (0..whole.len()).step_by(32) {
        let mut changed = whole.clone();
        changed.iter_mut().skip(at).take(32).for_each(|octet| *octet ^= 0xFF);
        fs::write(side(path), &changed).unwrap();
        assert_eq!(find(path, &query), right, "32 octets at {at}");
        if at % 1_024 == 0 {
            assert_eq!(verdict_of_index(path), Verdict::Incomplete, "32 octets at {at}");
            told += 1;
        }
    }
    assert!(told > 3);
    let last = || -> String {
        let accesses = rusqlite::Connection::open(path.join("access.db")).unwrap();
        let sql = "SELECT body FROM entry WHERE kind = 'result' ORDER BY n DESC LIMIT 1";
        accesses.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let mut changed = whole.clone();
    changed.iter_mut().take(32).for_each(|octet| *octet ^= 0xFF);
    fs::write(side(path), &changed).unwrap();
    assert_eq!(find(path, &query), right);
    assert!(last().contains("log-2026-08.idx: the index file is damaged"), "{}", last());
    fs::write(side(path), &whole).unwrap();
    assert_eq!(find(path, &query), right);
    assert!(!last().contains("idx"), "{}", last());
    assert_eq!(verdict_of_index(path), Verdict::Whole);
    // One that other hands made, with checksums of their own: a month without these records, its index file taken over.
    let other = tempfile::tempdir().unwrap();
    store_of(other.path(), |n| Record { sender: "nagon.annan@example.net".into(), ..mail(n) }).await;
    fs::copy(side(other.path()), side(path)).unwrap();
    assert_eq!(verdict_of_index(path), Verdict::Tampered);
    // Not where there is none.
    fs::remove_file(side(path)).unwrap();
    assert_eq!(verdict_of_index(path), Verdict::Whole);
}

/// What verify says of the index file, whatever else it says.
fn verdict_of_index(directory: &Path) -> Verdict {
    let report = verify(&[directory.to_owned()], &[], None);
    let faults = report
        .trees
        .iter()
        .flat_map(|tree| &tree.faults)
        .filter(|fault| Path::new(&fault.file).extension().is_some_and(|ending| ending == "idx"));
    faults.map(|fault| fault.verdict).max().unwrap_or(Verdict::Whole)
}

#[tokio::test]
async fn a_damaged_index_file_is_made_anew_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    store(path).await;
    let octets = fs::read(side(path)).unwrap();
    let mut changed = octets.clone();
    let last = changed.len() - 10;
    changed[last] ^= 1;
    fs::write(side(path), &changed).unwrap();
    let store = Store::open(path, "gw1").unwrap();
    while fs::read(side(path)).is_ok_and(|now| now != octets) || !side(path).exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store.close().await;
}
