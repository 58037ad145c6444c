//! Files of office programs, written here: text in paragraphs, and rows in tables and sheets, some of whose cells are
//! empty or hold numbers.

use std::fmt::Write as _;

use crate::protected::page;

/// An archive of parts that are not packed.
pub(crate) fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in parts {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let size = u32::try_from(content.len()).unwrap().to_le_bytes();
        let place = u32::try_from(file.len()).unwrap().to_le_bytes();
        let length = u16::try_from(name.len()).unwrap().to_le_bytes();
        let common =
            [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &crc.sum().to_le_bytes(), &size, &size, &length, &[0, 0]];
        let common = common.concat();
        file.extend([b"PK\x03\x04", &common[..], name.as_bytes(), content].concat());
        directory.extend([b"PK\x01\x02\x14\0", &common[..], &[0; 10], &place, name.as_bytes()].concat());
    }
    let count = u16::try_from(parts.len()).unwrap().to_le_bytes();
    let [length, place] =
        [directory.len(), file.len()].map(|size| u32::try_from(size).unwrap().to_le_bytes());
    [&file[..], &directory, b"PK\x05\x06\0\0\0\0", &count, &count, &length, &place, &[0, 0]].concat()
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Word, with tabs and line ends as it writes them.
pub(crate) fn docx(text: &str) -> Vec<u8> {
    let run = xml(text).replace("\r\n", "</w:t><w:br/><w:t>").replace('\t', "</w:t><w:tab/><w:t>");
    word(&format!("<w:p><w:r><w:t xml:space=\"preserve\">{run}</w:t></w:r></w:p>"))
}

/// A table of Word.
pub(crate) fn docx_table(rows: &[Vec<String>]) -> Vec<u8> {
    let cell = |cell: &String| {
        let text =
            if cell.is_empty() { String::new() } else { format!("<w:r><w:t>{}</w:t></w:r>", xml(cell)) };
        format!("<w:tc><w:tcPr><w:tcW w:w=\"9\"/></w:tcPr><w:p>{text}</w:p></w:tc>")
    };
    let row = |row: &Vec<String>| format!("<w:tr>{}</w:tr>", row.iter().map(cell).collect::<String>());
    let rows: String = rows.iter().map(row).collect();
    word(&format!("<w:p><w:r><w:t>Hej</w:t></w:r></w:p><w:tbl>{rows}</w:tbl><w:p/>"))
}

fn word(body: &str) -> Vec<u8> {
    let document = format!("<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>");
    archive(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", document.as_bytes())])
}

/// `PowerPoint`.
pub(crate) fn pptx(text: &str) -> Vec<u8> {
    let text = xml(text).replace("\r\n", "</a:t></a:r><a:br/><a:r><a:t>");
    let slide = format!(
        "<p:sld xmlns:p=\"p\" xmlns:a=\"a\"><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sld>"
    );
    archive(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("ppt/presentation.xml", b"<p:presentation xmlns:p=\"p\"/>"),
        ("ppt/slides/slide1.xml", slide.as_bytes()),
    ])
}

/// `LibreOffice`'s text.
pub(crate) fn odt(text: &str) -> Vec<u8> {
    let text = xml(text)
        .replace("\r\n", "<text:line-break/>")
        .replace('\t', "<text:tab/>")
        .replace("  ", " <text:s/>");
    open_document("text", &format!("<office:text><text:p>{text}</text:p></office:text>"))
}

/// `LibreOffice`'s sheet: numbers are numbers, and empty cells are counted.
pub(crate) fn ods(rows: &[Vec<String>]) -> Vec<u8> {
    let cell = |cell: &String| match cell.as_str() {
        "" => "<table:table-cell table:number-columns-repeated=\"1\"/>".to_owned(),
        number if is_number(number) => format!(
            "<table:table-cell office:value-type=\"float\" office:value=\"{0}\"><text:p>{0}</text:p></table:table-cell>",
            number.trim_start_matches('0')
        ),
        text => format!("<table:table-cell><text:p>{}</text:p></table:table-cell>", xml(text)),
    };
    let row = |row: &Vec<String>| {
        let cells: String = row.iter().map(cell).collect();
        format!(
            "<table:table-row>{cells}<table:table-cell table:number-columns-repeated=\"1000\"/></table:table-row>"
        )
    };
    let rows: String = rows.iter().map(row).collect();
    open_document(
        "spreadsheet",
        &format!("<office:spreadsheet><table:table>{rows}</table:table></office:spreadsheet>"),
    )
}

fn open_document(kind: &str, body: &str) -> Vec<u8> {
    let content = format!(
        "<office:document-content xmlns:office=\"o\" xmlns:text=\"t\" xmlns:table=\"t\"><office:body>{body}</office:body></office:document-content>"
    );
    archive(&[
        ("mimetype", format!("application/vnd.oasis.opendocument.{kind}").as_bytes()),
        ("META-INF/manifest.xml", b"<manifest/>"),
        ("content.xml", content.as_bytes()),
    ])
}

