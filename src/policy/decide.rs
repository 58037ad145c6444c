//! Deciding: findings and policies give one decision. Verdicts combine with `max`, so the order of rules cannot
//! matter.

#![deny(clippy::disallowed_methods)]

use std::collections::HashSet;

use jiff::civil::Date;

use crate::address::Address;
use crate::facts::{Cause, Facts};
use crate::rules::{Confidence, Finding, Match};
use crate::verdict::Verdict;

use super::authorities;
use super::exceptions::{self, Excepted};
use super::notices::{self, ForwardOutcome};
use super::told::Tale;
use super::{
    Actions, Allowance, AttachmentPolicy, Decision, Exception, ForwardAction, ForwardPolicy, Label, Mark,
    MarkPolicy, Mode, Notice, Notify, OnLikely, OnUnknown, Refusal, Response, RulePolicy, Ruling,
    SenderAction, SenderPolicy, Step, TellSender, Undecided, VirusAction, content, sensitive, told,
};
use crate::templates::Occasion;
use crate::{limits, texts};

/// The decision on a mail, `today` being the day in the organisation's time zone.
pub fn decide<'a>(
    facts: &Facts,
    findings: impl IntoIterator<Item = (&'a str, &'a RulePolicy, Finding)>,
    today: Date,
) -> Decision {
    let mut decision = Decision::default();
    let findings: Vec<_> = findings.into_iter().collect();
    let hidden = notices::hidden(&findings, facts);
    // A mail may have as many steps as recipients, so what is twice is not looked for one by one.
    let mut taken = HashSet::new();
    for (rule, policy, finding) in findings {
        let policies = authorities::policies(policy, &finding, facts).into_iter();
        let judged = policies.map(|policy| judge(rule, policy, &finding, facts, &hidden, today));
        // The first of those that are equally strict.
        let strictest =
            judged.reduce(|one, other| if other.strictness() > one.strictness() { other } else { one });
        let Some(Judged { policy, mode, outcome, allowed_by, undecided }) =
            strictest.filter(|judged| judged.mode != Mode::Off)
        else {
            continue;
        };
        if mode == Mode::Enforce {
            decision.verdict = decision.verdict.max(outcome.verdict);
            for step in outcome.steps {
                if taken.insert(step.clone()) {
                    decision.steps.push(step);
                }
            }
        }
        decision.rulings.push(Ruling {
            rule: rule.to_owned(),
            finding,
            mode,
            verdict: outcome.verdict,
            allowed_by,
            undecided,
            place: policy.place.clone(),
        });
    }
    sensitive::invite_only_where_alone(&mut decision);
    decision
}

/// What one policy says of a finding.
struct Judged<'p> {
    policy: &'p RulePolicy,
    mode: Mode,
    outcome: Outcome,
    allowed_by: Vec<Allowance>,
    undecided: Option<Undecided>,
}

impl Judged<'_> {
    fn strictness(&self) -> (u8, Verdict, usize) {
        authorities::strictness(self.mode, self.outcome.verdict, &self.outcome.steps)
    }
}

fn judge<'p>(
    rule: &str,
    policy: &'p RulePolicy,
    finding: &Finding,
    facts: &Facts,
    hidden: &HashSet<usize>,
    today: Date,
) -> Judged<'p> {
    let excepted = exceptions::of_finding(policy, finding, facts, today);
    let outcome = match finding {
        _ if excepted.whole => Outcome::default(),
        Finding::Unknown(_) if !may_stop(policy, facts) => Outcome::default(),
        // Nothing passes unread because the machine was busy: the client tries again.
        Finding::Unknown(cause) if cause.is_busy() && facts.may_be_deferred && !only_marks(policy) => {
            Outcome::new(Verdict::Defer, vec![Step::Defer])
        }
        Finding::Unknown(cause) => unknown(rule, policy, *cause),
        Finding::Match(found) => matched(rule, policy, (found, &excepted), facts, hidden, today)
            .unless_hidden(rule, hidden)
            .unless_undecided(rule, policy, excepted.undecided.as_ref()),
    };
    // Who is covered of a mail that is judged as a whole does not matter until all are.
    let allowed_by = if excepted.whole || may_be_split(policy) { excepted.by } else { Vec::new() };
    Judged { policy, mode: mode(policy, finding), outcome, allowed_by, undecided: excepted.undecided }
}

