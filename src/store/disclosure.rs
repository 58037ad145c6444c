//! The disclosure desk: requests for public records with what was chosen for each record, as entries of the access log, whose
//! tree proves them.
//!
//! Contract: nothing in them is changed. Of one record the newest choice counts. An approval counts for the choices that were
//! there when it was given: one choice more, and the review has to be approved again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::access::{AccessError, AccessLog, Kind, Reader};
use super::query::Query;
use crate::text::words;

words! {
    /// What becomes of a record.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Choice {
        /// It is disclosed, as the profile for disclosure has it.
        Keep = "keep",
        /// Columns of it are masked as well.
        Mask = "mask",
        /// It is not disclosed.
        LeaveOut = "leave-out",
    }
}

words! {
    /// How a request was answered.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Answered {
        /// All of it was disclosed.
        Disclosed = "disclosed",
        /// A part was.
        Part = "part",
        /// Nothing was.
        Refused = "refused",
        /// It was withdrawn.
        Withdrawn = "withdrawn",
    }
}

/// Sections of the law (Offentlighets- och sekretesslagen) by which records of mail are usually not disclosed, with what they are
/// about.
pub const SECTIONS: &[(&str, &str)] = &[
    ("OSL 21 kap. 1 §", "hälsa och sexualliv"),
    ("OSL 21 kap. 3 §", "adress eller telefonnummer till den som kan bli utsatt för hot"),
    ("OSL 21 kap. 7 §", "behandling i strid med dataskyddsreglerna"),
    ("OSL 22 kap. 1 §", "skyddad folkbokföring"),
    ("OSL 23 kap. 1 §", "förskola"),
    ("OSL 23 kap. 2 §", "skola"),
    ("OSL 25 kap. 1 §", "hälso- och sjukvård"),
    ("OSL 26 kap. 1 §", "socialtjänst"),
    ("OSL 18 kap. 8 §", "säkerhets- och bevakningsåtgärder"),
    ("OSL 19 kap. 3 §", "upphandling"),
    ("OSL 31 kap. 16 §", "affärsförhållanden"),
    ("OSL 32 kap. 3 b §", "visselblåsare"),
    ("OSL 39 kap. 2 §", "personalvård"),
];

/// An entry about a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Who.
    #[serde(flatten)]
    pub by: Reader,
    /// The reference of the request.
    pub reference: String,
    /// What was done.
    pub step: Step,
}

/// What is done about a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It was registered.
    Opened(Opened),
    /// Somebody chose what becomes of records.
    Reviewed {
        /// Their ids.
        records: Vec<String>,
        /// What becomes of them.
        chosen: Chosen,
    },
    /// Somebody approved the choices until that entry.
    Approved {
        /// Its number.
        until: u64,
    },
    /// It was answered.
    Closed {
        /// How.
        answered: Answered,
        /// The reference of the written decision, where there is one.
        decision: String,
    },
}

/// A request, as it was registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The day on which it came.
    pub received: Date,
    /// Who asks, where they said so: nobody has to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub asked_by: String,
    /// Which records, as JSON.
    pub query: String,
    /// The columns that are asked for.
    pub columns: Vec<String>,
    /// How many records these were.
    pub records: u64,
}

/// What becomes of a record, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// What.
    pub choice: Choice,
    /// The columns that are masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// By which section of the law.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub section: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// Who did something, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The number of the entry.
    pub n: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Reader,
}

/// A request with all that was done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its reference.
    pub reference: String,
    /// What was asked for.
    pub asked: Opened,
    /// Who registered it.
    pub opened: Done,
    /// What was chosen, by the record's id.
    pub chosen: BTreeMap<String, (Chosen, Done)>,
    /// The newest entry that an approval has to be about.
    pub newest: u64,
    /// Who approved that.
    pub approved: Option<Done>,
    /// How it was answered, by which decision.
    pub closed: Option<(Answered, String, Done)>,
    /// Everybody who registered it or chose something.
    worked: Vec<Reader>,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Records wait for a choice, or the choices for an approval.
    Review,
    /// Its files may be made.
    Approved,
    /// It was answered.
    Closed,
}

impl State {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::Approved => "approved",
            Self::Closed => "closed",
        }
    }
}

impl Case {
    /// How far it is.
    pub fn state(&self) -> State {
        match (&self.closed, &self.approved) {
            (Some(_), _) => State::Closed,
            (None, Some(_)) => State::Approved,
            (None, None) => State::Review,
        }
    }

    /// Which records are asked for; `None` where a newer version wrote that.
    pub fn query(&self) -> Option<Query> {
        Query::read_back(&self.asked.query)
    }

    /// Whether that person has chosen something in it, or registered it: they are no second person.
    pub fn has_worked(&self, reader: &Reader) -> bool {
        self.worked.iter().any(|known| known.is_same_person(reader))
    }

    fn take(&mut self, step: Step, done: Done) {
        if self.closed.is_some() {
            return;
        }
        match step {
            Step::Reviewed { records, chosen } => {
                for record in records {
                    self.chosen.insert(record, (chosen.clone(), done.clone()));
                }
                (self.newest, self.approved) = (done.n, None);
                self.worked.push(done.by);
            }
            Step::Approved { until } if until == self.newest => self.approved = Some(done),
            // Of what was there before; and a reference is registered once while it is open.
            Step::Approved { .. } | Step::Opened(_) => {}
            Step::Closed { answered, decision } => self.closed = Some((answered, decision, done)),
        }
    }
}

