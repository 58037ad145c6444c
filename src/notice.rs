//! Letters: mails that the program writes itself, as messages (RFC 5322, MIME): a receipt or a notice, nothing else.
//!
//! Whatever a field holds, the message has the header fields named here and no others, in ASCII, on lines of at most 78
//! octets where they can be folded; the body is quoted-printable. Only an address with letters outside ASCII stands as
//! it is (RFC 6532), for it has no other form. Absent: any part of somebody else's message.

#![deny(clippy::disallowed_methods)]

pub mod name;

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Zoned;
use jiff::tz::TimeZone;

use crate::address::Address;
use crate::templates::Texts;
use crate::{limits, text};

/// The field by which we know our own.
pub const LOOP_FIELD: &str = "X-Postvakt-Loop";
/// Octets of an address that a notice goes to: it stands on one line of RCPT and one of To (RFC 5321 §4.5.3.1.3).
pub const ADDRESS_OCTETS: usize = 254;

/// What all letters have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeSettings {
    /// In whose name notices are written; a mailbox inside.
    pub notices_from: Address,
    /// The texts of notices.
    pub texts: Texts,
    /// The zone of dates and times in them.
    pub time_zone: TimeZone,
    /// For so long it is tried to send one.
    pub max_age: Duration,
    /// What holds for each authority of the organisation, by its number.
    pub authorities: Vec<Voice>,
}

/// In whose name notices are written, and in which words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    /// A mailbox inside.
    pub from: Address,
    /// The texts.
    pub texts: Texts,
}

impl NoticeSettings {
    /// In whose name a notice to a mailbox of this authority is written, and in which words.
    pub fn voice(&self, authority: Option<usize>) -> (&Address, &Texts) {
        let own = authority.and_then(|number| self.authorities.get(number));
        own.map_or((&self.notices_from, &self.texts), |voice| (&voice.from, &voice.texts))
    }
}

/// A mail of our own.
#[derive(Clone, Debug)]
pub struct OutgoingNotice<'a> {
    /// In whose name.
    pub from: &'a Address,
    /// Whose name that is, for people; may be empty.
    pub from_name: &'a str,
    /// To whom.
    pub to: &'a Address,
    /// One line.
    pub subject: &'a str,
    /// Lines that end in LF.
    pub body: &'a str,
    /// When it is written.
    pub date: &'a Zoned,
    /// Its own Message-ID, with angle brackets.
    pub message_id: &'a str,
    /// Whether it answers a message or comes by itself.
    pub automatic: Automatic<'a>,
}

/// What RFC 3834 §5 calls it.
#[derive(Clone, Copy, Debug)]
pub enum Automatic<'a> {
    /// It answers a message.
    Replied {
        /// That message's Message-ID, if it has one.
        to: Option<&'a str>,
        /// What that message refers to.
        references: &'a [String],
    },
    /// It comes by itself.
    Generated,
}

impl OutgoingNotice<'_> {
    /// The message, CRLF line ends.
    pub fn to_message(&self) -> String {
        let mut out = String::with_capacity(1024 + self.body.len() * 5 / 4);
        let date = jiff::fmt::rfc2822::to_string(self.date).unwrap_or_default();
        field(&mut out, "Date", &[&date]);
        let mut from = phrase(self.from_name);
        from.push(format!("<{}>", self.from));
        field(&mut out, "From", &from);
        field(&mut out, "To", &[format!("<{}>", self.to)]);
        field(&mut out, "Subject", &encoded(self.subject));
        field(&mut out, "Message-ID", &[self.message_id]);
        match self.automatic {
            Automatic::Replied { to, references } => {
                let to = to.filter(|id| is_id(id));
                if let Some(id) = to {
                    field(&mut out, "In-Reply-To", &[id]);
                }
                let references = thread(references, to);
                if !references.is_empty() {
                    field(&mut out, "References", &references);
                }
                field(&mut out, "Auto-Submitted", &["auto-replied"]);
            }
            Automatic::Generated => field(&mut out, "Auto-Submitted", &["auto-generated"]),
        }
        field(&mut out, "X-Auto-Response-Suppress", &["All"]);
        field(&mut out, LOOP_FIELD, &[self.from]);
        field(&mut out, "MIME-Version", &["1.0"]);
        field(&mut out, "Content-Type", &["text/plain; charset=utf-8"]);
        field(&mut out, "Content-Transfer-Encoding", &["quoted-printable"]);
        out.push_str("\r\n");
        quoted_printable(self.body, &mut out);
        out
    }
}

/// The ids of the thread, oldest first: the first one and the newest, as many as fit (RFC 5322 §3.6.4).
fn thread<'a>(references: &'a [String], to: Option<&'a str>) -> Vec<&'a str> {
    let mut ids: Vec<&str> =
        references.iter().map(String::as_str).filter(|id| is_id(id) && Some(*id) != to).collect();
    ids.dedup();
    if ids.len() >= limits::LETTER_REFERENCES {
        ids.drain(1..=ids.len() - limits::LETTER_REFERENCES);
    }
    ids.extend(to);
    ids
}

