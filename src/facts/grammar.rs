//! Grammar: the addresses in a field such as From (RFC 5322 §3.4), in every form in which mail programs show one.
//!
//! Absent: refusal. What breaks the grammar is read as people see it: a quote or a comment that does not end is only its
//! first character, what is encoded where nothing may be is decoded, and two addresses without a comma are two.

#![deny(clippy::disallowed_methods)]

#[cfg(test)]
mod tests;

use crate::address::{Address, Domain};
use crate::mime::tokens::{self, Token};
use crate::mime::words;
use crate::{limits, text};

/// The addresses in the field, groups (RFC 5322 §3.4) and all; what names no mailbox is left out.
pub fn addresses(value: &str) -> Vec<Address> {
    read(value).addresses
}

/// What stands in the field beside the addresses, decoded: names of people and of groups, comments.
pub fn names(value: &str) -> String {
    words::clean(&words::decode(read(value).names.trim())).into_owned()
}

/// The addresses that stand in the local part of this one, as in `"anna@exempelby.se"@example.org`, which some programs
/// show alone.
pub fn within(address: &Address) -> Vec<Address> {
    if address.local().contains('@') { addresses(&bare(address.local())) } else { Vec::new() }
}

fn read(value: &str) -> Reader {
    let mut reader = Reader::default();
    reader.list(text::truncate(value, limits::ADDRESS_FIELD_OCTETS), true);
    reader
}

#[derive(Default)]
struct Reader {
    addresses: Vec<Address>,
    names: String,
}

/// What comes before the next comma, semicolon or group.
#[derive(Default)]
struct Segment<'a> {
    /// Outside angle brackets, before the first and behind the last.
    loose: Vec<Token<'a>>,
    /// Between the brackets.
    angled: Vec<Address>,
}

impl Reader {
    /// Reads a list. What has no address as it stands is looked at once more without quotes and encodings, if it may.
    fn list(&mut self, value: &str, again: bool) {
        let tokens = tokens::all(value);
        let mut segment = Segment::default();
        let mut rest = &*tokens;
        while let Some((token, after)) = rest.split_first() {
            rest = after;
            match token {
                Token::Mark('<') => {
                    let end = after.iter().position(|token| matches!(token, Token::Mark('<' | '>')));
                    // A bracket that opens another, or is never closed, does not count.
                    let Some((inner, [Token::Mark('>'), behind @ ..])) =
                        end.and_then(|end| after.split_at_checked(end))
                    else {
                        segment.loose.push(Token::Blank);
                        continue;
                    };
                    rest = behind;
                    segment.angled.extend(angle(inner, again));
                    if !segment.angled.is_empty() {
                        self.name(&std::mem::take(&mut segment.loose));
                    }
                }
                Token::Mark(':') if !segment.loose.iter().any(Token::is_at) => {
                    self.name(&std::mem::take(&mut segment.loose));
                }
                Token::Mark(',' | ';' | ':') => self.end(&mut segment, again),
                Token::Mark('>') => segment.loose.push(Token::Blank),
                token => segment.loose.push(*token),
            }
        }
        self.end(&mut segment, again);
    }

    fn end(&mut self, segment: &mut Segment<'_>, again: bool) {
        let Segment { loose, angled } = std::mem::take(segment);
        let beside = if angled.is_empty() || loose.iter().any(Token::is_at) {
            self.loose(&loose, again && angled.is_empty())
        } else {
            self.name(&loose);
            Vec::new()
        };
        self.addresses.extend(angled.into_iter().chain(beside));
        self.addresses.truncate(limits::HEADER_ITEMS + 1);
    }