/// Every request, in the order in which they were registered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disclosures(pub Vec<Case>);

impl Disclosures {
    /// Reads them.
    pub fn read(log: &AccessLog) -> Result<Self, AccessError> {
        let mut all: Vec<Case> = Vec::new();
        for entry in log.entries_of(Kind::Disclosure)? {
            let Some(told) = entry.read::<Told>(Kind::Disclosure) else { continue };
            let done = Done { n: entry.n, at: entry.time, by: told.by };
            let known = all.iter_mut().rev().find(|case| case.reference == told.reference);
            match (known, told.step) {
                (Some(case), step) if case.closed.is_none() => case.take(step, done),
                (_, Step::Opened(asked)) => all.push(Case {
                    reference: told.reference,
                    asked,
                    newest: done.n,
                    worked: vec![done.by.clone()],
                    opened: done,
                    chosen: BTreeMap::new(),
                    approved: None,
                    closed: None,
                }),
                (_, Step::Reviewed { .. } | Step::Approved { .. } | Step::Closed { .. }) => {}
            }
        }
        Ok(Self(all))
    }

    /// The newest with that reference.
    pub fn find(&self, reference: &str) -> Option<&Case> {
        self.0.iter().rev().find(|case| case.reference == reference)
    }
}

/// Writes what was done about a request. The number of the entry.
pub fn tell(log: &mut AccessLog, by: &Reader, reference: &str, step: Step) -> Result<u64, AccessError> {
    let told = Told { by: by.clone(), reference: reference.to_owned(), step };
    log.add(Kind::Disclosure, Timestamp::now(), &told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(subject: &str) -> Reader {
        Reader { subject: subject.into(), ..serde_json::from_str("{}").unwrap() }
    }

    fn opened() -> Step {
        Step::Opened(Opened {
            received: "2026-08-21".parse().unwrap(),
            asked_by: String::new(),
            query: "{\"queue_id\":\"4fKq\"}".into(),
            columns: vec!["time".into()],
            records: 2,
        })
    }

    fn reviewed(records: &[&str], choice: Choice) -> Step {
        let section = "21 kap. 7 §".to_owned();
        let chosen = Chosen { choice, columns: Vec::new(), section, why: String::new() };
        Step::Reviewed { records: records.iter().map(|id| (*id).to_owned()).collect(), chosen }
    }

    #[test]
    fn an_approval_counts_for_the_choices_that_were_there() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = AccessLog::open(directory.path()).unwrap();
        let (anna, bo) = (reader("anna"), reader("bo"));
        let case = |log: &AccessLog| Disclosures::read(log).unwrap().find("Dnr 1").unwrap().clone();
        // What is no request yet is nothing.
        tell(&mut log, &anna, "Dnr 1", reviewed(&["a"], Choice::Keep)).unwrap();
        assert_eq!(Disclosures::read(&log).unwrap(), Disclosures::default());
        tell(&mut log, &anna, "Dnr 1", opened()).unwrap();
        tell(&mut log, &anna, "Dnr 1", reviewed(&["a", "b"], Choice::Keep)).unwrap();
        let n = tell(&mut log, &anna, "Dnr 1", reviewed(&["b"], Choice::LeaveOut)).unwrap();
        let known = case(&log);
        let choices: Vec<Choice> = known.chosen.values().map(|(chosen, _)| chosen.choice).collect();
        assert_eq!(choices, [Choice::Keep, Choice::LeaveOut], "the newest counts");
        assert_eq!((known.state(), known.newest), (State::Review, n));
        assert!(known.has_worked(&anna) && !known.has_worked(&bo));
        tell(&mut log, &bo, "Dnr 1", Step::Approved { until: n - 1 }).unwrap();
        assert_eq!(case(&log).state(), State::Review, "of an earlier state");
        tell(&mut log, &bo, "Dnr 1", Step::Approved { until: n }).unwrap();
        assert_eq!(case(&log).state(), State::Approved);
        tell(&mut log, &anna, "Dnr 1", reviewed(&["a"], Choice::Mask)).unwrap();
        assert_eq!(case(&log).state(), State::Review, "one choice more");
        let closed = Step::Closed { answered: Answered::Refused, decision: "KS 2026/9".into() };
        tell(&mut log, &anna, "Dnr 1", closed).unwrap();
        tell(&mut log, &anna, "Dnr 1", reviewed(&["a"], Choice::Keep)).unwrap();
        let known = case(&log);
        assert_eq!((known.state(), known.chosen["a"].0.choice), (State::Closed, Choice::Mask));
        assert_eq!(known.query().unwrap().queue_id.as_deref(), Some("4fKq"));
        // The same reference may be registered anew.
        tell(&mut log, &bo, "Dnr 1", opened()).unwrap();
        assert_eq!(case(&log).state(), State::Review);
        assert_eq!(Disclosures::read(&log).unwrap().0.len(), 2);
    }
}
