//! Tokens (RFC 5322 §3.2) of a structured header field: comments nest, a backslash takes a character's meaning in them
//! and in quotes. A quote or a comment that does not end is its first character alone, so that no text is without tokens
//! and each of its characters is looked at a bounded number of times; what comes after it, who reads the field decides.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use super::words;

/// One token, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// Atoms and the dots between them; encoded words, those that only blanks part being one.
    Word(&'a str),
    /// A quoted string with its quotes.
    Quoted(&'a str),
    /// A domain literal with its brackets.
    Literal(&'a str),
    /// A comment with its brackets.
    Comment(&'a str),
    /// White space, or a control character.
    Blank,
    /// A quote or a bracket of a comment without its other half.
    Odd(char),
    /// One of `< > , ; : @`.
    Mark(char),
}

impl<'a> Token<'a> {
    /// The token as text that people see.
    pub(crate) fn raw(&self) -> &'a str {
        match self {
            Self::Word(text) | Self::Quoted(text) | Self::Literal(text) | Self::Comment(text) => text,
            Self::Mark('@') => "@",
            Self::Mark(':') => ":",
            Self::Mark(',') => ",",
            Self::Mark(';') => ";",
            Self::Blank | Self::Odd(_) | Self::Mark(_) => " ",
        }
    }

    pub(crate) fn is_at(&self) -> bool {
        *self == Self::Mark('@')
    }

    /// Whether it only parts others (CFWS); so does what has no meaning.
    pub(crate) fn is_blank(&self) -> bool {
        matches!(self, Self::Blank | Self::Comment(_) | Self::Odd(_))
    }
}

/// All tokens of the text.
pub(crate) fn all(text: &str) -> Vec<Token<'_>> {
    let mut tokens: Vec<Token<'_>> = Vec::with_capacity(16);
    // Where one does not end, no later one is looked for.
    let (mut quotes, mut comments, mut literals) = (true, true, true);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let behind_at = || tokens.iter().rev().find(|token| !token.is_blank()).is_some_and(Token::is_at);
        let (token, length) = match c {
            '"' => whole(&mut quotes, rest, quoted)
                .map_or((Token::Odd(c), 1), |it| (Token::Quoted(it), it.len())),
            '(' => whole(&mut comments, rest, comment)
                .map_or((Token::Odd(c), 1), |it| (Token::Comment(it), it.len())),
            ')' => (Token::Odd(c), 1),
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

/// What stands in a quoted string, without its quotes and backslashes.
pub(crate) fn unquoted(quoted: &str) -> Cow<'_, str> {
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(quoted);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == '\\' { plain.extend(chars.next()) } else { plain.push(c) }
    }
    Cow::Owned(plain)
}

/// The words outside of comments, each as far as no blank comes; none after a comment that does not end.
pub(crate) fn plain_words(text: &str) -> impl Iterator<Item = &str> {
    let (mut rest, mut quotes) = (text, true);
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start_matches(is_blank);
            if !rest.starts_with('(') {
                break;
            }
            rest = rest.get(comment(rest)?.len()..)?;
        }
        let mut end = 0;
        while let Some(c) = rest.get(end..).and_then(|rest| rest.chars().next()) {
            if is_blank(c) || c == '(' {
                break;
            }
            let tail = rest.get(end..).filter(|_| c == '"');
            let string = tail.and_then(|tail| whole(&mut quotes, tail, quoted));
            end += string.map_or(c.len_utf8(), str::len);
        }
        let (word, after) = rest.split_at_checked(end)?;
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control()
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
    let stops = |c: char| is_blank(c) || "\"()<>,;:@".contains(c);
    for (at, c) in text.char_indices() {
        let inside = at > 0;
        if stops(c) || inside && c == '=' && words::encoded(text.get(at..).unwrap_or_default()).is_some() {
            return text.get(..at).unwrap_or(text);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row of numbers that looks like chance.
    fn dice(seed: u64) -> impl FnMut(usize) -> usize {
        let mut state = seed;
        move |sides| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % sides
        }
    }

    const ALPHABET: [&str; 18] = [
        "a",
        "no",
        "\"",
        "\\",
        "(",
        ")",
        "<",
        ">",
        "@",
        ",",
        ";",
        ":",
        " ",
        "\t",
        "[",
        "]",
        "å",
        "=?utf-8?q?x?=",
    ];

    fn text(roll: &mut impl FnMut(usize) -> usize) -> String {
        (0..roll(24)).map(|_| ALPHABET[roll(ALPHABET.len())]).collect()
    }

    #[test]
    fn comments_nest_and_backslashes_hide() {
        for (written, expected) in [
            ("(a (b) c) d", "C B W"),
            ("(a \\) b) d", "C B W"),
            ("(a \\( b) d", "C B W"),
            ("(\"(\") d", "O Q O B W"),
            ("((a) b", "O O W O B W"),
            (") a", "O B W"),
            ("\"a \\\" b\" c", "Q B W"),
            ("\"a (b\" c)", "Q B W O"),
            ("\"a b", "O W B W"),
            ("a@[1.2 (3)]", "W M L"),
            ("[a]", "W"),
        ] {
            let told = all(written).into_iter().map(|token| match token {
                Token::Word(_) => "W",
                Token::Quoted(_) => "Q",
                Token::Literal(_) => "L",
                Token::Comment(_) => "C",
                Token::Blank => "B",
                Token::Odd(_) => "O",
                Token::Mark(_) => "M",
            });
            assert_eq!(told.collect::<Vec<_>>().join(" "), expected, "{written}");
        }
    }

    #[test]
    fn what_is_quoted_comes_back_and_what_is_cut_has_no_quote() {
        let mut roll = dice(1);
        for _ in 0..2_000 {
            let plain = text(&mut roll);
            let quoted = format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\""));
            assert_eq!(all(&quoted), [Token::Quoted(&quoted)]);
            assert_eq!(unquoted(&quoted), plain);
            let cut = &quoted[..quoted.len() - 1];
            assert_eq!(all(cut).first(), Some(&Token::Odd('"')), "{cut}");
        }
    }

    #[test]
    fn what_is_a_comment_is_one_however_deep() {
        let mut roll = dice(2);
        for _ in 0..2_000 {
            let hidden = text(&mut roll).replace('\\', "").replace('(', "\\(").replace(')', "\\)");
            let depth = 1 + roll(5);
            let comment = format!("{}{hidden}{}", "(".repeat(depth), ")".repeat(depth));
            assert_eq!(all(&comment), [Token::Comment(&comment)]);
            let field = format!("{comment}a{comment} b");
            assert_eq!(plain_words(&field).collect::<Vec<_>>(), ["a", "b"], "{field}");
            let cut = format!("a {}", &comment[..comment.len() - 1]);
            assert_eq!(plain_words(&cut).collect::<Vec<_>>(), ["a"], "{cut}");
        }
    }

    #[test]
    fn every_character_is_in_one_token() {
        let mut roll = dice(3);
        for _ in 0..5_000 {
            let written = text(&mut roll);
            let octets = |token: Token<'_>| match token {
                Token::Word(text) | Token::Quoted(text) | Token::Literal(text) | Token::Comment(text) => {
                    text.len()
                }
                Token::Blank | Token::Odd(_) | Token::Mark(_) => 1,
            };
            assert_eq!(all(&written).into_iter().map(octets).sum::<usize>(), written.len(), "{written}");
        }
    }

    #[test]
    fn what_never_ends_is_looked_for_once() {
        let open = ["(", "\"", "@[", "(\\", "\"\\"].map(|open| open.repeat(1 << 18));
        for written in &open {
            assert!(all(written).len() >= 1 << 17);
            assert!(plain_words(written).count() < 2);
        }
    }
}
