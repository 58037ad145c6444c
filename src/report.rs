//! What is told of the log as a whole or of one person: reports, samples, extracts. Each is read within a session, so that
//! any front end may show it.

mod chart;
pub mod extract;
pub mod forwarders;
pub mod model;
pub mod page;
pub mod period;
pub mod sample;
