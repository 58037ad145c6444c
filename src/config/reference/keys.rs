//! The keys of the config, as data: what each is, what holds without it, and why.

#![deny(clippy::disallowed_methods)]

use crate::settings::{Fallback, Key};

/// The tables that every config has, as header, purpose and keys.
pub(super) const TABLES: &[(&str, &str, &[Key])] = &[
    (
        "[organisation]",
        "Who is inside.",
        &[
            Key {
                name: "name",
                kind: "text",
                default: Fallback::Required,
                example: "\"Exempelby kommun\"",
                meaning: "The organisation's name, as people know it.",
                why: "It stands in what people are sent.",
                keys: &[],
            },
            Key {
                name: "domains",
                kind: "list of domains",
                default: Fallback::Required,
                example: "[\"exempelby.se\"]",
                meaning: "The organisation's mail domains; \"*.exempelby.se\" is every domain below exempelby.se, and not exempelby.se itself.",
                why: "Every rule asks who is inside, and a guess would be wrong in silence.",
                keys: &[],
            },
            Key {
                name: "internal_networks",
                kind: "list of networks",
                default: Fallback::Value("[\"127.0.0.0/8\", \"::1/128\"]"),
                example: "[\"127.0.0.0/8\", \"::1/128\", \"10.0.0.0/8\"]",
                meaning: "Networks of the organisation's own mail servers and devices, as address/length.",
                why: "This host's own programs are inside everywhere; whether any other host is, only the organisation knows.",
                keys: &[],
            },
            Key {
                name: "time_zone",
                kind: "IANA name",
                default: Fallback::Value("\"Europe/Stockholm\""),
                example: "\"Europe/Stockholm\"",
                meaning: "The zone of the log's local times, and of the days on which exceptions end.",
                why: "A Swedish authority's days are Swedish days, whatever zone the machine is set to.",
                keys: &[],
            },
        ],
    ),
    (
        "[server]",
        "Sockets.",
        &[
            Key {
                name: "listen",
                kind: "list of addresses or tables",
                default: Fallback::Required,
                example: "[\"unix:/run/postvakt/milter.sock\", \"inet:127.0.0.1:8891\"]",
                meaning: "Where the MTA connects, as in Postfix' smtpd_milters: unix:/path or inet:IP:port. A socket whose mail always goes one way is a table.",
                why: "It must be what the MTA's own config says.",
                keys: LISTEN,
            },
            Key {
                name: "metrics",
                kind: "IP:port",
                default: Fallback::Off,
                example: "\"127.0.0.1:9891\"",
                meaning: "Where /metrics, /livez and /readyz are served.",
                why: "No port is open that nobody asked for.",
                keys: &[],
            },
            Key {
                name: "node",
                kind: "letters, digits, `-`",
                default: Fallback::Found("the first label of the host's name"),
                example: "\"gw1\"",
                meaning: "This node's name in record ids; each node needs its own.",
                why: "Host names are already different and already known.",
                keys: &[],
            },
        ],
    ),
    (
        "[store]",
        "The log.",
        &[
            Key {
                name: "directory",
                kind: "absolute path",
                default: Fallback::Required,
                example: "\"/var/lib/postvakt\"",
                meaning: "Where the log's files are; on a local disk, never on a network file system.",
                why: "A log that nobody knows the place of is a log that nobody keeps.",
                keys: &[],
            },
            Key {
                name: "on_failure",
                kind: "tempfail",
                default: Fallback::Value("\"tempfail\""),
                example: "\"tempfail\"",
                meaning: "What becomes of a mail whose record cannot be stored: it is put off, and its client tries again.",
                why: "There is nothing else: accepted, it would leave no trace; refused, it would be lost.",
                keys: &[],
            },
            Key {
                name: "attachments",
                kind: "nested | outer",
                default: Fallback::Value("\"nested\""),
                example: "\"nested\"",
                meaning: "Whose names are recorded: also those of files inside attached archives, or only those of the message.",
                why: "A file is sent whether it was packed or not, and the log is asked for it by its name.",
                keys: &[],
            },
        ],
    ),
    (
        "[[store.retention]]",
        "For how long the log keeps the records of one authority. Nothing goes by itself: `postvakt log retention run --decision REF`. Without such a table every record stays.",
        &[
            Key {
                name: "authority",
                kind: "text",
                default: Fallback::Required,
                example: "\"Socialnämnden\"",
                meaning: "The authority's name.",
                why: "Each board is an authority of its own, and decides for itself.",
                keys: &[],
            },
            Key {
                name: "mailboxes",
                kind: "list of addresses, @domains, or *",
                default: Fallback::Required,
                example: "[\"@socialen.exempelby.se\", \"anna@exempelby.se\"]",
                meaning: "Its mailboxes; \"*\" is everybody for whom no table before this one is, and mail that met nobody inside. A record goes when the time of everybody inside whom it names is over.",
                why: "Whose records they are only the organisation knows.",
                keys: &[],
            },
            Key {
                name: "keep",
                kind: "duration",
                default: Fallback::Required,
                example: "\"365 d\"",
                meaning: "How long, counted from when the mail came.",
                why: "The law knows no number that is right for everyone; the authority decides.",
                keys: &[],
            },
            Key {
                name: "decision",
                kind: "text",
                default: Fallback::Required,
                example: "\"SN 2026/45\"",
                meaning: "The reference of the decision.",
                why: "Public records are destroyed by decision or not at all.",
                keys: &[],
            },
        ],
    ),
    (
        "[store.minimise]",
        "Mail of which the log keeps no subject and no names of attachments, and no evidence of findings. The whole table may be absent.",
        &[
            Key {
                name: "mailboxes",
                kind: "list of addresses, @domains, or *",
                default: Fallback::Required,
                example: "[\"visselblasare@exempelby.se\"]",
                meaning: "Whose mail: whoever sends it or gets it.",
                why: "The log is a public record, and what is not in it need not be kept secret.",
                keys: &[],
            },
            Key {
                name: "keep",
                kind: "nothing, hash",
                default: Fallback::Value("\"nothing\""),
                example: "\"nothing\"",
                meaning: "What stands for each text: nothing, or a hash under the store's key, by which equal ones can be told.",
                why: "What is gone cannot leak.",
                keys: &[],
            },
        ],
    ),
    (
        "[store.heads]",
        "Signed tree heads: what proves later that the log is as it was. The whole table may be absent.",
        &[
            Key {
                name: "every",
                kind: "duration",
                default: Fallback::Value("\"5 min\""),
                example: "\"5 min\"",
                meaning: "How often a head is signed, if there is anything new; also when a day or a month ends, and at a stop.",
                why: "Whoever has this host can change what came after the newest head that was copied off it, and no more.",
                keys: &[],
            },
            Key {
                name: "file",
                kind: "absolute path",
                default: Fallback::Off,
                example: "\"/mnt/other-host/postvakt-heads\"",
                meaning: "Where each head is copied to: a file on another host, which this host can add to.",
                why: "Only the organisation knows a place that this host's owner does not reach. Without one, a restored older copy of the whole directory is not recognised.",
                keys: &[],
            },
            Key {
                name: "key",
                kind: "absolute path",
                default: Fallback::Found("heads.key in the store's directory, made at the first start"),
                example: "\"/run/credentials/postvakt.service/heads.key\"",
                meaning: "The private key, a file of 32 random octets.",
                why: "A key of its own needs no care to begin with; one that systemd hands in is not in the log's backups.",
                keys: &[],
            },
        ],
    ),
    (
        "[disclosure]",
        "What is masked in an export of the log with the profile disclose, beside personnummer and samordningsnummer. The whole table may be absent.",
        &[Key {
            name: "words",
            kind: "list of texts",
            default: Fallback::Value("[]"),
            example: "[\"skyddad identitet\"]",
            meaning: "Words that are masked wherever they stand in a record, in upper or lower case, also inside other words.",
            why: "Only the organisation knows which of its cases must not be told of; what was masked is listed for a person to look at.",
            keys: &[],
        }],
    ),
    (
        "[smtp]",
        "Where receipts and notices are handed over. The whole table may be absent; then nothing is sent.",
        &[
            Key {
                name: "submit",
                kind: "loopback IP:port",
                default: Fallback::Required,
                example: "\"127.0.0.1:10026\"",
                meaning: "An smtpd on this host that does not have this milter.",
                why: "Without an own port a receipt would pass through the filter that wrote it.",
                keys: &[],
            },
            Key {
                name: "retry",
                kind: "time span",
                default: Fallback::Value("\"30 s\""),
                example: "\"30 s\"",
                meaning: "After a try that failed: until the next one. Each later pause is twice as long, up to an hour.",
                why: "The MTA is on the same host: what is wrong there is usually over soon.",
                keys: &[],
            },
            Key {
                name: "max_age",
                kind: "time span",
                default: Fallback::Value("\"3 d\""),
                example: "\"3 d\"",
                meaning: "For so long it is tried, from the arrival of the mail; 14 days at the most.",
                why: "Longer than a weekend; a receipt that comes later is a riddle.",
                keys: &[],
            },
            Key {
                name: "timeout",
                kind: "time span",
                default: Fallback::Value("\"1 min\""),
                example: "\"1 min\"",
                meaning: "Until a reply must have come; 10 minutes at the most.",
                why: "The MTA is on the same host.",
                keys: &[],
            },
        ],
    ),
    (
        "[notices]",
        "What people inside are told by mail, as that a forward was stopped. The whole table may be absent.",
        &[
            Key {
                name: "from",
                kind: "mailbox inside",
                default: Fallback::Found("postmaster at the first of organisation.domains"),
                example: "\"it-support@exempelby.se\"",
                meaning: "In whose name notices are written.",
                why: "Every domain has a postmaster.",
                keys: &[],
            },
            Key {
                name: "templates",
                kind: "table",
                default: Fallback::Off,
                example: "{ forward-stopped = \"templates/forward-stopped.txt\" }",
                meaning: "Files with texts of your own.",
                why: "Without them the texts that come with the program are sent.",
                keys: NOTICES,
            },
        ],
    ),
];

