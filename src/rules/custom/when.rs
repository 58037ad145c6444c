//! `when`: conditions, joined by all, any and not. A group of which one condition is not met is not met, whatever else is
//! unknown; what is unknown stays unknown when it is negated.

#![deny(clippy::disallowed_methods)]

use super::condition::{self, Condition};
use super::earlier::Earlier;
use super::held::Held;
use crate::facts::{Cause, Facts, Needs};
use crate::limits;
use crate::settings::problem::Fault;
use crate::settings::{Kind, Settings};

/// Conditions that must all be met.
#[derive(Debug, Default)]
pub(super) struct Group {
    conditions: Vec<Condition>,
    /// Of each list one must be met.
    any: Vec<Vec<Self>>,
    all: Vec<Self>,
    not: Option<Box<Self>>,
}

/// A condition that was met, for the evidence: its word, and whether it was negated.
pub(super) type Word = (bool, &'static str);

impl Group {
    /// The conditions in the table.
    pub(super) fn read(when: &mut Settings<'_>) -> Self {
        let group = Self::nested(when, 1);
        let count = group.leaves().len();
        if count > limits::CONDITIONS {
            let problem = format!("has {count} conditions, more than the maximum of {}", limits::CONDITIONS);
            when.wrong_here(Fault::new(problem, "split the rule"));
        }
        group
    }

    fn nested(when: &mut Settings<'_>, depth: usize) -> Self {
        if when.is_empty() {
            let right = "write one, such as { direction = \"inbound\" }";
            when.wrong_here(Fault::new("has no condition, so it would match every mail", right));
        }
        let mut group = Self { conditions: condition::read(when), ..Self::default() };
        if depth > limits::CONDITION_DEPTH && ["not", "any", "all"].iter().any(|key| when.names(key)) {
            let problem = format!("is nested more than {} levels deep", limits::CONDITION_DEPTH);
            when.wrong_here(Fault::new(problem, "split the rule"));
            // What is said of these keys is that, and no more.
            let _ = when.entries();
            return group;
        }
        group.not = negated(when, depth);
        group.any.extend(groups(when, "any", depth));
        group.all = groups(when, "all", depth).unwrap_or_default();
        group
    }

    fn groups(&self) -> impl Iterator<Item = &Self> {
        self.any.iter().flatten().chain(&self.all).chain(self.not.as_deref())
    }

    /// Every condition, at whatever depth.
    pub(super) fn leaves(&self) -> Vec<&Condition> {
        self.conditions.iter().chain(self.groups().flat_map(Self::leaves)).collect()
    }

    /// What the conditions need to know.
    pub(super) fn needs(&self) -> Needs {
        self.leaves().into_iter().fold(Needs::default(), |needs, condition| needs.union(condition.needs()))
    }

    /// Whether all are met; then `words` has the words for those that tell why.
    pub(super) fn holds(&self, facts: &Facts, earlier: Earlier<'_>, words: &mut Vec<Word>) -> Held {
        let mut sum = Sum::default();
        for condition in &self.conditions {
            let held = condition.holds(facts, earlier);
            words.push((false, condition.word()));
            if sum.add(held).is_none() {
                return Held::No;
            }
        }
        for group in &self.all {
            let held = group.holds(facts, earlier, words);
            if sum.add(held).is_none() {
                return Held::No;
            }
        }
        for groups in &self.any {
            if sum.add(any(groups, facts, earlier, words)).is_none() {
                return Held::No;
            }
        }
        if let Some(group) = &self.not {
            let held = match group.holds(facts, earlier, &mut Vec::new()) {
                Held::Yes | Held::For(_) => Held::No,
                Held::No => Held::Yes,
                Held::Unknown(cause) => Held::Unknown(cause),
            };
            words.extend(group.leaves().iter().map(|condition| (true, condition.word())));
            if sum.add(held).is_none() {
                return Held::No;
            }
        }
        sum.held()
    }
}

/// Whether one of the groups is met. Where one is met for some recipients, the others may be met for more.
fn any(groups: &[Group], facts: &Facts, earlier: Earlier<'_>, words: &mut Vec<Word>) -> Held {
    let mut unknown = None;
    let mut recipients: Vec<usize> = Vec::new();
    for group in groups {
        let mut of_group = Vec::new();
        match group.holds(facts, earlier, &mut of_group) {
            Held::Yes => {
                words.extend(of_group);
                return Held::Yes;
            }
            Held::For(more) => {
                words.extend(of_group);
                recipients.extend(more);
            }
            Held::No => {}
            Held::Unknown(cause) => unknown = Some(cause),
        }
    }
    match (recipients.is_empty(), unknown) {
        (false, _) => Held::For(recipients),
        (true, Some(cause)) => Held::Unknown(cause),
        (true, None) => Held::No,
    }
}

/// What several conditions say together.
#[derive(Default)]
struct Sum {
    unknown: Option<Cause>,
    recipients: Vec<usize>,
}

impl Sum {
    /// `None` where the condition is not met, which settles it.
    fn add(&mut self, held: Held) -> Option<()> {
        match held {
            Held::No => return None,
            Held::Unknown(cause) => self.unknown = self.unknown.or(Some(cause)),
            Held::For(recipients) => self.recipients.extend(recipients),
            Held::Yes => {}
        }
        Some(())
    }

    fn held(mut self) -> Held {
        if let Some(cause) = self.unknown {
            return Held::Unknown(cause);
        }
        self.recipients.sort_unstable();
        self.recipients.dedup();
        if self.recipients.is_empty() { Held::Yes } else { Held::For(self.recipients) }
    }
}

fn negated(when: &mut Settings<'_>, depth: usize) -> Option<Box<Group>> {
    let value = when.value("not")?;
    if let Kind::Table(_) = value.kind {
        return when.nested("not", value, |inner| Group::nested(inner, depth + 1)).map(Box::new);
    }
    let problem = format!("is {}, not a table of conditions", value.kind.word());
    let right =
        "write not = { sender = '@exempelby\\.se$' }; for several groups not = { any = [{ … }, { … }] }";
    when.wrong("not", value.at, Fault::new(problem, right));
    None
}

fn groups(when: &mut Settings<'_>, key: &'static str, depth: usize) -> Option<Vec<Group>> {
    let value = when.value(key)?;
    let right = format!("write {key} = [{{ subject = 'a' }}, {{ sender = 'b' }}]");
    let Kind::List(values) = &value.kind else {
        let problem = format!("is {}, not a list of tables of conditions", value.kind.word());
        when.wrong(key, value.at, Fault::new(problem, right));
        return None;
    };
    if values.is_empty() || values.len() > limits::CONDITIONS {
        let problem = format!("has {} groups, but must have 1 to {}", values.len(), limits::CONDITIONS);
        when.wrong(key, value.at, Fault::new(problem, right));
        return None;
    }
    let group = |value| when.nested(key, value, |inner| Group::nested(inner, depth + 1));
    Some(values.iter().filter_map(group).collect())
}
