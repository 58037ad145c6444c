//! Evidence: by what a rule knows. Words of the program's own, mailboxes, and what was found with its data masked;
//! never a mail's content.

#![deny(clippy::disallowed_methods)]

use std::fmt;

use super::Sensitivity;
use crate::facts::passage::{Passage, Place};
use crate::limits;
use crate::scan::credentials::Credential;
use crate::scan::fold::Folded;
use crate::scan::{self, Number};
use crate::text;

/// By what a rule knows.
///
/// There is no way to put arbitrary text of a mail in here: what is shown of it passes through the constructors,
/// and each masks what it must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    text: String,
    class: Sensitivity,
    counts: Vec<(&'static str, usize)>,
    log_only: bool,
}

impl Evidence {
    /// Evidence in the rule's own words.
    pub fn of(words: &'static str) -> Self {
        Self::words(words.to_owned())
    }

    fn words(text: String) -> Self {
        Self { text, class: Sensitivity::None, counts: Vec::new(), log_only: false }
    }

    /// Data of a class: where it was seen, how many of each kind, and what else there is to say.
    pub fn of_data(
        class: Sensitivity,
        counts: Vec<(&'static str, usize)>,
        sightings: &[Sighting],
        beside: &[&'static str],
    ) -> Self {
        let shown = sightings.iter().take(limits::SIGHTINGS).map(|sighting| sighting.0.clone());
        let more = sightings.len().saturating_sub(limits::SIGHTINGS);
        let more = (more > 0).then(|| format!("and {more} more places"));
        let beside = beside.iter().map(|words| (*words).to_owned());
        let text = shown.chain(more).chain(beside).collect::<Vec<_>>().join("; ");
        Self { text, class, counts, log_only: false }
    }

    /// Conditions that were met, by their words; those that are negated are marked so.
    pub fn of_conditions(words: &[(bool, &'static str)]) -> Self {
        let word = |(negated, word): &(bool, &'static str)| match negated {
            true => format!("not-{word}"),
            false => (*word).to_owned(),
        };
        Self::words(words.iter().map(word).collect::<Vec<_>>().join(","))
    }

    /// A scanner's points, and those from which on it is spam.
    pub fn points(score: f64, required: f64) -> Self {
        Self::words(format!("points={score:.1}/{required:.1}"))
    }

    /// The name that a scanner has for what it found.
    pub fn signature(name: &str) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-/:".contains(c) { c } else { '_' };
        Self::words(text::truncate(name, limits::SIGNATURE_NAME_OCTETS).chars().map(plain).collect())
    }

    /// Joined: `a,b`.
    #[must_use]
    pub fn and(mut self, words: &'static str) -> Self {
        self.text.push(',');
        self.text.push_str(words);
        self
    }

    /// Of something that is to be logged and have no other effect, whatever the rule's mode.
    #[must_use]
    pub fn log_only(self) -> Self {
        Self { log_only: true, ..self }
    }

    /// Whether that is all that may follow from it.
    pub fn is_log_only(&self) -> bool {
        self.log_only
    }

    /// Whether it has the word already.
    pub fn has(&self, word: &str) -> bool {
        self.text.split(',').any(|own| own == word)
    }

    /// The evidence as text, for a header, the log and people.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The class of the data; none where the rule is about something else.
    pub fn class(&self) -> Sensitivity {
        self.class
    }

    /// How many of each kind of data, by the kind's word.
    pub fn counts(&self) -> &[(&'static str, usize)] {
        &self.counts
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Data seen in one place, masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting(String);

impl Sighting {
    /// Numbers of one kind, in one passage; the first of them is shown, masked.
    pub fn of_numbers(first: &Number, different: usize, folded: &Folded<'_>, passage: &Passage) -> Self {
        let (kind, masked) = (first.kind.as_str(), first.masked(folded));
        let what = match different {
            0 | 1 => format!("{kind} {masked}"),
            many => format!("{many} {kind}, first {masked}"),
        };
        Self(format!("{what} {}", place(passage, folded.offset(first.at.start))))
    }

    /// Somebody who is named, or whose number is masked, with `what` it is; the first of them stands at `at`.
    pub fn of_persons(
        what: &'static str,
        different: usize,
        at: usize,
        folded: &Folded<'_>,
        passage: &Passage,
    ) -> Self {
        let place = place(passage, folded.offset(at));
        match different {
            0 | 1 => Self(format!("{what} {place}")),
            many => Self(format!("{many} × {what}, first {place}")),
        }
    }

    /// A credential: only that there is one.
    pub fn of_credential(credential: &Credential, folded: &Folded<'_>, passage: &Passage) -> Self {
        let place = place(passage, folded.offset(credential.at.start));
        Self(format!("{} {place}", credential.secret.as_str()))
    }

    /// An encrypted attachment.
    pub fn of_encrypted(path: &str, name: &str) -> Self {
        Self(format!("beside encrypted part {path}{}", quoted(name)))
    }
}

/// Where something stands, at which octet of the text there.
fn place(passage: &Passage, at: usize) -> String {
    let part = match &*passage.part {
        "" => String::new(),
        part => format!(" of part {part}"),
    };
    match passage.place {
        Place::Subject => format!("in the subject{part} at {at}"),
        Place::DisplayName => format!("in a name field{part} at {at}"),
        Place::AttachmentName => format!("in the name{part} at {at}"),
        Place::Residue => format!("outside the parts{part} at {at}"),
        Place::Body | Place::Attachment if passage.part.is_empty() => format!("in the body at {at}"),
        Place::Body | Place::Attachment => {
            format!("in part {}{} at {at}", passage.part, quoted(&passage.name))
        }
    }
}

/// The name of a file, in quotes, with every long number in it masked.
fn quoted(name: &str) -> String {
    if name.is_empty() {
        return String::new();
    }
    let masked = scan::masked(text::truncate(name, limits::EVIDENCE_NAME_OCTETS));
    format!(" \"{}\"", masked.replace(['"', '\\'], "'"))
}
