//! Forwarders: whose mail is forwarded where. Targets are shown as domains: which private mailbox
//! it is matters to the mail itself, not to the follow-up.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::address::{Address, Domain};
use crate::config::Config;
use crate::export::{local, visible};
use crate::policy::Actions;
use crate::rules::{Confidence, auto_forward};
use crate::store::query::Query;
use crate::store::search::findings::Finding;
use crate::store::session::Session;

/// The period where none is given.
const PERIOD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The head of the table.
pub const HEAD: [&str; 8] = ["NEW", "MAILBOX", "DOMAIN", "MECHANISM", "MAILS", "FIRST", "LAST", "THEN"];

/// The report.
pub struct Forwarders<'a> {
    /// The period.
    pub query: Query,
    since: Timestamp,
    least: Confidence,
    config: &'a Config,
    forwards: BTreeMap<Key, Forward>,
}

/// A mailbox, if it is known, and the domain that its mail goes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    mailbox: Option<String>,
    domain: Domain,
}

/// What is known of one forward.
struct Forward {
    mechanisms: BTreeSet<String>,
    grade: Confidence,
    first: Timestamp,
    last: Timestamp,
    /// What followed the last time.
    then: String,
    /// In the period.
    mails: u64,
}

impl<'a> Forwarders<'a> {
    /// Of a period; without a beginning, of the 30 days before its end.
    pub fn new(query: Query, least: Confidence, config: &'a Config) -> Self {
        let end = query.until.unwrap_or_else(Timestamp::now);
        let since = query.since.unwrap_or_else(|| end.saturating_sub(PERIOD).unwrap_or(Timestamp::MIN));
        let query = Query { since: Some(since), ..query };
        Self { query, since, least, config, forwards: BTreeMap::new() }
    }

    /// Reads what was found until the end of the period. What came before its beginning tells what is new.
    pub fn read(&mut self, session: &mut Session) {
        // A decision may be about a shorter time.
        self.since = session.query().since.map_or(self.since, |since| since.max(self.since));
        session.findings(auto_forward::SPEC.id, |finding| self.add(&finding));
        session.count(self.forwards.values().filter(|forward| forward.mails > 0).count() as u64);
    }

    /// The least confidence that is listed.
    pub fn least(&self) -> Confidence {
        self.least
    }

    /// The forwards of the period, as JSON.
    pub fn to_json(&self) -> impl Iterator<Item = serde_json::Value> {
        self.listed().map(|(key, forward)| self.json(key, forward))
    }

    /// The forwards of the period, as rows of a table with [`HEAD`].
    pub fn rows(&self) -> Vec<Vec<String>> {
        self.listed().map(|(key, forward)| self.cells(key, forward)).collect()
    }

    fn listed(&self) -> impl Iterator<Item = (&Key, &Forward)> {
        self.forwards.iter().filter(|(_, forward)| forward.mails > 0)
    }

    fn add(&mut self, Finding { time, row, .. }: &Finding) {
        let Some(grade) = Confidence::parse(&row.grade).filter(|grade| *grade >= self.least) else { return };
        let domains: BTreeSet<Domain> =
            row.recipients.iter().filter_map(|address| Address::parse(address)?.domain()).collect();
        for domain in domains {
            let key = Key { mailbox: row.mailboxes.first().cloned(), domain };
            let forward = self.forwards.entry(key).or_insert_with(|| Forward {
                mechanisms: BTreeSet::new(),
                grade,
                first: *time,
                last: *time,
                then: String::new(),
                mails: 0,
            });
            forward.mechanisms.extend(row.evidence.split(',').map(str::to_owned));
            forward.grade = forward.grade.max(grade);
            forward.first = forward.first.min(*time);
            forward.mails += u64::from(*time >= self.since);
            if *time >= forward.last {
                forward.last = *time;
                forward.then = match (row.decision.as_str(), row.mode.as_str()) {
                    ("", "observe") => format!("would be {}", row.verdict),
                    ("", _) => row.verdict.clone(),
                    (decision, _) => format!("allowed by {decision}"),
                };
            }
        }
    }

    /// What is new in the period: the mailbox as a forwarder, or the domain as its target.
    fn new_part(&self, key: &Key, forward: &Forward) -> Option<&'static str> {
        if forward.first < self.since {
            return None;
        }
        let before =
            |(other, forward): (&Key, &Forward)| other.mailbox == key.mailbox && forward.first < self.since;
        Some(if self.forwards.iter().any(before) { "domain" } else { "mailbox" })
    }

    fn is_private(&self, domain: &Domain) -> bool {
        let mut policies = self.config.rules.iter().flat_map(|(_, policy)| policy.all());
        policies.any(|policy| match &policy.actions {
            Actions::Forward(forward) => forward.private_domains.contains(domain),
            Actions::Content(_)
            | Actions::Virus(_)
            | Actions::Sender(_)
            | Actions::Attachment(_)
            | Actions::Sensitive(_)
            | Actions::Mark(_)
            | Actions::Receipt(_) => false,
        })
    }

    fn json(&self, key: &Key, forward: &Forward) -> serde_json::Value {
        let zone = &self.config.time_zone;
        json!({
            "mailbox": key.mailbox,
            "domain": key.domain.as_str(),
            "private": self.is_private(&key.domain),
            "mechanisms": forward.mechanisms,
            "grade": forward.grade.as_str(),
            "mails": forward.mails,
            "first": local(forward.first, zone),
            "last": local(forward.last, zone),
            "new": self.new_part(key, forward),
            "then": forward.then,
        })
    }

    fn cells(&self, key: &Key, forward: &Forward) -> Vec<String> {
        let day = |time| self.config.time_zone.to_datetime(time).strftime("%Y-%m-%d %H:%M").to_string();
        let private = if self.is_private(&key.domain) { " (private)" } else { "" };
        let mechanisms = forward.mechanisms.iter().cloned().collect::<Vec<_>>().join(",");
        vec![
            self.new_part(key, forward).unwrap_or_default().to_owned(),
            visible(key.mailbox.as_deref().unwrap_or("(unknown)")).into_owned(),
            format!("{}{private}", visible(key.domain.as_str())),
            format!("{mechanisms} ({})", forward.grade.as_str()),
            forward.mails.to_string(),
            day(forward.first),
            day(forward.last),
            visible(&forward.then).into_owned(),
        ]
    }
}
