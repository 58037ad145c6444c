//! What not to answer, by what the header section says: mail that programs write.

#![deny(clippy::disallowed_methods)]

use crate::facts::{Facts, Header};
use crate::letter;
use crate::mime::words;

use super::{Silence, Suppress};

/// Why the mail is not answered.
pub(super) fn silence(facts: &Facts, heed: &[Suppress]) -> Option<Silence> {
    let header = &facts.header;
    let reasons = [
        (header.auto_submitted, Silence::AutoSubmitted),
        (suppressed(header, heed), Silence::ResponseSuppress),
        (header.has_loop_field(), Silence::Loop),
        (header.is_of_a_list(), Silence::List),
        (header.is_bulk(), Silence::Precedence),
        (header.is_of_a_machine(), Silence::Machine),
        (header.is_a_report(), Silence::Report),
        (header.has_automatic_subject(), Silence::AutomaticSubject),
        (answers_a_receipt(facts), Silence::ReplyToReceipt),
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
        .flat_map(|value| letter::name::receipt_domains(&words::decode(value)))
        .any(|domain| facts.organisation.owns_domain(&domain))
}
