//! `postvakt log report forwarders`: whose mail is forwarded where.

use anyhow::Context as _;
use serde_json::json;

use super::{Context, Reason};
use crate::cli::write_table;
use crate::report::forwarders::{Forwarders, HEAD};
use crate::rules::Confidence;
use crate::store::query::Query;
use crate::store::session::Request;

/// Reads and prints.
pub(super) fn run(
    asked: Query,
    least: &str,
    reason: &Reason,
    context: &mut Context<'_>,
) -> anyhow::Result<u8> {
    let least = Confidence::parse(least).context("an unknown grade")?;
    let mut report = Forwarders::new(asked, least, context.config);
    let more = json!({ "report": "forwarders", "grade": least.as_str() });
    let request = Request::new("report", report.query.clone(), reason.stated()).with(more);
    let code = context.read(&request, |session, context| {
        report.read(session);
        if context.json {
            report.to_json().try_for_each(|line| writeln!(context.out, "{line}"))?;
        } else {
            write_table(&mut *context.out, context.terminal, &HEAD, &report.rows())?;
        }
        Ok(())
    });
    code.map(|(code, _)| code)
}
