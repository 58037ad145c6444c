//! Addresses of homes: a street with a number, with or without the postal town. They matter where somebody's address
//! is not to be known.

#![deny(clippy::disallowed_methods)]

use super::fold::is_letter;
use super::identity::{TextContext, key};
use super::shape::Shape;
use super::{By, Confidence, Kind, Number};

/// What the names of streets end in, folded.
const STREETS: &[&[u8]] = &[
    b"gatan",
    b"v\xE4gen",
    b"gata",
    b"v\xE4g",
    b"gr\xE4nd",
    b"gr\xE4nden",
    b"stigen",
    b"stig",
    b"torget",
    b"torg",
    b"backen",
    b"backe",
    b"all\xE9n",
    b"all\xE9",
    b"leden",
    b"esplanaden",
    b"g\xE5rden",
    b"kroken",
    b"sv\xE4ngen",
    b"slingan",
    b"platsen",
    b"kajen",
    b"liden",
    b"rundeln",
    b"h\xF6jden",
    b"parken",
    b"g\xE5ngen",
];

impl TextContext<'_> {
    /// The address whose house number is the first run.
    pub(super) fn address(&self, shape: &Shape<'_>) -> Option<Number> {
        let house = shape.range(0);
        if !(1..=3).contains(&house.len()) || self.bytes.get(house.start.checked_sub(1)?) != Some(&b' ') {
            return None;
        }
        let before = self.bytes.get(house.start.saturating_sub(40)..house.start - 1)?;
        let street = before.iter().rposition(|byte| !is_letter(*byte)).map_or(0, |at| at + 1);
        let street = before.get(street..)?;
        let proper = street.first().is_some_and(|first| first.is_ascii_uppercase() || *first >= 0xE0);
        if street.len() <= 4 || !proper {
            return None;
        }
        let lower = street.to_ascii_lowercase();
        let at = house.start - 1 - street.len()..house.end;
        STREETS.iter().any(|ending| lower.ends_with(ending)).then(|| Number {
            kind: Kind::Address,
            sure: Confidence::Strong,
            by: By::Form,
            key: key(&lower),
            at,
        })
    }
}
