//! Mail addresses and domains (RFC 5321 §4.1.2): parsed once at the border, compared in one way everywhere.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::text;

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();

/// A domain in its one comparable form: ASCII (RFC 5890), lower case, without the trailing dot. Address literals
/// (`[192.0.2.1]`) are kept as they are.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Box<str>);

impl Domain {
    /// The domain that `text` names. What IDNA refuses is kept in lower case: an odd domain is odd, not an error.
    pub fn new(text: &str) -> Self {
        let text = text.trim().trim_end_matches('.');
        let plain =
            text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.');
        if plain && !text.contains("xn--") {
            return Self(text.into());
        }
        let ascii = idna::domain_to_ascii(text).unwrap_or_else(|_| text.to_lowercase());
        Self(ascii.into_boxed_str())
    }

    /// The domain as people see it, each letter in its own alphabet.
    pub fn to_unicode(&self) -> String {
        if self.0.contains("xn--") { idna::domain_to_unicode(&self.0).0 } else { self.0.to_string() }
    }

    /// The domain as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Domains as the config names them: `exempelby.se` is that domain alone, `*.exempelby.se` all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainPattern {
    /// This domain alone.
    Exact(Domain),
    /// Every domain below this one, and not this one.
    Below(Domain),
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(domain) => write!(f, "{domain}"),
            Self::Below(domain) => write!(f, "*.{domain}"),
        }
    }
}

impl DomainPattern {
    /// Parses a pattern; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        if name.is_empty() || name.contains(['*', '@', ' ', '/', ':']) || name.split('.').any(str::is_empty) {
            return Err("not a domain; write `exempelby.se`, or `*.exempelby.se` for all domains below it");
        }
        let domain = Domain::new(name);
        Ok(if below { Self::Below(domain) } else { Self::Exact(domain) })
    }

    /// Whether `domain` is one of these.
    pub fn matches(&self, domain: &Domain) -> bool {
        self.has(&domain.0)
    }

    /// Whether the address is at one of these.
    pub fn matches_address(&self, address: &Address) -> bool {
        address.domain_name().is_some_and(|name| self.has(name))
    }

    /// Whether the domain of that name, as it stands in a [`Domain`], is one of these.
    fn has(&self, name: &str) -> bool {
        match self {
            Self::Exact(own) => *own.0 == *name,
            Self::Below(own) => {
                name.strip_suffix(&*own.0).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
        }
    }
}

/// Many domains and patterns, asked for one without looking at all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainSet {
    exact: HashSet<Domain>,
    patterns: Vec<DomainPattern>,
}

impl DomainSet {
    /// Whether the domain is one of them.
    pub fn contains(&self, domain: &Domain) -> bool {
        self.exact.contains(domain) || self.patterns.iter().any(|pattern| pattern.matches(domain))
    }

