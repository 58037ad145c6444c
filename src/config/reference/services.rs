//! The keys of what mail from outside is shown to, and of the rules that only mark.

#![deny(clippy::disallowed_methods)]

use super::keys::ON_UNKNOWN;
use crate::settings::{Fallback, Key};

/// The tables, as header, purpose and keys.
pub(super) const SERVICES: &[(&str, &str, &[Key])] = &[
    (
        "[authentication]",
        "Who vouches for mail from outside: SPF, DKIM, DMARC and ARC. With this table it is asked for every such mail, and Authentication-Results says what came of it; without it, only where a rule cannot do without.",
        &[
            Key {
                name: "authserv_id",
                kind: "host name",
                default: Fallback::Found("the host's name"),
                example: "\"mx.exempelby.se\"",
                meaning: "The name under which this gateway states what it checked (RFC 8601). Fields from outside in this name are taken away. Nodes that stand side by side have the same.",
                why: "It is the name by which the world knows the gateway.",
                keys: &[],
            },
            Key {
                name: "trusted_sealers",
                kind: "list of domains",
                default: Fallback::Off,
                example: "[\"lists.example.org\"]",
                meaning: "Domains that hand mail on and seal it with ARC, such as mailing lists, whose word is taken: where one of them states that the domain in From vouched for the mail as it came there, nobody holds it against the mail that it no longer does. \"*.example.org\" is every domain below.",
                why: "Anybody can seal. A chain that holds proves who says something, not that it is true.",
                keys: &[],
            },
        ],
    ),
    (
        "[dns]",
        "Whom the questions of authentication go to. The whole table may be absent; then the system's resolvers are asked.",
        &[Key {
            name: "servers",
            kind: "list of IP or IP:port",
            default: Fallback::Required,
            example: "[\"127.0.0.1:53\"]",
            meaning: "Resolvers, best one on this host.",
            why: "A table that names none says nothing.",
            keys: &[],
        }],
    ),
    (
        "[scanners.rspamd]",
        "rspamd, for the rule spam: its normal worker. The table may be absent.",
        &[ADDRESS_RSPAMD, DEADLINE, SIZE],
    ),
    (
        "[scanners.spamassassin]",
        "SpamAssassin's spamd, for the rule spam. The table may be absent.",
        &[
            Key {
                example: "\"127.0.0.1:783\"",
                meaning: "Where spamd listens: IP:port, or unix:/path.",
                ..ADDRESS_RSPAMD
            },
            DEADLINE,
            Key {
                default: Fallback::Value("\"2 MB\""),
                example: "\"2 MB\"",
                why: "spamd takes seconds for each MB, and spam is small.",
                ..SIZE
            },
        ],
    ),
    (
        "[scanners.clamav]",
        "ClamAV's clamd, for the rule virus. The table may be absent where that rule is off.",
        &[
            Key {
                example: "\"unix:/run/clamav/clamd.ctl\"",
                meaning: "Where clamd listens: IP:port, or unix:/path.",
                ..ADDRESS_RSPAMD
            },
            DEADLINE,
            Key {
                meaning: "Messages that are larger are not scanned, and the rule could not tell. clamd's own StreamMaxLength must be as large.",
                ..SIZE
            },
        ],
    ),
    (
        "[scanners.upstream]",
        "A spam filter of the organisation's own that mail passes before it comes here. The table may be absent.",
        &[Key {
            name: "clients",
            kind: "list of networks",
            default: Fallback::Required,
            example: "[\"198.51.100.25/32\"]",
            meaning: "The hosts of that filter. X-Spam-Status, X-Spam-Flag and X-Spam from them are believed, and kept; SPF is not asked, for it would judge the filter. What they bring for people inside comes from outside, also where they stand in organisation.internal_networks.",
            why: "Whoever is believed must be named.",
            keys: &[],
        }],
    ),
];

