//! Passes: a message that leaves gets a keyed mark beside the id of its record, by which it is recognised when it comes
//! through again from inside. The mark holds for this message alone: for its body, what says how the body is read, and
//! its subject.

#![deny(clippy::disallowed_methods)]

use sha2::{Digest as _, Sha256};

use super::identity::{IdentityKey, Key};
use crate::limits;
use crate::mail::Message;
use crate::text::hex;

/// What the mark is called behind the id.
const MARK: &str = "mac=";

/// Octets of a line that an MTA leaves whole (RFC 5321 §4.5.3.1.6); Postfix breaks a longer one there, and puts a blank
/// before the rest.
const LINE: usize = 998;
/// Fields that MTAs and filters add or change on the way, beside those that begin with `X-`, and those that custom rules
/// may add. The subject is compared by itself, and Message-ID with the record.
const OF_THE_WAY: [&str; 18] = [
    "received",
    "return-path",
    "delivered-to",
    "received-spf",
    "authentication-results",
    "dkim-signature",
    "domainkey-signature",
    "arc-seal",
    "arc-message-signature",
    "arc-authentication-results",
    "message-id",
    "date",
    "importance",
    "priority",
    "sensitivity",
    "precedence",
    "comments",
    "keywords",
];
/// Words that filters write into a tag before the subject.
const TAG_WORDS: [&str; 16] = [
    "spam",
    "junk",
    "bulk",
    "virus",
    "infected",
    "malware",
    "banned",
    "bad",
    "header",
    "unchecked",
    "suspect",
    "suspicious",
    "possible",
    "extern",
    "external",
    "externt",
];

type Hash = [u8; 32];

/// What of a message stays as it is on its way through filters: its body, and its fields but for those of the way. It
/// is compared octet by octet, since whatever is left out could be used to make another message of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substance {
    /// The body as it is, and as it comes again where an MTA breaks its long lines; none where not all octets are here.
    bodies: Vec<Hash>,
    /// The names of the fields in lower case, with their hashes.
    fields: Vec<(String, Hash)>,
}

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
    /// That of a message.
    pub fn of(message: &Message) -> Self {
        if message.truncated() {
            return Self { bodies: Vec::new(), fields: Vec::new() };
        }
        let header = message.bytes.get(..message.body_at).unwrap_or_default();
        let body = message.bytes.get(message.body_at..).unwrap_or_default();
        Self { bodies: bodies(body), fields: fields(header) }
    }

    /// The hash of all of it with this body, but for fields that are taken out of the message.
    fn hash(&self, body: &Hash, is_removed: impl Fn(&str) -> bool) -> Hash {
        let mut hash = Sha256::new().chain_update(body);
        for (_, field) in self.fields.iter().filter(|(name, _)| !is_removed(name)) {
            hash.update(field);
        }
        hash.finalize().into()
    }
}

/// The hash of the body; and that of the body whose long lines were broken on the way, where it has some. Line ends behind
/// the last line do not matter.
fn bodies(body: &[u8]) -> Vec<Hash> {
    let mut whole = Lines::default();
    let mut broken: Option<Lines> = None;
    let mut empty: usize = 0;
    let ends = memchr::memchr_iter(b'\n', body).chain(std::iter::once(body.len()));
    let mut begin = 0;
    for end in ends {
        let line = body.get(begin..end).unwrap_or_default();
        begin = end + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            empty += 1;
            continue;
        }
        if line.len() > LINE {
            broken.get_or_insert_with(|| whole.clone());
        }
        for hash in std::iter::once(&mut whole).chain(broken.as_mut()) {
            (0..empty).for_each(|_| hash.update(b"\n"));
        }
        empty = 0;
        whole.update(line);
        whole.update(b"\n");
        if let Some(broken) = &mut broken {
            let (first, rest) = line.split_at_checked(LINE).unwrap_or((line, &[]));
            broken.update(first);
            for part in rest.chunks(LINE - 1) {
                broken.update(b"\n ");
                broken.update(part);
            }
            broken.update(b"\n");
        }
    }
    std::iter::once(whole).chain(broken).map(Lines::finish).collect()
}

