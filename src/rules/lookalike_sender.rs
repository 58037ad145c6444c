//! `lookalike-sender`: a sender outside who imitates one inside.

#![deny(clippy::disallowed_methods)]

use std::cmp::min;

use crate::address::{Address, Domain, DomainPattern};
use crate::facts::authentication::aligned;
use crate::facts::{Facts, Needs};
use crate::limits;
use crate::mail::Direction;
use crate::settings::problem::Fault;
use crate::settings::{Fallback, Key, Settings, Value, parse};
use crate::text;

use super::confusable::{OwnLook, OwnLooks};
use super::{ActionSet, Confidence, Evidence, Finding, Flow, Match, Rule, Section, Spec, confusable};

/// The rule's spec.
pub static SPEC: Spec = Spec {
    id: "lookalike-sender",
    summary: "Inbound mail from a sender who imitates a colleague or a domain of the organisation.",
    page: PAGE,
    menu: ActionSet::Mark,
    flow: Flow::FromOutside,
    section: Section::One,
    keys: KEYS,
    make,
};

const PAGE: &str = "\
## What it finds
Inbound mail with a domain in From that is not the organisation's, and one of these signs:

- `own-address-in-name`: the display name shows one of the organisation's addresses or domains.
- `colleague`: the display name is one of `names`.
- `looks-like`: the domain looks the same as one of the organisation's at a glance (`exempe1by.se`, `exernpelby.se`,
  letters of other alphabets).
- `near-miss`: the domain differs from one of the organisation's by one letter, or by two if it is long.
- `own-domain-inside`: the domain contains one of the organisation's domains (`exempelby.se.example.org`).

The grade is *strong*. `reply-to-elsewhere`: replies go to another domain than the one in From. Alone it is *weak* and has
no effect, because newsletters do it too.

## Why it matters
People look at the name and not at the address. Fraudulent requests for payments or passwords use a manager's name.

## What it misses
Names that are not in `names`, and domains that do not resemble the organisation's. Mail with one of the organisation's own
domains in From is checked by DMARC and by the rule `spam`.

## Settings
`names` and `allowed` adapt the rule to the organisation.

## References
Unicode TR 39 (confusables). Gislaved's guidelines 6.1.
";

const KEYS: &[Key] = &[
    Key {
        name: "names",
        kind: "list of text",
        default: Fallback::Off,
        example: "[\"Kommundirektören\"]",
        meaning: "Display names that only colleagues have. Case and word order do not matter.",
        why: "Only you know whose names would be misused.",
        keys: &[],
    },
    Key {
        name: "allowed",
        kind: "list of domains",
        default: Fallback::Off,
        example: "[\"exempelbo.se\"]",
        meaning: "Domains that may resemble the organisation's own. \"*.example.org\" matches every subdomain.",
        why: "A neighbouring municipality may have such a name.",
        keys: &[],
    },
];

/// Letters of an own name from which on one letter's difference, and two letters', is a near miss.
const NEAR: [usize; 2] = [5, 10];

/// The rule.
#[derive(Debug)]
pub struct LookalikeSender {
    names: Vec<Vec<String>>,
    allowed: Vec<DomainPattern>,
    own: OwnLooks,
}

#[expect(clippy::unnecessary_wraps, reason = "other rules may be wrong")]
fn make(_: &str, section: &mut Settings<'_>) -> Option<Box<dyn Rule>> {
    let mut names = Vec::new();
    for value in section.list("names").unwrap_or_default() {
        names.extend(section.accept("names", value.at, name(value)));
    }
    let mut allowed = Vec::new();
    for value in section.list("allowed").unwrap_or_default() {
        allowed.extend(section.accept("allowed", value.at, domain(value)));
    }
    Some(Box::new(LookalikeSender { names, allowed, own: OwnLooks::default() }))
}

fn name(value: &Value) -> Result<Vec<String>, Fault> {
    let words = words_of(parse::text(value)?);
    if words.is_empty() {
        Err(Fault::new("has no letters", "write a name as \"Anna Andersson\""))
    } else {
        Ok(words)
    }
}

fn domain(value: &Value) -> Result<DomainPattern, Fault> {
    let given = parse::text(value)?;
    DomainPattern::parse(given)
        .map_err(|wrong| Fault::new(format!("{} is {wrong}", parse::shown(given)), "write example.org"))
}

/// The words of a name, in one order.
fn words_of(name: &str) -> Vec<String> {
    let mut words: Vec<String> = name
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_owned)
        .collect();
    words.sort_unstable();
    words
}

