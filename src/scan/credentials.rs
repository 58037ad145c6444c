//! Credentials: passwords that are told, private keys, and tokens that their makers gave a fixed beginning.
//!
//! A word for a password says nothing alone: a value must follow it, and not one that only holds its place. One
//! automaton finds words and beginnings; what follows them is read by hand.

#![deny(clippy::disallowed_methods)]

mod value;

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::Confidence;
use super::fold::{Folded, is_letter, is_word};
use crate::limits;
use crate::text::words;

words! {
    /// What a credential is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Secret {
        /// A password, with the word for it.
        Password = "password",
        /// A PIN or one-time code, with the word for it.
        Code = "code",
        /// A private key.
        PrivateKey = "private key",
        /// A token of a service.
        Token = "token",
    }
}

/// A credential that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// What it is.
    pub secret: Secret,
    /// How sure that is.
    pub sure: Confidence,
    /// Where it stands in the folded text, from its word or beginning on.
    pub at: Range<usize>,
}

/// What a needle begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    /// A password follows.
    Password,
    /// A code of digits follows.
    Code,
    /// A code follows, where something here is encrypted with it, or a door is named.
    Key,
    /// A private key, `-----BEGIN … PRIVATE KEY-----`.
    PrivateKey,
    /// A token of at least so many characters, its beginning counted.
    Token(usize),
    /// A JSON Web Token (RFC 7519).
    Jwt,
    /// A user's name, a colon and a password before the host of a URL.
    Url,
}

const NEEDLES: &[(&str, Begins)] = &[
    ("lösen", Begins::Password),
    ("losen", Begins::Password),
    ("l\u{FFFD}sen", Begins::Password),
    ("passord", Begins::Password),
    ("password", Begins::Password),
    ("passwd", Begins::Password),
    ("passphrase", Begins::Password),
    ("pass phrase", Begins::Password),
    ("passcode", Begins::Password),
    ("pwd", Begins::Password),
    ("api-nyckel", Begins::Password),
    ("apinyckel", Begins::Password),
    ("api key", Begins::Password),
    ("api-key", Begins::Password),
    ("api_key", Begins::Password),
    ("apikey", Begins::Password),
    ("client_secret", Begins::Password),
    ("clientsecret", Begins::Password),
    ("client secret", Begins::Password),
    ("access_token", Begins::Password),
    ("vpn-nyckel", Begins::Password),
    ("wifi-nyckel", Begins::Password),
    ("accountkey", Begins::Password),
    ("accesskey", Begins::Password),
    ("access key", Begins::Password),
    ("access-key", Begins::Password),
    ("access_key", Begins::Password),
    ("sharedaccesssignature", Begins::Password),
    ("secret_key", Begins::Password),
    ("secretkey", Begins::Password),
    ("secret-key", Begins::Password),
    ("auth_token", Begins::Password),
    ("authtoken", Begins::Password),
    ("krypteringsnyckel", Begins::Password),
    ("pin", Begins::Code),
    ("engångskod", Begins::Code),
    ("säkerhetskod", Begins::Code),
    ("bankid-kod", Begins::Code),
    ("puk", Begins::Code),
    ("portkod", Begins::Code),
    ("portens kod", Begins::Code),
    ("dörrkod", Begins::Code),
    ("entrékod", Begins::Code),
    ("grindkod", Begins::Code),
    ("larmkod", Begins::Code),
    ("larmets kod", Begins::Code),
    ("passerkod", Begins::Code),
    ("låskod", Begins::Code),
    ("kodlås", Begins::Code),
    ("skåpkod", Begins::Code),
    ("bomkod", Begins::Code),
    ("door code", Begins::Code),
    ("alarm code", Begins::Code),
    ("kod", Begins::Key),
    ("nyckel", Begins::Key),
    ("-----begin ", Begins::PrivateKey),
    ("putty-user-key-file-", Begins::PrivateKey),
    ("AKIA", Begins::Token(20)),
    ("ASIA", Begins::Token(20)),
    ("ghp_", Begins::Token(40)),
    ("gho_", Begins::Token(40)),
    ("ghu_", Begins::Token(40)),
    ("ghs_", Begins::Token(40)),
    ("ghr_", Begins::Token(40)),
    ("github_pat_", Begins::Token(60)),
    ("glpat-", Begins::Token(26)),
    ("xoxb-", Begins::Token(24)),
    ("xoxp-", Begins::Token(24)),
    ("xoxa-", Begins::Token(24)),
    ("xoxr-", Begins::Token(24)),
    ("xoxs-", Begins::Token(24)),
    ("xapp-", Begins::Token(24)),
    ("sk_live_", Begins::Token(28)),
    ("rk_live_", Begins::Token(28)),
    ("AIza", Begins::Token(39)),
    ("SG.", Begins::Token(60)),
    ("npm_", Begins::Token(40)),
    ("dop_v1_", Begins::Token(64)),
    ("sk-ant-", Begins::Token(40)),
    ("sk-proj-", Begins::Token(40)),
    ("hf_", Begins::Token(37)),
    ("eyJ", Begins::Jwt),
    ("://", Begins::Url),
];

