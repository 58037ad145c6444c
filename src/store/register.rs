//! The register: decisions by which the log may be read, and holds that keep records from retention.
//!
//! Contract: nothing in it is changed. What is registered, closed or released are entries of the access log, so the
//! register is as tamper-evident as that is, and can be read back for any day.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::access::{AccessError, AccessLog, AccessRetention, Kind, Reader};
use super::query::{Party, Query, with_aliases};
use crate::limits;
use crate::organisation::Organisation;

/// A decision by which the log may be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Who registered it.
    #[serde(flatten)]
    pub registered_by: Reader,
    /// Its reference, as `KS 2026/123`.
    pub reference: String,
    /// Who took it.
    pub decided_by: String,
    /// When.
    pub decided_on: Date,
    /// What for.
    pub purpose: String,
    /// Whose mail it is about: addresses, or `@domain`. Empty for no person.
    pub persons: Vec<String>,
    /// The mail that it is about came not before this.
    pub since: Option<Timestamp>,
    /// And before this.
    pub until: Option<Timestamp>,
    /// The last day on which it holds.
    pub valid_until: Date,
}

/// The consent of a second person to a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approve {
    /// Who that is.
    #[serde(flatten)]
    pub approved_by: Reader,
    /// To which.
    pub reference: String,
}

/// The end of a decision before its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// Who says so.
    #[serde(flatten)]
    pub closed_by: Reader,
    /// Which.
    pub reference: String,
}

/// Records that retention may not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who placed it.
    #[serde(flatten)]
    pub placed_by: Reader,
    /// Its reference: the request, or the case.
    pub reference: String,
    /// Whose mail it keeps; everybody's where it is empty.
    pub parties: Vec<String>,
    /// Mail that came not before this.
    pub since: Option<Timestamp>,
    /// And before this.
    pub until: Option<Timestamp>,
    /// What a request for public records asked for, as JSON: it keeps what that finds. Empty for a hold that was placed by
    /// hand.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub query: String,
}

/// A decision with when it was registered and closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The number of its entry.
    pub n: u64,
    /// When it was registered.
    pub at: Timestamp,
    /// The decision.
    pub decision: Decision,
    /// Who approved it, and when.
    pub approved: Option<(Reader, Timestamp)>,
    /// When it was closed.
    pub closed: Option<Timestamp>,
}

/// The register.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Register {
    /// The decisions, in the order in which they were registered.
    pub decisions: Vec<Registered>,
    /// The holds that are not released.
    pub holds: Vec<Hold>,
    /// There were decisions whose entries retention deleted.
    pub had_decisions: bool,
}

impl Registered {
    /// Whether that person may approve it: another than who registered it.
    pub fn may_approve(&self, reader: &Reader) -> bool {
        self.closed.is_none()
            && self.approved.is_none()
            && !reader.is_same_person(&self.decision.registered_by)
    }
}

impl Register {
    const KINDS: [Kind; 6] =
        [Kind::Decision, Kind::Approve, Kind::Close, Kind::Hold, Kind::Release, Kind::AccessRetention];

    /// Reads it.
    pub fn read(log: &AccessLog) -> Result<Self, AccessError> {
        let mut register = Self::default();
        for entry in log.entries(&Self::KINDS)? {
            if let Some(decision) = entry.read::<Decision>(Kind::Decision) {
                let (n, at) = (entry.n, entry.time);
                register.decisions.push(Registered { n, at, decision, approved: None, closed: None });
            } else if let Some(approve) = entry.read::<Approve>(Kind::Approve) {
                let known = register.decisions.iter_mut().rev();
                let mut known = known.filter(|known| known.decision.reference == approve.reference);
                if let Some(known) = known.next().filter(|known| known.may_approve(&approve.approved_by)) {
                    known.approved = Some((approve.approved_by, entry.time));
                }
            } else if let Some(close) = entry.read::<Close>(Kind::Close) {
                let named = |known: &&mut Registered| {
                    known.closed.is_none() && known.decision.reference == close.reference
                };
                for known in register.decisions.iter_mut().filter(named) {
                    known.closed = Some(entry.time);
                }
            } else if let Some(hold) = entry.read::<Hold>(Kind::Hold) {
                register.holds.push(hold);
            } else if let Some(release) = entry.read::<Close>(Kind::Release) {
                register.holds.retain(|hold| hold.reference != release.reference);
            } else if let Some(run) = entry.read::<AccessRetention>(Kind::AccessRetention) {
                register.had_decisions |= run.kinds.contains_key(Kind::Decision.as_str());
            }
        }
        Ok(register)
    }

