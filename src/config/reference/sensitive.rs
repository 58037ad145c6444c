//! The keys of rules with the menu `Sensitive`, as data.

#![deny(clippy::disallowed_methods)]

use crate::settings::{Fallback, Key};

/// Of rules with the menu `Sensitive`.
pub(super) const SENSITIVE: &[Key] = &[
    Key {
        name: "action",
        kind: "mark, hold, reject",
        default: Fallback::Value("\"mark\""),
        example: "\"mark\"",
        meaning: "What becomes of a mail with considerable or serious data: it passes with a header, waits in the queue for a person, or is refused.",
        why: "A mark loses nothing and delays nothing.",
        keys: &[],
    },
    Key {
        name: "class",
        kind: "table",
        default: Fallback::Off,
        example: "{ serious = { action = \"hold\" } }",
        meaning: "What is otherwise for a class of data; it may also be written as tables, [rules.sensitive-data.class.serious].",
        why: "Without it the action is the same for considerable and serious data, and moderate data is a line in the log.",
        keys: CLASSES,
    },
    Key {
        name: "inbound",
        kind: "record, mark, act",
        default: Fallback::Value("\"mark\""),
        example: "\"mark\"",
        meaning: "What becomes of mail from outside: a line in the log, a header at the most, or the same as of other mail.",
        why: "A citizen who writes about their own affairs must not be turned away.",
        keys: &[],
    },
    Key {
        name: "secure_alternative",
        kind: "text",
        default: Fallback::Off,
        example: "\"https://exempelby.se/saker-post\"",
        meaning: "What a refusal and a notice tell people to use instead: a name, or the address of a page.",
        why: "Without it a refusal says to encrypt, or to use the organisation's secure channel.",
        keys: &[],
    },
    Key {
        name: "tls_routes",
        kind: "list of domains",
        default: Fallback::Off,
        example: "[\"regionen.example\"]",
        meaning: "Domains on the way to which the MTA is set to encrypt and to check with whom: mail of class considerable may go there, with a header, if all its recipients are there. Never what is serious.",
        why: "Whether a route is pinned stands in the MTA's config, and nobody here can see it.",
        keys: &[],
    },
    Key {
        name: "notify",
        kind: "sender, nobody",
        default: Fallback::Value("\"sender\""),
        example: "\"sender\"",
        meaning: "Who is told that a mail was held: its sender, where that is a mailbox inside and there is an [smtp]. A refusal tells by itself.",
        why: "A mail that is held in silence looks like one that arrived.",
        keys: &[],
    },
    Key {
        name: "copy_to",
        kind: "mailbox inside",
        default: Fallback::Off,
        example: "\"dataskydd@exempelby.se\"",
        meaning: "A mailbox that is told of every mail that was held or refused: from whom, to whom, of what class and kinds; never the data. It needs [smtp].",
        why: "Only the organisation knows whose task it is.",
        keys: &[],
    },
];

const CLASSES: &[Key] = &[
    class("moderate", "that it is a line in the log"),
    class("considerable", "the rule's action"),
    class("serious", "the rule's action"),
];

const fn class(name: &'static str, without: &'static str) -> Key {
    Key {
        name,
        kind: "table",
        default: Fallback::Found(without),
        example: "{ action = \"mark\", subject_tag = \"[KÄNSLIGT]\" }",
        meaning: "`action` is accept (a line in the log), mark, hold or reject; `subject_tag` is put before the subject of what is marked or held.",
        why: "One rule for all is the plainest.",
        keys: CLASS,
    }
}

const CLASS: &[Key] = &[
    Key {
        name: "action",
        kind: "accept, mark, hold, reject",
        default: Fallback::Found("that of the rule"),
        example: "\"hold\"",
        meaning: "What becomes of a mail with data of this class.",
        why: "One rule for all is the plainest.",
        keys: &[],
    },
    Key {
        name: "subject_tag",
        kind: "text",
        default: Fallback::Off,
        example: "\"[KÄNSLIGT]\"",
        meaning: "What is put before the subject.",
        why: "A changed subject is seen by everyone, also outside.",
        keys: &[],
    },
];
