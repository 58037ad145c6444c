//! Office documents, new and old, and what Outlook writes.

use std::fmt::Write as _;

use super::Kind;
use super::archives::FDFA;
use super::mail::{files, one_file, repeated};
use super::pack::{self, Entry};

pub(super) const KINDS: &[Kind] = &[
    Kind::new("docx-text", "Word document of 16 MB of U+FDFA", |size| {
        files(size, "docx", &ooxml("word/document.xml", &xml("w:t", FDFA, 16 << 20)))
    }),
    Kind::new("docx-runs", "Word document of short runs", |size| {
        files(size, "docx", &ooxml("word/document.xml", &repeated(b"<w:r><w:t>8</w:t></w:r>", 30 << 20)))
    }),
    Kind::new("docx-paragraphs", "Word document of empty paragraphs and tabs", |size| {
        files(size, "docx", &ooxml("word/document.xml", &repeated(b"<w:p/>x<w:tab/>", 30 << 20)))
    }),
    Kind::new("docx-entities", "Word document of entities", |size| {
        files(size, "docx", &ooxml("word/document.xml", &repeated(b"&#xFDFA;", 30 << 20)))
    }),
    Kind::new("docx-attributes", "Word document of attributes that people read", |size| {
        files(
            size,
            "docx",
            &ooxml("word/document.xml", &repeated(b"<a descr=\"&#xFDFA;\" b='c'/>", 30 << 20)),
        )
    }),
    Kind::new("docx-parts", "Word document of 9,000 parts", |size| {
        let part = |number| Entry::deflated(format!("word/{number}.xml"), b"<w:p>811228-9874 diagnos</w:p>");
        let parts = std::iter::once(types()).chain((0..9_000).map(part));
        files(size, "docx", &pack::zip(&parts.collect::<Vec<_>>()))
    }),
    Kind::new("docx-pictures", "Word document of pictures, each 8 MB of nothing", |size| {
        let picture = Entry::deflated("word/media/a.png", &repeated(b"\x89PNG\r\n\x1a\n\0\0", 8 << 20));
        files(size, "docx", &pack::zip(&[vec![types()], vec![picture; 16]].concat()))
    }),
    Kind::new("docx-in-docx", "Word documents seven deep", |size| {
        let mut inner = ooxml("word/document.xml", &xml("w:t", FDFA, 4 << 20));
        for _ in 0..6 {
            inner = pack::zip(&[types(), Entry::deflated("word/embeddings/a.docx", &inner)]);
        }
        files(size, "docx", &inner)
    }),
    Kind::new("xlsx-strings", "workbook whose cells all name one long string", |size| {
        let strings = format!("<sst><si><t>{}</t></si></sst>", FDFA.repeat(10_000));
        let cells = repeated(b"<c t=\"s\"><v>0</v></c>", 2 << 20);
        files(size, "xlsx", &workbook(&strings, &cells))
    }),
    Kind::new("xlsx-rows", "workbook of short cells", |size| {
        files(size, "xlsx", &workbook("", &repeated(b"<row><c><v>8112289874</v></c></row>", 30 << 20)))
    }),
    Kind::new("xlsx-many-strings", "workbook of a million strings", |size| {
        let strings = "<si><t>8</t></si>".repeat(1 << 20);
        files(size, "xlsx", &workbook(&strings, &repeated(b"<c t=\"s\"><v>9</v></c>", 10 << 20)))
    }),
    Kind::new("xlsx-formats", "workbook with formats, and numbers in them", |size| {
        let formats: String = (0..60_000).fold(String::new(), |mut all, number| {
            let _ = write!(
                all,
                "<numFmt numFmtId=\"{number}\" formatCode=\"yyyy-mm-dd\"/><xf numFmtId=\"{number}\"/>"
            );
            all
        });
        let styles = format!("<styleSheet><cellXfs>{formats}</cellXfs></styleSheet>");
        let sheet = repeated(b"<row><c s=\"59999\"><v>45000.5</v></c></row>", 20 << 20);
        let entries = [
            types(),
            Entry::deflated("xl/styles.xml", styles.as_bytes()),
            Entry::deflated("xl/worksheets/sheet1.xml", &sheet),
        ];
        files(size, "xlsx", &pack::zip(&entries))
    }),
    Kind::new("odt-blanks", "LibreOffice document of repeated blanks", |size| {
        files(size, "odt", &odf(&repeated(b"<text:s text:c=\"100\"/>", 8 << 20)))
    }),
    Kind::new("odt-depth", "LibreOffice document of elements inside one another", |size| {
        files(size, "odt", &odf(&repeated(b"<text:span>8", 30 << 20)))
    }),
    Kind::new("office-encrypted", "ZIP of 80 encrypted workbooks, each with the most rounds", |size| {
        let document = encrypted(1_000_000);
        let entries = (0..80).map(|number| Entry::deflated(format!("{number}.xlsx"), &document));
        files(size, "zip", &pack::zip(&entries.collect::<Vec<_>>()))
    }),
    Kind::new("office-encrypted-one", "encrypted workbooks, one in each attachment", |size| {
        files(size, "xlsx", &encrypted(1_000_000))
    }),
    Kind::new("doc-pieces", "old Word document whose pieces are all the same text", |size| {
        files(size, "zip", &pack::zip(&[Entry::deflated("a.doc", &word(512 << 10, 20_000))]))
    }),
    Kind::new("compound-storages", "compound file of storages that are documents", |size| {
        let storages = 3_000;
        let streams: Vec<(String, Vec<u8>)> = std::iter::once(("WordDocument".to_owned(), vec![0; 4_096]))
            .chain((0..storages).map(|number| (format!("S{number}/\u{1}Ole10Native"), b"x".repeat(64))))
            .collect();
        files(size, "zip", &pack::zip(&[Entry::deflated("a.doc", &compound(&streams))]))
    }),
    Kind::new("compound-attachments", "Outlook message of attachments", |size| {
        let streams: Vec<(String, Vec<u8>)> =
            std::iter::once(("__properties_version1.0".to_owned(), vec![0; 64]))
                .chain((0..3_000).map(|number| {
                    (format!("__attach_version1.0_#{number}/__substg1.0_37010102"), b"811228-9874".repeat(4))
                }))
                .collect();
        files(size, "zip", &pack::zip(&[Entry::deflated("a.msg", &compound(&streams))]))
    }),
    Kind::new("compound-loop", "compound file whose streams are one chain", |size| {
        one_file(size, "a.doc", |octets| {
            let mut streams = vec![("WordDocument".to_owned(), vec![0; 4_096])];
            streams.extend(
                (0..(octets / 300).min(3_000)).map(|number| (format!("S{number}/CONTENTS"), Vec::new())),
            );
            let mut file = compound(&streams);
            let start = u32::try_from(file.len() / 512 - 1).unwrap();
            file.resize(file.len().max(octets), b'x');
            // All of these streams lie where the last one does, and are as long as the file.
            let long = u32::try_from(octets / 2).unwrap();
            for at in (0..file.len() - 128).step_by(128) {
                if file[at..].starts_with(b"C\0O\0N\0T\0E\0") {
                    file[at + 116..at + 120].copy_from_slice(&start.to_le_bytes());
                    file[at + 120..at + 124].copy_from_slice(&long.to_le_bytes());
                }
            }
            file
        })
    }),
    Kind::new("xls-strings", "old workbook whose cells all name one long string", |size| {
        files(size, "zip", &pack::zip(&[Entry::deflated("a.xls", &old_workbook(60_000, 200_000))]))
    }),
    Kind::new("rtf-groups", "RTF of groups", |size| {
        one_file(size, "a.rtf", |octets| rtf(b"{\\b x}{", octets))
    }),
    Kind::new("rtf-text", "packed RTF of characters by number", |size| {
        files(size, "zip", &super::archives::zipped("a.rtf", &rtf(b"\\u-518?", 30 << 20)))
    }),
    Kind::new("rtf-controls", "packed RTF of control words", |size| {
        files(size, "zip", &super::archives::zipped("a.rtf", &rtf(b"\\f1\\b0\\par ", 60 << 20)))
    }),
    Kind::new("rtf-objects", "RTF of objects in hexadecimal digits", |size| {
        let object = b"{\\object{\\*\\objdata 3831313232382d39383734}}";
        files(size, "zip", &super::archives::zipped("a.rtf", &rtf(object, 400_000)))
    }),
    Kind::new("tnef", "winmail.dat of attachments", |size| {
        one_file(size, "winmail.dat", |octets| {
            let mut out = b"\x78\x9f\x3e\x22\x01\0".to_vec();
            while out.len() < octets {
                attribute(&mut out, 0x0006_9002, &[0; 14]);
                attribute(&mut out, 0x0001_8010, b"a.txt\0");
                attribute(&mut out, 0x0006_800f, b"811228-9874 diagnos");
            }
            out
        })
    }),
    Kind::new("tnef-deep", "winmail.dat inside one another", |size| {
        let mut inner = b"\x78\x9f\x3e\x22\x01\0".to_vec();
        attribute(&mut inner, 0x0002_800c, &repeated(FDFA.as_bytes(), 8 << 20));
        for _ in 0..7 {
            let mut outer = b"\x78\x9f\x3e\x22\x01\0".to_vec();
            attribute(&mut outer, 0x0006_9002, &[0; 14]);
            attribute(&mut outer, 0x0001_8010, b"winmail.dat\0");
            attribute(&mut outer, 0x0006_800f, &inner);
            inner = outer;
        }
        files(size, "zip", &pack::zip(&[Entry::deflated("winmail.dat", &inner)]))
    }),
    Kind::new("tnef-rtf", "winmail.dat of packed RTF", |size| {
        let mut rtf = vec![0; 16];
        rtf[4..8].copy_from_slice(&(32_u32 << 20).to_le_bytes());
        rtf[8..12].copy_from_slice(b"LZFu");
        // A reference of 17 octets to the beginning of the dictionary, eight at a time.
        rtf.extend(repeated(&[&[0xFF][..], &[0, 15].repeat(8)].concat(), 4 << 20));
        let mut properties = 40_u32.to_le_bytes().to_vec();
        for _ in 0..40 {
            properties.extend([2, 1, 9, 0x10, 1, 0, 0, 0]);
            properties.extend(u32::try_from(rtf.len()).unwrap().to_le_bytes());
            properties.extend_from_slice(&rtf);
            properties.resize(properties.len().next_multiple_of(4), 0);
        }
        let mut out = b"\x78\x9f\x3e\x22\x01\0".to_vec();
        attribute(&mut out, 0x0006_9003, &properties);
        files(size, "zip", &pack::zip(&[Entry::deflated("winmail.dat", &out)]))
    }),
];

