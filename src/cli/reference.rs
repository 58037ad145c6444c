//! `postvakt rules`: the list of rules, and the reference page of one.

use std::io::{self, Write as _};

use jiff::civil::Date;

use crate::config::Config;
use crate::config::reference::{self, Documented};
use crate::effects::{FORGED_FIELDS, INTERNAL_ERROR, SECOND_PASS};
use crate::policy::{Exception, RulePolicy};
use crate::rules::{self, Section, Spec};
use crate::settings::{Fallback, Key, parse};

use super::{NO, USAGE, YES, print_table};

pub(super) fn run(id: Option<&str>, json: bool) -> anyhow::Result<u8> {
    let chosen: Vec<&Spec> =
        rules::ALL.iter().copied().filter(|spec| id.is_none_or(|id| id == spec.id)).collect();
    if chosen.is_empty() {
        let known: Vec<&str> = rules::ALL.iter().map(|spec| spec.id).collect();
        eprintln!("postvakt: unknown rule {:?}; known rules: {}", id.unwrap_or_default(), known.join(", "));
        return Ok(USAGE);
    }
    let mut out = io::stdout().lock();
    if json {
        for spec in chosen {
            let row = serde_json::json!({
                "id": spec.id, "summary": spec.summary, "actions": spec.menu.words(), "page": spec.page,
            });
            writeln!(out, "{row}")?;
        }
    } else if id.is_some() {
        for spec in chosen {
            write!(out, "{}", page(spec))?;
        }
    } else {
        drop(out);
        let rows: Vec<Vec<String>> = chosen
            .iter()
            .map(|spec| vec![spec.id.to_owned(), spec.menu.words().join(" "), spec.summary.to_owned()])
            .collect();
        print_table(&["RULE", "ACTIONS", "FINDS"], &rows)?;
    }
    Ok(YES)
}

/// The rules of a config, each with its mode and its exceptions.
pub(super) fn configured(config: &Config, id: Option<&str>, json: bool) -> anyhow::Result<u8> {
    let today = jiff::Timestamp::now().to_zoned(config.time_zone.clone()).date();
    let chosen: Vec<_> =
        config.rules.iter().filter(|(rule, _)| id.is_none_or(|id| id == rule.id())).collect();
    if chosen.is_empty() {
        let known: Vec<&str> = config.rules.iter().map(|(rule, _)| rule.id()).collect();
        eprintln!("postvakt: the config has no such rule; its rules: {}", known.join(", "));
        return Ok(NO);
    }
    if json {
        let mut out = io::stdout().lock();
        for (rule, policy) in chosen {
            let exceptions: Vec<_> =
                policy.exceptions.iter().map(|exception| exception_json(exception, today)).collect();
            let (mode, place) = (policy.mode.as_str(), policy.place.to_string());
            let authorities: Vec<_> = of_authorities(config, policy)
                .map(|(name, own)| {
                    serde_json::json!({
                        "authority": name, "mode": own.mode.as_str(), "config": own.place.to_string(),
                    })
                })
                .collect();
            let row = serde_json::json!({
                "id": rule.id(), "mode": mode, "config": place, "exceptions": exceptions, "authorities": authorities,
            });
            writeln!(out, "{row}")?;
        }
        return Ok(YES);
    }
    let mut rows = Vec::new();
    for (rule, policy) in chosen {
        let row = |what: String, until: String, decision: String, place: String| {
            vec![rule.id().to_owned(), policy.mode.as_str().to_owned(), what, until, decision, place]
        };
        rows.push(row(String::new(), String::new(), String::new(), policy.place.to_string()));
        for (name, own) in of_authorities(config, policy) {
            let (id, mode) = (rule.id().to_owned(), own.mode.as_str().to_owned());
            let rest = [format!("mail of {name}"), String::new(), String::new(), own.place.to_string()];
            rows.push([id, mode].into_iter().chain(rest).collect());
        }
        for exception in &policy.exceptions {
            let ended = if exception.has_ended(today) { " (ended)" } else { "" };
            let until = exception.until.map(|until| format!("{until}{ended}")).unwrap_or_default();
            let decision = exception.decision.clone().unwrap_or_default();
            rows.push(row(exception.scope.to_string(), until, decision, exception.place.to_string()));
        }
    }
    print_table(&["RULE", "MODE", "EXCEPTION", "UNTIL", "DECISION", "CONFIG"], &rows)?;
    Ok(YES)
}

