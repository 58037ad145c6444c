//! The keys of the config as data: meaning, default and reason.

#![deny(clippy::disallowed_methods)]

use super::notices::NOTICES;
use crate::settings::{Fallback, Key};

/// The tables that every config has, as header, purpose and keys.
pub(super) const TABLES: &[(&str, &str, &[Key])] = &[
    (
        "[organisation]",
        "Your organisation. Its domains and networks decide the direction of a mail. A sender is inside if the client is in `internal_networks` or has authenticated (SASL); a recipient is inside if the address is in `domains`. Inbound: from a sender outside. Outbound: from a sender inside, with at least one recipient outside. Internal: from a sender inside, with recipients inside only.",
        &[
            Key {
                name: "name",
                kind: "text",
                default: Fallback::Required,
                example: "\"Exempelby kommun\"",
                meaning: "Name of the organisation, as people know it. Receipts and notices use it.",
                why: "Only you know it.",
                keys: &[],
            },
            Key {
                name: "domains",
                kind: "list of domains",
                default: Fallback::Required,
                example: "[\"exempelby.se\"]",
                meaning: "Mail domains of the organisation. Addresses in these domains are inside, all others are outside. \"*.exempelby.se\" matches every subdomain of exempelby.se, but not exempelby.se itself.",
                why: "Every rule depends on it, and a wrong guess would go unnoticed.",
                keys: &[],
            },
            Key {
                name: "routing_domains",
                kind: "list of domains",
                default: Fallback::Texts(&[]),
                example: "[\"exempelbykommun.onmicrosoft.com\", \"exempelbykommun.mail.onmicrosoft.com\"]",
                meaning: "Domains that Exchange Online or a hybrid Exchange uses to route mail to your mailboxes, such as the onmicrosoft.com names of your tenant. Addresses in them are inside; anna@ there is the same mailbox as anna@ in the first of `domains`. Notices are never sent from these domains, and `lookalike-sender` does not compare senders with them.",
                why: "Exchange writes these addresses into its own header fields and sends mail for cloud mailboxes to them. If they are missing here, such mail looks outbound, and Postvakt cannot tell which mailbox a forward belongs to.",
                keys: &[],
            },
            Key {
                name: "internal_networks",
                kind: "list of networks",
                default: Fallback::Texts(&["127.0.0.0/8", "::1/128"]),
                example: "[\"127.0.0.0/8\", \"::1/128\", \"10.0.0.0/8\"]",
                meaning: "Networks of the organisation's own mail servers and devices, as address/length. Mail from a client in these networks comes from inside.",
                why: "The default is this host. Only you know which other hosts are yours.",
                keys: &[],
            },
            Key {
                name: "time_zone",
                kind: "IANA name",
                default: Fallback::Text("Europe/Stockholm"),
                example: "\"Europe/Stockholm\"",
                meaning: "Time zone of local times in the log, and of the dates on which exceptions end.",
                why: "Decisions of a Swedish authority count in Swedish days, whatever the time zone of the host.",
                keys: &[],
            },
        ],
    ),
    (
        "[server]",
        "Sockets, memory and this node's name.",
        &[
            Key {
                name: "listen",
                kind: "list of addresses or tables",
                default: Fallback::Required,
                example: "[\"unix:/run/postvakt/milter.sock\", \"inet:127.0.0.1:8891\"]",
                meaning: "Sockets that the MTA connects to, written as in Postfix's smtpd_milters: unix:/path or inet:IP:port. Use a table if all mail through a socket has the same direction.",
                why: "It must match smtpd_milters in main.cf.",
                keys: LISTEN,
            },
            Key {
                name: "metrics",
                kind: "IP:port",
                default: Fallback::Off,
                example: "\"127.0.0.1:9891\"",
                meaning: "Address of the HTTP server for /metrics, /livez and /readyz.",
                why: "Postvakt opens no port that you did not ask for.",
                keys: &[],
            },
            Key {
                name: "memory",
                kind: "size",
                default: Fallback::Found(
                    "a quarter of the machine's memory, or of the limit of its control group",
                ),
                example: "\"1 GiB\"",
                meaning: "Memory limit for messages in progress and for what is extracted from them; at least 512 MiB. A message that does not fit waits for up to one minute and is then deferred with 452 4.3.1. The document workers use up to 320 MiB more for each processor core.",
                why: "Senders cannot make the host run out of memory.",
                keys: &[],
            },
            Key {
                name: "node",
                kind: "letters, digits, `-`",
                default: Fallback::Found("the first label of the host's name"),
                example: "\"gw1\"",
                meaning: "Name of this node in record ids. Each node needs its own.",
                why: "Host names already differ.",
                keys: &[],
            },
        ],
    ),
    (
        "[store]",
        "The log on disk.",
        &[
            Key {
                name: "directory",
                kind: "absolute path",
                default: Fallback::Required,
                example: "\"/var/lib/postvakt\"",
                meaning: "Directory of the log. It must be on a local disk, never on a network file system.",
                why: "Where public records are kept is your decision.",
                keys: &[],
            },
            Key {
                name: "on_failure",
                kind: "tempfail",
                default: Fallback::Text("tempfail"),
                example: "\"tempfail\"",
                meaning: "Action if the record of a mail cannot be stored. The mail is deferred with 451, and the sending server tries again. There is no other value.",
                why: "An accepted mail would leave no trace, and a rejected one would be lost.",
                keys: &[],
            },
            Key {
                name: "attachments",
                kind: "nested | outer",
                default: Fallback::Text("nested"),
                example: "\"nested\"",
                meaning: "Attachment names to record. `nested`: also the names of files inside archives. `outer`: only the attachments of the message itself.",
                why: "People search the log by the name of a file, whether it was packed or not.",
                keys: &[],
            },
        ],
    ),
    (
        "[[store.retention]]",
        "How long the log keeps the records of one authority. Nothing is deleted automatically: `postvakt log retention run --decision REF` deletes what is due. Records that no table covers are kept.",
        &[
            Key {
                name: "authority",
                kind: "text",
                default: Fallback::Required,
                example: "\"Socialnämnden\"",
                meaning: "Name of the authority.",
                why: "Each board is an authority of its own and takes its own decision.",
                keys: &[],
            },
            Key {
                name: "mailboxes",
                kind: "list of addresses, @domains, or *",
                default: Fallback::Required,
                example: "[\"@socialen.exempelby.se\", \"anna@exempelby.se\"]",
                meaning: "Mailboxes of the authority. \"*\" matches every mailbox that no earlier table names, and mail that has no mailbox inside as its sender or recipient. A record of several mailboxes is kept until the last of their periods has passed.",
                why: "Only you know whose records they are.",
                keys: &[],
            },
            Key {
                name: "keep",
                kind: "time span",
                default: Fallback::Required,
                example: "\"365 d\"",
                meaning: "Retention period, counted from the arrival of the mail.",
                why: "The law sets no number; the authority decides.",
                keys: &[],
            },
            Key {
                name: "decision",
                kind: "text",
                default: Fallback::Required,
                example: "\"SN 2026/45\"",
                meaning: "Reference of the retention decision.",
                why: "Public records may be destroyed only by decision.",
                keys: &[],
            },
        ],
    ),
    (
        "[store.minimise]",
        "Mail for which the log keeps no subject, no attachment names and no evidence. Optional.",
        &[
            Key {
                name: "mailboxes",
                kind: "list of addresses, @domains, or *",
                default: Fallback::Required,
                example: "[\"visselblasare@exempelby.se\"]",
                meaning: "Mailboxes whose mail is minimised, both sent and received.",
                why: "The log is a public record. What it does not contain cannot be disclosed.",
                keys: &[],
            },
            Key {
                name: "keep",
                kind: "nothing, hash",
                default: Fallback::Text("nothing"),
                example: "\"nothing\"",
                meaning: "What replaces each text. `nothing`: the text is lost. `hash`: a hash under the store's key, so that equal texts can be recognised.",
                why: "What is not stored cannot leak.",
                keys: &[],
            },
        ],
    ),
    (
        "[store.heads]",
        "Signed tree heads. They prove later that the log was not changed. Optional.",
        &[
            Key {
                name: "every",
                kind: "time span",
                default: Fallback::Text("5 min"),
                example: "\"5 min\"",
                meaning: "How often a tree head is signed, if there are new records. A head is also signed at the end of each day and month and when the server stops.",
                why: "An intruder on this host can change only records newer than the last head that was copied to another host.",
                keys: &[],
            },
            Key {
                name: "file",
                kind: "absolute path",
                default: Fallback::Off,
                example: "\"/mnt/other-host/postvakt-heads\"",
                meaning: "File that each head is appended to. Use a file on another host to which this host can append and nothing else.",
                why: "Only you know a place that this host's administrators cannot reach. If no copy exists, a restored older copy of the whole directory is not detected.",
                keys: &[],
            },
            Key {
                name: "mail",
                kind: "mailbox",
                default: Fallback::Off,
                example: "\"arkiv@exempelby.se\"",
                meaning: "Function mailbox that receives the newest heads by mail; `postvakt log verify --heads` reads the saved message. Requires [smtp].",
                why: "Choose a mailbox whose owner has no access to this host.",
                keys: &[],
            },
            Key {
                name: "mail_every",
                kind: "time span",
                default: Fallback::Text("1 d"),
                example: "\"1 d\"",
                meaning: "How often the heads are mailed, if there are new records. The first mail is sent after a start. Requires `mail`.",
                why: "One mail a day is still read. Newer records are proved by the other copies only.",
                keys: &[],
            },
            Key {
                name: "syslog",
                kind: "absolute path",
                default: Fallback::Off,
                example: "\"/dev/log\"",
                meaning: "Socket of the system log. Each head is written to it on one line; `postvakt log verify --heads` reads the log's files.",
                why: "This is a copy only if the system log is forwarded to another host.",
                keys: &[],
            },
            Key {
                name: "key",
                kind: "absolute path",
                default: Fallback::Found("heads.key in the log's directory, created at the first start"),
                example: "\"/run/credentials/postvakt.service/heads.key\"",
                meaning: "File with the private signing key, 32 random bytes.",
                why: "The default needs no preparation. A key passed in by systemd stays out of backups of the log.",
                keys: &[],
            },
        ],
    ),
    (
        "[disclosure]",
        "What the export profile `disclose` masks besides personnummer and samordningsnummer. Optional.",
        &[Key {
            name: "words",
            kind: "list of texts",
            default: Fallback::Texts(&[]),
            example: "[\"skyddad identitet\"]",
            meaning: "Words to mask wherever they occur in a record, in upper or lower case and also inside other words.",
            why: "Only you know which cases must not be disclosed. The export lists what was masked, for review.",
            keys: &[],
        }],
    ),
    (
        "[smtp]",
        "The SMTP server that delivers receipts and notices. Optional. Default: nothing is sent.",
        &[
            Key {
                name: "submit",
                kind: "loopback IP:port",
                default: Fallback::Required,
                example: "\"127.0.0.1:10026\"",
                meaning: "Loopback address of an smtpd that does not use this milter.",
                why: "Otherwise a receipt would pass through the filter that wrote it.",
                keys: &[],
            },
            Key {
                name: "retry",
                kind: "time span",
                default: Fallback::Text("30 s"),
                example: "\"30 s\"",
                meaning: "Pause after a failed delivery. Each later pause is twice as long, up to one hour.",
                why: "The MTA is on the same host, where most faults are short.",
                keys: &[],
            },
            Key {
                name: "max_age",
                kind: "time span",
                default: Fallback::Text("3 d"),
                example: "\"3 d\"",
                meaning: "How long delivery is tried, counted from the arrival of the mail; at most 14 days.",
                why: "It covers a weekend. A receipt that arrives later confuses people.",
                keys: &[],
            },
            Key {
                name: "timeout",
                kind: "time span",
                default: Fallback::Text("1 min"),
                example: "\"1 min\"",
                meaning: "Timeout for each SMTP reply; at most 10 minutes.",
                why: "The MTA is on the same host.",
                keys: &[],
            },
        ],
    ),
    (
        "[notices]",
        "Notices to people inside, for example that a forward was stopped. Requires [smtp]. Optional.",
        &[
            Key {
                name: "from",
                kind: "mailbox inside",
                default: Fallback::Found("postmaster at the first of organisation.domains"),
                example: "\"it-support@exempelby.se\"",
                meaning: "Sender address of notices.",
                why: "Every domain has a postmaster.",
                keys: &[],
            },
            Key {
                name: "templates",
                kind: "table",
                default: Fallback::Off,
                example: "{ forward-stopped = \"templates/forward-stopped.txt\" }",
                meaning: "Files with your own texts.",
                why: "The texts that come with Postvakt suit most organisations.",
                keys: NOTICES,
            },
        ],
    ),
];

