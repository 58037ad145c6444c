//! The gate: for which reason what of the log may be read, and how much of it. It decides once, for every command and
//! every form in which rows are shown.
//!
//! Contract: there are four kinds of reason. A decision opens the mail of its persons in its period. A person's own
//! request opens that person's mail. A request for public records opens the log, as the law does, and keeps what it asks
//! for from retention. Operation opens one mail by its id; otherwise it sees few rows of a short period, and the people
//! inside as pseudonyms.

use std::path::Path;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::access::{Access, AccessError, AccessLog, Reader};
use super::query::{Party, Query, with_aliases};
use super::register::{Hold, Register};
use crate::address::Address;
use crate::config::records::is_purpose;
use crate::config::{Access as AccessRules, Config};
use crate::organisation::Organisation;
use crate::policy::Actions;
use crate::record::pseudonyms::Veil;

/// Who reads which log.
#[derive(Clone, Debug)]
pub struct Gate<'a> {
    /// The store.
    pub directory: &'a Path,
    /// Who reads.
    pub reader: Reader,
    /// Who is inside.
    pub organisation: &'a Organisation,
    /// The organisation's time zone: decisions are valid for whole days.
    pub zone: &'a TimeZone,
    /// The hash of the config. It must be the one that the server loaded last.
    pub config: &'a str,
    /// What may be read for operation, and which addresses inside are no person's.
    pub access: AccessRules,
}

/// Why the log is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    /// What for. Required where there is nothing else.
    pub purpose: String,
    /// What permits it.
    pub basis: Basis,
}

/// What permits reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// The purpose alone: the mail system has to be operated.
    #[default]
    Operation,
    /// The decision with this reference.
    Decision(String),
    /// This person asks about their own mail.
    OwnRequest(Address),
    /// The request for public records with this reference.
    Request(String),
}

/// What somebody wants to read.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is done with it: `search`, `export`.
    pub verb: &'static str,
    /// Which records.
    pub query: Query,
    /// What else is asked, as an object.
    pub more: Value,
    /// Why.
    pub reason: Reason,
}

/// What a request is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Rows.
    Records,
    /// Rows that leave the log in a file.
    Export,
    /// All about one person.
    Extract,
    /// What rules found, and whose mail it was.
    Findings,
    /// Receipts and notices.
    Outbox,
    /// What waits in the hold queue, all of it.
    Waiting,
    /// Counts, samples under pseudonyms, and what was done with the log.
    Other,
}

/// What a reason opens.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    /// The part of what was asked for.
    pub(super) query: Query,
    /// So many rows.
    pub(super) rows: Option<u64>,
    /// People inside are pseudonyms.
    pub(super) veiled: bool,
    /// The decision is in the register.
    pub(super) registered: bool,
}

impl Opened {
    /// All of it.
    pub(super) fn whole(query: Query) -> Self {
        Self { query, rows: None, veiled: false, registered: false }
    }
}

impl<'a> Gate<'a> {
    /// The gate of a log under its config.
    pub fn new(directory: &'a Path, config: &'a Config, reader: Reader) -> Self {
        let mut access = config.store.access.clone();
        for (_, policy) in &config.rules {
            if let Actions::Receipt(receipts) = &policy.actions {
                access.functions.extend(receipts.mailboxes.iter().map(|mailbox| mailbox.address.clone()));
            }
        }
        let (organisation, zone) = (&*config.organisation, &config.time_zone);
        Self { directory, reader, organisation, zone, config: &config.hash, access }
    }

    /// Whether a request that was granted still is: the decision may have been closed, and another config loaded.
    pub fn still_allows(&self, request: &Request) -> Result<bool, AccessError> {
        let accesses = AccessLog::open(self.directory)?;
        let register = Register::read(&accesses)?;
        let opened = self.allowed(request, &register, Timestamp::now(), || None);
        Ok(opened.is_ok() && self.other_config(&accesses)?.is_none())
    }

    /// The mailboxes that the reader sees something of; none where it is all.
    pub(super) fn own_mailboxes(&self) -> Vec<Party> {
        self.reader.mailboxes.iter().filter_map(|own| Address::parse(own)).map(Party::Address).collect()
    }

    /// What hides the people inside, under pseudonyms by a key.
    pub(super) fn veil(&self, key: [u8; 32]) -> Veil {
        Veil { key, organisation: self.organisation.clone(), functions: self.access.functions.clone() }
    }