/// Whether it is an id that can stand in a header field of ours: of visible ASCII, in angle brackets, short enough for
/// its line.
pub fn is_id(id: &str) -> bool {
    let inner = id.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    id.len() <= limits::LETTER_ID_OCTETS
        && inner.is_some_and(|inner| {
            !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'>')
        })
}

/// Writes a field, with a fold before each piece that would go over the line.
fn field<T: std::fmt::Display>(out: &mut String, name: &str, pieces: &[T]) {
    // Writing into a String does not fail.
    let _ = write!(out, "{name}:");
    let mut column = name.len() + 1;
    for (at, piece) in pieces.iter().enumerate() {
        let piece = piece.to_string();
        if at > 0 && column + 1 + piece.len() > limits::LETTER_LINE_OCTETS {
            out.push_str("\r\n");
            column = 0;
        }
        out.push(' ');
        out.push_str(&piece);
        column += 1 + piece.len();
    }
    out.push_str("\r\n");
}

/// A display name: as it is, in quotes, or encoded.
fn phrase(name: &str) -> Vec<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b" !#$%&'*+-/=?^_`{|}~".contains(&b);
    if name.is_empty() {
        Vec::new()
    } else if name.bytes().all(plain) && !name.contains("=?") {
        name.split(' ').map(str::to_owned).collect()
    } else if name.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        vec![format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))]
    } else {
        words(name)
    }
}

/// Unstructured text: as it is where it is ASCII, else encoded words (RFC 2047).
fn encoded(line: &str) -> Vec<String> {
    let line = text::truncate(line, limits::LETTER_SUBJECT_OCTETS);
    let plain = line.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) && !line.contains("=?");
    // A word that is longer than a line could not be folded.
    if plain && line.split(' ').all(|word| !word.is_empty() && word.len() < limits::LETTER_LINE_OCTETS / 2) {
        line.split(' ').map(str::to_owned).collect()
    } else {
        words(line)
    }
}

/// Encoded words of at most 75 octets, each of whole characters. Between two of them the space is not read.
fn words(line: &str) -> Vec<String> {
    const ROOM: usize = 75 - "=?utf-8?Q??=".len() - "Subject: ".len();
    let mut all = Vec::new();
    let mut word = String::new();
    for c in line.chars() {
        let mut piece = String::new();
        match c {
            ' ' => piece.push('_'),
            c if c.is_ascii_alphanumeric() || "!*+-/".contains(c) => piece.push(c),
            c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
                let _ = write!(piece, "={byte:02X}");
            }),
        }
        if word.len() + piece.len() > ROOM {
            all.push(format!("=?utf-8?Q?{word}?="));
            word.clear();
        }
        word.push_str(&piece);
    }
    all.push(format!("=?utf-8?Q?{word}?="));
    all
}

