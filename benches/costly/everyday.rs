//! For comparison with what costs much: attachments as people send them, of prose, tables and pictures.

use std::fmt::Write as _;

use super::Kind;
use super::archives::FDFA;
use super::dice::Dice;
use super::mail::{lines_of, noise, one_file};
use super::office;
use super::pack::{self, Entry};
use super::pdf::Pdf;

/// Each is one attachment of the wanted size.
pub(crate) const KINDS: &[Kind] = &[
    Kind::new("random", "octets that do not repeat", |size| {
        one_file(size, "a.bin", |octets| noise(3, octets))
    }),
    Kind::new("jpeg", "a photograph", |size| one_file(size, "a.jpg", photograph)),
    Kind::new("png", "a picture of a screen", |size| one_file(size, "a.png", screen)),
    Kind::new("txt", "prose", |size| one_file(size, "a.txt", |octets| prose(1, octets).into_bytes())),
    Kind::new("html", "a page of prose", |size| one_file(size, "a.html", |octets| page(octets).into_bytes())),
    Kind::new("csv", "rows of numbers", |size| one_file(size, "a.csv", |octets| rows(octets).into_bytes())),
    Kind::new("zip-jpeg", "ZIP of a photograph", |size| {
        one_file(size, "a.zip", |octets| pack::zip(&[Entry::stored("a.jpg", &photograph(octets))]))
    }),
    Kind::new("zip-txt", "ZIP of prose", |size| {
        one_file(size, "a.zip", |octets| {
            packed_to(octets, |octets| pack::zip(&[Entry::deflated("a.txt", prose(2, octets).as_bytes())]))
        })
    }),
    Kind::new("docx-picture", "Word document of a photograph", |size| {
        one_file(size, "a.docx", |octets| {
            let text = document(&prose(3, 4_000));
            let entries = [
                office::types(),
                Entry::deflated("word/document.xml", text.as_bytes()),
                Entry::stored("word/media/image1.jpeg", &photograph(octets)),
            ];
            pack::zip(&entries)
        })
    }),
    Kind::new("docx-text", "Word document of prose", |size| {
        one_file(size, "a.docx", |octets| {
            packed_to(octets, |octets| {
                office::ooxml("word/document.xml", document(&prose(4, octets)).as_bytes())
            })
        })
    }),
    Kind::new("xlsx", "workbook of words and numbers", |size| {
        one_file(size, "a.xlsx", |octets| packed_to(octets, sheet))
    }),
    Kind::new("pdf-pictures", "PDF of photographs", |size| {
        one_file(size, "a.pdf", |octets| {
            let mut file = Pdf::new("5 0 R");
            file.stream(4, "", b"q 500 0 0 700 0 0 cm /I Do Q");
            let entries = "/Subtype/Image/Width 2000/Height 3000/BitsPerComponent 8/Filter/DCTDecode";
            file.stream(9, entries, &photograph(octets));
            file.closed()
        })
    }),
    Kind::new("pdf-text", "PDF of prose", |size| {
        one_file(size, "a.pdf", |octets| packed_to(octets, printed))
    }),
    Kind::new("worst", "text of U+FDFA", |size| one_file(size, "a.txt", |octets| lines_of(FDFA, 24, octets))),
];

const SYLLABLES: &[&str] = &[
    "an", "be", "bygg", "den", "er", "för", "ga", "hand", "in", "kom", "lag", "lig", "med", "mun", "nämn",
    "om", "på", "rätt", "sam", "ska", "slut", "stad", "tid", "till", "und", "ut", "vår", "väg", "är", "öv",
];

/// Sentences of words that do not repeat, with the days, times and sums that letters have.
pub(crate) fn prose(seed: u64, octets: usize) -> String {
    let mut dice = Dice(seed);
    let words: Vec<String> = (0..3_000)
        .map(|_| (0..=dice.below(4)).map(|_| SYLLABLES[dice.below(SYLLABLES.len())]).collect())
        .collect();
    let mut text = String::with_capacity(octets + 200);
    let mut line = 0;
    while text.len() < octets {
        for _ in 0..6 + dice.below(9) {
            // Few words are most of a text.
            let place = dice.below(words.len()).min(dice.below(words.len())).min(dice.below(words.len()));
            text += &words[place];
            text.push(' ');
        }
        match dice.below(8) {
            0 => write!(text, "den {} maj 2026 kl. 13.{:02}. ", 1 + dice.below(31), dice.below(60)).unwrap(),
            1 => write!(text, "{} {:03} kronor. ", 1 + dice.below(90), dice.below(1_000)).unwrap(),
            2 => write!(text, "KS 2026/{:05}. ", dice.below(100_000)).unwrap(),
            _ => text += ". ",
        }
        if text.len() - line > 70 {
            text += "\r\n";
            line = text.len();
        }
    }
    text.truncate(text.floor_char_boundary(octets));
    text
}

