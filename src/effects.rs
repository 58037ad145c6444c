//! Effects: a decision becomes an entry for the log and an answer for the MTA. Nothing is done here; the pipeline
//! stores the entry first, and sends the answer when that is durable.

#![deny(clippy::disallowed_methods)]

pub mod notices;
mod results;
mod subject;

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::address::Address;
use crate::answer::{Answer, Edit};
use crate::facts::pass::{Onward, PassKeys, Substance};
use crate::facts::{Facts, Field};
use crate::mail::{Client, Direction, Envelope, Incomplete, Mail};
use crate::metrics::METRICS;
use crate::policy::receipts::Receipt;
use crate::policy::{Decision, Mark, Mode, Place, Refusal, Ruling, Step};
use crate::record::{FindingRow, Outcome, Record, RecordId, SeenRow};
use crate::reply::{Basic, ReplyClass, SmtpReply};
use crate::rules::{Confidence, Evidence, Finding, Match, spam};
use crate::verdict::Verdict;
use crate::{limits, rules, text, texts};

/// Header fields with this prefix are ours, and only this program may write them.
const OWN_PREFIX: &str = "X-Postvakt-";
/// The field that has the record's id.
pub const ID: &str = "X-Postvakt-Id";
/// The name under which the log has a mail with too many forged fields.
pub const FORGED_FIELDS: &str = "forged-fields";
/// The name under which the log has a mail that met a fault of this program.
pub const INTERNAL_ERROR: &str = "internal-error";
/// The name under which the log has a mail that came through again.
pub const SECOND_PASS: &str = "second-pass";
/// Marks of spam filters begin so, or are `X-Spam` alone; copies from outside are what somebody else wishes us to
/// believe.
const SPAM_PREFIXES: [&str; 2] = ["X-Spam-", "X-Spamd-"];
const SPAM: &str = "X-Spam";
/// Points that `X-Spam-Level` shows at the most.
const LEVEL_AT_MOST: f64 = 50.0;

/// The record of a judged mail.
pub fn record(facts: &Facts, decision: &Decision, config_hash: &str) -> Record {
    Record {
        time: facts.arrived,
        direction: Some(facts.direction),
        sender: facts.sender.to_string(),
        recipients: facts.recipients.iter().map(|recipient| recipient.address.to_string()).collect(),
        header_from: facts.header.author(),
        subject: facts.header.subject.clone().unwrap_or_default(),
        size: facts.size,
        attachments: facts
            .attachments
            .iter()
            .filter(|attachment| !attachment.name.is_empty())
            .map(|attachment| (attachment.name.clone(), attachment.size))
            .collect(),
        outcome: outcome(decision.verdict),
        findings: decision
            .rulings
            .iter()
            .map(|ruling| format!("{}={}", ruling.rule, ruling.grade()))
            .collect(),
        would: decision
            .rulings
            .iter()
            .filter(|ruling| ruling.mode == Mode::Observe && ruling.verdict > Verdict::Accept)
            .map(|ruling| format!("{}=would_{}", ruling.rule, verb(ruling.verdict)))
            .collect(),
        queue_id: facts.queue_id.clone().unwrap_or_default(),
        message_id: facts.header.message_id.clone().unwrap_or_default(),
        config: config_hash.to_owned(),
        receipt: receipts(&decision.receipts),
        authentication: results::summary(&facts.authentication),
        ..of_client(&facts.client)
    }
}

/// What becomes of each receipt: `registrator@exempelby.se=queued PV-2026-7K3M9Q`, `…=suppressed auto-submitted`.
fn receipts(receipts: &[Receipt]) -> String {
    let word =
        |receipt: &Receipt| format!("{}={} {}", receipt.mailbox.address, receipt.outcome(), receipt.detail());
    receipts.iter().map(word).collect::<Vec<_>>().join("; ")
}

