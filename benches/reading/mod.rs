//! Reads a log as the program's commands do: within a session, which is logged.

use std::path::Path;

use postvakt::config::Access;
use postvakt::organisation::Organisation;
use postvakt::store::access::{Reader, Via};
use postvakt::store::query::Query;
use postvakt::store::session::{Gate, Reason, Request, Session};

/// Does `work` within a session by a decision.
pub(crate) fn within(directory: &Path, query: Query, work: impl FnOnce(&mut Session) -> anyhow::Result<()>) {
    let (reader, organisation) = (Reader::of_this_process(Via::CommandLine), Organisation::default());
    let gate = Gate {
        directory,
        reader,
        organisation: &organisation,
        zone: &jiff::tz::TimeZone::UTC,
        config: "",
        access: Access::default(),
    };
    gate.read(&Request::new("search", query, Reason::decision("benchmark")), work).unwrap();
}
