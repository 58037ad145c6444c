//! Held mail: what waits in Postfix's hold queue, and what people do with it.
//!
//! Contract: the hold queue is the only store of the mail. Each act stands between two entries of the access log, so that
//! none is done unlogged, and one that was cut off is found and finished in the log. Absent: any way to delete a mail.

pub mod acts;
pub mod overrides;
pub mod queue;
pub mod texts;
