//! The keys of `[rules.receipt]` that are not the rule's own, as data.

#![deny(clippy::disallowed_methods)]

use crate::settings::{Fallback, Key};

/// Of the rule with the menu `Receipt`.
pub(super) const RECEIPT: &[Key] = &[
    Key {
        name: "delay",
        kind: "time span",
        default: Fallback::Value("\"10 s\""),
        example: "\"10 s\"",
        meaning: "From a mail to its receipt; 10 minutes at the most. If the same mail comes again in that time, its receipt waits anew.",
        why: "Long enough for a client that lost its connection to try again at once.",
        keys: &[],
    },
    Key {
        name: "echo_subject",
        kind: "true, false",
        default: Fallback::Value("false"),
        example: "false",
        meaning: "Whether the mail's subject may stand in its receipt, as the template's field `subject`.",
        why: "A subject may say what nobody else is to read, and a forger could choose what we send.",
        keys: &[],
    },
    Key {
        name: "per_sender",
        kind: "list of rates",
        default: Fallback::Value("[\"5/h\", \"20/d\"]"),
        example: "[\"5/h\", \"20/d\"]",
        meaning: "How many receipts one sender gets in any hour and in any day.",
        why: "A person has few cases a day; a program that answers receipts has no end.",
        keys: &[],
    },
    Key {
        name: "per_authority",
        kind: "list of rates",
        default: Fallback::Value("[\"60/h\", \"500/d\"]"),
        example: "[\"60/h\", \"500/d\"]",
        meaning: "How many receipts one sender gets whose domain is an authority's.",
        why: "A county board may send ten errands in an hour from one mailbox.",
        keys: &[],
    },
    Key {
        name: "authorities",
        kind: "file",
        default: Fallback::Found("the list that comes with the program, config/authorities.txt"),
        example: "\"authorities.txt\"",
        meaning: "The domains of authorities, one on each line; a name that does not begin with / is taken from where the config is.",
        why: "The list is long, and nearly the same for everyone.",
        keys: &[],
    },
    Key {
        name: "per_domain",
        kind: "list of rates",
        default: Fallback::Value("[\"200/h\", \"1000/d\"]"),
        example: "[\"200/h\", \"1000/d\"]",
        meaning: "How many receipts the senders of one domain get.",
        why: "Many citizens write from the same few domains.",
        keys: &[],
    },
    Key {
        name: "per_mailbox",
        kind: "list of rates",
        default: Fallback::Value("[\"1000/h\", \"5000/d\"]"),
        example: "[\"1000/h\", \"5000/d\"]",
        meaning: "How many receipts are sent for one mailbox.",
        why: "More than the busiest registrar reads.",
        keys: &[],
    },
    Key {
        name: "in_all",
        kind: "list of rates",
        default: Fallback::Value("[\"2000/h\", \"10000/d\"]"),
        example: "[\"2000/h\", \"10000/d\"]",
        meaning: "How many receipts are sent in all. Above it none are sent until there are half as many, and the operator is told.",
        why: "What is above it is no correspondence.",
        keys: &[],
    },
    Key {
        name: "mailboxes",
        kind: "tables",
        default: Fallback::Required,
        example: "",
        meaning: "The function mailboxes for which receipts are sent.",
        why: "Only the organisation knows where its cases come in.",
        keys: MAILBOX,
    },
];

const MAILBOX: &[Key] = &[
    Key {
        name: "address",
        kind: "mailbox inside",
        default: Fallback::Required,
        example: "\"registrator@exempelby.se\"",
        meaning: "The mailbox, as senders write it. Its receipts are written in its name.",
        why: "Recipients are compared before any alias is expanded.",
        keys: &[],
    },
    Key {
        name: "template",
        kind: "file",
        default: Fallback::Found("the text that comes with the program, config/templates/receipt.sv.txt"),
        example: "\"templates/receipt.sv.txt\"",
        meaning: "The text of its receipts; docs/receipts.md has its fields.",
        why: "Most organisations can send it as it is.",
        keys: &[],
    },
    Key {
        name: "name",
        kind: "text",
        default: Fallback::Found("the organisation's name"),
        example: "\"Registrator\"",
        meaning: "What people call the mailbox: the name in From, and the template's field `mailbox_name`.",
        why: "Everybody knows the organisation.",
        keys: &[],
    },
];