const LISTEN: &[Key] = &[
    Key {
        name: "address",
        kind: "address",
        default: Fallback::Required,
        example: "\"inet:127.0.0.1:8892\"",
        meaning: "Address of the socket.",
        why: "A socket needs an address.",
        keys: &[],
    },
    Key {
        name: "direction",
        kind: "inbound, outbound, internal",
        default: Fallback::Found("determined for each mail"),
        example: "\"outbound\"",
        meaning: "Direction of all mail through this socket.",
        why: "Client address, SASL login and recipients tell the direction of most mail. For an smtpd with a single purpose, a fixed direction is safer.",
        keys: &[],
    },
];

/// Of every rule.
pub(super) const MODE: Key = Key {
    name: "mode",
    kind: "off, observe, enforce",
    default: Fallback::Required,
    example: "\"enforce\"",
    meaning: "`off`: the rule is disabled. `observe`: log only; the log says what the rule would have done. `enforce`: the rule acts. Start with `observe`.",
    why: "Whether a rule acts must not depend on a default. Without its table, a rule is disabled.",
    keys: &[],
};

/// Of every rule.
pub(super) const ON_UNKNOWN: Key = Key {
    name: "on_unknown",
    kind: "accept, hold, tempfail",
    default: Fallback::Text("accept"),
    example: "\"accept\"",
    meaning: "Action if the check could not be completed (scanner down, unreadable attachment, limit reached). `accept`: the mail passes. `hold`: the mail waits in Postfix's hold queue. `tempfail`: the mail is deferred with 451.",
    why: "A fault should not stop mail. The log says which mail was not checked.",
    keys: &[],
};

