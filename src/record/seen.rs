//! Seen messages: what is remembered of a message from outside. It is one run of octets, in memory as on the disk: made
//! once for each mail, and taken apart by neither the writer nor the memory. On the disk it stands in a record, and does
//! not say again what is said there.

#![deny(clippy::disallowed_methods)]

use jiff::Timestamp;
use smallvec::SmallVec;

use crate::facts::identity::{Fingerprint, Key};
use crate::limits;

/// What is remembered of a message from outside: by keyed hash alone what it is, and in clear who has to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRow {
    at: Timestamp,
    /// The record of the same message for other mailboxes.
    before: Option<u64>,
    /// Addresses that were over a limit; none in a row that was read.
    left_out: usize,
    /// How many keys there are and how many mailboxes, an octet each; the keys; the fingerprint; then the mailboxes and
    /// the authors, each as its length in two octets, the high one first, and its text. On the disk no mailboxes are all
    /// recipients of the record, an author of no length is its sender, and where the first octet is above [`BEFORE`] the
    /// number of the record before stands behind the counts, in eight octets.
    octets: SeenOctets,
}

/// How many keys there cannot be.
const BEFORE: u8 = 0x80;

/// Most rows are no longer: they lie in their place in memory, for a block of their own that stays while a thousand
/// other mails come and go makes every other block colder.
pub type SeenOctets = SmallVec<[u8; 232]>;

impl SeenRow {
    /// The row of a message that came at that time. The first key is what tells most, as its Message-ID; what is over a
    /// limit is left out, and [`Self::left_out`] says so.
    pub fn new<'a>(
        at: Timestamp,
        keys: impl IntoIterator<Item = Key>,
        fingerprint: Fingerprint,
        mailboxes: impl IntoIterator<Item = &'a str>,
        authors: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut octets = SeenOctets::new();
        let (mut counts, mut left_out) = ([0, 0], 0);
        let [key_count, mailbox_count] = &mut counts;
        octets.extend_from_slice(&[0, 0]);
        for key in keys.into_iter().take((BEFORE - 1).into()) {
            octets.extend_from_slice(&key);
            *key_count += 1;
        }
        octets.extend_from_slice(&fingerprint);
        for mailbox in mailboxes {
            let kept = usize::from(*mailbox_count) < limits::SEEN_MAILBOXES && push(&mut octets, mailbox);
            *mailbox_count += u8::from(kept);
            left_out += usize::from(!kept);
        }
        for author in authors {
            left_out += usize::from(!push(&mut octets, author));
        }
        octets.iter_mut().zip(counts).for_each(|(to, count)| *to = count);
        Self { at, before: None, left_out, octets }
    }

    /// The row as it stands in a record with that sender and those recipients.
    pub fn beside(&self, sender: &str, recipients: &[String]) -> SeenOctets {
        let mut octets = SeenOctets::new();
        let Some((keys, fingerprint, count, mut authors)) = self.split() else { return octets };
        let people = authors.0;
        let mailboxes = authors.by_ref().take(count);
        let said = count == recipients.len()
            && mailboxes.zip(recipients).fold(true, |said, (mailbox, own)| said && mailbox == own);
        let [key_count, mailbox_count] = self.octets.first_chunk().copied().unwrap_or_default();
        octets.push(key_count | if self.before.is_some() { BEFORE } else { 0 });
        octets.push(if said { 0 } else { mailbox_count });
        octets.extend(self.before.into_iter().flat_map(u64::to_be_bytes));
        octets.extend_from_slice(keys.as_flattened());
        octets.extend_from_slice(&fingerprint);
        if !said {
            authors = People(people);
            for mailbox in authors.by_ref().take(count) {
                push(&mut octets, mailbox);
            }
        }
        for author in authors {
            push(&mut octets, if author == sender { "" } else { author });
        }
        octets
    }

    /// The row that stands so in a record with that sender and those recipients; none where these are not the octets of
    /// one.
    pub fn read(
        at: Timestamp,
        octets: &[u8],
        sender: &str,
        recipients: impl FnOnce() -> Option<Vec<String>>,
    ) -> Option<Self> {
        let ([key_count, mailbox_count], mut rest) = octets.split_first_chunk()?;
        let mut before = None;
        if key_count & BEFORE != 0 {
            let seq;
            (seq, rest) = rest.split_first_chunk()?;
            before = Some(u64::from_be_bytes(*seq));
        }
        let octets = [key_count & !BEFORE, *mailbox_count].iter().chain(rest).copied().collect();
        let row = Self { at, before, left_out: 0, octets };
        let (keys, fingerprint, count, mut people) = row.split()?;
        people.by_ref().for_each(drop);
        if !people.0.is_empty() {
            return None;
        }
        let said = if count == 0 { recipients()? } else { Vec::new() };
        let mailboxes = row.mailboxes().chain(said.iter().map(String::as_str));
        let authors = row.authors().map(|author| if author.is_empty() { sender } else { author });
        Some(Self { before, ..Self::new(at, keys.iter().copied(), fingerprint, mailboxes, authors) })
    }

    /// When the message came.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// How many addresses were left out. Whoever remembers the row counts it: nothing is counted where it is made.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// By what it is recognised; what tells most stands first.
    pub fn keys(&self) -> &[Key] {
        self.split().map_or(&[], |(keys, ..)| keys)
    }

    /// What tells messages of one Message-ID apart.
    pub fn fingerprint(&self) -> Fingerprint {
        self.split().map_or_else(Fingerprint::default, |(_, fingerprint, ..)| fingerprint)
    }

    /// The local mailboxes that it came for.
    pub fn mailboxes(&self) -> impl Iterator<Item = &str> {
        self.split().into_iter().flat_map(|(_, _, count, people)| people.take(count))
    }

    /// Who wrote it.
    pub fn authors(&self) -> impl Iterator<Item = &str> {
        self.split().into_iter().flat_map(|(_, _, count, people)| people.skip(count))
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

    /// The row with the mailboxes of another one behind its own.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let more = other.mailboxes().filter(|mailbox| !self.mailboxes().any(|own| own == *mailbox));
        let mailboxes = self.mailboxes().chain(more);
        let keys = self.keys().iter().copied();
        let joined = Self::new(self.at, keys, self.fingerprint(), mailboxes, self.authors());
        Self { left_out: self.left_out + joined.left_out, ..joined }
    }

    /// The keys, the fingerprint, how many mailboxes there are, mailboxes and authors.
    fn split(&self) -> Option<(&[Key], Fingerprint, usize, People<'_>)> {
        let ([keys, mailboxes], rest) = self.octets.split_first_chunk()?;
        let (keys, rest) = rest.split_at_checked(size_of::<Key>() * usize::from(*keys))?;
        let (fingerprint, people) = rest.split_first_chunk()?;
        Some((keys.as_chunks().0, *fingerprint, (*mailboxes).into(), People(people)))
    }
}

