//! Sessions: nobody reads the log but within one, and one begins and ends with an entry in the access log.
//!
//! Contract: [`Gate::read`] alone makes a [`Session`], after it wrote who reads, what and why; where that cannot be
//! written, or is refused, there is none. A session gives the rows of the query that was written, and of no other, counts
//! them, and its end is written whatever the reading came to. The server, retention and `verify` read the files
//! without one, and show no row.

use std::error::Error;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::access::{Access, AccessError, AccessLog, Done, Ended, Made, Reader};
use super::outbox::{self, Listed};
use super::proof::Prover;
use super::query::{Party, Query};
use super::register::Register;
use super::search::findings::Finding;
use super::search::totals::Totals;
use super::search::{Found, Log, Searched};
use super::{OpenError, ReadError};
use crate::config::Heads;
use crate::organisation::Organisation;

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
}

/// Why the log is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    /// What for.
    pub purpose: String,
    /// By which decision.
    pub decision: String,
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

/// What came of it.
#[derive(Debug)]
pub enum Read<T> {
    /// Nothing: it was refused, and that is logged.
    Refused(String),
    /// It was read.
    Given {
        /// What was made of it.
        value: T,
        /// How many rows were shown.
        rows: u64,
        /// Files that could not be read.
        left_out: Vec<OpenError>,
        /// Index files that could not be used, and why: every record that they are of was read.
        unused: Vec<String>,
    },
}

/// An access that is logged and goes on.
#[derive(Debug)]
pub struct Session {
    log: Log,
    accesses: AccessLog,
    n: u64,
    access: Access,
    query: Query,
    rows: u64,
    left_out: Vec<OpenError>,
    unused: Vec<String>,
    made: Option<Made>,
}

