//! Encryption of a workbook (MS-XLS §2.2.10): whatever is encrypted with the password that Excel tries by itself is
//! read.

#![deny(clippy::disallowed_methods)]

use super::{BOF, BOUND_SHEET, FILE_PASS, Record};
use crate::documents::office_password::{BlockCipher, DEFAULT};
use crate::documents::places::u16_at;

/// Records that stay in the clear.
const CLEAR: [u16; 7] = [BOF, FILE_PASS, 0x00E1, 0x0194, 0x0195, 0x0196, 0x0138];
/// Octets that one key is for.
const BLOCK: usize = 1024;

/// The stream in the clear, if it is encrypted with the password that everyone knows.
pub(super) fn decrypt(pass: &[u8], wide: bool, stream: &[u8], list: &[Record<'_>]) -> Option<Vec<u8>> {
    // Before BIFF8 there is one method only, and the record does not name it.
    let (method, header) = if wide { (u16_at(pass, 0)?, pass.get(2..)?) } else { (0, pass) };
    if method == 0 {
        return unmask(header, stream, list);
    }
    let cipher = match u16_at(header, 0)? {
        1 => BlockCipher::short(header.get(4..)?, DEFAULT)?,
        2..=4 => BlockCipher::long(header.get(4..)?, DEFAULT)?,
        _ => return None,
    };
    let mut keys: Vec<u8> = Vec::with_capacity(stream.len() + BLOCK);
    for block in (0..).take(stream.len().div_ceil(BLOCK)) {
        keys.extend(cipher.block(block).apply(&[0; BLOCK]));
    }
    Some(changed(stream, list, |record, clear| {
        for (octet, key) in clear.iter_mut().zip(keys.get(record.at..).unwrap_or_default()) {
            *octet ^= key;
        }
    }))
}

/// The stream with the content of each encrypted record changed.
fn changed(stream: &[u8], list: &[Record<'_>], change: impl Fn(&Record<'_>, &mut Vec<u8>)) -> Vec<u8> {
    let mut out = stream.to_vec();
    for record in list.iter().filter(|record| !CLEAR.contains(&record.kind)) {
        let mut clear = record.content.to_vec();
        change(record, &mut clear);
        // Where a sheet begins stays readable.
        let kept = if record.kind == BOUND_SHEET { 4 } else { 0 };
        for (at, octet) in clear.iter().enumerate().skip(kept) {
            if let Some(place) = out.get_mut(record.at + at) {
                *place = *octet;
            }
        }
    }
    out
}

/// XOR obfuscation, method 1 (MS-OFFCRYPTO §2.3.7).
fn unmask(header: &[u8], stream: &[u8], list: &[Record<'_>]) -> Option<Vec<u8>> {
    let key = mask_key(DEFAULT.as_bytes());
    if u16_at(header, 0)? != key || u16_at(header, 2)? != mask_hash(DEFAULT.as_bytes()) {
        return None;
    }
    let mask = mask(DEFAULT.as_bytes(), key);
    Some(changed(stream, list, |record, clear| {
        let start = record.at + record.content.len();
        for (octet, mask) in clear.iter_mut().zip(mask.iter().cycle().skip(start % mask.len())) {
            *octet = octet.rotate_left(3) ^ mask;
        }
    }))
}

fn mask(password: &[u8], key: u16) -> Vec<u8> {
    const FILL: [u8; 15] =
        [0xBB, 0xFF, 0xFF, 0xBA, 0xFF, 0xFF, 0xB9, 0x80, 0x00, 0xBE, 0x0F, 0x00, 0xBF, 0x0F, 0x00];
    let filled = password.iter().chain(&FILL).take(16);
    filled.zip(key.to_le_bytes().iter().cycle()).map(|(octet, key)| (octet ^ key).rotate_left(2)).collect()
}

fn mask_key(password: &[u8]) -> u16 {
    let mut base = Feedback(0x8000);
    let mut end = Feedback(0xFFFF);
    let mut key = 0;
    for octet in password.iter().rev() {
        for bit in 0..8 {
            base.step();
            if octet & 0x7F & 1 << bit != 0 {
                key ^= base.0;
            }
            end.step();
        }
    }
    key ^ end.0
}

/// A shift register.
struct Feedback(u16);

impl Feedback {
    fn step(&mut self) {
        self.0 = self.0.rotate_left(1);
        if self.0 & 1 != 0 {
            self.0 ^= 0x1020;
        }
    }
}

fn mask_hash(password: &[u8]) -> u16 {
    let length = u16::try_from(password.len()).unwrap_or_default();
    let rotated = |octet: u8, by: usize| {
        let wide = u32::from(octet) << (by % 15);
        u16::try_from((wide & 0x7FFF) | wide >> 15).unwrap_or_default()
    };
    let start = length ^ 0xCE4B;
    password.iter().enumerate().fold(start, |hash, (at, octet)| hash ^ rotated(*octet, at + 1))
}
