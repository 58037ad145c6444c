//! What only looks like a forward: answers, posts of the organisation's own lists, its own mail that came back.
//!
//! None of this silences a trace that names a mailbox inside, unless the mailbox wrote the mail itself, as an answer; nor
//! a message that is remembered, unless it was the organisation's own.

#![deny(clippy::disallowed_methods)]

use crate::address::{Address, Domain};
use crate::facts::forwarding::Mechanism;
use crate::facts::identity::By;
use crate::facts::{Facts, Header, Seen};

use super::known;

/// Whether the mail is what a mailbox itself wrote to whom it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Yes: it goes to the author of a remembered message, or it has the form of an automatic reply (RFC 3834 §3.3): the
    /// null sender, and the mailbox in From.
    Yes,
    /// It says so, and its envelope sender could as well be a forward's.
    Likely,
    /// No.
    No,
}

/// Whether the mail is an answer of this mailbox, or of any inside.
pub(super) fn answer(facts: &Facts, mailbox: Option<&Address>) -> Answer {
    let header = &facts.header;
    let own = |address: &Address| match mailbox {
        Some(mailbox) => facts.is_same_mailbox(address, mailbox),
        None => facts.owns(address),
    };
    let copy = known(&facts.seen).is_some_and(|seen| !is_ours(seen, facts));
    if copy || !header.from.iter().all(own) {
        return Answer::No;
    }
    if let Some(answered) = known(&facts.answered) {
        let to_author = goes_to_author(facts, answered);
        let sent_here = facts.sender.address().is_none_or(|sender| facts.owns(sender));
        return if to_author && sent_here && !header.from.is_empty() { Answer::Yes } else { Answer::No };
    }
    match facts.sender.address() {
        _ if header.forwards() => Answer::No,
        None => Answer::Yes,
        Some(sender) => {
            let replies = header.is_automatic_reply() && !header.references.is_empty();
            // RFC 5435 §2.7: a filter tells somebody that mail has come, and not what it says.
            let says_so = replies || says(header, "auto-notified");
            if own(sender) && says_so { Answer::Likely } else { Answer::No }
        }
    }
}

/// Whether everybody outside who gets it wrote that message.
pub(super) fn goes_to_author(facts: &Facts, message: &Seen) -> bool {
    let mut external = facts.recipients.iter().filter(|recipient| !recipient.inside);
    external.all(|recipient| message.authors.contains(&recipient.address))
}

/// Mail of our own that looks for another reason as if it had been here before.
pub(super) fn by_other_means(facts: &Facts) -> bool {
    let header = &facts.header;
    let own_report =
        header.report && facts.sender.address().is_none() && header.from.iter().all(|a| facts.owns(a));
    let sent_by =
        |address: &Address| facts.forwarder().is_some_and(|own| facts.is_same_mailbox(&own, address));
    let by_person = header.first("X-MS-Exchange-MeetingForward-Message").is_some()
        && header.sender.as_ref().is_some_and(sent_by);
    let journal = header.first("X-MS-Journal-Report").is_some() && known(&facts.seen).is_none();
    own_report || is_list_post(facts) || by_person || journal
}

/// A post that a list inside hands out to its members: it says so, and its bounces come back to the list. What a member
/// sends on says so too, and has the member's envelope sender.
pub(super) fn is_list_post(facts: &Facts) -> bool {
    let Some(sender) = facts.sender.address().filter(|sender| facts.owns(sender)) else { return false };
    let name = base(sender);
    let list =
        facts.header.list_id.as_deref().filter(|_| facts.own_list()).and_then(|id| id.split('.').next());
    let of_list = list.is_some_and(|list| {
        is_list_program(&name)
            || name
                .strip_prefix(list)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_', '.']))
            || name.strip_suffix(list).is_some_and(|rest| rest.ends_with('-'))
    });
    let says = || facts.header.all("Precedence").any(|value| value.eq_ignore_ascii_case("list"));
    let came_for_list =
        || known(&facts.seen).is_some_and(|seen| seen.mailboxes.iter().any(|to| is_list_of(&name, to)));
    of_list || (is_list_program(&name) && says()) || came_for_list()
}

/// Whether the envelope sender is that of a list whose address this is: what was redirected to a list's address is the
/// list's business.
pub(super) fn is_list_address(facts: &Facts, mailbox: &Address) -> bool {
    facts
        .sender
        .address()
        .filter(|sender| facts.owns(sender))
        .is_some_and(|sender| is_list_of(&base(sender), mailbox))
}

fn is_list_of(sender: &str, list: &Address) -> bool {
    let list = base(list);
    let behind = |rest: &str| LIST_PROGRAMS.iter().any(|program| rest.strip_prefix('-') == Some(program));
    sender.strip_prefix(&list).is_some_and(behind) || sender.strip_prefix("owner-") == Some(&*list)
}

/// What the envelope senders of list programs end with.
const LIST_PROGRAMS: [&str; 5] = ["bounces", "bounce", "owner", "request", "admin"];

fn is_list_program(name: &str) -> bool {
    name.starts_with("owner-")
        || LIST_PROGRAMS.iter().any(|program| {
            name.strip_suffix(program).is_some_and(|list| list.is_empty() || list.ends_with('-'))
        })
}

/// The local part without what tells one recipient from another.
fn base(address: &Address) -> String {
    address.mailbox_name().split('=').next().unwrap_or_default().to_lowercase()
}

/// Whether a remembered message was ours before it came from outside, as a newsletter that one of its readers sends back:
/// its author is inside and was it then, or it is known by a Message-ID that a host of ours gave, and whoever sends it now is not
/// one of those that it came for.
pub(super) fn is_ours(seen: &Seen, facts: &Facts) -> bool {
    let from = &facts.header.from;
    let came_in = facts.traces.iter().any(|trace| trace.mechanism == Mechanism::InThenOut);
    if came_in || from.is_empty() || !from.iter().all(|author| facts.owns(author)) {
        return false;
    }
    let wrote = |author: &Address| seen.authors.iter().any(|own| facts.is_same_mailbox(own, author));
    let sent_here = match facts.sender.address() {
        None => true,
        Some(sender) => {
            let author = from.iter().any(|author| facts.is_same_mailbox(author, sender));
            facts.owns(sender) && (author || !seen.came_for(sender, &facts.organisation))
        }
    };
    let own_id = || seen.by == By::MessageId && has_own_message_id(facts);
    sent_here && (from.iter().any(wrote) || own_id())
}

/// Whether a host of ours gave it its Message-ID.
fn has_own_message_id(facts: &Facts) -> bool {
    let id = facts.header.message_id.as_deref().and_then(|id| id.trim_end_matches('>').rsplit_once('@'));
    id.is_some_and(|(_, host)| facts.organisation.owns_host(&Domain::new(host)))
}

/// Whether Auto-Submitted is this keyword.
pub(super) fn says(header: &Header, keyword: &str) -> bool {
    header.all("Auto-Submitted").any(|value| value.trim_start().to_ascii_lowercase().starts_with(keyword))
}
