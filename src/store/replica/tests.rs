//! A replica against the log that it is of.

use jiff::Timestamp;

use super::*;
use crate::record::{FindingRow, Record};
use crate::store::{Entry, Store};

/// The rows of the log in a directory, as the centre gives them.
fn rows(directory: &Path, month: Month) -> Vec<Row> {
    let connection = schema::open_to_read(&month.path(directory)).unwrap();
    let columns = row::select(&connection).unwrap();
    let mut rows = Vec::new();
    tree::leaves(&connection, 1, u64::MAX >> 1, |seq, leaf| {
        let content = match row::sealed(&connection, &columns, seq).unwrap() {
            Some((form, salt, fields)) => Content::Record(form, salt, fields),
            None => Content::Pruned(7),
        };
        rows.push(Row { seq, leaf, content });
    })
    .unwrap();
    rows
}

fn record(subject: &str) -> Record {
    Record {
        time: "2026-03-01T12:00:00Z".parse().unwrap(),
        sender: "medborgare@example.org".into(),
        recipients: vec!["anna@exempelby.se".into()],
        subject: subject.into(),
        size: 4_711,
        attachments: vec![("ritning.pdf".into(), 99)],
        ..Record::default()
    }
}

/// A log of these subjects, of which the second has a finding.
async fn log(directory: &Path, subjects: &[&str]) -> Month {
    let clock: Timestamp = "2026-03-01T12:00:01Z".parse().unwrap();
    let store = Store::open_at(directory, "gw2", std::sync::Arc::new(move || clock)).unwrap();
    for (at, subject) in subjects.iter().enumerate() {
        let mut entry = Entry::of(record(subject));
        if at == 1 {
            entry.findings.push(FindingRow {
                rule: "auto-forward".into(),
                grade: "certain".into(),
                evidence: "a \"trace\"\n".into(),
                mode: "enforce".into(),
                verdict: "held".into(),
                decision: String::new(),
                mailboxes: vec!["anna@exempelby.se".into()],
                recipients: Vec::new(),
            });
        }
        store.commit(entry).await.unwrap();
    }
    store.close().await;
    Month::of(clock)
}

