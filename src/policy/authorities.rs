//! Authorities: whose settings a mail is judged by.
//!
//! A mail from inside is that of each mailbox it may be from; a mail from outside, and one that a host inside brings for
//! an author outside, is that of each mailbox it came for; a forward is that of the mailbox it leaves. Where several
//! authorities share a mail, it is judged by the settings of each, and the strictest decision holds for the whole mail,
//! with its texts and tags: a mail is held, marked or refused once, not once for each recipient. Strictness is the verdict,
//! then how many recipients do not get the mail. Of decisions that are equally strict, the organisation's own holds, then
//! the one that the config has first.

#![deny(clippy::disallowed_methods)]

use std::collections::BTreeSet;

use super::{Actions, Mode, RulePolicy, Step};
use crate::address::Address;
use crate::facts::{Facts, Recipient};
use crate::rules::Finding;
use crate::verdict::Verdict;

/// The policies that the finding is judged by, the organisation's own first, then in the order of the config.
pub(super) fn policies<'p>(policy: &'p RulePolicy, finding: &Finding, facts: &Facts) -> Vec<&'p RulePolicy> {
    if policy.authorities.is_empty() {
        return vec![policy];
    }
    let mut all: Vec<&RulePolicy> = Vec::new();
    for number in concerned(policy, finding, facts) {
        let of = policy.authorities.iter().find(|(of, _)| Some(*of) == number).map_or(policy, |(_, own)| own);
        if !all.iter().any(|known| std::ptr::eq(*known, of)) {
            all.push(of);
        }
    }
    all
}

/// Whose mail it is; `None` stands for the organisation itself, and comes first.
fn concerned(policy: &RulePolicy, finding: &Finding, facts: &Facts) -> BTreeSet<Option<usize>> {
    let (mailboxes, recipients) = match finding {
        Finding::Match(found) => (&*found.mailboxes, &*found.recipients),
        Finding::Unknown(_) => (&[][..], &[][..]),
    };
    let of = |mailbox: &Address| facts.organisation.authority_of(mailbox);
    let mut all: BTreeSet<Option<usize>> = mailboxes.iter().map(of).collect();
    if all.is_empty() && facts.from_inside {
        all = authors(facts);
        // Which mailbox a forward leaves, a check that could not be completed does not say; the traces may.
        if matches!((finding, &policy.actions), (Finding::Unknown(_), Actions::Forward(_))) {
            let named = facts.traces.iter().filter_map(|trace| trace.mailbox.as_ref());
            all.extend(named.filter(|mailbox| facts.owns(mailbox)).map(of));
        }
    }
    // What a host inside brings for somebody outside, such as a form of the website, is as mail from outside.
    if all.is_empty() {
        let meant = |(at, recipient): &(usize, &Recipient)| {
            recipient.inside && (recipients.is_empty() || recipients.contains(at))
        };
        let inside = facts.recipients.iter().enumerate().filter(meant);
        all = inside.map(|(_, recipient)| of(&recipient.address)).collect();
    }
    if all.is_empty() {
        all.insert(None);
    }
    all
}

/// Whose the mailboxes are that a mail from inside may be from: its envelope sender, each author and who has logged in. A
/// sender who writes a colleague's name into one of them is judged by their own settings all the same. A login that is no
/// address may be that of no mailbox, so it counts only where an authority has a mailbox of that name.
fn authors(facts: &Facts) -> BTreeSet<Option<usize>> {
    let of = |mailbox: &Address| facts.organisation.authority_of(mailbox);
    let named = facts.sender.address().into_iter().chain(&facts.header.from);
    let mut all: BTreeSet<Option<usize>> = named.filter(|author| facts.owns(author)).map(of).collect();
    let user = facts.client.auth_user.as_deref().and_then(Address::parse).filter(|user| facts.owns(user));
    if let Some(user) = user {
        let owner = of(&user);
        all.extend((owner.is_some() || user.domain_name().is_some()).then_some(owner));
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
