//! The keys of what custom rules do, and of the marks of mail from outside.

#![deny(clippy::disallowed_methods)]

use crate::settings::{Fallback, Key};

/// Of rules with the menu `Content`.
pub(super) const CONTENT: &[Key] = &[
    Key {
        name: "action",
        kind: "mark, hold, reject",
        default: Fallback::Text("mark"),
        example: "\"mark\"",
        meaning: "Action on a match. `mark`: the mail passes, with the marks below. `hold`: the mail waits in Postfix's hold queue. `reject`: the mail is rejected with 550.",
        why: "A mark loses nothing and delays nothing.",
        keys: &[],
    },
    Key {
        name: "suspicious",
        kind: "true, false",
        default: Fallback::Flag(true),
        example: "true",
        meaning: "Whether the header field `X-Postvakt-Suspicious` names the rule.",
        why: "Write false for a rule that sorts or redirects ordinary mail.",
        keys: &[],
    },
    Key {
        name: "subject_tag",
        kind: "text, at most 40 characters",
        default: Fallback::Off,
        example: "\"[EXTERN]\"",
        meaning: "Text put before the subject.",
        why: "Everyone sees a changed subject, and the sender's signature no longer covers it.",
        keys: &[],
    },
    Key {
        name: "add_header",
        kind: "table of texts",
        default: Fallback::Off,
        example: "{ \"X-Exempelby-Kontroll\" = \"extern\" }",
        meaning: "Header fields to add: names that begin with X-, or Importance, Priority, Sensitivity, Precedence, Comments, Keywords. Copies of the X- fields are removed from all inbound mail.",
        why: "No field may say what the sender did not write.",
        keys: &[],
    },
    Key {
        name: "remove_header",
        kind: "list of field names",
        default: Fallback::Off,
        example: "[\"Disposition-Notification-To\"]",
        meaning: "Header fields to remove, at most 100 of a mail. Fields that say who wrote what to whom, traces, signatures and Content fields cannot be removed.",
        why: "A removed field is lost to the recipient.",
        keys: &[],
    },
    Key {
        name: "reroute_to",
        kind: "mailbox inside",
        default: Fallback::Off,
        example: "\"registrator@exempelby.se\"",
        meaning: "Mailbox that replaces the recipients that the rule applies to. The log keeps the original ones.",
        why: "Only you know who should read the mail.",
        keys: &[],
    },
    Key {
        name: "bcc",
        kind: "mailbox inside, group:NAME, or list of these",
        default: Fallback::Off,
        example: "[\"arkiv@exempelby.se\"]",
        meaning: "Mailboxes that get the mail too, at most 20; a group must have its mailboxes in the config or in a file. The other recipients do not see them.",
        why: "A copy is one more place where the mail must be protected.",
        keys: &[],
    },
    Key {
        name: "message",
        kind: "table",
        default: Fallback::Off,
        example: "{ sv = \"Programfiler tas inte emot.\", en = \"Programs are not accepted.\" }",
        meaning: "Your own words for the rejection and for notices.",
        why: "By default, the rejection says that the mail violates the organisation's rules.",
        keys: MESSAGE,
    },
    Key {
        name: "notify",
        kind: "list of `sender`, `owner`, mailboxes inside and group:NAME",
        default: Fallback::Off,
        example: "[\"sender\", \"it-support@exempelby.se\"]",
        meaning: "Who is told: `sender` is the envelope sender if the mail comes from inside, `owner` is the mailboxes inside that the mail is for. A group must have its mailboxes in the config or in a file; at most 100 are told. They are told of each held mail, and of marked mail once a day. Of a rejected mail, only mailboxes in this list are told. Requires [smtp].",
        why: "A rule of your own tells no one unless you say so.",
        keys: &[],
    },
];

const MESSAGE: &[Key] = &[
    Key {
        name: "sv",
        kind: "text, at most 400 bytes",
        default: Fallback::Required,
        example: "\"Programfiler tas inte emot.\"",
        meaning: "In Swedish. In an SMTP reply, å, ä and ö become a, a and o.",
        why: "Only you know what people should do instead.",
        keys: &[],
    },
    Key {
        name: "en",
        kind: "text, at most 400 bytes",
        default: Fallback::Required,
        example: "\"Programs are not accepted.\"",
        meaning: "In English.",
        why: "A sender abroad, and the server of every sender, reads no Swedish.",
        keys: &[],
    },
    Key {
        name: "status",
        kind: "5.x.y",
        default: Fallback::Text("5.7.1"),
        example: "\"5.7.1\"",
        meaning: "Enhanced status code of the rejection (RFC 3463).",
        why: "5.7.1 says that delivery is not authorised.",
        keys: &[],
    },
];

/// Of `[external_sender]`.
pub(super) const EXTERNAL: &[Key] = &[
    Key {
        name: "header",
        kind: "true, false",
        default: Fallback::Flag(true),
        example: "true",
        meaning: "Whether inbound mail gets the header field `X-Postvakt-External: yes`. Copies from outside are removed.",
        why: "Mail programs can show a banner by it, and nothing that people wrote is changed.",
        keys: &[],
    },
    Key {
        name: "subject_tag",
        kind: "text, at most 40 characters",
        default: Fallback::Off,
        example: "\"[EXTERN]\"",
        meaning: "Text put before the subject of inbound mail, unless it is there already.",
        why: "A tag on every mail is soon not read any more, and it breaks DKIM signatures.",
        keys: &[],
    },
    Key {
        name: "except",
        kind: "list of addresses or @domains outside",
        default: Fallback::Off,
        example: "[\"@regionen.se\"]",
        meaning: "Authors whose mail is not marked, if SPF, DKIM or DMARC confirm the domain in From. Requires [authentication].",
        why: "Only you know whom your people may take for colleagues.",
        keys: &[],
    },
];
