//! Patterns in the config; the only file that names `regex`.

#![deny(clippy::disallowed_methods)]

use regex::{Error, Regex, RegexBuilder};

use crate::limits;
use crate::settings::problem::Fault;
use crate::settings::{Settings, Value, parse};

/// Patterns of which one is enough. Matching is linear in the text, whatever they are.
#[derive(Debug)]
pub(in crate::rules) struct Patterns(Vec<Regex>);

impl Patterns {
    /// The pattern or patterns that are the value of `key`; what is wrong with one is reported.
    pub(in crate::rules) fn read(settings: &Settings<'_>, key: &str, value: &Value, case: Case) -> Self {
        let values = value.one_or_more();
        if values.is_empty() || values.len() > limits::PATTERNS {
            let problem = format!("has {} patterns, but must have 1 to {}", values.len(), limits::PATTERNS);
            settings.wrong(
                key,
                value.at,
                Fault::new(problem, "combine alternatives in one pattern, such as '(a|b)'"),
            );
            return Self(Vec::new());
        }
        Self(values.iter().filter_map(|value| settings.accept(key, value.at, compile(value, case))).collect())
    }

    /// Whether one of them matches somewhere in the text.
    pub(in crate::rules) fn match_in(&self, text: &str) -> bool {
        self.0.iter().any(|pattern| pattern.is_match(text))
    }
}

/// Whether `A` is `a`.
#[derive(Clone, Copy, Debug)]
pub(in crate::rules) enum Case {
    /// Only where the pattern says so.
    Told,
    /// Always, as in addresses.
    Same,
}

fn compile(value: &Value, case: Case) -> Result<Regex, Fault> {
    let given = parse::text(value)?;
    RegexBuilder::new(given)
        .case_insensitive(matches!(case, Case::Same))
        .size_limit(limits::PATTERN_OCTETS)
        .dfa_size_limit(limits::PATTERN_OCTETS)
        .build()
        .map_err(|error| fault(given, &error))
}

fn fault(given: &str, error: &Error) -> Fault {
    let shown = parse::shown(given);
    if let Error::CompiledTooBig(limit) = error {
        let problem = format!("{shown} takes more than {limit} bytes when compiled");
        return Fault::new(problem, "write a simpler pattern: repetitions such as {1000} cost the most");
    }
    // Before the last line there is a drawing of the place.
    let message = error.to_string();
    let last = message.lines().last().unwrap_or_default().trim();
    let right = if given.starts_with('*') {
        "write a regular expression, where `.*` is anything and `\\.` a dot"
    } else {
        "write a regular expression in single quotes, such as '(?i)\\.exe$'"
    };
    Fault::new(format!("{shown} is not a pattern: {}", last.strip_prefix("error: ").unwrap_or(last)), right)
}
