//! The story of a mail, on one screen: facts, findings, decision; then the record is stored, and only then the MTA is
//! answered.

pub mod remembered;
pub mod trial;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;

use crate::answer::Answer;
use crate::config::Config;
use crate::effects::{Seal, notices};
use crate::facts::pass::Substance;
use crate::facts::{Facts, Needs, direction, extract};
use crate::gather::passes::FirstPass;
use crate::gather::turns::{Share, Turns};
use crate::gather::{self, Sources};
use crate::mail::{Incomplete, Mail};
use crate::metrics::METRICS;
use crate::milter::{Handler, Wants};
use crate::policy::{Decision, decide, overrides, receipts};
use crate::record::{FindingRow, OutboxKind, OutboxRow, Outcome, Record, RecordId};
use crate::rules::receipt::Suppression;
use crate::rules::{Finding, Sensitivity};
use crate::store::overrides::Override;
use crate::store::{Entry, Store};
use crate::verdict::Verdict;
use crate::work::Work;
use crate::{effects, limits, text};
use remembered::Remembered;

/// An incomplete mail is recorded without opening its attachments.
const INCOMPLETE_NEEDS: Needs = Needs { body: true, ..Needs::NONE };

/// Everything that judges mail; shared by all connections.
pub struct Pipeline {
    /// The active config; a reload swaps it, and each mail keeps the one it began with.
    pub config: ArcSwap<Config>,
    /// The log.
    pub store: Store,
    /// Whom facts are asked of.
    pub sources: Sources,
}

/// What is true of a mail, and what is to become of it.
#[derive(Debug)]
pub struct Assessment {
    /// The facts.
    pub facts: Facts,
    /// The decision.
    pub decision: Decision,
    /// What of the message stays as it is when it comes through again.
    pub substance: Substance,
    /// The first record of a mail that came through before; then nothing was asked of it.
    pub first: Option<FirstPass>,
}

/// A fault of this program while it read a mail.
#[derive(Debug, thiserror::Error)]
#[error("a fault of the program while it read the mail")]
pub struct Fault;

/// Assesses a mail without doing anything: what `explain` shows, and what the wire acts on. What takes long is done on a
/// thread of its own when it is the mail's turn, and no longer than somebody waits for the answer.
pub async fn assess(mail: &Arc<Mail>, config: &Arc<Config>, sources: &Sources) -> Result<Assessment, Fault> {
    let effort = Effort::begin(mail, config, sources);
    let octets = mail.message.bytes.len();
    let (mut facts, substance) = {
        let (mail, organisation, needs) = (mail.clone(), config.organisation.clone(), config.needs);
        let read = move || {
            let facts = extract::extract(&mail, &organisation, needs);
            let substance = Substance::of(&mail.message);
            (facts, substance)
        };
        effort.step(octets, read).await?
    };
    if let first @ Some(_) = sources.passes.first(&facts, &substance).await {
        return Ok(Assessment { facts, decision: Decision::default(), substance, first });
    }
    facts.work = effort.work.clone();
    let unopened = std::mem::take(&mut facts.unopened);
    let (gathered, _room) = gather::gather(&facts, unopened, mail, config, effort.share, sources).await;
    facts.add(gathered);
    let octets = facts.passages.iter().map(|passage| passage.text.len()).sum();
    let judged = {
        let config = config.clone();
        effort.step(octets, move || judged(facts, &config)).await
    };
    let (facts, decision) = judged?;
    let assessment = Assessment { facts, decision, substance, first: None };
    let facts = &assessment.facts;
    METRICS.message_cpu_seconds.observe(facts.work.spent().as_secs_f64());
    if facts.work.was_cut() {
        METRICS.limits_exceeded.with_label_values(&["mail_cpu"]).inc();
        tracing::warn!(queue_id = facts.queue_id, "CPU limit of a mail reached; the rest was not read");
    }
    Ok(assessment)
}

/// Long work for one mail: counted, in its turn, and stopped when the client has given up.
struct Effort<'a> {
    work: Arc<Work>,
    share: Share,
    turns: &'a Turns,
}

impl<'a> Effort<'a> {
    fn begin(mail: &Mail, config: &Config, sources: &'a Sources) -> Self {
        let from_inside = direction::from_inside(mail, &config.organisation);
        let share = sources.turns.share(mail, from_inside);
        let work = Arc::new(Work::new(gather::turns::thread_time, limits::MAIL_CPU_TIME));
        Self { work, share, turns: &sources.turns }
    }

    /// A step that goes through so many octets: at once where they are few, else on a thread of its own.
    async fn step<T: Send + 'static>(
        &self,
        octets: usize,
        step: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        if octets <= limits::INLINE_OCTETS {
            return caught(|| self.work.step(step));
        }
        let turn = self.turns.turn(self.share).await;
        let work = self.work.clone();
        let doing = tokio::task::spawn_blocking(move || {
            // The core is in use until the thread is done, also if the client has given up.
            let _turn = turn;
            caught(|| work.step(step))
        });
        doing.await.unwrap_or(Err(Fault))
    }
}

impl Drop for Effort<'_> {
    fn drop(&mut self) {
        self.work.cancel();
    }
}

