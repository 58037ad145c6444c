//! The value after a word for a password: where it stands, and whether it is one at all.

#![deny(clippy::disallowed_methods)]

use std::ops::Range;

use super::super::Confidence;
use super::super::fold::is_letter;
use super::Secret;

/// Octets from the word for a password to the value.
const REACH: usize = 80;
/// Words between the word for a password and what ties the value to it: `lösenordet till den bifogade filen är`.
const WORDS: usize = 7;
/// Characters of a value.
const LENGTH: std::ops::RangeInclusive<usize> = 4..=64;

/// A value.
pub(super) struct Value {
    pub(super) sure: Confidence,
    pub(super) at: Range<usize>,
}

/// What ties a value to its word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tie {
    /// `:`, `=` or an arrow.
    Sign,
    /// `är`, `is`.
    Verb,
    /// Nothing but a blank.
    Nothing,
}

/// The value that follows the word that ends at `at`.
pub(super) fn after(bytes: &[u8], at: usize, secret: Secret) -> Option<Value> {
    let rest = bytes.get(at..(at + REACH).min(bytes.len()))?;
    // The word goes on: `lösenordet`, `pinkoden`, `password_db`.
    let own = rest.iter().take_while(|byte| is_letter(**byte) || matches!(byte, b'_' | b'-')).count();
    let goes_on = rest.get(..own)?;
    if secret == Secret::Code && !is_code_word(goes_on) {
        return None;
    }
    // `SharedAccessKeyName=send` and `access_key_id` name a key and do not tell it.
    if [&b"name"[..], b"namn", b"_id", b"-id", b"hint"].iter().any(|end| ends_with(goes_on, end)) {
        return None;
    }
    let (tie, from) = tie(bytes, at + own)?;
    let found = token(bytes, from)?;
    let text = bytes.get(found.clone())?;
    let sure = match secret {
        Secret::Code => code(text, tie)?,
        Secret::Password | Secret::PrivateKey | Secret::Token => password(text, tie, bytes, &found)?,
    };
    Some(Value { sure, at: found })
}

