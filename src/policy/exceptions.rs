//! Exceptions: for whom a rule does not hold. What is asked of an exception is all that its table names, and it speaks only
//! where all of that is known to be so: a value that anybody can forge counts only when it is confirmed
//! ([`Facts::confirmed_sender`]).
//!
//! A finding is about recipients. It has no effect when each of them is covered, by one exception or by several.

#![deny(clippy::disallowed_methods)]

use std::fmt;

use ipnet::IpNet;
use jiff::civil::Date;

use super::{Actions, Place, RulePolicy};
use crate::address::Address;
use crate::facts::{Cause, Facts};
use crate::groups::{AddressList, Party};
use crate::limits;
use crate::rules::Finding;

/// Something allowed, perhaps by a decision and until a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exception {
    /// For which mail.
    pub scope: Scope,
    /// The reference of the decision.
    pub decision: Option<String>,
    /// Who took it.
    pub approved_by: Option<String>,
    /// The last day on which it holds, in the organisation's time zone.
    pub until: Option<Date>,
    /// Where in the config it stands.
    pub place: Place,
    /// Whether mail from outside has to be authenticated, so that its sender or author is known.
    pub authenticates: bool,
}

/// For which mail an exception is: everything that is named has to be so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Mailboxes inside. Of a forward: whose it is. Of other mail: who sends it, or receives it.
    pub mailbox: Option<AddressList>,
    /// Envelope senders.
    pub sender: Option<AddressList>,
    /// Authors in From.
    pub author: Option<AddressList>,
    /// Envelope recipients; of a forward, its targets.
    pub recipient: Option<AddressList>,
    /// Hosts that hand in the mail.
    pub client: Option<Vec<IpNet>>,
}

/// As the config writes it, on one line.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |list: &Option<AddressList>| list.as_ref().map(ToString::to_string);
        let client = self
            .client
            .as_ref()
            .map(|networks| networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        let parts = [
            ("mailbox", list(&self.mailbox)),
            ("sender", list(&self.sender)),
            ("author", list(&self.author)),
            ("recipient", list(&self.recipient)),
            ("client", client),
        ];
        let named = parts.iter().filter_map(|(key, value)| Some(format!("{key} {}", value.as_ref()?)));
        f.write_str(&named.collect::<Vec<_>>().join("; "))
    }
}

impl Exception {
    /// Whether it holds no longer.
    pub fn has_ended(&self, today: Date) -> bool {
        self.until.is_some_and(|until| until < today)
    }

    /// Whether it holds on this day, and not for long any more.
    pub fn ends_soon(&self, today: Date) -> bool {
        let notice = today.saturating_add(jiff::Span::new().days(limits::EXCEPTION_NOTICE_DAYS));
        self.until.is_some_and(|until| (today..=notice).contains(&until))
    }
}

/// An exception that allowed something, for the log and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Where it stands.
    pub place: Place,
    /// The reference of the decision behind it.
    pub decision: Option<String>,
}

impl Allowance {
    fn by(exception: &Exception) -> Self {
        Self { place: exception.place.clone(), decision: exception.decision.clone() }
    }
}

/// `KS 2026/123 (postvakt.toml:23)`.
impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.decision {
            Some(decision) => write!(f, "{decision} ({})", self.place),
            None => write!(f, "exception at {}", self.place),
        }
    }
}

/// An exception of which nobody knows whether it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// Where it stands.
    pub place: Place,
    /// Why nobody knows.
    pub cause: Cause,
}

/// What the exceptions leave of a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Excepted {
    /// The recipients that none covers.
    pub(super) left: Vec<usize>,
    /// Whether nothing is left of the finding.
    pub(super) whole: bool,
    /// Those that spoke.
    pub(super) by: Vec<Allowance>,
    /// One that might have spoken, for what is left.
    pub(super) undecided: Option<Undecided>,
}

/// What the rule's exceptions leave of a finding.
pub(super) fn of_finding(policy: &RulePolicy, finding: &Finding, facts: &Facts, today: Date) -> Excepted {
    let (mailboxes, recipients) = match finding {
        Finding::Match(found) => (&*found.mailboxes, &*found.recipients),
        Finding::Unknown(_) => (&[][..], &[][..]),
    };
    let all: Vec<usize>;
    let targets = if recipients.is_empty() && !is_forward(policy) {
        all = (0..facts.recipients.len()).collect();
        &all
    } else {
        recipients
    };
    of_recipients(policy, mailboxes, targets, facts, today)
}