/// Whether the finding has its effect: the rule's mode, unless the finding is for the log alone.
fn mode(policy: &RulePolicy, finding: &Finding) -> Mode {
    match finding {
        Finding::Match(found) if found.evidence.is_log_only() && policy.mode == Mode::Enforce => {
            Mode::Observe
        }
        Finding::Match(_) | Finding::Unknown(_) => policy.mode,
    }
}

/// What follows from one finding.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) steps: Vec<Step>,
}

impl Outcome {
    fn new(verdict: Verdict, steps: Vec<Step>) -> Self {
        Self { verdict, steps }
    }

    /// Where nobody knows whether an exception allows the mail, the config says what follows, as of any other check that
    /// could not be completed; never more than without the exception, and where it says `accept`, the same.
    fn unless_undecided(self, rule: &str, policy: &RulePolicy, undecided: Option<&Undecided>) -> Self {
        let marks = |step: &Step| matches!(step, Step::Mark(_));
        let (Some(undecided), true) = (undecided, self.steps.iter().any(Step::keeps_back)) else {
            return self;
        };
        let mut otherwise = unknown(rule, policy, undecided.cause);
        match policy.on_unknown {
            OnUnknown::Accept => self,
            OnUnknown::Hold if self.verdict == Verdict::Hold => self,
            OnUnknown::Hold => {
                otherwise.steps.extend(self.steps.into_iter().filter(marks));
                otherwise
            }
            OnUnknown::Tempfail => otherwise,
        }
    }

    /// A bounce goes to the envelope sender and names the recipients: where one of them is the target of somebody else's
    /// forward, the mail waits instead, whichever rule refuses it.
    fn unless_hidden(mut self, rule: &str, hidden: &HashSet<usize>) -> Self {
        if hidden.is_empty() || !self.steps.iter().any(|step| matches!(step, Step::Reject(_))) {
            return self;
        }
        self.steps.retain(|step| !matches!(step, Step::Reject(_)));
        self.steps.push(Step::Hold(rule.to_owned()));
        self.verdict = Verdict::Hold;
        self
    }
}

/// Whether what a rule could not tell may keep such a mail back.
fn may_stop(policy: &RulePolicy, facts: &Facts) -> bool {
    match &policy.actions {
        Actions::Sensitive(sensitive) => sensitive.may_stop(facts),
        Actions::Forward(_)
        | Actions::Content(_)
        | Actions::Virus(_)
        | Actions::Sender(_)
        | Actions::Attachment(_)
        | Actions::Mark(_)
        | Actions::Receipt(_) => true,
    }
}

/// Whether something may follow for some recipients, and nothing for others.
fn may_be_split(policy: &RulePolicy) -> bool {
    matches!(policy.actions, Actions::Forward(_))
}

/// Whether the rule can do no more than mark.
fn only_marks(policy: &RulePolicy) -> bool {
    match &policy.actions {
        Actions::Mark(_) => true,
        Actions::Attachment(attachment) => {
            attachment.action == SenderAction::Mark && policy.on_unknown == OnUnknown::Accept
        }
        Actions::Forward(_)
        | Actions::Content(_)
        | Actions::Sensitive(_)
        | Actions::Virus(_)
        | Actions::Sender(_)
        | Actions::Receipt(_) => false,
    }
}

pub(super) fn unknown(rule: &str, policy: &RulePolicy, cause: Cause) -> Outcome {
    if let Actions::Mark(marks) = &policy.actions {
        // A rule that can only mark cannot stop a mail whose check was not completed either.
        let steps = match marks.label {
            Label::Spam => vec![Step::Mark(Mark::NotScanned(cause))],
            Label::Suspicious => Vec::new(),
        };
        return Outcome::new(Verdict::Accept, steps);
    }
    match policy.on_unknown {
        OnUnknown::Accept => Outcome::default(),
        OnUnknown::Hold => Outcome::new(Verdict::Hold, vec![Step::Hold(format!("{rule}: unknown"))]),
        OnUnknown::Tempfail => Outcome::new(Verdict::Defer, vec![Step::Defer]),
    }
}

