//! Which exceptions would let through what a rule stops or would stop, the one that covers most mails first.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits;
use crate::record::FindingRow;
use crate::rules::auto_forward;

/// A mail that was or would be stopped, by whom an exception could name.
#[derive(Clone, Debug)]
pub(super) struct Stopped {
    sender: String,
    recipients: Vec<String>,
    mailbox: Option<String>,
}

impl Stopped {
    /// The recipients of the finding, or of the mail where it concerns all of them.
    pub(super) fn of(sender: &str, recipients: &[String], row: &FindingRow) -> Self {
        let concerned = if row.recipients.is_empty() { recipients } else { &row.recipients };
        Self {
            sender: sender.to_owned(),
            recipients: concerned.iter().take(limits::REPORT_TOP).cloned().collect(),
            mailbox: row.mailboxes.first().cloned(),
        }
    }

    /// The keys of an exception that would cover it alone.
    fn keys(&self, is_forward: bool) -> BTreeSet<(&'static str, &str)> {
        let sender = Some(("sender", &*self.sender)).filter(|(_, sender)| *sender != "<>");
        let mailbox = self.mailbox.as_deref().map(|mailbox| ("mailbox", mailbox));
        // An exception covers a mail only if it covers each recipient.
        let recipient = match &self.recipients[..] {
            [one] => Some((if is_forward { "to" } else { "recipient" }, &**one)),
            _ => None,
        };
        let of_forward = [mailbox, recipient];
        let of_others = [sender, recipient];
        let keys = if is_forward { of_forward } else { of_others };
        keys.into_iter().flatten().filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// An exception that would be needed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Needed {
    pub(super) key: &'static str,
    pub(super) value: String,
    /// How many mails it covers that those before it do not.
    pub(super) mails: u64,
}

/// A few exceptions, each for the most mails that are left. What is stopped once needs none.
pub(super) fn needed(rule: &str, stopped: &[Stopped]) -> Vec<Needed> {
    let is_forward = rule == auto_forward::SPEC.id;
    let mut left: Vec<&Stopped> = stopped.iter().collect();
    let mut needed = Vec::new();
    while needed.len() < limits::REPORT_TOP {
        let mut counts: BTreeMap<(&'static str, &str), u64> = BTreeMap::new();
        for mail in &left {
            for key in mail.keys(is_forward) {
                *counts.entry(key).or_default() += 1;
            }
        }
        let best = counts
            .into_iter()
            .filter(|(_, mails)| *mails > 1)
            .max_by_key(|(key, mails)| (*mails, std::cmp::Reverse(*key)));
        let Some(((key, value), mails)) = best else { break };
        left.retain(|mail| !mail.keys(is_forward).contains(&(key, value)));
        needed.push(Needed { key, value: value.to_owned(), mails });
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(sender: &str, recipients: &[&str]) -> Stopped {
        Stopped {
            sender: sender.to_owned(),
            recipients: recipients.iter().map(|one| (*one).to_owned()).collect(),
            mailbox: Some(sender.to_owned()),
        }
    }

    #[test]
    fn each_exception_covers_what_the_ones_before_leave() {
        let mails = [
            mail("a@exempelby.se", &["x@example.org"]),
            mail("a@exempelby.se", &["x@example.org"]),
            mail("a@exempelby.se", &["y@example.org"]),
            mail("b@exempelby.se", &["x@example.org"]),
            mail("b@exempelby.se", &["x@example.org", "y@example.org"]),
            mail("c@exempelby.se", &["z@example.org"]),
            mail("<>", &["w@example.org", "v@example.org"]),
        ];
        let found: Vec<(&str, String, u64)> =
            needed("sensitive-data", &mails).into_iter().map(|one| (one.key, one.value, one.mails)).collect();
        assert_eq!(found, [("recipient", "x@example.org".to_owned(), 3)],);
        let forwards: Vec<(&str, String)> =
            needed("auto-forward", &mails).into_iter().map(|one| (one.key, one.value)).collect();
        assert_eq!(forwards[0], ("mailbox", "a@exempelby.se".to_owned()));
    }
}
