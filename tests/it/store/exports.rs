//! Exports in all forms and profiles, opened by what people open them with.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::cli::run;
use super::*;

/// Mails as hostile as their senders.
async fn store(directory: &Path) {
    let store = Store::open(directory, "gw1").unwrap();
    for subject in [
        "Ansökan om bygglov, Åsgård 1:23",
        "=HYPERLINK(\"http://example.org\";\"klicka\")",
        "+46 70 174 06 05",
        "@SUM(A1:A9)",
        "\t=1+1",
        "Ang. 850709-9805; \"citat\"\r\nny rad",
        "SKYDDAD identitet \u{202E}fdp.exe",
    ] {
        store.commit(entry(subject)).await.unwrap();
    }
    store.close().await;
}

fn export(directory: &Path, output: &Path, more: &[&str]) -> (u8, String) {
    let output = output.to_str().unwrap();
    let arguments = ["export", "--decision", "KS 1", "--purpose", "utlämnande", "--output", output];
    run(directory, &arguments.iter().chain(more).copied().collect::<Vec<_>>())
}

fn manifest(output: &Path) -> Value {
    let mut name = output.as_os_str().to_owned();
    name.push(".manifest.json");
    serde_json::from_str(&fs::read_to_string(name).unwrap()).unwrap()
}

#[tokio::test]
async fn a_page_is_written_for_people() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let file = directory.path().join("log.html");
    let (code, out) = export(&path, &file, &["--format", "html", "--subject", "bygglov"]);
    assert_eq!(code, 0, "{out}");
    let page = fs::read_to_string(&file).unwrap();
    for wanted in [
        "Exempelby kommun",
        "ämne bygglov",
        "utlämnande",
        "Ansökan om bygglov, Åsgård 1:23",
        "gw1-1-000000000001",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert!(!page.contains("HYPERLINK") && !page.contains("<script") && !page.contains("src="));
    assert_eq!(
        (&manifest(&file)["rows"], &manifest(&file)["format"]),
        (&Value::from(1), &Value::from("html"))
    );
}

#[tokio::test]
async fn a_disclosure_masks_and_lists_what_it_masked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let file = directory.path().join("log.csv");
    let (code, out) =
        export(&path, &file, &["--format", "csv", "--profile", "disclose", "--mask", "client,helo"]);
    assert_eq!(code, 0, "{out}");
    let csv = fs::read_to_string(&file).unwrap();
    assert!(csv.contains("Ang. [personnummer]; \"\"citat\"\"⏎ny rad") && !csv.contains("850709"), "{csv}");
    assert!(csv.contains("\"[maskerat]\"") && !csv.contains("192.0.2.1"));
    let review = fs::read_to_string(directory.path().join("log.csv.review.csv")).unwrap();
    let lines: Vec<&str> = review.lines().filter(|line| line.contains("personnummer")).collect();
    assert_eq!(lines.len(), 1, "{review}");
    assert!(
        lines[0].contains("gw1-1-000000000006")
            && lines[0].contains("\"subject\"")
            && !review.contains("850709")
    );
    let manifest = manifest(&file);
    assert_eq!(manifest["masked"]["subject: personnummer masked"], 1);
    assert_eq!(manifest["masked"]["client: column masked"], 7);
    assert_eq!(
        (&manifest["profile"], &manifest["review"]),
        (&Value::from("disclose"), &Value::from("log.csv.review.csv"))
    );
    let (code, out) = export(&path, &directory.path().join("x"), &["--format", "csv", "--mask", "colour"]);
    assert!(code == 2 && out.contains("--mask colour"), "{out}");
}

#[tokio::test]
async fn pseudonyms_are_the_same_within_one_export_and_in_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let exported = |name: &str| {
        let file = directory.path().join(name);
        assert_eq!(export(&path, &file, &["--format", "jsonl", "--profile", "pseudonym"]).0, 0);
        fs::read_to_string(&file).unwrap()
    };
    let (first, second) = (exported("a.jsonl"), exported("b.jsonl"));
    for secret in ["anna", "registrator", "example.org", "bygglov", "192.0.2.1", "4fKq", "Ansökan"] {
        assert!(!first.contains(secret), "{secret}: {first}");
    }
    let senders = |text: &str| -> Vec<String> {
        let sender = |line: &str| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["postvakt"]["envelope"]["from"].as_str().unwrap().to_owned()
        };
        text.lines().map(sender).collect()
    };
    let (first, second) = (senders(&first), senders(&second));
    assert!(first.iter().all(|sender| *sender == first[0]), "{first:?}");
    assert_ne!(first[0], second[0]);
}

