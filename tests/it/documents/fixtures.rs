//! Files that office programs wrote, and a few that are written here as their specifications have them.

use super::*;

#[test]
fn every_text_of_an_office_document_is_read() {
    for (name, texts) in [
        (
            "text.odt",
            &[
                "Beslut om 19121212-1212",
                "Sidhuvud 811228-9874",
                "Fotnot 811228-9874",
                "Kommentar 20121212-1211",
                "Rubrik 19121212-1212",
            ][..],
        ),
        (
            "text.docx",
            &[
                "Beslut om 19121212-1212",
                "Sidhuvud 811228-9874",
                "Fotnot 811228-9874",
                "Kommentar 20121212-1211",
                "Rubrik 19121212-1212",
            ],
        ),
        (
            "text.rtf",
            &[
                "Beslut om 19121212-1212",
                "Sidhuvud 811228-9874",
                "Fotnot 811228-9874",
                "Kommentar 20121212-1211",
                "Rubrik 19121212-1212",
            ],
        ),
        ("text.fodt", &["Beslut om 19121212-1212", "Sidhuvud 811228-9874", "Fotnot 811228-9874"]),
        ("rows.csv", &["811228-9874", "8112289874", "198112289874"]),
        ("rows.ods", &["811228-9874", "8112289874", "198112289874", "läkarintyg"]),
        ("rows.xlsx", &["Anna\t811228-9874\tläkarintyg", "Bo\t8112289874", "Cia\t198112289874"]),
        ("slides.odp", &["Bild 811228-9874", "Anteckning 19121212-1212"]),
        ("slides.pptx", &["Bild 811228-9874", "Anteckning 19121212-1212"]),
    ] {
        let items = items(name, &fixture(name));
        assert_eq!(items[0].state, State::Plain, "{name}");
        let read = all_text(&items);
        for text in texts {
            assert!(read.contains(text), "{name}: {text} is not in {read}");
        }
    }
}

#[test]
fn kinds_are_told_by_content_and_not_by_name() {
    for (name, kind) in [
        ("text.odt", "open-document"),
        ("text.docx", "ooxml"),
        ("rows.xlsx", "ooxml"),
        ("text.rtf", "rtf"),
        ("text.fodt", "xml"),
    ] {
        let items = items("harmless.txt", &fixture(name));
        assert!(line(&items[0]).contains(&format!(" {kind} ")), "{name}: {}", line(&items[0]));
    }
    for (name, content, expected) in [
        ("a.png", &b"Personnummer 811228-9874"[..], " a.png text plain"),
        ("a.exe", b"MZ 811228-9874", " a.exe text plain"),
        ("a.jpg", b"MZ\x90\0", " a.jpg executable plain"),
        ("a.txt", b"\x4c\0\0\0\x01\x14\x02\0", " a.txt shortcut plain"),
        ("a.pdf", b"\xff\xd8\xff\xe0\0\x10JFIF", " a.pdf image plain"),
        ("a", b"<!DOCTYPE html><p>8112<b>28", " a html plain"),
        ("a.bin", b"\0\x01\x02", " a.bin unknown uninspectable:format"),
        ("message.rpmsg", b"\x76\xe8\x04\x60\xc4\x11\xe3\x86\0", " message.rpmsg rights encrypted:rights"),
        // What only says that it is something is what it is.
        ("message.rpmsg", b"Pnr 811228-9874", " message.rpmsg text plain"),
        ("message.rpmsg", b"\0\x01\x02", " message.rpmsg unknown uninspectable:format"),
        (
            "a.bin",
            b"\0\x01\x02\0\x01\x02\0\x01\x02%PDF-1.7\n1 0 obj\n<</Type/Page>>\nendobj\n",
            " a.bin pdf plain",
        ),
        ("a.txt", b"A file begins with %PDF-1.7, then 1 0 obj.", " a.txt text plain"),
        ("a.gz", b"Pnr 811228-9874", " a.gz text plain"),
        ("a.p7m", b"Pnr 811228-9874", " a.p7m text plain"),
        ("a.eml", b"Pnr: 811228-9874", " a.eml text plain"),
        ("a.ics", b"Pnr: 811228-9874", " a.ics calendar plain"),
        ("a.json", b"\x93\0\x01\x02", " a.json unknown uninspectable:format"),
        ("a.csv", b"\x93\0\x01\x02", " a.csv unknown uninspectable:format"),
        ("a.jpg", b"\x93\0\x01\x02", " a.jpg unknown uninspectable:format"),
        ("a.mp3", b"\x93\0\x01\x02", " a.mp3 unknown uninspectable:format"),
        ("a.txt", b"8\x001\x001\x002\x002\x008\x00", " a.txt text plain"),
        ("a.txt", b"H\xe4lsa", " a.txt text plain"),
    ] {
        assert_eq!(line(&items(name, content)[0]), expected);
    }
}

