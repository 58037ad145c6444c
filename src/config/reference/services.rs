//! The keys of sender authentication, DNS and scanners, and of the rules that only mark.

#![deny(clippy::disallowed_methods)]

use super::keys::ON_UNKNOWN;
use crate::settings::{Fallback, Key};

/// The tables, as header, purpose and keys.
pub(super) const SERVICES: &[(&str, &str, &[Key])] = &[
    (
        "[authentication]",
        "SPF, DKIM, DMARC and ARC for inbound mail. If this table exists, all inbound mail is checked and gets an Authentication-Results field. Otherwise mail is checked only if a rule requires it.",
        &[
            Key {
                name: "authserv_id",
                kind: "host name",
                default: Fallback::Found("the host's name"),
                example: "\"mx.exempelby.se\"",
                meaning: "Name of this gateway in Authentication-Results (RFC 8601). Inbound fields that already carry this name are removed. All your gateways should use the same name.",
                why: "Other hosts know the gateway by this name.",
                keys: &[],
            },
            Key {
                name: "trusted_sealers",
                kind: "list of domains",
                default: Fallback::Off,
                example: "[\"lists.example.org\"]",
                meaning: "Domains whose ARC seals are trusted, such as mailing lists. A DMARC failure is ignored if a trusted ARC sealer reports that DMARC passed when it received the message. \"*.example.org\" matches every subdomain.",
                why: "Anyone can seal. A valid chain proves who made a statement, not that it is true.",
                keys: &[],
            },
        ],
    ),
    (
        "[postfix]",
        "Postfix's own log. If this table exists, the server follows the log, and `log show`, `log search --status`, exports and reports tell what became of mail after it was accepted: delivered, deferred, bounced, by which next hop and with which TLS. Optional; a change takes effect at the next start.",
        &[Key {
            name: "log",
            kind: "path of a file, or journal",
            default: Fallback::Required,
            example: "\"/var/log/mail.log\"",
            meaning: "Where Postfix of this host writes its log: a file of syslog or Postfix's maillog_file, also through rotation; or `journal`, systemd's journal. The server must be allowed to read it (a file: group adm on Debian; the journal: the drop-in config/systemd/postvakt.service.d/journal.conf). Set `smtp_tls_loglevel = 1` in main.cf, so that the log has the TLS of deliveries.",
            why: "A table without a log means nothing.",
            keys: &[],
        }],
    ),
    (
        "[dns]",
        "DNS resolvers for SPF, DKIM, DMARC and ARC. Optional. Default: the system's resolvers.",
        &[Key {
            name: "servers",
            kind: "list of IP or IP:port",
            default: Fallback::Required,
            example: "[\"127.0.0.1:53\"]",
            meaning: "Resolvers. A resolver on this host is best.",
            why: "A table without servers means nothing.",
            keys: &[],
        }],
    ),
    (
        "[ocr]",
        "OCR: text in pictures. A PDF or a picture that is `image-only` is given to tesseract, and the recognised text is searched like other text. Optional; without this table such a document is unreadable, and `on_unknown` of the rules applies.",
        &[
            Key {
                name: "tesseract",
                kind: "path of a program",
                default: Fallback::Required,
                example: "\"/usr/bin/tesseract\"",
                meaning: "Path of tesseract, version 4 or newer (Debian packages tesseract-ocr and tesseract-ocr-swe). It runs in a confined process.",
                why: "OCR takes up to seconds of CPU time per page, so that it is off unless you enable it.",
                keys: &[],
            },
            Key {
                name: "pdftoppm",
                kind: "path of a program",
                default: Fallback::Text("/usr/bin/pdftoppm"),
                example: "\"/usr/bin/pdftoppm\"",
                meaning: "Path of pdftoppm (Debian package poppler-utils), which renders the pages of a PDF. It runs in a confined process.",
                why: "Debian installs it there.",
                keys: &[],
            },
            Key {
                name: "languages",
                kind: "names with + between",
                default: Fallback::Text("swe+eng"),
                example: "\"swe+eng\"",
                meaning: "Languages of the text, by tesseract's names. Each must be installed.",
                why: "Most scanned text is in Swedish or English.",
                keys: &[],
            },
        ],
    ),
    (
        "[scanners.rspamd]",
        "rspamd's normal worker, used by the rule `spam`. Optional.",
        &[ADDRESS_RSPAMD, DEADLINE, SIZE],
    ),
    (
        "[scanners.spamassassin]",
        "SpamAssassin's spamd, used by the rule `spam`. Optional.",
        &[
            Key { example: "\"127.0.0.1:783\"", meaning: "Where spamd listens.", ..ADDRESS_RSPAMD },
            DEADLINE,
            Key {
                default: Fallback::Text("2 MB"),
                example: "\"2 MB\"",
                why: "spamd needs seconds for each MB, and spam is small.",
                ..SIZE
            },
        ],
    ),
    (
        "[scanners.clamav]",
        "ClamAV's clamd. Required if the rule `virus` is enabled.",
        &[
            Key {
                example: "\"unix:/run/clamav/clamd.ctl\"",
                meaning: "Where clamd listens.",
                ..ADDRESS_RSPAMD
            },
            DEADLINE,
            Key {
                meaning: "Size limit. Larger messages are not scanned; `on_unknown` decides about them. StreamMaxLength in clamd.conf must be at least as large.",
                ..SIZE
            },
        ],
    ),
    (
        "[scanners.upstream]",
        "Your own spam filter in front of this gateway. Optional.",
        &[Key {
            name: "clients",
            kind: "list of networks",
            default: Fallback::Required,
            example: "[\"198.51.100.25/32\"]",
            meaning: "Hosts of that filter. Their X-Spam-Status, X-Spam-Flag and X-Spam fields are trusted and kept. Their mail gets no SPF check, since SPF would judge the filter. Their mail to people inside is inbound, even if they are listed in organisation.internal_networks.",
            why: "Only named hosts are trusted.",
            keys: &[],
        }],
    ),
];

