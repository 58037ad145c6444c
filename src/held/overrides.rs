//! What senders asked for by an answer to the notice that their mail is held: carried out once, and told to them.
//!
//! Contract: whether the sender may release the mail is judged again now, by the config that is active and by what the log has of
//! the mail. An answer's file stays until its end is told, and the acts in the access log name the answer: whoever is cut off
//! in between goes on from there, and releases nothing twice.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;

use super::acts::{ActError, Carried, Turn};
use super::queue::{Queue, QueueId};
use super::texts;
use crate::address::Address;
use crate::config::Config;
use crate::config::records::is_purpose;
use crate::limits;
use crate::metrics::METRICS;
use crate::mime::transfer::{self, Encoding};
use crate::notice::name;
use crate::policy::{Actions, Mode, OVERRIDABLE, RulePolicy};
use crate::record::{FindingRow, OutboxRow, Outcome, RecordId};
use crate::rules::Sensitivity;
use crate::store::access::{AccessError, AccessLog};
use crate::store::held::{self, Act, HeldAct, HeldActs, Stage};
use crate::store::outbox::Stored;
use crate::store::overrides::{self, Override};
use crate::store::search::Found;
use crate::store::{OpenError, ReadError, Store, session};
use crate::templates::Occasion;
use crate::text::{truncate, words};

words! {
    /// What came of an answer.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum OverrideResult {
        /// The mail goes on its way.
        Released = "released",
        /// An operator has to approve it.
        Proposed = "proposed",
        /// It says nothing.
        Short = "short",
        /// The mail is not one that its sender may release.
        NotAllowed = "not-allowed",
        /// The mail is no longer on hold.
        Gone = "gone",
        /// No such notice went to that mailbox.
        NotTheirs = "not-theirs",
    }
}

/// Why an answer was not carried out; it will be tried again.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says it")]
pub enum OverrideError {
    #[error(transparent)]
    Act(#[from] ActError),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Log(#[from] OpenError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{queue_id} was not released: {why}")]
    NotDone { queue_id: String, why: String },
}

/// An answer that was carried out: its file, and what its sender is told.
#[derive(Debug)]
pub struct Settled {
    /// To be forgotten when the notice is stored.
    pub file: PathBuf,
    /// The notice.
    pub notice: Option<OutboxRow>,
    /// What came of it.
    pub result: OverrideResult,
}

/// What of it failed lately, so that it is not tried at every look.
#[derive(Debug, Default)]
pub struct Tried(HashMap<PathBuf, Instant>);

/// Carries out the answers that wait. Blocks.
pub fn carry_out(store: &Store, config: &Config, tried: &mut Tried) -> std::io::Result<Vec<Settled>> {
    let waiting = overrides::waiting(store.directory())?;
    tried.0.retain(|path, at| {
        at.elapsed() < limits::OVERRIDE_PAUSE && waiting.iter().any(|(known, _)| known == path)
    });
    let mut settled = Vec::new();
    for (file, asked) in waiting {
        if tried.0.contains_key(&file) {
            continue;
        }
        match one(store, config, &asked) {
            Ok((result, notice)) => settled.push(Settled { file, notice, result }),
            Err(error) => {
                METRICS.held_overrides.with_label_values(&["failed"]).inc();
                tracing::error!(%error, answer = asked.answer, "cannot do what a sender of held mail asked for; will retry");
                // Where the queue helper is away, the next look is soon enough.
                if matches!(error, OverrideError::NotDone { .. }) {
                    tried.0.insert(file, Instant::now());
                }
            }
        }
    }
    Ok(settled)
}

/// Carries out one.
fn one(
    store: &Store,
    config: &Config,
    asked: &Override,
) -> Result<(OverrideResult, Option<OutboxRow>), OverrideError> {
    let Some(by) = Address::parse(&asked.by) else { return Ok((OverrideResult::NotTheirs, None)) };
    let Some((record, notice)) = store.notice(&asked.notice)? else {
        return Ok((OverrideResult::NotTheirs, None));
    };
    if !invites(config, &notice, &asked.notice, &by) {
        return Ok((OverrideResult::NotTheirs, None));
    }
    let Some((found, rows)) = session::judged(store.directory(), &record)? else {
        return Ok((OverrideResult::Gone, tell(config, asked, &by, OverrideResult::Gone, "")));
    };
    let queue = Queue::new(&config.held.queue_helper);
    let mut log = AccessLog::open(store.directory())?;
    // From here on nobody else acts on the mail, and what was cut off has its end.
    let turn = Turn::take(&mut log, store.directory(), &queue)?;
    let result = if let Some(result) = before(&log, asked)? {
        result
    } else {
        let wish = Wish { asked, notice: &notice, by: &by };
        decided(store, config, (&mut log, &queue, &turn), &wish, (&found, &rows))?
    };
    Ok((result, tell(config, asked, &by, result, &found.record.queue_id)))
}

/// What came of it before this process, or the connection to the queue helper, was cut off.
fn before(log: &AccessLog, asked: &Override) -> Result<Option<OverrideResult>, AccessError> {
    let acts = HeldActs::read(log)?;
    Ok(acts.of_answer(&asked.answer).and_then(|told| match told.act.stage {
        Stage::Done => Some(OverrideResult::Released),
        Stage::Proposed => Some(OverrideResult::Proposed),
        Stage::Begun | Stage::Failed => None,
    }))
}

/// Whether the notice says that an answer releases the mail, and went to that mailbox.
fn invites(config: &Config, notice: &Stored, key: &name::Key, by: &Address) -> bool {
    let row = &notice.row;
    let (Some(to), Some(from)) = (Address::parse(&row.recipient), Address::parse(&row.mailbox)) else {
        return false;
    };
    let head = row.message.split("\r\n\r\n").next().unwrap_or_default();
    head.contains(&name::message_id("override", key, &from)) && config.organisation.is_same_mailbox(&to, by)
}

/// An answer with what it is to.
struct Wish<'a> {
    asked: &'a Override,
    notice: &'a Stored,
    by: &'a Address,
}

