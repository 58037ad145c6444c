//! OpenPGP (RFC 9580): what is encrypted, what is only signed or packed, and the text around armour, which is in the
//! clear.

#![deny(clippy::disallowed_methods)]

use super::document::{Document, Outcome};
use super::{Reason, Scheme, State, inflate};
use crate::limits;
use crate::mime::transfer::{self, Encoding};
use crate::mime::words;

/// How the first line of an armoured message begins.
pub(crate) const BEGIN: &str = "-----BEGIN PGP MESSAGE";
const END: &str = "-----END PGP MESSAGE-----";

/// Packet types (§5).
const COMPRESSED: u8 = 8;
const LITERAL: u8 = 11;

/// Reads a message in armour, with whatever stands around it, or in octets.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    if bytes.first().is_some_and(|octet| octet & 0x80 != 0) && std::str::from_utf8(bytes).is_err() {
        return packets(document, bytes, 0);
    }
    let text = words::unlabelled(bytes);
    let mut state = State::Plain;
    for piece in pieces(&text) {
        match piece {
            Piece::Clear(text) => document.text(text)?,
            Piece::Armour(armour) => {
                let inner = packets(document, &dearmoured(armour), 0)?;
                state = if inner == State::Plain { state } else { inner };
            }
        }
    }
    Ok(state)
}

/// What a text with armour consists of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Clear(&'a str),
    /// From the line that begins it to the line that ends it.
    Armour(&'a str),
}

/// Splits a text into armoured messages and what stands around them. Only whole armour is any: without an end, it is
/// text like other text.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, from)) = rest.find(BEGIN).and_then(|at| rest.split_at_checked(at)) {
        let Some((armour, after)) = from.find(END).and_then(|at| from.split_at_checked(at + END.len()))
        else {
            break;
        };
        pieces.push(Piece::Clear(before));
        pieces.push(Piece::Armour(armour));
        rest = after;
    }
    pieces.push(Piece::Clear(rest));
    pieces
}

/// Whether the armour holds what only a key opens.
pub(crate) fn is_encrypted(armour: &str) -> bool {
    let octets = dearmoured(armour);
    Packet::parse(&octets).is_some_and(|(packet, _)| packet.is_encrypted())
}

/// The octets in armour (§6.2): after the header lines and an empty line, up to the checksum.
fn dearmoured(armour: &str) -> Vec<u8> {
    let lines = armour.lines().skip(1).map(|line| line.trim_start_matches(['>', ' ']).trim_end());
    let body = lines
        .skip_while(|line| !line.is_empty())
        .take_while(|line| !line.starts_with('=') && !line.starts_with("-----"));
    let written: String = body.collect();
    transfer::decode(Encoding::Base64, written.as_bytes()).0.into_owned()
}

/// Reads packets: up to the first that is encrypted, or the text in those that are not.
fn packets(document: &mut Document<'_>, bytes: &[u8], depth: usize) -> Outcome {
    if depth > limits::DOCUMENT_DEPTH {
        return Err(Reason::Limit);
    }
    let mut rest = bytes;
    let mut known = false;
    while let Some((packet, after)) = Packet::parse(rest) {
        known = true;
        rest = after;
        document.budget().spend(packet.content.len())?;
        if packet.is_encrypted() {
            return Ok(State::Encrypted(Scheme::Pgp));
        }
        match packet.kind {
            COMPRESSED => {
                let state = compressed(document, &packet.content, depth)?;
                if state != State::Plain {
                    return Ok(state);
                }
            }
            LITERAL => literal(document, &packet.content)?,
            // Signatures, keys and their parts.
            _ => {}
        }
    }
    if known && rest.is_empty() { Ok(State::Plain) } else { Err(Reason::Damaged) }
}

/// §5.6.
fn compressed(document: &mut Document<'_>, content: &[u8], depth: usize) -> Outcome {
    let (method, packed) = content.split_first().ok_or(Reason::Damaged)?;
    let (clear, ended) = match method {
        0 => (packed.to_vec(), Ok(())),
        1 => inflate::raw(document.budget(), packed),
        2 => inflate::zlib(document.budget(), packed),
        // bzip2, which hardly any program writes.
        _ => return Err(Reason::Format),
    };
    let state = packets(document, &clear, depth + 1)?;
    ended.map(|()| state)
}

/// §5.9: a format, a name, a date, and the text.
fn literal(document: &mut Document<'_>, content: &[u8]) -> Result<(), Reason> {
    let length = content.get(1).map_or(0, |length| usize::from(*length));
    let name = content.get(2..2 + length).ok_or(Reason::Damaged)?;
    let text = content.get(2 + length + 4..).ok_or(Reason::Damaged)?;
    document.inside(&*words::text(name), "", text)
}

/// One packet.
struct Packet {
    kind: u8,
    content: Vec<u8>,
}

impl Packet {
    /// Session keys for people or passwords, and what they encrypt (§5.1, §5.3, §5.7, §5.13, §5.14).
    fn is_encrypted(&self) -> bool {
        matches!(self.kind, 1 | 3 | 9 | 18 | 20)
    }

    /// The packet at the beginning, and what comes after it (§4.2).
    fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (first, rest) = bytes.split_first()?;
        if first & 0x80 == 0 {
            return None;
        }
        if first & 0x40 != 0 {
            return Self::current(first & 0x3F, rest);
        }
        let kind = first >> 2 & 0xF;
        let octets = match first & 3 {
            0 => 1,
            1 => 2,
            2 => 4,
            // Of unknown length: to the end.
            _ => return Some((Self { kind, content: rest.to_vec() }, &[])),
        };
        let length = rest.get(..octets)?.iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
        let content = rest.get(octets..)?;
        Some((Self { kind, content: content.get(..length)?.to_vec() }, content.get(length..)?))
    }

    /// The lengths of the current format; a packet may come in parts (§4.2.1).
    fn current(kind: u8, bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut content = Vec::new();
        let mut rest = bytes;
        loop {
            let (first, after) = rest.split_first()?;
            let (length, after, last) = match first {
                0..192 => (usize::from(*first), after, true),
                192..224 => {
                    let (second, after) = after.split_first()?;
                    (((usize::from(*first) - 192) << 8) + usize::from(*second) + 192, after, true)
                }
                224..255 => (1 << (first & 0x1F), after, false),
                255 => {
                    let (four, after) = after.split_first_chunk()?;
                    (usize::try_from(u32::from_be_bytes(*four)).ok()?, after, true)
                }
            };
            let (part, after) = after.split_at_checked(length)?;
            content.extend_from_slice(part);
            rest = after;
            if last {
                return Some((Self { kind, content }, rest));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_armour_is_any() {
        let armour = format!("{BEGIN}-----\n\nwcBM\n=abcd\n{END}");
        let text = format!("före {armour} efter");
        assert_eq!(pieces(&text), [Piece::Clear("före "), Piece::Armour(&armour), Piece::Clear(" efter")]);
        assert_eq!(pieces(&format!("{BEGIN}-----\n811228-9874")).len(), 1);
    }

    #[test]
    fn armour_is_encrypted_by_its_packets() {
        let armour = |body: &str| format!("{BEGIN}-----\nVersion: x\n\n{body}\n=abcd\n{END}");
        // A session key for somebody (type 1), a literal (type 11).
        assert!(is_encrypted(&armour("wQEA")));
        assert!(!is_encrypted(&armour("ywEA")));
        assert!(!is_encrypted(&armour("aGVq")));
    }
}
