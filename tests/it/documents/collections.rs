//! Collections of documents that others made, which are not the project's to copy: a worker reads every file in a folder,
//! and what it reads is compared with what `pdftotext` of poppler reads of PDF files, and `LibreOffice` of a sample of Office
//! files. docs/documents.md has figures.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use postvakt::documents::Allowance;
use postvakt::worker::pool::Workers;
use postvakt::worker::wire::Head;

use super::*;

/// One Office file of so many is given to `LibreOffice`, which takes seconds for each.
const SAMPLE: usize = 20;
/// More than a worker is given in production: tests are built without optimisation.
const CPU_TIME: Duration = Duration::from_mins(2);

/// Words that tell whether two programs read the same: long enough not to be chance.
fn words(text: &str) -> HashSet<&str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() >= 4).collect()
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// What poppler reads, if it reads anything.
fn of_poppler(path: &Path) -> Option<String> {
    let mut command = Command::new("timeout");
    let output = command.args(["60", "pdftotext", "-q", "-enc", "UTF-8"]).arg(path).arg("-").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What `LibreOffice` reads of a text, or of a workbook's first sheet; nothing of what it cannot open.
fn of_libreoffice(path: &Path, scratch: &Path) -> Option<String> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    let to = match &*ending {
        "doc" | "docx" | "odt" | "rtf" => "txt:Text (encoded):UTF8",
        "xls" | "xlsx" | "xlsb" | "ods" => "csv:Text - txt - csv (StarCalc):44,34,76,1",
        _ => return None,
    };
    let shown = scratch.join("shown");
    let _ = std::fs::remove_dir_all(&shown);
    let profile = format!("-env:UserInstallation=file://{}", scratch.join("profile").display());
    Command::new("timeout")
        .args(["120", "soffice", &profile, "--headless", "--convert-to", to, "--outdir"])
        .arg(&shown)
        .arg(path)
        .output()
        .unwrap();
    let file = std::fs::read_dir(&shown).ok()?.next()?.unwrap().path();
    std::fs::read(file).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
#[ignore = "needs POSTVAKT_DOCUMENTS, a folder of documents, and poppler-utils, libreoffice-writer-nogui, libreoffice-calc-nogui"]
fn what_a_peer_reads_is_read_or_said() {
    let folder = std::env::var_os("POSTVAKT_DOCUMENTS").expect("POSTVAKT_DOCUMENTS names a folder");
    let mut files = Vec::new();
    files_below(Path::new(&folder), &mut files);
    files.sort();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let workers = Workers::of(env!("CARGO_BIN_EXE_postvakt")).patient_for(CPU_TIME);
    let scratch = tempfile::tempdir().unwrap();
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    let (mut dead, mut silent, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    let (mut office, mut asked) = (0_usize, BTreeMap::new());
    for path in &files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(path).unwrap();
        let head = Head { name, allowance: Allowance::default().of(bytes.len()), ..Head::default() };
        let found = match runtime.block_on(workers.read(&head, &bytes, CPU_TIME)).reading {
            Ok(reading) => reading.items,
            Err(failure) => {
                dead.push((path, failure));
                continue;
            }
        };
        let state = found[0].state;
        *states.entry(format!("{} {}", state.as_str(), state.reason().unwrap_or_default())).or_default() += 1;
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let theirs = match &*ending {
            "pdf" => of_poppler(path),
            "doc" | "docx" | "odt" | "rtf" | "xls" | "xlsx" | "xlsb" | "ods" => {
                office += 1;
                office.is_multiple_of(SAMPLE).then(|| of_libreoffice(path, scratch.path())).flatten()
            }
            _ => None,
        };
        let Some(theirs) = theirs else { continue };
        *asked.entry(ending).or_insert(0_usize) += 1;
        let (ours, theirs) = (all_text(&found), words(&theirs));
        let ours = words(&ours);
        let few = theirs.len() >= 3 && theirs.intersection(&ours).count() * 2 < theirs.len();
        match state {
            State::Plain | State::Readable(_) if few => silent.push(path),
            State::Uninspectable(_) if few => unread.push(path),
            _ => {}
        }
    }
    runtime.block_on(workers.stop());
    println!("{} files: {states:#?}", files.len());
    println!("a peer read of them: {asked:?}");
    println!("plain, though a peer reads other words: {silent:#?}");
    println!("unread, though a peer reads words: {unread:#?}");
    assert!(dead.is_empty(), "a worker died of {dead:#?}");
}