/// What authorities have said otherwise of the rule.
fn of_authorities<'c>(
    config: &'c Config,
    policy: &'c RulePolicy,
) -> impl Iterator<Item = (&'c str, &'c RulePolicy)> {
    let name = |number: usize| config.organisation.authorities.name(number).unwrap_or_default();
    policy.authorities.iter().map(move |(number, own)| (name(*number), own))
}

fn exception_json(exception: &Exception, today: Date) -> serde_json::Value {
    serde_json::json!({
        "scope": exception.scope.to_string(),
        "decision": exception.decision,
        "approved_by": exception.approved_by,
        "until": exception.until.map(|until| until.to_string()),
        "ended": exception.has_ended(today),
        "config": exception.place.to_string(),
    })
}

/// The id of a rule that may stand in the log: one of the program's, or of a custom rule, which may be gone by now.
pub(super) fn rule_id(given: &str) -> Result<String, String> {
    let known: Vec<&str> = rules::ALL
        .iter()
        .filter(|spec| matches!(spec.section, Section::One))
        .map(|spec| spec.id)
        .chain([FORGED_FIELDS, INTERNAL_ERROR, SECOND_PASS])
        .collect();
    let custom = given.split_once('.').is_some_and(|(id, name)| id == "custom" && !name.is_empty());
    if custom || known.contains(&given) {
        return Ok(given.to_owned());
    }
    let near = parse::nearest(given, known.iter().copied());
    let near = near.map(|near| format!("did you mean {near}? ")).unwrap_or_default();
    Err(format!("unknown rule; {near}Known rules: {}, custom.<name>", known.join(", ")))
}

/// The page of one rule, as in `docs/rules.md`: what the rule says of itself, and its settings with their defaults.
fn page(spec: &Spec) -> String {
    let before_references = spec.page.find("\n## References").unwrap_or(spec.page.len());
    let (page, references) = spec.page.split_at(before_references);
    format!("# {}\n\n{}\n\n{page}\n{}\n{references}", spec.id, spec.summary, settings(spec).trim_end())
}

/// The keys of the rule's sections, as a list.
fn settings(spec: &Spec) -> String {
    let section = |table: &Documented| {
        let keys: String = table.keys.iter().map(setting).collect();
        format!("`{}`\n\n{keys}\n", table.header)
    };
    reference::of_rule(spec).iter().map(section).collect()
}

fn setting(key: &Key) -> String {
    let default = match key.default {
        Fallback::Required => "Required.".to_owned(),
        default => format!("Default: {default}."),
    };
    format!("- `{}` ({}). {} {default}\n", key.name, key.kind, key.meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_current() {
        let mut text = String::from(
            "<!-- Generated from the rules' own pages; `UPDATE_GOLDEN=1 cargo test` writes it anew. -->\n\n\
             `postvakt rules ID` prints the page of a rule. *Inside* means in the organisation's domains and networks;\n\
             *inbound* mail comes from outside, *outbound* mail has a recipient outside.\n\n\
             A finding has a *grade*: *weak* (a sign, usually without effect), *medium* (as likely as not), *strong* (more\n\
             likely than not) or *certain*. If a check could not be completed, the result is *unknown*, and the rule's\n\
             `on_unknown` applies.\n\n\
             Every rule can have *exceptions*: mail for which it does not hold (`[[rules.ID.exceptions]]`). An exception\n\
             counts only if everything that it names is confirmed. A sender or author inside counts only on mail from\n\
             inside. A sender outside counts if SPF passes for its domain, an author outside if DMARC does. These vouch\n\
             for a domain, not for a person in it. For mail from inside, let Postfix bind senders to logins (`smtpd_sender_login_maps`). If it is\n\
             unknown whether an exception applies, for example because the DNS does not answer, the finding stands;\n\
             `on_unknown = \"hold\"` then holds a mail that would be rejected, and `tempfail` defers a mail that would be\n\
             held or rejected. `postvakt rules --config F` lists the exceptions of a config.\n\n",
        );
        for spec in rules::ALL {
            text += &page(spec);
            text.push('\n');
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules.md");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text, "docs/rules.md is not current");
    }

    #[test]
    fn every_page_has_the_same_headings() {
        let headings = ["What it finds", "Why it matters", "What it misses", "Settings", "References"];
        for spec in rules::ALL {
            let found: Vec<&str> = spec.page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
            assert_eq!(found, headings, "{}", spec.id);
        }
    }
}
