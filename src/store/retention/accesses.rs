//! Retention of the access log itself: which of its entries are due, and their deletion.
//!
//! Contract: an access goes together with what came of it, and only when all of that is older than the period, by when it
//! was registered. A request for public records goes when it was answered. A decision goes when it has ended so long ago and no access by it is left, a legal hold when it was
//! released so long ago. What proves the rest stays: configs, steps of the clock, epochs, and what retention did.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::config::Retention;
use crate::organisation::Organisation;
use crate::store::access::{
    Access, AccessError, AccessLog, AccessRetention, Ended, Entry, Kind, Period, Reader,
};
use crate::store::disclosure::{Disclosures, Told};
use crate::store::held::HeldAct;
use crate::store::register::{Approve, Close, Decision, Hold, Register};
use crate::text::hex;

/// The entries that go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Their numbers, ascending.
    pub numbers: Vec<u64>,
    /// When the oldest and the newest of them were registered.
    pub times: Option<(Timestamp, Timestamp)>,
    /// How many of each kind.
    pub kinds: BTreeMap<String, u64>,
    /// Entries whose time is over and that a legal hold keeps.
    pub held: u64,
}

/// What belongs together and goes together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    /// An access with what came of it.
    Access(u64),
    /// A decision with its approval and its end.
    Decision(String),
    /// A legal hold with its release.
    Hold(String),
    /// A request for public records, with all that was done about it.
    Disclosure(String),
    /// What became of receipts and notices.
    Outcomes(u64),
}

type Units<'a> = BTreeMap<Unit, Vec<&'a Entry>>;

/// Looks through the access log for what is due at a time.
pub fn due(
    log: &AccessLog,
    period: &Retention,
    now: Timestamp,
    organisation: &Organisation,
) -> Result<Due, AccessError> {
    let register = Register::read(log)?;
    let disclosures = Disclosures::read(log)?;
    let entries = log.entries(&Kind::ALL)?;
    let over = |at: Timestamp| {
        let keep = SignedDuration::try_from(period.keep).ok();
        keep.and_then(|keep| at.checked_add(keep).ok()).is_some_and(|end| end < now)
    };
    let mut units = Units::new();
    for entry in &entries {
        if let Some(unit) = Unit::of(entry) {
            units.entry(unit).or_default().push(entry);
        }
    }
    // Up to there the outbox was followed: the server goes on from it.
    let followed =
        entries.iter().rev().find(|entry| entry.kind == Kind::Outcomes.as_str()).map(|entry| entry.n);
    units.retain(|unit, entries| {
        let ended = match unit {
            Unit::Access(_) => true,
            Unit::Decision(reference) => has_ended(&register, reference, over),
            Unit::Hold(reference) => register.holds.iter().all(|hold| hold.reference != *reference),
            Unit::Disclosure(reference) => {
                let mut own = disclosures.0.iter().filter(|case| case.reference == *reference);
                own.all(|case| case.closed.is_some())
            }
            Unit::Outcomes(n) => Some(*n) != followed,
        };
        ended && entries.iter().all(|entry| over(entry.registered))
    });
    let held = keep_held(&mut units, &register, organisation);
    // The register says what an access was for by whose decision.
    let gone: BTreeSet<u64> = units.values().flatten().map(|entry| entry.n).collect();
    let left = entries.iter().filter(|entry| !gone.contains(&entry.n));
    let needed: BTreeSet<String> =
        left.filter_map(|entry| entry.read::<Access>(Kind::Access)).map(|access| access.decision).collect();
    units.retain(|unit, _| !matches!(unit, Unit::Decision(reference) if needed.contains(reference)));
    let mut due = Due { held, ..Due::default() };
    for entry in units.into_values().flatten() {
        due.numbers.push(entry.n);
        *due.kinds.entry(entry.kind.clone()).or_default() += 1;
        let (first, last) = due.times.unwrap_or((entry.registered, entry.registered));
        due.times = Some((first.min(entry.registered), last.max(entry.registered)));
    }
    due.numbers.sort_unstable();
    Ok(due)
}

