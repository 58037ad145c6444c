//! Text in pictures: scans are made by the programs that make them, and read by the real tesseract.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::content::{self, RULES, counts};
use super::documents::Scratch;
use super::planted::places::attached;
use super::protected::page;

/// A published test number: it belongs to nobody.
const LINES: [&str; 4] = [
    "Exempelby kommun, socialtjansten",
    "Till den det berorer: beslut i arendet",
    "Personnummer 811228-9874",
    "Bilaga till beslutet.",
];

/// A page of text in a font that every reader has.
fn text() -> Vec<u8> {
    let lines = LINES.iter().map(|line| format!("({line}) Tj 0 -40 Td ")).collect::<Vec<_>>().concat();
    page(
        &format!("BT /F 18 Tf 60 700 Td {lines}ET"),
        "<</Font<</F 5 0 R>>>>",
        &["<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"],
    )
}

/// The page as a scanner sends it: a picture.
fn scan(scratch: &Scratch, kind: &str) -> Vec<u8> {
    picture(scratch, &text(), kind)
}

fn picture(scratch: &Scratch, page: &[u8], kind: &str) -> Vec<u8> {
    scratch.write("text.pdf", page);
    scratch.run(&format!("pdftoppm -r 200 -gray -{kind} -singlefile text.pdf scan"));
    let ending = if kind == "jpeg" { "jpg" } else { "tif" };
    scratch.read(&format!("scan.{}", if kind == "png" { "png" } else { ending }))
}

/// A PDF document, each page of which is one of the pictures.
fn scanned(pictures: &[&[u8]]) -> Vec<u8> {
    let mut file = b"%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n".to_vec();
    let mut add = |object: &str| file.extend(object.bytes());
    let kids = (0..pictures.len()).map(|page| format!("{} 0 R ", page * 2 + 4)).collect::<Vec<_>>().concat();
    let count = pictures.len();
    add(&format!("2 0 obj\n<</Type/Pages/Kids[{kids}]/Count {count}/MediaBox[0 0 595 842]>>\nendobj\n"));
    let content = "q 595 0 0 842 0 0 cm /I Do Q";
    add(&format!("3 0 obj\n<</Length {}>>\nstream\n{content}\nendstream\nendobj\n", content.len()));
    for (page, picture) in pictures.iter().enumerate() {
        let (page, length) = (page * 2 + 4, picture.len());
        file.extend(
            format!(
                "{page} 0 obj\n<</Type/Page/Parent 2 0 R/Contents 3 0 R/Resources<</XObject<</I {image} 0 R>>>>>>\nendobj\n\
                 {image} 0 obj\n<</Type/XObject/Subtype/Image/Width 1653/Height 2339/BitsPerComponent 8\
                 /ColorSpace/DeviceRGB/Filter/DCTDecode/Length {length}>>\nstream\n",
                image = page + 1
            )
            .bytes(),
        );
        file.extend([picture, &b"\nendstream\nendobj\n"[..]].concat());
    }
    file.extend(b"trailer\n<</Root 1 0 R>>\n%%EOF\n");
    file
}

/// What becomes of mails with these files, under the rules with this besides.
fn explained(scratch: &Scratch, ocr: &str, files: &[(&str, &[u8])]) -> Vec<Value> {
    let paths: Vec<PathBuf> = files.iter().map(|(name, _)| scratch.path(&format!("{name}.eml"))).collect();
    for ((name, octets), path) in files.iter().zip(&paths) {
        let head = "From: anna@exempelby.se\r\nTo: mottagare@example.org\r\nSubject: Skannat\r\nMIME-Version: 1.0\r\n";
        let content = attached(name, "application/octet-stream", octets);
        scratch.write(path.to_str().unwrap(), format!("{head}{content}"));
    }
    content::explain(scratch, &format!("{RULES}{ocr}"), &paths)
}

/// Class, and state of the attachment with its reason.
fn outcome(said: &Value) -> (u64, String) {
    let attachment = &said["facts"]["attachments"][0];
    let state = ["state", "reason"].map(|key| attachment[key].as_str().unwrap_or_default()).join(" ");
    (said["class"].as_u64().unwrap(), state.trim_end().to_owned())
}

