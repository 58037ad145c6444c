//! The server's own look at the hold queue: it counts what waits, tells owners, hands over what nobody acted on, and settles acts
//! that were cut off. Mail does not wait for any of it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::overrides;
use crate::address::Address;
use crate::config::{Config, Held};
use crate::held::acts::{self, ActError, Turn, Undone};
use crate::held::overrides::Tried;
use crate::held::queue::{Queue, Waiting};
use crate::held::texts;
use crate::limits;
use crate::metrics::METRICS;
use crate::notice::name::{self, Key};
use crate::pipeline::Pipeline;
use crate::record::OutboxRow;
use crate::store::access::{AccessLog, Reader, Via};
use crate::store::held::{Act, HeldAct, HeldActs, OnHold, Stage};
use crate::store::session;
use crate::templates::Occasion;

/// Looks as long as the server runs.
pub(super) async fn watch(pipeline: Arc<Pipeline>) {
    let mut watch = Watch::default();
    let mut tried = Tried::default();
    tokio::time::sleep(limits::HELD_FIRST_LOOK).await;
    loop {
        let config = pipeline.config.load_full();
        tried = overrides::carry_out(&pipeline, &config, tried).await;
        let directory = pipeline.store.directory().to_owned();
        let own = config.clone();
        let looked = tokio::task::spawn_blocking(move || look(&own, &directory)).await;
        match looked.map_err(anyhow::Error::from).and_then(|looked| Ok(looked?)) {
            Ok(on_hold) => {
                watch.seen(&config);
                count(&config, &on_hold);
                for (row, told) in watch.due(&config, &on_hold, Timestamp::now()) {
                    match pipeline.store.send(row).await {
                        Ok(()) => watch.reminded.extend(told),
                        Err(error) => {
                            tracing::error!(%error, "cannot store a notice about held mail; will retry");
                        }
                    }
                }
            }
            Err(error) => watch.failed(&config, &error),
        }
        let next = tokio::time::Instant::now() + limits::HELD_LOOK;
        // An answer of a sender is carried out at once.
        while tokio::time::timeout_at(next, pipeline.store.override_came()).await.is_ok() {
            let config = pipeline.config.load_full();
            tried = overrides::carry_out(&pipeline, &config, tried).await;
        }
    }
}

/// A mail on hold that nobody has handed over.
struct Mail {
    waiting: Waiting,
    on_hold: Option<OnHold>,
}

/// Settles what was cut off, hands over what is due, and gives the rest.
fn look(config: &Config, directory: &std::path::Path) -> Result<Vec<Mail>, ActError> {
    let queue = Queue::new(&config.held.queue_helper);
    let (mails, _) = queue.list()?;
    let mut log = AccessLog::open(directory)?;
    let settled = acts::settle(&mut log, directory, &queue)?;
    METRICS.held_acts.with_label_values(&["settle", "done"]).inc_by(settled as u64);
    let wanted: Vec<(&str, Timestamp)> = mails.iter().map(|mail| (mail.id.as_str(), mail.arrived)).collect();
    let found = session::on_hold(directory, &wanted)?;
    let acts = HeldActs::read(&log)?;
    // Each try is two entries of a log that only grows: one that fails ends the round, and has the others wait a while.
    let failed = |queue_id: Option<&str>, within: SignedDuration| {
        acts.newest_failure(queue_id).is_some_and(|time| Timestamp::now().duration_since(time) < within)
    };
    let mut rests = failed(None, limits::HAND_OVER_BREATH);
    let mut rest = Vec::new();
    for (waiting, on_hold) in mails.into_iter().zip(found) {
        let record = on_hold.as_ref().map_or_else(String::new, |on_hold| on_hold.found.id.to_string());
        let last = |stage| acts.last(stage, waiting.id.as_str(), &record);
        if last(Stage::Done).is_some_and(|told| told.act.act == Act::HandOver) {
            continue;
        }
        // Only what a rule holds: what an administrator put on hold is theirs.
        if let (Some(on_hold), Some((limit, to))) = (&on_hold, &config.held.at_most)
            && is_older(&waiting, *limit)
            && !rests
            && !failed(Some(waiting.id.as_str()), limits::HAND_OVER_PAUSE)
        {
            let done = hand_over(config, directory, &queue, &mut log, (&waiting, on_hold), to)?;
            rests = !done;
            if done {
                continue;
            }
        }
        rest.push(Mail { waiting, on_hold });
    }
    Ok(rest)
}