#[test]
fn text_in_every_charset() {
    let utf16: Vec<u8> = "\u{feff}Pnr å 811228-9874".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = "\u{feff}Pnr å 811228-9874".encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (name, bytes) in [
        ("a.txt", &utf16[..]),
        ("a.txt", &big),
        ("a.txt", b"Pnr \xe5 811228-9874"),
        ("a.csv", b"\xef\xbb\xbfPnr \xc3\xa5 811228-9874"),
        ("a.html", b"<p>Pnr <i>&aring;</i> 811<!-- -->228-9874"),
    ] {
        assert_found(name, bytes, "Pnr å 811228-9874");
    }
    // What nothing reads is looked through, and says that it was not read.
    let wide: Vec<u8> = "\x01\0x811228-9874\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let items = items("a.bin", &wide);
    assert!(items[0].text.contains(NUMBER));
    assert_eq!(items[0].state.reason(), Some("format"));
}

#[test]
fn macros_and_encryption_of_office_documents() {
    let scratch = Scratch::new();
    scratch.write("text.docx", fixture("text.docx"));
    scratch.write("word/vbaProject.bin", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    scratch.write("word/embeddings/hidden.docx", fixture("text.docx"));
    scratch.run("zip -q text.docx word/vbaProject.bin word/embeddings/hidden.docx");
    let found = items("text.docx", &scratch.read("text.docx"));
    assert!(found[0].macros);
    let inside = lines(&found);
    assert!(inside.contains(&"2 word/embeddings/hidden.docx ooxml plain".to_owned()), "{inside:?}");

    let found = items("text.odt", &fixture("encrypted.odt"));
    assert_eq!(lines(&found), [" text.odt open-document encrypted:opendocument"]);
    assert!(!items("text.odt", &fixture("text.odt"))[0].macros);
}

#[test]
fn outlooks_winmail_dat() {
    let found = items("winmail.dat", &winmail_dat());
    assert_eq!(
        lines(&found),
        [" winmail.dat tnef plain", "1 body.rtf rtf plain", "2 Utredning 19121212-1212.docx ooxml plain",]
    );
    assert_eq!(found[0].text, "Ämne\n");
    assert_eq!(found[1].text, "Bröd 811228-9874\n");
    assert!(found[2].text.contains("Sidhuvud 811228-9874"));
}

/// What Outlook sends where it may: a body in RTF, and an attachment.
pub(crate) fn winmail_dat() -> Vec<u8> {
    let rtf = br"{\rtf1\ansi\fromhtml1 {\*\htmltag64 <p>}Br\'f6d 8112{\b 28}-9874\par}";
    let mut stored = Vec::new();
    for number in [rtf.len() + 12, rtf.len()] {
        stored.extend(u32::try_from(number).unwrap().to_le_bytes());
    }
    stored.extend(b"MELA\0\0\0\0");
    stored.extend(rtf);
    let message = properties(&[(0x102, 0x1009, &stored), (0x1f, 0x0037, &wide("Ämne"))]);
    let attached = properties(&[(0x1f, 0x3707, &wide("Utredning 19121212-1212.docx"))]);
    let mut tnef = b"\x78\x9f\x3e\x22\x01\0".to_vec();
    attribute(&mut tnef, 0x0006_9003, &message);
    attribute(&mut tnef, 0x0006_9002, &[0; 14]);
    attribute(&mut tnef, 0x0001_8010, b"UTREDN~1.DOC\0");
    attribute(&mut tnef, 0x0006_800f, &fixture("text.docx"));
    attribute(&mut tnef, 0x0006_9005, &attached);
    tnef
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

fn attribute(out: &mut Vec<u8>, id: u32, content: &[u8]) {
    out.push(1);
    out.extend(id.to_le_bytes());
    out.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
    out.extend(content);
    let sum = content.iter().fold(0_u16, |sum, octet| sum.wrapping_add(u16::from(*octet)));
    out.extend(sum.to_le_bytes());
}

fn properties(all: &[(u16, u16, &[u8])]) -> Vec<u8> {
    let mut out = u32::try_from(all.len() + 1).unwrap().to_le_bytes().to_vec();
    // A number with a name of its own, to be stepped over.
    out.extend(b"\x03\0\x01\x80GUIDGUIDGUIDGUID\x01\0\0\0\x04\0\0\0a\0\0\0\x07\0\0\0");
    for (kind, id, content) in all {
        out.extend(kind.to_le_bytes());
        out.extend(id.to_le_bytes());
        out.extend(1_u32.to_le_bytes());
        out.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        out.extend(*content);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}

#[test]
fn objects_in_rtf() {
    let mut package = b"\x02\0hemlig.txt\0C:\\hemlig.txt\0\0\0\x03\0".to_vec();
    package.extend(13_u32.to_le_bytes());
    package.extend(b"C:\\hemlig.txt");
    package.extend(11_u32.to_le_bytes());
    package.extend(NUMBER.as_bytes());
    let mut object = b"\x01\x05\0\0\x02\0\0\0\x08\0\0\0Package\0\0\0\0\0\0\0\0\0".to_vec();
    object.extend(u32::try_from(package.len()).unwrap().to_le_bytes());
    object.extend(&package);
    let hex = object.iter().fold(String::new(), |hex, octet| hex + &format!("{octet:02x}"));
    let (first, second) = hex.split_at(40);
    let rtf = format!(
        "{{\\rtf1 text{{\\object\\objemb{{\\*\\objclass Package}}{{\\*\\objdata {first}\r\n{second}}}}}}}"
    );
    let found = items("a.rtf", rtf.as_bytes());
    assert_eq!(lines(&found), [" a.rtf rtf plain", "1 hemlig.txt text plain"]);
    assert_eq!(found[1].text, NUMBER);
}
