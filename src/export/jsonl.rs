//! JSON Lines in the names of the Elastic Common Schema; what it has no name for stands under `postvakt`.
//! `docs/log.md` has the mapping.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::column::Shown;
use super::{Line, utc};
use crate::record::columns::{Column, Mask, Value as Holds};
use crate::record::{Outcome, Record, several};

/// A record as one event. Fields that a mail does not have are absent.
pub fn event(line: &Line<'_>) -> Value {
    let record = &line.found.record;
    let mut event = Map::new();
    for (name, value) in [
        ("ecs.version", json!("8.11.0")),
        ("event.kind", json!("event")),
        ("event.category", json!(["email"])),
        ("event.type", json!(["info"])),
        ("observer.product", json!("postvakt")),
    ] {
        put(&mut event, name, value);
    }
    for shown in &line.shape.columns {
        match shown {
            Shown::Column(column) => {
                if let Some(value) = value(column, record, line.shape.has(Shown::Sizes.name())) {
                    put(&mut event, column.ecs, value);
                }
            }
            Shown::TimeUtc => put(&mut event, "@timestamp", utc(record.time).into()),
            // What stands for an id tells no node.
            Shown::Record => {
                let node = line.id.map_or(&*line.found.id.node, |_| "");
                put(&mut event, "event.id", line.id().into());
                put(&mut event, "observer.name", node.into());
            }
            Shown::Delivery | Shown::DeliveryTls => {
                let name = if *shown == Shown::Delivery { "status" } else { "tls" };
                put(&mut event, &format!("postvakt.delivery.{name}"), line.cell(*shown).text().into());
            }
            Shown::DeliveryTime => {
                let time = line.found.told.as_ref().and_then(|told| told.time).map(utc);
                put(&mut event, "postvakt.delivery.time", time.into());
            }
            Shown::Sizes if line.shape.has("attachments") => {}
            Shown::Sizes => {
                let sizes = record.attachments.iter().map(|(_, size)| json!({ "file": { "size": size } }));
                put(&mut event, "email.attachments", sizes.collect());
            }
        }
    }
    // What is told once more, beside the column that has it.
    for (column, name, value) in [
        ("verdict", "event.action", json!(record.outcome.as_str())),
        ("verdict", "event.outcome", json!(outcome(record.outcome))),
        ("recipients", "postvakt.envelope.recipients", json!(record.recipients.len())),
        ("findings", "rule.id", rules(&record.findings)),
        ("client", "source", source(&record.client)),
        ("tls", "tls", tls(&record.tls)),
    ] {
        if line.shape.has(column) {
            put(&mut event, name, value);
        }
    }
    event.into()
}

/// What stands under the column's own name; nothing where the column is told in another way.
fn value(column: &Column, record: &Record, sizes: bool) -> Option<Value> {
    Some(match (column.name, column.value) {
        ("client" | "tls", _) => return None,
        (_, Holds::Text(own, _)) if column.mask == Mask::Addresses => {
            several(own(record)).filter(|address| !address.is_empty()).map(Value::from).collect()
        }
        ("message_id", _) => record.message_id.trim_matches(['<', '>']).into(),
        (_, Holds::Time) => utc(record.time).into(),
        (_, Holds::Size) => record.size.into(),
        (_, Holds::Attachments) => {
            let attachments = record.attachments.iter();
            let file = |(name, size): &(String, u64)| {
                if sizes {
                    json!({ "file": { "name": name, "size": size } })
                } else {
                    json!({ "file": { "name": name } })
                }
            };
            attachments.map(file).collect()
        }
        (_, Holds::List(own, _)) => json!(own(record)),
        (_, Holds::Direction | Holds::Outcome | Holds::Text(..)) => column.text(record).into(),
    })
}

/// Puts a value at its place, `email.from.address`; what is empty stays away.
fn put(event: &mut Map<String, Value>, name: &str, value: Value) {
    let empty = match &value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
    };
    if empty {
        return;
    }
    match name.split_once('.') {
        None => drop(event.insert(name.to_owned(), value)),
        Some((name, rest)) => {
            let inner = event.entry(name).or_insert_with(|| Map::new().into());
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
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
    object([(name, client)])
}

/// `TLSv1.3 TLS_AES_256_GCM_SHA384`, as the MTA tells it.
fn tls(tls: &str) -> Value {
    let (protocol, cipher) = tls.split_once(' ').unwrap_or((tls, ""));
    match protocol.split_once('v') {
        Some((name, version)) => {
            object([("version_protocol", &*name.to_lowercase()), ("version", version), ("cipher", cipher)])
        }
        None => object([("cipher", tls)]),
    }
}

fn rules(findings: &[String]) -> Value {
    findings.iter().filter_map(|finding| finding.split_once('=')).map(|(rule, _)| rule).collect()
}

/// An object without its empty members.
fn object<const N: usize>(members: [(&str, &str); N]) -> Value {
    let mut object = Map::new();
    for (name, text) in members {
        put(&mut object, name, text.into());
    }
    object.into()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::super::tests::found;
    use super::*;
    use crate::record::columns::COLUMNS;

    #[test]
    fn the_manual_has_every_column_and_its_name_here() {
        let manual = include_str!("../../docs/log.md");
        let (columns, rest) = manual.split_once("## Search").unwrap();
        let (_, mapping) = rest.split_once("Elastic Common Schema.").unwrap();
        for column in &COLUMNS {
            let name = format!("`{}`", column.name);
            assert!(columns.lines().any(|line| line.starts_with('|') && line.contains(&name)), "{name}");
            let line =
                mapping.lines().find(|line| line.starts_with('|') && line.contains(&name)).expect(&name);
            let own = [column.ecs, &format!("postvakt.{}", column.name)].map(|name| format!("`{name}"));
            assert!(
                line.contains(&own[0]) || line.contains("`postvakt.size` and so on") && own[0] == own[1],
                "{line}"
            );
        }
    }

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
                "authentication": "spf=pass dkim=none dmarc=pass",
            },
        });
        let found = found("Möte\r\n");
        let event = event(&Line::new(&found, &TimeZone::UTC));
        assert_eq!(event, wanted);
        assert!(!event.to_string().contains('\n'));
    }
}