fn with(program: &str) -> String {
    format!("[ocr]\ntesseract = \"{program}\"\n")
}

const TESSERACT: &str = "/usr/bin/tesseract";

#[test]
fn a_scan_is_read_where_the_config_says_so() {
    assert!(Path::new(TESSERACT).exists(), "apt-get install tesseract-ocr tesseract-ocr-swe poppler-utils");
    let scratch = Scratch::new();
    let (jpeg, png, tiff) = (scan(&scratch, "jpeg"), scan(&scratch, "png"), scan(&scratch, "tiff"));
    let pdf = scanned(&[&jpeg, &jpeg]);
    let files = [("a.pdf", &*pdf), ("a.jpg", &*jpeg), ("a.png", &*png), ("a.tif", &*tiff)];
    for said in explained(&scratch, "", &files) {
        assert_eq!(outcome(&said), (0, "uninspectable image-only".to_owned()), "{}", said["file"]);
    }
    for said in explained(&scratch, &with(TESSERACT), &files) {
        assert_eq!(outcome(&said), (2, "plain".to_owned()), "{said}");
        assert_eq!(counts(&said)["personnummer"], 1, "{said}");
    }
}

#[test]
fn more_pages_than_are_looked_at_are_said() {
    let scratch = Scratch::new();
    let first = scan(&scratch, "jpeg");
    // Pages without text cost next to nothing.
    let blank = picture(&scratch, &page("", "<<>>", &[]), "jpeg");
    let long = scanned(&[&[&*first][..], &[&*blank; 11]].concat());
    let said = explained(&scratch, &with(TESSERACT), &[("long.pdf", &long)]).remove(0);
    assert_eq!(outcome(&said), (2, "uninspectable image-only".to_owned()), "what was read counts");
}

#[test]
fn each_failure_has_its_reason() {
    let scratch = Scratch::new();
    let jpeg = scan(&scratch, "jpeg");
    let pdf = scanned(&[&jpeg]);
    // Programs that are not there, that fail, and that say more than a page can.
    scratch.write("endless", "#!/bin/sh\nexec /usr/bin/yes\n");
    scratch.run("chmod 755 endless");
    let endless = scratch.path("endless").to_str().unwrap().to_owned();
    for (program, reason) in [
        ("/usr/bin/nonexistent", "uninspectable unavailable"),
        ("/bin/false", "uninspectable crash"),
        (&*endless, "uninspectable limit"),
    ] {
        for said in explained(&scratch, &with(program), &[("a.jpg", &jpeg), ("a.pdf", &pdf)]) {
            assert_eq!(outcome(&said), (0, reason.to_owned()), "{program}: {said}");
        }
    }
    let no_pages = format!("{}pdftoppm = \"/usr/bin/nonexistent\"\n", with(TESSERACT));
    let said = explained(&scratch, &no_pages, &[("a.pdf", &pdf)]).remove(0);
    assert_eq!(outcome(&said), (0, "uninspectable unavailable".to_owned()));
    let no_language = format!("{}languages = \"xyz\"\n", with(TESSERACT));
    let said = explained(&scratch, &no_language, &[("a.jpg", &jpeg)]).remove(0);
    assert_eq!(outcome(&said), (0, "uninspectable crash".to_owned()));
}

/// A program that recognises text runs within limits, and writes nothing but its answer.
#[test]
fn such_a_program_is_confined() {
    let scratch = Scratch::new();
    let file = scratch.path("written");
    let script = format!("ulimit -t; ulimit -v; ulimit -f; : > {}; echo on", file.display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_postvakt"));
    let output = command.args(["become", "/bin/sh", "-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("30\n1048576\n0\n") && !said.contains("on\n"), "{output:?}");
    assert!(!file.exists());
    let output =
        Command::new(env!("CARGO_BIN_EXE_postvakt")).args(["become", "/nonexistent"]).output().unwrap();
    assert_eq!(output.status.code(), Some(127), "{output:?}");
}