/// What the log keeps of each finding.
pub fn findings(facts: &Facts, decision: &Decision) -> Vec<FindingRow> {
    let row = |ruling: &Ruling| {
        let (evidence, mailboxes, recipients) = match &ruling.finding {
            Finding::Match(found) => (found.evidence.as_str(), &*found.mailboxes, &*found.recipients),
            Finding::Unknown(cause) => (cause.as_str(), &[][..], &[][..]),
        };
        let recipients = recipients.iter().filter_map(|at| facts.recipients.get(*at));
        let evidence = match ruling.class() {
            rules::Sensitivity::None => evidence.to_owned(),
            class => format!("class={}; {evidence}", class.as_str()),
        };
        let exceptions = ruling.exceptions();
        let evidence = if exceptions.is_empty() { evidence } else { format!("{evidence}; {exceptions}") };
        let decisions = ruling.allowed_by.iter().filter_map(|allowance| allowance.decision.clone());
        FindingRow {
            rule: ruling.rule.clone(),
            grade: ruling.grade().to_owned(),
            evidence,
            mode: ruling.mode.as_str().to_owned(),
            verdict: ruling.verdict.as_str().to_owned(),
            decision: decisions.collect::<Vec<_>>().join("; "),
            mailboxes: mailboxes.iter().map(ToString::to_string).collect(),
            recipients: recipients.map(|recipient| recipient.address.to_string()).collect(),
        }
    };
    decision.rulings.iter().map(row).collect()
}

/// The record of a mail that never came to its end.
pub fn incomplete(facts: &Facts, why: Incomplete, config_hash: &str) -> Record {
    Record {
        direction: (!facts.recipients.is_empty()).then_some(facts.direction),
        outcome: Outcome::Incomplete,
        findings: vec![why.as_str().to_owned()],
        ..record(facts, &Decision::default(), config_hash)
    }
}

/// The record of a mail that came through again: nothing was asked of it, and nothing follows. Its direction is that of
/// the first time, for a filter hands in from inside what came from outside.
pub fn passed_again(facts: &Facts, first: &Record, config_hash: &str) -> Record {
    Record {
        direction: first.direction,
        findings: vec![format!("{SECOND_PASS}={}", Confidence::Certain.as_str())],
        ..record(facts, &Decision::default(), config_hash)
    }
}

/// What the log keeps beside it: whose second pass it is.
pub fn pass_of(first: &RecordId) -> FindingRow {
    FindingRow {
        rule: SECOND_PASS.to_owned(),
        grade: Confidence::Certain.as_str().to_owned(),
        evidence: first.to_string(),
        mode: Mode::Enforce.as_str().to_owned(),
        verdict: Verdict::Accept.as_str().to_owned(),
        decision: String::new(),
        mailboxes: Vec::new(),
        recipients: Vec::new(),
    }
}

/// The record of a mail that could not be processed because of an internal error; it is deferred.
pub fn unread(mail: &Mail, config_hash: &str) -> Record {
    Record {
        time: mail.arrived,
        sender: mail.envelope.sender.to_string(),
        recipients: mail.envelope.recipients.iter().map(|recipient| recipient.address.to_string()).collect(),
        size: mail.message.size,
        outcome: Outcome::Deferred,
        findings: vec![INTERNAL_ERROR.to_owned()],
        queue_id: mail.queue_id.clone().unwrap_or_default(),
        config: config_hash.to_owned(),
        ..of_client(&mail.client)
    }
}

/// What the memory keeps of a message from outside that was let in.
pub fn remembered<'a>(facts: &'a Facts, decision: &Decision) -> Option<SeenRow<'a>> {
    let identity = facts.identity.as_ref()?;
    if facts.direction != Direction::Inbound || decision.verdict > Verdict::Hold {
        return None;
    }
    let mailboxes = facts.recipients.iter().filter(|recipient| recipient.inside);
    let mut authors: SmallVec<[&Address; limits::SEEN_AUTHORS]> = SmallVec::new();
    for author in facts.sender.address().into_iter().chain(&facts.header.from).chain(&facts.header.reply_to) {
        if authors.len() < limits::SEEN_AUTHORS && !authors.contains(&author) {
            authors.push(author);
        }
    }
    let mailboxes = mailboxes.map(|recipient| recipient.address.as_str());
    let authors = authors.into_iter().map(Address::as_str);
    let row = SeenRow::new(facts.arrived, identity.keys(), identity.fingerprint, mailboxes, authors);
    (!row.keys().is_empty() && row.mailboxes().next().is_some()).then_some(row)
}

/// By what a message is recognised when it comes through again.
#[derive(Clone, Copy)]
pub struct Seal<'a> {
    /// The keys of the mark.
    pub keys: &'a PassKeys,
    /// What stays as it is on its way.
    pub substance: &'a Substance,
}

