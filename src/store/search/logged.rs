//! Queries as the access log has them, read back: so that it can be told later whose records they showed.

use serde_json::Value;

use crate::record::Outcome;
use crate::store::query::{Needle, Party, Query};

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

    /// Whether it names one of these parties itself.
    pub fn names(&self, persons: &[Party]) -> bool {
        let named = self.sender.iter().chain(&self.recipient).chain(&self.person);
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
