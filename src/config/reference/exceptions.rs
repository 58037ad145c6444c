//! The keys of groups and of a rule's exceptions, as data.

#![deny(clippy::disallowed_methods)]

use crate::rules::{Flow, Spec};
use crate::settings::{Fallback, Key};

/// What `[groups.<name>]` is for.
pub(super) const GROUPS_ABOUT: &str = "A group of addresses. Exceptions, `headers_only`, and the mailboxes of retention, minimising and disclosure can name it as \"group:NAME\". `members`, `file` and `ldap` add up.";

/// Of `[groups.<name>]`.
pub(super) const GROUP: &[Key] = &[
    Key {
        name: "members",
        kind: "list of addresses, @domains, or groups",
        default: Fallback::Off,
        example: "[\"anna@exempelby.se\", \"@hr.exempelby.se\"]",
        meaning: "Members of the group. \"@exempelby.se\" is every address of that domain, \"@*.exempelby.se\" of every domain below it, and \"group:NAME\" every member of another group.",
        why: "A group needs members, here or in a file.",
        keys: &[],
    },
    Key {
        name: "file",
        kind: "file",
        default: Fallback::Off,
        example: "\"groups/hr.txt\"",
        meaning: "File with members: one address or @domain per line, comments after `#`; at most 100,000 entries and 16 MiB. It is read at each start and reload. Errors name the file's line.",
        why: "Long lists come from other systems.",
        keys: &[],
    },
    Key {
        name: "ldap",
        kind: "table",
        default: Fallback::Off,
        example: "{ servers = [\"ldaps://dc1.exempelby.se\"], base = \"DC=exempelby,DC=se\", filter = \"(memberOf=CN=HR,OU=Grupper,DC=exempelby,DC=se)\" }",
        meaning: "LDAP directory, such as Active Directory, that knows the members. All members are asked for at once and remembered. What is about the log cannot name such a group, because the directory does not know who was a member before. Mail does not wait for the directory, except for the first answer. It can also be written as a table [groups.NAME.ldap].",
        why: "Most organisations keep their groups in a directory.",
        keys: LDAP,
    },
];

const LDAP: &[Key] = &[
    Key {
        name: "servers",
        kind: "list of addresses",
        default: Fallback::Required,
        example: "[\"ldaps://dc1.exempelby.se\", \"ldaps://dc2.exempelby.se\"]",
        meaning: "Servers, as ldaps://host or ldap://host, with :port if it is not 636 or 389. The next one is asked if one does not answer.",
        why: "Only you know them.",
        keys: &[],
    },
    Key {
        name: "start_tls",
        kind: "true, false",
        default: Fallback::Flag(true),
        example: "true",
        meaning: "Whether a connection to ldap:// is encrypted by StartTLS. `false` is possible for a server on this host only.",
        why: "Otherwise, anybody on the network could read the password and make up members.",
        keys: &[],
    },
    Key {
        name: "ca_file",
        kind: "absolute path",
        default: Fallback::Found("the certificates of the system"),
        example: "\"/etc/postvakt/ad-ca.pem\"",
        meaning: "File with the certificates (PEM) that vouch for the servers. No others are then believed.",
        why: "Many directories have certificates of the organisation's own.",
        keys: &[],
    },
    Key {
        name: "bind_dn",
        kind: "text",
        default: Fallback::Found("anonymous"),
        example: "\"CN=postvakt,OU=Tjänster,DC=exempelby,DC=se\"",
        meaning: "Name of the account that asks. It needs to read the attributes below, and nothing else. Requires `password_file`.",
        why: "Only you know it.",
        keys: &[],
    },
    Key {
        name: "password_file",
        kind: "absolute path",
        default: Fallback::Off,
        example: "\"/etc/postvakt/ldap-password\"",
        meaning: "File with the password of the account, on one line. Only its owner may read it, and its group if root owns it. It is read at each request and is not part of the config's hash.",
        why: "A password does not belong in the config.",
        keys: &[],
    },
    Key {
        name: "base",
        kind: "text",
        default: Fallback::Required,
        example: "\"DC=exempelby,DC=se\"",
        meaning: "Where the search begins; everything below it is searched.",
        why: "Only you know it.",
        keys: &[],
    },
    Key {
        name: "filter",
        kind: "LDAP filter",
        default: Fallback::Required,
        example: "\"(memberOf=CN=HR,OU=Grupper,DC=exempelby,DC=se)\"",
        meaning: "Who is a member (RFC 4515). For groups within groups, Active Directory has (memberOf:1.2.840.113556.1.4.1941:=…).",
        why: "Directories name groups in different ways.",
        keys: &[],
    },
    Key {
        name: "attributes",
        kind: "list of texts",
        default: Fallback::Texts(&["mail", "proxyAddresses"]),
        example: "[\"mail\", \"proxyAddresses\"]",
        meaning: "Attributes with the members' addresses. A value may begin with smtp:; values that are no mail addresses are ignored.",
        why: "These are the ones of Active Directory and of most other directories.",
        keys: &[],
    },
    Key {
        name: "refresh",
        kind: "time span",
        default: Fallback::Text("15 min"),
        example: "\"15 min\"",
        meaning: "How old the members may be until they are asked for again.",
        why: "Who joins a group can expect to be in it after a coffee.",
        keys: &[],
    },
    Key {
        name: "keep",
        kind: "time span",
        default: Fallback::Text("1 d"),
        example: "\"1 d\"",
        meaning: "How old the members may be if the directory does not answer; at most 30 days. After that, it is unknown who is a member, and `on_unknown` of the rule applies.",
        why: "A directory that is away for a night stops no mail.",
        keys: &[],
    },
    Key {
        name: "deadline",
        kind: "time span",
        default: Fallback::Text("5 s"),
        example: "\"5 s\"",
        meaning: "How long a mail waits, at most, if no members are known yet; at most 30 s.",
        why: "A directory answers within a second.",
        keys: &[],
    },
];

