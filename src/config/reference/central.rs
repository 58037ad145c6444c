//! The keys of the central log.

#![deny(clippy::disallowed_methods)]

use crate::settings::{Fallback, Key};

/// `[central]`.
pub(super) const TABLES: &[(&str, &str, &[Key])] = &[(
    "[central]",
    "A PostgreSQL to which every gateway sends its log (docs/central.md). Mail never waits for it. Optional; without the table nothing is sent. A change takes effect at the next start.",
    &[
        Key {
            name: "url",
            kind: "postgresql URL",
            default: Fallback::Required,
            example: "\"postgresql://db1.exempelby.se,db2.exempelby.se/postvakt\"",
            meaning: "Servers, in the order in which they are tried, and database; neither user nor password. The first server that takes writes is used; `?target_session_attrs=any` accepts a standby, for hosts that only read. Connections are encrypted, and the server's certificate must have its name; on a loopback address `?sslmode=verify-full` asks for that too. `postgresql:///postvakt?host=/run/postgresql` is a Unix socket.",
            why: "Only you know it.",
            keys: &[],
        },
        Key {
            name: "ca_file",
            kind: "absolute path",
            default: Fallback::Off,
            example: "\"/etc/postvakt/central-ca.pem\"",
            meaning: "Certificates (PEM) that the servers' certificates must be signed by. Default: the system's certificates.",
            why: "Debian's ca-certificates suit a server with a public certificate.",
            keys: &[],
        },
        Key {
            name: "login",
            kind: "name of a login",
            default: Fallback::Off,
            example: "\"postvakt_{node}\"",
            meaning: "Login as which this gateway writes; `postvakt central add-node` makes it the node's. `{node}` stands for the node's name, so that all gateways can have the same config. Without it this host sends nothing.",
            why: "Only you know it. Each node has its own, so that no node can write as another.",
            keys: &[],
        },
        Key {
            name: "password_file",
            kind: "absolute path",
            default: Fallback::Off,
            example: "\"/etc/postvakt/central.password\"",
            meaning: "File with the password of `login`, with mode 0600. Default: no password, for a Unix socket.",
            why: "A config is read by more people than a secret may be.",
            keys: &[],
        },
        Key {
            name: "reader_login",
            kind: "name of a login",
            default: Fallback::Off,
            example: "\"postvakt_log\"",
            meaning: "Login as which this host reads, for `postvakt central status` and `check --against-nodes`; `postvakt central add-reader` permits it. Leave it out on a gateway: whoever takes the gateway could read the log of all.",
            why: "Only you know which host may read.",
            keys: &[],
        },
        Key {
            name: "reader_password_file",
            kind: "absolute path",
            default: Fallback::Off,
            example: "\"/etc/postvakt/central-reader.password\"",
            meaning: "File with the password of `reader_login`, with mode 0600. Default: no password, for a Unix socket.",
            why: "As `password_file`.",
            keys: &[],
        },
    ],
)];