const NOTICES: &[Key] = &[
    Key {
        name: "forward-stopped",
        kind: "file",
        default: Fallback::Found(
            "the text that comes with the program, config/templates/forward-stopped.txt",
        ),
        example: "\"templates/forward-stopped.txt\"",
        meaning: "To the owner of a mailbox whose automatic forward was stopped.",
        why: "Most organisations can send it as it is.",
        keys: &[],
    },
    Key {
        name: "exception-ended",
        kind: "file",
        default: Fallback::Found(
            "the text that comes with the program, config/templates/exception-ended.txt",
        ),
        example: "\"templates/exception-ended.txt\"",
        meaning: "To whoever approved an exception for a forward, when something is stopped because it has ended.",
        why: "Most organisations can send it as it is.",
        keys: &[],
    },
];

const LISTEN: &[Key] = &[
    Key {
        name: "address",
        kind: "address",
        default: Fallback::Required,
        example: "\"inet:127.0.0.1:8892\"",
        meaning: "The socket's address.",
        why: "There is no socket without one.",
        keys: &[],
    },
    Key {
        name: "direction",
        kind: "inbound, outbound, internal",
        default: Fallback::Found("worked out for each mail"),
        example: "\"outbound\"",
        meaning: "The direction of all mail that comes through this socket.",
        why: "Client, login and recipients tell it for most mail; where an smtpd has one purpose it is surer to say so.",
        keys: &[],
    },
];

