//! Bounds of the console: sessions, requests, what is shown at once.

#![deny(clippy::disallowed_methods)]

use std::time::Duration;

/// The longest session. Who lost a role has lost it the next day.
pub const CONSOLE_SESSION: Duration = Duration::from_hours(24);
/// Sessions at once; the one that was used least recently ends for a new one.
pub const CONSOLE_SESSIONS: usize = 1_000;
/// How long a one-time link, and a sign-in at a provider, may be used.
pub const CONSOLE_LINK: Duration = Duration::from_mins(5);
/// One-time links and unfinished sign-ins at once; the oldest is gone for a new one.
pub const CONSOLE_SIGN_INS: usize = 1_000;
/// Connections at once. For a new one the oldest ends over which nobody who is signed in waits for an answer, or else the new
/// one: whoever works goes on.
pub const CONSOLE_CONNECTIONS: usize = 256;
/// Octets of pages that browsers have not taken yet, over all connections. The unit gives the console 1 GiB.
pub const CONSOLE_UNREAD_OCTETS: usize = 256 << 20;
/// Octets of commands' output that nobody has taken yet, over all commands. One row has 16 MiB at the most.
pub const CONSOLE_OUTPUT_OCTETS: usize = 64 << 20;
/// How long a connection may take over the header of a request, and over its form.
pub const CONSOLE_REQUEST_TIME: Duration = Duration::from_secs(30);
/// How long an answer may take to be taken. Somebody scrolls through rows that stream.
pub const CONSOLE_ANSWER_TIME: Duration = Duration::from_mins(15);
/// Octets of a form.
pub const CONSOLE_FORM_OCTETS: usize = 256 << 10;
/// Commands for the console that are carried out at once; the next one waits.
pub const CONSOLE_COMMANDS: usize = 12;
/// Octets of what a command answers that is shown as one page, not as rows that stream.
pub const CONSOLE_ANSWER_OCTETS: usize = 4 << 20;
/// Octets of what a command says beside its answer.
pub const CONSOLE_SAID_OCTETS: usize = 64 << 10;
/// Octets of one row. A subject has at most 1 MiB, and JSON writes a control character in six.
pub const CONSOLE_ROW_OCTETS: usize = 16 << 20;
/// Rows that one search shows on the screen. More are for an export.
pub const CONSOLE_ROWS: u64 = 100_000;
/// Requests of one session in a minute. A person clicks; a program asks the command line.
pub const CONSOLE_REQUESTS: u32 = 300;
/// Attempts to sign in with a link that is none, from anywhere, in a minute.
pub const CONSOLE_ATTEMPTS: u32 = 60;
/// How long the provider that signs people in may take over one answer. Somebody waits for the page.
pub const PROVIDER_TIME: Duration = Duration::from_secs(10);
/// Octets of an answer of the provider. A token with 200 groups has some ten thousand.
pub const PROVIDER_OCTETS: usize = 256 << 10;
/// How long the provider's own description serves before it is read again.
pub const PROVIDER_KNOWN: Duration = Duration::from_hours(1);
/// How far the provider's clock may be from ours.
pub const PROVIDER_CLOCK: Duration = Duration::from_mins(2);
/// How long ago an ID token may have been issued: it was asked for a moment ago.
pub const PROVIDER_TOKEN_AGE: Duration = Duration::from_mins(10);
/// Octets of a person's name for ever, and of their name. The access log has both in every entry.
pub const CONSOLE_NAME_OCTETS: usize = 255;
/// Octets of a header field of a reverse proxy. The roles are one field; a server takes 8 KiB a line.
pub const PROXY_FIELD_OCTETS: usize = 8 << 10;
/// Days before the end of an exception from which on `status` tells of it.
pub const STATUS_DAYS: i32 = 30;
/// Octets at the end of a file of tree heads in which `status` looks for the newest.
pub const HEADS_TAIL_OCTETS: u64 = 64 << 10;
/// Octets of one piece of a file on its way to the browser.
pub const CONSOLE_PIECE_OCTETS: usize = 64 << 10;
/// Octets of one argument of a command: a purpose, a list of people.
pub const CONSOLE_ARGUMENT_OCTETS: usize = 4_000;
/// Sessions of one person at once; the one that was used least recently ends for a new one.
pub const CONSOLE_SESSIONS_OF_ONE: usize = 20;
/// Commands of one person that are carried out at once; the next one waits.
pub const CONSOLE_COMMANDS_OF_ONE: usize = 3;
/// How long somebody who takes nothing of an answer is waited for.
pub const CONSOLE_STALL_TIME: Duration = Duration::from_secs(30);
/// Records of one request for public records that is reviewed record by record. Nobody reviews more.
pub const DISCLOSURE_RECORDS: u64 = 10_000;
/// Records of such a request on one page.
pub const DISCLOSURE_PAGE: u8 = 25;
/// Ids of records in one entry of the access log.
pub const DISCLOSURE_IDS: usize = 1_000;
/// Rows that a search keeps to show the newest first. They are in memory until the oldest of them is found.
pub const NEWEST_ROWS: i64 = 10_000;
/// Octets of those rows. A subject has at most 1 MiB.
pub const NEWEST_OCTETS: usize = 64 << 20;
/// About how many octets a record takes beside its subject, its addresses and the names of its attachments.
pub const RECORD_OCTETS: usize = 1 << 10;
/// Rows of a search in the console that shows the newest first, and entries of the access log on its page.
pub const CONSOLE_NEWEST: u32 = 1_000;
/// Held mails that one form acts on.
pub const CONSOLE_BATCH: usize = 100;
