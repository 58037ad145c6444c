//! Limits of what is read of Postfix's log.

#![deny(clippy::disallowed_methods)]

use std::time::Duration;

/// Octets of a queue id; the long ones of today have 15 or 16.
pub const QUEUE_ID_OCTETS: usize = 32;
/// Octets of a recipient in a delivery (RFC 5321 §4.5.3.1 has 64 and 255, and an at sign).
pub const DELIVERY_ADDRESS_OCTETS: usize = 320;
/// Octets of the next hop's name and address.
pub const DELIVERY_RELAY_OCTETS: usize = 300;
/// Octets of what the next hop said; its servers may say as much as they like.
pub const DELIVERY_TEXT_OCTETS: usize = 500;
/// Octets of a code, or of a word of Postfix's own.
pub const DELIVERY_WORD_OCTETS: usize = 40;
/// Octets of one line; Postfix cuts its own at 2,000 or so. Of a longer one the beginning is read.
pub const MAILLOG_LINE_OCTETS: usize = 16 << 10;
/// Lines that are written in one transaction: 300 octets of memory each.
pub const MAILLOG_LINES: usize = 20_000;
/// Connections of delivering processes that are remembered until their deliveries; a busy gateway has some hundred.
pub const MAILLOG_CONNECTIONS: usize = 10_000;
/// Between two looks at a log that has grown by nothing.
pub const MAILLOG_LOOK: Duration = Duration::from_millis(500);
/// Between two times at which it is noted that a log which has grown by nothing was read to its end.
pub const MAILLOG_NOTE: Duration = Duration::from_secs(30);
/// The pause after the log could not be read, or the deliveries could not be written.
pub const MAILLOG_PAUSE: Duration = Duration::from_secs(10);
/// A line may come so much later than its time: the writer of the log has a queue.
pub const MAILLOG_DELAY_MS: i64 = 5_000;
/// Octets of the beginning of a log by which it is known again.
pub const MAILLOG_HEAD_OCTETS: usize = 512;
/// The times of two lines about one moment may differ by so much, where two programs wrote them.
pub const MAILLOG_SLACK_MS: i64 = 2_000;
/// From MAIL until there is a queue file: Postfix waits 300 s for each command, and a client may send many.
pub const QUEUE_FILE_BEGIN_MS: i64 = 3_600_000;
/// Queue files that one mail is followed through, by requeuing and by content filters.
pub const QUEUE_FILES_FOLLOWED: usize = 8;
/// Until the server has read the files that a command names: a file of a day has some million lines.
pub const INGEST_TIME: Duration = Duration::from_mins(30);
/// Deliveries of one mail that are shown.
pub const DELIVERIES_SHOWN: usize = 1_000;