pub(super) fn types() -> Entry {
    Entry::stored("[Content_Types].xml", b"<Types/>")
}

pub(super) fn ooxml(name: &str, part: &[u8]) -> Vec<u8> {
    pack::zip(&[types(), Entry::deflated(name, part)])
}

pub(super) fn workbook(strings: &str, cells: &[u8]) -> Vec<u8> {
    pack::zip(&[
        types(),
        Entry::deflated("xl/sharedStrings.xml", strings.as_bytes()),
        Entry::deflated("xl/worksheets/sheet1.xml", cells),
    ])
}

/// A workbook of rows as an office has them: a number of a person and what they suffer from.
pub(crate) fn victims(rows: usize) -> Vec<u8> {
    let mut sheet = String::from("<worksheet><sheetData>");
    let mut dice = super::dice::Dice(7);
    for row in 1..=rows {
        let noise = dice.next();
        let _ = write!(
            sheet,
            "<row r=\"{row}\"><c r=\"A{row}\"><v>{row}</v></c><c r=\"B{row}\" t=\"inlineStr\"><is><t>811228-9874</t></is></c>\
             <c r=\"C{row}\" t=\"inlineStr\"><is><t>diagnos diabetes schizofreni {noise:016x}</t></is></c></row>"
        );
    }
    sheet += "</sheetData></worksheet>";
    ooxml("xl/worksheets/sheet1.xml", sheet.as_bytes())
}