impl Rule for LookalikeSender {
    fn id(&self) -> &str {
        SPEC.id
    }

    fn needs(&self) -> Needs {
        Needs::NONE
    }

    fn check(&self, facts: &Facts) -> Vec<Finding> {
        let Some(author) = author(facts) else { return Vec::new() };
        if self.allowed.iter().any(|allowed| allowed.matches(&author)) {
            return Vec::new();
        }
        let mut signs = Vec::new();
        let name = display_name(facts);
        if shows_own(&name, facts) {
            signs.push("own-address-in-name");
        }
        if !self.names.is_empty() && self.names.contains(&words_of(&name)) {
            signs.push("colleague");
        }
        signs.extend(likeness(&author, self.own.of(&facts.organisation)));
        let grade = if signs.is_empty() { Confidence::Weak } else { Confidence::Strong };
        if replies_go_elsewhere(&author, facts) {
            signs.push("reply-to-elsewhere");
        }
        let mut signs = signs.into_iter();
        let Some(first) = signs.next() else { return Vec::new() };
        let evidence = signs.fold(Evidence::of(first), Evidence::and);
        vec![Finding::Match(Match { grade, evidence, mailboxes: Vec::new(), recipients: Vec::new() })]
    }
}

/// The foreign domain in From of a mail from outside.
fn author(facts: &Facts) -> Option<Domain> {
    let own = |address: &Address| facts.owns(address);
    if facts.direction != Direction::Inbound || facts.header.from.iter().any(own) {
        return None;
    }
    facts.header.from.first().and_then(Address::domain)
}

/// What stands in From beside the addresses.
fn display_name(facts: &Facts) -> String {
    let names = facts.header.author_names();
    text::truncate(&names, limits::SUBJECT_OCTETS).to_owned()
}

/// Whether the name has one of our domains in it, as a whole word or behind an `@`.
fn shows_own(name: &str, facts: &Facts) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    name.split(|c: char| !part(c))
        .filter(|word| word.contains('.'))
        .any(|word| facts.organisation.owns_domain(&Domain::new(word.trim_matches('.'))))
}

/// How the domain resembles one of ours.
fn likeness(author: &Domain, own: &[OwnLook]) -> Option<&'static str> {
    if own.iter().any(|own| stands_inside(own.domain.as_str(), author.as_str())) {
        return Some("own-domain-inside");
    }
    let foreign = author.to_unicode();
    let skeleton = confusable::skeleton(&foreign);
    if own.iter().any(|own| own.is_in(&skeleton)) {
        return Some("looks-like");
    }
    own.iter().any(|own| near(tail(&foreign, &own.name), &own.name)).then_some("near-miss")
}

/// Whether the labels of a name stand among those of another one.
fn stands_inside(name: &str, other: &str) -> bool {
    other.match_indices(name).any(|(at, _)| {
        let (before, rest) = other.split_at(at);
        let after = rest.strip_prefix(name).unwrap_or_default();
        (before.is_empty() || before.ends_with('.')) && (after.is_empty() || after.starts_with('.'))
    })
}

/// The last labels of a name, as many as the other has: `mail.exempe1by.se` is measured as `exempe1by.se`.
fn tail<'a>(name: &'a str, other: &str) -> &'a str {
    let dots = other.matches('.').count();
    name.rmatch_indices('.').nth(dots).and_then(|(at, _)| name.get(at + 1..)).unwrap_or(name)
}

fn near(name: &str, own: &str) -> bool {
    let letters = own.chars().count();
    let allowed = NEAR.iter().filter(|least| letters >= **least).count();
    (1..=allowed).contains(&distance(name, own, allowed))
}

/// How many letters have to be put in, left out, changed, or exchanged with their neighbour; above `most` it is only
/// known that it is more. Short names alone are measured.
fn distance(one: &str, other: &str, most: usize) -> usize {
    let letters = one.chars().count();
    if letters.abs_diff(other.chars().count()) > most || letters > 253 || odd_letters(one, other) > 2 * most {
        return most + 1;
    }
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let far = usize::MAX / 2;
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(far);
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (line, a) in one.iter().enumerate() {
        let mut row = Vec::with_capacity(other.len() + 1);
        // What is farther from the diagonal than `most` is more than that.
        let first = line.saturating_sub(most);
        row.resize(first, far);
        row.push(if first == 0 { line + 1 } else { far });
        for (column, b) in other.iter().enumerate().skip(first).take(line + most + 1 - first) {
            let changed = at(&last, column) + usize::from(a != b);
            let mut nearest = min(changed, min(at(&last, column + 1), at(&row, column)) + 1);
            let neighbour = line.checked_sub(1).zip(column.checked_sub(1));
            if neighbour.is_some_and(|(l, c)| one.get(l) == Some(b) && other.get(c) == Some(a)) {
                nearest = min(nearest, at(&before, column - 1) + 1);
            }
            row.push(nearest);
        }
        before = std::mem::replace(&mut last, row);
    }
    at(&last, other.len())
}

