//! Queries as the access log has them, read back: so that it can be told later whose records they showed.

use jiff::SignedDuration;
use serde_json::Value;

use crate::address::Address;
use crate::effects::SECOND_PASS;
use crate::limits;
use crate::mail::Direction;
use crate::record::{Outcome, Record};
use crate::rules::auto_forward;
use crate::store::access::Done;
use crate::store::deliveries::trace::Final;
use crate::store::query::{Needle, Party, Query};

impl Done {
    /// Which records it may have shown; `None` where that is not understood.
    pub(in crate::store) fn asked(&self) -> Option<Query> {
        let query = Query::read_back(&self.access.query)?;
        Some(match self.access.verb.as_str() {
            // The outbox goes back so far; whom it named has a record of then.
            verb if verb.starts_with("receipts") => {
                let days = SignedDuration::from_hours(24 * i64::from(limits::OUTBOX_DAYS));
                Query { since: self.access.time.checked_sub(days).ok(), ..query }
            }
            "follow" => {
                // From its cursor on, for as long as its entry stands for what it reads.
                let since = serde_json::from_str::<Value>(&self.access.query)
                    .ok()?
                    .get("followed_from")?
                    .as_str()?
                    .parse()
                    .ok();
                let last = self.access.time.saturating_add(limits::FOLLOW_SESSION * 2).ok();
                let until = [query.until, last].into_iter().flatten().min();
                Query { since: [query.since, since].into_iter().flatten().max(), until, ..query }
            }
            "report" if self.report().as_deref() == Some("forwarders") => {
                Query { rule: Some(auto_forward::SPEC.id.to_owned()), ..query }
            }
            // What was on hold then, the records do not say; all of it had been held.
            "held list" => Query { verdict: Some(Outcome::Held), ..query },
            _ => query,
        })
    }

    /// Whether it showed names: of records, of mail on hold, of mailboxes that forward, of whom rules found something, or of
    /// whom receipts went to. Reports of a period and follow-ups have counts only.
    pub fn names_people(&self) -> bool {
        match self.access.verb.as_str() {
            "search" | "export" | "follow" | "show" | "subject-extract" | "receipts list"
            | "receipts show" => true,
            verb if verb.starts_with("held ") => true,
            "report" => !matches!(self.report().as_deref(), Some("period" | "follow-up")),
            _ => false,
        }
    }

    /// Whether it may have shown this record, which its query finds. The rules report shows mails in which a rule found
    /// something.
    pub(in crate::store) fn may_show(&self, record: &Record) -> bool {
        let is_of_rule =
            |finding: &String| finding.split_once('=').is_some_and(|(rule, _)| rule != SECOND_PASS);
        // Who has mailboxes of their own was shown nothing of others.
        let mut mailboxes =
            self.access.reader.mailboxes.iter().filter_map(|own| Address::parse(own)).peekable();
        let is_seen = mailboxes.peek().is_none() || mailboxes.any(|own| record.is_of(&Party::Address(own)));
        is_seen && (self.report().as_deref() != Some("rules") || record.findings.iter().any(is_of_rule))
    }

    /// Which report it was, if it was one.
    fn report(&self) -> Option<String> {
        let asked = serde_json::from_str::<Value>(&self.access.query).ok()?;
        asked.get("report").and_then(Value::as_str).map(str::to_owned)
    }
}

impl Query {
    /// The query in this JSON, as [`serde`] wrote it; what else stands there is left. `None` where a part of it is
    /// not understood: a query that lacks a part would find more than was shown.
    pub fn read_back(json: &str) -> Option<Self> {
        let Value::Object(parts) = serde_json::from_str(json).ok()? else { return None };
        let mut query = Self::default();
        for (name, value) in &parts {
            let text = value.as_str();
            match name.as_str() {
                "since" => query.since = Some(text?.parse().ok()?),
                "until" => query.until = Some(text?.parse().ok()?),
                "sender" => query.sender = Some(Party::parse(text?).ok()?),
                "recipient" => query.recipient = Some(Party::parse(text?).ok()?),
                "subject" => query.subject = Some(Needle::new(text?)),
                "attachment" => query.attachment = Some(Needle::new(text?)),
                "authentication" => query.authentication = Some(Needle::new(text?)),
                "verdict" => query.verdict = Some(Outcome::parse(text?)?),
                "rule" => query.rule = Some(text?.to_owned()),
                "record" => query.record = Some(text?.parse().ok()?),
                "queue_id" => query.queue_id = Some(text?.to_owned()),
                "from" => query.from = Some(Party::parse(text?).ok()?),
                "node" => query.node = Some(text?.to_owned()),
                "user" => query.user = Some(text?.to_owned()),
                "client" => query.client = Some(text?.parse().ok()?),
                "direction" => {
                    let known = Direction::ALL.into_iter().find(|way| Some(way.as_str()) == text);
                    query.direction = Some(known?);
                }
                "status" => query.status = Some(Final::parse(text?)?),
                "size_above" => query.size_above = Some(value.as_u64()?),
                "name" => query.name = Some(Needle::new(text?)),
                "message_id" => query.message_id = Some(text?.to_owned()),
                "person" => {
                    let addresses =
                        value.as_array()?.iter().map(|address| Party::parse(address.as_str()?).ok());
                    query.person = addresses.collect::<Option<_>>()?;
                }
                _ => {}
            }
        }
        Some(query)
    }

    /// Whether it names a person, inside or outside, by an address, a part of one, or a login.
    pub fn is_of_a_person(&self) -> bool {
        let parties = self.sender.iter().chain(&self.recipient).chain(&self.from).chain(&self.person);
        let mut addresses = parties.filter(|party| matches!(party, Party::Address(_)));
        addresses.next().is_some() || self.name.is_some() || self.user.is_some()
    }

    /// Whether it names one of these parties itself.
    pub fn names(&self, persons: &[Party]) -> bool {
        let named = self.sender.iter().chain(&self.recipient).chain(&self.from).chain(&self.person);
        named.filter(|party| matches!(party, Party::Address(_))).any(|party| persons.contains(party))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_it_was_written() {
        let query = Query {
            since: Some("2026-08-21T11:05:09Z".parse().unwrap()),
            sender: Some(Party::parse("<>").unwrap()),
            recipient: Some(Party::parse("Anna@exempelby.se").unwrap()),
            subject: Some(Needle::new("Möte")),
            verdict: Some(Outcome::Held),
            record: Some("gw1-1-000000000007".parse().unwrap()),
            message_id: Some("<1@example.org>".into()),
            person: vec![Party::parse("bo@exempelby.se").unwrap()],
            from: Some(Party::parse("@example.org").unwrap()),
            user: Some("anna".into()),
            node: Some("gw2".into()),
            client: Some("10.0.0.0/8".parse().unwrap()),
            direction: Some(Direction::Outbound),
            size_above: Some(1_000_000),
            name: Some(Needle::new("anders")),
            ..Query::default()
        };
        let json = serde_json::to_string(&query).unwrap();
        let back = Query::read_back(&json).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), json);
        assert!(back.names(&query.person) && back.names(&[Party::parse("anna@exempelby.se").unwrap()]));
        assert!(!back.names(&[Party::parse("x@example.org").unwrap()]));
        assert!(Query::read_back("{\"format\":\"csv\"}").is_some());
        assert!(Query::read_back("{\"verdict\":\"lost\"}").is_none() && Query::read_back("[]").is_none());
    }
}
