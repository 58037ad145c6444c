//! The keys of `[rules.receipt]` that are not the rule's own, as data.

#![deny(clippy::disallowed_methods)]

use crate::settings::{Fallback, Key};

/// Of the rule with the menu `Receipt`.
pub(super) const RECEIPT: &[Key] = &[
    Key {
        name: "delay",
        kind: "time span",
        default: Fallback::Text("10 s"),
        example: "\"10 s\"",
        meaning: "Pause between a mail and its receipt; at most 10 minutes. If the same mail arrives again in that time, the pause starts anew.",
        why: "A client that loses its connection usually tries again at once.",
        keys: &[],
    },
    Key {
        name: "echo_subject",
        kind: "true, false",
        default: Fallback::Flag(false),
        example: "false",
        meaning: "Whether the receipt may repeat the mail's subject, as the template field `subject`.",
        why: "A subject may be confidential, and a forger could choose the words that we send.",
        keys: &[],
    },
    Key {
        name: "per_sender",
        kind: "list of rates",
        default: Fallback::Texts(&["5/h", "20/d"]),
        example: "[\"5/h\", \"20/d\"]",
        meaning: "Limit of receipts to one sender.",
        why: "A person has few cases a day. A program that answers receipts would never stop.",
        keys: &[],
    },
    Key {
        name: "per_authority",
        kind: "list of rates",
        default: Fallback::Texts(&["60/h", "500/d"]),
        example: "[\"60/h\", \"500/d\"]",
        meaning: "Limit of receipts to one sender whose domain is listed in `authorities`.",
        why: "A county board may send ten cases in an hour from one mailbox.",
        keys: &[],
    },
    Key {
        name: "authorities",
        kind: "file",
        default: Fallback::Found("the list that comes with Postvakt, config/authorities.txt"),
        example: "\"authorities.txt\"",
        meaning: "File with the domains of authorities, one per line. A relative path starts at the directory of the config.",
        why: "The list is long and nearly the same for everyone.",
        keys: &[],
    },
    Key {
        name: "per_domain",
        kind: "list of rates",
        default: Fallback::Texts(&["200/h", "1000/d"]),
        example: "[\"200/h\", \"1000/d\"]",
        meaning: "Limit of receipts to all senders of one domain.",
        why: "Many citizens write from the same few domains.",
        keys: &[],
    },
    Key {
        name: "per_mailbox",
        kind: "list of rates",
        default: Fallback::Texts(&["1000/h", "5000/d"]),
        example: "[\"1000/h\", \"5000/d\"]",
        meaning: "Limit of receipts for one function mailbox.",
        why: "The busiest registrar reads less than that.",
        keys: &[],
    },
    Key {
        name: "in_all",
        kind: "list of rates",
        default: Fallback::Texts(&["2000/h", "10000/d"]),
        example: "[\"2000/h\", \"10000/d\"]",
        meaning: "Limit of all receipts. Above it, no receipts are sent until the count has fallen to half, and an error is logged.",
        why: "More than that is not correspondence.",
        keys: &[],
    },
    Key {
        name: "mailboxes",
        kind: "tables",
        default: Fallback::Required,
        example: "",
        meaning: "Function mailboxes that send receipts.",
        why: "Only you know where cases arrive.",
        keys: MAILBOX,
    },
];

const MAILBOX: &[Key] = &[
    Key {
        name: "address",
        kind: "mailbox inside, group:NAME, or list of these",
        default: Fallback::Required,
        example: "\"registrator@exempelby.se\"",
        meaning: "Address of the mailbox, as senders write it. Receipts are sent in its name. Of several, each sends its own, with the same words; a group must have its mailboxes in the config or in a file.",
        why: "Recipients are compared before aliases are expanded.",
        keys: &[],
    },
    Key {
        name: "template",
        kind: "file",
        default: Fallback::Found("the text that comes with Postvakt, config/templates/receipt.sv.txt"),
        example: "\"templates/receipt.sv.txt\"",
        meaning: "File with the text of the receipts. docs/receipts.md lists its fields.",
        why: "Most organisations can use it unchanged.",
        keys: &[],
    },
    Key {
        name: "name",
        kind: "text",
        default: Fallback::Found("the organisation's name"),
        example: "\"Registrator\"",
        meaning: "Display name of the mailbox, in From and as the template field `mailbox_name`.",
        why: "People know the organisation.",
        keys: &[],
    },
];