impl Seal<'_> {
    /// The record's id with the mark.
    fn put_on(self, facts: &Facts, decision: &Decision, id: &RecordId) -> String {
        let removes = |step: &Step| matches!(step, Step::RemoveRecipient(_));
        let onward = if decision.steps.iter().any(removes) { Onward::Inside } else { Onward::All };
        let subject = subject::after(&facts.header, &tags(decision));
        let is_removed = |name: &str| is_removed(name, decision);
        self.keys.marked(&id.to_string(), self.substance, &subject, onward, is_removed)
    }
}

/// The answer to a judged mail whose record has this id; without a seal it is not recognised when it comes again.
pub fn answer(
    facts: &Facts,
    envelope: &Envelope,
    decision: &Decision,
    id: &RecordId,
    seal: Option<Seal<'_>>,
) -> Answer {
    for step in &decision.steps {
        match step {
            Step::Defer if decision.verdict == Verdict::Defer => return Answer::refuse(deferral(id)),
            Step::Reject(refusal) => return Answer::refuse(rejection(refusal, id)),
            Step::Defer
            | Step::Mark(_)
            | Step::RemoveRecipient(_)
            | Step::AddRecipient(_)
            | Step::Hold(_)
            | Step::Notify(_) => {}
        }
    }
    let mut edits = forged(facts, decision);
    edits.extend(subject::edits(&facts.header, &tags(decision), envelope.smtputf8));
    let id = seal.map_or_else(|| id.to_string(), |seal| seal.put_on(facts, decision, id));
    edits.extend(header_marks(facts, decision, id));
    edits.extend(decision.steps.iter().filter_map(|step| envelope_edit(step, envelope)));
    Answer { edits, refusal: None }
}

/// The answer where the record could not be stored.
pub fn not_stored() -> Answer {
    Answer::refuse(SmtpReply::new(ReplyClass::Transient, Basic::Processing, (3, 0), texts::STORE_FAILED))
}

/// The answer where reading the mail failed.
pub fn failed(id: &RecordId) -> Answer {
    let text = format!("{} [{id}]", texts::INTERNAL_ERROR);
    Answer::refuse(SmtpReply::new(ReplyClass::Transient, Basic::Processing, (3, 0), &text))
}

fn deferral(id: &RecordId) -> SmtpReply {
    let text = format!("{} [{id}]", texts::UNKNOWN_DEFERRED);
    SmtpReply::new(ReplyClass::Transient, Basic::Processing, (7, 1), &text)
}

fn rejection(refusal: &Refusal, id: &RecordId) -> SmtpReply {
    let text = match refusal {
        Refusal::Forward => texts::FORWARD_REFUSED.to_owned(),
        Refusal::Content(None) => texts::POLICY_REFUSED.to_owned(),
        Refusal::Content(Some(own)) => format!("{} ({})", own.sv, own.en),
        Refusal::Virus => texts::VIRUS_REFUSED.to_owned(),
        Refusal::Forged => texts::FORGED_REFUSED.to_owned(),
        Refusal::Sensitive(alternative) => texts::sensitive_refused(alternative.as_deref()),
    };
    let status = match refusal {
        Refusal::Content(Some(own)) => own.status,
        _ => (7, 1),
    };
    SmtpReply::new(ReplyClass::Permanent, Basic::Unavailable, status, &format!("{text} [{id}]"))
}

/// Rejects a mail with more than [`limits::FORGED_FIELDS`] header fields that are reserved for us: none of them may pass,
/// and deleting all of them costs the MTA too much.
pub fn refuse_forged(facts: &Facts, decision: &mut Decision) {
    let reserved = Reserved::in_mail(facts, decision);
    if facts.header.fields.iter().filter(|field| reserved.has(field)).count() <= limits::FORGED_FIELDS {
        return;
    }
    METRICS.limits_exceeded.with_label_values(&["forged_fields"]).inc();
    decision.verdict = Verdict::Reject;
    decision.steps = vec![Step::Reject(Refusal::Forged)];
    decision.rulings.push(Ruling {
        rule: FORGED_FIELDS.to_owned(),
        finding: Finding::Match(Match {
            grade: Confidence::Certain,
            evidence: Evidence::of("too many header fields reserved for the mail filter"),
            mailboxes: Vec::new(),
            recipients: Vec::new(),
        }),
        mode: Mode::Enforce,
        verdict: Verdict::Reject,
        allowed_by: Vec::new(),
        undecided: None,
        place: Place::default(),
    });
}

