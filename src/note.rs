//! Signed notes and tree heads in the formats of C2SP (signed-note.md, tlog-checkpoint.md), with ed25519.
//!
//! A tree head is a note whose text is the tree's origin, its size, its root and, as one extension line, the time.
//! Whoever has the public key can check it, with this program or another; nothing else is needed.

#![deny(clippy::disallowed_methods)]

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::merkle::Hash;

/// The signature type of ed25519 in signed-note.md.
const ED25519: u8 = 1;
/// What a signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";
/// What the extension line begins with.
const TIME: &str = "time ";
/// What a note on one line begins with; then its lines follow, and an end, with bars between.
const LINE: &str = "tree head: ";
const BAR: &str = " | ";
/// What a signature begins with there: not every log keeps a dash whole.
const SIGNED: &str = "-- ";

/// What a tree was at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// Which tree: `postvakt/gw1/1` for the records of the first epoch, `postvakt/gw1/access` for the accesses.
    pub origin: String,
    /// How many leaves it has.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// When it was so.
    pub time: Timestamp,
}

/// Text with its signature lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The text, each line with its end.
    pub text: String,
    /// The signature lines, without the dash.
    pub signatures: Vec<String>,
}

/// Why a note does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says it")]
pub enum NoteError {
    #[error("not signed with this key")]
    NotSigned,
    #[error("invalid signature")]
    WrongSignature,
    #[error("not the text of a tree head")]
    NotAHead,
}

impl TreeHead {
    /// The text that is signed.
    pub fn text(&self) -> String {
        let Self { origin, size, root, time } = self;
        format!("{origin}\n{size}\n{}\n{TIME}{time}\n", STANDARD.encode(root))
    }

    /// The head that a text says.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let origin = lines.next().filter(|origin| !origin.is_empty())?.to_owned();
        let size = lines.next()?.parse().ok()?;
        let root = STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
        let time = lines.find_map(|line| line.strip_prefix(TIME)?.parse().ok())?;
        Some(Self { origin, size, root, time })
    }
}

impl Note {
    /// The note on one line, as logs have it.
    pub fn line(&self) -> String {
        let signed = self.signatures.iter().map(|line| format!("{SIGNED}{line}"));
        let lines: Vec<String> = self.text.lines().map(str::to_owned).chain(signed).collect();
        format!("{LINE}{}{BAR}end", lines.join(BAR))
    }

    /// The notes in a text, each as it is or on one line. What stands between them is passed over: a log's other lines,
    /// the words of a letter, what a broken write left.
    pub fn all(text: &str) -> Vec<Self> {
        let mut notes: Vec<Self> = Vec::new();
        let mut lines: Vec<String> = Vec::new();
        let mut signing = false;
        for line in text.lines().flat_map(unfolded) {
            if let Some(signature) = line.strip_prefix(DASH) {
                if !signing {
                    let from = lines.iter().rposition(|line| line.starts_with("postvakt/")).unwrap_or(0);
                    let text = lines.get(from..).unwrap_or_default().join("\n");
                    notes.push(Self { text: format!("{}\n", text.trim()), signatures: Vec::new() });
                    lines.clear();
                }
                signing = true;
                notes.last_mut().into_iter().for_each(|note| note.signatures.push(signature.to_owned()));
            } else {
                signing = false;
                lines.push(line);
            }
        }
        notes
    }
}

/// The lines of a note on one line; any other line as it is.
fn unfolded(line: &str) -> Vec<String> {
    let Some((_, note)) = line.split_once(LINE) else { return vec![line.to_owned()] };
    let part = |part: &str| part.strip_prefix(SIGNED).map_or(part.to_owned(), |line| format!("{DASH}{line}"));
    note.split(BAR).map(part).collect()
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{DASH}{line}"))
    }
}

/// A private key with its name.
pub struct Signer {
    name: String,
    key: SigningKey,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Signer {
    /// The key that these random octets are.
    pub fn new(name: &str, seed: &[u8; 32]) -> Self {
        Self { name: name.to_owned(), key: SigningKey::from_bytes(seed) }
    }

    /// The text with its signature.
    pub fn sign(&self, text: String) -> Note {
        let mut octets = self.verifier().id().to_vec();
        octets.extend(self.key.sign(text.as_bytes()).to_bytes());
        Note { signatures: vec![format!("{} {}", self.name, STANDARD.encode(octets))], text }
    }

    /// Its public half.
    pub fn verifier(&self) -> Verifier {
        Verifier { name: self.name.clone(), key: self.key.verifying_key() }
    }
}

/// A public key with its name, written `name+hash+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    key: VerifyingKey,
}

