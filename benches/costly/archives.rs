//! Archives: much out of little, in every format that is read, and inside one another.

use std::sync::OnceLock;

use super::Kind;
use super::mail::{Part, files, filled, one_file, repeated};
use super::pack::{self, Entry};

/// As much text as one document may have.
const MUCH: usize = 16 << 20;
/// Arabic, one character that NFKC writes with eighteen.
pub(super) const FDFA: &str = "\u{FDFA}";

pub(super) const KINDS: &[Kind] = &[
    Kind::new("zip-text", "ZIP of 16 MB of prose", |size| files(size, "zip", &zipped("a.txt", prose()))),
    Kind::new("zip-fdfa", "ZIP of 16 MB of U+FDFA", |size| files(size, "zip", &zipped("a.txt", fdfa()))),
    Kind::new(
        "zip-control",
        "ZIP of 16 MB of control characters, which JSON writes with six octets",
        |size| files(size, "zip", &zipped("a.txt", &mixed("\u{1}".repeat(4).as_bytes(), "x "))),
    ),
    Kind::new("zip-quotes", "ZIP of 16 MB of quotes and backslashes", |size| {
        files(size, "zip", &zipped("a.txt", &mixed(b"\"\\", "x ")))
    }),
    Kind::new("zip-wide", "ZIP of UTF-16 of U+FDFA", |size| {
        let wide: Vec<u8> = [0xFF, 0xFE].into_iter().chain(repeated(b"\xFA\xFD", MUCH)).collect();
        files(size, "zip", &zipped("a.txt", &wide))
    }),
    Kind::new("zip-latin", "ZIP of windows-1252 letters that are three octets in UTF-8", |size| {
        files(size, "zip", &zipped("a.txt", &repeated(b"\x80\x85\x99", 10 << 20)))
    }),
    Kind::new("zip-accents", "ZIP of combining accents", |size| {
        files(size, "zip", &zipped("a.txt", &repeated("a\u{308}\u{301}\u{30A}".as_bytes(), MUCH)))
    }),
    Kind::new("zip-numbers", "ZIP of 16 MB of numbers of persons with words of health", |size| {
        files(size, "zip", &zipped("a.csv", &repeated(b"811228-9874;diagnos;diabetes\r\n", MUCH)))
    }),
    Kind::new("zip-digits", "ZIP of 16 MB of digits without end", |size| {
        files(size, "zip", &zipped("a.csv", &repeated(b"8112289874", MUCH)))
    }),
    Kind::new("zip-credentials", "ZIP of 16 MB of passwords", |size| {
        files(size, "zip", &zipped("a.txt", &repeated("Lösenord: Sommar2026!x7\r\n".as_bytes(), MUCH)))
    }),
    Kind::new("zip-html", "ZIP of a page of entities", |size| {
        files(size, "zip", &zipped("a.html", &page(b"&#xFDFA;")))
    }),
    Kind::new("zip-in-zip", "ZIP in ZIP of text", |size| {
        let inner = Entry::deflated("b.zip", &zipped("a.txt", prose()));
        files(size, "zip", &pack::zip(&[inner]))
    }),
    Kind::new("zip-in-zip-fdfa", "ZIP in ZIP of U+FDFA", |size| {
        let inner = Entry::deflated("b.zip", &zipped("a.txt", fdfa()));
        files(size, "zip", &pack::zip(&[inner]))
    }),
    Kind::new("zip-deep", "ZIP eight deep, ten of the next in each", |size| {
        let mut inner = zipped("a.txt", &repeated(b"Hej ", 200 << 10));
        for _ in 0..7 {
            let one = Entry::deflated("b.zip", &inner);
            inner = pack::zip(&vec![one; 10]);
        }
        files(size, "zip", &inner)
    }),
    Kind::new("zip-overlap", "ZIP whose 9,000 names are one packed entry", |size| {
        files(size, "zip", &pack::overlapping(&Entry::deflated("a.txt", prose()), 9_000))
    }),
    Kind::new("zip-overlap-stored", "ZIP whose 9,000 names are one stored ZIP", |size| {
        let inner = pack::overlapping(&Entry::stored("a.txt", &repeated(b"Hej ", 40 << 10)), 400);
        files(size, "zip", &pack::overlapping(&Entry::stored("b.zip", &inner), 9_000))
    }),
    Kind::new("zip-nothing", "ZIP whose 9,000 names are one entry that packs nothing in much", |size| {
        one_file(size, "a.zip", |octets| {
            // Stored blocks of no octets, and then the last one.
            let mut packed = repeated(b"\0\0\0\xff\xff", octets.saturating_sub(400_000).max(50_000));
            packed.extend(b"\x01\0\0\xff\xff");
            pack::overlapping(&Entry::raw("a.txt", packed), 5_000)
        })
    }),
    Kind::new("zip-encrypted", "ZIP that says it is encrypted, 9,000 times the same entry", |size| {
        let entry = Entry::deflated("a.txt", &repeated(b"Hej ", 1 << 20)).encrypted();
        files(size, "zip", &pack::overlapping(&entry, 9_000))
    }),
    Kind::new("zip-entries", "ZIP of 10,000 empty files", |size| {
        files(size, "zip", &many_names(10_000, 8, ""))
    }),
    Kind::new("zip-names", "packed ZIP of 10,000 names of 1,000 octets", |size| {
        files(size, "zip", &pack::zip(&[Entry::deflated("b.zip", &many_names(10_000, 1_000, "å"))]))
    }),
    Kind::new("zip-long-names", "packed ZIP of names of 60,000 octets of U+FDFA", |size| {
        files(size, "zip", &pack::zip(&[Entry::deflated("b.zip", &many_names(240, 60_000, FDFA))]))
    }),
    Kind::new("zip-cards", "ZIP of 2,000 small pages, each a document", |size| {
        let entry =
            |number| Entry::deflated(format!("{number}.html"), b"<html><p>Pnr 811228-9874 diagnos</p>");
        files(size, "zip", &pack::zip(&(0..2_000).map(entry).collect::<Vec<_>>()))
    }),
    Kind::new("zip-behind-picture", "pictures with a ZIP of text behind them", |size| {
        let picture = [b"\xff\xd8\xff\xe0\0\x10JFIF\0".to_vec(), zipped("a.txt", prose())].concat();
        files(size, "jpg", &picture)
    }),
    Kind::new("gzip", "gzip of 16 MB of prose", |size| files(size, "txt.gz", &pack::gzip(prose()))),
    Kind::new("gzip-fdfa", "gzip of 16 MB of U+FDFA", |size| files(size, "txt.gz", &pack::gzip(fdfa()))),
    Kind::new("gzip-in-gzip", "gzip in gzip of U+FDFA", |size| {
        files(size, "txt.gz.gz", &pack::gzip(&pack::gzip(fdfa())))
    }),
    Kind::new("gzip-members", "gzip of members that hold nothing", |size| {
        one_file(size, "a.txt.gz", |octets| repeated(&pack::gzip(b""), octets))
    }),
    Kind::new("tar-gzip", "tar.gz of 9,000 files", |size| {
        let names = (0..9_000).map(|number| (format!("{number}.txt"), &b"Pnr 811228-9874"[..]));
        files(size, "tar.gz", &pack::gzip(&pack::tar(names)))
    }),
    Kind::new("tar-names", "tar.gz of long names", |size| {
        let names = (0..9_000).map(|number| (format!("{number}{}", "å".repeat(500)), &b""[..]));
        files(size, "tar.gz", &pack::gzip(&pack::tar(names)))
    }),
    Kind::new("tar-in-tar", "tar eight deep around U+FDFA", |size| {
        let mut inner = pack::tar([("a.txt".to_owned(), &fdfa()[..4 << 20])]);
        for _ in 0..6 {
            inner = pack::tar([("b.tar".to_owned(), &*inner)]);
        }
        files(size, "tar.gz", &pack::gzip(&inner))
    }),
    Kind::new("bzip2", "bzip2, which nothing reads", |size| files(size, "txt.bz2", &pack::bzip2(prose()))),
    Kind::new("xz", "xz of 16 MB of prose", |size| files(size, "txt.xz", &pack::xz(prose()))),
    Kind::new("xz-fdfa", "xz of 16 MB of U+FDFA", |size| files(size, "txt.xz", &pack::xz(fdfa()))),
    Kind::new("xz-large", "xz of 128 MB of nothing", |size| {
        files(size, "bin.xz", &pack::xz(&vec![0; 128 << 20]))
    }),
    Kind::new("tar-xz", "tar.xz of U+FDFA", |size| {
        files(size, "tar.xz", &pack::xz(&pack::tar([("a.txt".to_owned(), fdfa())])))
    }),
    Kind::new("lzma", "LZMA alone, which nothing reads", |size| {
        let packed = pack::piped("xz", &["--format=lzma", "-6", "-c"], prose());
        files(size, "txt.lzma", &packed)
    }),
    Kind::new("7z-lzma2", "7z of 16 MB of prose", |size| {
        files(size, "7z", &pack::seven_zip("LZMA2", &[("a.txt".to_owned(), prose())]))
    }),
    Kind::new("7z-lzma-fdfa", "7z (LZMA) of U+FDFA", |size| {
        files(size, "7z", &pack::seven_zip("LZMA", &[("a.txt".to_owned(), fdfa())]))
    }),
    Kind::new("7z-dictionary", "7z with a dictionary of 96 MB", |size| {
        let content = vec![b'0'; 100 << 20];
        files(size, "7z", &pack::seven_zip("LZMA2:d=96m", &[("a.txt".to_owned(), &content)]))
    }),
    Kind::new("7z-ppmd", "7z with PPMd, which is slow", |size| {
        files(size, "7z", &pack::seven_zip("PPMd:mem=64m", &[("a.txt".to_owned(), prose())]))
    }),
    Kind::new("7z-bzip2", "7z with bzip2", |size| {
        files(size, "7z", &pack::seven_zip("BZip2", &[("a.txt".to_owned(), prose())]))
    }),
    Kind::new("7z-files", "7z of 3,000 files", |size| {
        let names: Vec<_> =
            (0..3_000).map(|number| (format!("{number}.txt"), &b"Pnr 811228-9874"[..])).collect();
        files(size, "7z", &pack::seven_zip("LZMA2", &names))
    }),
    Kind::new("7z-in-zip", "7z in ZIP of U+FDFA", |size| {
        let inner = pack::seven_zip("LZMA2", &[("a.txt".to_owned(), fdfa())]);
        files(size, "zip", &pack::zip(&[Entry::deflated("b.7z", &inner)]))
    }),
    Kind::new("rar-stored", "RAR with stored ZIPs of U+FDFA", |size| {
        let inner = zipped("a.txt", fdfa());
        files(size, "rar", &pack::rar((0..20).map(|number| (format!("{number}.zip"), &*inner))))
    }),
    Kind::new("rar-names", "packed RAR of 10,000 names", |size| {
        let rar = pack::rar((0..10_000).map(|number| (format!("{number}{}", "å".repeat(400)), &b""[..])));
        files(size, "zip", &pack::zip(&[Entry::deflated("b.rar", &rar)]))
    }),
    Kind::new("messages-in-zip", "ZIP of a message 49 deep under quoted-printable", |size| {
        let nested = super::structure::nested("quoted-printable", 49, &repeated(b"Hej ", 2 << 20));
        files(size, "zip", &zipped("a.eml", &nested))
    }),
    Kind::new("zips-in-eml", "messages, each with ZIPs of U+FDFA", |size| {
        let inner = super::mail::multipart(&[
            Part::file("a.zip", &zipped("a.txt", fdfa())),
            Part::file("b.zip", &zipped("a.txt", fdfa())),
        ]);
        filled(size, |_| Part::new("Content-Type: message/rfc822\r\n", inner.clone()))
    }),
];