/// Of every rule.
pub(super) const MODE: Key = Key {
    name: "mode",
    kind: "off, observe, enforce",
    default: Fallback::Required,
    example: "\"enforce\"",
    meaning: "off: not asked. observe: the log says what would have happened, and no mail is changed. enforce: it happens. Begin with observe.",
    why: "Whether a rule acts is not to depend on a default.",
    keys: &[],
};

/// Of every rule.
pub(super) const ON_UNKNOWN: Key = Key {
    name: "on_unknown",
    kind: "accept, hold, tempfail",
    default: Fallback::Value("\"accept\""),
    example: "\"accept\"",
    meaning: "What becomes of a mail about which the rule could not tell.",
    why: "Mail that is stopped because something is out of order harms more than one that a rule missed; the log says which it was.",
    keys: &[],
};

/// Of rules with the menu `Content`.
pub(super) const CONTENT: &[Key] = &[Key {
    name: "action",
    kind: "mark, hold, reject",
    default: Fallback::Value("\"mark\""),
    example: "\"mark\"",
    meaning: "What becomes of a mail that the rule finds: it passes with a header, waits in the queue for a person, or is refused.",
    why: "A mark loses nothing and delays nothing.",
    keys: &[],
}];

/// Of rules with the menu `Forward`.
pub(super) const FORWARD: &[Key] = &[
    Key {
        name: "action",
        kind: "hold, reroute, remove-recipient, reject",
        default: Fallback::Value("\"hold\""),
        example: "\"hold\"",
        meaning: "What becomes of a forward: it waits in the queue for a person, goes to reroute_to instead, loses its external recipients, or is refused. It is refused only where the forwarder itself gets the bounce; else it is rerouted or held.",
        why: "A held mail can still become any of the others.",
        keys: &[],
    },
    STRONG,
    Key {
        name: "private_domains",
        kind: "file",
        default: Fallback::Found("the list that comes with the program, config/private-domains.txt"),
        example: "\"private-domains.txt\"",
        meaning: "The domains of providers of private mail, one on each line; a name that does not begin with / is taken from where the config is.",
        why: "The list is long, and the same for everyone.",
        keys: &[],
    },
    Key {
        name: "private",
        kind: "table",
        default: Fallback::Off,
        example: "{ action = \"hold\", strong = \"record\" }",
        meaning: "What is otherwise for targets at those providers.",
        why: "Without it they are treated as every other target.",
        keys: PRIVATE,
    },
    Key {
        name: "notify",
        kind: "owner, nobody",
        default: Fallback::Value("\"owner\""),
        example: "\"owner\"",
        meaning: "Who is told that a forward was stopped: whose mailbox it is, once a day for each target, if there is an [smtp] to send it by. A forward that is refused is told by the bounce.",
        why: "A forward that is stopped in silence looks like lost mail.",
        keys: &[],
    },
    Key {
        name: "reroute_to",
        kind: "mailbox inside",
        default: Fallback::Off,
        example: "\"registrator@exempelby.se\"",
        meaning: "Where rerouted mail goes. Needed for action = \"reroute\", and used by the others where no recipient would remain.",
        why: "Only the organisation knows who may read such mail.",
        keys: &[],
    },
    Key {
        name: "exceptions",
        kind: "tables",
        default: Fallback::Off,
        example: "",
        meaning: "A forward that is allowed: from one mailbox to one target, by a decision, until a day. After that day it no longer holds and `postvakt check` says so; it also says so 30 days before.",
        why: "The documents allow exceptions by decision only.",
        keys: EXCEPTION,
    },
];