/// Takes out the accesses that a legal hold may be about: those since the beginning of what it keeps, for a mail is read
/// when it has come. How many entries.
fn keep_held(units: &mut Units<'_>, register: &Register, organisation: &Organisation) -> u64 {
    let since = |hold: &Hold| hold.query(organisation).since.unwrap_or(Timestamp::MIN);
    let Some(since) = register.holds.iter().map(since).min() else { return 0 };
    let mut held = 0;
    units.retain(|unit, entries| {
        let is_held = matches!(unit, Unit::Access(_) | Unit::Outcomes(_))
            && entries.iter().any(|entry| entry.registered >= since);
        held += if is_held { entries.len() as u64 } else { 0 };
        !is_held
    });
    held
}

/// Whether every decision with that reference has ended, and so long ago.
fn has_ended(register: &Register, reference: &str, over: impl Fn(Timestamp) -> bool) -> bool {
    let mut own = register.decisions.iter().filter(|known| known.decision.reference == reference);
    own.all(|known| known.closed.is_some() || over(end_of(known.decision.valid_until)))
}

/// When a day is over everywhere.
fn end_of(day: Date) -> Timestamp {
    let end = day.tomorrow().and_then(|next| TimeZone::UTC.to_timestamp(next.into()));
    let end = end.and_then(|end| end.checked_add(SignedDuration::from_hours(24)));
    end.unwrap_or(Timestamp::MAX)
}

impl Unit {
    /// The unit of an entry; `None` for one that stays.
    fn of(entry: &Entry) -> Option<Self> {
        match Kind::parse(&entry.kind)? {
            Kind::Access | Kind::Label | Kind::Proposal | Kind::FollowUp => Some(Self::Access(entry.n)),
            Kind::Result => entry.read::<Ended>(Kind::Result).map(|ended| Self::Access(ended.access)),
            Kind::Decision => entry.read(Kind::Decision).map(|own: Decision| Self::Decision(own.reference)),
            Kind::Approve => entry.read(Kind::Approve).map(|own: Approve| Self::Decision(own.reference)),
            Kind::Close => entry.read(Kind::Close).map(|own: Close| Self::Decision(own.reference)),
            Kind::Hold => entry.read(Kind::Hold).map(|own: Hold| Self::Hold(own.reference)),
            Kind::Release => entry.read(Kind::Release).map(|own: Close| Self::Hold(own.reference)),
            // What an entry follows is older, so that no act ever stands without its end.
            Kind::HeldMail => {
                entry.read(Kind::HeldMail).map(|own: HeldAct| Self::Access(own.follows.unwrap_or(entry.n)))
            }
            Kind::Outcomes => Some(Self::Outcomes(entry.n)),
            Kind::Disclosure => entry.read(Kind::Disclosure).map(|own: Told| Self::Disclosure(own.reference)),
            Kind::Retention | Kind::AccessRetention | Kind::Config | Kind::Clock | Kind::Epoch => None,
        }
    }
}

/// Deletes what is due, and writes what tells of it. The number of that entry; `None` where nothing is due. What earlier
/// runs left in free pages goes in any case.
pub fn run(
    log: &mut AccessLog,
    due: &Due,
    period: &Retention,
    config: &str,
    reader: Reader,
) -> Result<Option<u64>, AccessError> {
    let mut n = None;
    if let (Some((since, until)), Some(first), Some(last)) =
        (due.times, due.numbers.first(), due.numbers.last())
    {
        let told = AccessRetention {
            reader,
            decision: period.decision.clone(),
            config: config.to_owned(),
            period: Period::of(period),
            since,
            until,
            first: *first,
            last: *last,
            entries: due.numbers.len() as u64,
            kinds: due.kinds.clone(),
            digest: hex(&digest(&due.numbers)),
        };
        n = Some(log.prune(Timestamp::now(), &told, &due.numbers)?);
    }
    log.clean()?;
    Ok(n)
}

/// SHA-256 over numbers, eight octets each.
pub(in crate::store) fn digest(numbers: &[u64]) -> [u8; 32] {
    numbers.iter().fold(Sha256::new(), |hash, n| hash.chain_update(n.to_be_bytes())).finalize().into()
}
