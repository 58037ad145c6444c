//! Places where numbers stand: sentences, tables, and the parts of mails and files that carry them.

use super::files;
use crate::documents::messages::base64;

/// Sentences that call the number what it is, among words that mislead.
pub(crate) const LABELLED: &[&str] = &[
    "Personnummer: {}.",
    "Hej, mitt pnr är {} och jag vill boka en tid.",
    "Ärendet gäller elev född {} i klass 7B.",
    "Fakturan avser vård. Personnummer {}.",
    "Incidentrapport, protokoll 3. Pers.nr: {}",
    "Kund med personnr {} har ringt om sitt ärende.",
    "Samordningsnummer/personnummer: {} (se dnr KS 2026/123)",
    "Referens: faktura 4711. Sökandens personnummer är {}",
    "Vi behöver svar om brukaren (p-nr {}) före fredag.",
    "Barnets födelsenummer: {}; vårdnadshavare är informerade.",
    "Ring 070-174 06 05 om eleven med person-nr {}!",
    "Order 12, version 3, build 7. Födelsedata {}",
];

/// Sentences that call it nothing, and have words of a category.
pub(crate) const SENSITIVE: &[&str] = &[
    "Läkarintyg och sjukskrivning för {} kom i går.",
    "Orosanmälan om {} och beslut om ekonomiskt bistånd bifogas.",
    "Protokoll fört vid samtal med {} om försörjningsstöd och missbruk.",
];

/// How a text stands in a mail: the name, and the message's header and body.
pub(crate) type Container = (&'static str, fn(&str) -> String);

/// Mails that carry a text.
pub(crate) const CONTAINERS: &[Container] = &[
    ("body", |text| plain("text/plain; charset=utf-8", text)),
    ("body in base64", |text| {
        format!(
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
            base64(text.as_bytes())
        )
    }),
    ("page", |text| plain("text/html; charset=utf-8", &format!("<p>Hej</p><p>{}</p>", html(text)))),
    ("frame", |text| {
        let inner = html(&format!("<p>{}</p>", html(text)));
        plain("text/html; charset=utf-8", &format!("<p>Hej</p><iframe srcdoc=\"{inner}\"></iframe>"))
    }),
    ("text file", |text| attached("anteckning.txt", "text/plain", text.as_bytes())),
    ("UTF-16 file", |text| {
        let octets: Vec<u8> =
            "\u{FEFF}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        attached("anteckning.txt", "text/plain", &octets)
    }),
    ("page in a file", |text| {
        attached("sida.html", "text/html", format!("<td>{}</td>", html(text)).as_bytes())
    }),
    ("JSON", |text| {
        let escaped: String =
            text.chars().map(|c| if c.is_ascii() { c.to_string() } else { units(c) }).collect();
        let quoted = escaped.replace("\r\n", "\\r\\n").replace('\t', "\\t");
        attached("export.json", "application/json", format!("{{\"anteckning\": \"{quoted}\"}}").as_bytes())
    }),
    ("XML", |text| {
        attached("export.xml", "text/xml", format!("<a><b>1</b><c>{}</c></a>", html(text)).as_bytes())
    }),
    ("message in a message", |text| {
        attached("brev.eml", "message/rfc822", plain("text/plain; charset=utf-8", text).as_bytes())
    }),
    ("calendar", |text| {
        let text = text.replace("\r\n", " ");
        let event = format!(
            "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDESCRIPTION:{text}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        attached("mote.ics", "text/calendar", event.as_bytes())
    }),
    ("Word", |text| attached("brev.docx", OCTETS, &files::docx(text))),
    ("PowerPoint", |text| attached("bilder.pptx", OCTETS, &files::pptx(text))),
    ("LibreOffice", |text| attached("brev.odt", OCTETS, &files::odt(text))),
    ("RTF", |text| attached("brev.rtf", "application/rtf", &files::rtf(text))),
    ("PDF", |text| attached("brev.pdf", "application/pdf", &files::pdf(text))),
    ("archive", |text| attached("brev.zip", OCTETS, &files::archive(&[("brev.docx", &files::docx(text))]))),
];

const OCTETS: &str = "application/octet-stream";

/// How rows stand in a mail.
pub(crate) type Sheet = (&'static str, fn(&[Vec<String>]) -> String);

/// Mails that carry a table.
pub(crate) const SHEETS: &[Sheet] = &[
    ("semicolons", |rows| attached("lista.csv", "text/csv", joined(rows, ";").as_bytes())),
    ("commas", |rows| attached("lista.csv", "text/csv", joined(rows, ",").as_bytes())),
    ("tabs", |rows| attached("lista.tsv", "text/tab-separated-values", joined(rows, "\t").as_bytes())),
    ("quoted fields", |rows| {
        let quoted: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| format!("\"{cell}\"")).collect()).collect();
        attached("lista.csv", "text/csv", joined(&quoted, ";").as_bytes())
    }),
    ("pipes in the body", |rows| plain("text/plain; charset=utf-8", &joined(rows, " | "))),
    ("tabs in the body", |rows| plain("text/plain; charset=utf-8", &joined(rows, "\t"))),
    ("table of a page", |rows| {
        let row = |row: &Vec<String>| {
            let cells: Vec<String> = row.iter().map(|cell| format!("<td>{}</td>", html(cell))).collect();
            format!("<tr>{}</tr>\r\n", cells.concat())
        };
        let rows: String = rows.iter().map(row).collect();
        plain("text/html; charset=utf-8", &format!("<p>Hej</p><table>{rows}</table>"))
    }),
    ("table of a page as Outlook writes it", |rows| {
        let cell =
            |cell: &String| format!(" <td>\r\n  <p class=x>{}<o:p></o:p></p>\r\n </td>\r\n", html(cell));
        let row =
            |row: &Vec<String>| format!("<tr>\r\n{}</tr>\r\n", row.iter().map(cell).collect::<String>());
        let rows: String = rows.iter().map(row).collect();
        plain("text/html; charset=utf-8", &format!("<p>Hej</p>\r\n<table>\r\n{rows}</table>\r\n"))
    }),
    ("Excel", |rows| attached("lista.xlsx", OCTETS, &files::xlsx(rows))),
    ("binary workbook", |rows| attached("lista.xlsb", OCTETS, &files::xlsb(rows))),
    ("sheet of LibreOffice", |rows| attached("lista.ods", OCTETS, &files::ods(rows))),
    ("table of Word", |rows| attached("lista.docx", OCTETS, &files::docx_table(rows))),
    ("table of RTF", |rows| attached("lista.rtf", "application/rtf", &files::rtf_table(rows))),
    ("table of PDF", |rows| attached("lista.pdf", "application/pdf", &files::pdf_table(rows))),
];

fn joined(rows: &[Vec<String>], delimiter: &str) -> String {
    rows.iter().map(|row| row.join(delimiter) + "\r\n").collect()
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// A character as JSON writes it that is to be ASCII.
fn units(character: char) -> String {
    let mut buffer = [0; 2];
    let units: Vec<String> =
        character.encode_utf16(&mut buffer).iter().map(|unit| format!("\\u{unit:04x}")).collect();
    units.concat()
}

fn plain(media_type: &str, text: &str) -> String {
    format!("Content-Type: {media_type}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n")
}

pub(crate) fn attached(name: &str, media_type: &str, octets: &[u8]) -> String {
    format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSe bilagan.\r\n--b\r\n\
         Content-Type: {media_type}; name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n{}\r\n--b--\r\n",
        base64(octets)
    )
}
