//! Files made to harm whoever reads them: the reading ends, within its limits, and says what it did not read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use postvakt::limits;

use super::messages::facts;
use super::*;

/// A header of a ZIP, before its content or in its directory.
fn zip_header(central: Option<u32>, name: &str, packed: u32, size: u32, method: u16) -> Vec<u8> {
    let mut out = if central.is_some() { b"PK\x01\x02\x14\0".to_vec() } else { b"PK\x03\x04".to_vec() };
    out.extend(b"\x14\0\0\0");
    out.extend(method.to_le_bytes());
    out.extend([0; 8]);
    out.extend(packed.to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    out.extend([0; 2]);
    if let Some(offset) = central {
        out.extend([0; 10]);
        out.extend(offset.to_le_bytes());
    }
    out.extend(name.as_bytes());
    out
}

/// An archive of entries at any place of a body.
fn zip(body: &[u8], entries: &[(String, u32, u32, u32, u16)]) -> Vec<u8> {
    let mut out = body.to_vec();
    let begin = out.len();
    for (name, offset, packed, size, method) in entries {
        out.extend(zip_header(Some(*offset), name, *packed, *size, *method));
    }
    let length = out.len() - begin;
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([0xff; 4]);
    out.extend(u32::try_from(length).unwrap().to_le_bytes());
    out.extend(u32::try_from(begin).unwrap().to_le_bytes());
    out.extend([0; 2]);
    out
}

/// Zeros, packed by a real program.
fn zeros(megabytes: usize, scratch: &Scratch) -> Vec<u8> {
    scratch.write("zeros", vec![0; megabytes << 20]);
    scratch.run("gzip -f zeros");
    let packed = scratch.read("zeros.gz");
    packed[10 + "zeros".len() + 1..packed.len() - 8].to_vec()
}

fn has_limit(items: &[Item]) -> bool {
    items.iter().any(|item| item.state.reason() == Some("limit"))
}

fn text_octets(items: &[Item]) -> usize {
    items.iter().map(|item| item.text.len()).sum()
}

#[test]
fn bombs_go_off_in_their_box() {
    let scratch = Scratch::new();
    let packed = zeros(300, &scratch);
    let length = u32::try_from(packed.len()).unwrap();
    let local = |name: &str, size| [zip_header(None, name, length, size, 8), packed.clone()].concat();
    // One that says it is small, one that says how large it is.
    for size in [10, 300 << 20] {
        let bomb = zip(&local("a.txt", size), &[("a.txt".into(), 0, length, size, 8)]);
        assert!(has_limit(&items("a.zip", &bomb)));
    }
    // Ten thousand entries that are all the same octets (after David Fifield).
    let same: Vec<_> = (0..9_000).map(|number| (format!("{number}.txt"), 0, length, 10, 8)).collect();
    let overlapping = zip(&local("0.txt", 10), &same);
    let found = items("a.zip", &overlapping);
    assert!(has_limit(&found));
    assert!(text_octets(&found) <= limits::DOCUMENT_TEXT_OCTETS);
    // The same without packing: a file of two megabytes, nine thousand times.
    let stored = [
        zip_header(None, "0.zip", 2 << 20, 2 << 20, 0),
        overlapping.iter().copied().cycle().take(2 << 20).collect(),
    ]
    .concat();
    let same: Vec<_> = (0..9_000).map(|number| (format!("{number}.zip"), 0, 2 << 20, 2 << 20, 0)).collect();
    assert!(has_limit(&items("a.zip", &zip(&stored, &same))));
    // Zips in zips: each level ten of the one below.
    let mut bomb = zip(&local("a.txt", 10), &[("a.txt".into(), 0, length, 10, 8)]);
    for level in 0..12 {
        let size = u32::try_from(bomb.len()).unwrap();
        let name = format!("{level}.zip");
        let body = [zip_header(None, &name, size, size, 0), bomb].concat();
        bomb = zip(
            &body,
            &(0..10).map(|number| (format!("{number}-{name}"), 0, size, size, 0)).collect::<Vec<_>>(),
        );
    }
    let found = items("a.zip", &bomb);
    assert!(has_limit(&found) && found.len() <= limits::DOCUMENT_ENTRIES + 1);
}

#[test]
fn bombs_of_other_programs() {
    let scratch = Scratch::new();
    scratch.write("zeros.txt", vec![b'0'; 200 << 20]);
    for (command, name) in [
        ("gzip -k zeros.txt", "zeros.txt.gz"),
        ("tar -cJf zeros.tar.xz zeros.txt", "zeros.tar.xz"),
        ("7z a -bso0 -mx=1 zeros.7z zeros.txt", "zeros.7z"),
    ] {
        scratch.run(command);
        let found = items(name, &scratch.read(name));
        assert!(has_limit(&found), "{name}: {:?}", lines(&found));
        assert!(text_octets(&found) <= limits::DOCUMENT_TEXT_OCTETS, "{name}");
    }
    for name in ["zeros.rar", "zeros-4.rar"] {
        let bomb =
            std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bombs").join(name)).unwrap();
        let found = items(name, &bomb);
        assert_eq!(found[0].state.reason(), Some("limit"), "{name}: {:?}", lines(&found));
        assert!(text_octets(&found) <= limits::DOCUMENT_TEXT_OCTETS, "{name}");
    }
}

/// A PDF of one page with these objects beside it.
fn pdf(page: &str, objects: &[(&str, &[u8])]) -> Vec<u8> {
    let head = "1 0 obj <</Pages 2 0 R>> endobj 2 0 obj <</Kids[3 0 R]>> endobj 3 0 obj ";
    let mut out = format!("%PDF-1.7\n{head}{page} endobj\n").into_bytes();
    for (object, data) in objects {
        out.extend(object.bytes());
        if !data.is_empty() {
            out.extend([b" stream\n", *data, b"\nendstream"].concat());
        }
        out.extend(b" endobj\n");
    }
    out.extend(b"trailer <</Root 1 0 R>>");
    out
}

#[test]
fn what_a_pdf_names_again_and_again_is_counted() {
    let blanks = vec![b' '; 1 << 20];
    let contents = "4 0 R ".repeat(1_000);
    let again = pdf(&format!("<</Type/Page/Contents[{contents}]>>"), &[("4 0 obj <<>>", &blanks)]);
    assert!(has_limit(&items("a.pdf", &again)), "the stream of a page");
    let mut head = String::new();
    for number in 10..10_000 {
        write!(head, "{number} 0 ").unwrap();
    }
    let entries = format!("4 0 obj <</Type/ObjStm/N 9990/First {}>>", head.len());
    let same = [head.as_bytes(), b"[", &blanks, b"]"].concat();
    assert!(
        has_limit(&items("a.pdf", &pdf("<</Type/Page>>", &[(&entries, &same)]))),
        "objects that are the same"
    );
    let open: String = (10..4_000)
        .fold(String::new(), |open, number| open + &format!("{number} 0 obj [{}", "1 ".repeat(200)));
    assert!(
        has_limit(&items("a.pdf", &[pdf("<</Type/Page>>", &[]), open.into()].concat())),
        "arrays that never end"
    );
    // A font in the resources themselves is read once, with all of its table.
    let table = format!("1 beginbfchar {}endbfchar", "<41><0042> ".repeat(50_000));
    let page = "<</Type/Page/Contents 4 0 R/Resources<</Font<</F <</ToUnicode 5 0 R>>>>>>>>";
    let text = "/F 1 Tf ".repeat(50_000) + "(A)Tj";
    let objects = [("4 0 obj <<>>", text.as_bytes()), ("5 0 obj <<>>", table.as_bytes())];
    let found = items("a.pdf", &pdf(page, &objects));
    assert_eq!((&*found[0].text, has_limit(&found)), ("B\n", false));
}

#[test]
fn what_lies_too_deep_in_a_page_is_not_passed_over_in_silence() {
    let text = format!("/F 1 Tf {}{} (811228-9874)Tj", "[".repeat(100), "]".repeat(100));
    let page = "<</Type/Page/Contents 4 0 R/Resources<</Font<</F <<>>>>>>>>";
    assert!(has_limit(&items("a.pdf", &pdf(page, &[("4 0 obj <<>>", text.as_bytes())]))));
}

#[test]
fn control_characters_are_blanks_and_letters_stay() {
    let found = items("a.txt", "å\u{1}\u{7f}811228-9874\u{0}\t\r\n".as_bytes());
    assert_eq!(found[0].text, "å \u{7f}811228-9874 \t\r\n");
}

#[test]
fn many_entries() {
    let body = zip_header(None, "x", 0, 0, 0);
    let many: Vec<_> = (0..100_000).map(|number| (format!("{number}.txt"), 0, 0, 0, 0)).collect();
    let found = items("a.zip", &zip(&body, &many));
    assert_eq!(found[0].state.reason(), Some("limit"));
    assert_eq!(found.len(), limits::DOCUMENT_ENTRIES + 1);
    // As many without a directory.
    let found = items("a.zip", &zip_header(None, "x", 0, 0, 0).repeat(100_000));
    assert_eq!(found.len(), limits::DOCUMENT_ENTRIES + 1);
    assert_eq!(found[0].state.reason(), Some("limit"));
}

#[test]
fn hostile_messages() {
    let nested = facts("Content-Type: message/rfc822\n\n".repeat(40_000).as_bytes());
    assert!(nested.attachments.iter().any(|attachment| attachment.state.reason() == Some("limit")));
    let file = items("a.eml", "Content-Type: message/rfc822\n\n".repeat(40_000).as_bytes());
    assert!(has_limit(&file));
    let header = "Content-Type: multipart/mixed; boundary=b\n\n";
    let parts = facts((header.to_owned() + &"--b\n\n811228-9874\n".repeat(100_000)).as_bytes());
    assert!(parts.passages.len() < 20_000);
    let residue = facts((header.to_owned() + "--b\n\nx\n" + &"--b--\nx\n".repeat(500_000)).as_bytes());
    assert!(residue.passages.len() < 20_000);
    // What is begun again and again and never ends.
    for unit in [
        "begin 644 a\n",
        "--b\n",
        "<a b=\"",
        "<a",
        "<!--",
        "x --b\n",
        "{",
        "\\'",
        "&#",
        "=?utf-8?b?",
        " =\n",
        "x\nA:\n",
        "To: a\n",
    ] {
        let much = unit.repeat((1 << 20) / unit.len());
        let pages = format!("Content-Type: text/html\n\n{much}");
        assert!(!facts(pages.as_bytes()).passages.is_empty(), "{unit}");
        for name in ["a.html", "a.rtf", "a.xml", "a.ics", "a.vcf", "a.eml"] {
            let head = if name == "a.rtf" { "{\\rtf1 " } else { "" };
            assert_eq!(items(name, (head.to_owned() + &much).as_bytes())[0].path, "", "{unit}");
        }
    }
}

#[test]
fn xml_without_end() {
    let scratch = Scratch::new();
    let mut sheet = "<worksheet><sheetData>".to_owned();
    for row in 0..200_000 {
        write!(sheet, "<row r=\"{row}\"><c t=\"s\"><v>0</v></c><c t=\"s\"><v>{row}</v></c></row>").unwrap();
    }
    scratch.write("xl/worksheets/sheet1.xml", sheet);
    scratch.write("xl/sharedStrings.xml", format!("<sst><si><t>{}</t></si></sst>", "x".repeat(100_000)));
    scratch.write("[Content_Types].xml", "<Types/>");
    scratch.run("zip -q -r a.xlsx xl [Content_Types].xml");
    let found = items("a.xlsx", &scratch.read("a.xlsx"));
    assert_eq!(found[0].state.reason(), Some("limit"));
    assert!(text_octets(&found) <= limits::DOCUMENT_TEXT_OCTETS);
    // Entities that name one another are not known, and stay as they are.
    let bomb = "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b '&c;&c;'>]><a>&b;</a>";
    assert!(items("a.xml", bomb.as_bytes())[0].text.contains("&b;"));
}

/// A generator that gives the same numbers each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

#[test]
fn every_fixture_cut_and_flipped() {
    let mut documents: BTreeMap<String, Vec<u8>> =
        fixture_names().into_iter().map(|name| (name.clone(), fixture(&name))).collect();
    let scratch = Scratch::new();
    scratch.write("a.txt", format!("Personnummer {NUMBER}\n").repeat(20));
    for (command, name) in [
        ("zip -q a.zip a.txt", "a.zip"),
        ("7z a -bso0 a.7z a.txt", "a.7z"),
        ("tar -cf a.tar a.txt", "a.tar"),
        ("gzip -k a.txt", "a.txt.gz"),
        ("xz -k a.txt", "a.txt.xz"),
    ] {
        scratch.run(command);
        documents.insert(name.to_owned(), scratch.read(name));
    }
    let mut chance = Chance(1);
    for (name, whole) in &documents {
        for _ in 0..60 {
            let mut cut = whole[..chance.below(whole.len())].to_vec();
            check(name, &cut);
            cut = whole.clone();
            for _ in 0..=chance.below(8) {
                let at = chance.below(cut.len());
                cut[at] ^= 1 << chance.below(8);
            }
            check(name, &cut);
        }
    }
}

fn check(name: &str, bytes: &[u8]) {
    let found = items(name, bytes);
    assert!(found.len() <= limits::DOCUMENT_ENTRIES + 1, "{name}");
    assert!(text_octets(&found) <= limits::DOCUMENT_TEXT_OCTETS, "{name}");
}
