//! The packing of RTF in Outlook's messages (MS-OXRTFCP).

#![deny(clippy::disallowed_methods)]

use super::super::octets::Octets;
use crate::limits;

/// What the dictionary holds before the first octet (MS-OXRTFCP 2.1.2.1).
const PRESET: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

const DICTIONARY: usize = 4_096;

/// The RTF, as far as it can be unpacked; `None` is a header that is none.
pub(in crate::documents) fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Octets::new(packed);
    octets.u32()?;
    let size = octets.length()?;
    let kind = octets.u32()?;
    octets.u32()?;
    match &kind.to_le_bytes() {
        b"MELA" => Some(octets.rest.get(..size.min(octets.rest.len()))?.to_vec()),
        b"LZFu" => Some(references(octets)),
        _ => None,
    }
}

/// Runs of eight: each a literal octet, or a stretch of the last 4,096 ones.
fn references(mut octets: Octets<'_>) -> Vec<u8> {
    let mut dictionary = vec![b' '; DICTIONARY];
    dictionary.iter_mut().zip(PRESET).for_each(|(place, octet)| *place = *octet);
    let mut at = PRESET.len();
    let mut out = Vec::new();
    let mut put = |octet: u8, dictionary: &mut Vec<u8>, out: &mut Vec<u8>| {
        out.push(octet);
        if let Some(place) = dictionary.get_mut(at) {
            *place = octet;
        }
        at = (at + 1) % DICTIONARY;
        at
    };
    let mut end = PRESET.len();
    while let Some(flags) = octets.u8() {
        for bit in 0..8 {
            if out.len() > limits::DOCUMENT_OCTETS_SMALL {
                return out;
            }
            if flags >> bit & 1 == 0 {
                let Some(octet) = octets.u8() else { return out };
                end = put(octet, &mut dictionary, &mut out);
                continue;
            }
            let (Some(high), Some(low)) = (octets.u8(), octets.u8()) else { return out };
            let reference = u16::from(high) << 8 | u16::from(low);
            let (from, length) = (usize::from(reference >> 4), usize::from(reference & 15) + 2);
            if from == end {
                return out;
            }
            for step in 0..length {
                let octet = dictionary.get((from + step) % DICTIONARY).copied().unwrap_or(0);
                end = put(octet, &mut dictionary, &mut out);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification() {
        // MS-OXRTFCP 3.1.1 and 3.1.2.
        let simple = b"\x2d\0\0\0\x2b\0\0\0LZFu\xf1\xc5\xc7\xa7\x03\x00\x0a\0rcpg125\x42\x32\x0a\xf3 hel\x09\x00 bw\x05\xb0ld}\x0a\x80\x0f\xa0";
        assert_eq!(unpack(simple).unwrap(), b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n");
        let repeating = b"\x1a\0\0\0\x1c\0\0\0LZFu\xe2\xd4KQ\x41\0\x04 WXYZ\x0dn}\x01\x0e\xb0";
        assert_eq!(unpack(repeating).unwrap(), b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}");
    }

    #[test]
    fn what_is_cut_gives_what_there_is() {
        assert_eq!(unpack(b"\x2d\0\0\0\x2b\0\0\0LZFu\0\0\0\0\x00ab"), Some(b"ab".to_vec()));
        assert_eq!(unpack(b"\0\0\0\0\x03\0\0\0MELA\0\0\0\0abc"), Some(b"abc".to_vec()));
        assert_eq!(unpack(b"short"), None);
    }
}
