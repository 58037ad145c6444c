//! Search at scale: latencies over a log of millions, what its index files cost, warm and cold; then exports and `verify`.
//!
//! `cargo bench --bench search -- DIR [RECORDS]`: the log in DIR is made if there is none (10,000,000 records, 12 GB)
//! and stays there, for other measurements too.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark that cannot run ends; its figures are rounded"
)]

mod fill;
mod reading;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use postvakt::metrics::METRICS;
use postvakt::record::Outcome;
use postvakt::store::query::{Needle, Party, Query};

const ROUNDS: usize = 5;
/// A mailbox inside with as many mails as most.
const PERSON: &str = "skola.3998@exempelby.se";

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let Some(directory) = arguments.next().map(PathBuf::from) else {
        println!("cargo bench --bench search -- DIR [RECORDS]");
        return;
    };
    let records = arguments.next().map_or(10_000_000, |records| records.parse().unwrap());
    if !directory.join("seen.key").exists() {
        make(&directory, records);
    }
    let octets = |ending: &str| {
        let files = fs::read_dir(&directory).unwrap().map(|file| file.unwrap());
        let files = files.filter(|file| file.file_name().to_string_lossy().ends_with(ending));
        files.map(|file| file.metadata().unwrap().len()).sum::<u64>()
    };
    println!(
        "octets per record: {} in month files, {} in index files",
        octets(".db") / records,
        octets(".idx") / records
    );
    println!("{:44}  {:>9}  {:>9}  {:>9}  {:>9}", "query", "rows", "cold ms", "median ms", "worst ms");
    for (name, query) in queries(records) {
        measure(&directory, &name, &query);
    }
    commands(&directory, records);
}

