//! Limits of the config, and of the groups and directories that it names.

#![deny(clippy::disallowed_methods)]

use std::time::Duration;

/// Octets of the config file with those that it includes, and of each file that it names.
pub const CONFIG_OCTETS: u64 = 4 << 20;
/// Files that a config includes; one for each unit of a large municipality are some dozens.
pub const CONFIG_INCLUDES: usize = 256;
/// Problems of one config that are printed; more are counted. Nobody mends a thousand at a time.
pub const CONFIG_PROBLEMS: usize = 1_000;
/// Parses of one config without the lines that were broken in the one before; most need two.
pub const CONFIG_ROUNDS: usize = 10;
/// Values of one list: domains, networks, exceptions. Every mail is measured by all of them, one after the other.
pub const CONFIG_LIST: usize = 1_000;
/// Octets of the file of one group: a line of 160 for each of [`GROUP_ENTRIES`].
pub const GROUP_FILE_OCTETS: u64 = 16 << 20;
/// Entries of one group: every resident-facing account of a large municipality. The table takes about 15 MB.
pub const GROUP_ENTRIES: usize = 100_000;
/// Groups; each is read at every reload.
pub const GROUPS: usize = 200;
/// Authorities with settings of their own; the largest municipalities have some dozens of boards and companies.
pub const AUTHORITIES: usize = 100;
/// Octets of a group's name.
pub const GROUP_NAME_OCTETS: usize = 63;
/// Until a directory is connected; one on another continent answers in a tenth of that.
pub const DIRECTORY_CONNECT_TIME: Duration = Duration::from_secs(5);
/// Until a directory has told all members of a group. No mail waits for it longer than its deadline.
pub const DIRECTORY_TIME: Duration = Duration::from_mins(1);
/// The longest deadline of a mail that waits for members: clients wait for five minutes in all.
pub const DIRECTORY_WAIT: Duration = Duration::from_secs(30);
/// The longest time for which members of a directory may serve: who left a month ago has left.
pub const DIRECTORY_KEEP: Duration = Duration::from_hours(24 * 30);
/// Entries of one page of a directory's answer; Active Directory gives a thousand at the most.
pub const DIRECTORY_PAGE: i32 = 500;
/// Mail tests of one config: each is judged at every reload.
pub const TESTS: usize = 200;
/// Octets of all mail of the tests; it is in memory until they have run.
pub const TEST_OCTETS: usize = 64 << 20;
/// Time in which all tests have to be done, so that a reload ends; 200 mails with documents take about ten seconds.
pub const TESTS_TIME: Duration = Duration::from_mins(1);
/// Octets of a wrong value that a message about it shows.
pub const CONFIG_SHOWN_OCTETS: usize = 64;
/// Octets of a Unix socket's path: `sun_path` of Linux has 108, the last one zero.
pub const SOCKET_PATH_OCTETS: usize = 107;
/// Characters of a node's name, which stands in every record id: one label of a host name.
pub const NODE_OCTETS: usize = 63;
/// Days before its end from which an exception is warned about.
pub const EXCEPTION_NOTICE_DAYS: i32 = 30;
/// Between two looks at whether the clock was set.
pub const CLOCK_LOOK: Duration = Duration::from_secs(10);
/// How far off the clock is when that counts: time services turn it by less than a tenth of the time between two looks.
pub const CLOCK_STEP: Duration = Duration::from_secs(2);
/// Between two looks at whether a new day has begun, on which exceptions may have ended.
pub const EXCEPTION_LOOK: Duration = Duration::from_mins(10);
/// Mailboxes of one mail that are told of a rule's finding: a mail to a whole list of people tells the first of them.
pub const RULE_NOTICES: usize = 10;
/// Octets of a custom rule's name: it stands in headers and log columns.
pub const RULE_NAME_OCTETS: usize = 63;
/// Custom rules; each is asked about every mail.
pub const CUSTOM_RULES: usize = 200;
/// Conditions of one custom rule; each is asked about every mail.
pub const CONDITIONS: usize = 100;
/// Levels of `not`, `any` and `all` in one another. Nobody reads deeper ones, and each takes a frame of the stack.
pub const CONDITION_DEPTH: usize = 4;
/// Octets of each language of a custom rule's message: both stand in one SMTP reply with the record's id.
pub const RULE_MESSAGE_OCTETS: usize = 400;
/// Header fields that one custom rule adds, or removes, and mailboxes that get a copy by it.
pub const RULE_CHANGES: usize = 20;
/// Mailboxes that are told of what a rule found: each is one more notice for each such mail.
pub const RULE_MAILBOXES: usize = 100;
/// Patterns of one condition of a custom rule; alternatives belong into one pattern.
pub const PATTERNS: usize = 100;
/// Octets of one compiled pattern of a custom rule.
pub const PATTERN_OCTETS: usize = 1 << 20;
/// Octets of text that a custom rule's `text` pattern reads in one message.
pub const RULE_TEXT_OCTETS: usize = 1 << 20;