/// What the rules find in the facts, and what follows from it.
fn judged(facts: Facts, config: &Config) -> (Facts, Decision) {
    let started = Instant::now();
    let mut found: Vec<(&str, Vec<Finding>)> = Vec::with_capacity(config.rules.len());
    for (rule, _) in &config.rules {
        let findings = rule.check_after(&facts, &found);
        found.push((rule.id(), findings));
    }
    let findings = config.rules.iter().zip(found).flat_map(|((_, policy), (id, findings))| {
        findings.into_iter().map(move |finding| (id, policy, finding))
    });
    let today = facts.arrived.to_zoned(config.time_zone.clone()).date();
    let mut decision = decide::decide(&facts, findings, today);
    effects::refuse_forged(&facts, &mut decision);
    if let Some(external) = &config.external {
        external.mark(&facts, &mut decision);
    }
    receipts::decide(
        &facts,
        config.rules.iter().map(|(rule, policy)| (&**rule, policy)),
        today,
        &mut decision,
    );
    METRICS.stage_seconds.with_label_values(&["rules"]).observe(started.elapsed().as_secs_f64());
    (facts, decision)
}

impl Handler for Pipeline {
    fn wants(&self) -> Wants {
        Wants { message: self.config.load().needs.body }
    }

    async fn judge(&self, mail: Mail) -> Answer {
        let started = Instant::now();
        let config = self.config.load_full();
        let mail = Arc::new(mail);
        let answer = match assess(&mail, &config, &self.sources).await {
            Ok(Assessment { facts, first: Some(first), .. }) => {
                self.perform_again(&config, &facts, &first).await
            }
            Ok(assessment) => self.perform(&mail, &config, assessment).await,
            Err(Fault) => self.perform_unread(&mail, &config).await,
        };
        METRICS.message_seconds.observe(started.elapsed().as_secs_f64());
        answer
    }

    fn incomplete(&self, mail: Mail, why: Incomplete) {
        let config = self.config.load();
        let needs = INCOMPLETE_NEEDS;
        let record = caught(|| {
            let facts = extract::extract(&mail, &config.organisation, needs);
            let mut record = effects::incomplete(&facts, why, &config.hash);
            config.store.header_fields.iter().for_each(|field| field.keep(&mut record, &facts.header));
            record
        });
        let mut record = record.unwrap_or_else(|Fault| effects::unread(&mail, &config.hash));
        self.minimise(&config, &mut record, &mut []);
        count(record.direction.map_or("unknown", |direction| direction.as_str()), record.outcome);
        self.store.enqueue(Entry::of(record));
    }
}

impl Pipeline {
    /// Stores the record, and answers when that is durable.
    async fn perform(&self, mail: &Mail, config: &Config, mut assessment: Assessment) -> Answer {
        let reserved =
            remembered::reserve(&self.sources, config, &assessment.facts, &mut assessment.decision);
        let outbox = self.notices(config, &mut assessment);
        let Assessment { facts, decision, substance, .. } = &assessment;
        let mut record = effects::record(facts, decision, &config.hash);
        let outcome = record.outcome;
        let mut findings = effects::findings(facts, decision);
        config.store.header_fields.iter().for_each(|field| field.keep(&mut record, &facts.header));
        self.minimise(config, &mut record, &mut findings);
        let remembered = Remembered::of(&self.sources, config.needs, facts, decision, reserved);
        let (seen, contacts) = (remembered.seen.clone(), remembered.contacts.clone());
        match self.store.commit(Entry { record, findings, seen, outbox, contacts }).await {
            Ok(id) => {
                if let Err(error) = self.keep_override(config, facts, decision, &id).await {
                    return not_stored(facts, &error);
                }
                remembered.keep(Some(id.seq));
                count(facts.direction.as_str(), outcome);
                observe(&id, &assessment);
                let seal = self.sources.passes.keys().map(|keys| Seal { keys, substance });
                effects::answer(facts, &mail.envelope, decision, &id, seal)
            }
            Err(error) => not_stored(facts, &error),
        }
    }

    /// Keeps an answer by which a sender wants their held mail released, before the answer is accepted.
    async fn keep_override(
        &self,
        config: &Config,
        facts: &Facts,
        decision: &Decision,
        id: &RecordId,
    ) -> io::Result<()> {
        let Some(settings) = &config.notice_settings else { return Ok(()) };
        let why = match overrides::answer(facts, settings) {
            overrides::Answer::Other => return Ok(()),
            overrides::Answer::Ignored(why) => why,
            overrides::Answer::Counts { .. } if decision.verdict >= Verdict::Hold => {
                "it is not delivered itself"
            }
            overrides::Answer::Counts { notice, by, text } => {
                let text = text::truncate(&text, limits::OVERRIDE_TEXT_OCTETS).to_owned();
                let kept = Override { notice, by: by.to_string(), text, answer: id.to_string() };
                let store = self.store.clone();
                let keeping = tokio::task::spawn_blocking(move || store.keep_override(&kept));
                return keeping.await.map_err(io::Error::other)?;
            }
        };
        METRICS.held_overrides.with_label_values(&["ignored"]).inc();
        tracing::warn!(record = %id, queue_id = facts.queue_id, why, "an answer about held mail does not count");
        Ok(())
    }