/// What the commands themselves take that write the log to a file, or read all of it: each once.
fn commands(directory: &Path, records: u64) {
    let directory = fs::canonicalize(directory).unwrap();
    let own = tempfile::tempdir_in(directory.parent().unwrap()).unwrap();
    let config = own.path().join("postvakt.toml");
    let text = format!(
        "[organisation]\nname = \"Exempelby kommun\"\ndomains = [\"exempelby.se\"]\n[server]\nnode = \"gw1\"\n\
         listen = [\"unix:{}\"]\n[store]\ndirectory = \"{}\"\n",
        own.path().join("socket").display(),
        directory.display(),
    );
    fs::write(&config, text).unwrap();
    println!("\n{:44}  {:>9}  {:>9}  {:>9}", "command", "rows", "seconds", "CPU s");
    let export = ["export", "--decision", "benchmark", "--format", "csv", "--force", "--output"];
    let file = own.path().join("log.csv");
    let export = [&export[..], &[file.to_str().unwrap()]].concat();
    for (name, arguments) in [
        ("export --decision, one person's mail", [&export[..], &["--person", PERSON]].concat()),
        ("export --decision, the whole log", export.clone()),
        ("verify", vec!["verify"]),
    ] {
        let (begun, cpu_before) = (Instant::now(), children_cpu());
        let mut command = Command::new(env!("CARGO_BIN_EXE_postvakt"));
        command.arg("log").args(arguments).arg("--config").arg(&config).stdout(Stdio::null());
        let status = command.status().unwrap();
        // No server has signed for these accesses, so the log is incomplete.
        let ended = if name == "verify" { Some(2) } else { Some(0) };
        assert_eq!(status.code(), ended, "{name}");
        let (time, cpu) = (begun.elapsed(), children_cpu().saturating_sub(cpu_before));
        let manifest = fs::read(own.path().join("log.csv.manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let rows = if name == "verify" { records } else { manifest["rows"].as_u64().unwrap() };
        println!("{name:44}  {rows:9}  {:9.1}  {:9.1}", time.as_secs_f64(), cpu.as_secs_f64());
    }
}

/// CPU time of the children that have ended, as proc(5) has it: hundredths of a second.
fn children_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let of_children = fields.split_whitespace().skip(13).take(2);
    Duration::from_millis(of_children.map(|ticks| 10 * ticks.parse::<u64>().unwrap()).sum())
}

/// Makes the log, and waits until its index files are complete.
#[tokio::main]
async fn make(directory: &Path, records: u64) {
    let begun = Instant::now();
    let store = fill::fill(directory, records).await;
    println!("{records} records written in {:.0} s", begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    let made = METRICS.index_segments.with_label_values(&["made"]);
    let wanted = records / 65_536;
    while made.get() < wanted {
        std::thread::sleep(Duration::from_millis(100));
    }
    println!(
        "{} segments; the last one {:.1} s after the last record",
        made.get(),
        begun.elapsed().as_secs_f64()
    );
    store.close().await;
}

fn queries(records: u64) -> Vec<(String, Query)> {
    let all = Query::default;
    let sample = fill::entry(records / 3, "2026-06-01T00:00:00Z".parse().unwrap()).record;
    let party = |text: &str| Some(Party::parse(text).unwrap());
    let since = Some("2026-06-10T08:00:00Z".parse().unwrap());
    let hour = Some("2026-06-10T08:10:00Z".parse().unwrap());
    let week = Some("2026-06-17T08:00:00Z".parse().unwrap());
    let inside = PERSON;
    let queries = [
        ("sender, seldom", Query { sender: party("avsandare290001@d00001.example"), ..all() }),
        ("sender, nobody", Query { sender: party("ingen@nowhere.example"), ..all() }),
        ("sender's domain", Query { sender: party("@d09999.example"), ..all() }),
        ("recipient inside", Query { recipient: party(inside), ..all() }),
        ("person, in any role", Query { person: vec![Party::parse(inside).unwrap()], ..all() }),
        ("subject, one", Query { subject: Some(Needle::new(&format!("({})", records / 3))), ..all() }),
        ("subject, none", Query { subject: Some(Needle::new("finns inte")), ..all() }),
        ("subject, two letters, none", Query { subject: Some(Needle::new("qx")), ..all() }),
        (
            "subject, Swedish, some",
            Query { subject: Some(Needle::new("ÅTERKOPPLING hälsocentralen 17:3")), ..all() },
        ),
        ("attachment", Query { attachment: Some(Needle::new("översiktsplan 4711.PDF")), ..all() }),
        ("queue id", Query { queue_id: Some(sample.queue_id), ..all() }),
        ("Message-ID", Query { message_id: Some(sample.message_id), ..all() }),
        ("ten minutes", Query { since, until: hour, ..all() }),
        (
            "verdict and rule, ten minutes",
            Query {
                verdict: Some(Outcome::Held),
                rule: Some("auto-forward".into()),
                since,
                until: hour,
                ..all()
            },
        ),
        ("rule, nothing", Query { rule: Some("spam".into()), ..all() }),
        (
            "subject in one week",
            Query {
                subject: Some(Needle::new("vägunderhåll östra ängen 7:7")), since, until: week, ..all()
            },
        ),
        (
            "recipient and subject",
            Query { recipient: party(inside), subject: Some(Needle::new("faktura")), ..all() },
        ),
        ("rule, 2.5 % of all", Query { rule: Some("auto-forward".into()), ..all() }),
        (
            "every record, without index files",
            Query { subject: Some(Needle::new("finns inte")), scan: true, ..all() },
        ),
    ];
    queries.map(|(name, query)| (name.to_owned(), query)).into()
}

fn measure(directory: &Path, name: &str, query: &Query) {
    forget_pages(directory);
    let (cold, rows) = run(directory, query);
    let rounds = if cold > Duration::from_secs(5) { 1 } else { ROUNDS };
    let mut times: Vec<Duration> = (0..rounds).map(|_| run(directory, query).0).collect();
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let (median, worst) = (ms(times[rounds / 2]), ms(times[rounds - 1]));
    println!("{name:44}  {rows:9}  {:9.1}  {median:9.1}  {worst:9.1}", ms(cold));
}

/// The time is that of the search itself, without the two entries in the access log.
fn run(directory: &Path, query: &Query) -> (Duration, usize) {
    let (mut time, mut rows) = (Duration::ZERO, 0);
    reading::within(directory, query.clone(), |session| {
        let begun = Instant::now();
        let searched = session.search(|_| {
            rows += 1;
            anyhow::Ok(())
        });
        time = begun.elapsed();
        assert!(session.left_out().is_empty(), "{:?}", session.left_out());
        searched
    });
    (time, rows)
}

/// Asks the kernel to forget what it has of these files, and of nothing else.
fn forget_pages(directory: &Path) {
    for file in fs::read_dir(directory).unwrap() {
        let file = File::open(file.unwrap().path()).unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    }
}