/// Octets before and after a code in which the door that it opens may be named.
const LINE: usize = 40;

static AUTOMATON: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let needle = |needle: &str| Folded::new(needle).bytes().to_vec();
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .kind(Some(aho_corasick::AhoCorasickKind::DFA))
        .build(NEEDLES.iter().map(|(text, _)| needle(text)))
        .ok()
});

/// The credentials in a text, in their order. `key_wanted` says that something beside the text is encrypted: a code
/// with no other word for it is then what opens it.
pub fn find(folded: &Folded<'_>, key_wanted: bool) -> Vec<Credential> {
    let Some(automaton) = AUTOMATON.as_ref() else { return Vec::new() };
    let bytes = folded.bytes();
    let mut found: Vec<Credential> = Vec::new();
    let (mut look, mut head_end) = (limits::WORK_OCTETS, 0);
    for needle in automaton.find_iter(bytes) {
        let Some((text, begins)) = NEEDLES.get(needle.pattern().as_usize()) else { continue };
        let at = needle.start()..needle.end();
        if at.start >= look {
            look = at.start + limits::WORK_OCTETS;
            if !folded.goes_on() {
                break;
            }
        }
        if found.last().is_some_and(|last| last.at.end > at.start) {
            continue;
        }
        // Within the first part of what may be a JSON Web Token there is no other one.
        if *begins == Begins::Jwt {
            if at.start < head_end {
                continue;
            }
            head_end = at.start + token_length(bytes, at.start, b"_-");
        }
        let credential = match begins {
            Begins::Password => phrase(bytes, at, Secret::Password),
            Begins::Code => phrase(bytes, at, Secret::Code),
            Begins::Key => {
                phrase(bytes, at, Secret::Code).filter(|code| key_wanted || opens(bytes, &code.at))
            }
            Begins::PrivateKey => private_key(bytes, at),
            Begins::Token(length) => token(bytes, at, text, *length),
            Begins::Jwt => jwt(bytes, at),
            Begins::Url => url(bytes, at),
        };
        found.extend(credential);
    }
    found
}

/// Whether the door or alarm that a code is for is named on its line: `koden till porten är 4821`.
fn opens(bytes: &[u8], at: &Range<usize>) -> bool {
    const DOORS: &[&[u8]] = &[
        b"port",
        b"porten",
        b"portens",
        b"d\xF6rr",
        b"d\xF6rren",
        b"ytterd\xF6rren",
        b"larm",
        b"larmet",
        b"l\xE5s",
        b"l\xE5set",
        b"grind",
        b"grinden",
        b"entr\xE9",
        b"entr\xE9n",
        b"nyckelsk\xE5p",
        b"nyckelsk\xE5pet",
        b"kassask\xE5p",
        b"kassask\xE5pet",
        b"bommen",
    ];
    let before = bytes.get(at.start.saturating_sub(LINE)..at.start).unwrap_or_default();
    let after = bytes.get(at.start..(at.end + LINE).min(bytes.len())).unwrap_or_default();
    let line = before.rsplit(|byte| *byte == b'\n').take(1).chain(after.split(|byte| *byte == b'\n').take(1));
    let mut words = line.flat_map(|part| part.split(|byte| !is_letter(*byte)));
    words.any(|word| DOORS.iter().any(|door| word.eq_ignore_ascii_case(door)))
}

