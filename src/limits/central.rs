//! Limits of what goes to the centre and comes from it.

#![deny(clippy::disallowed_methods)]

use std::time::Duration;

/// A replica that had not all for longer, or whose node was not heard of for longer, is told of with every answer: above any
/// pause of a server that is restarted.
pub const REPLICA_LATE: Duration = Duration::from_mins(5);
