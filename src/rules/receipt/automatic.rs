//! What not to answer, by what the header section says: mail that programs write.

#![deny(clippy::disallowed_methods)]

use crate::facts::{Facts, Header};
use crate::mime::words;
use crate::notice;

use super::{Suppress, Suppression};

/// Why the mail is not answered.
pub(super) fn suppression(facts: &Facts, heed: &[Suppress]) -> Option<Suppression> {
    let header = &facts.header;
    let reasons = [
        (header.auto_submitted, Suppression::AutoSubmitted),
        (suppressed(header, heed), Suppression::ResponseSuppress),
        (header.has_loop_field(), Suppression::Loop),
        (header.is_of_a_list(), Suppression::List),
        (header.is_bulk(), Suppression::Precedence),
        (header.is_of_a_machine(), Suppression::Machine),
        (header.is_a_report(), Suppression::Report),
        (header.has_automatic_subject(), Suppression::AutomaticSubject),
        (answers_a_receipt(facts), Suppression::ReplyToReceipt),
    ];
    reasons.into_iter().find_map(|(holds, reason)| holds.then_some(reason))
}

/// `None` is not among the words that can be heeded.
fn suppressed(header: &Header, heed: &[Suppress]) -> bool {
    header.suppress_words().any(|word| heed.iter().any(|heeded| word.eq_ignore_ascii_case(heeded.as_str())))
}

/// Our receipts are known by their Message-ID, which is at a domain of ours.
fn answers_a_receipt(facts: &Facts) -> bool {
    ["In-Reply-To", "References"]
        .iter()
        .flat_map(|name| facts.header.all(name))
        .flat_map(|value| notice::name::receipt_domains(&words::decode(value)))
        .any(|domain| facts.organisation.owns_domain(&domain))
}