/// Judges it, and does it.
fn decided(
    store: &Store,
    config: &Config,
    (log, queue, turn): (&mut AccessLog, &Queue, &Turn<'_>),
    &Wish { asked, notice, by }: &Wish<'_>,
    (found, rows): (&Found, &[FindingRow]),
) -> Result<OverrideResult, OverrideError> {
    let policy = policy(config, by);
    if found.record.outcome != Outcome::Held || !policy.is_some_and(|policy| allows(policy, rows)) {
        return Ok(OverrideResult::NotAllowed);
    }
    let purpose = justification(&asked.text, &notice.row.message);
    if !is_purpose(&purpose) {
        return Ok(OverrideResult::Short);
    }
    let Some(id) = on_hold(store.directory(), queue, &found.id, &found.record.queue_id)? else {
        return Ok(OverrideResult::Gone);
    };
    let act = HeldAct {
        by: held::sender(&asked.by),
        act: Act::Release,
        stage: Stage::Proposed,
        record: found.id.to_string(),
        queue_id: id.to_string(),
        to: String::new(),
        purpose,
        text: String::new(),
        access: None,
        follows: None,
        outcome: String::new(),
        answer: asked.answer.clone(),
    };
    if config.held.four_eyes {
        let acts = HeldActs::read(log)?;
        let waits = acts.proposal(&act, Timestamp::now()).is_some_and(|told| told.act.by == act.by);
        if !waits {
            held::note(log, &act)?;
        }
        return Ok(OverrideResult::Proposed);
    }
    let work = || Ok(queue.release(&id)?.as_str().to_owned());
    let Carried { result, .. } = turn.carry_out(log, act, work)?;
    match result {
        Ok(_) => Ok(OverrideResult::Released),
        Err(why) => Err(OverrideError::NotDone { queue_id: id.to_string(), why }),
    }
}

/// What is active for mail of this mailbox.
fn policy<'c>(config: &'c Config, by: &Address) -> Option<&'c RulePolicy> {
    let (_, policy) = config.rules.iter().find(|(rule, _)| rule.id() == OVERRIDABLE)?;
    let authority = config.organisation.authority_of(by);
    let own = policy.authorities.iter().find(|(of, _)| Some(*of) == authority);
    Some(own.map_or(policy, |(_, own)| own)).filter(|policy| policy.mode == Mode::Enforce)
}

/// Whether the sender may release a mail with these findings: the rule alone holds it, could read all of it, and found data of no
/// higher class than is allowed.
fn allows(policy: &RulePolicy, rows: &[FindingRow]) -> bool {
    let Actions::Sensitive(sensitive) = &policy.actions else { return false };
    let holds =
        |row: &&FindingRow| row.mode == Mode::Enforce.as_str() && row.verdict == Outcome::Held.as_str();
    let own = |row: &&FindingRow| row.rule == OVERRIDABLE && row.mode == Mode::Enforce.as_str();
    let class = |row: &FindingRow| {
        let word = row.evidence.strip_prefix("class=")?.split(';').next()?;
        Sensitivity::parse(word).filter(|_| row.grade != "unknown")
    };
    rows.iter().any(|row| holds(&row))
        && rows.iter().filter(holds).all(|row| own(&row))
        && rows.iter().filter(own).all(|row| class(row).is_some_and(|class| sensitive.may_override(class)))
}

/// What the sender wrote, on one line and without lines of the notice: a program that marks no quotation quotes it as text.
fn justification(text: &str, notice: &str) -> String {
    let body = notice.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let (body, _) = transfer::decode(Encoding::QuotedPrintable, body.as_bytes());
    let body = String::from_utf8_lossy(&body);
    let said = |line: &&str| !line.trim().is_empty() && !body.lines().any(|own| own.trim() == line.trim());
    let own: Vec<&str> = text.lines().filter(said).flat_map(str::split_whitespace).collect();
    truncate(&own.join(" "), limits::ACT_REASON_OCTETS).to_owned()
}

/// The mail's queue id, if it is this mail that is on hold: queue ids may come again.
fn on_hold(
    directory: &Path,
    queue: &Queue,
    record: &RecordId,
    queue_id: &str,
) -> Result<Option<QueueId>, OverrideError> {
    let (mails, _) = queue.list().map_err(ActError::from)?;
    let Some(waiting) = mails.into_iter().find(|mail| mail.id.as_str() == queue_id) else { return Ok(None) };
    let found = session::on_hold(directory, &[(waiting.id.as_str(), waiting.arrived)])?.pop().flatten();
    Ok(found.filter(|on_hold| on_hold.found.id == *record).map(|_| waiting.id))
}

/// The notice that says what came of it, once for each answer.
fn tell(
    config: &Config,
    asked: &Override,
    to: &Address,
    result: OverrideResult,
    queue_id: &str,
) -> Option<OutboxRow> {
    let fields = vec![("result", result.as_str().to_owned()), ("queue_id", queue_id.to_owned())];
    let key = name::key(["sensitive-override", &asked.answer]);
    texts::notice(config, (Occasion::SensitiveOverride, to), fields, "", key)
}
