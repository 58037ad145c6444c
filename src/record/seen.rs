//! Seen messages: what is remembered of a message from outside. It borrows what the mail says until it is written, once, as
//! one run of octets in the record of the mail; that does not say again what the record says.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use jiff::Timestamp;
use smallvec::SmallVec;

use crate::facts::identity::{Fingerprint, Key};
use crate::limits;

/// What is remembered of a message from outside: by keyed hash alone what it is, and in clear who has to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRow<'a> {
    at: Timestamp,
    /// The record of the same message for other mailboxes.
    before: Option<u64>,
    /// Addresses that were over a limit; none in a row that was read.
    left_out: usize,
    keys: SmallVec<[Key; 4]>,
    fingerprint: Fingerprint,
    mailboxes: SmallVec<[Cow<'a, str>; 2]>,
    authors: SmallVec<[Cow<'a, str>; 2]>,
}

/// A row as it stands in its record: how many keys there are and how many mailboxes, an octet each; the keys; the
/// fingerprint; then the mailboxes and the authors, each as its length in two octets, the high one first, and its text.
/// No mailboxes are all recipients of the record, an author of no length is its sender, and where the first octet is
/// above `BEFORE` the number of the record before stands behind the counts, in eight octets.
pub type SeenOctets = SmallVec<[u8; 128]>;

/// How many keys there cannot be.
const BEFORE: u8 = 0x80;

impl<'a> SeenRow<'a> {
    /// The row of a message that came at that time. The first key is what tells most, as its Message-ID; what is over a
    /// limit is left out, and [`Self::left_out`] says so.
    pub fn new(
        at: Timestamp,
        keys: impl IntoIterator<Item = Key>,
        fingerprint: Fingerprint,
        mailboxes: impl IntoIterator<Item = impl Into<Cow<'a, str>>>,
        authors: impl IntoIterator<Item = impl Into<Cow<'a, str>>>,
    ) -> Self {
        let keys = keys.into_iter().take((BEFORE - 1).into()).collect();
        let mut row = Self {
            at,
            before: None,
            left_out: 0,
            keys,
            fingerprint,
            mailboxes: SmallVec::new(),
            authors: SmallVec::new(),
        };
        for mailbox in mailboxes.into_iter().map(Into::into) {
            if row.mailboxes.len() < limits::SEEN_MAILBOXES && fits(&mailbox) {
                row.mailboxes.push(mailbox);
            } else {
                row.left_out += 1;
            }
        }
        for author in authors.into_iter().map(Into::into) {
            if fits(&author) {
                row.authors.push(author);
            } else {
                row.left_out += 1;
            }
        }
        row
    }

    /// The row as it stands in a record with that sender and those recipients.
    pub fn beside(&self, sender: &str, recipients: &[String]) -> SeenOctets {
        let said = self.mailboxes().eq(recipients.iter().map(String::as_str));
        let mailboxes = if said { &[][..] } else { &self.mailboxes };
        let count = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
        let mut octets = SeenOctets::new();
        octets.push(count(self.keys.len()) | if self.before.is_some() { BEFORE } else { 0 });
        octets.push(count(mailboxes.len()));
        if let Some(before) = self.before {
            octets.extend_from_slice(&before.to_be_bytes());
        }
        octets.extend_from_slice(self.keys.as_flattened());
        octets.extend_from_slice(&self.fingerprint);
        for mailbox in mailboxes {
            push(&mut octets, mailbox);
        }
        for author in self.authors() {
            push(&mut octets, if author == sender { "" } else { author });
        }
        octets
    }

    /// When the message came.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// How many addresses were left out. The memory counts it when it stores the row; nothing is counted here.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// By what it is recognised; what tells most stands first.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// What tells messages of one Message-ID apart.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The local mailboxes that it came for.
    pub fn mailboxes(&self) -> impl Iterator<Item = &str> {
        self.mailboxes.iter().map(Cow::as_ref)
    }

    /// Who wrote it.
    pub fn authors(&self) -> impl Iterator<Item = &str> {
        self.authors.iter().map(Cow::as_ref)
    }

    /// The record of the same message for other mailboxes, which came before.
    pub fn before(&self) -> Option<u64> {
        self.before
    }

    /// The row of a message that came with that record before.
    #[must_use]
    pub fn after(self, before: Option<u64>) -> Self {
        Self { before, ..self }
    }

    /// The row with texts of its own.
    pub fn owned(&self) -> SeenRow<'static> {
        SeenRow {
            at: self.at,
            before: self.before,
            left_out: self.left_out,
            keys: self.keys.clone(),
            fingerprint: self.fingerprint,
            mailboxes: self.mailboxes().map(|mailbox| mailbox.to_owned().into()).collect(),
            authors: self.authors().map(|author| author.to_owned().into()).collect(),
        }
    }

    /// The row that stands so in a record with that sender and those recipients; none where these are not the octets of
    /// one.
    pub fn read(
        at: Timestamp,
        octets: &[u8],
        sender: &str,
        recipients: impl FnOnce() -> Option<Vec<String>>,
    ) -> Option<SeenRow<'static>> {
        let ([key_count, mailbox_count], mut rest) = octets.split_first_chunk()?;
        let mut before = None;
        if key_count & BEFORE != 0 {
            let seq;
            (seq, rest) = rest.split_first_chunk()?;
            before = Some(u64::from_be_bytes(*seq));
        }
        let (keys, rest) = rest.split_at_checked(size_of::<Key>() * usize::from(key_count & !BEFORE))?;
        let (fingerprint, mut rest) = rest.split_first_chunk()?;
        let mut mailboxes = Vec::new();
        for _ in 0..*mailbox_count {
            mailboxes.push(pull(&mut rest)?.to_owned());
        }
        if mailboxes.is_empty() {
            mailboxes = recipients()?;
        }
        let mut authors = Vec::new();
        while !rest.is_empty() {
            let author = pull(&mut rest)?;
            authors.push(if author.is_empty() { sender } else { author }.to_owned());
        }
        let keys = keys.as_chunks().0.iter().copied();
        Some(SeenRow::new(at, keys, *fingerprint, mailboxes, authors).after(before))
    }

    /// The row with the mailboxes of another one behind its own.
    #[must_use]
    pub fn joined(mut self, other: Self) -> Self {
        for mailbox in other.mailboxes {
            if self.mailboxes.contains(&mailbox) {
                continue;
            }
            if self.mailboxes.len() < limits::SEEN_MAILBOXES {
                self.mailboxes.push(mailbox);
            } else {
                self.left_out += 1;
            }
        }
        self
    }
}