fn matched(
    rule: &str,
    policy: &RulePolicy,
    (found, excepted): (&Match, &Excepted),
    facts: &Facts,
    hidden: &HashSet<usize>,
    today: Date,
) -> Outcome {
    match &policy.actions {
        Actions::Content(policy) => {
            let (verdict, steps) = content::decide(rule, policy, found, facts, hidden, today);
            Outcome::new(verdict, steps)
        }
        Actions::Sender(policy) => sender(rule, *policy, found, facts, today),
        Actions::Sensitive(policy) => {
            let (verdict, steps) = sensitive::decide(rule, policy, found, facts, hidden, today);
            Outcome::new(verdict, steps)
        }
        Actions::Virus(action) => virus(rule, *action, found, facts),
        Actions::Attachment(policy) => attachment(rule, policy, found, facts, hidden, today),
        Actions::Mark(policy) => {
            let marks = marks(rule, policy, found, facts);
            let verdict = if marks.is_empty() { Verdict::Accept } else { Verdict::Mark };
            Outcome::new(verdict, marks.into_iter().map(Step::Mark).collect())
        }
        // Receipts follow from the decision on the mail, and change nothing about it: see `policy::receipts`.
        Actions::Receipt(_) => Outcome::default(),
        Actions::Forward(forward) => {
            let told = |at: &usize| exceptions::ended(policy, &found.mailboxes, *at, facts, today);
            let ended = |targets: &[usize]| targets.iter().filter_map(told).collect::<Vec<_>>();
            forwarded(rule, forward, (found, &excepted.left), facts, today, &ended)
        }
    }
}

/// What follows from an automatic forward. What is only likely is recorded, and nobody is stopped for it unless the
/// config says so; what is a mere sign never has an effect.
fn forwarded<'a>(
    rule: &str,
    policy: &ForwardPolicy,
    (found, stopped): (&Match, &[usize]),
    facts: &Facts,
    today: Date,
    ended: &dyn Fn(&[usize]) -> Vec<&'a Exception>,
) -> Outcome {
    if found.grade < Confidence::Strong {
        return Outcome::default();
    }
    let mut outcome = Outcome::default();
    let mut told = Vec::new();
    let groups = by_response(stopped, policy, facts);
    // A certain one is stopped, whatever is said of those that are only likely.
    let strength = |response: Response| match found.grade {
        Confidence::Certain => OnLikely::Stop,
        Confidence::Strong | Confidence::Medium | Confidence::Weak => response.strong,
    };
    let stops = |group: &&(Response, Vec<usize>)| strength(group.0) == OnLikely::Stop;
    let leaving: usize = groups.iter().filter(stops).map(|(_, targets)| targets.len()).sum();
    let others_remain = leaving < facts.recipients.len();
    for (response, targets) in &groups {
        let strength = strength(*response);
        if strength == OnLikely::Record {
            continue;
        }
        outcome.steps.push(Step::Mark(Mark::AutoForward(forward_mark(found))));
        let verdict = if strength == OnLikely::Mark {
            Verdict::Mark
        } else {
            let stop = Stop { rule, found, targets, others_remain, facts };
            let reroute_to = policy.reroute_to.as_ref();
            let way = stop.by(response.action, reroute_to, &mut outcome.steps);
            if policy.notify == Notify::Owner {
                told.extend(notices::stopped(found, targets, way, reroute_to, facts, today));
            }
            let first = targets.get(..limits::FORWARD_NOTICES).unwrap_or(targets);
            told.extend(ended(first).into_iter().filter_map(|exception| notices::ended(exception, facts)));
            match way {
                ForwardOutcome::Held => Verdict::Hold,
                ForwardOutcome::Rerouted | ForwardOutcome::Removed => Verdict::Mark,
                ForwardOutcome::Refused => Verdict::Reject,
            }
        };
        outcome.verdict = outcome.verdict.max(verdict);
    }
    // Of a mail that is refused its sender is told by the bounce.
    if outcome.verdict < Verdict::Reject {
        outcome.steps.extend(told);
    }
    outcome
}

