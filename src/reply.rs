//! SMTP replies (RFC 5321 §4.2, RFC 3463): the code and the enhanced code cannot disagree, and the text is safe for
//! the wire.

#![deny(clippy::disallowed_methods)]

use std::fmt::{self, Write as _};

use crate::limits;

/// Whether the client shall try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyClass {
    /// 4yz: not now; the client keeps the mail and tries again.
    Transient,
    /// 5yz: never; the client tells its sender.
    Permanent,
}

impl ReplyClass {
    fn digit(self) -> u8 {
        match self {
            Self::Transient => 4,
            Self::Permanent => 5,
        }
    }
}

/// The last two digits of a reply code, of those this program uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basic {
    /// x50: the mailbox is not available, or policy says no.
    Unavailable,
    /// x51: an error in processing.
    Processing,
    /// x52: too much.
    Exceeded,
    /// x54: the transaction failed.
    Failed,
}

impl Basic {
    fn digits(self) -> u8 {
        match self {
            Self::Unavailable => 50,
            Self::Processing => 51,
            Self::Exceeded => 52,
            Self::Failed => 54,
        }
    }
}

/// One refusal, temporary or permanent. Acceptance is not a reply: the MTA words that itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpReply {
    class: ReplyClass,
    basic: Basic,
    subject: u8,
    detail: u8,
    text: Box<str>,
}

impl SmtpReply {
    /// A refusal with the enhanced code `class.subject.detail` (RFC 3463).
    pub fn new(class: ReplyClass, basic: Basic, (subject, detail): (u8, u8), text: &str) -> Self {
        Self { class, basic, subject, detail, text: wire_text(text).into_boxed_str() }
    }

    /// Whether the client shall try again.
    pub fn class(&self) -> ReplyClass {
        self.class
    }

    /// The three digits of the code.
    pub fn code(&self) -> u16 {
        u16::from(self.class.digit()) * 100 + u16::from(self.basic.digits())
    }

    /// The reply as a milter sends it: every `%` doubled, and long text over several lines with CRLF between them.
    pub fn to_milter(&self) -> String {
        let text = self.text.replace('%', "%%");
        let mut lines = lines(&text).peekable();
        let mut out = String::with_capacity(text.len() + 16);
        while let Some(line) = lines.next() {
            let separator = if lines.peek().is_some() { '-' } else { ' ' };
            // Writing into a String does not fail.
            let _ = write!(out, "{}{separator}{} {line}", self.code(), self.enhanced());
            if lines.peek().is_some() {
                out.push_str("\r\n");
            }
        }
        out
    }

    fn enhanced(&self) -> String {
        format!("{}.{}.{}", self.class.digit(), self.subject, self.detail)
    }
}

impl fmt::Display for SmtpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code(), self.enhanced(), self.text)
    }
}

/// Text as an SMTP reply may hold it: printable ASCII (RFC 5321 §4.2; UTF-8 is only for clients that asked for it).
/// Swedish letters lose their rings and dots, as in every Swedish SMTP reply since the 1980s.
fn wire_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        out.push(match written(c) {
            Some(written) => written,
            None if c.is_whitespace() || c.is_control() => ' ',
            None => '?',
        });
    }
    out.truncate(limits::REPLY_LINE_OCTETS * limits::REPLY_LINES / 2);
    out
}

/// The first character of the text that would not be readable in a reply.
pub fn unwritable(text: &str) -> Option<char> {
    text.chars().find(|c| written(*c).is_none())
}

fn written(c: char) -> Option<char> {
    Some(match c {
        ' '..='~' => c,
        'å' | 'ä' | 'à' | 'á' => 'a',
        'Å' | 'Ä' => 'A',
        'ö' | 'ø' => 'o',
        'Ö' | 'Ø' => 'O',
        'é' | 'è' => 'e',
        'É' => 'E',
        'ü' => 'u',
        '–' | '—' => '-',
        '”' | '“' => '"',
        '’' => '\'',
        _ => return None,
    })
}

/// Lines of at most [`limits::REPLY_LINE_OCTETS`], broken at spaces where there are any.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        if text.len() <= limits::REPLY_LINE_OCTETS {
            rest = None;
            return Some(text);
        }
        let (head, _) = text.split_at_checked(limits::REPLY_LINE_OCTETS)?;
        let end = head.rfind(' ').unwrap_or_else(|| head.trim_end_matches('%').len().max(1));
        let (line, tail) = text.split_at_checked(end)?;
        rest = Some(tail.trim_start_matches(' '));
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> SmtpReply {
        SmtpReply::new(ReplyClass::Permanent, Basic::Unavailable, (7, 1), text)
    }

    #[test]
    fn the_codes_agree() {
        assert_eq!(refusal("Nej (No)").to_string(), "550 5.7.1 Nej (No)");
        let later = SmtpReply::new(ReplyClass::Transient, Basic::Processing, (3, 0), "Senare (Later)");
        assert_eq!(later.to_milter(), "451 4.3.0 Senare (Later)");
    }

    #[test]
    fn text_cannot_leave_its_line_or_format() {
        assert_eq!(refusal("a\r\n250 ok\0 100%").to_milter(), "550 5.7.1 a  250 ok  100%%");
        assert_eq!(refusal("får inte ÖVER €").to_milter(), "550 5.7.1 far inte OVER ?");
    }

    #[test]
    fn long_text_becomes_several_lines_of_one_code() {
        let wire = refusal(&"ord ".repeat(300)).to_milter();
        let lines: Vec<&str> = wire.split("\r\n").collect();
        assert!(lines.len() > 1 && lines.len() <= limits::REPLY_LINES);
        assert!(lines.iter().all(|line| line.len() <= limits::REPLY_LINE_OCTETS + 16));
        assert!(lines[..lines.len() - 1].iter().all(|line| line.starts_with("550-5.7.1 ")));
        assert!(lines[lines.len() - 1].starts_with("550 5.7.1 "));
    }

    #[test]
    fn text_without_spaces_still_ends() {
        assert!(refusal(&"%".repeat(3000)).to_milter().len() > 1000);
    }
}
