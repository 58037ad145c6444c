//! Numbers and pieces at places of a binary format, low octet first, as Microsoft has them; what is not there is `None`.

#![deny(clippy::disallowed_methods)]

/// `length` octets at `at`.
pub(super) fn slice(bytes: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(length)?)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    slice(bytes, at, 2)?.first_chunk().map(|octets| u16::from_le_bytes(*octets))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    slice(bytes, at, 4)?.first_chunk().map(|octets| u32::from_le_bytes(*octets))
}

pub(super) fn f64_at(bytes: &[u8], at: usize) -> Option<f64> {
    slice(bytes, at, 8)?.first_chunk().map(|octets| f64::from_le_bytes(*octets))
}

/// A number of four octets that counts or points.
pub(super) fn size_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32_at(bytes, at)?).ok()
}

/// UTF-16; half a character at the end is dropped.
pub(super) fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.as_chunks().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    String::from_utf16_lossy(&units)
}

/// The text in UTF-16, as passwords are hashed.
pub(super) fn to_utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