/// Python's own reader of zip files and XML, as anybody may write it.
const READ_XLSX: &str = r#"
import json, sys, zipfile, xml.etree.ElementTree as E
n = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
book = zipfile.ZipFile(sys.argv[1])
sheet = E.fromstring(book.read("xl/worksheets/sheet1.xml"))
rows = [[("".join(t.text or "" for t in c.iterfind(".//m:t", n)), c.get("t") or "n", c.find("m:f", n) is not None)
         for c in r.iterfind("m:c", n)] for r in sheet.iterfind(".//m:row", n)]
print(json.dumps({"rows": rows, "filter": sheet.find("m:autoFilter", n).get("ref"),
                  "frozen": sheet.find(".//m:pane", n).get("ySplit"),
                  "shared": "xl/sharedStrings.xml" in book.namelist()}))
"#;

#[tokio::test]
async fn a_workbook_has_a_filter_a_head_that_stays_and_no_formula() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let file = directory.path().join("log.xlsx");
    let (code, out) = export(&path, &file, &["--format", "xlsx"]);
    assert_eq!(code, 0, "{out}");
    let python = Command::new("python3").args(["-c", READ_XLSX]).arg(&file).output();
    let python = python.expect("python3: apt-get install python3");
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    let book: Value = serde_json::from_slice(&python.stdout).unwrap();
    assert_eq!((&book["filter"], &book["frozen"]), (&Value::from("A1:W8"), &Value::from("1")));
    let rows = book["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 8);
    let cells = rows.iter().flat_map(|row| row.as_array().unwrap());
    assert!(cells.clone().count() > 8 * 15);
    for cell in cells {
        assert!((cell[1] == "inlineStr" || cell[1] == "n") && cell[2] == false, "{cell}");
    }
    // Times, the size and the size of the one attachment; nothing else becomes a number.
    for row in &rows[1..] {
        let numbers = row.as_array().unwrap().iter().filter(|cell| cell[1] == "n").count();
        assert_eq!(numbers, 4, "{row}");
    }
    assert_eq!(rows[0][7][0], "subject");
    assert_eq!(rows[2][7][0], "=HYPERLINK(\"http://example.org\";\"klicka\")");
    assert_eq!(rows[1][7][0], "Ansökan om bygglov, Åsgård 1:23");
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        4,
        "the store, the book, its manifest and its proof"
    );
}

/// A Swedish spreadsheet opens a file as a double click would, and writes what it has as CSV of its own.
fn opened(file: &Path, filter: &str) -> Vec<Vec<String>> {
    let directory = file.parent().unwrap();
    let out = directory.join("opened");
    let office = Command::new("soffice")
        .arg(format!("-env:UserInstallation=file://{}", directory.join("profile").display()))
        .args([
            "--headless",
            filter,
            "--convert-to",
            "csv:Text - txt - csv (StarCalc):9,34,76,1,,0,false,true,false",
        ])
        .args(["--outdir".as_ref(), out.as_os_str(), file.as_os_str()])
        .env("LC_ALL", "sv_SE.UTF-8")
        .output();
    let office = office.expect("soffice: apt-get install libreoffice-calc-nogui");
    assert!(office.status.success(), "{}", String::from_utf8_lossy(&office.stderr));
    let name = out.join(file.file_stem().unwrap()).with_extension("csv");
    let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').has_headers(false).from_path(&name).unwrap();
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn a_spreadsheet_shows_every_cell_as_it_is_and_runs_no_formula() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    for (format, filter) in
        [("csv", "--infilter=CSV:59,34,76,1,,1053"), ("xlsx", "--infilter=Calc MS Excel 2007 XML")]
    {
        let file = directory.path().join(format!("log.{format}"));
        assert_eq!(export(&path, &file, &["--format", format]).0, 0);
        let rows = opened(&file, filter);
        assert_eq!((rows.len(), rows[0].len()), (8, 23), "{format}: {rows:?}");
        assert_eq!(rows[0], postvakt::export::column::names(), "{format}");
        let subjects: Vec<&str> = rows[1..].iter().map(|row| row[7].as_str()).collect();
        let sign = if format == "csv" { "'" } else { "" };
        assert_eq!(subjects[0], "Ansökan om bygglov, Åsgård 1:23", "{format}");
        assert_eq!(subjects[1], format!("{sign}=HYPERLINK(\"http://example.org\";\"klicka\")"), "{format}");
        assert_eq!(subjects[2], format!("{sign}+46 70 174 06 05"), "{format}");
        assert_eq!(subjects[3], format!("{sign}@SUM(A1:A9)"), "{format}");
        assert_eq!(subjects[4], format!("{sign}\\t=1+1"), "{format}");
        assert_eq!(subjects[5], "Ang. 850709-9805; \"citat\"⏎ny rad", "{format}");
        assert_eq!(rows[1][9], "Ansökan.pdf", "{format}");
    }
}