fn odf(body: &[u8]) -> Vec<u8> {
    let mime = Entry::stored("mimetype", b"application/vnd.oasis.opendocument.text");
    pack::zip(&[mime, Entry::deflated("content.xml", body)])
}

fn xml(element: &str, text: &str, octets: usize) -> Vec<u8> {
    let mut out = format!("<{element}>").into_bytes();
    out.extend(repeated(text.as_bytes(), octets));
    out.extend(format!("</{element}>").bytes());
    out
}

fn rtf(filling: &[u8], octets: usize) -> Vec<u8> {
    [b"{\\rtf1\\ansi ".to_vec(), repeated(filling, octets), b"}".to_vec()].concat()
}

fn attribute(out: &mut Vec<u8>, id: u32, content: &[u8]) {
    out.push(1);
    out.extend(id.to_le_bytes());
    out.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
    out.extend_from_slice(content);
    let sum = content.iter().fold(0_u16, |sum, octet| sum.wrapping_add(u16::from(*octet)));
    out.extend(sum.to_le_bytes());
}

/// A workbook under a password that is derived in so many rounds.
pub(super) fn encrypted(rounds: u32) -> Vec<u8> {
    let key = "saltValue=\"AAAAAAAAAAAAAAAAAAAAAA==\" hashAlgorithm=\"SHA512\" keyBits=\"256\"";
    let secret = "AAAAAAAAAAAAAAAAAAAAAA==";
    let info = format!(
        "<encryption><keyData {key}/><p:encryptedKey spinCount=\"{rounds}\" {key} encryptedVerifierHashInput=\"{secret}\" \
         encryptedVerifierHashValue=\"{secret}\" encryptedKeyValue=\"{secret}\"/></encryption>"
    );
    let info = [&[4, 0, 4, 0, 0x40, 0, 0, 0], info.as_bytes()].concat();
    compound(&[("EncryptionInfo".to_owned(), info), ("EncryptedPackage".to_owned(), vec![0; 64])])
}