    /// The domains in a text: one on each line, a pattern with `*.` before it, comments after `#`. An error names the
    /// line and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut set = Self::default();
        for (number, line) in text.lines().enumerate() {
            let name = line.split('#').next().unwrap_or_default().trim();
            if name.is_empty() {
                continue;
            }
            set.insert(DomainPattern::parse(name).map_err(|wrong| (number + 1, wrong))?);
        }
        Ok(set)
    }

    /// Adds one.
    pub fn insert(&mut self, pattern: DomainPattern) {
        match pattern {
            DomainPattern::Exact(domain) => drop(self.exact.insert(domain)),
            pattern @ DomainPattern::Below(_) => self.patterns.push(pattern),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = DomainPattern> {
        self.exact.iter().cloned().map(DomainPattern::Exact).chain(self.patterns.iter().cloned())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.exact.len() + self.patterns.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A mailbox address: as it was written for people, and compared without regard to case, to the form of its letters
/// (NFC), and to quotes that it does not need.
///
/// RFC 5321 leaves the case of the local part to the receiving host; no mail system in use tells `Anna` from
/// `anna`, and a policy that did could be walked around with the shift key.
#[derive(Clone)]
pub struct Address {
    text: Box<str>,
    key: Box<str>,
    at: Option<u32>,
}

impl Address {
    /// The address in `text`: with or without angle brackets, source routes (RFC 5321 appendix C) removed, a bare
    /// local part such as `postmaster` allowed. `None` where nothing is left.
    pub fn parse(text: &str) -> Option<Self> {
        let mut inner = text.trim();
        // As often as they are there: what is left must be read as the same again.
        while let Some(rest) = bracketed(inner).or_else(|| routed(inner)) {
            inner = rest.trim();
        }
        match inner.rsplit_once('@') {
            Some((local, domain)) if !local.is_empty() && !domain.is_empty() => {
                Some(Self::from_parts(local, &Domain::new(domain)))
            }
            None if !inner.is_empty() => {
                Some(Self { text: inner.into(), key: comparable(inner).into_boxed_str(), at: None })
            }
            _ => None,
        }
    }

    /// The address in the bytes of an SMTP command; bytes that are not UTF-8 stay visible as `\xHH`.
    pub fn from_wire(bytes: &[u8]) -> Option<Self> {
        Self::parse(&text::from_bytes(bytes))
    }

    /// The address with this local part at this domain.
    pub fn from_parts(local: &str, domain: &Domain) -> Self {
        let text = format!("{local}@{domain}");
        let plain =
            text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase() && !matches!(b, b'"' | b'\\'));
        let key = if plain { text.clone() } else { format!("{}@{domain}", comparable(local)) };
        Self { text: text.into_boxed_str(), key: key.into_boxed_str(), at: u32::try_from(local.len()).ok() }
    }

    /// The address as it was written, its domain normalised.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form that is compared: lower case, in NFC, without needless quotes.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The part before the `@`.
    pub fn local(&self) -> &str {
        self.at.and_then(|at| self.text.get(..at as usize)).unwrap_or(&self.text)
    }

    /// The local part as an MTA delivers it: without quotes, and without backslashes before what they stand for.
    pub fn bare_local(&self) -> Cow<'_, str> {
        unquoted(self.local())
    }

    /// The local part as an MTA delivers it, without what programs write around a mailbox's name: a tag behind a plus sign
    /// (RFC 5233), and the signature of a sender before it (`prvs=…=anna`, `btv1==…==anna`).
    pub fn mailbox_name(&self) -> Cow<'_, str> {
        match self.bare_local() {
            Cow::Borrowed(local) => Cow::Borrowed(untagged(local)),
            Cow::Owned(local) => Cow::Owned(untagged(&local).to_owned()),
        }
    }

    /// The address of that mailbox at the same domain; absent where the local part is no more than its name.
    pub fn without_tag(&self) -> Option<Self> {
        let (local, name) = (self.bare_local(), self.mailbox_name());
        if name.len() == local.len() {
            return None;
        }
        let name = quoted(&name);
        match self.domain() {
            Some(domain) => Some(Self::from_parts(&name, &domain)),
            None => Self::parse(&name),
        }
    }

    /// Whether the local part says where the mail goes on to, as `anna%example.org`, `example.org!anna` and
    /// `"anna@example.org"` do: MTAs follow such a route wherever the domain behind it leads.
    pub fn is_routed(&self) -> bool {
        self.local().contains(['%', '!', '@'])
    }

    /// The part after the `@`; absent in `postmaster`.
    pub fn domain(&self) -> Option<Domain> {
        self.domain_name().map(|name| Domain(name.into()))
    }

    /// Its text.
    pub fn domain_name(&self) -> Option<&str> {
        self.text.get(self.at? as usize + 1..)
    }
}

/// What stands in angle brackets, or behind one that is never closed.
fn bracketed(text: &str) -> Option<&str> {
    text.strip_prefix('<').map(|inner| inner.strip_suffix('>').unwrap_or(inner))
}

/// What stands behind a source route.
fn routed(text: &str) -> Option<&str> {
    text.strip_prefix('@')?.split_once(':').map(|(_, rest)| rest)
}