const ADDRESS_RSPAMD: Key = Key {
    name: "address",
    kind: "IP:port or unix:/path",
    default: Fallback::Required,
    example: "\"127.0.0.1:11333\"",
    meaning: "Where rspamd listens.",
    why: "A scanner needs an address.",
    keys: &[],
};

const DEADLINE: Key = Key {
    name: "deadline",
    kind: "time span, at most 80 s",
    default: Fallback::Text("10 s"),
    example: "\"10 s\"",
    meaning: "Timeout. All scanners run at the same time.",
    why: "Mail waits for it. With Postfix's milter_content_timeout (default 300 s) there is time left for the rest.",
    keys: &[],
};

const SIZE: Key = Key {
    name: "size_at_most",
    kind: "size",
    default: Fallback::Text("25 MB"),
    example: "\"25 MB\"",
    meaning: "Size limit. Larger messages are not scanned, and a header field says so.",
    why: "It is clamd's limit in Debian.",
    keys: &[],
};

/// Of rules with the menu `Virus`.
pub(super) const VIRUS: &[Key] = &[Key {
    name: "action",
    kind: "hold, reject",
    default: Fallback::Text("hold"),
    example: "\"hold\"",
    meaning: "Action on a virus. `hold`: the mail waits in Postfix's hold queue. `reject`: the mail is rejected with 550.",
    why: "A held mail can be examined, and still be rejected.",
    keys: &[],
}];

/// Of rules with the menu `Virus`.
pub(super) const ON_UNKNOWN_VIRUS: Key = Key {
    default: Fallback::Text("tempfail"),
    example: "\"tempfail\"",
    meaning: "Action if a mail was not scanned, or not completely. `accept`: the mail passes. `hold`: the mail waits in Postfix's hold queue. `tempfail`: the mail is deferred with 451.",
    why: "The sending server keeps the mail and tries again. An unscanned virus would be opened.",
    ..ON_UNKNOWN
};