impl Verifier {
    /// Whose key it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.as_bytes())
            .finalize();
        hash.first_chunk().copied().unwrap_or_default()
    }

    /// Whether the note has this key's signature.
    pub fn check(&self, note: &Note) -> Result<(), NoteError> {
        let own = |line: &String| {
            let octets = STANDARD.decode(line.strip_prefix(&self.name)?.strip_prefix(' ')?).ok()?;
            let (id, signature) = octets.split_first_chunk::<4>()?;
            (*id == self.id()).then(|| Signature::from_slice(signature).ok())?
        };
        let signature = note.signatures.iter().find_map(own).ok_or(NoteError::NotSigned)?;
        self.key.verify_strict(note.text.as_bytes(), &signature).map_err(|_| NoteError::WrongSignature)
    }

    /// The tree head in a note, if its signature is right.
    pub fn head(&self, note: &Note) -> Result<TreeHead, NoteError> {
        self.check(note)?;
        TreeHead::parse(&note.text).ok_or(NoteError::NotAHead)
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id()), STANDARD.encode(octets))
    }
}

impl FromStr for Verifier {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "not a public key; one looks like postvakt/gw1+0a1b2c3d+AX…";
        // The key's base64 may hold a `+` itself; a name and a hash never do.
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong);
        };
        let octets = STANDARD.decode(key).map_err(|_| wrong)?;
        let key = match octets.split_first() {
            Some((&ED25519, key)) => key.try_into().map_err(|_| wrong)?,
            _ => return Err(wrong),
        };
        let verifier = Self { name: name.to_owned(), key: VerifyingKey::from_bytes(key).map_err(|_| wrong)? };
        if format!("{:08x}", u32::from_be_bytes(verifier.id())) == id { Ok(verifier) } else { Err(wrong) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_is_verified() {
        // The example of signed-note.md.
        let key: Verifier =
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        let line = "PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        let note = Note { text: text.into(), signatures: vec![line.into()] };
        assert_eq!(key.check(&note), Ok(()));
        assert_eq!(Note::all(&note.to_string()), std::slice::from_ref(&note));
        let other = Note { text: text.replace("your", "my"), ..note };
        assert_eq!(key.check(&other), Err(NoteError::WrongSignature));
    }

    #[test]
    fn heads_are_read_as_they_are_written_also_after_a_broken_write() {
        let signer = Signer::new("postvakt/gw1", &[7; 32]);
        let key: Verifier = signer.verifier().to_string().parse().unwrap();
        let head = |size| TreeHead {
            origin: "postvakt/gw1/1".into(),
            size,
            root: [9; 32],
            time: "2026-08-21T11:05:09Z".parse().unwrap(),
        };
        let notes: Vec<String> = (0..3).map(|size| signer.sign(head(size).text()).to_string()).collect();
        let file = format!("{}\n{}\n{}\n{}", notes[0], &notes[1][..20], notes[1], notes[2]);
        let heads: Vec<_> = Note::all(&file).iter().map(|note| key.head(note)).collect();
        assert_eq!(heads, [Ok(head(0)), Ok(head(1)), Ok(head(2))]);
        let other = Signer::new("postvakt/gw1", &[8; 32]).verifier();
        assert_eq!(other.head(&Note::all(&file)[0]), Err(NoteError::NotSigned));
        assert!("postvakt/gw1+00000000+AX==".parse::<Verifier>().is_err());
    }

    #[test]
    fn heads_are_read_from_a_log_and_from_a_letter() {
        let signer = Signer::new("postvakt/gw1", &[7; 32]);
        let time = "2026-08-21T11:05:09Z".parse().unwrap();
        let head = TreeHead { origin: "postvakt/gw1/1".into(), size: 7, root: [9; 32], time };
        let note = signer.sign(head.text());
        assert!(note.line().is_ascii() && note.line().len() < 480, "{}", note.line());
        for text in [
            format!(
                "Aug 21 13:05:09 gw1 cron[1]: a | b\nAug 21 13:05:09 gw1 postvakt[7]: {}\nmore\n",
                note.line()
            ),
            format!("{{\"message\":\"{}\",\"level\":\"INFO\"}}\n", note.line()),
            format!("Hej!\n\n--\nSpara det.\n\n{note}\nEnd.\n"),
        ] {
            assert_eq!(Note::all(&text), std::slice::from_ref(&note), "{text}");
            assert_eq!(signer.verifier().head(&Note::all(&text)[0]), Ok(head.clone()));
        }
    }
}
