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
/// A receipt that has waited for so long is told to the centre; most are sent before.
pub const CENTRAL_LETTER_AGE: Duration = Duration::from_mins(1);
/// Between two looks at the receipts that wait.
pub const CENTRAL_LETTERS_LOOK: Duration = Duration::from_secs(10);
/// Between two times at which the centre is asked for receipts of a node that is gone; that is one which was silent for an hour.
pub const CENTRAL_LETTERS_ASK: Duration = Duration::from_mins(1);
/// Between two looks at what other nodes remember: a mailbox server forwards a message some hundred milliseconds after it came.
pub const CENTRAL_FOLLOW: Duration = Duration::from_millis(100);
/// Rows for each node that such a look gives at least, where there are more.
pub const CENTRAL_FOLLOWED: usize = 2_000;
/// Until a mail no longer waits for what another node remembers of it.
pub const CENTRAL_RECALL_TIME: Duration = Duration::from_millis(100);
/// The longest pause until the memory of other gateways is connected to again: as long, a forward of mail that came by another
/// one is not told for certain.
pub const CENTRAL_MEMORY_PAUSE: Duration = Duration::from_secs(10);
