//! Limits of those who follow the log.

#![deny(clippy::disallowed_methods)]

use std::time::Duration;

/// Records that are handed to the sink of `log follow` at once: an answer to each is read and compared.
pub const FOLLOW_RECORDS: i64 = 500;
/// Octets of them, about; one record may go over it by its own size.
pub const FOLLOW_OCTETS: usize = 4 << 20;
/// Until a sink has taken them: a search engine that indexes under load answers in seconds.
pub const FOLLOW_TIME: Duration = Duration::from_secs(30);
/// Octets of a sink's answer.
pub const FOLLOW_ANSWER_OCTETS: usize = 16 << 20;
/// Between two looks at the log.
pub const FOLLOW_LOOK: Duration = Duration::from_secs(1);
/// The first pause after a sink failed; each further one is twice as long.
pub const FOLLOW_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause: a sink that is back has its records within a minute.
pub const FOLLOW_LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Between two times at which a follower without new records says that it is there, and asks whether it still may read.
pub const FOLLOW_SIGN: Duration = Duration::from_secs(30);
/// How long one entry of the access log stands for what a follower reads.
pub const FOLLOW_SESSION: Duration = Duration::from_hours(24);
