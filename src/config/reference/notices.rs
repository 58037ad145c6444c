//! The keys of the texts that people inside are sent.

#![deny(clippy::disallowed_methods)]

use crate::settings::{Fallback, Key};

/// The keys of `notices.templates`.
pub(super) const NOTICES: &[Key] = &[
    FORWARD_STOPPED,
    Key {
        name: "exception-ended",
        default: Fallback::Found(
            "the text that comes with the program, config/templates/exception-ended.txt",
        ),
        example: "\"templates/exception-ended.txt\"",
        meaning: "To whoever approved an exception for a forward, when something is stopped because it has ended.",
        ..FORWARD_STOPPED
    },
    Key {
        name: "large-attachment",
        default: Fallback::Found(
            "the text that comes with the program, config/templates/large-attachment.txt",
        ),
        example: "\"templates/large-attachment.txt\"",
        meaning: "To whoever sent a mail with large attachments.",
        ..FORWARD_STOPPED
    },
    Key {
        name: "mass-mailing",
        default: Fallback::Found("the text that comes with the program, config/templates/mass-mailing.txt"),
        example: "\"templates/mass-mailing.txt\"",
        meaning: "To whoever wrote to very many people inside.",
        ..FORWARD_STOPPED
    },
    Key {
        name: "sensitive-stopped",
        default: Fallback::Found(
            "the text that comes with the program, config/templates/sensitive-stopped.txt",
        ),
        example: "\"templates/sensitive-stopped.txt\"",
        meaning: "To the sender of a mail that was held because of sensitive data.",
        ..FORWARD_STOPPED
    },
    Key {
        name: "sensitive-found",
        default: Fallback::Found(
            "the text that comes with the program, config/templates/sensitive-found.txt",
        ),
        example: "\"templates/sensitive-found.txt\"",
        meaning: "To the mailbox in `copy_to`: a mail with sensitive data was held or refused.",
        ..FORWARD_STOPPED
    },
    Key {
        name: "tree-head",
        default: Fallback::Found("the text that comes with the program, config/templates/tree-head.txt"),
        example: "\"templates/tree-head.txt\"",
        meaning: "To the mailbox in [store.heads] `mail`, before the signed tree heads.",
        ..FORWARD_STOPPED
    },
];

const FORWARD_STOPPED: Key = Key {
    name: "forward-stopped",
    kind: "file",
    default: Fallback::Found("the text that comes with the program, config/templates/forward-stopped.txt"),
    example: "\"templates/forward-stopped.txt\"",
    meaning: "To the owner of a mailbox whose automatic forward was stopped.",
    why: "Most organisations can send it as it is.",
    keys: &[],
};