/// How many letters one name has that the other does not, whatever their places: a change makes two of them, all else
/// at most one. What is no letter of ASCII does not count. Nearly every name is told apart by that alone.
fn odd_letters(one: &str, other: &str) -> usize {
    let mut surplus = [0_i32; 128];
    let mut count = |name: &str, by: i32| {
        for letter in name.bytes() {
            if let Some(surplus) = surplus.get_mut(usize::from(letter)) {
                *surplus += by;
            }
        }
    };
    count(one, 1);
    count(other, -1);
    surplus.iter().map(|surplus| surplus.unsigned_abs() as usize).sum()
}

fn replies_go_elsewhere(author: &Domain, facts: &Facts) -> bool {
    facts.header.reply_to.iter().filter_map(Address::domain).any(|domain| !aligned(&domain, author))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::testing::{from_inside, from_outside};

    fn found(header: &str) -> String {
        let rule = LookalikeSender {
            names: vec![words_of("Chef, Karin")],
            allowed: vec![DomainPattern::parse("exempelbo.se").unwrap()],
            own: OwnLooks::default(),
        };
        let facts = from_outside("x@example.org", "anna@exempelby.se", header);
        match &rule.check(&facts)[..] {
            [] => "nothing".to_owned(),
            [Finding::Match(found)] => format!("{} {}", found.grade.as_str(), found.evidence),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_looks_like_us_is_found() {
        for (header, expected) in [
            ("From: \"anna@exempelby.se\" <x@example.org>", "strong own-address-in-name"),
            ("From: =?UTF-8?Q?Exempelby.se_IT?= <x@example.org>", "strong own-address-in-name"),
            ("From: Karin Chef <x@example.org>", "strong colleague"),
            ("From: x@exempe1by.se", "strong looks-like"),
            // `exempelby` with a Cyrillic е, and with a Cyrillic у.
            ("From: x@xn--xempelby-b8g.se", "strong looks-like"),
            ("From: x@xn--exempelb-4ch.se", "strong looks-like"),
            ("From: x@mail.exernpelby.se", "strong looks-like"),
            ("From: x@xn--xmpelby-1nfg.se", "nothing"),
            ("From: x@exemplby.se", "strong near-miss"),
            ("From: x@exepmelby.se", "strong near-miss"),
            ("From: x@exempelby.se.example.org", "strong own-domain-inside"),
            ("From: x@exempelbo.se", "nothing"),
            ("From: x@example.org\nReply-To: y@example.net", "weak reply-to-elsewhere"),
            ("From: x@example.org\nReply-To: y@mail.example.org", "nothing"),
            ("From: Anna <anna@exempelby.se>", "nothing"),
        ] {
            assert_eq!(found(header), expected, "{header}");
        }
    }

    #[test]
    fn nobody_inside_looks_like_anybody() {
        let rule = LookalikeSender { names: Vec::new(), allowed: Vec::new(), own: OwnLooks::default() };
        let facts = from_inside("x@exempe1by.se", "y@example.org", "From: x@exempe1by.se");
        assert_eq!(rule.check(&facts), []);
    }

    #[test]
    fn distances() {
        assert_eq!(distance("abcd", "abcd", 2), 0);
        assert_eq!(distance("abcd", "abdc", 2), 1);
        assert_eq!(distance("abcd", "abxd", 2), 1);
        assert_eq!(distance("abcd", "bcd", 2), 1);
        assert!(distance("abcd", "wxyz", 2) > 2);
        assert_eq!((distance("abcdef", "bcdefg", 2), distance("bcdefg", "abcdef", 2)), (2, 2));
        assert_eq!((distance("", "ab", 2), distance("ab", "", 2)), (2, 2));
        assert_eq!(distance("xyabcdefgh", "abcdefghxy", 4), 4);
        assert_eq!((distance("abcdef", "abcdöf", 1), distance("abxxef", "abcdef", 2)), (1, 2));
        assert!(distance("xyabcdefgh", "abcdefghxy", 3) > 3);
    }
}