fn is_older(waiting: &Waiting, than: std::time::Duration) -> bool {
    let age = Timestamp::now().duration_since(waiting.arrived);
    age > SignedDuration::try_from(than).unwrap_or(SignedDuration::MAX)
}

/// Whether it was handed over, or something else done with it meanwhile.
fn hand_over(
    config: &Config,
    directory: &std::path::Path,
    queue: &Queue,
    log: &mut AccessLog,
    (waiting, on_hold): (&Waiting, &OnHold),
    to: &Address,
) -> Result<bool, ActError> {
    let act = HeldAct {
        by: Reader::of_this_process(Via::Daemon),
        act: Act::HandOver,
        stage: Stage::Begun,
        record: on_hold.found.id.to_string(),
        queue_id: waiting.id.to_string(),
        to: to.to_string(),
        purpose: "nobody acted on it in the time of hold_at_most".to_owned(),
        text: String::new(),
        access: None,
        follows: None,
        outcome: String::new(),
        answer: String::new(),
    };
    let copy = act.clone();
    let turn = Turn::take(log, directory, queue)?;
    // An operator may have acted on it since the queue was listed.
    let record = act.record.clone();
    if HeldActs::read(log)?.last(Stage::Done, waiting.id.as_str(), &record).is_some() {
        return Ok(true);
    }
    let work = || texts::hand_over(config, queue, &waiting.id, &copy).map_err(Undone::Surely);
    let carried = turn.carry_out(log, act, work)?;
    let result = if carried.result.is_ok() { "done" } else { "failed" };
    METRICS.held_acts.with_label_values(&["hand-over", result]).inc();
    match &carried.result {
        Ok(_) => {
            tracing::warn!(queue_id = %waiting.id, %to, "nobody acted on a held mail in time; it was handed over");
        }
        Err(error) => {
            tracing::error!(queue_id = %waiting.id, error, "cannot hand over a held mail; will retry");
        }
    }
    Ok(carried.result.is_ok())
}

fn count(config: &Config, mails: &[Mail]) {
    let mut by_rule: BTreeMap<&str, i64> = BTreeMap::new();
    // A rule that holds nothing now says so.
    by_rule.extend(config.rules.iter().map(|(rule, _)| (rule.id(), 0)));
    for mail in mails {
        match &mail.on_hold {
            Some(on_hold) => on_hold.rules.iter().for_each(|rule| *by_rule.entry(rule).or_default() += 1),
            None => *by_rule.entry("").or_default() += 1,
        }
    }
    METRICS.held_messages.reset();
    for (rule, count) in by_rule {
        METRICS.held_messages.with_label_values(&[rule]).set(count);
    }
    let oldest = mails.iter().map(|mail| mail.waiting.arrived.as_second()).min();
    METRICS.held_oldest.set(oldest.unwrap_or_default());
}

/// An owner, and the queue id of a mail.
type Told = (Address, String);

/// What was said, so that it is said once.
#[derive(Default)]
struct Watch {
    failing: bool,
    /// Mails about whose age an owner was told.
    reminded: HashSet<Told>,
}

impl Watch {
    fn seen(&mut self, config: &Config) {
        METRICS.held_looks.with_label_values(&["seen"]).inc();
        if std::mem::take(&mut self.failing) && config.held.is_set {
            tracing::info!("the queue helper answers again");
        }
    }

    /// Without `[held]`, a helper that is not there is no fault.
    fn failed(&mut self, config: &Config, error: &anyhow::Error) {
        if !config.held.is_set && !config.held.queue_helper.exists() {
            return;
        }
        METRICS.held_looks.with_label_values(&["failed"]).inc();
        if !std::mem::replace(&mut self.failing, true) {
            let error = format!("{error:#}");
            tracing::error!(error, "cannot look at held mail; nobody is told of it, and none is handed over");
        }
    }