    /// The holds that are not released after these entries of another node's access log, each its kind and what it tells; or the
    /// entry that cannot be read.
    pub fn open_holds<'a>(
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Vec<Hold>, &'a str> {
        let mut holds: Vec<Hold> = Vec::new();
        for (kind, body) in entries {
            if kind == Kind::Hold.as_str() {
                holds.push(serde_json::from_str(body).map_err(|_| body)?);
            } else {
                let release: Close = serde_json::from_str(body).map_err(|_| body)?;
                holds.retain(|hold| hold.reference != release.reference);
            }
        }
        Ok(holds)
    }

    /// Whether decisions are registered here at all: from the first one on, no other counts.
    pub fn is_used(&self) -> bool {
        self.had_decisions || !self.decisions.is_empty()
    }

    /// The query as the decision allows it on that day: its own persons and its own period alone. `persons` are those whom
    /// the query names.
    pub fn allows(
        &self,
        reference: &str,
        query: &Query,
        persons: &[&Party],
        today: Date,
        four_eyes: bool,
        organisation: &Organisation,
    ) -> Result<Query, String> {
        let mut last = format!("the decision {reference:?} is not registered: postvakt log decision add");
        for Registered { decision, closed, approved, .. } in self.decisions.iter().rev() {
            if decision.reference != reference {
                continue;
            }
            let refused = decision.refuses(query, persons, today, closed.is_some(), organisation);
            match refused {
                None if four_eyes && approved.is_none() => {
                    last = format!(
                        "the decision {reference:?} waits for a second person: postvakt log decision approve"
                    );
                }
                None => return Ok(decision.narrowed(query)),
                Some(why) => last = why,
            }
        }
        Err(last)
    }

    /// Why that legal hold cannot be placed, if it cannot.
    pub fn refuses(&self, hold: &Hold) -> Option<String> {
        if self.holds.iter().any(|known| known.is_same(hold)) {
            return None;
        }
        let octets = hold.query.len() + hold.parties.iter().map(String::len).sum::<usize>();
        if octets > limits::HOLD_OCTETS {
            return Some(format!(
                "the legal hold of {:?} would take {octets} bytes, and {} is the most: name fewer addresses at a time",
                hold.reference,
                limits::HOLD_OCTETS
            ));
        }
        let open = self.holds.len();
        (open >= limits::HOLDS).then(|| {
            format!(
                "{open} legal holds are open, the most that there may be: release those that are no longer needed \
                 (postvakt log legal-hold list, release REF)"
            )
        })
    }

    /// What the decision that was last registered by that reference is for.
    pub fn purpose(&self, reference: &str) -> Option<&str> {
        let mut known = self.decisions.iter().rev().map(|known| &known.decision);
        known.find(|decision| decision.reference == reference).map(|decision| decision.purpose.as_str())
    }
}