/// An old Word document whose text, of so many octets, is named by so many pieces.
fn word(text: usize, pieces: u32) -> Vec<u8> {
    let mut main = vec![0; 0x400];
    main[0..4].copy_from_slice(&[0xEC, 0xA5, 0xC1, 0]);
    let mut table = vec![2];
    let length = pieces * 12 + 4;
    table.extend(length.to_le_bytes());
    let characters = u32::try_from(text).unwrap();
    table.extend((0..=pieces).flat_map(|piece| piece.wrapping_mul(characters).to_le_bytes()));
    for _ in 0..pieces {
        table.extend([0, 0]);
        table.extend((0x4000_0000_u32 | (0x400 * 2)).to_le_bytes());
        table.extend([0, 0]);
    }
    main[0x1A2..0x1A6].copy_from_slice(&0_u32.to_le_bytes());
    main[0x1A6..0x1AA].copy_from_slice(&u32::try_from(table.len()).unwrap().to_le_bytes());
    main.extend(repeated(b"Hej ", text));
    compound(&[("WordDocument".to_owned(), main), ("0Table".to_owned(), table)])
}

/// An old workbook with a string of so many characters, which so many cells name.
fn old_workbook(characters: u16, cells: usize) -> Vec<u8> {
    let record = |kind: u16, content: &[u8]| {
        [&kind.to_le_bytes()[..], &u16::try_from(content.len()).unwrap().to_le_bytes(), content].concat()
    };
    let mut out = record(0x0809, &[0, 6, 5, 0, 0, 0, 0, 0]);
    let mut strings = vec![1, 0, 0, 0, 1, 0, 0, 0];
    strings.extend(characters.to_le_bytes());
    strings.push(0);
    strings.extend(b"x".repeat(usize::from(characters)));
    out.extend(record(0x00FC, &strings));
    for row in 0..cells {
        let row = u16::try_from(row % 65_536).unwrap().to_le_bytes();
        out.extend(record(0x00FD, &[row[0], row[1], 0, 0, 0, 0, 0, 0, 0, 0]));
    }
    out.extend(record(0x000A, &[]));
    out.resize(out.len().max(4_096), 0);
    compound(&[("Workbook".to_owned(), out)])
}

const END: u32 = 0xFFFF_FFFE;
const NONE: u32 = 0xFFFF_FFFF;
const SECTOR: usize = 512;