fn rows(octets: usize) -> String {
    let mut dice = Dice(5);
    let mut text = String::from("konto;ansvar;belopp;datum;verifikat\r\n");
    while text.len() < octets {
        let _ = write!(
            text,
            "{};{};{},{:02};2026-{:02}-{:02};{}\r\n",
            1_000 + dice.below(9_000),
            100_000 + dice.below(900_000),
            dice.below(1_000_000),
            dice.below(100),
            1 + dice.below(12),
            1 + dice.below(28),
            dice.below(100_000_000),
        );
    }
    text
}

fn page(octets: usize) -> String {
    let text = prose(6, octets * 4 / 5);
    let body: String = text.lines().fold(String::new(), |mut body, line| {
        let _ =
            writeln!(body, "<p class=\"text\" style=\"margin:0\">{}&nbsp;</p>", line.replace('ö', "&ouml;"));
        body
    });
    format!("<!DOCTYPE html><html><head><title>A</title></head><body>{body}</body></html>")
}

/// A frame of twelve million points, and what looks like the rest of a photograph.
fn photograph(octets: usize) -> Vec<u8> {
    let mut file = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x48\0\x48\0\0".to_vec();
    file.extend(b"\xff\xc0\0\x11\x08\x0b\xb8\x0f\xa0\x03\x01\x22\0\x02\x11\x01\x03\x11\x01");
    file.extend(b"\xff\xda\0\x0c\x03\x01\0\x02\x11\x03\x11\0\x3f\0");
    file.extend(noise(7, octets.saturating_sub(file.len() + 2)).into_iter().map(|octet| octet.min(0xfe)));
    file.extend(b"\xff\xd9");
    file
}

fn screen(octets: usize) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        file.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        let mut sum = flate2::Crc::new();
        sum.update(kind);
        sum.update(data);
        file.extend(kind);
        file.extend_from_slice(data);
        file.extend(sum.sum().to_be_bytes());
    };
    chunk(b"IHDR", b"\0\0\x07\x80\0\0\x04\x38\x08\x02\0\0\0");
    for piece in noise(8, octets).chunks(8_192) {
        chunk(b"IDAT", piece);
    }
    chunk(b"IEND", b"");
    file
}

fn document(text: &str) -> String {
    let body: String = text.lines().fold(String::new(), |mut body, line| {
        let _ = write!(body, "<w:p><w:pPr><w:pStyle w:val=\"Text\"/></w:pPr><w:r><w:t xml:space=\"preserve\">{line}</w:t></w:r></w:p>");
        body
    });
    format!("<?xml version=\"1.0\"?><w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>")
}

fn sheet(octets: usize) -> Vec<u8> {
    let text = prose(9, octets / 4);
    let (mut strings, mut cells) = (String::from("<sst>"), String::from("<worksheet><sheetData>"));
    let mut dice = Dice(10);
    for (row, line) in text.lines().enumerate() {
        let _ = write!(strings, "<si><t>{line}</t></si>");
        let _ = write!(cells, "<row r=\"{0}\"><c r=\"A{0}\" t=\"s\"><v>{row}</v></c>", row + 1);
        for column in 'B'..='F' {
            let _ = write!(cells, "<c r=\"{column}{}\"><v>{}</v></c>", row + 1, dice.below(1_000_000));
        }
        cells += "</row>";
    }
    strings += "</sst>";
    cells += "</sheetData></worksheet>";
    office::workbook(&strings, cells.as_bytes())
}

/// Pages of lines, each shown by one operator.
fn printed(octets: usize) -> Vec<u8> {
    let text = prose(11, octets);
    let mut file = Pdf::new("5 0 R");
    let mut numbers = Vec::new();
    for (page, lines) in text.lines().collect::<Vec<_>>().chunks(50).enumerate() {
        let mut content = b"BT /F 11 Tf 50 800 Td ".to_vec();
        for line in lines {
            content.push(b'(');
            content.extend(line.chars().filter_map(|letter| u8::try_from(letter).ok()));
            content.extend(b")Tj 0 -14 Td\n");
        }
        content.extend(b"ET");
        let number = 10 + 2 * page;
        file.packed(number, "", &content);
        let entries = format!("<</Type/Page/Contents {number} 0 R/Resources<</Font<</F 5 0 R>>>>>>");
        file.object(number + 1, &entries);
        numbers.push(format!("{} 0 R", number + 1));
    }
    file.object(2, &format!("<</Type/Pages/Kids[{}]>>", numbers.join(" ")));
    file.closed()
}

/// What is packed to so many octets, or a little more or less.
fn packed_to(octets: usize, make: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let sample = 256 << 10;
    let packed = make(sample).len();
    make(sample * octets / packed)
}
