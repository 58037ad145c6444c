//! PDF: operators, objects, streams, fonts.

use std::fmt::Write as _;

use super::Kind;
use super::archives::FDFA;
use super::mail::{files, one_file, repeated};
use super::pack::zlib;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("pdf-operators", "PDF of 5 million operators", |size| {
        files(size, "pdf", &packed_page(&repeated(b"q Q ", 20 << 20)))
    }),
    Kind::new("pdf-text", "PDF of strings, one character shown by each operator", |size| {
        files(size, "pdf", &packed_page(&text_of(b"(x)Tj 9 0 Td ", 30 << 20)))
    }),
    Kind::new("pdf-long-strings", "PDF of strings of many characters", |size| {
        files(
            size,
            "pdf",
            &packed_page(&text_of(&[&b"("[..], &b"x".repeat(60_000), b")Tj "].concat(), 30 << 20)),
        )
    }),
    Kind::new("pdf-array", "PDF of one array of strings and numbers", |size| {
        let mut content = b"BT /F 9 Tf [".to_vec();
        content.extend(repeated(b"(x)1", 30 << 20));
        content.extend(b"]TJ");
        files(size, "pdf", &packed_page(&content))
    }),
    Kind::new("pdf-unicode", "PDF whose font makes each code a run of U+FDFA", |size| {
        files(size, "pdf", &unicode_font(b"(0123456789)Tj ", 4 << 20))
    }),
    Kind::new("pdf-font", "PDF that chooses a font that is no object of its own, over and over", |size| {
        one_file(size, "a.pdf", |octets| {
            let map = "<00><0041>".repeat(octets / 40);
            let font = "<</Type/Font/Subtype/Type1/ToUnicode 9 0 R>>";
            let mut file = Pdf::new(font);
            file.stream(9, "", format!("1 beginbfchar {map} endbfchar").as_bytes());
            file.stream(4, "", &repeated(b"/F 1 Tf ", octets / 2));
            file.closed()
        })
    }),
    Kind::new("pdf-contents", "PDF whose pages all have the same stream", |size| {
        one_file(size, "a.pdf", |octets| {
            let mut file = Pdf::new("5 0 R");
            file.stream(4, "", &repeated(b"    ", octets / 2));
            let page = "<</Type/Page/Contents 4 0 R>>";
            file.object(2, &format!("<</Type/Pages/Kids[{}]>>", page.repeat(octets / 2 / page.len())));
            file.closed()
        })
    }),
    Kind::new("pdf-contents-array", "PDF whose page names one stream many times", |size| {
        one_file(size, "a.pdf", |octets| {
            let mut file = Pdf::new("5 0 R");
            file.stream(4, "", &repeated(b"    ", octets / 2));
            file.object(3, &format!("<</Type/Page/Contents[{}]>>", "4 0 R ".repeat(octets / 12)));
            file.closed()
        })
    }),
    Kind::new("pdf-objects", "PDF of small objects", |size| {
        one_file(size, "a.pdf", |octets| {
            let mut file = Pdf::new("5 0 R");
            let mut number = 10;
            while file.0.len() < octets {
                file.object(number, "<</T(a)>>");
                number += 1;
            }
            file.closed()
        })
    }),
    Kind::new("pdf-arrays-open", "PDF of arrays that never end, one in the other", |size| {
        one_file(size, "a.pdf", |octets| {
            let mut file = Pdf::new("5 0 R");
            let filling = "1 ".repeat(400);
            while file.0.len() < octets {
                file.0.extend(format!("7 0 obj [ {filling}\n").bytes());
            }
            file.closed()
        })
    }),
    Kind::new("pdf-object-streams", "PDF of packed streams of objects", |size| {
        let count = 90_000;
        let mut head = String::new();
        for number in 0..count {
            let _ = write!(head, "{} {} ", number + 20, number * 8);
        }
        let body = "<</T(a)>> ".repeat(count);
        let mut file = Pdf::new("5 0 R");
        let entries = format!("/Type/ObjStm/N {count}/First {}", head.len());
        file.packed(9, &entries, (head + &body).as_bytes());
        files(size, "pdf", &file.closed())
    }),
    Kind::new("pdf-strings", "PDF of 20,000 objects that are the same long string", |size| {
        let mut file = Pdf::new("5 0 R");
        let text = format!("<</T(\u{feff}{})>>", FDFA.repeat(60));
        // Any number of objects may be the same octets.
        let head: String =
            (20..20_000).fold(String::new(), |head, number| head + &number.to_string() + " 0 ");
        let entries = format!("/Type/ObjStm/N 19980/First {}", head.len());
        file.packed(9, &entries, (head + &text).as_bytes());
        files(size, "pdf", &file.closed())
    }),
    Kind::new("pdf-forms", "PDF of forms inside one another", |size| {
        one_file(size, "a.pdf", |octets| {
            let mut file = Pdf::new("5 0 R");
            let mut number = 100;
            let all = (octets / 400).clamp(2, 20_000);
            while number < 100 + all {
                let names: String = (1..4).fold(String::new(), |mut names, next| {
                    let _ = write!(names, "/X{next} {} 0 R", number + next);
                    names
                });
                let entries = format!("/Subtype/Form/Resources<</XObject<<{names}>>>>");
                file.stream(number, &entries, b"/X1 Do /X2 Do /X3 Do");
                number += 1;
            }
            file.object(3, "<</Type/Page/Contents 4 0 R/Resources<</XObject<</X 100 0 R>>>>>>");
            file.stream(4, "", &repeated(b"/X Do ", octets / 10));
            file.closed()
        })
    }),
    Kind::new("pdf-images", "PDF of inline images", |size| {
        files(size, "pdf", &packed_page(&repeated(b"BI /W 1 ID x EI ", 30 << 20)))
    }),
    Kind::new("pdf-lzw", "PDF under LZW", |size| {
        one_file(size, "a.pdf", |octets| {
            let mut file = Pdf::new("5 0 R");
            file.stream(4, "/Filter/LZWDecode", &repeated(b"\x80\x0b\x60\x50\x22\x0c\x0c\x85", octets));
            file.closed()
        })
    }),
    Kind::new("pdf-run-length", "PDF under run lengths, twice", |size| {
        let once = repeated(b"\x81 ", 20 << 10);
        let mut file = Pdf::new("5 0 R");
        file.packed_by(4, "/Filter[/FlateDecode/RunLengthDecode/RunLengthDecode]", &once);
        files(size, "pdf", &file.closed())
    }),
    Kind::new("pdf-predictor", "PDF under a predictor of one octet a row", |size| {
        let mut file = Pdf::new("5 0 R");
        let entries =
            "/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 1/Colors 1/BitsPerComponent 8>>";
        file.packed_by(4, entries, &repeated(b"\x02 ", 60 << 20));
        files(size, "pdf", &file.closed())
    }),
    Kind::new("pdf-filters", "PDF of Flate in Flate in Flate", |size| {
        let mut file = Pdf::new("5 0 R");
        let content = zlib(&zlib(&repeated(b"q Q ", 100 << 20)));
        file.packed_by(4, "/Filter[/FlateDecode/FlateDecode/FlateDecode]", &content);
        files(size, "pdf", &file.closed())
    }),
    Kind::new("pdf-references", "PDF of references to references", |size| {
        one_file(size, "a.pdf", |octets| {
            let mut file = Pdf::new("5 0 R");
            for number in 100..160 {
                file.object(number, &format!("{} 0 R", number + 1));
            }
            file.object(160, "500");
            let widths = "100 0 R ".repeat(octets / 10);
            file.object(5, &format!("<</Type/Font/Subtype/Type0/DescendantFonts[<</W[1[{widths}]]>>]>>"));
            file.stream(4, "", b"BT /F 9 Tf (ab)Tj");
            file.closed()
        })
    }),
    Kind::new("pdf-kids", "PDF of pages that are their own parents", |size| {
        one_file(size, "a.pdf", |octets| {
            let mut file = Pdf::new("5 0 R");
            file.object(2, &format!("<</Type/Pages/Kids[{}]>>", "2 0 R 3 0 R ".repeat(octets / 12)));
            file.stream(4, "", b"q Q");
            file.closed()
        })
    }),
    Kind::new("pdf-files", "PDF with files in it, each a ZIP of U+FDFA", |size| {
        let zip = super::archives::zipped("a.txt", super::archives::fdfa());
        let mut file = Pdf::new("5 0 R");
        for number in 0..20 {
            file.stream(100 + number, "", &zip);
            file.object(200 + number, &format!("<</F(a.zip)/EF<</F {} 0 R>>>>", 100 + number));
        }
        files(size, "pdf", &file.closed())
    }),
    Kind::new("pdf-xfa", "PDF with a form of XML", |size| {
        let mut file = Pdf::new("5 0 R");
        file.object(1, "<</Pages 2 0 R/AcroForm<</XFA 9 0 R>>>>");
        let xml = format!("<a>{}</a>", "<b>&#xFDFA;</b>".repeat(1 << 20));
        file.packed(9, "", xml.as_bytes());
        files(size, "pdf", &file.closed())
    }),
];