fn ends_with(text: &[u8], end: &[u8]) -> bool {
    let tail = text.len().checked_sub(end.len()).and_then(|at| text.get(at..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

/// What `pin` may go on with: `pin-kod`, `pinkoden`; not `pingar`.
fn is_code_word(rest: &[u8]) -> bool {
    let lower = rest.to_ascii_lowercase();
    let rest = lower.strip_prefix(b"-").unwrap_or(&lower);
    let rest = rest.strip_prefix(b"kod").or_else(|| rest.strip_prefix(b"code")).unwrap_or(rest);
    [&b""[..], b"en", b"er", b"erna", b"n", b"na", b"s"].contains(&rest)
}

/// What ties a value to the word before it, and where the value may begin.
fn tie(bytes: &[u8], at: usize) -> Option<(Tie, usize)> {
    let mut at = at;
    for words in 0..=WORDS {
        let blanks = count(bytes, at, |byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b')' | b'('));
        at += blanks;
        match bytes.get(at)? {
            b':' | b'=' => {
                let signs = count(bytes, at, |byte| matches!(byte, b':' | b'=' | b'>' | b' ' | b'\t'));
                // The value may stand on the next line.
                let line = count(bytes, at + signs, |byte| byte.is_ascii_whitespace());
                return Some((Tie::Sign, at + signs + line));
            }
            b'-' if bytes.get(at + 1) == Some(&b'>') => {
                return Some((Tie::Sign, at + 2 + count(bytes, at + 2, is_space)));
            }
            _ => {}
        }
        let length = count(bytes, at, |byte| is_letter(byte) || byte.is_ascii_digit() || byte == b'-');
        let word = bytes.get(at..at + length)?.to_ascii_lowercase();
        if matches!(&*word, b"\xE4r" | b"is" | b"blir" | b"var" | b"ar" | b"lyder") {
            let from = at + length;
            let signs = count(bytes, from, |byte| matches!(byte, b':' | b'=' | b' ' | b'\t' | b'\r' | b'\n'));
            let sign = bytes.get(from..from + signs)?.iter().any(|byte| matches!(byte, b':' | b'='));
            return Some((if sign { Tie::Sign } else { Tie::Verb }, from + signs));
        }
        if words == 0 && blanks > 0 && length > 0 && length == token(bytes, at)?.len() && has_digit(&word) {
            return Some((Tie::Nothing, at));
        }
        if words == 0 && blanks > 0 && token(bytes, at).is_some_and(|token| token.len() > length) {
            return Some((Tie::Nothing, at));
        }
        if length == 0 {
            return None;
        }
        at += length;
    }
    None
}

/// The token at a place, without the quotes around it and the punctuation after it.
fn token(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let quote = bytes.get(at).copied().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let from = at + usize::from(quote.is_some());
    let rest = bytes.get(from..)?;
    let ends = |byte: u8| match quote {
        Some(quote) => byte == quote || byte == b'\n',
        None => byte.is_ascii_whitespace() || matches!(byte, b'"' | b'<' | b'>' | b'&'),
    };
    let length = rest.iter().take(LENGTH.end() + 1).take_while(|byte| !ends(**byte)).count();
    let token = rest.get(..length)?;
    let kept = match quote {
        Some(_) => length,
        None => token
            .iter()
            .rposition(|byte| !matches!(byte, b'.' | b',' | b';' | b')' | b'?' | b':'))
            .map_or(0, |at| at + 1),
    };
    Some(from..from + kept)
}

/// How sure it is that the text is a password; `None` where it is none.
fn password(text: &[u8], tie: Tie, bytes: &[u8], at: &Range<usize>) -> Option<Confidence> {
    if !LENGTH.contains(&text.len()) || is_placeholder(text) {
        return None;
    }
    let kinds = kinds(text);
    let quoted = at
        .start
        .checked_sub(1)
        .and_then(|before| bytes.get(before))
        .is_some_and(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let last = bytes.get(at.end..).is_none_or(|rest| {
        let rest = rest.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'.' | b',' | b'"' | b'\''));
        rest.is_none_or(|byte| matches!(byte, b'\n' | b'\r' | b'<' | b'&' | b';'))
    });
    match tie {
        _ if kinds >= 3 || (kinds == 2 && (has_digit(text) || quoted)) => Some(Confidence::Strong),
        // One plain word: a password where it stands alone on its line, as in a form.
        Tie::Sign if last || quoted => {
            Some(if text.len() >= 6 { Confidence::Strong } else { Confidence::Medium })
        }
        Tie::Verb if quoted => Some(Confidence::Strong),
        Tie::Sign | Tie::Verb | Tie::Nothing => None,
    }
}

/// A code is digits, or letters and digits in capitals.
fn code(text: &[u8], tie: Tie) -> Option<Confidence> {
    // Keypads have signs that go with a code: `*4821#`.
    let text = text.strip_prefix(b"*").unwrap_or(text);
    let text = text.strip_suffix(b"#").unwrap_or(text);
    let digits = text.iter().all(u8::is_ascii_digit);
    let mixed = text.len() >= 6
        && has_digit(text)
        && text.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    let length = (4..=12).contains(&text.len());
    match tie {
        Tie::Sign | Tie::Verb if length && (digits || mixed) => Some(Confidence::Strong),
        Tie::Nothing if length && digits => Some(Confidence::Medium),
        Tie::Sign | Tie::Verb | Tie::Nothing => None,
    }
}

/// Words that hold a value's place, or begin a sentence about values.
const PLACEHOLDERS: &[&[u8]] = &[
    b"aldrig",
    b"alltid",
    b"annat",
    b"ange",
    b"att",
    b"bifogat",
    b"byt",
    b"byta",
    b"ditt",
    b"dina",
    b"dolt",
    b"enligt",
    b"eller",
    b"endast",
    b"example",
    b"f\xF6r",
    b"finns",
    b"fick",
    b"forgot",
    b"forgotten",
    b"fungerar",
    b"f\xE5r",
    b"gl\xF6mt",
    b"glomt",
    b"hemligt",
    b"h\xE4mta",
    b"inte",
    b"ingen",
    b"kommer",
    b"kontakta",
    b"minst",
    b"m\xE5ste",
    b"null",
    b"none",
    b"nytt",
    b"obligatoriskt",
    b"och",
    b"passera",
    b"bankid",
    b"mobilt",
    b"freja",
    b"frejaid",
    b"siths",
    b"sithskort",
    b"efos",
    b"e-legitimation",
    b"elegitimation",
    b"eid",
    b"sso",
    b"mfa",
    b"adfs",
    b"password",
    b"required",
    b"reset",
    b"ring",
    b"samma",
    b"saknas",
    b"se",
    b"separat",
    b"ska",
    b"skall",
    b"skickas",
    b"skicka",
    b"sms",
    b"som",
    b"som du",
    b"separately",
    b"the",
    b"till",
    b"tillf\xE4lligt",
    b"undefined",
    b"upp",
    b"utan",
    b"valfritt",
    b"via",
    b"vid",
    b"your",
    b"changeme",
    b"yourpassword",
    b"l\xF6senord",
    b"losenord",
    b"to follow",
    b"string",
    b"true",
    b"false",
    b"must",
    b"minimum",
    b"at",
    b"sent",
    b"skickat",
    b"skickades",
    b"viktigt",
    b"personligt",
    b"giltigt",
    b"protected",
];

/// Whether the text only holds a value's place, or begins a sentence about values.
pub(super) fn is_placeholder(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    is_pictured(text)
        || PLACEHOLDERS.contains(&&*lower)
        || [&b"$"[..], b"${", b"{{", b"http:", b"https:", b"mailto:", b"www."]
            .iter()
            .any(|start| lower.starts_with(start))
}

/// Whether the text is no value but a picture of one: asterisks, `<ditt lösenord>`, `xxxx`, `password` itself.
pub(super) fn is_pictured(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    let signs = lower.iter().all(|byte| !byte.is_ascii_alphanumeric() && *byte < 0xC0)
        || lower.iter().all(|byte| matches!(byte, b'x' | b'*' | b'.' | b'-' | b'_'));
    let bracketed = [(b'<', b'>'), (b'[', b']'), (b'{', b'}'), (b'(', b')'), (b'%', b'%')]
        .iter()
        .any(|(open, close)| lower.first() == Some(open) && lower.last() == Some(close));
    let itself = matches!(&*lower, b"password" | b"passwd" | b"pass" | b"pwd" | b"losenord" | b"l\xF6senord");
    signs || bracketed || itself || lower.starts_with(b"$")
}

/// How many kinds of characters there are: small and capital letters, digits, signs.
fn kinds(text: &[u8]) -> usize {
    let any = |is: fn(&u8) -> bool| usize::from(text.iter().any(is));
    any(|byte| byte.is_ascii_lowercase() || *byte >= 0xC0)
        + any(u8::is_ascii_uppercase)
        + any(u8::is_ascii_digit)
        + any(u8::is_ascii_punctuation)
}

fn has_digit(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_digit)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn count(bytes: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    bytes.get(at..).unwrap_or_default().iter().take(REACH).take_while(|byte| is(**byte)).count()
}
