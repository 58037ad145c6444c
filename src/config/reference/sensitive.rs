//! The keys of rules with the menu `Sensitive`, as data.

#![deny(clippy::disallowed_methods)]

use crate::settings::{Fallback, Key};

/// Of rules with the menu `Sensitive`.
pub(super) const SENSITIVE: &[Key] = &[
    Key {
        name: "action",
        kind: "mark, hold, reject",
        default: Fallback::Text("mark"),
        example: "\"mark\"",
        meaning: "Action for mail with considerable or serious data. `mark`: the mail passes with a header field. `hold`: the mail waits in Postfix's hold queue. `reject`: the mail is rejected with 550.",
        why: "A mark loses nothing and delays nothing.",
        keys: &[],
    },
    Key {
        name: "class",
        kind: "table",
        default: Fallback::Off,
        example: "{ serious = { action = \"hold\" } }",
        meaning: "Other actions for one class of data. It can also be written as tables, such as [rules.RULE.class.serious].",
        why: "By default, considerable and serious data get the same action, and moderate data is only logged.",
        keys: CLASSES,
    },
    Key {
        name: "inbound",
        kind: "record, mark, act",
        default: Fallback::Text("mark"),
        example: "\"mark\"",
        meaning: "The strictest action for inbound mail. `record`: log only. `mark`: a header field. `act`: the same as for other mail.",
        why: "A citizen who writes about their own affairs must not be turned away.",
        keys: &[],
    },
    Key {
        name: "secure_alternative",
        kind: "text",
        default: Fallback::Off,
        example: "\"https://exempelby.se/saker-post\"",
        meaning: "What rejections and notices tell people to use instead: a name, or the address of a page.",
        why: "By default, they say to encrypt the mail or to use the organisation's secure channel.",
        keys: &[],
    },
    Key {
        name: "tls_routes",
        kind: "list of domains",
        default: Fallback::Off,
        example: "[\"regionen.example\"]",
        meaning: "Domains for which the MTA enforces TLS and verifies the receiving server. Mail of class considerable may go there with a header field, if all its recipients are in these domains. Mail of class serious may not.",
        why: "TLS settings are part of the MTA's config, which Postvakt cannot see.",
        keys: &[],
    },
    Key {
        name: "notify",
        kind: "sender, nobody",
        default: Fallback::Text("sender"),
        example: "\"sender\"",
        meaning: "Who is told that a mail was held. `sender`: its sender, if that is a mailbox inside. `nobody`: log only. Requires [smtp]. If the mail is rejected, the bounce tells them.",
        why: "A mail that is held silently looks delivered.",
        keys: &[],
    },
    Key {
        name: "tip",
        kind: "true, false",
        default: Fallback::Flag(false),
        example: "true",
        meaning: "Whether the sender of a marked mail is told, at most once a day, what was found and what to use next time. Requires [smtp].",
        why: "Switch it on when the log has shown that the findings are right.",
        keys: &[],
    },
    Key {
        name: "outbound_header",
        kind: "true, false",
        default: Fallback::Flag(true),
        example: "false",
        meaning: "Whether mail to recipients outside has the header field `X-Postvakt-Sensitive` too, as mail that stays inside always has. Write false if no server of yours behind Postvakt reads the field and removes it: it tells the recipient's provider what is in the mail.",
        why: "A server that encrypts, or a rule in Exchange, finds the mail by it.",
        keys: &[],
    },
    Key {
        name: "copy_to",
        kind: "mailbox inside",
        default: Fallback::Off,
        example: "\"dataskydd@exempelby.se\"",
        meaning: "Mailbox that is told of every mail that was held or rejected: sender, recipients, class and kinds of data, never the data itself. Requires [smtp].",
        why: "Only you know whose task this is.",
        keys: &[],
    },
];

/// Of the rule whose held mail its sender may release.
pub(super) const ALLOW_OVERRIDE: Key = Key {
    name: "allow_override",
    kind: "none, moderate, considerable",
    default: Fallback::Text("none"),
    example: "\"moderate\"",
    meaning: "Highest class of data up to which the sender of a held mail may release it, by an answer to the notice with a justification. Only where this rule alone holds the mail, the check was completed, and the sender is inside. The answer counts with a SASL login of the sender's own mailbox. Requires [smtp] and the queue helper.",
    why: "Set it where people may decide for themselves that a finding is wrong. Serious data cannot be released so.",
    keys: &[],
};

const CLASSES: &[Key] = &[
    Key { keys: MODERATE, ..class("moderate", "action \"accept\"") },
    class("considerable", "the rule's action"),
    class("serious", "the rule's action"),
];

const fn class(name: &'static str, without: &'static str) -> Key {
    Key {
        name,
        kind: "table",
        default: Fallback::Found(without),
        example: "{ action = \"mark\", subject_tag = \"[KÄNSLIGT]\" }",
        meaning: "`action` is `accept` (log only), `mark`, `hold` or `reject`. `subject_tag` is put before the subject of marked and held mail.",
        why: "One action for all classes is simplest.",
        keys: CLASS,
    }
}

const MODERATE: &[Key] = &[Key { default: Fallback::Text("accept"), ..ACTION }, SUBJECT_TAG];

const CLASS: &[Key] = &[ACTION, SUBJECT_TAG];

const ACTION: Key = Key {
    name: "action",
    kind: "accept, mark, hold, reject",
    default: Fallback::Found("that of the rule"),
    example: "\"hold\"",
    meaning: "Action for mail with data of this class.",
    why: "One action for all classes is simplest.",
    keys: &[],
};

const SUBJECT_TAG: Key = Key {
    name: "subject_tag",
    kind: "text",
    default: Fallback::Off,
    example: "\"[KÄNSLIGT]\"",
    meaning: "Text put before the subject.",
    why: "Everyone sees a changed subject, also outside.",
    keys: &[],
};