/// Deletes every field that is reserved for us, and what custom rules remove. Of one name the highest index goes first, for Postfix renumbers as it
/// deletes.
fn forged(facts: &Facts, decision: &Decision) -> Vec<Edit> {
    let reserved = Reserved::in_mail(facts, decision);
    let mut counts: HashMap<String, u32> = HashMap::new();
    let mut edits = Vec::new();
    // Each deletion costs the MTA a walk through the header section, so no more are asked for than of forged fields.
    let mut left = limits::FORGED_FIELDS;
    for field in &facts.header.fields {
        let index = counts.entry(field.name.to_ascii_lowercase()).or_default();
        *index += 1;
        let removed = || left > 0 && is_removed(&field.name, decision);
        let forged = reserved.has(field);
        if forged || removed() {
            left -= usize::from(!forged);
            edits.push(Edit::DeleteHeader { index: *index, name: field.name.to_string() });
        }
    }
    edits.reverse();
    edits
}

/// Whether a custom rule removes the field.
fn is_removed(field: &str, decision: &Decision) -> bool {
    decision.steps.iter().any(|step| match step {
        Step::Mark(Mark::WithoutField(name)) => field.eq_ignore_ascii_case(name),
        _ => false,
    })
}

/// Which fields of a mail are reserved for us: from outside those with our names, every spam mark, and every result of
/// authentication in our name. What comes from inside may have passed here before, and keeps what we wrote then; only the
/// record's id is another. The marks of a filter of the organisation's own stay, unless ours take their place.
struct Reserved<'a> {
    inbound: bool,
    spam_marks: bool,
    authserv_id: &'a str,
    own_fields: &'a [String],
}

impl<'a> Reserved<'a> {
    fn in_mail(facts: &'a Facts, decision: &Decision) -> Self {
        let inbound = facts.direction == Direction::Inbound;
        let from_filter = facts.client.address.is_some_and(|client| facts.organisation.trusts_filter(client));
        let marked = decision.steps.contains(&Step::Mark(Mark::Spam));
        let authserv_id = &facts.organisation.authserv_id;
        let own_fields = &facts.organisation.own_fields;
        Self { inbound, spam_marks: inbound && (marked || !from_filter), authserv_id, own_fields }
    }

    fn has(&self, field: &Field) -> bool {
        (self.inbound && starts_with(&field.name, OWN_PREFIX))
            || field.name.eq_ignore_ascii_case(ID)
            || (self.spam_marks && is_spam_mark(&field.name))
            || (self.inbound && results::is_forged(field, self.authserv_id))
            || (self.inbound && self.own_fields.iter().any(|own| field.name.eq_ignore_ascii_case(own)))
    }
}

fn is_spam_mark(name: &str) -> bool {
    name.eq_ignore_ascii_case(SPAM) || SPAM_PREFIXES.iter().any(|prefix| starts_with(name, prefix))
}

/// The tags that the subject is to have, in the order of the rules.
fn tags(decision: &Decision) -> Vec<&str> {
    let tags = decision.steps.iter().filter_map(|step| match step {
        Step::Mark(Mark::SubjectTag(tag)) => Some(tag.as_str()),
        _ => None,
    });
    tags.collect()
}