/// A hash that is given many short lines: it is told of several at once, which takes half the time.
#[derive(Clone, Default)]
struct Lines {
    hash: Sha256,
    waiting: Vec<u8>,
}

impl Lines {
    /// Octets that wait at the most.
    const WAITING: usize = 4 << 10;

    fn update(&mut self, octets: &[u8]) {
        if self.waiting.len() + octets.len() > Self::WAITING {
            self.hash.update(&self.waiting);
            self.waiting.clear();
        }
        if octets.len() > Self::WAITING {
            self.hash.update(octets);
        } else {
            self.waiting.extend_from_slice(octets);
        }
    }

    fn finish(mut self) -> Hash {
        self.hash.update(&self.waiting);
        self.hash.finalize().into()
    }
}

/// The fields of a header section, each on one line, but for those of the way and the first subject. A line that is no
/// field is taken for one without a name.
fn fields(header: &[u8]) -> Vec<(String, Hash)> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    for line in header.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match all.last_mut() {
            Some(field) if matches!(line, [b' ' | b'\t', ..]) => field.extend_from_slice(line),
            _ if line.is_empty() => {}
            _ => all.push(line.to_vec()),
        }
    }
    let mut subjects = 0;
    let read = all.iter().filter_map(|field| {
        let colon = field.iter().position(|octet| *octet == b':');
        let (name, value) = field.split_at_checked(colon.unwrap_or(0))?;
        let name = String::from_utf8_lossy(name.trim_ascii_end()).to_ascii_lowercase();
        subjects += usize::from(name == "subject");
        let first_subject = name == "subject" && subjects == 1;
        if first_subject || name.starts_with("x-") || OF_THE_WAY.contains(&&*name) {
            return None;
        }
        let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
        let hash = Sha256::new().chain_update(&name).chain_update([0]).chain_update(value).finalize();
        Some((name, hash.into()))
    });
    read.collect()
}

impl PassKeys {
    /// Marks are made with the current key; those of the former one hold too.
    pub fn new(current: &[u8; 32], former: Option<&[u8; 32]>) -> Self {
        Self { current: IdentityKey::new(current), former: former.map(IdentityKey::new) }
    }

    /// The id with its marks: `gw1-1-000000123456; mac=…`; a second one, behind a comma, where long lines will be broken
    /// on the way. The subject is that with which the message leaves, and so are the fields, of which some are removed.
    pub fn marked(
        &self,
        id: &str,
        substance: &Substance,
        subject: &str,
        onward: Onward,
        is_removed: impl Fn(&str) -> bool,
    ) -> String {
        let subject = on_one_line(subject);
        let one = |body| hex(&mark(&self.current, id, &substance.hash(body, &is_removed), &subject, onward));
        let marks: Vec<String> = substance.bodies.iter().map(one).collect();
        if marks.is_empty() { id.to_owned() } else { format!("{id}; {MARK}{}", marks.join(",")) }
    }

    /// The id in such a text, if a mark holds for this message as it is, and to whom that may come again.
    pub fn read<'a>(&self, text: &'a str, substance: &Substance, subject: &str) -> Option<(&'a str, Onward)> {
        let (id, given) = parts(text)?;
        let hash = substance.hash(substance.bodies.first()?, |_| false);
        // At most one filter has written its tag before the subject.
        let subjects: Vec<String> =
            std::iter::once(subject).chain(untagged(subject)).map(on_one_line).collect();
        let keys = || std::iter::once(&self.current).chain(&self.former);
        let is_given = |mark: &str| {
            given.split(',').take(2).any(|given| is_equal(mark.as_bytes(), given.trim().as_bytes()))
        };
        let holds = |onward: &Onward| {
            keys().any(|key| {
                subjects.iter().any(|subject| is_given(&hex(&mark(key, id, &hash, subject, *onward))))
            })
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

fn mark(key: &IdentityKey, id: &str, hash: &Hash, subject: &str, onward: Onward) -> Key {
    let onward = match onward {
        Onward::All => "all",
        Onward::Inside => "inside",
    };
    key.mark(format!("{id}\n{onward}\n{}\n{subject}", hex(hash)).as_bytes())
}

fn on_one_line(subject: &str) -> String {
    subject.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The subject without the one tag that a filter wrote before it: `[SPAM 7.2]`, `***SPAM***`. A tag with other words is the
/// subject's own.
fn untagged(subject: &str) -> Option<&str> {
    let subject = subject.trim();
    let (tag, rest) = [("***", "***"), ("[", "]"), ("", ":")]
        .into_iter()
        .find_map(|(before, behind)| subject.strip_prefix(before)?.split_once(behind))?;
    let digits = tag.bytes().filter(u8::is_ascii_digit).count();
    let mut words = tag.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).peekable();
    let known = words.peek().is_some()
        && words.all(|word| TAG_WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)));
    (known && tag.len() <= limits::PASS_TAG_OCTETS && digits <= limits::PASS_TAG_DIGITS)
        .then(|| rest.trim_start())
}

