//! Formats: a row for each that is known, with what tells it and what reads it. One more format is one more row.

#![deny(clippy::disallowed_methods)]

use super::document::{Document, Format, Outcome};
use super::kind::Kind;
use super::{
    Reason, Scheme, State, cms, folded, inflate, lzma, message, ole, pdf, pgp, picture, plain, rar, rtf,
    strings, tar, tnef, zipped,
};

/// A format of which nothing is known but what it is; its row says what more there is.
const fn of(kind: Kind, media_type: &'static str) -> Format {
    Format {
        kind,
        media_type,
        may_hold_text: true,
        holds_files: false,
        magic: &[],
        first_words: &[],
        endings: "",
        types: &[],
        can_be_text: never,
        can_lack_magic: never,
        read: strings,
    }
}

pub(super) const UNKNOWN: Format = of(Kind::Unknown, "application/octet-stream");

/// If several formats match, the first row wins.
pub(super) static FORMATS: &[Format] = &[
    Format { magic: &[(0, b"%PDF-")], read: pdf::read, ..of(Kind::Pdf, "application/pdf") },
    Format {
        magic: &[(0, b"{\\rtf")],
        can_be_text: always,
        read: rtf::read,
        ..of(Kind::Rtf, "application/rtf")
    },
    Format {
        magic: &[(0, b"PK\x03\x04"), (0, b"PK\x05\x06"), (0, b"PK\x07\x08PK\x03\x04")],
        holds_files: true,
        read: zipped::read,
        ..of(Kind::Zip, "application/zip")
    },
    Format {
        magic: &[(0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")],
        read: ole::read,
        ..of(Kind::Compound, "application/x-ole-storage")
    },
    Format {
        magic: &[(0, b"7z\xbc\xaf\x27\x1c")],
        holds_files: true,
        read: lzma::seven_zip,
        ..of(Kind::SevenZip, "application/x-7z-compressed")
    },
    Format {
        magic: &[(0, b"Rar!\x1a\x07")],
        holds_files: true,
        read: rar::read,
        ..of(Kind::Rar, "application/vnd.rar")
    },
    Format {
        magic: &[(0, b"\x1f\x8b")],
        endings: "tgz gz",
        holds_files: true,
        read: inflate::gzip,
        ..of(Kind::Gzip, "application/gzip")
    },
    Format { magic: &[(0, b"BZh")], holds_files: true, ..of(Kind::Bzip2, "application/x-bzip2") },
    Format {
        magic: &[(0, b"\xfd7zXZ\x00")],
        holds_files: true,
        read: lzma::xz,
        ..of(Kind::Xz, "application/x-xz")
    },
    Format {
        magic: &[(257, b"ustar")],
        endings: "tar",
        can_lack_magic: always,
        holds_files: true,
        read: tar::read,
        ..of(Kind::Tar, "application/x-tar")
    },
    Format {
        magic: &[(0, b"\x78\x9f\x3e\x22")],
        holds_files: true,
        read: tnef::read,
        ..of(Kind::Tnef, "application/ms-tnef")
    },
    Format {
        magic: &[(0, b"MSCF\0\0\0\0")],
        holds_files: true,
        ..of(Kind::Cabinet, "application/vnd.ms-cab-compressed")
    },
    Format {
        magic: &[(0, b"-----BEGIN PGP MESSAGE")],
        endings: "pgp gpg asc",
        can_be_text: always,
        can_lack_magic: always,
        read: pgp::read,
        ..of(Kind::Pgp, "application/pgp-encrypted")
    },
    Format {
        magic: &[(0, b"-----BEGIN PKCS7"), (0, b"-----BEGIN PKCS #7"), (0, b"-----BEGIN CMS")],
        endings: "p7m p7s p7c p7z",
        types: &["application/pkcs7-mime", "application/x-pkcs7-mime"],
        can_be_text: cms::is_armoured,
        can_lack_magic: always,
        read: cms::read,
        ..of(Kind::Smime, "application/pkcs7-mime")
    },
    Format {
        magic: &[
            (0, b"\x7fELF"),
            (0, b"MZ"),
            (0, b"\xca\xfe\xba\xbe"),
            (0, b"\xfe\xed\xfa"),
            (0, b"\xcf\xfa\xed\xfe"),
        ],
        may_hold_text: false,
        read: no_text,
        ..of(Kind::Executable, "application/x-executable")
    },
    Format {
        magic: &[(0, b"\x4c\0\0\0\x01\x14\x02\0")],
        may_hold_text: false,
        read: no_text,
        ..of(Kind::Shortcut, "application/x-ms-shortcut")
    },
    Format {
        magic: &[(0, b"\x76\xe8\x04\x60\xc4\x11\xe3\x86")],
        endings: "rpmsg",
        types: &["application/x-microsoft-rpmsg-message"],
        read: |_, _| Ok(State::Encrypted(Scheme::Rights)),
        ..of(Kind::Rights, "application/x-microsoft-rpmsg-message")
    },
    Format { magic: &[(0, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d")], ..of(Kind::OneNote, "application/onenote") },
    Format {
        magic: &[(0, b"vhdxfile"), (0, b"conectix"), (0x8001, b"CD001")],
        holds_files: true,
        ..of(Kind::DiskImage, "application/x-iso9660-image")
    },
    Format {
        magic: &[
            (0, b"\xff\xd8\xff"),
            (0, b"\x89PNG\r\n\x1a\n"),
            (0, b"\0\0\0\x0cjP  "),
            (0, b"\xff\x4f\xff\x51"),
            (0, b"8BPS"),
            (0, b"P4\n"),
            (0, b"P5\n"),
            (0, b"P6\n"),
            (128, b"DICM"),
            (0, b"AT&TFORM"),
            (0, b"\xff\x0a"),
            (0, b"\0\0\0\x0cJXL "),
            (0, b"\0\0\x02\0"),
            (0, b"\x02\0\x09\0\0"),
            (0, b"GIF8"),
            (0, b"II*\0"),
            (0, b"MM\0*"),
            (0, b"\0\0\x01\0"),
            (40, b" EMF"),
            (0, b"\xd7\xcd\xc6\x9a"),
            (0, b"\x01\0\x09\0\0\x03"),
            (8, b"WEBP"),
            (4, b"ftyphei"),
            (4, b"ftypmif1"),
            (4, b"ftypavi"),
            (4, b"ftyphev"),
            (4, b"ftypmsf1"),
        ],
        endings: "jpg jpeg jpe png gif bmp tif tiff webp heic heif avif ico emf wmf emz wmz jp2",
        may_hold_text: false,
        read: picture,
        ..of(Kind::Image, "image/*")
    },
    Format {
        magic: &[
            (4, b"ftypM4A"),
            (8, b"WAVE"),
            (0, b"ID3"),
            (0, b"\xff\xfb"),
            (0, b"\xff\xf3"),
            (0, b"\xff\xf2"),
            (0, b"\xff\xfa"),
            (0, b"\xff\xf1"),
            (0, b"\xff\xf9"),
            (0, b"MThd"),
            (8, b"AIFF"),
            (8, b"AIFC"),
            (0, b".snd"),
            (0, b"wvpk"),
            (0, b"OggS"),
            (0, b"fLaC"),
            (0, b"#!AMR"),
        ],
        endings: "mp3 m4a wav ogg oga flac amr wma aac",
        may_hold_text: false,
        read: no_text,
        ..of(Kind::Audio, "audio/*")
    },
    Format {
        magic: &[
            (4, b"ftyp"),
            (8, b"AVI "),
            (0, b"\x1aE\xdf\xa3"),
            (0, b"\0\0\x01\xba"),
            (0, b"\0\0\x01\xb3"),
            (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
            (0, b"FLV\x01"),
            (4, b"moov"),
            (4, b"mdat"),
            (4, b"wide"),
        ],
        endings: "mp4 m4v mov avi mkv webm wmv mpg mpeg 3gp",
        may_hold_text: false,
        read: no_text,
        ..of(Kind::Video, "video/*")
    },
    Format {
        magic: &[(0, b"wOFF"), (0, b"wOF2"), (0, b"OTTO\0"), (0, b"ttcf"), (34, b"LP"), (0, b"\0\x01\0\0\0")],
        endings: "ttf otf woff woff2 odttf fntdata",
        may_hold_text: false,
        read: no_text,
        ..of(Kind::Font, "font/*")
    },
    Format {
        endings: "html htm xhtml shtml svg",
        types: &["text/html", "image/svg+xml"],
        first_words: &["<!doctype html", "<html", "<head", "<body", "<svg"],
        can_be_text: always,
        read: plain::page,
        ..of(Kind::Html, "text/html")
    },
    Format {
        endings: "xml fodt fods fodp rels",
        first_words: &["<?xml"],
        can_be_text: always,
        read: plain::xml,
        ..of(Kind::Xml, "application/xml")
    },
    Format {
        endings: "ics ical ifb vcs",
        types: &["text/calendar", "application/ics"],
        first_words: &["BEGIN:VCALENDAR"],
        can_be_text: always,
        read: folded::read,
        ..of(Kind::Calendar, "text/calendar")
    },
    Format {
        endings: "vcf vcard",
        types: &["text/vcard", "text/x-vcard", "text/directory"],
        first_words: &["BEGIN:VCARD"],
        can_be_text: always,
        read: folded::read,
        ..of(Kind::Card, "text/vcard")
    },
    Format {
        endings: "eml mbox mht mhtml",
        types: &["message/rfc822", "message/"],
        first_words: &["Received:", "Return-Path:", "MIME-Version:", "Delivered-To:", "X-MS-"],
        can_be_text: message::has_header,
        can_lack_magic: message::has_header,
        holds_files: true,
        read: message::read,
        ..of(Kind::Message, "message/rfc822")
    },
    Format {
        endings: "txt text log md json yml yaml ini conf sql tex",
        // The control part of RFC 3156 §4 is text: `Version: 1`.
        types: &["application/pgp-encrypted", "text/"],
        read: plain::text,
        ..of(Kind::Text, "text/plain")
    },
    Format {
        endings: "csv tsv",
        types: &["text/csv"],
        can_be_text: always,
        read: plain::text,
        ..of(Kind::Csv, "text/csv")
    },
    Format { read: zipped::read, ..of(Kind::Ooxml, "application/vnd.openxmlformats-officedocument") },
    Format { read: zipped::read, ..of(Kind::OpenDocument, "application/vnd.oasis.opendocument") },
    of(Kind::Unknown, "application/octet-stream"),
];

/// A row that does not stand where its kind does would be taken for another.
const _: () = {
    let mut at = 0;
    while let Some((format, _)) = FORMATS.split_at(at).1.split_first() {
        assert!(format.kind as usize == at, "the rows stand in the order of the kinds");
        at += 1;
    }
    assert!(at == Kind::Unknown as usize + 1, "each kind has a row");
};

/// What is known of a kind.
pub fn row(kind: Kind) -> &'static Format {
    FORMATS.get(kind as usize).unwrap_or(&UNKNOWN)
}

fn always(_: &[u8]) -> bool {
    true
}

fn never(_: &[u8]) -> bool {
    false
}

/// Reads a format that has no text of its own; an archive may stand behind it.
fn no_text(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    zipped::behind(document, bytes)?;
    Ok(State::Plain)
}

/// Reads a picture: an archive may stand behind it, and one that is a page cannot be read.
fn picture(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    zipped::behind(document, bytes)?;
    if picture::is_page(bytes) { Err(Reason::ImageOnly) } else { Ok(State::Plain) }
}

/// Reads what nothing here has a reader for.
fn strings(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    zipped::behind(document, bytes)?;
    strings::read(document, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_formats_are_called_alike() {
        let mut called: Vec<&str> =
            FORMATS.iter().flat_map(|format| format.endings.split_whitespace()).collect();
        called.extend(FORMATS.iter().flat_map(|format| format.types));
        called.sort_unstable();
        let twice: Vec<_> = called.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn an_office_document_is_no_archive() {
        for (kind, name, archive) in [
            (Kind::Zip, "bilagor.zip", true),
            (Kind::Zip, "brev.docx", false),
            (Kind::Zip, "brev.ODT ", false),
            (Kind::Rar, "brev.doc", true),
            (Kind::Pdf, "brev.zip", false),
        ] {
            assert_eq!(row(kind).is_archive(name), archive, "{name}");
        }
    }
}
