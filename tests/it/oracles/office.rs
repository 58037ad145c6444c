//! Office documents: what `LibreOffice` shows of each, and of what it makes of them in its other formats.

use super::*;

/// Converts files; all of a kind in one go, since the program takes long to start.
fn convert(scratch: &Scratch, to: &str, files: &[String]) {
    let profile = scratch.path("profile");
    let profile = profile.to_str().unwrap();
    let files = files.join(" ");
    scratch
        .run(&format!("soffice -env:UserInstallation=file://{profile} --headless --convert-to {to} {files}"));
}

#[test]
fn what_libreoffice_shows_is_read() {
    let scratch = Scratch::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents");
    let own = |name: &str| std::fs::read(format!("{folder}/{name}")).unwrap();
    // Pages of text: the fixture, and one that is made here.
    let page = String::from_utf8(own("text.fodt")).unwrap();
    let (before, after) = page.split_once("<office:text>").unwrap();
    let paragraphs = text(40).replace("Rad", "<text:p>Rad").replace('\n', "</text:p>");
    scratch.write("ny.fodt", format!("{before}<office:text>{paragraphs}{after}"));
    scratch.write("text.fodt", &page);
    let mut pages = vec!["ny.fodt".to_owned(), "text.fodt".to_owned()];
    for ending in ["odt", "docx", "doc", "rtf"] {
        convert(&scratch, ending, &pages[..2]);
        pages.extend([format!("ny.{ending}"), format!("text.{ending}")]);
    }
    for page in &pages {
        convert_to_text(&scratch, "txt:Text\u{20}(encoded):UTF8", page, "txt");
    }
    // Tables.
    scratch.write("rader.csv", text(60).replace(' ', ","));
    let mut tables = vec![];
    for ending in ["ods", "xlsx", "xls", "fods"] {
        convert(&scratch, ending, &["rader.csv".to_owned()]);
        tables.push(format!("rader.{ending}"));
    }
    for table in &tables {
        convert_to_text(
            &scratch,
            "csv:Text\u{20}-\u{20}txt\u{20}-\u{20}csv\u{20}(StarCalc):44,34,76",
            table,
            "csv",
        );
    }
}

/// Compares what `LibreOffice` shows of a file as text with what is read of the file.
fn convert_to_text(scratch: &Scratch, filter: &str, file: &str, ending: &str) {
    let profile = scratch.path("profile");
    let shown = scratch.path(&format!("shown-{file}"));
    let mut soffice = std::process::Command::new("soffice");
    soffice.arg(format!("-env:UserInstallation=file://{}", profile.display()));
    soffice.args(["--headless", "--convert-to", filter, "--outdir"]).arg(&shown).arg(scratch.path(file));
    let output =
        soffice.output().expect("soffice; apt-get install libreoffice-writer-nogui libreoffice-calc-nogui");
    assert!(output.status.success(), "{file}: {output:?}");
    let (stem, _) = file.rsplit_once('.').unwrap();
    let theirs = std::fs::read(shown.join(format!("{stem}.{ending}")))
        .unwrap_or_else(|error| panic!("{file}: {error}; {output:?}"));
    assert_read(file, &scratch.read(file), &String::from_utf8_lossy(&theirs));
}
