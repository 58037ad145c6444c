//! Sessions: nobody reads the log but within one, and one begins and ends with an entry in the access log.
//!
//! Contract: [`Gate::read`] alone makes a [`Session`], after it wrote who reads, what and why; where that cannot be
//! written, or is refused, there is none. A session gives the rows of the query that was written, and of no other, counts
//! them, and its end is written whatever the reading came to. The server, retention and `verify` read the files
//! without one, and show no row.

mod beside;
mod sieve;
mod unshown;

use std::error::Error;
use std::io;

use jiff::Timestamp;

use self::sieve::Sieve;
pub use self::unshown::{Logged, Numbers, judged, logged, numbers, on_hold};
use super::access::{Access, AccessError, AccessLog, AccessRetention, Done, Ended, Kind, Made};
use super::deliveries::DeliveriesError;
use super::deliveries::trace::{Gap, Trace, Tracer};
use super::gate::Opened;
pub use super::gate::{Basis, Gate, Reason, Request};
use super::outbox::{self, Listed};
use super::outcomes::OutcomesError;
use super::proof::Prover;
use super::query::{Party, Query};
use super::register::Register;
use super::replica;
use super::search::after::Next;
use super::search::findings::Finding;
use super::search::totals::Totals;
use super::search::{Found, Log, Searched};
use super::single::{self, Belongings};
use super::{OpenError, ReadError};
use crate::config::Heads;
use crate::limits;
use crate::record::pseudonyms::Veil;
use crate::record::{FindingRow, Record, RecordId};

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
        /// Files that could not be read, and nodes whose log is not here as it is there.
        left_out: Vec<OpenError>,
        /// Index files that could not be used, and why: every record that they are of was read.
        unused: Vec<String>,
        /// That more would fit than the reason opens.
        capped: bool,
        /// Since when, where the reason alone set a beginning.
        since: Option<Timestamp>,
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
    /// A beginning that nobody asked for.
    since: Option<Timestamp>,
    /// How many rows may be shown.
    most: Option<u64>,
    /// What hides the people inside, where they are hidden.
    veil: Option<Veil>,
    /// The mailboxes that the reader sees something of, where it is not all.
    own: Vec<Party>,
    rows: u64,
    capped: bool,
    searched: Searched,
    made: Option<Made>,
}

