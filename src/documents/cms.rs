//! S/MIME (RFC 8551): what a CMS object is says its content type, not its name. What is only signed is opened and
//! read; what is encrypted is not.

#![deny(clippy::disallowed_methods)]

use super::document::{Document, Outcome};
use super::{Reason, Scheme, State, inflate};
use crate::limits;
use crate::mime::transfer::{self, Encoding};

/// Content types (RFC 5652, RFC 5083, RFC 3274), as the octets of their object identifiers.
const DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
const SIGNED: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
const ENVELOPED: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03";
const SIGNED_AND_ENVELOPED: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x04";
const ENCRYPTED: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x06";
const COMPRESSED: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09";
const AUTH_ENVELOPED: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17";

const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const CONSTRUCTED: u8 = 0x20;
const CONTEXT_0: u8 = 0xA0;

/// Reads a CMS object: in its own octets, or in base64 with or without the lines of PEM.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    if bytes.first() == Some(&SEQUENCE) {
        return object(document, bytes);
    }
    let lines = bytes.split(|octet| *octet == b'\n').filter(|line| !line.starts_with(b"-----"));
    let written: Vec<u8> = lines.flatten().copied().collect();
    let (decoded, broken) = transfer::decode(Encoding::Base64, &written);
    if broken || decoded.first() != Some(&SEQUENCE) {
        return Err(Reason::Damaged);
    }
    object(document, &decoded)
}

fn object(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    let outer = Value::parse(bytes, 0).ok_or(Reason::Damaged)?;
    let mut fields = outer.values();
    let kind = fields.next().filter(|kind| kind.tag == OBJECT_IDENTIFIER).ok_or(Reason::Damaged)?;
    match kind.content {
        ENVELOPED | SIGNED_AND_ENVELOPED | ENCRYPTED | AUTH_ENVELOPED => {
            // One whose content is cut off, or none at all, is no secret to anybody but its sender.
            let content = fields.next().filter(|content| content.tag == CONTEXT_0).ok_or(Reason::Damaged)?;
            content.values().next().ok_or(Reason::Damaged)?;
            return Ok(State::Encrypted(Scheme::Smime));
        }
        DATA | SIGNED | COMPRESSED => {}
        _ => return Err(Reason::Format),
    }
    // A signature alone, or a list of certificates, has nothing more.
    let Some(content) = fields.next() else { return Ok(State::Plain) };
    let inner = if kind.content == DATA { Some(content) } else { encapsulated(&content)? };
    let Some(inner) = inner else { return Ok(State::Plain) };
    let mut octets = Vec::new();
    document.budget().spend(bytes.len())?;
    inner.octets(&mut octets).ok_or(Reason::Damaged)?;
    if kind.content == COMPRESSED {
        let (clear, ended) = inflate::zlib(document.budget(), &octets);
        document.inside("", "message/rfc822", &clear)?;
        ended?;
    } else {
        document.inside("", "message/rfc822", &octets)?;
    }
    Ok(State::Plain)
}

/// The content of what is signed or compressed: the first sequence in it that begins with a content type.
fn encapsulated<'a>(content: &Value<'a>) -> Result<Option<Value<'a>>, Reason> {
    let body = content.values().next().ok_or(Reason::Damaged)?;
    for field in body.values().filter(|field| field.tag == SEQUENCE) {
        let mut parts = field.values();
        let is_type = parts.next().is_some_and(|kind| {
            kind.tag == OBJECT_IDENTIFIER && kind.content.starts_with(b"\x2a\x86\x48\x86\xf7\x0d\x01")
        });
        // Algorithms are sequences with an identifier too; theirs have no content under [0].
        if is_type {
            match parts.next() {
                Some(inner) if inner.tag == CONTEXT_0 => return Ok(Some(inner)),
                _ => {}
            }
        }
    }
    Ok(None)
}

/// A value in BER (X.690): of definite or of indefinite length.
#[derive(Clone, Copy, Debug)]
struct Value<'a> {
    tag: u8,
    content: &'a [u8],
    /// Octets with tag, length and end.
    length: usize,
    depth: usize,
}

impl<'a> Value<'a> {
    /// The value at the beginning of the octets.
    fn parse(bytes: &'a [u8], depth: usize) -> Option<Self> {
        if depth > limits::CMS_DEPTH {
            return None;
        }
        let tag = *bytes.first()?;
        // Tags of more octets are not in CMS.
        if tag & 0x1F == 0x1F {
            return None;
        }
        let first = *bytes.get(1)?;
        let (head, length) = match first {
            0..0x80 => (2, usize::from(first)),
            0x80 => return Self::indefinite(bytes, tag, depth),
            0x81..=0x84 => {
                let octets = bytes.get(2..2 + usize::from(first & 0x7F))?;
                (2 + octets.len(), octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)))
            }
            0x85.. => return None,
        };
        let content = bytes.get(head..head.checked_add(length)?)?;
        Some(Self { tag, content, length: head + length, depth })
    }

    /// It ends with two zero octets after its last value.
    fn indefinite(bytes: &'a [u8], tag: u8, depth: usize) -> Option<Self> {
        let body = bytes.get(2..)?;
        let mut at = 0;
        loop {
            let rest = body.get(at..)?;
            if rest.starts_with(&[0, 0]) {
                return Some(Self { tag, content: body.get(..at)?, length: at + 4, depth });
            }
            at += Self::parse(rest, depth + 1)?.length;
        }
    }

    /// The values inside it, as far as they make sense.
    fn values(&self) -> impl Iterator<Item = Self> + use<'a> {
        let (mut rest, depth) = (self.content, self.depth + 1);
        std::iter::from_fn(move || {
            let value = Self::parse(rest, depth)?;
            rest = rest.get(value.length..)?;
            Some(value)
        })
    }

    /// The octets of an OCTET STRING, in one piece or in many; and of whatever is around it.
    fn octets(&self, out: &mut Vec<u8>) -> Option<()> {
        if self.tag & CONSTRUCTED == 0 {
            if self.tag == OCTET_STRING {
                out.extend_from_slice(self.content);
            }
            return Some(());
        }
        let mut read = 0;
        for value in self.values() {
            value.octets(out)?;
            read += value.length;
        }
        (read == self.content.len()).then_some(())
    }
}