impl Gate<'_> {
    /// Logs that somebody reads, lets them, and logs what came of it.
    pub fn read<T, E>(
        &self,
        request: &Request,
        work: impl FnOnce(&mut Session) -> Result<T, E>,
    ) -> Result<Read<T>, E>
    where
        E: From<AccessError> + From<OpenError> + AsRef<dyn Error + Send + Sync>,
    {
        let log = Log::open(self.directory)?;
        let accesses = AccessLog::open(self.directory)?;
        let register = Register::read(&accesses)?;
        let allowed = self.allowed(request, &register, Timestamp::now());
        let registered = !request.reason.decision.is_empty() && register.is_used() && allowed.is_ok();
        match allowed {
            Ok(query) => {
                let request = Request { query, ..request.clone() };
                self.enter(&request, (log, accesses), None, registered, work)
            }
            Err(why) => self.enter(request, (log, accesses), Some(why), registered, work),
        }
    }

    /// Like [`Gate::read`], for commands with a permission check of their own, such as retention; `refused` is why it
    /// failed.
    pub fn act<T, E>(
        &self,
        request: &Request,
        refused: Option<String>,
        work: impl FnOnce(&mut Session) -> Result<T, E>,
    ) -> Result<Read<T>, E>
    where
        E: From<AccessError> + From<OpenError> + AsRef<dyn Error + Send + Sync>,
    {
        let files = (Log::open(self.directory)?, AccessLog::open(self.directory)?);
        self.enter(request, files, refused, false, work)
    }

    fn enter<T, E>(
        &self,
        request: &Request,
        (log, mut accesses): (Log, AccessLog),
        refused: Option<String>,
        registered: bool,
        work: impl FnOnce(&mut Session) -> Result<T, E>,
    ) -> Result<Read<T>, E>
    where
        E: From<AccessError> + From<OpenError> + AsRef<dyn Error + Send + Sync>,
    {
        let refused = self.other_config(&accesses)?.or(refused);
        let access = Access {
            time: Timestamp::now(),
            reader: self.reader.clone(),
            verb: request.verb.to_owned(),
            query: request.asked().to_string(),
            purpose: request.reason.purpose.clone(),
            decision: request.reason.decision.clone(),
            registered,
            refused: refused.clone().unwrap_or_default(),
        };
        let n = accesses.begin(&access)?;
        if let Some(refused) = refused {
            return Ok(Read::Refused(refused));
        }
        let query = request.query.clone();
        let mut session = Session {
            log,
            accesses,
            n,
            access,
            query,
            rows: 0,
            left_out: Vec::new(),
            unused: Vec::new(),
            made: None,
        };
        let result = work(&mut session);
        session.end(result)
    }

    /// Why this config does not say who may read this log, if it does not.
    fn other_config(&self, accesses: &AccessLog) -> Result<Option<String>, AccessError> {
        // What an earlier version wrote has no part of the config; the first start of this one writes it.
        let in_force =
            accesses.in_force()?.filter(|(_, change)| change.part.is_some() && change.config != self.config);
        Ok(in_force.map(|(since, change)| {
            format!(
                "the config has the hash {}, and the active one has {}: postvakt loaded that one at {since}. Give it \
                 with --config, or have postvakt reload this one",
                self.config, change.config
            )
        }))
    }

    /// The query as it may be asked, or why it may not.
    fn allowed(&self, request: &Request, register: &Register, now: Timestamp) -> Result<Query, String> {
        let Request { verb, query, reason: Reason { purpose, decision }, .. } = request;
        if decision.is_empty() && purpose.is_empty() {
            return Err("a reason is required: --purpose TEXT, or --decision REF".to_owned());
        }
        let inside = |party: &&Party| match party {
            Party::Address(address) => self.organisation.owns(address),
            Party::Null | Party::Domain(_) => false,
        };
        // The decision must name each sender or recipient inside, and each `person`, inside or outside.
        let inside_parties = query.sender.iter().chain(&query.recipient).filter(inside);
        let named: Vec<&Party> = inside_parties.chain(&query.person).collect();
        if decision.is_empty() {
            let what = match *verb {
                _ if named.iter().any(inside) => "the query names a person inside",
                "subject-extract" => "an extract is about one person",
                "export" if register.is_used() => "an export takes records out of the log",
                _ => return Ok(query.clone()),
            };
            return Err(format!("{what}, which requires a documented decision: --decision REF"));
        }
        if !register.is_used() {
            return Ok(query.clone());
        }
        register.allows(decision, query, &named, now.to_zoned(self.zone.clone()).date())
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
    fn asked(&self) -> Value {
        // Strings, numbers and lists of them always have a JSON form.
        let mut asked = serde_json::to_value(&self.query).unwrap_or_default();
        if let (Value::Object(asked), Value::Object(more)) = (&mut asked, &self.more) {
            asked.extend(more.clone());
        }
        asked
    }
}

impl Session {
    /// The number of the access.
    pub fn number(&self) -> u64 {
        self.n
    }

    /// The access, as it was logged.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Which records it is about.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// Gives every record that was asked for to `each`, in order.
    pub fn search<E>(&mut self, mut each: impl FnMut(Found) -> Result<(), E>) -> Result<(), E> {
        let rows = &mut self.rows;
        let Searched { left_out, unused } = self.log.search(&self.query, |found| {
            *rows += 1;
            each(found)
        })?;
        self.leave_out(left_out);
        self.unused.extend(unused);
        Ok(())
    }

    /// A sample of the records that were asked for, and how many there are to choose from.
    pub fn sample(&mut self, count: usize, seed: &str) -> (Vec<Found>, u64) {
        let (chosen, all, left_out) = self.log.sample(&self.query, count, seed);
        self.rows += chosen.len() as u64;
        self.leave_out(left_out);
        (chosen, all)
    }

    /// What a period held, counted. No record is shown by it.
    pub fn totals(&mut self, period: &Query) -> Totals {
        let (totals, left_out) = self.log.totals(period);
        self.leave_out(left_out);
        totals
    }

    /// Every finding of a rule until the end of what was asked for, also before its beginning: reports tell what is new.
    pub fn findings(&mut self, rule: &str, each: impl FnMut(Finding)) {
        let left_out = self.log.findings(rule, self.query.until, each);
        self.leave_out(left_out);
    }

