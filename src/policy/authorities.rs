//! Authorities: whose settings a mail is judged by.
//!
//! A mail from inside is its sender's; a mail from outside is that of each mailbox it came for; a forward is that of the
//! mailbox it leaves. Where several authorities share a mail, it is judged by the settings of each, and the strictest
//! decision holds for the whole mail, with its texts and tags: a mail is held, marked or refused once, not once for each
//! recipient. Strictness is the verdict, then how many recipients do not get the mail. Of decisions that are equally strict,
//! the organisation's own holds, then the one that the config has first.

#![deny(clippy::disallowed_methods)]

use std::collections::BTreeSet;

use super::{Mode, RulePolicy, Step};
use crate::facts::{Facts, Recipient};
use crate::rules::Finding;
use crate::verdict::Verdict;

/// The policies that the finding is judged by, the organisation's own first, then in the order of the config.
pub(super) fn policies<'p>(policy: &'p RulePolicy, finding: &Finding, facts: &Facts) -> Vec<&'p RulePolicy> {
    if policy.authorities.is_empty() {
        return vec![policy];
    }
    let mut all: Vec<&RulePolicy> = Vec::new();
    for number in concerned(finding, facts) {
        let of = policy.authorities.iter().find(|(of, _)| Some(*of) == number).map_or(policy, |(_, own)| own);
        if !all.iter().any(|known| std::ptr::eq(*known, of)) {
            all.push(of);
        }
    }
    all
}

/// Whose mail it is; `None` stands for the organisation itself, and comes first.
fn concerned(finding: &Finding, facts: &Facts) -> BTreeSet<Option<usize>> {
    let organisation = &facts.organisation;
    let (mailboxes, recipients) = match finding {
        Finding::Match(found) => (&*found.mailboxes, &*found.recipients),
        Finding::Unknown(_) => (&[][..], &[][..]),
    };
    let mut all: BTreeSet<Option<usize>>;
    if !mailboxes.is_empty() {
        all = mailboxes.iter().map(|mailbox| organisation.authority_of(mailbox)).collect();
    } else if facts.from_inside {
        let authors = facts.sender.address().into_iter().chain(&facts.header.from);
        let own = authors.filter(|author| facts.owns(author)).take(1);
        all = own.map(|author| organisation.authority_of(author)).collect();
    } else {
        let meant = |(at, recipient): &(usize, &Recipient)| {
            recipient.inside && (recipients.is_empty() || recipients.contains(at))
        };
        let inside = facts.recipients.iter().enumerate().filter(meant);
        all = inside.map(|(_, recipient)| organisation.authority_of(&recipient.address)).collect();
    }
    if all.is_empty() {
        all.insert(None);
    }
    all
}

/// How strict a decision is: first whether it has an effect, then which verdict, then how many recipients the mail is kept
/// from, since a mail that some do not get is only marked.
pub(super) fn strictness(mode: Mode, verdict: Verdict, steps: &[Step]) -> (u8, Verdict, usize) {
    let effect = match mode {
        Mode::Off => 0,
        Mode::Observe => 1,
        Mode::Enforce => 2,
    };
    let kept_from = steps.iter().filter(|step| matches!(step, Step::RemoveRecipient(_))).count();
    (effect, verdict, kept_from)
}