/// Takes as long for a mark that is nearly right as for one that is not.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |found, (a, b)| found | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::testing::mail;

    const ID: &str = "gw1-1-000000000007";

    fn substance(header: &str, body: &str) -> Substance {
        let mut mail = mail("10.1.2.3", "<a@exempelby.se>", "b@exempelby.se", "");
        let header = header.replace('\n', "\r\n");
        let bytes = format!("{header}\r\n{body}").into_bytes();
        mail.message.body_at = header.len() + 2;
        mail.message.size = bytes.len() as u64;
        mail.message.bytes = bytes.into();
        Substance::of(&mail.message)
    }

    /// Whether the mark of the one holds for the other.
    fn holds(first: (&str, &str), second: (&str, &str)) -> bool {
        let keys = PassKeys::new(&[1; 32], None);
        let text = keys.marked(ID, &substance(first.0, first.1), "Hej", Onward::All, |_| false);
        keys.read(&text, &substance(second.0, second.1), "Hej").is_some()
    }

    #[test]
    fn a_body_is_compared_octet_by_octet() {
        let header = "Content-Type: text/plain\n";
        let first = "Hej!\r\n\r\nEn lång rad\r\nslut\r\n";
        for same in [
            "Hej!\r\n\r\nEn lång rad\r\nslut",
            "Hej!\r\n\r\nEn lång rad\r\nslut\r\n\r\n\r\n",
            "Hej!\n\nEn lång rad\nslut\n",
        ] {
            assert!(holds((header, first), (header, same)), "{same:?}");
        }
        for other in [
            "Hej!\r\nEn lång rad\r\nslut\r\n",
            "Hej!\r\n\r\nEn lång rad slut\r\n",
            "Hej!\r\n\r\nEn lå\r\n ng rad\r\nslut\r\n",
            "Hej!\r\n\r\nEn lång rad\r\nslut\r\n811228-9874\r\n",
            "",
        ] {
            assert!(!holds((header, first), (header, other)), "{other:?}");
        }
        assert!(!holds((header, "8112\r\n 28-98\r\n 74"), (header, "811228-9874")), "no MTA broke that line");
    }

    #[test]
    fn a_long_line_may_be_broken_on_the_way_and_none_may_be_joined() {
        let long = "x".repeat(3_000);
        let parts = [&long[..998], &long[..997], &long[..997], &long[..8]];
        let (long, broken) = (format!("Hej\r\n{long}\r\n"), format!("Hej\r\n{}\r\n", parts.join("\r\n ")));
        let (long, broken) = (("", &*long), ("", &*broken));
        assert!(holds(long, long) && holds(long, broken) && holds(broken, broken));
        assert!(!holds(broken, long));
    }

    #[test]
    fn fields_that_say_something_are_compared_and_those_of_the_way_are_not() {
        let first = "From: a@exempelby.se\nSubject: Hej\nContent-Type: multipart/mixed; boundary=\"a b\"\n";
        let way =
            "Received: by x\nX-Spam-Flag: NO\nDKIM-Signature: v=1\nMessage-ID: <1@x>\nImportance: high\n";
        assert!(holds((first, ""), (&format!("{way}{first}"), "")));
        assert!(holds((first, ""), (&first.replace("; boundary", ";\n boundary"), "")), "a fold");
        for (from, to) in [
            ("\"a b\"", "\"ab\""),
            ("\"a b\"", "\"a  b\""),
            ("From: a", "From: Sjuk Person <b"),
            ("From: a", "Reply-To: bo@example.net\nFrom: a"),
            ("Subject: Hej", "Subject: Hej\nSubject: 811228-9874"),
            ("Subject: Hej", "Subject: Hej\nContent-Disposition: attachment; filename=a.exe"),
            ("Subject: Hej", "Subject: Hej\nContent-Transfer-Encoding: base64"),
            ("Subject: Hej", "Subject: Hej\nnot a field"),
        ] {
            assert!(!holds((first, ""), (&first.replace(from, to), "")), "{to}");
        }
        let keys = PassKeys::new(&[1; 32], None);
        let from = "From: a@exempelby.se\n";
        let all = substance(&format!("Disposition-Notification-To: a@exempelby.se\n{from}"), "Hej");
        let text = keys.marked(ID, &all, "Hej", Onward::All, |name| name == "disposition-notification-to");
        assert!(keys.read(&text, &substance(from, "Hej"), "Hej").is_some(), "it was removed");
        assert!(keys.read(&text, &all, "Hej").is_none());
    }

    #[test]
    fn a_mark_holds_for_one_message_and_one_id_under_the_current_and_the_former_key() {
        let (here, other) = (substance("", "Hej!"), substance("", "Nej!"));
        let (keys, hej) = (PassKeys::new(&[1; 32], None), "[SPAM] Hej");
        let text = keys.marked(ID, &here, hej, Onward::Inside, |_| false);
        assert!(text.starts_with("gw1-1-000000000007; mac=") && text.len() == 18 + 6 + 32, "{text}");
        assert_eq!((id_in(&text), id_in(ID), has_mark(&text), has_mark(ID)), (ID, ID, true, false));
        let found = Some((ID, Onward::Inside));
        assert_eq!(keys.read(&text, &here, hej), found);
        assert_eq!(keys.read(&text.replace("; ", ";\t "), &here, hej), found, "a filter folds the field");
        for tagged in ["***SPAM***  [SPAM] Hej", "[SPAM 7.2] [SPAM] Hej", "Possible SPAM: [SPAM]  Hej"] {
            assert_eq!(keys.read(&text, &here, tagged), found, "a filter tags it: {tagged}");
        }
        for subject in [
            "Hej",
            "[SPAM] Hej då",
            "[811228-9874] [SPAM] Hej",
            "[hemligt dokument om Anna] [SPAM] Hej",
            "***diagnos diabetes*** [SPAM] Hej",
            "***SPAM*** ***SPAM*** [SPAM] Hej",
        ] {
            assert_eq!(keys.read(&text, &here, subject), None, "{subject}");
        }
        assert_eq!(keys.read(&text, &other, hej), None);
        assert_eq!(keys.read(&text.replace("7;", "8;"), &here, hej), None);
        assert_eq!(keys.read(text.get(..text.len() - 1).unwrap(), &here, hej), None);
        assert_eq!(keys.read(ID, &here, hej), None);
        let rotated = PassKeys::new(&[2; 32], Some(&[1; 32]));
        assert_eq!(rotated.read(&text, &here, hej), found);
        let new = rotated.marked(ID, &here, hej, Onward::Inside, |_| false);
        assert!(new != text && keys.read(&new, &here, hej).is_none());
        assert_eq!(PassKeys::new(&[2; 32], None).read(&text, &here, hej), None);
    }

    #[test]
    fn a_message_that_is_not_here_as_a_whole_gets_no_mark() {
        let keys = PassKeys::new(&[1; 32], None);
        let nothing = Substance { bodies: Vec::new(), fields: Vec::new() };
        assert_eq!(keys.marked(ID, &nothing, "Hej", Onward::All, |_| false), ID);
        assert_eq!(keys.read(&format!("{ID}; mac="), &nothing, "Hej"), None);
    }
}