/// RFC 2045 §6.7: lines of at most 76 octets, no blank at the end of a line, and no line that begins with a dot or with
/// `From `, which some hop would change.
fn quoted_printable(body: &str, out: &mut String) {
    for line in body.lines() {
        let mut column = 0;
        let mut bytes = line.bytes().enumerate().peekable();
        while let Some((at, byte)) = bytes.next() {
            let last = bytes.peek().is_none();
            let first = at == 0 && (byte == b'.' || line.starts_with("From "));
            let plain = match byte {
                b'=' => false,
                b' ' | b'\t' => !last,
                byte => byte.is_ascii_graphic() && !first,
            };
            let width = if plain { 1 } else { 3 };
            if column + width > 75 {
                out.push_str("=\r\n");
                column = 0;
            }
            if plain && !(column == 0 && byte == b'.') {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "={byte:02X}");
            }
            column += width;
        }
        out.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static FROM: LazyLock<Address> = LazyLock::new(|| Address::parse("registrator@exempelby.se").unwrap());
    static TO: LazyLock<Address> = LazyLock::new(|| Address::parse("x@example.org").unwrap());
    static DATE: LazyLock<Zoned> =
        LazyLock::new(|| "2026-03-02T10:00:00+01:00[Europe/Stockholm]".parse().unwrap());

    fn notice<'a>() -> OutgoingNotice<'a> {
        OutgoingNotice {
            from: &FROM,
            from_name: "",
            to: &TO,
            subject: "Hej",
            body: "Hej!\n",
            date: &DATE,
            message_id: "<receipt.0@exempelby.se>",
            automatic: Automatic::Replied { to: Some("<1@example.org>"), references: &[] },
        }
    }

    /// The message's header section and body, and that every line is a line.
    fn parts(message: &str) -> (&str, &str) {
        assert!(message.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
        message.split_once("\r\n\r\n").unwrap()
    }

    #[test]
    fn a_receipt_says_what_it_is() {
        let message = OutgoingNotice { from_name: "Registrator", ..notice() }.to_message();
        assert_eq!(
            message,
            "Date: Mon, 2 Mar 2026 10:00:00 +0100\r\nFrom: Registrator <registrator@exempelby.se>\r\n\
             To: <x@example.org>\r\nSubject: Hej\r\nMessage-ID: <receipt.0@exempelby.se>\r\n\
             In-Reply-To: <1@example.org>\r\nReferences: <1@example.org>\r\nAuto-Submitted: auto-replied\r\n\
             X-Auto-Response-Suppress: All\r\nX-Postvakt-Loop: registrator@exempelby.se\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nHej!\r\n"
        );
    }

    #[test]
    fn subjects_are_encoded_where_they_must_be() {
        for (subject, written) in [
            ("Vi har", "Vi har"),
            ("Åtgärd", "=?utf-8?Q?=C3=85tg=C3=A4rd?="),
            ("a =?utf-8?Q?b?=", "=?utf-8?Q?a_=3D=3Futf-8=3FQ=3Fb=3F=3D?="),
            ("two  blanks", "=?utf-8?Q?two__blanks?="),
        ] {
            let message = OutgoingNotice { subject, ..notice() }.to_message();
            assert!(message.contains(&format!("\r\nSubject: {written}\r\n")), "{message}");
        }
    }

    #[test]
    fn long_subjects_are_cut_and_folded() {
        let long = "å".repeat(2_000);
        let message = OutgoingNotice { subject: &long, ..notice() }.to_message();
        let (header, _) = parts(&message);
        assert!(header.split("\r\n").all(|line| line.len() <= 78), "{header}");
        let unfolded = header.replace("\r\n ", " ");
        let subject = unfolded.lines().find(|line| line.starts_with("Subject: ")).unwrap();
        assert_eq!(subject.matches("=C3=A5").count(), limits::LETTER_SUBJECT_OCTETS / 2);
        assert_eq!(header.matches("\r\nSubject:").count(), 1);
    }

    #[test]
    fn names_are_quoted_or_encoded() {
        for (name, written) in [
            ("Exempelby kommun", "Exempelby kommun <"),
            ("Kommun, Exempelby", "\"Kommun, Exempelby\" <"),
            ("Kommun \"X\"", "\"Kommun \\\"X\\\"\" <"),
            ("Miljönämnden", "=?utf-8?Q?Milj=C3=B6n=C3=A4mnden?= <"),
        ] {
            let message = OutgoingNotice { from_name: name, ..notice() }.to_message();
            assert!(message.contains(&format!("\r\nFrom: {written}registrator")), "{message}");
        }
    }

    #[test]
    fn ids_that_are_none_are_left_out() {
        let bad = "<a@example.org>\r\nBcc: x@example.net";
        let long = format!("<{}@example.org>", "a".repeat(990));
        for id in [bad, "<å@example.org>", "<a b@example.org>", "a@example.org", "<>", &long] {
            let references = vec![id.to_owned(), "<0@example.org>".to_owned()];
            let automatic = Automatic::Replied { to: Some(id), references: &references };
            let message = OutgoingNotice { automatic, ..notice() }.to_message();
            let (header, _) = parts(&message);
            assert!(!header.contains("In-Reply-To") && !header.contains("Bcc"), "{header}");
            assert!(header.contains("\r\nReferences: <0@example.org>\r\n"), "{header}");
        }
    }

    #[test]
    fn a_long_thread_keeps_its_first_and_its_newest_ids() {
        let references: Vec<String> = (0..500).map(|n| format!("<{n}@example.org>")).collect();
        let automatic = Automatic::Replied { to: Some("<now@example.org>"), references: &references };
        let message = OutgoingNotice { automatic, ..notice() }.to_message();
        let (header, _) = parts(&message);
        assert_eq!(header.matches("@example.org>").count(), limits::LETTER_REFERENCES + 1 + 2, "{header}");
        assert!(header.contains("References: <0@example.org> <") && header.contains("<499@example.org>"));
    }

    #[test]
    fn bodies_survive_every_hop() {
        let body = format!(".\nFrom mig\n{}\nblank \n=\nå\n", "x".repeat(200));
        let message = OutgoingNotice { body: &body, ..notice() }.to_message();
        let (_, written) = parts(&message);
        assert!(written.is_ascii() && written.split("\r\n").all(|line| line.len() <= 76));
        assert!(
            written.starts_with("=2E\r\n=46rom mig\r\n") && written.contains("blank=20\r\n=3D\r\n=C3=A5\r\n")
        );
        assert_eq!(written.replace("=\r\n", "").matches('x').count(), 200);
    }
}