/// The targets, by what follows for them: private mail may be treated otherwise than other organisations.
fn by_response(targets: &[usize], policy: &ForwardPolicy, facts: &Facts) -> Vec<(Response, Vec<usize>)> {
    let mut groups: Vec<(Response, Vec<usize>)> = Vec::new();
    for at in targets {
        let Some(target) = facts.recipients.get(*at) else { continue };
        let response = policy.response(&target.address);
        match groups.iter_mut().find(|(known, _)| *known == response) {
            Some((_, targets)) => targets.push(*at),
            None => groups.push((response, vec![*at])),
        }
    }
    groups
}

/// What follows from a virus; a suspicion is only logged.
fn virus(rule: &str, action: VirusAction, found: &Match, facts: &Facts) -> Outcome {
    match action {
        _ if found.grade == Confidence::Weak => Outcome::default(),
        VirusAction::Reject if facts.sender.address().is_some() => {
            Outcome::new(Verdict::Reject, vec![Step::Reject(Refusal::Virus)])
        }
        VirusAction::Hold | VirusAction::Reject => {
            let mark = Step::Mark(Mark::Suspicious(rule.to_owned()));
            Outcome::new(Verdict::Hold, vec![mark, Step::Hold(rule.to_owned())])
        }
    }
}

/// What follows from a suspicious attachment.
fn attachment(
    rule: &str,
    policy: &AttachmentPolicy,
    found: &Match,
    facts: &Facts,
    hidden: &HashSet<usize>,
    today: Date,
) -> Outcome {
    let mut steps: Vec<Step> = marks(rule, &policy.mark, found, facts).into_iter().map(Step::Mark).collect();
    let (verdict, action) = match policy.action {
        SenderAction::Mark => (Verdict::Mark, "marked"),
        SenderAction::Hold => {
            steps.push(Step::Hold(format!("{rule}: {}", found.evidence)));
            (Verdict::Hold, "held")
        }
    };
    let tale = Tale { rule, action, verdict, words: Some(texts::ATTACHMENT) };
    steps.extend(told::steps(&policy.notify, tale, found, facts, hidden, today));
    Outcome::new(verdict, steps)
}

/// What follows from a mail whose sender is told of it.
fn sender(rule: &str, policy: SenderPolicy, found: &Match, facts: &Facts, today: Date) -> Outcome {
    let mut steps = vec![Step::Mark(Mark::Suspicious(rule.to_owned()))];
    let (verdict, word) = match policy.action {
        SenderAction::Mark => (Verdict::Mark, "marked"),
        SenderAction::Hold => {
            steps.push(Step::Hold(rule.to_owned()));
            (Verdict::Hold, "held")
        }
    };
    if let (TellSender::Sender, Some(to)) = (policy.notify, found.mailboxes.first()) {
        let subject = facts.header.subject.clone().unwrap_or_default();
        steps.push(Step::Notify(Notice {
            occasion: policy.occasion,
            to: to.clone(),
            once: told_once(policy, to, facts, today),
            fields: vec![("subject", subject), ("action", word.to_owned())],
            answerable: false,
        }));
    }
    Outcome::new(verdict, steps)
}

