//! What a document costs: to its worker and back, the reading included.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use postvakt::limits;
use postvakt::worker::pool::Workers;
use postvakt::worker::wire::Head;

/// What is read, and how often.
const DOCUMENTS: [&str; 7] =
    ["rows.csv", "text.docx", "rows.xlsx", "text.pdf", "text.doc", "rows.xls", "default.xlsx"];
const ROUNDS: usize = 400;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let workers = Workers::of(env!("CARGO_BIN_EXE_postvakt"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents");
    let started = Instant::now();
    runtime.block_on(workers.read(&Head::default(), b"x", limits::DOCUMENT_CPU_TIME)).reading?;
    println!("start of a worker, and its first document: {:?}", started.elapsed());
    println!("{:<16}{:>10}{:>12}{:>12}", "document", "octets", "median", "p99");
    for name in DOCUMENTS {
        let bytes = std::fs::read(folder.join(name))?;
        let head = Head { name: name.to_owned(), ..Head::default() };
        let rounds = if name.starts_with("default") { ROUNDS / 20 } else { ROUNDS };
        let mut times: Vec<Duration> = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let started = Instant::now();
            runtime.block_on(workers.read(&head, &bytes, limits::DOCUMENT_CPU_TIME)).reading?;
            times.push(started.elapsed());
        }
        times.sort_unstable();
        let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
        println!("{name:<16}{:>10}{:>12.1?}{:>12.1?}", bytes.len(), at(50), at(99));
    }
    runtime.block_on(workers.stop());
    Ok(())
}
