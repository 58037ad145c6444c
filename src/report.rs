//! What is told of the log as a whole or of one person: reports, samples, extracts. Each is read within a session, so that
//! any front end may show it.

mod chart;
pub mod deliveries;
pub mod document;
pub mod extract;
pub mod follow_up;
pub mod forwarders;
pub mod interval;
pub mod model;
pub mod page;
pub mod period;
pub mod protocol;
pub mod rules;
pub mod sample;