    fn name(&mut self, loose: &[Token<'_>]) {
        self.names.extend(loose.iter().map(Token::raw));
        self.names.push(' ');
    }

    /// What stands without brackets.
    fn loose(&mut self, loose: &[Token<'_>], again: bool) -> Vec<Address> {
        let found = specs(loose);
        if !found.is_empty() {
            return found;
        }
        let written: String = loose.iter().map(Token::raw).collect();
        let found = once_more(&written, again);
        if found.is_empty() {
            self.name(loose);
        }
        found
    }
}

/// What stands between brackets: an address, a route and an address (RFC 5322 §4.4), or a bare name.
fn angle(inner: &[Token<'_>], again: bool) -> Vec<Address> {
    let found = specs(inner);
    if !found.is_empty() {
        return found;
    }
    let written: String = inner.iter().map(Token::raw).collect();
    match once_more(&written, again) {
        found if !found.is_empty() => found,
        _ if inner.iter().any(Token::is_blank) => Vec::new(),
        _ => Address::parse(&written).into_iter().collect(),
    }
}

/// The addresses in what people see of a text that has none as it stands.
fn once_more(written: &str, again: bool) -> Vec<Address> {
    let seen = bare(&words::decode(written)).replace(['\u{ff20}', '\u{fe6b}'], "@");
    let mut inner = Reader::default();
    if again && seen.contains('@') {
        inner.list(&seen, false);
    }
    inner.addresses
}

/// The text without the characters of quoted strings and comments, and without control characters.
fn bare(text: &str) -> String {
    words::clean(text).replace(['"', '\\', '(', ')'], " ")
}

/// The addresses among tokens without brackets: one for each `@`, with the words that touch it on both sides.
fn specs(tokens: &[Token<'_>]) -> Vec<Address> {
    let mut found: Vec<Address> = Vec::new();
    let mut unnamed = None;
    let mut from = 0;
    // Of several in a row the last one counts.
    let last = |at: usize| {
        tokens
            .get(at + 1..)
            .and_then(|rest| rest.iter().find(|token| !token.is_blank()))
            .is_none_or(|next| !next.is_at())
    };
    for at in (0..tokens.len()).filter(|at| tokens.get(*at).is_some_and(Token::is_at) && last(*at)) {
        let (before, after) =
            (tokens.get(from..at).unwrap_or_default(), tokens.get(at + 1..).unwrap_or_default());
        let ((domain, taken), local) = (domain(after), local(before));
        let Some(domain) = domain else { continue };
        let chained = from > 0 && before.iter().all(Token::is_blank);
        from = at + 1 + taken;
        let route = matches!(tokens.get(from), Some(Token::Mark(':' | ',')));
        match found.last_mut().filter(|_| chained) {
            // `anna@exempelby.se@example.org` is at the last, whatever stands before it.
            Some(last) if last.as_str().len() < limits::ADDRESS_OCTETS => {
                *last = Address::from_parts(last.as_str(), &domain);
            }
            None if !local.is_empty() => {
                found.push(Address::from_parts(local.trim_start_matches('\''), &domain));
            }
            None if !route => unnamed = Some(Address::from_parts("", &domain)),
            Some(_) | None => {}
        }
    }
    if found.is_empty() { unnamed.into_iter().collect() } else { found }
}

/// The local part that ends before an `@`; empty if it is missing.
fn local(before: &[Token<'_>]) -> String {
    let leftwards = before.iter().rev().skip_while(|token| token.is_at());
    let (words, _) = run(leftwards, |word, next| word.ends_with('.') || next.starts_with('.'));
    let written: String = words.iter().rev().map(Token::raw).collect();
    let decoded = words::clean(&words::decode(&written)).trim().to_owned();
    // Quotes around what needs none mean nothing (RFC 5321 §4.1.2).
    let unquoted = decoded.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let plain = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    match unquoted {
        Some(inner) if !inner.is_empty() && inner.chars().all(plain) => inner.to_owned(),
        _ => decoded,
    }
}

/// The domain that begins behind an `@`, and how many tokens it takes.
fn domain(after: &[Token<'_>]) -> (Option<Domain>, usize) {
    let blanks = after.iter().take_while(|token| token.is_blank()).count();
    if let Some(Token::Literal(literal)) = after.get(blanks) {
        return (Some(Domain::new(literal)), blanks + 1);
    }
    // `exempelby. se` is one name; in `exempelby.se. Hej` the dot ends it.
    let dangling = |name: &str| name.find('.').is_some_and(|at| at + 1 == name.len());
    let (words, taken) = run(after.iter(), |word, last| word.starts_with('.') || dangling(last));
    let written: String = words.iter().map(Token::raw).collect();
    let decoded = words::clean(&words::decode(&written)).replace('"', "");
    // ASCII that no name can have ends it; what is not ASCII may stand for ASCII (RFC 5895).
    let ends = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !"-._".contains(c);
    let name = decoded.trim().split(ends).next().unwrap_or_default().trim_matches('.');
    ((!name.is_empty()).then(|| Domain::new(name)), taken)
}

/// The words from here on that belong together, those that touch and those that a dot joins across blanks; and how many
/// tokens they take.
fn run<'t, 'a: 't>(
    tokens: impl Iterator<Item = &'t Token<'a>>,
    joined: impl Fn(&str, &str) -> bool,
) -> (Vec<Token<'a>>, usize) {
    let mut words: Vec<Token<'a>> = Vec::new();
    let (mut apart, mut taken) = (false, 0);
    for (at, token) in tokens.enumerate() {
        match token {
            Token::Blank | Token::Comment(_) | Token::Odd(_) => apart = true,
            Token::Mark(_) | Token::Literal(_) => break,
            Token::Word(_) | Token::Quoted(_) => {
                if apart && words.last().is_some_and(|last| !joined(token.raw(), last.raw())) {
                    break;
                }
                apart = false;
                words.push(*token);
                taken = at + 1;
            }
        }
    }
    (words, taken)
}