impl Decision {
    fn refuses(
        &self,
        query: &Query,
        persons: &[&Party],
        today: Date,
        closed: bool,
        organisation: &Organisation,
    ) -> Option<String> {
        let reference = &self.reference;
        if closed {
            return Some(format!("the decision {reference:?} is closed"));
        }
        if self.valid_until < today {
            return Some(format!("the decision {reference:?} was valid until {}", self.valid_until));
        }
        let known: Vec<Party> = self.persons.iter().filter_map(|known| Party::parse(known).ok()).collect();
        let known = with_aliases(&known, organisation);
        if !persons.iter().all(|person| known.iter().any(|known| known.covers(person))) {
            return Some(format!(
                "the decision {reference:?} does not cover every person whom the query names"
            ));
        }
        if self.persons.is_empty() && (query.user.is_some() || query.name.is_some()) {
            return Some(format!(
                "the decision {reference:?} is about no person, and --user and --name search for persons"
            ));
        }
        let Query { since, until, .. } = self.narrowed(query);
        if since.zip(until).is_none_or(|(since, until)| since < until) {
            return None;
        }
        let end = |time: Option<Timestamp>| time.map_or("…".to_owned(), |time| time.to_string());
        let period = format!("{} to {}", end(self.since), end(self.until));
        Some(format!(
            "the decision {reference:?} covers mail from {period}; set --since and --until within it"
        ))
    }

    /// The part of a query that is about the decision's persons and in its period.
    fn narrowed(&self, query: &Query) -> Query {
        let since = query.since.max(self.since);
        let until = match (query.until, self.until) {
            (Some(asked), Some(own)) => Some(asked.min(own)),
            (asked, own) => asked.or(own),
        };
        let mut person = query.person.clone();
        if person.is_empty() {
            person = self.persons.iter().filter_map(|known| Party::parse(known).ok()).collect();
        }
        Query { since, until, person, ..query.clone() }
    }
}

impl Hold {
    /// Whether it keeps the same under the same reference.
    pub fn is_same(&self, other: &Self) -> bool {
        let what = |hold: &Self| {
            (hold.reference.clone(), hold.parties.clone(), hold.since, hold.until, hold.query.clone())
        };
        what(self) == what(other)
    }