/// What they leave of what was found for these recipients of these mailboxes.
pub(super) fn of_recipients(
    policy: &RulePolicy,
    mailboxes: &[Address],
    targets: &[usize],
    facts: &Facts,
    today: Date,
) -> Excepted {
    let mut excepted = Excepted { left: targets.to_vec(), ..Excepted::default() };
    let forward = is_forward(policy);
    let question = Question { mailboxes, forward, facts };
    for exception in policy.exceptions.iter().filter(|exception| !exception.has_ended(today)) {
        let before = question.of_mail(&exception.scope);
        if before == Ok(false) {
            continue;
        }
        let mut spoke = false;
        let mut unknown = None;
        excepted.left.retain(|at| match both(before, question.of_recipient(&exception.scope, *at)) {
            Ok(covered) => {
                spoke |= covered;
                !covered
            }
            Err(cause) => {
                unknown = Some(cause);
                true
            }
        });
        // A mail without recipients is covered by what is about none.
        spoke |= targets.is_empty() && !forward && before == Ok(true) && exception.scope.recipient.is_none();
        if spoke {
            excepted.by.push(Allowance::by(exception));
        }
        if let (Some(cause), None) = (unknown, &excepted.undecided) {
            excepted.undecided = Some(Undecided { place: exception.place.clone(), cause });
        }
    }
    excepted.whole = !excepted.by.is_empty() && excepted.left.is_empty();
    if excepted.whole {
        excepted.undecided = None;
    }
    excepted
}

/// The first exception that has ended and would cover this recipient.
pub(super) fn ended<'a>(
    policy: &'a RulePolicy,
    mailboxes: &[Address],
    target: usize,
    facts: &Facts,
    today: Date,
) -> Option<&'a Exception> {
    let question = Question { mailboxes, forward: is_forward(policy), facts };
    let covers = |scope: &Scope| {
        question.of_mail(scope) == Ok(true) && question.of_recipient(scope, target) == Ok(true)
    };
    policy.exceptions.iter().find(|exception| exception.has_ended(today) && covers(&exception.scope))
}

fn is_forward(policy: &RulePolicy) -> bool {
    matches!(policy.actions, Actions::Forward(_))
}

/// Whether something is so, or why nobody knows.
type Answer = Result<bool, Cause>;

/// No, if either is known to be no.
fn both(one: Answer, other: Answer) -> Answer {
    match (one, other) {
        (Ok(false), _) | (_, Ok(false)) => Ok(false),
        (Err(cause), _) | (_, Err(cause)) => Err(cause),
        (Ok(true), Ok(true)) => Ok(true),
    }
}

/// Yes, if either is known to be yes.
fn either(one: Answer, other: impl FnOnce() -> Answer) -> Answer {
    match one {
        Ok(true) => Ok(true),
        Ok(false) => other(),
        Err(cause) => match other() {
            Ok(true) => Ok(true),
            Ok(false) | Err(_) => Err(cause),
        },
    }
}

/// A finding that exceptions are asked about.
struct Question<'a> {
    mailboxes: &'a [Address],
    forward: bool,
    facts: &'a Facts,
}

impl Question<'_> {
    /// Whether the mail as a whole is one of those.
    fn of_mail(&self, scope: &Scope) -> Answer {
        let client = scope.client.as_ref().map(|networks| {
            let address = self.facts.client.address.map(|address| address.to_canonical());
            Ok(address.is_some_and(|address| networks.iter().any(|network| network.contains(&address))))
        });
        let sender = scope.sender.as_ref().map(|list| self.is_confirmed(list, self.facts.confirmed_sender()));
        let author = scope.author.as_ref().map(|list| self.is_confirmed(list, self.facts.confirmed_author()));
        let forwarder = scope.mailbox.as_ref().filter(|_| self.forward).map(|list| self.is_forwarder(list));
        [client, forwarder, sender, author].into_iter().flatten().fold(Ok(true), both)
    }

    /// Whether any mailbox that the forward may be of is on the list.
    fn is_forwarder(&self, list: &AddressList) -> Answer {
        let mut answer = Ok(false);
        for mailbox in self.mailboxes {
            answer = either(answer, || self.is_listed(list, mailbox));
        }
        answer
    }

    /// Whether this recipient is one of those.
    fn of_recipient(&self, scope: &Scope, at: usize) -> Answer {
        let Some(recipient) = self.facts.recipients.get(at) else { return Ok(false) };
        // An address of ours with a route in it leads elsewhere.
        let routed = !recipient.inside && self.facts.owns(&recipient.address);
        let listed = |list: &AddressList| {
            if routed { Ok(false) } else { self.is_listed(list, &recipient.address) }
        };
        let of_list = scope.recipient.as_ref().map_or(Ok(true), listed);
        let of_mailbox = match scope.mailbox.as_ref().filter(|_| !self.forward) {
            None => Ok(true),
            Some(list) if recipient.inside => either(listed(list), || self.is_senders(list)),
            Some(list) => self.is_senders(list),
        };
        both(of_list, of_mailbox)
    }

    /// Whether a mailbox inside on the list sends the mail.
    fn is_senders(&self, list: &AddressList) -> Answer {
        let sender = self.facts.confirmed_sender();
        let inside = sender.map(|sender| sender.filter(|sender| self.facts.owns(sender)));
        if self.facts.from_inside { self.is_confirmed(list, inside) } else { Ok(false) }
    }

    fn is_confirmed(&self, list: &AddressList, address: Result<Option<&Address>, Cause>) -> Answer {
        match address? {
            Some(address) => self.is_listed(list, address),
            None => Ok(false),
        }
    }

    fn is_listed(&self, list: &AddressList, address: &Address) -> Answer {
        self.facts.is_listed(list, &Party::new(address, &self.facts.organisation))
    }
}

#[cfg(test)]
mod tests;