/// Of receipts.
pub(super) const ON_UNKNOWN_RECEIPT: Key = Key {
    meaning: "What happens to a mail if SPF, DKIM and DMARC could not be checked. `accept`: it passes without a receipt. `hold`: it waits in Postfix's hold queue. `tempfail`: it is deferred with 451, and gets its receipt when the check works again.",
    why: "A fault of the DNS should not stop mail. The log says which mail got no receipt.",
    ..ON_UNKNOWN
};

/// Of rules with the menu `Content`.
pub(super) const CONTENT: &[Key] = &[Key {
    name: "action",
    kind: "mark, hold, reject",
    default: Fallback::Text("mark"),
    example: "\"mark\"",
    meaning: "Action on a match. `mark`: the mail passes with a header field. `hold`: the mail waits in Postfix's hold queue. `reject`: the mail is rejected with 550.",
    why: "A mark loses nothing and delays nothing.",
    keys: &[],
}];

/// Of rules with the menu `Forward`.
pub(super) const FORWARD: &[Key] = &[
    Key {
        name: "action",
        kind: "hold, reroute, remove-recipient, reject",
        default: Fallback::Text("hold"),
        example: "\"hold\"",
        meaning: "Action for a certain forward. `hold`: the mail waits in Postfix's hold queue. `reroute`: it goes to `reroute_to` instead. `remove-recipient`: its external recipients are removed. `reject`: it is rejected with 550, but only if the forwarder itself gets the bounce; otherwise it is rerouted, or held if there is no `reroute_to`.",
        why: "A held mail can still be released, rerouted or rejected.",
        keys: &[],
    },
    STRONG,
    Key {
        name: "private_domains",
        kind: "file",
        default: Fallback::Found("the list that comes with Postvakt, config/private-domains.txt"),
        example: "\"private-domains.txt\"",
        meaning: "File with the domains of private mail providers, one per line. A relative path starts at the directory of the config.",
        why: "The list is long and the same for everyone.",
        keys: &[],
    },
    Key {
        name: "private",
        kind: "table",
        default: Fallback::Off,
        example: "{ action = \"hold\", strong = \"record\" }",
        meaning: "Other actions for forwards to these providers.",
        why: "By default, they are treated like all other targets.",
        keys: PRIVATE,
    },
    Key {
        name: "notify",
        kind: "owner, nobody",
        default: Fallback::Text("owner"),
        example: "\"owner\"",
        meaning: "Who is told that a forward was stopped. `owner`: the owner of the mailbox, once a day for each target. `nobody`: log only. Requires [smtp]. If the forward is rejected, the bounce tells them.",
        why: "A forward that stops silently looks like lost mail.",
        keys: &[],
    },
    Key {
        name: "reroute_to",
        kind: "mailbox inside",
        default: Fallback::Off,
        example: "\"registrator@exempelby.se\"",
        meaning: "Mailbox for rerouted mail. Required for `action = \"reroute\"`. With `remove-recipient` and `reject`, mail goes there if no recipient would remain; without it, such mail is held.",
        why: "Only you know who may read such mail.",
        keys: &[],
    },
    Key {
        name: "exceptions",
        kind: "tables",
        default: Fallback::Off,
        example: "",
        meaning: "A forward that is allowed by decision: from one mailbox to one target, until a date. `postvakt check` warns from 30 days before that date.",
        why: "The municipal guidelines allow exceptions only by decision.",
        keys: EXCEPTION,
    },
];