    /// What it keeps, as a search for it: the mail of its parties in its period, or what a request asked for. All mail
    /// where that is not understood: then a newer version placed it.
    pub fn query(&self, organisation: &Organisation) -> Query {
        if !self.query.is_empty() {
            return Query::read_back(&self.query).unwrap_or_default();
        }
        let parties: Vec<Party> = self.parties.iter().filter_map(|known| Party::parse(known).ok()).collect();
        let person = with_aliases(&parties, organisation);
        Query { since: self.since, until: self.until, person, ..Query::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision() -> Decision {
        Decision {
            registered_by: serde_json::from_str("{}").unwrap(),
            reference: "KS 2026/7".into(),
            decided_by: "kommundirektören".into(),
            decided_on: "2026-08-01".parse().unwrap(),
            purpose: "utredning".into(),
            persons: vec!["anna@exempelby.se".into()],
            since: Some("2026-08-01T00:00:00Z".parse().unwrap()),
            until: None,
            valid_until: "2026-09-30".parse().unwrap(),
        }
    }

    #[test]
    fn a_decision_holds_for_its_persons_its_period_and_its_days() {
        let query = |since: &str| Query { since: since.parse().ok(), ..Query::default() };
        let (anna, bo) =
            (Party::parse("Anna@exempelby.se").unwrap(), Party::parse("bo@exempelby.se").unwrap());
        let (during, later) = (query("2026-08-02T00:00:00Z"), query("2026-07-31T00:00:00Z"));
        let before = Query { until: "2026-08-01T00:00:00Z".parse().ok(), ..later.clone() };
        let narrowed = decision().narrowed(&later);
        assert_eq!((narrowed.since, narrowed.until), (decision().since, None));
        assert_eq!(narrowed.person, std::slice::from_ref(&anna), "its persons, where the query names nobody");
        let named = Query { person: vec![bo.clone()], ..later.clone() };
        assert_eq!(decision().narrowed(&named).person, std::slice::from_ref(&bo));
        let cases = [
            (&during, vec![&anna], "2026-09-30", None),
            (&during, vec![], "2026-09-30", None),
            (&during, vec![&anna, &bo], "2026-09-30", Some("does not cover every person")),
            (&during, vec![&anna], "2026-10-01", Some("valid until 2026-09-30")),
            (&later, vec![&anna], "2026-09-01", None),
            (&before, vec![&anna], "2026-09-01", Some("set --since and --until")),
        ];
        for (query, persons, today, wanted) in cases {
            let own = Organisation::default();
            let said = decision().refuses(query, &persons, today.parse().unwrap(), false, &own);
            assert_eq!(said.is_some(), wanted.is_some(), "{said:?}");
            assert!(wanted.is_none_or(|wanted| said.unwrap().contains(wanted)));
        }
        let own = Organisation::default();
        assert!(decision().refuses(&during, &[], "2026-09-01".parse().unwrap(), true, &own).is_some());
    }

    #[test]
    fn the_register_is_what_its_entries_say() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = AccessLog::open(directory.path()).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let reader = decision().registered_by;
        let hold = Hold {
            placed_by: reader.clone(),
            reference: "D 2026/1".into(),
            parties: vec!["@exempelby.se".into()],
            since: None,
            until: Some("2026-08-01T00:00:00Z".parse().unwrap()),
            query: String::new(),
        };
        let own = Organisation::default();
        log.add(Kind::Decision, now, &decision()).unwrap();
        log.add(Kind::Hold, now, &hold).unwrap();
        let register = Register::read(&log).unwrap();
        assert!(register.is_used() && register.decisions[0].closed.is_none());
        let query = Query { since: "2026-08-02T00:00:00Z".parse().ok(), ..Query::default() };
        let today = "2026-08-21".parse().unwrap();
        assert!(register.allows("KS 2026/7", &query, &[], today, false, &own).is_ok());
        let approval =
            |reader: &Reader| Approve { approved_by: reader.clone(), reference: "KS 2026/7".into() };
        let waits = |log: &AccessLog| {
            let register = Register::read(log).unwrap();
            register.allows("KS 2026/7", &query, &[], today, true, &own).is_err()
        };
        log.add(Kind::Approve, now, &approval(&reader)).unwrap();
        assert!(waits(&log), "who registered it is no second person");
        let other = Reader { subject: "bo".into(), ..reader.clone() };
        log.add(Kind::Approve, now, &approval(&other)).unwrap();
        assert!(!waits(&log));
        assert_eq!(register.purpose("KS 2026/7"), Some("utredning"));
        assert!(
            register
                .allows("KS 2026/8", &query, &[], today, false, &own)
                .unwrap_err()
                .contains("not registered")
        );
        let kept = register.holds[0].query(&own);
        assert_eq!(
            (kept.person.as_slice(), kept.until),
            (&[Party::parse("@exempelby.se").unwrap()][..], hold.until)
        );
        let asked = Hold { query: "{\"queue_id\":\"4fKq\"}".into(), ..hold.clone() };
        assert_eq!(asked.query(&own).queue_id.as_deref(), Some("4fKq"));
        let many = Register { holds: vec![hold.clone(); limits::HOLDS], ..Register::default() };
        let other = Hold { reference: "D 2026/2".into(), ..hold.clone() };
        assert!(many.refuses(&other).unwrap().contains("1000 legal holds are open"));
        assert_eq!(
            (many.refuses(&hold), register.refuses(&other)),
            (None, None),
            "the same again is none more"
        );
        let newer = Hold { query: "{\"verdict\":\"lost\"}".into(), ..hold.clone() };
        assert!(newer.query(&own).person.is_empty(), "what is not understood keeps everything");
        let close = |reference: &str| Close { closed_by: reader.clone(), reference: reference.into() };
        log.add(Kind::Close, now, &close("KS 2026/7")).unwrap();
        log.add(Kind::Release, now, &close("D 2026/1")).unwrap();
        let register = Register::read(&log).unwrap();
        assert!(register.holds.is_empty() && register.is_used());
        assert!(
            register.allows("KS 2026/7", &query, &[], today, false, &own).unwrap_err().contains("closed")
        );
        // The same reference may be registered anew.
        log.add(Kind::Decision, now, &decision()).unwrap();
        assert!(Register::read(&log).unwrap().allows("KS 2026/7", &query, &[], today, false, &own).is_ok());
    }
}