/// Of rules with the menu `Sender`.
pub(super) const SENDER: &[Key] = &[
    Key {
        name: "action",
        kind: "mark, hold",
        default: Fallback::Text("mark"),
        example: "\"mark\"",
        meaning: "Action on a match. `mark`: the mail passes with a header field. `hold`: the mail waits in Postfix's hold queue.",
        why: "A sender who is told can do better next time.",
        keys: &[],
    },
    Key {
        name: "notify",
        kind: "sender, nobody",
        default: Fallback::Text("sender"),
        example: "\"sender\"",
        meaning: "Who is told. `sender`: the sender. `nobody`: log only. Requires [smtp].",
        why: "A rule that tells no one changes nothing.",
        keys: &[],
    },
];

/// Of rules with the menu `Mark`.
pub(super) const MARK: &[Key] = &[MARK_TAG, MARK_HEADERS_ONLY];

const MARK_TAG: Key = Key {
    name: "subject_tag",
    kind: "text, at most 40 characters",
    default: Fallback::Off,
    example: "\"[MISSTÄNKT]\"",
    meaning: "Text put before the subject. By default, only header fields mark the mail.",
    why: "Everyone sees a changed subject, and the sender's signature no longer covers it.",
    keys: &[],
};

const MARK_HEADERS_ONLY: Key = Key {
    meaning: "Mailboxes whose mail keeps its subject and is marked by header fields only. A mail to several recipients keeps its subject if one of them is listed. Requires `subject_tag`.",
    ..HEADERS_ONLY
};

/// Of rules with the menu `Attachment`.
pub(super) const ATTACHMENT: &[Key] = &[
    Key {
        name: "action",
        kind: "mark, hold",
        default: Fallback::Text("mark"),
        example: "\"mark\"",
        meaning: "Action on a match. `mark`: the mail passes with a header field. `hold`: the mail waits in Postfix's hold queue.",
        why: "A mark delays nothing. There is no `reject`: the mail may be a public record.",
        keys: &[],
    },
    Key {
        name: "notify",
        kind: "list of `sender`, `owner` and mailboxes inside",
        default: Fallback::Found("`[\"owner\"]` with `hold`, nobody with `mark`"),
        example: "[\"owner\", \"it-support@exempelby.se\"]",
        meaning: "Who is told: `owner` is the mailboxes inside that the mail is for, `sender` its sender if the mail comes from inside. They are told of each held mail, and of marked mail once a day. Requires [smtp].",
        why: "A person who waits for a mail can ask for it.",
        keys: &[],
    },
    MARK_TAG,
    MARK_HEADERS_ONLY,
];

/// Of rules with the menu `Attachment`.
pub(super) const ON_UNKNOWN_ATTACHMENT: Key = Key {
    name: "on_unknown",
    kind: "accept, hold",
    default: Fallback::Text("accept"),
    example: "\"accept\"",
    meaning: "Action if an archive hides its files: it is damaged, encrypted with its names, or over a limit. `accept`: the mail passes. `hold`: the mail waits in Postfix's hold queue.",
    why: "Most such archives are harmless. The log says which mail was not checked.",
    keys: &[],
};

/// Of rules with the menu `Spam`.
pub(super) const SPAM: &[Key] = &[
    Key {
        name: "subject_tag",
        kind: "text, at most 40 characters",
        default: Fallback::Text("[…SPAM?...]"),
        example: "\"[…SPAM?...]\"",
        meaning: "Text put before the subject of spam.",
        why: "Västerås' guidelines use exactly this tag.",
        keys: &[],
    },
    HEADERS_ONLY,
];

const HEADERS_ONLY: Key = Key {
    name: "headers_only",
    kind: "list of mailboxes or @domains inside",
    default: Fallback::Off,
    example: "[\"it@exempelby.se\"]",
    meaning: "Mailboxes whose mail keeps its subject and is marked by header fields only. A mail to several recipients keeps its subject if one of them is listed.",
    why: "Most people see only the subject of a mail.",
    keys: &[],
};
