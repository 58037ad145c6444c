//! Kinds: what a document is, by its content first, and which reader reads it.

#![deny(clippy::disallowed_methods)]

use serde::{Deserialize, Serialize};

use super::document::{Document, Outcome};
use super::{
    Scheme, State, cms, compound, folded, inflate, lzma, magic, message, pdf, pgp, picture, plain, rar, rtf,
    strings, tar, tnef, zip,
};

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is named as its format is")]
pub enum Kind {
    Text,
    Html,
    Xml,
    Csv,
    Calendar,
    Card,
    Message,
    Rtf,
    Pdf,
    /// Word, Excel and `PowerPoint` since 2007.
    Ooxml,
    /// `LibreOffice`'s own.
    OpenDocument,
    /// Microsoft's compound file: old Office documents, Outlook messages, encrypted new ones, installers.
    Compound,
    OneNote,
    /// winmail.dat.
    Tnef,
    Smime,
    Pgp,
    /// A message under Microsoft's rights management.
    Rights,
    Zip,
    SevenZip,
    Rar,
    Tar,
    Gzip,
    Bzip2,
    Xz,
    Cabinet,
    DiskImage,
    Executable,
    Shortcut,
    Image,
    Audio,
    Video,
    Font,
    Unknown,
}

/// Endings of names, where the content does not say what it is.
const ENDINGS: &[(&str, Kind)] = &[
    ("txt text log md json yml yaml ini conf sql tex", Kind::Text),
    ("csv tsv", Kind::Csv),
    ("html htm xhtml shtml svg", Kind::Html),
    ("xml fodt fods fodp rels", Kind::Xml),
    ("ics ical ifb vcs", Kind::Calendar),
    ("vcf vcard", Kind::Card),
    ("eml mbox mht mhtml", Kind::Message),
    ("p7m p7s p7c p7z", Kind::Smime),
    ("pgp gpg asc", Kind::Pgp),
    ("rpmsg", Kind::Rights),
    ("tar", Kind::Tar),
    ("tgz gz", Kind::Gzip),
    ("jpg jpeg jpe png gif bmp tif tiff webp heic heif avif ico emf wmf emz wmz jp2", Kind::Image),
    ("mp3 m4a wav ogg oga flac amr wma aac", Kind::Audio),
    ("mp4 m4v mov avi mkv webm wmv mpg mpeg 3gp", Kind::Video),
    ("ttf otf woff woff2 odttf fntdata", Kind::Font),
];

/// Declared types, for the same case.
const TYPES: &[(&str, Kind)] = &[
    ("text/html", Kind::Html),
    ("text/csv", Kind::Csv),
    ("text/calendar", Kind::Calendar),
    ("application/ics", Kind::Calendar),
    ("text/vcard", Kind::Card),
    ("text/x-vcard", Kind::Card),
    ("text/directory", Kind::Card),
    ("message/rfc822", Kind::Message),
    ("application/pkcs7-mime", Kind::Smime),
    ("application/x-pkcs7-mime", Kind::Smime),
    ("application/pgp-encrypted", Kind::Text),
    ("application/x-microsoft-rpmsg-message", Kind::Rights),
    ("image/svg+xml", Kind::Html),
    ("text/", Kind::Text),
    ("message/", Kind::Message),
];