/// What its sender is told of once: a habit once a day, and each mail that waits although its sender takes it for sent. A
/// burst is one thing, however many of its mails wait.
fn told_once(policy: SenderPolicy, to: &Address, facts: &Facts, today: Date) -> String {
    let waits = match policy.occasion {
        Occasion::LargeAttachment => policy.action == SenderAction::Hold,
        Occasion::MassMailing
        | Occasion::Receipt
        | Occasion::ForwardStopped
        | Occasion::ExceptionEnded
        | Occasion::SensitiveStopped
        | Occasion::SensitiveOverride
        | Occasion::SensitiveMarked
        | Occasion::SensitiveFound
        | Occasion::RuleFound
        | Occasion::MailReturned
        | Occasion::HeldMail
        | Occasion::TreeHead => false,
    };
    match (&facts.header.message_id, waits) {
        (_, false) => format!("{}/{today}", to.key()),
        (Some(id), true) => format!("{}/{id}", to.key()),
        (None, true) => format!("{}/{}", to.key(), facts.arrived),
    }
}

/// The marks of a mail, which are all that can follow here; a mere sign leaves none.
fn marks(rule: &str, policy: &MarkPolicy, found: &Match, facts: &Facts) -> Vec<Mark> {
    if found.grade == Confidence::Weak {
        return Vec::new();
    }
    let label = match policy.label {
        Label::Spam => Mark::Spam,
        Label::Suspicious => Mark::Suspicious(rule.to_owned()),
    };
    let tag = policy.tag_for(facts);
    std::iter::once(label).chain(tag.map(|tag| Mark::SubjectTag(tag.to_owned()))).collect()
}

/// A forward that is stopped.
struct Stop<'a> {
    rule: &'a str,
    found: &'a Match,
    targets: &'a [usize],
    others_remain: bool,
    facts: &'a Facts,
}

impl Stop<'_> {
    /// Adds what is done. Where others remain they get the mail, and only the targets go. Whose envelope sender it is
    /// decides whether a refusal is right: a bounce goes to the envelope sender and names the recipient, and nobody
    /// but the forwarder himself may learn that.
    fn by(
        &self,
        action: ForwardAction,
        reroute_to: Option<&Address>,
        steps: &mut Vec<Step>,
    ) -> ForwardOutcome {
        let outsider = self.facts.sender.address().is_some_and(|sender| !self.facts.owns(sender));
        let refuses = action == ForwardAction::Reject;
        match (action, reroute_to) {
            (ForwardAction::Reroute, Some(to)) => self.reroute(to, steps),
            // What an outsider's mail loses here it gets there.
            (ForwardAction::Reject, Some(to)) if outsider => self.reroute(to, steps),
            (_, _) if self.others_remain => {
                steps.extend(self.removals());
                ForwardOutcome::Removed
            }
            (_, _) if refuses && notices::sent_by_forwarder(self.found, self.facts) => {
                steps.push(Step::Reject(Refusal::Forward));
                ForwardOutcome::Refused
            }
            // The mail that a colleague wrote themselves is not shown to third parties.
            (ForwardAction::Reject, Some(_)) if !outsider && self.facts.sender_inside() => self.hold(steps),
            (ForwardAction::RemoveRecipient | ForwardAction::Reject, Some(to)) => self.reroute(to, steps),
            (
                ForwardAction::Hold
                | ForwardAction::Reroute
                | ForwardAction::RemoveRecipient
                | ForwardAction::Reject,
                _,
            ) => self.hold(steps),
        }
    }

    fn hold(&self, steps: &mut Vec<Step>) -> ForwardOutcome {
        steps.push(Step::Hold(format!("{}: {}", self.rule, forward_mark(self.found))));
        ForwardOutcome::Held
    }

    fn removals(&self) -> impl Iterator<Item = Step> {
        self.targets.iter().copied().map(Step::RemoveRecipient)
    }

    fn reroute(&self, to: &Address, steps: &mut Vec<Step>) -> ForwardOutcome {
        steps.extend(self.removals());
        if self.facts.recipients.iter().all(|recipient| recipient.address != *to) {
            steps.push(Step::AddRecipient(to.clone()));
        }
        ForwardOutcome::Rerouted
    }
}

fn forward_mark(found: &Match) -> String {
    let mailbox = found.mailboxes.first().map(|mailbox| format!("; mailbox={mailbox}")).unwrap_or_default();
    format!("{}; evidence={}{mailbox}", found.grade.as_str(), found.evidence)
}

#[cfg(test)]
mod tests;