const STRONG: Key = Key {
    name: "strong",
    kind: "record, mark, stop",
    default: Fallback::Value("\"record\""),
    example: "\"record\"",
    meaning: "What becomes of a mail that is more likely a forward than not: a line in the log, a header field too, or what becomes of one that certainly is.",
    why: "Nobody is to be stopped for what only looks like a forward.",
    keys: &[],
};

const PRIVATE: &[Key] = &[
    Key {
        name: "action",
        kind: "hold, reroute, remove-recipient, reject",
        default: Fallback::Found("that of the rule"),
        example: "\"hold\"",
        meaning: "What becomes of a forward to a private mailbox.",
        why: "One rule for all is the plainest.",
        keys: &[],
    },
    Key { default: Fallback::Found("that of the rule"), ..STRONG },
];

const EXCEPTION: &[Key] = &[
    Key {
        name: "mailbox",
        kind: "mailbox inside",
        default: Fallback::Required,
        example: "\"anna@exempelby.se\"",
        meaning: "Whose mail may be forwarded.",
        why: "A decision is about someone.",
        keys: &[],
    },
    Key {
        name: "to",
        kind: "external address or @domain",
        default: Fallback::Required,
        example: "\"arkiv@leverantor.se\"",
        meaning: "Where to: one address, or every address at a domain.",
        why: "A decision is about a receiver.",
        keys: &[],
    },
    Key {
        name: "decision",
        kind: "text",
        default: Fallback::Required,
        example: "\"KS 2026/123\"",
        meaning: "The reference of the decision.",
        why: "An exception that nobody decided is a breach.",
        keys: &[],
    },
    Key {
        name: "approved_by",
        kind: "text",
        default: Fallback::Off,
        example: "\"kommundirektören\"",
        meaning: "Who took the decision. If that is a mailbox inside, it is told once when something is stopped because the exception has ended.",
        why: "The decision itself says it.",
        keys: &[],
    },
    Key {
        name: "until",
        kind: "date",
        default: Fallback::Required,
        example: "2027-06-30",
        meaning: "The last day on which it holds.",
        why: "An exception without an end is never looked at again.",
        keys: &[],
    },
];
