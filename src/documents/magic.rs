//! Magic: formats that are known by their first octets.

#![deny(clippy::disallowed_methods)]

use memchr::memmem;

use super::kind::Kind;

/// Where octets stand, which they are, and what they say.
const MAGIC: &[(usize, &[u8], Kind)] = &[
    (0, b"%PDF-", Kind::Pdf),
    (0, b"{\\rtf", Kind::Rtf),
    (0, b"PK\x03\x04", Kind::Zip),
    (0, b"PK\x05\x06", Kind::Zip),
    (0, b"PK\x07\x08PK\x03\x04", Kind::Zip),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind::Compound),
    (0, b"7z\xbc\xaf\x27\x1c", Kind::SevenZip),
    (0, b"Rar!\x1a\x07", Kind::Rar),
    (0, b"\x1f\x8b", Kind::Gzip),
    (0, b"BZh", Kind::Bzip2),
    (0, b"\xfd7zXZ\x00", Kind::Xz),
    (257, b"ustar", Kind::Tar),
    (0, b"\x78\x9f\x3e\x22", Kind::Tnef),
    (0, b"MSCF\0\0\0\0", Kind::Cabinet),
    (0, b"-----BEGIN PGP MESSAGE", Kind::Pgp),
    (0, b"-----BEGIN PKCS7", Kind::Smime),
    (0, b"\x7fELF", Kind::Executable),
    (0, b"MZ", Kind::Executable),
    (0, b"\xca\xfe\xba\xbe", Kind::Executable),
    (0, b"\xfe\xed\xfa", Kind::Executable),
    (0, b"\xcf\xfa\xed\xfe", Kind::Executable),
    (0, b"\x4c\0\0\0\x01\x14\x02\0", Kind::Shortcut),
    (0, b"\x76\xe8\x04\x60\xc4\x11\xe3\x86", Kind::Rights),
    (0, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", Kind::OneNote),
    (0, b"vhdxfile", Kind::DiskImage),
    (0, b"conectix", Kind::DiskImage),
    (0x8001, b"CD001", Kind::DiskImage),
    (0, b"\xff\xd8\xff", Kind::Image),
    (0, b"\x89PNG\r\n\x1a\n", Kind::Image),
    (0, b"\0\0\0\x0cjP  ", Kind::Image),
    (0, b"\xff\x4f\xff\x51", Kind::Image),
    (0, b"8BPS", Kind::Image),
    (0, b"P4\n", Kind::Image),
    (0, b"P5\n", Kind::Image),
    (0, b"P6\n", Kind::Image),
    (128, b"DICM", Kind::Image),
    (0, b"AT&TFORM", Kind::Image),
    (0, b"\xff\x0a", Kind::Image),
    (0, b"\0\0\0\x0cJXL ", Kind::Image),
    (0, b"\0\0\x02\0", Kind::Image),
    (0, b"\x02\0\x09\0\0", Kind::Image),
    (0, b"GIF8", Kind::Image),
    (0, b"II*\0", Kind::Image),
    (0, b"MM\0*", Kind::Image),
    (0, b"\0\0\x01\0", Kind::Image),
    (40, b" EMF", Kind::Image),
    (0, b"\xd7\xcd\xc6\x9a", Kind::Image),
    (0, b"\x01\0\x09\0\0\x03", Kind::Image),
    (8, b"WEBP", Kind::Image),
    (4, b"ftyphei", Kind::Image),
    (4, b"ftypmif1", Kind::Image),
    (4, b"ftypavi", Kind::Image),
    (4, b"ftyphev", Kind::Image),
    (4, b"ftypmsf1", Kind::Image),
    (4, b"ftypM4A", Kind::Audio),
    (8, b"WAVE", Kind::Audio),
    (0, b"ID3", Kind::Audio),
    (0, b"\xff\xfb", Kind::Audio),
    (0, b"\xff\xf3", Kind::Audio),
    (0, b"\xff\xf2", Kind::Audio),
    (0, b"\xff\xfa", Kind::Audio),
    (0, b"\xff\xf1", Kind::Audio),
    (0, b"\xff\xf9", Kind::Audio),
    (0, b"MThd", Kind::Audio),
    (8, b"AIFF", Kind::Audio),
    (8, b"AIFC", Kind::Audio),
    (0, b".snd", Kind::Audio),
    (0, b"wvpk", Kind::Audio),
    (0, b"OggS", Kind::Audio),
    (0, b"fLaC", Kind::Audio),
    (0, b"#!AMR", Kind::Audio),
    (4, b"ftyp", Kind::Video),
    (8, b"AVI ", Kind::Video),
    (0, b"\x1aE\xdf\xa3", Kind::Video),
    (0, b"\0\0\x01\xba", Kind::Video),
    (0, b"\0\0\x01\xb3", Kind::Video),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind::Video),
    (0, b"FLV\x01", Kind::Video),
    (4, b"moov", Kind::Video),
    (4, b"mdat", Kind::Video),
    (4, b"wide", Kind::Video),
    (0, b"wOFF", Kind::Font),
    (0, b"wOF2", Kind::Font),
    (0, b"OTTO\0", Kind::Font),
    (0, b"ttcf", Kind::Font),
    (34, b"LP", Kind::Font),
    (0, b"\0\x01\0\0\0", Kind::Font),
];

/// The format that the octets say they are. Where they may be `text`, letters alone are no proof of a program or a
/// picture: a text may begin with them.
pub(super) fn find(bytes: &[u8], text: bool) -> Option<Kind> {
    let is = |at: usize, magic: &[u8]| bytes.get(at..).is_some_and(|rest| rest.starts_with(magic));
    let known = MAGIC.iter().find(|(at, magic, kind)| {
        let proof = !text || kind.may_hold_text() || magic.iter().any(|octet| !(b' '..=b'~').contains(octet));
        proof && is(*at, magic)
    });
    // Packets of 188 octets each begin with the same one.
    let stream = [0, 188, 376, 564].iter().all(|at| is(*at, b"\x47"));
    let bitmap = is(0, b"BM") && is(6, &[0; 4]);
    let known = known.map(|(_, _, kind)| *kind).or(bitmap.then_some(Kind::Image));
    known.or((stream && !text).then_some(Kind::Video))
}

/// Whether a PDF begins behind something else, where readers look for it: in the first kilobyte (ISO 32000-2 §7.5.2).
pub(super) fn is_late_pdf(bytes: &[u8]) -> bool {
    let at = memmem::find(bytes.get(..1024).unwrap_or(bytes), b"%PDF-");
    at.and_then(|at| bytes.get(at..)).is_some_and(|rest| memmem::find(rest, b" obj").is_some())
}
