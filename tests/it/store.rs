//! The store: durable, numbered, whole after a kill, and honest when it cannot be.

use std::path::Path;

use jiff::Timestamp;
use postvakt::mail::Direction;
use postvakt::record::{Outcome, Record};
use postvakt::store::{Entry, Store};

fn record(subject: &str) -> Record {
    Record {
        time: "2026-08-21T11:05:09.123Z".parse().unwrap(),
        direction: Some(Direction::Inbound),
        sender: "x@example.org".into(),
        recipients: vec!["registrator@exempelby.se".into(), "anna@exempelby.se".into()],
        header_from: "x@example.org".into(),
        subject: subject.into(),
        size: 2_048,
        attachments: vec![("Ansökan.pdf".into(), 1_024)],
        outcome: Outcome::Accepted,
        findings: vec!["auto-forward=certain".into()],
        would: Vec::new(),
        queue_id: "4fKq".into(),
        message_id: "<1@example.org>".into(),
        client: "192.0.2.1".into(),
        helo: "mx.example.org".into(),
        auth_user: String::new(),
        tls: "TLSv1.3 TLS_AES_256_GCM_SHA384".into(),
        config: "0123456789abcdef".into(),
        receipt: String::new(),
    }
}

fn entry(subject: &str) -> Entry {
    Entry { record: record(subject), seen: None }
}

#[tokio::test]
async fn records_are_numbered_over_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/store");
    for n in 1..=3 {
        let store = Store::open(&path, "gw1").unwrap();
        assert_eq!(store.commit(entry("Ärende")).await.unwrap().to_string(), format!("gw1-1-{n:012}"));
        store.close().await;
    }
}
