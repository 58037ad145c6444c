//! Passes: a message that leaves gets a keyed mark beside the id of its record, by which it is recognised when it comes
//! through again from inside. The mark holds for this message alone: for its body, what says how the body is read, and
//! its subject.

#![deny(clippy::disallowed_methods)]

use sha2::{Digest as _, Sha256};

use super::Header;
use super::identity::{IdentityKey, Key, untagged};
use crate::limits;
use crate::mail::Message;
use crate::text::hex;

/// What the mark is called behind the id.
const MARK: &str = "mac=";

/// What of a message stays as it is on its way through filters, as a hash; none where not all octets of it are here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substance(Option<[u8; 32]>);

/// To whom a message may come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward {
    /// To everybody to whom it came.
    All,
    /// To mailboxes inside: from somebody else it was kept back.
    Inside,
}

/// The keys of the marks.
#[derive(Clone, Debug)]
pub struct PassKeys {
    current: IdentityKey,
    former: Option<IdentityKey>,
}

impl Substance {
    /// That of a message. Folds of long lines, as an MTA makes them (RFC 5321 §4.5.3.1.6), and line ends behind the
    /// body do not matter.
    pub fn of(message: &Message, header: &Header) -> Self {
        if message.truncated() {
            return Self(None);
        }
        let mut hash = Sha256::new();
        for name in ["Content-Type", "Content-Transfer-Encoding"] {
            for value in header.all(name) {
                value.split_ascii_whitespace().for_each(|word| hash.update(word));
                hash.update([0]);
            }
            hash.update([1]);
        }
        add_body(&mut hash, message.bytes.get(message.body_at..).unwrap_or_default());
        Self(Some(hash.finalize().into()))
    }
}

fn add_body(hash: &mut Sha256, body: &[u8]) {
    let mut breaks: usize = 0;
    for line in body.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.strip_prefix(b" ") {
            Some(rest) if breaks == 1 => hash.update(rest),
            _ if line.is_empty() => {
                breaks += 1;
                continue;
            }
            _ => {
                (0..breaks).for_each(|_| hash.update(b"\n"));
                hash.update(line);
            }
        }
        breaks = 1;
    }
}

impl PassKeys {
    /// Marks are made with the current key; those of the former one hold too.
    pub fn new(current: &[u8; 32], former: Option<&[u8; 32]>) -> Self {
        Self { current: IdentityKey::new(current), former: former.map(IdentityKey::new) }
    }

    /// The id with its mark: `gw1-1-000000123456; mac=…`. The subject is that with which the message leaves.
    pub fn marked(&self, id: &str, substance: &Substance, subject: &str, onward: Onward) -> String {
        match mark(&self.current, id, substance, subject, onward) {
            Some(mark) => format!("{id}; {MARK}{}", hex(&mark)),
            None => id.to_owned(),
        }
    }

    /// The id in such a text, if its mark holds for this message, and to whom that may come again.
    pub fn read<'a>(&self, text: &'a str, substance: &Substance, subject: &str) -> Option<(&'a str, Onward)> {
        let (id, given) = parts(text)?;
        let keys = || std::iter::once(&self.current).chain(&self.former);
        let holds = |onward: &Onward| {
            let mut marks = keys().filter_map(|key| mark(key, id, substance, subject, *onward));
            marks.any(|mark| is_equal(hex(&mark).as_bytes(), given.as_bytes()))
        };
        [Onward::All, Onward::Inside].into_iter().find(holds).map(|onward| (id, onward))
    }
}

/// Whether a text has an id with any mark.
pub fn has_mark(text: &str) -> bool {
    parts(text).is_some()
}

/// The id and what stands as its mark. A filter may fold the field between them.
fn parts(text: &str) -> Option<(&str, &str)> {
    let (id, mark) = text.split_once(';')?;
    Some((id.trim(), mark.trim().strip_prefix(MARK)?))
}