    /// What the reason opens of what is asked for, or why it opens nothing. `newest` is the time of the newest record.
    pub(super) fn allowed(
        &self,
        request: &Request,
        register: &Register,
        now: Timestamp,
        newest: impl FnOnce() -> Option<Timestamp>,
    ) -> Result<Opened, String> {
        let query = &request.query;
        let whole = Opened::whole;
        let mut opened = match &request.reason.basis {
            Basis::Operation => self.operation(request, register, now, newest)?,
            Basis::Decision(_) if !register.is_used() => whole(query.clone()),
            Basis::Decision(reference) => {
                let named: Vec<&Party> = self.inside_parties(query).chain(&query.person).collect();
                let today = now.to_zoned(self.zone.clone()).date();
                let four_eyes = self.access.four_eyes;
                let query = register.allows(reference, query, &named, today, four_eyes, self.organisation)?;
                Opened { registered: true, ..whole(query) }
            }
            Basis::OwnRequest(person) => whole(self.own(request, person)?),
            Basis::Request(reference) if reference.trim().is_empty() => {
                return Err(
                    "--request takes the reference of the request, such as \"Dnr 2026/123\"".to_owned()
                );
            }
            Basis::Request(_) if request.scope() == Scope::Extract => {
                return Err(
                    "an extract is about one person: --decision REF or --own-request ADDRESS".to_owned()
                );
            }
            Basis::Request(_) => whole(query.clone()),
        };
        opened.query.person = with_aliases(&opened.query.person, self.organisation);
        Ok(opened)
    }

    /// What operation opens: one mail by its id, or few rows of a short period.
    fn operation(
        &self,
        request: &Request,
        register: &Register,
        now: Timestamp,
        newest: impl FnOnce() -> Option<Timestamp>,
    ) -> Result<Opened, String> {
        let Request { query, reason, .. } = request;
        let scope = request.scope();
        self.purpose(&reason.purpose, scope)?;
        let named = self.inside_parties(query).chain(&query.person).any(|party| self.is_person(party));
        if named || query.user.is_some() || query.name.is_some() {
            return Err(format!("the query names a person inside, which {TAKES_A_DECISION}"));
        }
        if scope == Scope::Extract {
            return Err("an extract is about one person, which requires a documented decision (--decision REF) or that \
                        person's own request (--own-request ADDRESS)"
                .to_owned());
        }
        if scope == Scope::Export && register.is_used() {
            return Err("an export takes records out of the log, which requires a documented decision (--decision REF) \
                        or a request for public records (--request DNR)"
                .to_owned());
        }
        let capped = matches!(scope, Scope::Records | Scope::Export | Scope::Outbox);
        let rows = capped.then_some(u64::from(self.access.rows));
        let plain = |query: Query, veiled: bool| Opened { query, rows, veiled, registered: false };
        if request.is_by_id() {
            return Ok(plain(query.clone(), false));
        }
        match scope {
            Scope::Records | Scope::Export | Scope::Findings => {
                Ok(plain(self.short(query, now, newest)?, true))
            }
            Scope::Outbox | Scope::Waiting => Ok(plain(query.clone(), true)),
            Scope::Extract | Scope::Other => Ok(plain(query.clone(), false)),
        }
    }

    /// Whether the text says what the log is read for.
    fn purpose(&self, given: &str, scope: Scope) -> Result<(), String> {
        if matches!(scope, Scope::Outbox | Scope::Other) && OWN_PURPOSES.contains(&given) {
            return Ok(());
        }
        if given.is_empty() {
            return Err("a reason is required: --decision REF, --own-request ADDRESS, --request DNR, or --purpose TEXT \
                        for operation"
                .to_owned());
        }
        let (known, folded) = (&self.access.purposes, given.to_lowercase());
        if known.is_empty() && !is_purpose(given) {
            return Err(format!(
                "the purpose {given:?} says too little: say in words what the log is read for"
            ));
        }
        if !known.is_empty() && !known.iter().any(|purpose| folded.starts_with(&purpose.to_lowercase())) {
            return Err(format!("the purpose has to begin with one of: {}", known.join(", ")));
        }
        Ok(())
    }

    /// The query within the period that a search for operation may cover; its newest part where it names none.
    fn short(
        &self,
        query: &Query,
        now: Timestamp,
        newest: impl FnOnce() -> Option<Timestamp>,
    ) -> Result<Query, String> {
        let days = i64::from(self.access.days);
        let longest = SignedDuration::from_hours(24 * days);
        let before = |time: Timestamp| time.checked_sub(longest).ok();
        let (since, until) = (query.since, query.until);
        if let Some(since) = since {
            // Days are as long as the clocks on the wall make them.
            let most = longest + SignedDuration::from_hours(1);
            if until.unwrap_or(now).duration_since(since) > most {
                return Err(format!(
                    "a search for operation covers {days} days at most: narrow it with --since and --until. A longer \
                     period {TAKES_A_DECISION}"
                ));
            }
            return Ok(query.clone());
        }
        let since = until.or_else(|| newest().map(|newest| newest.min(now))).and_then(before);
        Ok(Query { since, ..query.clone() })
    }

    /// What a person's own request opens.
    fn own(&self, request: &Request, person: &Address) -> Result<Query, String> {
        if !matches!(request.scope(), Scope::Records | Scope::Extract | Scope::Outbox) {
            return Err("--own-request opens one person's mail: log search, log show, log subject-extract and receipts"
                .to_owned());
        }
        if person.domain().is_none() {
            return Err("--own-request takes the person's whole address".to_owned());
        }
        let own = Party::Address(person.clone());
        let is_own = |party: &Party| match party {
            Party::Address(address) => self.organisation.is_same_mailbox(address, person),
            Party::Null | Party::Domain(_) => false,
        };
        let query = &request.query;
        if !query.person.iter().all(is_own) {
            return Err(format!("{person} asks about their own mail, and the query names another person"));
        }
        let mut asked = query.person.clone();
        if asked.is_empty() {
            asked.push(own);
        }
        Ok(Query { person: asked, ..query.clone() })
    }

