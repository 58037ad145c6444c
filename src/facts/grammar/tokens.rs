//! Tokens (RFC 5322 §3.2) of a field with addresses. Quotes and comments that do not end are blanks, so that no text is
//! without tokens and each of its characters is looked at a bounded number of times.

#![deny(clippy::disallowed_methods)]

use crate::mime::words;

/// One token, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Atoms and the dots between them; encoded words, those that only blanks part being one.
    Word(&'a str),
    /// A quoted string with its quotes.
    Quoted(&'a str),
    /// A domain literal with its brackets.
    Literal(&'a str),
    /// A comment with its brackets.
    Comment(&'a str),
    /// White space, or what has no meaning.
    Blank,
    /// One of `< > , ; : @`.
    Mark(char),
}

impl<'a> Token<'a> {
    /// The token as text.
    pub(super) fn raw(&self) -> &'a str {
        match self {
            Self::Word(text) | Self::Quoted(text) | Self::Literal(text) | Self::Comment(text) => text,
            Self::Mark('@') => "@",
            Self::Mark(':') => ":",
            Self::Mark(',') => ",",
            Self::Mark(';') => ";",
            Self::Blank | Self::Mark(_) => " ",
        }
    }

    pub(super) fn is_at(&self) -> bool {
        *self == Self::Mark('@')
    }

    pub(super) fn is_blank(&self) -> bool {
        matches!(self, Self::Blank | Self::Comment(_))
    }
}

/// All tokens of the text.
pub(super) fn all(text: &str) -> Vec<Token<'_>> {
    let mut tokens: Vec<Token<'_>> = Vec::with_capacity(16);
    // Where one does not end, no later one is looked for.
    let (mut quotes, mut comments, mut literals) = (true, true, true);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let behind_at = || tokens.iter().rev().find(|token| !token.is_blank()).is_some_and(Token::is_at);
        let (token, length) = match c {
            '"' => {
                whole(&mut quotes, rest, quoted).map_or((Token::Blank, 1), |it| (Token::Quoted(it), it.len()))
            }
            '(' => whole(&mut comments, rest, comment)
                .map_or((Token::Blank, 1), |it| (Token::Comment(it), it.len())),
            '[' if literals && behind_at() => whole(&mut literals, rest, literal)
                .map_or((Token::Blank, 1), |it| (Token::Literal(it), it.len())),
            '<' | '>' | ',' | ';' | ':' | '@' => (Token::Mark(c), 1),
            c if is_blank(c) => (Token::Blank, c.len_utf8()),
            _ => {
                let word = word(rest);
                (Token::Word(word), word.len())
            }
        };
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default();
    }
    tokens
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || c == ')'
}

/// What ends, if anything does.
fn whole<'a>(any: &mut bool, text: &'a str, read: impl Fn(&'a str) -> Option<&'a str>) -> Option<&'a str> {
    let found = if *any { read(text) } else { None };
    *any &= found.is_some();
    found
}

fn quoted(text: &str) -> Option<&str> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return text.get(..=at),
            _ => {}
        }
    }
    None
}

fn comment(text: &str) -> Option<&str> {
    let (mut depth, mut escaped) = (0_usize, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' if depth == 1 => return text.get(..=at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn literal(text: &str) -> Option<&str> {
    text.get(..=text.find(']')?)
}

/// The word at the beginning: encoded words with the blanks between them, or what comes before the next other token.
fn word(text: &str) -> &str {
    let mut end = 0;
    while let Some(encoded) = words::encoded(text.get(end..).unwrap_or_default().trim_ascii_start()) {
        let rest = text.get(end..).unwrap_or_default();
        end += rest.len() - rest.trim_ascii_start().len() + encoded.len();
    }
    if end > 0 {
        return text.get(..end).unwrap_or(text);
    }
    let stops = |c: char| is_blank(c) || "\"(<>,;:@".contains(c);
    for (at, c) in text.char_indices() {
        let inside = at > 0;
        if stops(c) || inside && c == '=' && words::encoded(text.get(at..).unwrap_or_default()).is_some() {
            return text.get(..at).unwrap_or(text);
        }
    }
    text
}