/// The id in what people copy out of a header field, with a mark or without.
pub fn id_in(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

fn mark(
    key: &IdentityKey,
    id: &str,
    Substance(substance): &Substance,
    subject: &str,
    onward: Onward,
) -> Option<Key> {
    let onward = match onward {
        Onward::All => "all",
        Onward::Inside => "inside",
    };
    let text = format!("{id}\n{onward}\n{}\n{}", hex(&(*substance)?), bare(subject));
    Some(key.mark(text.as_bytes()))
}

/// The subject without what filters write before it: `[SPAM 7.2]`, `***SPAM***`. What is longer than such a tag, or has
/// the digits of a number of a person, belongs to the subject.
fn bare(subject: &str) -> String {
    let mut rest = subject.trim();
    loop {
        let starred = rest.strip_prefix("***").and_then(|tag| tag.split_once("***")).map(|(_, after)| after);
        let next = starred.unwrap_or_else(|| untagged(rest)).trim_start();
        let tag = rest.get(..rest.len() - next.len()).unwrap_or_default();
        let digits = tag.bytes().filter(u8::is_ascii_digit).count();
        if tag.is_empty() || tag.len() > limits::PASS_TAG_OCTETS || digits > limits::PASS_TAG_DIGITS {
            return rest.split_whitespace().collect::<Vec<_>>().join(" ");
        }
        rest = next;
    }
}

/// Takes as long for a mark that is nearly right as for one that is not.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |found, (a, b)| found | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::testing::{from_inside, mail};

    const ID: &str = "gw1-1-000000000007";

    fn substance(header: &str, body: &str) -> Substance {
        let mut mail = mail("10.1.2.3", "<a@exempelby.se>", "b@exempelby.se", header);
        let facts = from_inside("<a@exempelby.se>", "b@exempelby.se", header);
        let mut bytes = mail.message.bytes.get(..mail.message.body_at).unwrap().to_vec();
        bytes.extend_from_slice(body.as_bytes());
        mail.message.size = bytes.len() as u64;
        mail.message.bytes = bytes.into();
        Substance::of(&mail.message, &facts.header)
    }

    #[test]
    fn folds_and_line_ends_do_not_matter_and_all_else_does() {
        let first = substance("Content-Type: text/plain", "Hej!\r\n\r\nEn lång rad\r\nslut\r\n");
        for same in [
            "Hej!\r\n\r\nEn lång rad\r\nslut",
            "Hej!\r\n\r\nEn lång rad\r\nslut\r\n\r\n\r\n",
            "Hej!\n\nEn lång rad\nslut\n",
            "Hej!\r\n\r\nEn lå\r\n ng r\r\n ad\r\nslut\r\n",
        ] {
            assert_eq!(substance("Content-Type: text/plain", same), first, "{same:?}");
        }
        for other in [
            "Hej!\r\nEn lång rad\r\nslut\r\n",
            "Hej!\r\n\r\nEn lång rad slut\r\n",
            "Hej!\r\n\r\nEn lång rad\r\nslut\r\n811228-9874\r\n",
            "",
        ] {
            assert_ne!(substance("Content-Type: text/plain", other), first, "{other:?}");
        }
        let body = "Hej!\r\n\r\nEn lång rad\r\nslut\r\n";
        assert_eq!(substance("Content-Type:   text/plain\nX-Spam: no", body), first);
        for header in ["", "Content-Type: text/html", "Content-Type: text/plain\nContent-Type: text/plain"] {
            assert_ne!(substance(header, body), first, "{header}");
        }
        let base64 = "Content-Type: text/plain\nContent-Transfer-Encoding: base64";
        assert_ne!(substance(base64, body), first);
    }

    #[test]
    fn a_mark_holds_for_one_message_and_one_id_under_the_current_and_the_former_key() {
        let (here, other) = (substance("", "Hej!"), substance("", "Nej!"));
        let keys = PassKeys::new(&[1; 32], None);
        let text = keys.marked(ID, &here, "[SPAM] Hej", Onward::Inside);
        assert!(text.starts_with("gw1-1-000000000007; mac=") && text.len() == 18 + 6 + 32, "{text}");
        assert_eq!((id_in(&text), id_in(ID), has_mark(&text), has_mark(ID)), (ID, ID, true, false));
        let found = Some((ID, Onward::Inside));
        assert_eq!(keys.read(&text, &here, "[SPAM] Hej"), found);
        assert_eq!(keys.read(&text, &here, "***SPAM*** [SPAM]  Hej"), found, "a filter tags it");
        assert_eq!(keys.read(&text.replace("; ", ";\t "), &here, "Hej"), found, "a filter folds the field");
        assert_eq!(keys.read(&text, &here, "Hej då"), None);
        assert_eq!(keys.read(&text, &here, "[811228-9874] Hej"), None, "that is no tag");
        assert_eq!(keys.read(&text, &other, "Hej"), None);
        assert_eq!(keys.read(&text.replace("7;", "8;"), &here, "Hej"), None);
        assert_eq!(keys.read(text.get(..text.len() - 1).unwrap(), &here, "Hej"), None);
        assert_eq!(keys.read(ID, &here, "Hej"), None);
        let rotated = PassKeys::new(&[2; 32], Some(&[1; 32]));
        assert_eq!(rotated.read(&text, &here, "Hej"), found);
        let new = rotated.marked(ID, &here, "Hej", Onward::Inside);
        assert!(new != text && keys.read(&new, &here, "Hej").is_none());
        assert_eq!(PassKeys::new(&[2; 32], None).read(&text, &here, "Hej"), None);
    }

    #[test]
    fn a_message_that_is_not_here_as_a_whole_gets_no_mark() {
        let keys = PassKeys::new(&[1; 32], None);
        assert_eq!(keys.marked(ID, &Substance(None), "Hej", Onward::All), ID);
        assert_eq!(keys.read(&format!("{ID}; mac="), &Substance(None), "Hej"), None);
    }
}