/// The exceptions of a rule, those of forwards excepted.
pub(super) fn exceptions(spec: &Spec) -> Key {
    match (spec.flow, spec.menu.protects_persons()) {
        (_, true) => EXCEPTIONS,
        (Flow::All, false) => Key { keys: OF_ALL, ..EXCEPTIONS },
        (Flow::FromInside, false) => Key { keys: OF_INSIDE, ..EXCEPTIONS },
        (Flow::FromOutside, false) => Key { keys: OF_OUTSIDE, ..EXCEPTIONS },
    }
}

const EXCEPTIONS: Key = Key {
    name: "exceptions",
    kind: "tables",
    default: Fallback::Off,
    example: "",
    meaning: "An exception: mail for which the rule does not hold. It covers mail that fits every key that is set. A finding has no effect if exceptions cover all recipients that it is about; the log names them. `postvakt check` warns from 30 days before the end of an exception.",
    why: "Without exceptions, the only way to help one sender is to disable the rule.",
    keys: OF_PERSONS,
};

const SENDER: Key = Key {
    name: "sender",
    kind: "list of addresses, @domains, or groups",
    default: Fallback::Off,
    example: "[\"anna@exempelby.se\", \"group:hr\"]",
    meaning: "Envelope sender, if it is confirmed: an address inside only on mail from inside, an address outside only on mail from outside, if SPF passes for its domain, or if it is the author too and counts as under `author`.",
    why: "Anybody can write any sender into a mail.",
    keys: &[],
};

const AUTHOR: Key = Key {
    name: "author",
    kind: "list of addresses, @domains, or groups",
    default: Fallback::Off,
    example: "[\"anna@exempelby.se\", \"group:hr\"]",
    meaning: "Author in From, if there is one author and it is confirmed: an address inside only if the envelope sender is the same mailbox and the mail comes from inside, an address outside only if DMARC passes for it, or SPF or DKIM where its domain has no DMARC record.",
    why: "Anybody can write any author into a mail.",
    keys: &[],
};

const MAILBOX: Key = Key {
    name: "mailbox",
    kind: "list of mailboxes inside, @domains, or groups",
    default: Fallback::Off,
    example: "[\"anna@exempelby.se\", \"group:hr\"]",
    meaning: "Mailbox inside that sends the mail or is a recipient of it. A sender counts as under `sender`.",
    why: "An exception for a person is often about both directions.",
    keys: &[],
};

const RECIPIENT: Key = Key {
    name: "recipient",
    kind: "list of addresses, @domains, or groups",
    default: Fallback::Off,
    example: "[\"@regionen.example\"]",
    meaning: "Envelope recipient. Other recipients of the mail are not covered.",
    why: "A mail to several recipients passes only if all of them are meant.",
    keys: &[],
};

const CLIENT: Key = Key {
    name: "client",
    kind: "list of networks",
    default: Fallback::Off,
    example: "[\"10.0.3.7/32\"]",
    meaning: "Network of the host that hands in the mail, as address/length.",
    why: "The address of a host cannot be forged. A system that sends in other people's names is best named by it.",
    keys: &[],
};

const DECISION: Key = Key {
    name: "decision",
    kind: "text",
    default: Fallback::Off,
    example: "\"KS 2026/123\"",
    meaning: "Reference of the decision. The log shows it with each finding that the exception covers.",
    why: "Not every exception needs one.",
    keys: &[],
};

const APPROVED_BY: Key = Key {
    name: "approved_by",
    kind: "text",
    default: Fallback::Off,
    example: "\"kommundirektören\"",
    meaning: "Who approved the exception.",
    why: "The decision itself says it.",
    keys: &[],
};

const UNTIL: Key = Key {
    name: "until",
    kind: "date",
    default: Fallback::Off,
    example: "2027-06-30",
    meaning: "Last day of the exception.",
    why: "Not every exception ends.",
    keys: &[],
};

const OF_ALL: &[Key] = &[SENDER, AUTHOR, MAILBOX, RECIPIENT, CLIENT, DECISION, APPROVED_BY, UNTIL];

const OF_INSIDE: &[Key] = OF_ALL;

const OF_OUTSIDE: &[Key] = &[
    Key { example: "[\"@leverantor.se\"]", ..SENDER },
    Key { example: "[\"@leverantor.se\"]", ..AUTHOR },
    MAILBOX,
    Key { example: "[\"registrator@exempelby.se\"]", ..RECIPIENT },
    Key { example: "[\"198.51.100.0/24\"]", ..CLIENT },
    DECISION,
    APPROVED_BY,
    UNTIL,
];

const OF_PERSONS: &[Key] = &[
    SENDER,
    AUTHOR,
    MAILBOX,
    RECIPIENT,
    CLIENT,
    Key { default: Fallback::Required, why: "Data of persons may pass only by a decision.", ..DECISION },
    Key { default: Fallback::Required, why: "Somebody must answer for it.", ..APPROVED_BY },
    Key { default: Fallback::Required, why: "A permanent need calls for a permanent solution.", ..UNTIL },
];