const STRONG: Key = Key {
    name: "strong",
    kind: "record, mark, stop",
    default: Fallback::Text("record"),
    example: "\"record\"",
    meaning: "Action for probable forwards. `record`: log only. `mark`: add a header field. `stop`: as for certain forwards.",
    why: "Mail should not be stopped on suspicion.",
    keys: &[],
};

const PRIVATE: &[Key] = &[
    Key {
        name: "action",
        kind: "hold, reroute, remove-recipient, reject",
        default: Fallback::Found("that of the rule"),
        example: "\"hold\"",
        meaning: "Action for forwards to private mail providers.",
        why: "One action for all targets is simplest.",
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
        meaning: "Mailbox whose mail may be forwarded.",
        why: "A decision is about one mailbox.",
        keys: &[],
    },
    Key {
        name: "to",
        kind: "external address or @domain",
        default: Fallback::Required,
        example: "\"arkiv@leverantor.se\"",
        meaning: "Target: one address, or every address in a domain.",
        why: "A decision is about one receiver.",
        keys: &[],
    },
    Key {
        name: "decision",
        kind: "text",
        default: Fallback::Required,
        example: "\"KS 2026/123\"",
        meaning: "Reference of the decision.",
        why: "A forward that was not decided is a breach.",
        keys: &[],
    },
    Key {
        name: "approved_by",
        kind: "text",
        default: Fallback::Off,
        example: "\"kommundirektören\"",
        meaning: "Who took the decision. A name, or a mailbox inside; a mailbox gets one notice when mail is stopped because the exception has ended.",
        why: "The decision itself says it.",
        keys: &[],
    },
    Key {
        name: "until",
        kind: "date",
        default: Fallback::Required,
        example: "2027-06-30",
        meaning: "Last day of the exception.",
        why: "An exception without an end is never reviewed.",
        keys: &[],
    },
];