/// A word for a password or code, and the value that follows it.
fn phrase(bytes: &[u8], at: Range<usize>, secret: Secret) -> Option<Credential> {
    let before = at.start.checked_sub(1).and_then(|before| bytes.get(before));
    // Compounds: `engångslösenord`, `zip-lösenord`; but no `pin` in `shopping`, no `kod` in `postkod`.
    if secret == Secret::Code && before.is_some_and(|byte| is_word(*byte)) {
        return None;
    }
    let value = value::after(bytes, at.end, secret)?;
    Some(Credential { secret, sure: value.sure, at: at.start..value.at.end })
}

fn private_key(bytes: &[u8], at: Range<usize>) -> Option<Credential> {
    let line = bytes.get(at.start..(at.start + 80).min(bytes.len()))?;
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let private = line.starts_with(b"PuTTY-") || line.windows(11).any(|window| window == b"PRIVATE KEY");
    let body = bytes.get(at.start + line.len()..)?;
    // A heading alone, as in a manual, is no key.
    let content = body.iter().filter(|byte| !byte.is_ascii_whitespace()).take(60);
    let key = content.take_while(|byte| byte.is_ascii_graphic() && **byte != b'.').count() >= 40;
    (private && key).then(|| Credential {
        secret: Secret::PrivateKey,
        sure: Confidence::Strong,
        at: at.start..at.start + line.len(),
    })
}

fn token(bytes: &[u8], at: Range<usize>, prefix: &str, length: usize) -> Option<Credential> {
    let exact = bytes.get(at.clone()) == Some(prefix.as_bytes());
    let before = at.start.checked_sub(1).and_then(|before| bytes.get(before));
    // As much as it must have: a text may have such a beginning every few octets.
    let least = bytes.get(at.start..at.start + length)?;
    let whole = exact
        && before.is_none_or(|byte| !is_word(*byte))
        && least.iter().all(|byte| in_token(*byte, b"_-."));
    let varied = whole && least.iter().collect::<std::collections::BTreeSet<_>>().len() >= 8;
    let end = at.start + if varied { token_length(bytes, at.start, b"_-.") } else { 0 };
    varied.then_some(Credential { secret: Secret::Token, sure: Confidence::Strong, at: at.start..end })
}

/// Three parts of base64url with dots between, the first two of them JSON objects.
fn jwt(bytes: &[u8], at: Range<usize>) -> Option<Credential> {
    let before = at.start.checked_sub(1).and_then(|before| bytes.get(before));
    let end = at.start + token_length(bytes, at.start, b"_-.");
    let token = bytes.get(at.start..end)?;
    let mut parts = token.split(|byte| *byte == b'.');
    let (head, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = before.is_none_or(|byte| !is_word(*byte))
        && head.starts_with(b"eyJ")
        && head.len() >= 16
        && claims.starts_with(b"eyJ")
        && signature.len() >= 16;
    whole.then_some(Credential { secret: Secret::Token, sure: Confidence::Strong, at: at.start..end })
}

/// `scheme://user:password@host`.
fn url(bytes: &[u8], at: Range<usize>) -> Option<Credential> {
    let rest = bytes.get(at.end..(at.end + 200).min(bytes.len()))?;
    let end = rest
        .iter()
        .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'"' | b'>' | b'?'))?;
    let authority = rest.get(..end)?;
    let host = authority.iter().rposition(|byte| *byte == b'@')?;
    let user = authority.get(..host)?;
    let colon = user.iter().position(|byte| *byte == b':')?;
    let password = user.get(colon + 1..)?;
    let scheme = at.start.checked_sub(1).and_then(|before| bytes.get(before));
    let told = scheme.is_some_and(|byte| is_letter(*byte)) && colon > 0 && !value::is_pictured(password);
    (told && password.len() >= 4).then(|| Credential {
        secret: Secret::Password,
        sure: Confidence::Strong,
        at: at.start..at.end + host,
    })
}

fn token_length(bytes: &[u8], from: usize, others: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter().take(4096).take_while(|byte| in_token(**byte, others)).count()
}

fn in_token(byte: u8, others: &[u8]) -> bool {
    byte.is_ascii_alphanumeric() || others.contains(&byte)
}

#[cfg(test)]
mod tests;