impl Kind {
    /// What the octets are; the name and the declared type are asked where they do not say, and are believed as far as
    /// the octets can be that.
    pub fn of(bytes: &[u8], name: &str, media_type: &str) -> Self {
        let text = strings::is_text(bytes);
        if let Some(kind) = magic::find(bytes, text) {
            return kind;
        }
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending.trim_end());
        let called_pdf = media_type == "application/pdf" || ending.eq_ignore_ascii_case("pdf");
        if (called_pdf || !text) && magic::is_late_pdf(bytes) {
            return Self::Pdf;
        }
        let label = Self::by_label(name, media_type);
        if bytes.is_empty() {
            return label.unwrap_or(Self::Unknown);
        }
        match label {
            Some(kind) if text => kind.in_text(bytes),
            None if text => of_text(bytes),
            Some(kind) if kind.may_lack_magic(bytes) => kind,
            Some(_) | None => Self::Unknown,
        }
    }

    /// What a name's ending says, else a declared type.
    pub(super) fn by_label(name: &str, media_type: &str) -> Option<Self> {
        let by_name = name.rsplit_once('.').and_then(|(_, ending)| {
            let ending = ending.trim_end().to_ascii_lowercase();
            ENDINGS.iter().find(|(endings, _)| endings.split(' ').any(|known| known == ending))
        });
        let by_type = || TYPES.iter().find(|(known, _)| media_type.starts_with(known));
        by_name.or_else(by_type).map(|(_, kind)| *kind)
    }

    /// What a text is that is called this: it itself if a text can be it, else what the text says.
    fn in_text(self, bytes: &[u8]) -> Self {
        let can_be = match self {
            Self::Html | Self::Xml | Self::Csv | Self::Calendar | Self::Card | Self::Rtf | Self::Pgp => true,
            Self::Message => message::has_header(bytes),
            Self::Smime => cms::is_armoured(bytes),
            Self::Text
            | Self::Pdf
            | Self::Ooxml
            | Self::OpenDocument
            | Self::Compound
            | Self::OneNote
            | Self::Tnef
            | Self::Rights
            | Self::Zip
            | Self::SevenZip
            | Self::Rar
            | Self::Tar
            | Self::Gzip
            | Self::Bzip2
            | Self::Xz
            | Self::Cabinet
            | Self::DiskImage
            | Self::Executable
            | Self::Shortcut
            | Self::Image
            | Self::Audio
            | Self::Video
            | Self::Font
            | Self::Unknown => false,
        };
        if can_be { self } else { of_text(bytes) }
    }

    /// Whether octets that are no text may be this without any magic: archives before there was one, bare CMS and
    /// OpenPGP, messages with binary parts. Their readers say so if they are not.
    fn may_lack_magic(self, bytes: &[u8]) -> bool {
        match self {
            Self::Smime | Self::Pgp | Self::Tar => true,
            Self::Message => message::has_header(bytes),
            _ => false,
        }
    }

    /// The media type of what is known by its content alone, such as a file in an archive.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain",
            Self::Html => "text/html",
            Self::Xml => "application/xml",
            Self::Csv => "text/csv",
            Self::Calendar => "text/calendar",
            Self::Card => "text/vcard",
            Self::Message => "message/rfc822",
            Self::Rtf => "application/rtf",
            Self::Pdf => "application/pdf",
            Self::Ooxml => "application/vnd.openxmlformats-officedocument",
            Self::OpenDocument => "application/vnd.oasis.opendocument",
            Self::Compound => "application/x-ole-storage",
            Self::OneNote => "application/onenote",
            Self::Tnef => "application/ms-tnef",
            Self::Smime => "application/pkcs7-mime",
            Self::Pgp => "application/pgp-encrypted",
            Self::Rights => "application/x-microsoft-rpmsg-message",
            Self::Zip => "application/zip",
            Self::SevenZip => "application/x-7z-compressed",
            Self::Rar => "application/vnd.rar",
            Self::Tar => "application/x-tar",
            Self::Gzip => "application/gzip",
            Self::Bzip2 => "application/x-bzip2",
            Self::Xz => "application/x-xz",
            Self::Cabinet => "application/vnd.ms-cab-compressed",
            Self::DiskImage => "application/x-iso9660-image",
            Self::Executable => "application/x-executable",
            Self::Shortcut => "application/x-ms-shortcut",
            Self::Image => "image/*",
            Self::Audio => "audio/*",
            Self::Video => "video/*",
            Self::Font => "font/*",
            Self::Unknown => "application/octet-stream",
        }
    }

    /// Whether it is a container of files with names. Office documents are ZIP files too, and what is inside them
    /// was never anybody's file.
    pub fn is_archive(self, name: &str) -> bool {
        const OFFICE: [&str; 4] = ["doc", "xls", "ppt", "od"];
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.trim_end().to_ascii_lowercase());
        match self {
            Self::Zip => !ending.is_some_and(|ending| OFFICE.iter().any(|office| ending.starts_with(office))),
            Self::SevenZip
            | Self::Rar
            | Self::Tar
            | Self::Gzip
            | Self::Bzip2
            | Self::Xz
            | Self::Cabinet
            | Self::DiskImage
            | Self::Tnef
            | Self::Message => true,
            Self::Text
            | Self::Html
            | Self::Xml
            | Self::Csv
            | Self::Calendar
            | Self::Card
            | Self::Rtf
            | Self::Pdf
            | Self::Ooxml
            | Self::OpenDocument
            | Self::Compound
            | Self::OneNote
            | Self::Smime
            | Self::Pgp
            | Self::Rights
            | Self::Executable
            | Self::Shortcut
            | Self::Image
            | Self::Audio
            | Self::Video
            | Self::Font
            | Self::Unknown => false,
        }
    }

    /// Whether there may be text in it.
    pub fn may_hold_text(self) -> bool {
        match self {
            Self::Executable | Self::Shortcut | Self::Image | Self::Audio | Self::Video | Self::Font => false,
            Self::Text
            | Self::Html
            | Self::Xml
            | Self::Csv
            | Self::Calendar
            | Self::Card
            | Self::Message
            | Self::Rtf
            | Self::Pdf
            | Self::Ooxml
            | Self::OpenDocument
            | Self::Compound
            | Self::OneNote
            | Self::Tnef
            | Self::Smime
            | Self::Pgp
            | Self::Rights
            | Self::Zip
            | Self::SevenZip
            | Self::Rar
            | Self::Tar
            | Self::Gzip
            | Self::Bzip2
            | Self::Xz
            | Self::Cabinet
            | Self::DiskImage
            | Self::Unknown => true,
        }
    }

    /// What reads it. A new format's reader is plugged in here.
    pub(super) fn reader(self) -> fn(&mut Document<'_>, &[u8]) -> Outcome {
        match self {
            Self::Text | Self::Csv => plain::text,
            Self::Html => plain::page,
            Self::Xml => plain::xml,
            Self::Calendar | Self::Card => folded::read,
            Self::Message => message::read,
            Self::Rtf => rtf::read,
            Self::Tnef => tnef::read,
            Self::Zip | Self::Ooxml | Self::OpenDocument => zip::read,
            Self::SevenZip => lzma::seven_zip,
            Self::Xz => lzma::xz,
            Self::Rar => rar::read,
            Self::Tar => tar::read,
            Self::Gzip => inflate::gzip,
            Self::Image => picture::read,
            Self::Audio | Self::Video | Self::Font | Self::Executable | Self::Shortcut => {
                |document, bytes| zip::behind(document, bytes).map(|()| State::Plain)
            }
            Self::Rights => |_, _| Ok(State::Encrypted(Scheme::Rights)),
            Self::Pdf => pdf::read,
            Self::Compound => compound::read,
            Self::Smime => cms::read,
            Self::Pgp => pgp::read,
            Self::OneNote | Self::Bzip2 | Self::Cabinet | Self::DiskImage | Self::Unknown => {
                |document, bytes| zip::behind(document, bytes).and_then(|()| strings::read(document, bytes))
            }
        }
    }
}

/// Text says by its first word which kind of text it is.
fn of_text(bytes: &[u8]) -> Kind {
    let beginning = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let begins = |word: &str| {
        beginning.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    };
    let any = |words: &[&str]| words.iter().any(|word| begins(word));
    match () {
        () if any(&["<!doctype html", "<html", "<head", "<body", "<svg"]) => Kind::Html,
        () if begins("<?xml") => Kind::Xml,
        () if begins("BEGIN:VCALENDAR") => Kind::Calendar,
        () if begins("BEGIN:VCARD") => Kind::Card,
        () if any(&["Received:", "Return-Path:", "MIME-Version:", "Delivered-To:", "X-MS-"]) => Kind::Message,
        () => Kind::Text,
    }
}