/// Excel: digits are numbers, so that they lose their first zeros, and empty cells are left out.
pub(crate) fn xlsx(rows: &[Vec<String>]) -> Vec<u8> {
    let cells = |(number, row): (usize, &Vec<String>)| {
        let cells = row.iter().enumerate().filter(|(_, cell)| !cell.is_empty());
        let cells: String = cells
            .map(|(column, cell)| {
                let place = format!("{}{}", char::from(b'A' + u8::try_from(column).unwrap()), number + 1);
                if is_number(cell) {
                    format!("<c r=\"{place}\"><v>{}</v></c>", cell.trim_start_matches('0'))
                } else {
                    format!("<c r=\"{place}\" t=\"inlineStr\"><is><t>{}</t></is></c>", xml(cell))
                }
            })
            .collect();
        format!("<row r=\"{}\">{cells}</row>", number + 1)
    };
    let rows: String = rows.iter().enumerate().map(cells).collect();
    let sheet = format!("<worksheet><sheetData>{rows}</sheetData></worksheet>");
    archive(&[
        ("[Content_Types].xml", b"<Types><Override PartName=\"/xl/workbook.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml\"/><Override PartName=\"/xl/worksheets/sheet1.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml\"/></Types>"),
        ("_rels/.rels", b"<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"),
        ("xl/workbook.xml", b"<workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><sheets><sheet name=\"Blad1\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"),
        ("xl/_rels/workbook.xml.rels", b"<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"),
        ("xl/worksheets/sheet1.xml", sheet.replace("<worksheet>", "<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\">").as_bytes()),
    ])
}

/// Excel's binary workbook, its numbers as numbers.
pub(crate) fn xlsb(rows: &[Vec<String>]) -> Vec<u8> {
    let mut sheet = Vec::new();
    let mut record = |kind: u8, content: &[u8]| {
        let length = content.len();
        sheet.push(kind);
        sheet.extend([u8::try_from(length & 0x7F).unwrap() | 0x80, u8::try_from(length >> 7).unwrap()]);
        sheet.extend(content);
    };
    for (number, row) in rows.iter().enumerate() {
        record(0, &u32::try_from(number).unwrap().to_le_bytes());
        for (column, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            let place = [u32::try_from(column).unwrap().to_le_bytes(), [0; 4]].concat();
            if is_number(cell) {
                record(5, &[&place[..], &cell.parse::<f64>().unwrap().to_le_bytes()].concat());
            } else {
                let text: Vec<u8> = cell.encode_utf16().flat_map(u16::to_le_bytes).collect();
                let length = u32::try_from(text.len() / 2).unwrap().to_le_bytes();
                record(6, &[&place[..], &length, &text].concat());
            }
        }
    }
    archive(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("xl/workbook.bin", b""),
        ("xl/worksheets/sheet1.bin", &sheet),
    ])
}

fn is_number(cell: &str) -> bool {
    cell.len() >= 9 && cell.bytes().all(|byte| byte.is_ascii_digit())
}

/// RTF, in which what is not ASCII is a number.
pub(crate) fn rtf(text: &str) -> Vec<u8> {
    format!("{{\\rtf1\\ansi {}\\par}}", rtf_text(text)).into_bytes()
}

/// A table of RTF.
pub(crate) fn rtf_table(rows: &[Vec<String>]) -> Vec<u8> {
    let cell = |cell: &String| format!("\\pard\\intbl {}\\cell", rtf_text(cell));
    let row = |row: &Vec<String>| format!("\\trowd{}\\row\n", row.iter().map(cell).collect::<String>());
    format!("{{\\rtf1\\ansi Hej\\par\n{}}}", rows.iter().map(row).collect::<String>()).into_bytes()
}

fn rtf_text(text: &str) -> String {
    let text = text.replace("\r\n", "\\line ").replace('\t', "\\tab ");
    text.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii() {
            out.push(c);
        } else {
            write!(out, "\\u{}?", u32::from(c)).unwrap();
        }
        out
    })
}

/// A page of PDF in a font whose codes are Unicode.
pub(crate) fn pdf(text: &str) -> Vec<u8> {
    let line = |line: &str| {
        let codes = line.encode_utf16().map(|unit| format!("{unit:04x}")).collect::<Vec<_>>().concat();
        format!("<{codes}> Tj 0 -14 Td ")
    };
    let lines: String = text.split("\r\n").map(line).collect();
    pdf_page(&format!("BT /F 12 Tf 60 700 Td {lines}ET"))
}

/// A table on a page of PDF: each cell is put where its column is.
pub(crate) fn pdf_table(rows: &[Vec<String>]) -> Vec<u8> {
    let mut shown = String::from("BT /F 10 Tf ");
    for (number, row) in rows.iter().enumerate() {
        for (column, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            let codes = cell.encode_utf16().map(|unit| format!("{unit:04x}")).collect::<Vec<_>>().concat();
            write!(shown, "1 0 0 1 {} {} Tm <{codes}> Tj ", 40 + column * 110, 780 - number * 14).unwrap();
        }
    }
    pdf_page(&(shown + "ET"))
}

fn pdf_page(content: &str) -> Vec<u8> {
    let map = "1 begincodespacerange <0000> <ffff> endcodespacerange 1 beginbfrange <0000> <ffff> <0000> endbfrange";
    page(
        content,
        "<</Font<</F 5 0 R>>>>",
        &[
            "<</Type/Font/Subtype/Type0/Encoding/Identity-H/DescendantFonts[6 0 R]/ToUnicode 7 0 R>>",
            "<</Type/Font/Subtype/CIDFontType2/DW 500>>",
            &format!("<</Length {}>>\nstream\n{map}\nendstream", map.len()),
        ],
    )
}