/// A PDF while it is written.
pub(super) struct Pdf(Vec<u8>);

impl Pdf {
    /// With one page, whose content is object 4 and whose font is this.
    pub(super) fn new(font: &str) -> Self {
        let mut file = Self(b"%PDF-1.7\n".to_vec());
        file.object(1, "<</Pages 2 0 R>>");
        file.object(2, "<</Type/Pages/Kids[3 0 R]>>");
        file.object(3, &format!("<</Type/Page/Contents 4 0 R/Resources<</Font<</F {font}>>>>>>"));
        if font == "5 0 R" {
            file.object(5, "<</Type/Font/Subtype/Type1/Encoding/WinAnsiEncoding>>");
        }
        file
    }

    pub(super) fn object(&mut self, number: usize, content: &str) {
        self.0.extend(format!("{number} 0 obj {content} endobj\n").bytes());
    }

    pub(super) fn stream(&mut self, number: usize, entries: &str, data: &[u8]) {
        self.0.extend(format!("{number} 0 obj <<{entries}/Length {}>> stream\n", data.len()).bytes());
        self.0.extend_from_slice(data);
        self.0.extend(b"\nendstream endobj\n");
    }

    pub(super) fn packed(&mut self, number: usize, entries: &str, data: &[u8]) {
        self.packed_by(number, &format!("{entries}/Filter/FlateDecode"), data);
    }

    fn packed_by(&mut self, number: usize, entries: &str, data: &[u8]) {
        self.stream(number, entries, &zlib(data));
    }

    pub(super) fn closed(mut self) -> Vec<u8> {
        self.0.extend(b"trailer <</Root 1 0 R>>\n%%EOF\n");
        self.0
    }
}

fn packed_page(content: &[u8]) -> Vec<u8> {
    let mut file = Pdf::new("5 0 R");
    file.packed(4, "", content);
    file.closed()
}

fn text_of(operators: &[u8], octets: usize) -> Vec<u8> {
    [b"BT /F 9 Tf ".to_vec(), repeated(operators, octets)].concat()
}

fn unicode_font(operators: &[u8], octets: usize) -> Vec<u8> {
    let mut file = Pdf::new("<</Type/Font/Subtype/Type1/ToUnicode 9 0 R>>");
    let target = "FDFA".repeat(200);
    let map: String = (0..256).fold(String::new(), |mut map, code| {
        let _ = write!(map, "<{code:02X}><{target}>");
        map
    });
    file.packed(9, "", format!("1 beginbfchar {map} endbfchar").as_bytes());
    file.packed(4, "", &text_of(operators, octets));
    file.closed()
}
