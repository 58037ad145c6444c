//! The keys at the top of the file.

#![deny(clippy::disallowed_methods)]

use crate::settings::{Fallback, INCLUDE, Key};

/// What stands before the first table.
pub(super) const TOP: &[Key] = &[Key {
    name: INCLUDE,
    kind: "list of file names",
    default: Fallback::Off,
    example: "[\"conf.d/*.toml\"]",
    meaning: "More files of this config, in TOML as well. `*` stands for any characters and `?` for one, in the name of the file only; names that begin with a dot do not match. The files are read in the order of the list, and those of a pattern in the order of their names. A table or key must not be in two files; tables under `[[…]]` follow those of the file before. An included file must not include others. All files together have at most 4 MiB. A pattern that matches no file is a warning.",
    why: "Without it, the config is one file.",
    keys: &[],
}];

/// What an authority says of itself.
pub(super) const AUTHORITY: &[Key] = &[
    Key {
        name: "name",
        kind: "text",
        default: Fallback::Required,
        example: "\"Barn- och utbildningsnämnden\"",
        meaning: "Name of the authority, as people know it. Its receipts and notices use it in the place of the organisation's.",
        why: "Each board is an authority of its own.",
        keys: &[],
    },
    Key {
        name: "mailboxes",
        kind: "list of addresses, @domains and groups",
        default: Fallback::Required,
        example: "[\"bun@exempelby.se\"]",
        meaning: "Mailboxes of the authority, all inside. Two authorities must not have the same mailbox. A group must have its members in the config or in a file.",
        why: "Only you know whose mail is whose.",
        keys: &[],
    },
    Key {
        name: "keep",
        kind: "time span",
        default: Fallback::Off,
        example: "\"365 d\"",
        meaning: "Retention period of its records, counted from the arrival of the mail. Requires `decision`. A record of several authorities is kept until the last of their periods has passed.",
        why: "Without it, `[[store.retention]]` says how long, or the records are kept.",
        keys: &[],
    },
    Key {
        name: "decision",
        kind: "text",
        default: Fallback::Off,
        example: "\"BUN 2026/7\"",
        meaning: "Reference of the retention decision. Requires `keep`.",
        why: "Public records may be destroyed only by decision.",
        keys: &[],
    },
    Key {
        name: "receipt_template",
        kind: "file name",
        default: Fallback::Found("the text of the organisation"),
        example: "\"templates/receipt.sv.txt\"",
        meaning: "Text of the receipts of its mailboxes, where a mailbox in `[[rules.receipt.mailboxes]]` has no `template` of its own.",
        why: "A board writes to its citizens in its own words.",
        keys: &[],
    },
    Key {
        name: "notices",
        kind: "table",
        default: Fallback::Off,
        example: "{ from = \"bun@exempelby.se\" }",
        meaning: "As `[notices]`, for notices to mailboxes of the authority. Requires [smtp].",
        why: "What it does not say is as in `[notices]`.",
        keys: &[
            Key {
                name: "from",
                kind: "mailbox inside",
                default: Fallback::Found("that of `[notices]`"),
                example: "\"bun@exempelby.se\"",
                meaning: "Sender address of notices.",
                why: "People answer to whom they know.",
                keys: &[],
            },
            Key {
                name: "templates",
                kind: "table, as in `[notices]`",
                default: Fallback::Found("those of `[notices]`"),
                example: "{ forward-stopped = \"templates/forward-stopped.txt\" }",
                meaning: "Files with the authority's own texts.",
                why: "The texts of the organisation suit most authorities.",
                keys: &[],
            },
        ],
    },
    Key {
        name: "rules",
        kind: "table of rules",
        default: Fallback::Off,
        example: "{ spam = { subject_tag = \"[SKRÄPPOST?]\" } }",
        meaning: "What follows from rules for its mail: any key of a rule's section but those that say what the rule finds, and `exceptions`. A rule may be on for one authority and off for the others; it must have a section of its own under `[rules]`. `receipt` is set by `receipt_template`.",
        why: "What it does not say is as in the rule's own section.",
        keys: &[],
    },
];

pub(super) const AUTHORITY_ABOUT: &str = "A board, a joint authority or a company with settings of its own; what it does not say is inherited. Mail from inside is judged by the settings of the authorities of its envelope sender, its authors and its login; mail from outside by those of each authority it came for, also if a host inside brings it, such as a web form; and a forward by those of the mailbox it leaves. If a mail has several authorities, the strictest decision holds for the whole mail, with its texts and tags: the strictest verdict, then the one that keeps the mail from most recipients; of equally strict ones the organisation's own, then the one that stands first in the config.";