    /// Stores that a mail came through again, and lets it pass as it is: it was judged the first time, has its marks, and
    /// what followed from it has followed.
    async fn perform_again(&self, config: &Config, facts: &Facts, first: &FirstPass) -> Answer {
        let mut record = effects::passed_again(facts, &first.record, &config.hash);
        config.store.header_fields.iter().for_each(|field| field.keep(&mut record, &facts.header));
        self.minimise(config, &mut record, &mut []);
        let entry = Entry { findings: vec![effects::pass_of(&first.id)], ..Entry::of(record) };
        match self.store.commit(entry).await {
            Ok(id) => {
                tracing::info!(record = %id, queue_id = facts.queue_id, first = %first.id, "the mail came through again");
                Answer::pass()
            }
            Err(error) => not_stored(facts, &error),
        }
    }

    /// The notices that follow. A receipt that could not be written is not promised.
    fn notices(&self, config: &Config, assessment: &mut Assessment) -> Vec<OutboxRow> {
        let Assessment { facts, decision, .. } = &*assessment;
        let less = config
            .store
            .minimise
            .as_ref()
            .is_some_and(|minimise| minimise.covers(&effects::record(facts, decision, &config.hash)));
        let outbox = written(config, &self.store, assessment, less);
        for receipt in assessment.decision.receipts.iter_mut().filter(|receipt| receipt.is_sent()) {
            if !outbox.iter().any(|row| row.key == receipt.key) {
                receipt.suppress(Suppression::Unwritten);
            }
        }
        outbox
    }

    /// Takes out of the record what the config does not want kept.
    fn minimise(&self, config: &Config, record: &mut Record, findings: &mut [FindingRow]) {
        if let Some(minimise) = &config.store.minimise {
            minimise.apply(record, findings, &self.store.seen_key());
        }
    }

    async fn perform_unread(&self, mail: &Mail, config: &Config) -> Answer {
        let mut record = effects::unread(mail, &config.hash);
        self.minimise(config, &mut record, &mut []);
        count("unknown", record.outcome);
        match self.store.commit(Entry::of(record)).await {
            Ok(id) => effects::failed(&id),
            Err(_) => effects::not_stored(),
        }
    }
}

fn not_stored(facts: &Facts, error: &dyn std::fmt::Display) -> Answer {
    tracing::error!(%error, queue_id = facts.queue_id, "cannot store the record; the mail is deferred");
    effects::not_stored()
}

/// A panic while a mail is read is a fault of ours and must not take the connection, and with it other mail, along.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
        METRICS.panics.inc();
        Fault
    })
}

/// The notices that follow from the decision. `less` leaves out the mail's subject, if the config minimises this record:
/// notices are stored too.
fn written(
    config: &Config,
    store: &Store,
    Assessment { facts, decision, .. }: &Assessment,
    less: bool,
) -> Vec<OutboxRow> {
    let Some(settings) = &config.notice_settings else { return Vec::new() };
    let outgoing = notices::outgoing(facts, decision, settings, less);
    for fault in outgoing.faults {
        METRICS.letter_faults.inc();
        tracing::error!(
            queue_id = facts.queue_id,
            fault,
            "cannot write a receipt or notice from its template"
        );
    }
    let mut rows = outgoing.rows;
    // The limiter has already suppressed receipts without room; no client waits for a notice.
    if rows.iter().any(|row| row.kind == OutboxKind::Notice) && !store.outbox().has_room() {
        let before = rows.len();
        rows.retain(|row| row.kind == OutboxKind::Receipt);
        METRICS.limits_exceeded.with_label_values(&["outbox"]).inc_by((before - rows.len()) as u64);
    }
    rows
}

fn count(direction: &str, outcome: Outcome) {
    METRICS.messages.with_label_values(&[direction, outcome.as_str()]).inc();
}

/// Updates the metrics of a stored mail, and logs one line for each finding, with nothing from the mail but its ids.
fn observe(id: &RecordId, Assessment { facts, decision, .. }: &Assessment) {
    METRICS.message_octets.observe(f64::from(u32::try_from(facts.size).unwrap_or(u32::MAX)));
    for receipt in &decision.receipts {
        let reason = receipt.suppression.map_or("", Suppression::as_str);
        METRICS.receipts.with_label_values(&[receipt.outcome(), reason]).inc();
    }
    if decision.class() > Sensitivity::None {
        let labels = [facts.direction.as_str(), decision.class().as_str()];
        METRICS.sensitive.with_label_values(&labels).inc();
    }
    for ruling in &decision.rulings {
        let grade = ruling.grade();
        METRICS.rule_hits.with_label_values(&[ruling.rule.as_str(), grade, ruling.mode.as_str()]).inc();
        tracing::info!(
            record = %id,
            queue_id = facts.queue_id,
            rule = ruling.rule,
            grade,
            mode = ruling.mode.as_str(),
            verdict = ruling.verdict.as_str(),
            "finding"
        );
    }
}