/// Addresses one after the other.
struct People<'a>(&'a [u8]);

impl<'a> Iterator for People<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (person, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let person = str::from_utf8(person).ok()?;
        self.0 = rest;
        Some(person)
    }
}

/// Whether there was room: no envelope has a longer address.
fn push(octets: &mut SeenOctets, person: &str) -> bool {
    let length = u16::try_from(person.len()).ok();
    let Some(length) = length.filter(|length| usize::from(*length) <= limits::ADDRESS_OCTETS) else {
        return false;
    };
    octets.extend_from_slice(&length.to_be_bytes());
    octets.extend_from_slice(person.as_bytes());
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [Key; 2] = [[1; 16], [2; 16]];

    fn row(mailboxes: &[&str]) -> SeenRow {
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
            // Whole addresses may be missing: authors are as many as there are.
            let whole = [people, people + 19, people + 36, people + 51].contains(&cut);
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
            assert_eq!(read, Some(row.clone()), "{sender} {recipients:?}");
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
        let joined = row(&many[..99]).joined(&row(&many));
        assert!(joined.mailboxes().eq(many[..100].iter().copied()));
        assert_eq!(joined.left_out(), 0, "what was left out of the other one was counted with it");
        let one_too_many = row(&many[200..201]).joined(&row(&many));
        assert_eq!((one_too_many.left_out(), one_too_many.joined(&joined).left_out()), (1, 2));
    }
}