/// A local part in the form that is compared.
fn comparable(local: &str) -> String {
    let plain = match unquoted(local) {
        Cow::Borrowed(local) => Cow::Borrowed(local),
        Cow::Owned(bare) => Cow::Owned(quoted(&bare).into_owned()),
    };
    NFC.normalize(&plain.to_lowercase()).into_owned()
}

/// A local part without quotes, and without backslashes before what they stand for, wherever they stand in it: MTAs deliver
/// `"an\na"`, `an"na"` and `an\na` to anna.
fn unquoted(local: &str) -> Cow<'_, str> {
    if !local.contains(['"', '\\']) {
        return Cow::Borrowed(local);
    }
    let mut bare = String::with_capacity(local.len());
    let mut rest = local.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => {}
            '\\' => bare.extend(rest.next()),
            c => bare.push(c),
        }
    }
    Cow::Owned(bare)
}

/// A local part in quotes where it needs them (RFC 5321 §4.1.2).
fn quoted(bare: &str) -> Cow<'_, str> {
    let special = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !"!#$%&'*+-/=?^_`{|}~.".contains(c);
    if !bare.is_empty() && !bare.contains(special) {
        return Cow::Borrowed(bare);
    }
    Cow::Owned(format!("\"{}\"", bare.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// A bare local part without tag and signature.
fn untagged(local: &str) -> &str {
    let begins = |tag: &str| local.get(..tag.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(tag));
    let signed = if begins("btv1==") {
        local.splitn(3, "==").nth(2)
    } else if begins("prvs=") {
        local.splitn(3, '=').nth(2)
    } else {
        None
    };
    let name = signed.filter(|name| !name.is_empty()).unwrap_or(local);
    name.split('+').next().filter(|name| !name.is_empty()).unwrap_or(name)
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl Eq for Address {}
impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}
impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Address {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The envelope sender (RFC 5321 §4.1.1.2): an address, or the null sender of bounces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReversePath {
    /// `<>`: a bounce or another notification, which must never be answered with a bounce.
    Null,
    /// A mailbox.
    Address(Address),
}

impl ReversePath {
    /// The reverse-path in the bytes of a MAIL command: `<>` from smtpd, nothing at all from Postfix's own bounces.
    pub fn from_wire(bytes: &[u8]) -> Self {
        Address::from_wire(bytes).map_or(Self::Null, Self::Address)
    }

    /// The address, where there is one.
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Null => None,
            Self::Address(address) => Some(address),
        }
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn what_is_read_is_read_as_the_same_again() {
        for (written, read) in [
            ("<<anna@exempelby.se>>", "anna@exempelby.se"),
            ("<< anna@exempelby.se", "anna@exempelby.se"),
            ("<@a.example:@b.example: anna@exempelby.se>", "anna@exempelby.se"),
            ("@a.example:<anna@exempelby.se>", "anna@exempelby.se"),
        ] {
            let address = Address::parse(written).unwrap();
            assert_eq!((address.as_str(), Address::parse(read)), (read, Some(address.clone())), "{written}");
        }
        assert_eq!((Address::parse("<<>>"), Address::parse("<")), (None, None));
    }

    #[test]
    fn addresses_are_compared_without_regard_to_case() {
        assert_eq!(address("<Anna@Exempelby.SE>"), address("anna@exempelby.se."));
        assert_eq!(address("<Anna@Exempelby.SE>").as_str(), "Anna@exempelby.se");
    }

    #[test]
    fn addresses_are_compared_in_one_form() {
        assert_eq!(address("a\u{30A}r@exempelby.se"), address("\u{E5}r@exempelby.se"));
        assert_eq!(address("\"Anna\"@exempelby.se"), address("anna@exempelby.se"));
        assert_eq!(address("\"an\\na\"@exempelby.se"), address("anna@exempelby.se"));
        assert_ne!(address("\"anna b\"@exempelby.se"), address("anna b@exempelby.se"));
        assert_eq!(address("\"Anna\""), address("anna"));
        for same in ["an\\na", "\"an\"na", "a\"nn\"a"] {
            assert_eq!(address(&format!("{same}@exempelby.se")), address("anna@exempelby.se"), "{same}");
        }
        assert_eq!(address("\"anna\\ b\"@exempelby.se"), address("\"anna b\"@exempelby.se"));
        assert_ne!(address("\"anna\\\"b\"@exempelby.se"), address("\"annab\"@exempelby.se"));
    }

    #[test]
    fn mailboxes_have_names_without_tags() {
        for (local, name) in [
            ("anna", "anna"),
            ("Anna+upphandling", "Anna"),
            ("anna+SRS=Ab1Cd=JL=example.net=x", "anna"),
            ("prvs=1234abcdef=anna", "anna"),
            ("PRVS=1234abcdef=anna+x", "anna"),
            ("btv1==0123==anna", "anna"),
            ("+x", "+x"),
            ("prvs=", "prvs="),
            ("\"soc+x\"", "soc"),
            ("\"s\\oc+x\"", "soc"),
            ("s\\oc+x", "soc"),
            ("\"so\"c+\"x y\"", "soc"),
            ("\"soc\\+x\"", "soc"),
            ("\"prvs=1234abcdef=soc\"", "soc"),
            ("\"so c+x\"", "so c"),
        ] {
            assert_eq!(address(&format!("{local}@exempelby.se")).mailbox_name(), name, "{local}");
        }
    }

    #[test]
    fn routes_in_local_parts() {
        for routed in [
            "a%example.org@exempelby.se",
            "\"a@example.org\"@exempelby.se",
            "example.org!a@exempelby.se",
            "a@example.org@exempelby.se",
            "example.org!a",
            "a%example.org",
        ] {
            assert!(address(routed).is_routed(), "{routed}");
        }
        for plain in ["a@exempelby.se", "a+b=c@exempelby.se", "a", "@mx.exempelby.se:a@exempelby.se"] {
            assert!(!address(plain).is_routed(), "{plain}");
        }
    }

    #[test]
    fn source_routes_are_removed() {
        assert_eq!(address("<@a.example,@b.example:anna@exempelby.se>"), address("anna@exempelby.se"));
    }

    #[test]
    fn quoted_local_parts_may_hold_an_at_sign() {
        let odd = address("<\"a@b\"@exempelby.se>");
        assert_eq!((odd.local(), odd.domain().unwrap().as_str()), ("\"a@b\"", "exempelby.se"));
    }

    #[test]
    fn postmaster_needs_no_domain() {
        assert_eq!(address("Postmaster").domain(), None);
    }

    #[test]
    fn international_domains_are_compared_in_ascii() {
        assert_eq!(address("a@MALMÖ.example"), address("a@xn--malm-8qa.example"));
        assert_eq!(address("a@[192.0.2.1]").domain().unwrap().as_str(), "[192.0.2.1]");
    }

    #[test]
    fn bytes_that_are_not_utf8_stay_apart() {
        assert_ne!(Address::from_wire(b"<\xE5@x.se>"), Address::from_wire(b"<\xE4@x.se>"));
    }

    #[test]
    fn null_sender_has_two_spellings() {
        assert_eq!(ReversePath::from_wire(b"<>"), ReversePath::Null);
        assert_eq!(ReversePath::from_wire(b""), ReversePath::Null);
    }

    #[test]
    fn patterns() {
        let exact = DomainPattern::parse("exempelby.se").unwrap();
        let below = DomainPattern::parse("*.exempelby.se").unwrap();
        assert!(
            exact.matches(&Domain::new("Exempelby.se."))
                && !exact.matches(&Domain::new("skola.exempelby.se"))
        );
        assert!(
            below.matches(&Domain::new("skola.exempelby.se")) && !below.matches(&Domain::new("exempelby.se"))
        );
        assert!(!below.matches(&Domain::new("skolaexempelby.se")));
        assert!(DomainPattern::parse("anna@exempelby.se").is_err() && DomainPattern::parse("a..se").is_err());
    }
}