/// Why a search ends before its end.
enum Halt<E> {
    /// As many rows were shown as may be.
    Capped,
    /// Whoever takes the rows failed.
    Failed(E),
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
        let now = Timestamp::now();
        let opened = self.allowed(request, &register, now, || log.newest());
        let unusable = |source| OpenError::Directory { path: self.directory.into(), source };
        let behind = replica::behind(self.directory, request.query.node.as_deref(), now).map_err(unusable)?;
        let searched =
            Searched { left_out: behind.into_iter().map(OpenError::from).collect(), unused: Vec::new() };
        self.enter(request, (log, accesses, searched), opened, &register, work)
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
        let files = (Log::open(self.directory)?, AccessLog::open(self.directory)?, Searched::default());
        let opened = refused.map_or_else(|| Ok(Opened::whole(request.query.clone())), Err);
        self.enter(request, files, opened, &Register::default(), work)
    }

    fn enter<T, E>(
        &self,
        request: &Request,
        (log, mut accesses, searched): (Log, AccessLog, Searched),
        opened: Result<Opened, String>,
        register: &Register,
        work: impl FnOnce(&mut Session) -> Result<T, E>,
    ) -> Result<Read<T>, E>
    where
        E: From<AccessError> + From<OpenError> + AsRef<dyn Error + Send + Sync>,
    {
        let opened = match self.other_config(&accesses)? {
            Some(other) => Err(other),
            None => opened,
        };
        // What is asked for is kept before it is shown.
        let hold = opened.as_ref().ok().and_then(|opened| request.hold(&self.reader, &opened.query));
        let opened = match hold.as_ref().and_then(|hold| register.refuses(hold)) {
            Some(why) => Err(why),
            None => opened,
        };
        let asked = opened.as_ref().map_or(&request.query, |opened| &opened.query);
        let mut access = Access {
            time: Timestamp::now(),
            reader: self.reader.clone(),
            verb: request.verb.to_owned(),
            query: request.asked(asked).to_string(),
            purpose: request.reason.purpose.clone(),
            registered: opened.as_ref().is_ok_and(|opened| opened.registered),
            refused: opened.as_ref().err().cloned().unwrap_or_default(),
            ..Access::default()
        };
        request.reason.basis.write(&mut access);
        let n = accesses.begin(&access)?;
        let Opened { query, rows, veiled, .. } = match opened {
            Ok(opened) => opened,
            Err(refused) => return Ok(Read::Refused(refused)),
        };
        if let Some(hold) = hold.filter(|hold| !register.holds.iter().any(|known| known.is_same(hold))) {
            accesses.add(Kind::Hold, Timestamp::now(), &hold)?;
        }
        let veil = if veiled { Some(self.veil(self.day_key(&log)?)) } else { None };
        let mut session = Session {
            accesses,
            n,
            access,
            since: query.since.filter(|since| request.query.since.is_none() && log.is_older(*since)),
            log,
            query,
            most: rows,
            veil,
            own: self.own_mailboxes(),
            rows: 0,
            capped: false,
            searched,
            made: None,
        };
        let result = work(&mut session);
        session.end(result)
    }

    /// The key of the pseudonyms of a day: searches of one day can be compared, and nobody can be followed for longer.
    fn day_key(&self, log: &Log) -> Result<[u8; 32], OpenError> {
        let today = Timestamp::now().to_zoned(self.zone.clone()).date();
        log.key(&format!("operation {today}"))
            .map_err(|source| OpenError::Io { path: self.directory.join("seen.key"), source })
    }

    /// Why this config does not say who may read this log, if it does not.
    pub(super) fn other_config(&self, accesses: &AccessLog) -> Result<Option<String>, AccessError> {
        // What an earlier version wrote has no part of the config; the first start of this one writes it.
        let active_config = accesses
            .active_config()?
            .filter(|(_, change)| change.part.is_some() && change.config != self.config);
        Ok(active_config.map(|(since, change)| {
            format!(
                "the config has the hash {}, and the active one has {}: postvakt loaded that one at {since}. Give it \
                 with --config, or have postvakt reload this one",
                self.config, change.config
            )
        }))
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
        let Self { log, query, rows, most, veil, own, searched, .. } = self;
        let Some(mut asked) = Sieve::new(log, query, own, searched) else { return Ok(()) };
        let end = log.search(query, searched, |mut found| {
            if !asked.takes(&found) {
                return Ok(());
            }
            if most.is_some_and(|most| *rows >= most) {
                return Err(Halt::Capped);
            }
            *rows += 1;
            if let Some(veil) = veil {
                veil.hide(&mut found.record);
            }
            each(found).map_err(Halt::Failed)
        });
        searched.left_out.extend(asked.fault.map(OpenError::from));
        match end {
            Ok(()) => Ok(()),
            Err(Halt::Capped) => {
                self.capped = true;
                Ok(())
            }
            Err(Halt::Failed(error)) => Err(error),
        }
    }

    /// The newest of the records that were asked for, at most so many, the newest first; and whether there are more.
    pub fn newest(&mut self, wanted: usize) -> (Vec<Found>, bool) {
        let Self { log, query, rows, most, veil, own, searched, .. } = self;
        let Some(mut asked) = Sieve::new(log, query, own, searched) else { return (Vec::new(), false) };
        let opened = most.map_or(u64::MAX, |most| most.saturating_sub(*rows));
        let room = wanted.min(usize::try_from(opened).unwrap_or(usize::MAX));
        let (mut found, more) = log.newest_that(query, room, searched, |found| asked.takes(found));
        searched.left_out.extend(asked.fault.map(OpenError::from));
        self.capped |= more && room < wanted;
        *rows += found.len() as u64;
        if let Some(veil) = veil {
            for found in &mut found {
                veil.hide(&mut found.record);
            }
        }
        (found, more)
    }

    /// Gives what became of every mail that was asked for, according to Postfix. No record is shown by it. `false` where
    /// Postfix's log was never read.
    pub fn traces(&mut self, mut each: impl FnMut(&Found, &Trace)) -> Result<bool, DeliveriesError> {
        let Self { log, query, searched, .. } = self;
        let tracer = Tracer::open(&log.directory)?;
        if !tracer.is_used() {
            return Ok(false);
        }
        log.search(query, searched, |found| {
            let trace = tracer.trace(&found.record)?;
            each(&found, &trace.unwrap_or_default());
            Ok(())
        })?;
        Ok(true)
    }

    /// What tells of a record that was found what became of its mail, according to Postfix.
    pub fn tracer(&self) -> Result<Tracer, DeliveriesError> {
        Tracer::open(&self.log.directory)
    }

    /// When in the period that was asked for Postfix's log was not read: what is told of mail of then may be wrong.
    pub fn unread(&self) -> Result<Vec<Gap>, DeliveriesError> {
        let (since, until) = (self.query.since, self.query.until);
        let tracer = Tracer::open(&self.log.directory)?;
        tracer.gaps(since.unwrap_or(Timestamp::MIN), until.unwrap_or_else(Timestamp::now))
    }

    /// The next records after one, of those that were asked for; they are counted as shown. Pseudonyms are for searches:
    /// where people inside would have them, there is nothing.
    pub fn after(&mut self, after: Option<&RecordId>) -> Result<Next, OpenError> {
        if self.veil.is_some() {
            return Ok(Next::default());
        }
        let next = self.log.after(after, &self.query)?;
        self.rows += next.found.len() as u64;
        Ok(next)
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
        let query = Query { rule: Some(rule.to_owned()), since: None, ..self.query.clone() };
        self.give_findings(&query, false, each);
    }

    /// Every finding in the mail of the period that was asked for.
    pub fn all_findings(&mut self, each: impl FnMut(Finding)) {
        let query = self.query.clone();
        self.give_findings(&query, true, each);
    }

    /// A finding is about its mailboxes and recipients; `whole` mails are about whom they are from and to as well.
    fn give_findings(&mut self, query: &Query, whole: bool, mut each: impl FnMut(Finding)) {
        let Self { log, veil, .. } = self;
        let left_out = log.findings(query, |mut finding| {
            let Finding { sender, recipients: to, row, .. } = &mut finding;
            let FindingRow { mailboxes, recipients, evidence, .. } = row;
            let own = |text: &String| query.person.iter().any(|person| person.has(text));
            let is_own = mailboxes.iter().chain(&*recipients).any(own)
                || (whole && to.iter().chain([&*sender]).any(own));
            if !query.person.is_empty() && !is_own {
                return;
            }
            if let Some(veil) = veil {
                let addresses = mailboxes.iter_mut().chain(recipients).chain(to).chain([sender]);
                addresses.for_each(|text| *text = veil.address(text));
                *evidence = veil.text(evidence);
            }
            each(finding);
        });
        self.leave_out(left_out);
    }

    /// Whether an earlier access showed a record of a person: a query is asked again, as of its time.
    pub fn showed(&self, done: &Done, person: &[Party]) -> bool {
        let Some(query) = done.asked() else {
            // What is not understood may have shown the person.
            return true;
        };
        if query.names(person) {
            return true;
        }
        // A follower shows what comes after its entry.
        let now = if done.access.verb == "follow" { query.until } else { Some(done.access.time) };
        let now = now.unwrap_or(Timestamp::MAX);
        let until = query.until.map_or(now, |until| until.min(now));
        let mut unread = Searched::default();
        // What became of a mail may be another thing since: any of those that else fit may have been shown.
        let (of_deliveries, query) = (query.status.is_some(), Query { status: None, ..query });
        // Of the outbox the newest rows are shown: which ones these were, the records do not say.
        let of_records = !done.access.verb.starts_with("receipts");
        if let Some((rows, _)) =
            done.result.as_ref().filter(|(_, how)| of_records && !of_deliveries && how == CAPPED)
        {
            let (mut left, query) = (*rows, Query { until: Some(until), ..query });
            let found = self.log.search(&query, &mut unread, |found| {
                if !done.may_show(&found.record) {
                    return Ok(());
                }
                left = left.saturating_sub(1);
                let own = person.iter().any(|own| found.record.is_of(own));
                if own {
                    Err(true)
                } else if left == 0 {
                    Err(false)
                } else {
                    Ok(())
                }
            });
            return found == Err(true);
        }
        let own = query.person.clone();
        let query = Query { person: person.to_vec(), until: Some(until), ..query };
        let found = self.log.search(&query, &mut unread, |found| {
            // An extract for somebody else showed this one if both are in it.
            let both = own.is_empty() || own.iter().any(|other| found.record.is_of(other));
            if both && done.may_show(&found.record) { Err(()) } else { Ok(()) }
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

    /// The accesses of the period that was asked for, and what else was done with the log then. Whoever shows them counts
    /// what is shown.
    pub fn deeds(&self) -> Result<Vec<Done>, AccessError> {
        self.accesses.list_all(self.query.since, self.query.until)
    }

    /// The newest run that deleted entries of the access log, if there was one.
    pub fn accesses_deleted(&self) -> Result<Option<AccessRetention>, AccessError> {
        let runs = self.accesses.entries(&[Kind::AccessRetention])?;
        Ok(runs.last().and_then(|run| run.read(Kind::AccessRetention)))
    }

    /// Decisions and holds.
    pub fn register(&self) -> Result<Register, AccessError> {
        Register::read(&self.accesses)
    }

    /// The newest of these, as many as the reason opens. They count as shown.
    pub fn shown(&mut self, mut all: Vec<Listed>) -> Vec<Listed> {
        let left = self.most.map_or(u64::MAX, |most| most.saturating_sub(self.rows));
        let over = all.len().saturating_sub(usize::try_from(left).unwrap_or(usize::MAX));
        self.capped |= over > 0;
        all.drain(..over);
        self.rows += all.len() as u64;
        all
    }

    /// The outbox of the last weeks, as it is `now`. Whoever shows it has it counted.
    pub fn outbox(&self, now: Timestamp) -> Result<Vec<Listed>, ReadError> {
        outbox::list(&self.log.directory, now).map(|all| self.opened(all))
    }

    /// What of the outbox is shown: that of the persons whose mail is, and with pseudonyms where records have them.
    fn opened(&self, mut all: Vec<Listed>) -> Vec<Listed> {
        all.retain(|listed| {
            let row = &listed.stored.row;
            self.own.is_empty() || self.own.iter().any(|own| own.has(&row.mailbox) || own.has(&row.recipient))
        });
        let person = &self.query.person;
        let own = |text: &str| person.iter().any(|person| person.has(text));
        all.retain(|listed| {
            let row = &listed.stored.row;
            person.is_empty() || own(&row.recipient) || own(&row.mailbox)
        });
        if let Some(veil) = &self.veil {
            for listed in &mut all {
                let row = &mut listed.stored.row;
                row.recipient = veil.address(&row.recipient);
                row.mailbox = veil.address(&row.mailbox);
                listed.history.iter_mut().for_each(|(_, _, reply)| *reply = veil.text(reply));
            }
        }
        all
    }

    /// What belongs to a record that was found.
    pub fn belongings(&self, found: &Found) -> Result<Belongings, OutcomesError> {
        // No head is signed for it.
        let directory = self.log.directory_of(&found.id.node);
        let prover = Prover::new(&directory, &Heads::signed_every(limits::HEADS_LOOK))?;
        let own = single::read(&directory, &self.accesses, prover, found)?;
        let trace = own.trace.map(|trace| trace.map(|trace| self.hidden(trace)));
        let accesses = own.accesses.into_iter().filter(|done| {
            let reader = &self.access.reader;
            let by = &done.access.reader;
            done.n != self.n && (reader.oversees() || (by.via == reader.via && by.subject == reader.subject))
        });
        let accesses = accesses.collect();
        Ok(Belongings { notices: self.opened(own.notices), trace, accesses, ..own })
    }

    /// What became of a mail, with pseudonyms where records have them.
    fn hidden(&self, mut trace: Trace) -> Trace {
        let Some(veil) = &self.veil else { return trace };
        for delivery in trace.files.iter_mut().flat_map(|file| &mut file.deliveries) {
            delivery.recipient = veil.address(&delivery.recipient);
            delivery.orig_to = veil.address(&delivery.orig_to);
            delivery.text = veil.text(&delivery.text);
        }
        trace
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
        &self.searched.left_out
    }

    /// Index files that could not be used until now, and why.
    pub fn unused(&self) -> &[String] {
        &self.searched.unused
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
            if !self.left_out().iter().any(|known| known.to_string() == file.to_string()) {
                self.searched.left_out.push(file);
            }
        }
    }

    /// Logs what came of it.
    fn end<T, E>(mut self, result: Result<T, E>) -> Result<Read<T>, E>
    where
        E: From<AccessError> + AsRef<dyn Error + Send + Sync>,
    {
        let how = match &result {
            Ok(_) if !self.left_out().is_empty() => "incomplete",
            Ok(_) if self.capped => CAPPED,
            Ok(_) => "done",
            Err(error) if has_left(error.as_ref()) => "broken off",
            Err(_) => "failed",
        };
        let ended = Ended {
            access: self.n,
            rows: self.rows,
            how: how.to_owned(),
            unused: self.unused().to_vec(),
            made: self.made.take().filter(|_| result.is_ok()),
        };
        self.accesses.end(Timestamp::now(), &ended)?;
        let Self { rows, capped, since, searched: Searched { left_out, unused }, .. } = self;
        Ok(Read::Given { value: result?, rows, left_out, unused, capped, since })
    }
}

/// Whether a record is of one of these mailboxes; every record is where there are none.
fn is_of(mailboxes: &[Party], record: &Record) -> bool {
    mailboxes.is_empty() || mailboxes.iter().any(|own| record.is_of(own))
}

/// How a reading ended of which only the first rows could be shown.
const CAPPED: &str = "capped";

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