    /// The notices that are due: each day, and at once where mail is old or much. With each, what has been told when it is
    /// stored. A key is stored once: neither a restart nor a second look tells of it again.
    fn due(&mut self, config: &Config, mails: &[Mail], now: Timestamp) -> Vec<(OutboxRow, Vec<Told>)> {
        let ids: HashSet<&str> = mails.iter().map(|mail| mail.waiting.id.as_str()).collect();
        self.reminded.retain(|(_, id)| ids.contains(id.as_str()));
        let local = now.to_zoned(config.time_zone.clone());
        let today = local.date().to_string();
        let Held { digest_at, remind_age, remind_count, .. } = &config.held;
        let mut rows = Vec::new();
        for (owner, own) in by_owner(config, mails) {
            let told = |mail: &Mail| (owner.clone(), mail.waiting.id.to_string());
            let is_new =
                |mail: &&&Mail| is_older(&mail.waiting, *remind_age) && !self.reminded.contains(&told(mail));
            let new: Vec<&&Mail> = own.iter().filter(is_new).collect();
            let mut due = Vec::new();
            if let Some(first) = new.first() {
                // Queue ids come again, but not at the same time.
                let (id, arrived) = (first.waiting.id.as_str(), first.waiting.arrived.to_string());
                let key = name::key(["held-mail", "old", owner.key(), id, &arrived]);
                due.push((key, new.iter().map(|mail| told(mail)).collect()));
            }
            if own.len() >= usize::try_from(*remind_count).unwrap_or(usize::MAX) {
                due.push((name::key(["held-mail", "many", owner.key(), &today]), Vec::new()));
            }
            if local.time() >= *digest_at {
                due.push((name::key(["held-mail", "daily", owner.key(), &today]), Vec::new()));
            }
            let written =
                due.into_iter().filter_map(|(key, told)| Some((notice(config, &owner, &own, key)?, told)));
            rows.extend(written);
        }
        rows
    }
}

/// Who is told of which mails.
fn by_owner<'m>(config: &Config, mails: &'m [Mail]) -> BTreeMap<Address, Vec<&'m Mail>> {
    let mut all: BTreeMap<Address, Vec<&Mail>> = BTreeMap::new();
    for mail in mails {
        for owner in owners(config, mail.on_hold.as_ref()) {
            all.entry(owner).or_default().push(mail);
        }
    }
    all
}

/// The owners of a mail: of the rules that hold it, as the authorities say that it is for or from; else that of `[held]`.
fn owners(config: &Config, on_hold: Option<&OnHold>) -> BTreeSet<Address> {
    let Some(OnHold { found, rules }) = on_hold else { return config.held.owner.iter().cloned().collect() };
    let organisation = &config.organisation;
    let parties = std::iter::once(&found.record.sender).chain(&found.record.recipients);
    let inside = parties.filter_map(|party| Address::parse(party)).filter(|party| organisation.owns(party));
    let mut authorities: BTreeSet<Option<usize>> =
        inside.map(|own| organisation.authority_of(&own)).collect();
    if authorities.is_empty() {
        authorities.insert(None);
    }
    let mut all = BTreeSet::new();
    for rule in rules {
        let policy = config.rules.iter().find(|(known, _)| known.id() == rule).map(|(_, policy)| policy);
        for authority in &authorities {
            let own =
                policy.and_then(|policy| policy.authorities.iter().find(|(of, _)| Some(*of) == *authority));
            let own = own.map(|(_, own)| own).or(policy).and_then(|policy| policy.owner.as_ref());
            all.extend(own.or(config.held.owner.as_ref()).cloned());
        }
    }
    all
}

/// A list without names and content: who may look sees them with `held list`.
fn notice(config: &Config, owner: &Address, mails: &[&Mail], key: Key) -> Option<OutboxRow> {
    let zone = &config.time_zone;
    let minute = |time: Timestamp| time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
    let oldest = mails.iter().map(|mail| mail.waiting.arrived).min()?;
    let at_most = config.held.at_most.as_ref();
    let limit = at_most.map(|(limit, _)| oldest.saturating_add(*limit).unwrap_or(Timestamp::MAX));
    let fields = vec![
        ("count", mails.len().to_string()),
        ("oldest", minute(oldest)),
        ("limit", limit.map(minute).unwrap_or_default()),
    ];
    let mut body = String::new();
    for mail in mails.iter().take(limits::HELD_LINES) {
        let rules = mail.on_hold.as_ref().map_or_else(|| "-".to_owned(), |on_hold| on_hold.rules.join(", "));
        let sender = match &mail.on_hold {
            Some(on_hold) if on_hold.found.record.sender == "<>" => "<>",
            Some(on_hold) => match Address::parse(&on_hold.found.record.sender) {
                Some(sender) if config.organisation.owns(&sender) => "inifrån/inside",
                Some(_) | None => "utifrån/outside",
            },
            None => "-",
        };
        // A text in memory takes every line.
        let _ = write!(body, "\n{}  {}  {sender}  {rules}", mail.waiting.id, minute(mail.waiting.arrived));
    }
    if let Some(more) = mails.len().checked_sub(limits::HELD_LINES).filter(|more| *more > 0) {
        let _ = write!(body, "\n+ {more}");
    }
    body.push('\n');
    texts::notice(config, (Occasion::HeldMail, owner), fields, &body, key)
}