/// Whether there is room: no envelope has a longer address.
fn fits(person: &str) -> bool {
    person.len() <= limits::ADDRESS_OCTETS
}

fn push(octets: &mut SeenOctets, person: &str) {
    // What does not fit is not in a row.
    let length = u16::try_from(person.len()).unwrap_or_default();
    octets.extend_from_slice(&length.to_be_bytes());
    octets.extend_from_slice(person.as_bytes());
}

fn pull<'a>(octets: &mut &'a [u8]) -> Option<&'a str> {
    let (length, rest) = octets.split_first_chunk()?;
    let (person, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    *octets = rest;
    str::from_utf8(person).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [Key; 2] = [[1; 16], [2; 16]];

    fn row<'a>(mailboxes: &[&'a str]) -> SeenRow<'a> {
        let mailboxes = mailboxes.iter().copied();
        SeenRow::new(Timestamp::UNIX_EPOCH, KEYS, [3; 8], mailboxes, ["x@example.org", "å@example.org"])
    }

    #[test]
    fn rows_are_read_as_they_are_written() {
        let row = row(&["anna@exempelby.se", "bo@exempelby.se"]);
        assert_eq!((row.keys(), row.fingerprint()), (&KEYS[..], [3; 8]));
        assert!(row.mailboxes().eq(["anna@exempelby.se", "bo@exempelby.se"]));
        assert!(row.authors().eq(["x@example.org", "å@example.org"]));
        let read = |octets: &[u8]| SeenRow::read(row.at(), octets, "", || None);
        let after = row.clone().after(Some(1 << 40));
        assert_eq!(read(&after.beside("", &[])), Some(after));
        let written = row.beside("", &[]);
        assert_eq!(read(&written), Some(row.clone()));
        let people = 2 + 32 + 8;
        for cut in 0..written.len() {
            // Whole authors may be missing: they are as many as there are.
            let whole = [people + 36, people + 51].contains(&cut);
            assert_eq!(read(&written[..cut]).is_some(), whole, "{cut}");
        }
        let odd = [&written, &[0, 1, 0xFF][..]].concat();
        assert_eq!(read(&odd), None, "no text");
    }

    #[test]
    fn what_the_record_says_is_not_said_again() {
        let row = row(&["anna@exempelby.se", "bo@exempelby.se"]);
        for (sender, recipients, people) in [
            ("x@example.org", &["anna@exempelby.se", "bo@exempelby.se"][..], 2 + 16),
            ("å@example.org", &["anna@exempelby.se", "bo@exempelby.se"], 15 + 2),
            ("<>", &["anna@exempelby.se", "bo@exempelby.se"], 15 + 16),
            ("x@example.org", &["anna@exempelby.se"], 19 + 17 + 2 + 16),
            ("x@example.org", &["bo@exempelby.se", "anna@exempelby.se"], 19 + 17 + 2 + 16),
            ("x@example.org", &["anna@exempelby.se", "… (1 more)"], 19 + 17 + 2 + 16),
            ("x@example.org", &[], 19 + 17 + 2 + 16),
        ] {
            let recipients: Vec<String> = recipients.iter().map(ToString::to_string).collect();
            let written = row.beside(sender, &recipients);
            assert_eq!(written.len(), 2 + 32 + 8 + people, "{sender} {recipients:?}");
            let read = SeenRow::read(row.at(), &written, sender, || Some(recipients.clone()));
            assert_eq!(read.as_ref(), Some(&row), "{sender} {recipients:?}");
        }
    }

    #[test]
    fn what_is_too_much_is_left_out() {
        let fits = "a".repeat(limits::ADDRESS_OCTETS);
        assert_eq!(row(&[&fits, "anna@exempelby.se"]).left_out(), 0);
        for octets in [limits::ADDRESS_OCTETS + 1, 1 << 16] {
            let long = "a".repeat(octets);
            let row =
                SeenRow::new(Timestamp::UNIX_EPOCH, KEYS, [3; 8], [&*long, "anna@exempelby.se"], [&*long]);
            assert!(row.mailboxes().eq(["anna@exempelby.se"]) && row.authors().next().is_none());
            assert_eq!(row.left_out(), 2);
        }
        let many: Vec<String> = (0..300).map(|n| format!("{n}@exempelby.se")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(row(&many).mailboxes().eq(many.iter().copied().take(limits::SEEN_MAILBOXES)));
        assert_eq!(row(&many).left_out(), 200);
        let joined = row(&many[..99]).joined(row(&many));
        assert!(joined.mailboxes().eq(many[..100].iter().copied()));
        assert_eq!(joined.left_out(), 0, "what was left out of the other one was counted with it");
        let one_too_many = row(&many[200..201]).joined(row(&many));
        assert_eq!((one_too_many.left_out(), one_too_many.clone().joined(joined).left_out()), (1, 2));
    }
}
