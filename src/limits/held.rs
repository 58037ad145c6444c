//! Bounds of held mail, and of the processes that operators and the queue helper are.

#![deny(clippy::disallowed_methods)]

use std::time::Duration;

use jiff::SignedDuration;

/// Octets of a request to the queue helper; the longest names a queue id.
pub const QUEUE_REQUEST_OCTETS: usize = 1_024;
/// Octets of an answer of the queue helper: the list of as many mails as it lists.
pub const QUEUE_ANSWER_OCTETS: usize = 32 << 20;
/// Mails on hold that are listed, the oldest first. Who holds more needs another rule, not a longer list.
pub const QUEUE_LISTED: usize = 10_000;
/// Recipients of a mail on hold that the queue helper names; the log has all.
pub const QUEUE_RECIPIENTS: usize = 3;
/// Octets of an address that the queue helper names.
pub const QUEUE_ADDRESS_OCTETS: usize = 512;
/// Octets of a header that are shown of a mail on hold.
pub const QUEUE_HEADER_OCTETS: usize = 1 << 20;
/// Octets of a mail that is handed over. Postfix accepts 10,240,000 by default.
pub const QUEUE_MESSAGE_OCTETS: usize = 256 << 20;
/// Octets of one piece of a mail on its way from the queue helper.
pub const QUEUE_PIECE_OCTETS: usize = 64 << 10;
/// The longest wait for the queue helper's next octet, and for those who ask it: Postfix reads through all of its queues to
/// list one.
pub const QUEUE_HELPER_TIME: Duration = Duration::from_mins(1);
/// Processes that answer on one socket at once. Who comes then waits for their end.
pub const SOCKET_PROCESSES: usize = 16;
/// Octets of what an operator asks: arguments of a command.
pub const OPERATOR_OCTETS: usize = 64 << 10;
/// How long one command of an operator may last.
pub const OPERATOR_TIME: Duration = Duration::from_mins(10);
/// How long an act waits for another one to end.
pub const ACT_WAIT: Duration = Duration::from_mins(2);
/// Days for which the proposal of an act waits for a second person.
pub const PROPOSAL_DAYS: i64 = 7;
/// Octets of what people say about an act: a reason, a text for the sender.
pub const ACT_REASON_OCTETS: usize = 1_000;
/// The longest time after which held mail is handed over.
pub const HELD_AT_MOST: Duration = Duration::from_hours(90 * 24);
/// Between two looks of the server at the hold queue.
pub const HELD_LOOK: Duration = Duration::from_mins(2);
/// From a hand-over by the server that failed to the next try of the same mail.
pub const HAND_OVER_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// From a hand-over by the server that failed to its next one of any mail.
pub const HAND_OVER_BREATH: SignedDuration = SignedDuration::from_mins(10);
/// From the start of the server to its first look.
pub const HELD_FIRST_LOOK: Duration = Duration::from_secs(5);
/// Mails that a notice to an owner lists; the rest is counted.
pub const HELD_LINES: usize = 100;
/// How far the time of a record may be from the time at which Postfix says that the mail came: the message comes in between.
pub const ARRIVAL_SPREAD: Duration = Duration::from_hours(1);
/// Answers to notices that wait to be carried out. With more, the answer is deferred.
pub const OVERRIDES_WAITING: usize = 1_000;
/// Octets of the own text of one that are kept until it is carried out; a line of the notice may stand among them.
pub const OVERRIDE_TEXT_OCTETS: usize = 4 * ACT_REASON_OCTETS;
/// Octets of the file of one: that text, escaped, and names.
pub const OVERRIDE_OCTETS: u64 = 64 << 10;
/// From a try to release a mail for its sender that failed to the next one.
pub const OVERRIDE_PAUSE: Duration = Duration::from_hours(1);
