//! Limits of what is sent to the central log.

#![deny(clippy::disallowed_methods)]

use std::time::Duration;

/// Records or entries that are sent at once: the server has their tree locked for some tens of milliseconds.
pub const CENTRAL_ROWS: usize = 500;
/// Octets of them, about; one record may go over it by its own size.
pub const CENTRAL_OCTETS: usize = 4 << 20;
/// Tree heads that are sent at once.
pub const CENTRAL_HEADS: usize = 500;
/// Contacts that are sent at once.
pub const CENTRAL_CONTACTS: usize = 5_000;
/// Until a server has taken the connection and the password; the next one is tried after that.
pub const CENTRAL_CONNECT_TIME: Duration = Duration::from_secs(10);
/// Until a call is answered. The connection ends with one that is not; what the server did of it is seen on the next one.
pub const CENTRAL_CALL_TIME: Duration = Duration::from_secs(30);
/// Until a retention run is done at the centre: it looks through every partition for every record that goes.
pub const CENTRAL_PRUNE_TIME: Duration = Duration::from_mins(30);
/// Between two looks at a log of which nobody said that it has grown: the access log, tree heads.
pub const CENTRAL_LOOK: Duration = Duration::from_secs(1);
/// Between two rounds while mail comes: a round sends what several commits stored.
pub const CENTRAL_BREATH: Duration = Duration::from_millis(20);
/// Between two times at which the node says that it is there, and which config it has.
pub const CENTRAL_SIGN: Duration = Duration::from_secs(30);
/// Between two looks at the month files for retention runs and new contacts.
pub const CENTRAL_RUNS_LOOK: Duration = Duration::from_secs(30);
/// The first pause after the centre could not be reached; each further one is twice as long.
pub const CENTRAL_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause: a centre that is back gets what waits within a minute.
pub const CENTRAL_LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Until a tree that the centre refuses is tried again.
pub const CENTRAL_REFUSED_PAUSE: Duration = Duration::from_secs(15);
/// Time to send what waits when the server stops; the rest goes after the next start.
pub const CENTRAL_LAST_TIME: Duration = Duration::from_secs(2);
/// A node that was not in contact for so long is told of by `central status`.
pub const CENTRAL_SILENCE: Duration = Duration::from_mins(5);
/// The steps of the times that files have; a second is the longest of any file system on which a log is kept.
pub const FILE_CLOCK_STEP: Duration = Duration::from_secs(1);
/// Leaves that a node may have more than the centre before `central status` tells of it: some seconds of a busy node.
pub const CENTRAL_LAG: i64 = 5_000;
/// A replica that had not all for longer, or whose node was not heard of for longer, is told of with every answer: above any
/// pause of a server that is restarted.
pub const REPLICA_LATE: Duration = Duration::from_mins(5);
/// Records of a node that a replica takes at once.
pub const REPLICA_ROWS: i64 = 2_000;
/// Between two looks at the centre for what a replica lacks.
pub const REPLICA_LOOK: Duration = Duration::from_secs(2);
/// Until a replica has taken what there is: the first copy of a year of mail takes hours, and goes on where it was.
pub const REPLICA_TIME: Duration = Duration::from_hours(1);
/// Between two looks at the centre for what other nodes have seen: somebody's mailbox forwards within tenths of a second.
pub const MEMORY_LOOK: Duration = Duration::from_millis(50);
/// When the keys of other nodes were last complete longer ago, each message that leaves is asked for.
pub const MEMORY_LATE: Duration = Duration::from_secs(3);
/// Until the centre says what a message was. After that the memory is unavailable, and the config says what follows.
pub const RECALL_TIME: Duration = Duration::from_millis(100);
/// Between two times at which a node says by which key it remembers, and learns who is known.
pub const MEMORY_KEY_LOOK: Duration = Duration::from_secs(10);
/// A receipt that has waited for so long is told to the centre; most are sent before.
pub const CENTRAL_LETTER_AGE: Duration = Duration::from_mins(1);
/// Between two looks at the receipts that wait.
pub const CENTRAL_LETTERS_LOOK: Duration = Duration::from_secs(10);
/// Between two times at which the centre is asked for receipts of a node that is gone; that is one which was silent for an hour.
pub const CENTRAL_LETTERS_ASK: Duration = Duration::from_mins(1);
/// Connections that a login may have at once: a gateway has three, and those that broke may still be there for a while.
pub const CENTRAL_CONNECTIONS: u32 = 10;