    /// The people inside whom the query names as sender, recipient or author. A decision must name each of them.
    fn inside_parties<'q>(&'q self, query: &'q Query) -> impl Iterator<Item = &'q Party> {
        let counterparts = query.sender.iter().chain(&query.recipient).chain(&query.from);
        counterparts.filter(|party| self.is_person(party))
    }

    fn is_person(&self, party: &Party) -> bool {
        let same =
            |address: &Address, function: &Address| self.organisation.is_same_mailbox(function, address);
        match party {
            Party::Address(address) => {
                self.organisation.owns(address)
                    && !self.access.functions.iter().any(|function| same(address, function))
            }
            Party::Null | Party::Domain(_) => false,
        }
    }
}

/// The purposes of commands that are run without one: they show no mail, or few rows and pseudonyms.
const OWN_PURPOSES: [&str; 5] = [OUTBOX, REVIEW_OF_ACCESSES, REVIEW_OF_REGISTER, PROTOCOL, JUDGEMENT];
/// The purpose of `receipts`, where none is stated.
pub const OUTBOX: &str = "operation of the outbox";
/// The purpose of `log access`, where none is stated.
pub const REVIEW_OF_ACCESSES: &str = "review of accesses";
/// The purpose of listing decisions and legal holds, where none is stated.
pub const REVIEW_OF_REGISTER: &str = "review of the register";
/// The purpose of `log label`, where none is stated.
pub const JUDGEMENT: &str = "judgement of a finding";
/// The purpose of a protocol of retention, where none is stated.
pub const PROTOCOL: &str = "protocol of retention";

/// What is needed beside a purpose, for what operation does not open.
const TAKES_A_DECISION: &str = "requires a documented decision (--decision REF), the person's own request \
                                (--own-request ADDRESS), or a request for public records (--request DNR)";

impl Reason {
    /// Operation, for this purpose.
    pub fn operation(purpose: &str) -> Self {
        Self { purpose: purpose.to_owned(), basis: Basis::Operation }
    }

    /// The decision with this reference.
    pub fn decision(reference: &str) -> Self {
        Self { purpose: String::new(), basis: Basis::Decision(reference.to_owned()) }
    }
}

impl Basis {
    /// Puts it into the entry of an access.
    pub(super) fn write(&self, access: &mut Access) {
        match self {
            Self::Operation => {}
            Self::Decision(reference) => access.decision.clone_from(reference),
            Self::OwnRequest(person) => access.own_request = person.to_string(),
            Self::Request(reference) => reference.trim().clone_into(&mut access.request),
        }
    }
}

impl Request {
    /// A request of these records for this reason.
    pub fn new(verb: &'static str, query: Query, reason: Reason) -> Self {
        Self { verb, query, more: Value::Null, reason }
    }

    /// The same, with what else is asked.
    #[must_use]
    pub fn with(self, more: Value) -> Self {
        Self { more, ..self }
    }

    /// What is asked, as the access log has it.
    pub(super) fn asked(&self, query: &Query) -> Value {
        // Strings, numbers and lists of them always have a JSON form.
        let mut asked = serde_json::to_value(query).unwrap_or_default();
        if let (Value::Object(asked), Value::Object(more)) = (&mut asked, &self.more) {
            asked.extend(more.clone());
        }
        asked
    }

    fn scope(&self) -> Scope {
        match self.verb {
            "held list" => Scope::Waiting,
            "search" | "show" | "disclosure open" => Scope::Records,
            verb if verb.starts_with("held ") => Scope::Records,
            "export" | "follow" => Scope::Export,
            "subject-extract" => Scope::Extract,
            "report" if matches!(self.text("report"), Some("forwarders" | "rules")) => Scope::Findings,
            verb if verb.starts_with("receipts") => Scope::Outbox,
            _ => Scope::Other,
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.more.get(name).and_then(Value::as_str)
    }

    /// Whether it asks for one mail by its own name.
    fn is_by_id(&self) -> bool {
        let Query { record, queue_id, message_id, .. } = &self.query;
        let of_outbox = self.scope() == Scope::Outbox && self.text("id").is_some_and(|id| !id.is_empty());
        record.is_some() || queue_id.is_some() || message_id.is_some() || of_outbox
    }

    /// The legal hold that a request for public records places: what it asks for is kept until the hold is released.
    pub(super) fn hold(&self, reader: &Reader, query: &Query) -> Option<Hold> {
        let Basis::Request(reference) = &self.reason.basis else { return None };
        if !matches!(self.scope(), Scope::Records | Scope::Export) {
            return None;
        }
        let named = query.sender.iter().chain(&query.recipient).chain(&query.from).chain(&query.person);
        Some(Hold {
            placed_by: reader.clone(),
            reference: reference.trim().to_owned(),
            parties: named.map(ToString::to_string).collect(),
            since: query.since,
            until: query.until,
            query: serde_json::to_string(query).unwrap_or_default(),
        })
    }
}