const ADDRESS_RSPAMD: Key = Key {
    name: "address",
    kind: "IP:port or unix:/path",
    default: Fallback::Required,
    example: "\"127.0.0.1:11333\"",
    meaning: "Where rspamd listens: IP:port, or unix:/path.",
    why: "There is no scanner without one.",
    keys: &[],
};

const DEADLINE: Key = Key {
    name: "deadline",
    kind: "time, at most 80 s",
    default: Fallback::Value("\"10 s\""),
    example: "\"10 s\"",
    meaning: "Until an answer is no longer waited for. All scanners work at once.",
    why: "Above the scanner's own patience, far below the MTA's.",
    keys: &[],
};

const SIZE: Key = Key {
    name: "size_at_most",
    kind: "size",
    default: Fallback::Value("\"25 MB\""),
    example: "\"25 MB\"",
    meaning: "Messages that are larger are not scanned, and say so.",
    why: "What clamd takes as it comes from Debian.",
    keys: &[],
};

/// Of rules with the menu `Virus`.
pub(super) const VIRUS: &[Key] = &[Key {
    name: "action",
    kind: "hold, reject",
    default: Fallback::Value("\"hold\""),
    example: "\"hold\"",
    meaning: "What becomes of a mail with a virus in it: it waits in the queue for a person, or is refused.",
    why: "A held mail can still be refused, and shown.",
    keys: &[],
}];

/// Of rules with the menu `Virus`.
pub(super) const ON_UNKNOWN_VIRUS: Key = Key {
    default: Fallback::Value("\"tempfail\""),
    example: "\"tempfail\"",
    meaning: "What becomes of a mail that the scanner did not look at, or not at all of it.",
    why: "The client keeps the mail and tries again; a virus that nobody looked for would be opened.",
    ..ON_UNKNOWN
};

/// Of rules with the menu `Sender`.
pub(super) const SENDER: &[Key] = &[
    Key {
        name: "action",
        kind: "mark, hold",
        default: Fallback::Value("\"mark\""),
        example: "\"mark\"",
        meaning: "What becomes of such a mail: it passes with a header, or waits in the queue for a person.",
        why: "Whoever is told can do otherwise the next time.",
        keys: &[],
    },
    Key {
        name: "notify",
        kind: "sender, nobody",
        default: Fallback::Value("\"sender\""),
        example: "\"sender\"",
        meaning: "Who is told, if there is an [smtp] to send it by.",
        why: "A rule that nobody hears of changes nothing.",
        keys: &[],
    },
];

/// Of rules with the menu `Mark`.
pub(super) const MARK: &[Key] = &[
    Key {
        name: "subject_tag",
        kind: "text, at most 40 characters",
        default: Fallback::Off,
        example: "\"[MISSTÄNKT]\"",
        meaning: "What the subject of such a mail begins with; without it header fields alone mark it.",
        why: "A changed subject is seen by everyone, and no longer covered by the sender's signature.",
        keys: &[],
    },
    Key {
        meaning: "Mailboxes whose mail keeps its subject and is marked by header fields alone. A mail to several keeps it where one of them is among these. It needs subject_tag.",
        ..HEADERS_ONLY
    },
];

/// Of rules with the menu `Spam`.
pub(super) const SPAM: &[Key] = &[
    Key {
        name: "subject_tag",
        kind: "text, at most 40 characters",
        default: Fallback::Value("\"[…SPAM?...]\""),
        example: "\"[…SPAM?...]\"",
        meaning: "What the subject of such a mail begins with.",
        why: "Västerås' guidelines have just this.",
        keys: &[],
    },
    HEADERS_ONLY,
];

const HEADERS_ONLY: Key = Key {
    name: "headers_only",
    kind: "list of mailboxes or @domains inside",
    default: Fallback::Off,
    example: "[\"it@exempelby.se\"]",
    meaning: "Mailboxes whose mail keeps its subject and is marked by header fields alone. A mail to several keeps it where one of them is among these.",
    why: "Most people see nothing of a mail but its subject.",
    keys: &[],
};