/// A compound file (MS-CFB) of these streams, all of them in whole sectors.
pub(super) fn compound(streams: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut storages: Vec<&str> =
        streams.iter().filter_map(|(path, _)| Some(path.rsplit_once('/')?.0)).collect();
    storages.dedup();
    // Names in one storage hang on one another to the right; a storage's own hang below it.
    let top: Vec<&(String, Vec<u8>)> = streams.iter().filter(|(path, _)| !path.contains('/')).collect();
    let count = 1 + top.len() + 2 * storages.len();
    let directory_sectors = (count * 128).div_ceil(SECTOR);
    let mut data = Vec::new();
    let mut chains: Vec<(usize, usize)> = Vec::new();
    let mut place = |content: &[u8]| {
        if content.is_empty() {
            return END;
        }
        let first = directory_sectors + data.len() / SECTOR;
        data.extend_from_slice(content);
        data.resize(data.len().next_multiple_of(SECTOR), 0);
        chains.push((first, directory_sectors + data.len() / SECTOR));
        u32::try_from(first).unwrap()
    };
    let mut entries = vec![entry("Root Entry", 5, NONE, 1, END, 0)];
    let number = |at: usize| u32::try_from(at).unwrap();
    for (at, (path, content)) in top.iter().enumerate() {
        let last = at + 1 == top.len() && storages.is_empty();
        let next = if last { NONE } else { number(at + 2) };
        // A stream below 4,096 octets would lie in the small chain.
        let content = padded(content);
        let start = place(&content);
        entries.push(entry(path, 2, next, NONE, start, content.len()));
    }
    for (at, storage) in storages.iter().enumerate() {
        let own = 1 + top.len() + at * 2;
        let next = if at + 1 == storages.len() { NONE } else { number(own + 2) };
        let (path, content) =
            streams.iter().find(|(path, _)| path.starts_with(&format!("{storage}/"))).unwrap();
        let content = if content.is_empty() { Vec::new() } else { padded(content) };
        let start = place(&content);
        entries.push(entry(storage, 1, next, number(own + 1), END, 0));
        entries.push(entry(path.rsplit('/').next().unwrap(), 2, NONE, NONE, start, content.len()));
    }
    let mut directory: Vec<u8> = entries.concat();
    directory.resize(directory_sectors * SECTOR, 0);
    finished(&directory, &data, &chains)
}

fn padded(content: &[u8]) -> Vec<u8> {
    let mut content = content.to_vec();
    content.resize(content.len().max(4_096), 0);
    content
}

/// Directory, data, and the table of the chains behind both.
fn finished(directory: &[u8], data: &[u8], chains: &[(usize, usize)]) -> Vec<u8> {
    let used = (directory.len() + data.len()) / SECTOR;
    let tables = (used + used / 100 + 8).div_ceil(128);
    let lists = tables.saturating_sub(109).div_ceil(127);
    let mut table = vec![NONE; tables * 128];
    for (from, to) in chains.iter().copied().chain([(0, directory.len() / SECTOR)]) {
        for (at, next) in table[from..to].iter_mut().enumerate() {
            *next = if from + at + 1 == to { END } else { u32::try_from(from + at + 1).unwrap() };
        }
    }
    let sectors: Vec<u32> = (used..used + tables).map(|at| u32::try_from(at).unwrap()).collect();
    let mut header = vec![0; SECTOR];
    header[..8].copy_from_slice(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    header[24..34].copy_from_slice(&[0x3E, 0, 3, 0, 0xFE, 0xFF, 9, 0, 6, 0]);
    header[44..48].copy_from_slice(&u32::try_from(tables).unwrap().to_le_bytes());
    header[48..52].copy_from_slice(&0_u32.to_le_bytes());
    header[60..64].copy_from_slice(&END.to_le_bytes());
    let first_list = if lists == 0 { END } else { u32::try_from(used + tables).unwrap() };
    header[68..72].copy_from_slice(&first_list.to_le_bytes());
    header[76..].fill(0xFF);
    for (at, sector) in sectors.iter().take(109).enumerate() {
        header[76 + at * 4..80 + at * 4].copy_from_slice(&sector.to_le_bytes());
    }
    let mut out = [&header[..], directory, data].concat();
    out.extend(table.iter().flat_map(|number| number.to_le_bytes()));
    for (at, list) in sectors.get(109..).unwrap_or_default().chunks(127).enumerate() {
        let mut sector: Vec<u32> = list.to_vec();
        sector.resize(127, NONE);
        sector.push(if at + 1 == lists { END } else { first_list + u32::try_from(at + 1).unwrap() });
        out.extend(sector.iter().flat_map(|number| number.to_le_bytes()));
    }
    out
}

fn entry(name: &str, kind: u8, next: u32, child: u32, start: u32, size: usize) -> Vec<u8> {
    let mut entry = vec![0; 128];
    let name: Vec<u8> = name.encode_utf16().take(31).flat_map(u16::to_le_bytes).collect();
    entry[..name.len()].copy_from_slice(&name);
    entry[64..66].copy_from_slice(&u16::try_from(name.len() + 2).unwrap().to_le_bytes());
    entry[66] = kind;
    for (at, number) in [(68, NONE), (72, next), (76, child), (116, start)] {
        entry[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    entry[120..124].copy_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
    entry
}
