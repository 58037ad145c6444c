//! What the rules of a config did to all mails together.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::policy::{Decision, Mode};
use crate::verdict::Verdict;

/// The head of the table.
pub(super) const HEAD: [&str; 8] =
    ["RULE", "MODE", "MATCHED", "MARKED", "HELD", "DEFERRED", "REJECTED", "UNKNOWN"];

/// The rules of a config, with how many mails each matched and what followed, or in `observe` would have.
pub(super) struct Sums(BTreeMap<String, Sum>);

struct Sum {
    mode: Mode,
    matched: u64,
    marked: u64,
    held: u64,
    deferred: u64,
    rejected: u64,
    unknown: u64,
}

impl Sums {
    pub(super) fn of(config: &Config) -> Self {
        let rules = config.rules.iter();
        Self(rules.map(|(rule, policy)| (rule.id().to_owned(), Sum::new(policy.mode))).collect())
    }

    /// Counts a mail once for each rule that found anything in it, by the strictest of what follows.
    pub(super) fn add(&mut self, decision: &Decision) {
        let mut mails: BTreeMap<&str, (Verdict, bool)> = BTreeMap::new();
        for ruling in &decision.rulings {
            let (verdict, matched) = mails.entry(&ruling.rule).or_default();
            *verdict = ruling.verdict.max(*verdict);
            *matched |= ruling.grade() != "unknown";
        }
        for (rule, (verdict, matched)) in mails {
            let sum = self.0.entry(rule.to_owned()).or_insert_with(|| Sum::new(Mode::Enforce));
            *(if matched { &mut sum.matched } else { &mut sum.unknown }) += 1;
            match verdict {
                Verdict::Accept => {}
                Verdict::Mark => sum.marked += 1,
                Verdict::Hold => sum.held += 1,
                Verdict::Defer => sum.deferred += 1,
                Verdict::Reject => sum.rejected += 1,
            }
        }
    }

    /// The rules that found anything; beside another config, those whose sums differ from its own.
    pub(super) fn rows(&self, old: Option<&Self>) -> Vec<Vec<String>> {
        let off = Sum::new(Mode::Off);
        let Some(old) = old else {
            let found = self.0.iter().filter(|(_, sum)| sum.matched + sum.unknown > 0);
            return found.map(|(rule, sum)| [vec![rule.clone()], sum.cells()].concat()).collect();
        };
        let rules: std::collections::BTreeSet<&String> = self.0.keys().chain(old.0.keys()).collect();
        let rows = rules.into_iter().filter_map(|rule| {
            let [before, now] = [old, self].map(|sums| sums.0.get(rule).unwrap_or(&off));
            let found = [before, now].iter().any(|sum| sum.matched + sum.unknown > 0);
            let (before, now) = (before.cells(), now.cells());
            if before == now || !found {
                return None;
            }
            let cells = before
                .iter()
                .zip(&now)
                .map(|(before, now)| if before == now { now.clone() } else { format!("{before} > {now}") });
            Some(std::iter::once(rule.clone()).chain(cells).collect())
        });
        rows.collect()
    }
}

impl Sum {
    fn new(mode: Mode) -> Self {
        Self { mode, matched: 0, marked: 0, held: 0, deferred: 0, rejected: 0, unknown: 0 }
    }

    fn cells(&self) -> Vec<String> {
        let numbers = [self.matched, self.marked, self.held, self.deferred, self.rejected, self.unknown];
        std::iter::once(self.mode.as_str().to_owned()).chain(numbers.map(|n| n.to_string())).collect()
    }
}