pub(super) fn zipped(name: &str, content: &[u8]) -> Vec<u8> {
    pack::zip(&[Entry::deflated(name, content)])
}

/// 16 MB of Swedish prose.
pub(super) fn prose() -> &'static [u8] {
    static PROSE: OnceLock<Vec<u8>> = OnceLock::new();
    PROSE.get_or_init(|| {
        let text = "Tack för ert svar. Vi kompletterar härmed vår ansökan med den ritning som ni bad om i ert \
                    föreläggande, och som följer detaljplanen.\r\n";
        repeated(text.as_bytes(), MUCH)
    })
}

/// 16 MB of U+FDFA.
pub(super) fn fdfa() -> &'static [u8] {
    static LIGATURES: OnceLock<Vec<u8>> = OnceLock::new();
    LIGATURES.get_or_init(|| repeated(FDFA.as_bytes(), MUCH))
}

/// As much of it, begun as text is, so that it is taken for text.
fn mixed(filling: &[u8], beginning: &str) -> Vec<u8> {
    let mut out = beginning.repeat(300).into_bytes();
    out.extend(repeated(filling, MUCH - out.len()));
    out
}

fn page(filling: &[u8]) -> Vec<u8> {
    let mut out = b"<!DOCTYPE html><html><body>".to_vec();
    out.extend(repeated(filling, 40 << 20));
    out
}

/// A ZIP of empty files whose names are that long.
fn many_names(count: usize, octets: usize, filling: &str) -> Vec<u8> {
    let tail = if filling.is_empty() { String::new() } else { filling.repeat(octets / filling.len()) };
    let name = |number| format!("{number:05}{tail}.txt");
    pack::zip(&(0..count).map(|number| Entry::stored(name(number), b"")).collect::<Vec<_>>())
}
