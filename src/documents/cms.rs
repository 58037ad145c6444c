//! S/MIME (RFC 8551): what a CMS object is says its content type, not its name. What is only signed or packed is opened
//! and read; what is encrypted is not.

#![deny(clippy::disallowed_methods)]

use super::document::{Document, Outcome};
use super::{Reason, Scheme, State, inflate, strings};
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

/// Whether text is base64 of a CMS object.
pub(super) fn is_armoured(bytes: &[u8]) -> bool {
    let lines =
        || bytes.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let is_base64 = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=".contains(octet);
    lines().next().is_some_and(|first| first.starts_with(b"-----BEGIN") || first.starts_with(b"M"))
        && lines().all(|line| line.starts_with(b"-----") || line.iter().all(is_base64))
}

fn object(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    let outer = Value::parse(bytes, 0).ok_or(Reason::Damaged)?;
    let mut fields = outer.values()?.into_iter();
    let kind = fields.next().filter(|kind| kind.tag == OBJECT_IDENTIFIER).ok_or(Reason::Damaged)?;
    let content = fields.next().filter(|content| content.tag == CONTEXT_0).ok_or(Reason::Damaged)?;
    // One whose content is cut off, or none at all, is no secret to anybody but its sender.
    let content = content.first()?;
    document.budget().spend(bytes.len())?;
    self::content(document, kind.content, &content)
}

/// Reads content of a type; what is signed or packed has content of a type in it again.
fn content(document: &mut Document<'_>, kind: &[u8], content: &Value<'_>) -> Outcome {
    let packed = match kind {
        DATA => return data(document, &content.octets()?),
        _ if content.tag != SEQUENCE => return Err(Reason::Damaged),
        ENVELOPED | SIGNED_AND_ENVELOPED | ENCRYPTED | AUTH_ENVELOPED => {
            return Ok(State::Encrypted(Scheme::Smime));
        }
        SIGNED => false,
        COMPRESSED => true,
        _ => return Err(Reason::Format),
    };
    let Some((inner, value)) = encapsulated(content)? else {
        // A signature alone, or a list of certificates, has nothing more. What is packed has.
        return if packed { Err(Reason::Damaged) } else { Ok(State::Plain) };
    };
    let is_object =
        matches!(inner, SIGNED | COMPRESSED | ENVELOPED | SIGNED_AND_ENVELOPED | ENCRYPTED | AUTH_ENVELOPED);
    // PKCS #7 had it so, before there were octets around it.
    if is_object && value.tag == SEQUENCE {
        return self::content(document, inner, &value);
    }
    let octets = value.octets()?;
    let (clear, ended) = if packed { inflate::zlib(document.budget(), &octets) } else { (octets, Ok(())) };
    if !is_object {
        return data(document, &clear).and_then(|state| ended.map(|()| state));
    }
    ended?;
    let value = Value::parse(&clear, content.depth + 1).ok_or(Reason::Damaged)?;
    self::content(document, inner, &value)
}

/// Reads what a content type says nothing of: an entity of MIME, another object, or whatever else somebody signed.
fn data(document: &mut Document<'_>, octets: &[u8]) -> Outcome {
    let outer = Value::parse(octets, 0).filter(|value| value.tag == SEQUENCE);
    let first = outer.and_then(|outer| outer.first().ok());
    let media_type = match first {
        _ if octets.is_empty() || strings::is_text(octets) => "message/rfc822",
        Some(kind) if kind.tag == OBJECT_IDENTIFIER => "application/pkcs7-mime",
        _ => "",
    };
    document.inside("", media_type, octets)?;
    Ok(State::Plain)
}

/// The content of what is signed or packed, and of which type it is: the first sequence in it that begins with a type
/// and has content under tag 0. Algorithms are sequences with an identifier too, and have nothing there.
fn encapsulated<'a>(content: &Value<'a>) -> Result<Option<(&'a [u8], Value<'a>)>, Reason> {
    for field in content.values()?.into_iter().filter(|field| field.tag == SEQUENCE) {
        match field.values()?.as_slice() {
            [kind, inner, ..] if kind.tag == OBJECT_IDENTIFIER && inner.tag == CONTEXT_0 => {
                return Ok(Some((kind.content, inner.first()?)));
            }
            _ => {}
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

    /// The values inside it.
    fn values(&self) -> Result<Vec<Self>, Reason> {
        let (mut rest, mut values) = (self.content, Vec::new());
        while !rest.is_empty() {
            let value = Self::parse(rest, self.depth + 1).ok_or(Reason::Damaged)?;
            rest = rest.get(value.length..).ok_or(Reason::Damaged)?;
            values.push(value);
        }
        Ok(values)
    }

    /// The first value inside it.
    fn first(&self) -> Result<Self, Reason> {
        Self::parse(self.content, self.depth + 1).ok_or(Reason::Damaged)
    }

    /// The octets of an OCTET STRING, in one piece or in many; and of whatever is around it.
    fn octets(&self) -> Result<Vec<u8>, Reason> {
        let mut octets = Vec::new();
        self.gather(&mut octets)?;
        Ok(octets)
    }

    fn gather(&self, octets: &mut Vec<u8>) -> Result<(), Reason> {
        if self.tag & CONSTRUCTED != 0 {
            return self.values()?.iter().try_for_each(|value| value.gather(octets));
        }
        if self.tag == OCTET_STRING {
            octets.extend_from_slice(self.content);
        }
        Ok(())
    }
}