#[tokio::test]
async fn what_was_copied_is_what_the_node_has() {
    let (node, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let month = log(node.path(), &["Ansökan", "Vidare", "a\0b\\c\u{FFFF}"]).await;
    let rows = rows(node.path(), month);
    let mut replica = Replica::open(here.path(), "gw2").unwrap();
    assert!(matches!(Replica::open(here.path(), "gw2"), Err(ReplicaError::Locked { .. })));
    replica.append(1, month, &rows[..2]).unwrap();
    assert!(matches!(replica.append(1, month, &rows[..1]), Err(ReplicaError::Gap { .. })));
    replica.append(1, month, &rows[2..]).unwrap();
    assert_eq!(replica.sizes().unwrap(), [(1, 3)]);
    let copy = nodes::of(here.path(), "gw2");
    assert_eq!(self::rows(&copy, month), rows);
    let root = |directory: &Path| {
        tree::read(&schema::open_to_read(&month.path(directory)).unwrap(), tree::NOW).unwrap().root()
    };
    assert_eq!(root(&copy), root(node.path()));
}

#[tokio::test]
async fn what_was_changed_on_its_way_is_refused_and_nothing_of_it_stays() {
    let (node, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let month = log(node.path(), &["Ett", "Två"]).await;
    let mut rows = rows(node.path(), month);
    let Content::Record(_, _, fields) = &mut rows[1].content else { panic!() };
    fields[2].push('x');
    let mut replica = Replica::open(here.path(), "gw2").unwrap();
    let refused = replica.append(1, month, &rows).unwrap_err();
    assert!(refused.to_string().contains("gw2-1-000000000002"), "{refused}");
    assert_eq!(replica.sizes().unwrap(), [(1, 0)]);
    for name in ["", "..", "a/b", ".x"] {
        assert!(matches!(Replica::open(here.path(), name), Err(ReplicaError::Name { .. })), "{name}");
    }
}

#[tokio::test]
async fn a_value_that_nobody_writes_is_refused_by_name_whatever_its_leaf() {
    let (node, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let month = log(node.path(), &["Ett"]).await;
    let rows = rows(node.path(), month);
    let Content::Record(form, salt, own) = rows[0].content.clone() else { panic!() };
    for (name, value) in [
        ("time", "soon"),
        ("time", "99999999999999999999"),
        ("recipients", "anna@exempelby.se"),
        ("size", "many"),
        ("verdict", "lost"),
        ("findings", "[1]"),
        (EVIDENCE, "[[\"too\",\"short\"]]"),
    ] {
        let mut fields = own.clone();
        let at = form.fields().position(|field| field.name() == name).unwrap();
        value.clone_into(&mut fields[at]);
        let row =
            Row { seq: 1, leaf: leaf(form, 1, &salt, &fields), content: Content::Record(form, salt, fields) };
        let mut replica = Replica::open(here.path(), "gw2").unwrap();
        let refused = replica.append(1, month, &[row]).unwrap_err().to_string();
        assert!(refused.contains(name), "{name} {value}: {refused}");
        assert_eq!(replica.sizes().unwrap(), [(1, 0)]);
    }
}

#[tokio::test]
async fn an_epoch_after_one_that_the_node_lost_has_a_file_of_its_own() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let here = tempfile::tempdir().unwrap();
    let month = log(one.path(), &["Ett", "Två"]).await;
    log(two.path(), &["Tre"]).await;
    let mut replica = Replica::open(here.path(), "gw2").unwrap();
    replica.append(1, month, &rows(one.path(), month)).unwrap();
    replica.append(2, month, &rows(two.path(), month)).unwrap();
    assert_eq!(replica.sizes().unwrap(), [(1, 2), (2, 1)]);
    let copy = nodes::of(here.path(), "gw2");
    assert_eq!(rows(&copy, month.next_part()), rows(two.path(), month));
}

#[tokio::test]
async fn what_retention_took_on_the_node_is_gone_here_and_its_leaf_stays() {
    let (node, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let month = log(node.path(), &["Ett", "Hemlighet", "Tre"]).await;
    let all = rows(node.path(), month);
    let mut replica = Replica::open(here.path(), "gw2").unwrap();
    replica.append(1, month, &all).unwrap();
    let time = "2027-03-01T12:00:00Z".parse().unwrap();
    let run = Run { id: 7, time, decision: "KS 2026/45".into(), taken: vec![2] };
    replica.prune(1, month, &run).unwrap();
    replica.prune(1, month, &run).unwrap();
    let copy = nodes::of(here.path(), "gw2");
    let left = rows(&copy, month);
    assert_eq!((&left[0], &left[2]), (&all[0], &all[2]));
    assert_eq!(left[1], Row { content: Content::Pruned(7), ..all[1].clone() });
    for file in fs::read_dir(&copy).unwrap() {
        let octets = fs::read(file.unwrap().path()).unwrap();
        assert!(!octets.windows(9).any(|part| part == b"Hemlighet"));
    }
}

#[test]
fn what_may_be_missing_is_said() {
    let here = tempfile::tempdir().unwrap();
    let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let said =
        |node| behind(here.path(), node, now).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(said(None).is_empty());
    let replica = Replica::open(here.path(), "gw2").unwrap();
    assert_eq!(said(None), ["gw2: its log is not here yet, or only a part of it"]);
    let early: Timestamp = "2026-03-01T11:00:00Z".parse().unwrap();
    for (even, contact, expected) in [
        (now, now, ""),
        (early, early, "gw2: its log is here as it was at 2026-03-01T11:00:00Z"),
        (now, early, "gw2: the centre last heard of this node at 2026-03-01T11:00:00Z"),
    ] {
        replica.note(&State { even, contact }).unwrap();
        assert!(said(None).concat().starts_with(expected), "{:?}", said(None));
        assert_eq!(said(None).is_empty(), expected.is_empty());
        assert_eq!(said(Some("gw2")), said(None));
        assert!(said(Some("gw1")).is_empty());
    }
}