fn starts_with(name: &str, prefix: &str) -> bool {
    name.as_bytes().get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Our own fields. They go in at index 1, below the MTA's own Received: the signatures of what is further down still
/// verify. Each insertion pushes the one before it down, so the last written stands first.
fn header_marks(facts: &Facts, decision: &Decision, id: String) -> Vec<Edit> {
    let mut suspicious = Vec::new();
    let mut sensitive = Sensitive::default();
    let mut marks: Vec<(&str, String)> = Vec::new();
    for step in &decision.steps {
        match step {
            Step::Mark(Mark::AutoForward(value)) => marks.push(("X-Postvakt-Auto-Forward", value.clone())),
            Step::Mark(Mark::Suspicious(rule)) => suspicious.push(rule.as_str()),
            Step::Mark(Mark::Spam) => marks.extend(spam_marks(facts)),
            Step::Mark(Mark::NotScanned(cause)) => {
                marks.push(("X-Postvakt-Spam-Check", format!("not-scanned; reason={}", cause.as_str())));
            }
            Step::Mark(Mark::Sensitive(class, counts)) => sensitive.add(*class, counts),
            Step::Mark(Mark::Field(name, value)) => marks.push((name, value.clone())),
            Step::Mark(Mark::External) => marks.push(("X-Postvakt-External", "yes".to_owned())),
            Step::Mark(Mark::SubjectTag(_) | Mark::WithoutField(_))
            | Step::RemoveRecipient(_)
            | Step::AddRecipient(_)
            | Step::Hold(_)
            | Step::Defer
            | Step::Reject(_)
            | Step::Notify(_) => {}
        }
    }
    if !suspicious.is_empty() {
        marks.push(("X-Postvakt-Suspicious", suspicious.join(", ")));
    }
    if let Some(receipt) = decision.receipts.iter().find(|receipt| receipt.is_owed()) {
        marks.push(("X-Postvakt-Receipt", receipt.reference.clone()));
    }
    marks.extend(sensitive.value().map(|value| ("X-Postvakt-Sensitive", value)));
    marks.push((ID, id));
    marks.extend(results::value(facts).map(|value| (results::NAME, value)));
    let marks = marks.into_iter().map(|(name, value)| {
        let value = text::truncate(&value, limits::HEADER_VALUE_OCTETS).to_owned();
        (name, value)
    });
    // What stands there from an earlier pass is not said twice.
    let said = |name: &str, value: &str| facts.from_inside && facts.header.all(name).any(|own| own == value);
    marks
        .filter(|(name, value)| !said(name, value))
        .map(|(name, value)| Edit::InsertHeader { index: 1, name: name.to_owned(), value })
        .collect()
}

/// What other filters and mail programs look for, as they write it.
fn spam_marks(facts: &Facts) -> [(&'static str, String); 3] {
    let weighed = spam::weigh(facts);
    let level = weighed.score.clamp(0.0, LEVEL_AT_MOST).floor();
    let stars = (0..50).take_while(|point| f64::from(*point) < level).map(|_| '*').collect();
    let status = format!(
        "Yes, score={:.1} required={:.1} tests={}",
        weighed.score,
        weighed.required,
        weighed.tests.join(",")
    );
    [("X-Spam-Level", stars), ("X-Spam-Status", status), ("X-Spam-Flag", "YES".to_owned())]
}

/// What all rules found of sensitive data, for one field.
#[derive(Default)]
struct Sensitive {
    class: rules::Sensitivity,
    counts: Vec<(&'static str, usize)>,
}

impl Sensitive {
    fn add(&mut self, class: rules::Sensitivity, counts: &[(&'static str, usize)]) {
        self.class = self.class.max(class);
        self.counts.extend_from_slice(counts);
    }

    /// `class=serious; personnummer=2; health=1`.
    fn value(&self) -> Option<String> {
        let found = self.class > rules::Sensitivity::None;
        let counts = self.counts.iter().map(|(kind, count)| format!("; {kind}={count}"));
        found.then(|| format!("class={}{}", self.class.as_str(), counts.collect::<Vec<_>>().concat()))
    }
}

fn envelope_edit(step: &Step, envelope: &Envelope) -> Option<Edit> {
    match step {
        Step::RemoveRecipient(index) => envelope
            .recipients
            .get(*index)
            .map(|recipient| Edit::RemoveRecipient { raw: recipient.raw.to_vec() }),
        Step::AddRecipient(address) => Some(Edit::AddRecipient { address: address.to_string() }),
        Step::Hold(reason) => Some(Edit::Quarantine { reason: reason.clone() }),
        Step::Mark(_) | Step::Defer | Step::Reject(_) | Step::Notify(_) => None,
    }
}

fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Accept => Outcome::Accepted,
        Verdict::Mark => Outcome::Marked,
        Verdict::Hold => Outcome::Held,
        Verdict::Defer => Outcome::Deferred,
        Verdict::Reject => Outcome::Rejected,
    }
}

fn verb(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accept => "accept",
        Verdict::Mark => "mark",
        Verdict::Hold => "hold",
        Verdict::Defer => "defer",
        Verdict::Reject => "reject",
    }
}

/// The columns that tell of the client; the rest empty.
fn of_client(client: &Client) -> Record {
    Record {
        client: client.address.map(|ip| ip.to_string()).or_else(|| client.name.clone()).unwrap_or_default(),
        helo: client.helo.clone().unwrap_or_default(),
        auth_user: client.auth_user.clone().unwrap_or_default(),
        tls: client.tls.clone().unwrap_or_default(),
        ..Record::default()
    }
}

#[cfg(test)]
mod tests;
