//! JSON Lines in the names of the Elastic Common Schema; what it has no name for stands under `postvakt`.
//! `docs/log.md` has the mapping.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::utc;
use crate::mail::Direction;
use crate::record::Outcome;
use crate::store::search::Found;

/// A record as one event. Fields that a mail does not have are absent.
pub fn event(found: &Found) -> Value {
    let record = &found.record;
    let id = found.id.to_string();
    let mut email = object([
        ("direction", record.direction.map(Direction::as_str).unwrap_or_default().into()),
        ("message_id", record.message_id.trim_matches(['<', '>']).into()),
        ("local_id", record.queue_id.as_str().into()),
        ("subject", record.subject.as_str().into()),
    ]);
    let from: Vec<&str> = record.header_from.split(", ").filter(|address| !address.is_empty()).collect();
    if !from.is_empty() {
        email.insert("from".into(), json!({ "address": from }));
    }
    if !record.attachments.is_empty() {
        let attachments = record.attachments.iter();
        let attachments = attachments.map(|(name, size)| json!({ "file": { "name": name, "size": size } }));
        email.insert("attachments".into(), attachments.collect());
    }
    let envelope = object([
        ("from", record.sender.as_str().into()),
        ("to", json!(record.recipients)),
        ("recipients", record.recipients.len().into()),
    ]);
    let postvakt = object([
        ("envelope", envelope.into()),
        ("size", record.size.into()),
        ("verdict", record.outcome.as_str().into()),
        ("findings", json!(record.findings)),
        ("would", json!(record.would)),
        ("helo", record.helo.as_str().into()),
        ("config", record.config.as_str().into()),
        ("receipt", record.receipt.as_str().into()),
    ]);
    let event = json!({
        "id": id,
        "kind": "event",
        "category": ["email"],
        "type": ["info"],
        "action": record.outcome.as_str(),
        "outcome": outcome(record.outcome),
    });
    let whole = object([
        ("@timestamp", utc(record.time).into()),
        ("ecs", json!({ "version": "8.11.0" })),
        ("event", event),
        ("observer", json!({ "name": found.id.node, "product": "postvakt" })),
        ("email", email.into()),
        ("source", source(&record.client)),
        ("user", object([("name", record.auth_user.as_str().into())]).into()),
        ("tls", tls(&record.tls)),
        ("rule", object([("id", rules(&record.findings))]).into()),
        ("postvakt", postvakt.into()),
    ]);
    whole.into()
}

/// Whether the mail passed, as ECS asks.
fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted | Outcome::Marked | Outcome::Held => "success",
        Outcome::Deferred | Outcome::Rejected => "failure",
        Outcome::Incomplete => "unknown",
    }
}

fn source(client: &str) -> Value {
    let name = if client.parse::<IpAddr>().is_ok() { "ip" } else { "domain" };
    object([(name, client.into())]).into()
}

/// `TLSv1.3 TLS_AES_256_GCM_SHA384`, as the MTA tells it.
fn tls(tls: &str) -> Value {
    let (protocol, cipher) = tls.split_once(' ').unwrap_or((tls, ""));
    match protocol.split_once('v') {
        Some((name, version)) => object([
            ("version_protocol", name.to_lowercase().into()),
            ("version", version.into()),
            ("cipher", cipher.into()),
        ])
        .into(),
        None => object([("cipher", tls.into())]).into(),
    }
}

fn rules(findings: &[String]) -> Value {
    findings.iter().filter_map(|finding| finding.split_once('=')).map(|(rule, _)| rule).collect()
}

/// An object without its empty members.
fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    let empty = |value: &Value| match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
    };
    let members = members.into_iter().filter(|(_, value)| !empty(value));
    members.map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;

    #[test]
    fn an_event() {
        let wanted = json!({
            "@timestamp": "2026-08-21T11:05:09.100Z",
            "ecs": { "version": "8.11.0" },
            "event": { "id": "gw1-1-000000000007", "kind": "event", "category": ["email"], "type": ["info"],
                       "action": "marked", "outcome": "success" },
            "observer": { "name": "gw1", "product": "postvakt" },
            "email": {
                "direction": "inbound", "message_id": "1@example.org", "local_id": "4fKq", "subject": "Möte\r\n",
                "from": { "address": ["x@example.org"] },
                "attachments": [ { "file": { "name": "Ansökan.pdf", "size": 1024 } },
                                 { "file": { "name": "b.txt", "size": 12 } } ],
            },
            "source": { "ip": "192.0.2.1" },
            "tls": { "version_protocol": "tls", "version": "1.3", "cipher": "TLS_AES_256_GCM_SHA384" },
            "rule": { "id": ["auto-forward"] },
            "postvakt": {
                "envelope": { "from": "x@example.org", "recipients": 2,
                              "to": ["registrator@exempelby.se", "anna@exempelby.se"] },
                "size": 2048, "verdict": "marked", "findings": ["auto-forward=certain"],
                "helo": "mx.example.org", "config": "0123456789abcdef",
            },
        });
        assert_eq!(event(&found("Möte\r\n")), wanted);
        assert!(!event(&found("Möte\r\n")).to_string().contains('\n'));
    }
}