    /// Whether an earlier access showed a record of a person: a query is asked again, as of its time.
    pub fn showed(&self, done: &Done, person: &[Party]) -> bool {
        let Some(query) = Query::read_back(&done.access.query) else {
            // What is not understood may have shown the person.
            return true;
        };
        if query.names(person) {
            return true;
        }
        let own = query.person.clone();
        let until = query.until.map_or(done.access.time, |until| until.min(done.access.time));
        let query = Query { person: person.to_vec(), until: Some(until), ..query };
        let found = self.log.search(&query, |found| {
            // An extract for somebody else showed this one if both are in it.
            let both = own.is_empty() || own.iter().any(|other| found.record.is_of(other));
            if both { Err(()) } else { Ok(()) }
        });
        found.is_err()
    }

    /// The accesses between two times with what came of them, in order.
    pub fn accesses(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Vec<Done>, AccessError> {
        self.accesses.list(since, until)
    }

    /// The accesses of the period that was asked for, and what else was done with the log then.
    pub fn deeds(&mut self) -> Result<Vec<Done>, AccessError> {
        let deeds = self.accesses.list_all(self.query.since, self.query.until)?;
        self.rows += deeds.len() as u64;
        Ok(deeds)
    }

    /// Decisions and holds.
    pub fn register(&self) -> Result<Register, AccessError> {
        Register::read(&self.accesses)
    }

    /// The outbox of the last weeks, as it is `now`. Whoever shows it counts what is shown.
    pub fn outbox(&self, now: Timestamp) -> Result<Vec<Listed>, ReadError> {
        outbox::list(&self.log.directory, now)
    }

    /// What proves the records of an export.
    pub fn prover(&self, settings: &Heads) -> Result<Prover, OpenError> {
        Prover::new(&self.log.directory, settings)
    }

    /// A key of this store for one use, which stays the same as long as the store does.
    pub fn key(&self, used_for: &str) -> io::Result<[u8; 32]> {
        self.log.key(used_for)
    }

    /// The files that could not be read until now.
    pub fn left_out(&self) -> &[OpenError] {
        &self.left_out
    }

    /// Index files that could not be used until now, and why.
    pub fn unused(&self) -> &[String] {
        &self.unused
    }

    /// Says what file was made of it, so that whoever has the file can compare.
    pub fn made(&mut self, made: Made) {
        self.made = Some(made);
    }

    /// Rows that are shown and that the session did not give.
    pub fn count(&mut self, rows: u64) {
        self.rows += rows;
    }

    /// A file that one search after the other leaves out is told of once.
    fn leave_out(&mut self, files: Vec<OpenError>) {
        for file in files {
            if !self.left_out.iter().any(|known| known.to_string() == file.to_string()) {
                self.left_out.push(file);
            }
        }
    }

    /// Logs what came of it.
    fn end<T, E>(mut self, result: Result<T, E>) -> Result<Read<T>, E>
    where
        E: From<AccessError> + AsRef<dyn Error + Send + Sync>,
    {
        let how = match &result {
            Ok(_) if self.left_out.is_empty() => "done",
            Ok(_) => "incomplete",
            Err(error) if has_left(error.as_ref()) => "broken off",
            Err(_) => "failed",
        };
        let ended = Ended {
            access: self.n,
            rows: self.rows,
            how: how.to_owned(),
            unused: self.unused.clone(),
            made: self.made.take().filter(|_| result.is_ok()),
        };
        self.accesses.end(Timestamp::now(), &ended)?;
        Ok(Read::Given { value: result?, rows: self.rows, left_out: self.left_out, unused: self.unused })
    }
}

/// The access with that number in the access log of a store, and what file it made. It shows no record.
pub fn logged(directory: &Path, n: u64) -> Result<Option<(Access, Option<Made>)>, AccessError> {
    match AccessLog::open_to_read(directory)? {
        Some(accesses) => accesses.access(n),
        None => Ok(None),
    }
}

/// Whether whoever reads our output has left, as `head` does.
fn has_left(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return true;
        }
        cause = error.source();
    }
    false
}
