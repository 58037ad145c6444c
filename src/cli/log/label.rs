//! `postvakt log label`: says whether a finding was right, for the rules report.

use anyhow::{bail, ensure};
use serde_json::json;

use super::{Context, Reason};
use crate::cli::{NO, reference};
use crate::config::records::is_purpose;
use crate::effects::SECOND_PASS;
use crate::limits;
use crate::record::RecordId;
use crate::store::gate::JUDGEMENT;
use crate::store::labels::Label;
use crate::store::query::Query;
use crate::store::session::Request;

/// Which finding, and what is thought of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Record id, as in X-Postvakt-Id.
    #[arg(value_name = "RECORD", value_parser = |text: &str| text.parse::<RecordId>())]
    record: RecordId,
    /// Whether the rule was right; unknown takes back an earlier label.
    #[arg(value_name = "right|wrong|unknown", value_parser = ["right", "wrong", "unknown"])]
    label: String,
    /// Why. It stays in the access log: name no person.
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// The rule. Required if several rules matched.
    #[arg(long, value_name = "ID", value_parser = reference::rule_id)]
    rule: Option<String>,
    #[command(flatten)]
    reason: Reason,
}

/// Looks at the record, and writes the label. The exit code is 1 where there is no such finding.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> anyhow::Result<u8> {
    let why = args.why.trim();
    ensure!(is_purpose(why), "--why {why:?} says too little: say in words why the finding is right or wrong");
    let most = limits::LABEL_REASON_OCTETS;
    ensure!(why.len() <= most, "--why is longer than {most} bytes");
    let query = Query { record: Some(args.record.clone()), ..Query::default() };
    let request = Request::new("label", query, args.reason.or(JUDGEMENT));
    let (code, labelled) = context.read(&request, |session, context| {
        let mut found = None;
        session.search(|one| -> anyhow::Result<()> {
            found = Some(one);
            Ok(())
        })?;
        let Some(found) = found else {
            eprintln!("postvakt: the log has no record {}", args.record);
            return Ok(false);
        };
        let matched = matched(&found.record.findings);
        let rule = match (&args.rule, &matched[..]) {
            (Some(rule), all) if all.contains(&&**rule) => rule.clone(),
            (None, [only]) => (*only).to_owned(),
            (Some(rule), _) => {
                eprintln!("postvakt: {}: {rule} matched nothing in this mail", args.record);
                return Ok(false);
            }
            (None, []) => {
                eprintln!("postvakt: {}: no rule matched anything in this mail", args.record);
                return Ok(false);
            }
            (None, several) => bail!("several rules matched; name one with --rule: {}", several.join(", ")),
        };
        let label = Label {
            labelled_by: context.reader.clone(),
            record: args.record.to_string(),
            rule,
            right: args.label == "right",
            unknown: args.label == "unknown",
            why: why.to_owned(),
        };
        let n = session.label(&label)?;
        if context.json {
            let entry =
                json!({ "entry": n, "record": label.record, "rule": label.rule, "label": args.label });
            writeln!(context.out, "{entry}")?;
        } else {
            let (record, rule) = (&label.record, &label.rule);
            writeln!(context.out, "{record}: {rule} {} (entry {n} of the access log)", args.label)?;
        }
        Ok(true)
    })?;
    Ok(if labelled == Some(false) { NO } else { code })
}

/// The rules of a record's findings that matched, each once. That a mail came through again is no rule's finding.
fn matched(findings: &[String]) -> Vec<&str> {
    let split = findings.iter().filter_map(|finding| finding.split_once('='));
    let of_rules = split.filter(|(rule, grade)| *grade != "unknown" && *rule != SECOND_PASS);
    let mut rules: Vec<&str> = of_rules.map(|(rule, _)| rule).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}
