//! Series: what the numbers of one column or text say of one another. Of numbers of something else one in ten has a
//! right check digit by chance; of people's nearly all have one.

#![deny(clippy::disallowed_methods)]

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::context::Context;
use super::{By, Confidence, Number};
use crate::limits;

/// Different numbers from which on few right check digits among them are no chance.
const MANY: usize = 10;
/// Different numbers of one day from which on they are that day's cases.
const OF_ONE_DAY: usize = 3;
/// Different numbers beside the words for persons from which on none of them being wrong is no chance.
const HINTED: usize = 3;

/// A number that is written as a person's, and is none.
pub(super) struct Failing {
    pub(super) at: Range<usize>,
    pub(super) key: u64,
}

/// What numbers have in common that are judged together: column and form.
type Group = (Option<u64>, (usize, bool));

/// Different numbers of a group.
#[derive(Default)]
struct Tally {
    passing: HashSet<u64>,
    failing: HashSet<u64>,
}

impl Tally {
    fn all(&self) -> usize {
        self.passing.len() + self.failing.len()
    }

    fn mostly_fail(&self) -> bool {
        self.all() >= MANY && self.passing.len() * 2 < self.all()
    }

    fn nearly_all_pass(&self) -> bool {
        self.passing.len() >= limits::COLUMN_NUMBERS && self.passing.len() * 10 >= self.all() * 8
    }

    fn none_fails(&self) -> bool {
        self.passing.len() >= HINTED && self.failing.is_empty()
    }
}

/// Judges the numbers that no label names by the others of their column and form.
pub(super) fn settle(bytes: &[u8], context: &Context<'_>, found: &mut [Number], failing: &[Failing]) {
    let open =
        |number: &Number| number.kind.of_person() && number.by != By::Word && number.sure > Confidence::Weak;
    if !found.iter().any(open) {
        return;
    }
    let groups = groups(bytes, context, found, failing);
    let mut tallies: HashMap<Group, Tally> = HashMap::new();
    let (persons, others) = groups.split_at(found.len());
    for (number, group) in found.iter().zip(persons).filter(|(number, _)| number.kind.of_person()) {
        tallies.entry(*group).or_default().passing.insert(number.key);
    }
    for (failing, group) in failing.iter().zip(others) {
        tallies.entry(*group).or_default().failing.insert(failing.key);
    }
    let days = busy_days(found.iter().filter(|number| open(number)));
    for (number, group) in found.iter_mut().zip(persons).filter(|(number, _)| open(number)) {
        let Some(tally) = tallies.get(group) else { continue };
        let (column, (_, separated)) = group;
        let low = if *separated { Confidence::Medium } else { Confidence::Weak };
        // In a text that is no table an old day has nothing to do with the cases of these years beside it.
        let alike = column.is_some() || !separated || number.by != By::Form;
        if (alike && tally.mostly_fail()) || days.contains(&day(number)) {
            number.sure = number.sure.min(low);
        } else if tally.nearly_all_pass() || (number.by == By::Person && tally.none_fails()) {
            number.sure = Confidence::Strong;
        }
    }
}

/// The groups of the numbers, and then those of what fails; places are asked for in their order.
fn groups(bytes: &[u8], context: &Context<'_>, found: &[Number], failing: &[Failing]) -> Vec<Group> {
    let places: Vec<&Range<usize>> =
        found.iter().map(|number| &number.at).chain(failing.iter().map(|failing| &failing.at)).collect();
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|at| places.get(*at).map(|place| place.start));
    let mut groups = vec![(None, (0, false)); places.len()];
    context.rewind();
    for at in order {
        if let (Some(group), Some(place)) = (groups.get_mut(at), places.get(at)) {
            *group = (context.column(place.start), form(bytes, place));
        }
    }
    groups
}

/// How many digits there are, and whether something stands between them.
fn form(bytes: &[u8], at: &Range<usize>) -> (usize, bool) {
    let written = bytes.get(at.clone()).unwrap_or_default();
    let digits = written.iter().filter(|byte| byte.is_ascii_digit()).count();
    (digits, digits < written.len() || digits == 12)
}

/// The day of a number: the first six of the ten characters that its key is made of.
fn day(number: &Number) -> u64 {
    number.key / 43_u64.pow(4)
}

/// Days that have several of the numbers, where those are half of them or more: cases are counted by the day, and
/// people are born on all days.
fn busy_days<'n>(numbers: impl Iterator<Item = &'n Number>) -> HashSet<u64> {
    let mut days: HashMap<u64, HashSet<u64>> = HashMap::new();
    for number in numbers {
        days.entry(day(number)).or_default().insert(number.key);
    }
    let all: usize = days.values().map(HashSet::len).sum();
    days.retain(|_, keys| keys.len() >= OF_ONE_DAY);
    let busy: usize = days.values().map(HashSet::len).sum();
    if busy * 2 < all { HashSet::new() } else { days.into_keys().collect() }
}
