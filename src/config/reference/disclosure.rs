//! The keys about who may read the log, and what is masked in what leaves it.

#![deny(clippy::disallowed_methods)]

use crate::limits;
use crate::settings::{Fallback, Key};

/// `[store.access]`.
pub(super) const ACCESS: &[Key] = &[
    Key {
        name: "purposes",
        kind: "list of texts",
        default: Fallback::Texts(&[]),
        example: "[\"felsökning\", \"incident\", \"test\"]",
        meaning: "Words with which the text of `--purpose` has to begin when the log is read for operation. Default: any text of at least four letters.",
        why: "A list keeps the purposes comparable, for the follow-up and for the people whose mail was looked at.",
        keys: &[],
    },
    Key {
        name: "function_mailboxes",
        kind: "list of mailboxes and group:NAME",
        default: Fallback::Texts(&[]),
        example: "[\"info@exempelby.se\"]",
        meaning: "Addresses inside that belong to no single person; a group must have them in the config or in a file. They are shown and may be searched for without a decision. The mailboxes of `[rules.receipt]` are among them anyway.",
        why: "Only you know which addresses belong to a person.",
        keys: &[],
    },
    Key {
        name: "operation_days",
        kind: "number",
        default: Fallback::Number(limits::OPERATION_DAYS),
        example: "31",
        meaning: "Days that one search for operation may cover, that is a search with `--purpose` alone. A search without a period covers the newest ones of the log.",
        why: "A fault with a counterpart is often months old. A shorter period shows less of what people do; `operation_rows` bounds it in any case.",
        keys: &[],
    },
    Key {
        name: "operation_rows",
        kind: "number",
        default: Fallback::Number(limits::OPERATION_ROWS),
        example: "200",
        meaning: "Rows that one search for operation may show.",
        why: "Whoever looks for a fault looks at few mails.",
        keys: &[],
    },
    Key {
        name: "four_eyes",
        kind: "true, false",
        default: Fallback::Flag(false),
        example: "true",
        meaning: "Whether a decision permits access only after a second person has approved it: `postvakt log decision approve REF`.",
        why: "A small organisation may have one registrar. Set it where two people are at hand.",
        keys: &[],
    },
];

/// `[disclosure]`.
pub(super) const DISCLOSURE: &[Key] = &[
    Key {
        name: "words",
        kind: "list of texts",
        default: Fallback::Texts(&[]),
        example: "[\"skyddad identitet\"]",
        meaning: "Words to mask wherever they occur in a record, in upper or lower case and also inside other words.",
        why: "Only you know which cases must not be disclosed. The export lists what was masked, for review.",
        keys: &[],
    },
    Key {
        name: "mailboxes",
        kind: "list of addresses, @domains, or groups",
        default: Fallback::Texts(&[]),
        example: "[\"visselblasare@exempelby.se\"]",
        meaning: "Protected mailboxes. In each record in which one of them is sender, recipient or author, every column \
                          that can identify a person is masked.",
        why: "Who wrote to a whistleblower function is the secret, not what about.",
        keys: &[],
    },
    Key {
        name: "mailbox_rows",
        kind: "`mask` or `leave-out`",
        default: Fallback::Text("mask"),
        example: "\"leave-out\"",
        meaning: "`leave-out`: records of the protected mailboxes are not exported, and the review list names each.",
        why: "Also the time of a mail can tell who wrote it.",
        keys: &[],
    },
];
