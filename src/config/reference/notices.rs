//! The keys of the notices' templates.

#![deny(clippy::disallowed_methods)]

use crate::settings::{Fallback, Key};

/// The keys of `notices.templates`.
pub(super) const NOTICES: &[Key] = &[
    FORWARD_STOPPED,
    Key {
        name: "exception-ended",
        default: Fallback::Found("the text that comes with Postvakt, config/templates/exception-ended.txt"),
        example: "\"templates/exception-ended.txt\"",
        meaning: "To the mailbox in `approved_by`: mail was stopped because an exception has ended.",
        ..FORWARD_STOPPED
    },
    Key {
        name: "large-attachment",
        default: Fallback::Found("the text that comes with Postvakt, config/templates/large-attachment.txt"),
        example: "\"templates/large-attachment.txt\"",
        meaning: "To the sender of a mail with large attachments.",
        ..FORWARD_STOPPED
    },
    Key {
        name: "mass-mailing",
        default: Fallback::Found("the text that comes with Postvakt, config/templates/mass-mailing.txt"),
        example: "\"templates/mass-mailing.txt\"",
        meaning: "To a sender who wrote to very many people inside.",
        ..FORWARD_STOPPED
    },
    Key {
        name: "sensitive-stopped",
        default: Fallback::Found("the text that comes with Postvakt, config/templates/sensitive-stopped.txt"),
        example: "\"templates/sensitive-stopped.txt\"",
        meaning: "To the sender of a mail that was held because of sensitive data.",
        ..FORWARD_STOPPED
    },
    Key {
        name: "sensitive-override",
        default: Fallback::Found(
            "the text that comes with Postvakt, config/templates/sensitive-override.txt",
        ),
        example: "\"templates/sensitive-override.txt\"",
        meaning: "To the sender of a held mail who answered the notice to have it released: what came of it.",
        ..FORWARD_STOPPED
    },
    Key {
        name: "sensitive-marked",
        default: Fallback::Found("the text that comes with Postvakt, config/templates/sensitive-marked.txt"),
        example: "\"templates/sensitive-marked.txt\"",
        meaning: "To the sender of a mail with sensitive data that was sent, once a day, with `tip`.",
        ..FORWARD_STOPPED
    },
    Key {
        name: "sensitive-found",
        default: Fallback::Found("the text that comes with Postvakt, config/templates/sensitive-found.txt"),
        example: "\"templates/sensitive-found.txt\"",
        meaning: "To the mailbox in `copy_to`: a mail with sensitive data was held or refused.",
        ..FORWARD_STOPPED
    },
    Key {
        name: "rule-found",
        default: Fallback::Found("the text that comes with Postvakt, config/templates/rule-found.txt"),
        example: "\"templates/rule-found.txt\"",
        meaning: "To those in `notify` of a custom rule or of `suspicious-attachment`: a mail was marked, held, redirected or rejected.",
        ..FORWARD_STOPPED
    },
    Key {
        name: "mail-returned",
        default: Fallback::Found("the text that comes with Postvakt, config/templates/mail-returned.txt"),
        example: "\"templates/mail-returned.txt\"",
        meaning: "To the sender of a held mail that was returned with `postvakt held return`.",
        ..FORWARD_STOPPED
    },
    Key {
        name: "held-mail",
        default: Fallback::Found("the text that comes with Postvakt, config/templates/held-mail.txt"),
        example: "\"templates/held-mail.txt\"",
        meaning: "To the `owner` of a rule: held mail waits. A list without names follows below the text.",
        ..FORWARD_STOPPED
    },
    Key {
        name: "tree-head",
        default: Fallback::Found("the text that comes with Postvakt, config/templates/tree-head.txt"),
        example: "\"templates/tree-head.txt\"",
        meaning: "To the mailbox in [store.heads] `mail`: the text above the signed tree heads.",
        ..FORWARD_STOPPED
    },
];

const FORWARD_STOPPED: Key = Key {
    name: "forward-stopped",
    kind: "file",
    default: Fallback::Found("the text that comes with Postvakt, config/templates/forward-stopped.txt"),
    example: "\"templates/forward-stopped.txt\"",
    meaning: "To the owner of a mailbox whose automatic forward was stopped.",
    why: "Most organisations can use it unchanged.",
    keys: &[],
};
