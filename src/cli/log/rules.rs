//! `postvakt log report rules`: what each rule found, and what is missing before it may act.

use serde_json::json;

use super::{Context, Reason, past};
use crate::cli::reference;
use crate::report::rules::Rules;
use crate::store::query::Query;
use crate::store::session::Request;

/// Which rules and when.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Start of the period, such as 7d or 2026-11-01. Default: 7 days before the end.
    #[arg(long, value_name = "T")]
    since: Option<String>,
    /// End of the period. A date includes that whole day.
    #[arg(long, value_name = "T")]
    until: Option<String>,
    /// Only this rule.
    #[arg(long, value_name = "ID", value_parser = reference::rule_id)]
    rule: Option<String>,
    #[command(flatten)]
    reason: Reason,
}

/// Reads and prints.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let period = past(args.since.as_deref(), args.until.as_deref(), context.config)?;
    let mut report = Rules::new(Query { rule: args.rule.clone(), ..period }, context.config);
    let request = Request::new("report", report.query.clone(), args.reason.stated());
    let request = request.with(json!({ "report": "rules" }));
    let code = context.read(&request, |session, context| {
        report.read(session)?;
        if context.json {
            report.to_json().try_for_each(|line| writeln!(context.out, "{line}"))?;
        } else {
            report.lines().iter().try_for_each(|line| writeln!(context.out, "{line}"))?;
        }
        Ok(())
    });
    code.map(|(code, _)| code)
}
