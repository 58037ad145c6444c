//! PDF: what `pdftotext` of poppler shows, of the fixtures and of what qpdf makes of each.

use super::*;

/// The ways in which qpdf writes a file anew; the last one encrypts it with an empty password.
const REWRITTEN: [&str; 8] = [
    "--qdf --object-streams=disable",
    "--object-streams=generate",
    "--linearize",
    "--stream-data=uncompress",
    "--recompress-flate --compression-level=9",
    "--coalesce-contents",
    "--remove-unreferenced-resources=yes --normalize-content=y",
    "--encrypt  x 256 --",
];

#[test]
fn what_pdftotext_shows_is_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents");
    for name in ["text.pdf", "attachments-open.pdf"] {
        let scratch = Scratch::new();
        scratch.write("a.pdf", std::fs::read(format!("{folder}/{name}")).unwrap());
        let mut written = vec!["a.pdf".to_owned()];
        for (number, options) in REWRITTEN.iter().enumerate() {
            scratch.run(&format!("qpdf {options} a.pdf {number}.pdf"));
            written.push(format!("{number}.pdf"));
        }
        // One after the other in one file, and one page again and again.
        scratch.run("qpdf --empty --pages a.pdf 0.pdf 1.pdf -- many.pdf");
        written.push("many.pdf".to_owned());
        for file in written {
            scratch.run(&format!("pdftotext -q -enc UTF-8 {file} {file}.txt"));
            let theirs = String::from_utf8(scratch.read(&format!("{file}.txt"))).unwrap();
            if words(&theirs).is_empty() {
                assert_eq!(name, "attachments-open.pdf", "{file}");
                continue;
            }
            assert_read(&format!("{name} {file}"), &scratch.read(&file), &theirs);
        }
    }
}
