//! The store's speed: durable records per second, what one costs the writer's thread, and how long a start reads.
//!
//! `cargo bench --bench store [-- DIR [SECONDS [RECORDS]]]`; the store is made in DIR (`target/` by default) and
//! removed. RECORDS are what is read (400,000 by default; none for 0).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot run ends; its figures are rounded"
)]

mod reading;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use postvakt::gather::seen::SeenCache;
use postvakt::limits;
use postvakt::mail::Direction;
use postvakt::metrics::METRICS;
use postvakt::record::{Outcome, Record, SeenRow};
use postvakt::store::query::{Needle, Query};
use postvakt::store::verify::{Verdict, verify};
use postvakt::store::{Entry, Store};

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let directory =
        arguments.next().map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let time = Duration::from_secs(arguments.next().map_or(3, |seconds| seconds.parse().unwrap()));
    let read = arguments.next().map_or(400_000, |records| records.parse().unwrap());
    println!("committers  records/s  records/commit  writer's CPU µs/record  octets/record");
    for committers in [1, 16, 64, 256] {
        let store = tempfile::tempdir_in(&directory).unwrap();
        measure(&store.path().join("store"), committers, time);
    }
    if read > 0 {
        let store = tempfile::tempdir_in(&directory).unwrap();
        measure_reading(&store.path().join("store"), read);
    }
}

#[tokio::main]
async fn measure(directory: &Path, committers: u64, time: Duration) {
    let store = Store::open(directory, "gw1").unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let commits = METRICS.store_commits.with_label_values(&["stored"]);
    let commits_before = commits.get();
    let begun = Instant::now();
    let tasks: Vec<_> = (0..committers)
        .map(|committer| {
            let (store, done) = (store.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut records = 0_u64;
                while !done.load(Ordering::Relaxed) {
                    store.commit(entry(committer << 32 | records, Timestamp::now())).await.unwrap();
                    records += 1;
                }
                records
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    done.store(true, Ordering::Relaxed);
    let mut records = 0;
    for task in tasks {
        records += task.await.unwrap();
    }
    let elapsed = begun.elapsed();
    let cpu = writer_cpu();
    store.close().await;
    let octets: u64 =
        fs::read_dir(directory).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    println!(
        "{committers:10}  {:9.0}  {:14.1}  {:22.1}  {:13}",
        records as f64 / elapsed.as_secs_f64(),
        records as f64 / (commits.get() - commits_before) as f64,
        cpu.as_secs_f64() * 1e6 / records as f64,
        octets / records,
    );
}

/// CPU time of the thread that writes.
fn writer_cpu() -> Duration {
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path();
        if fs::read_to_string(path.join("comm")).unwrap().trim() == "log-writer" {
            let stat = fs::read_to_string(path.join("schedstat")).unwrap();
            return Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap());
        }
    }
    panic!("no writer");
}

/// The look at every page when the store opens, the seen messages that a start takes in, and a search through everything.
#[tokio::main]
async fn measure_reading(directory: &Path, records: u64) {
    let store = Store::open(directory, "gw1").unwrap();
    let days = SignedDuration::from_hours(24 * i64::from(limits::SEEN_DAYS_USUAL));
    let oldest = Timestamp::now() - days;
    let at = |n: u64| oldest + days.mul_f64(n as f64 / records as f64);
    for chunk in 0..records / 10_000 {
        for n in chunk * 10_000..(chunk + 1) * 10_000 {
            store.enqueue(entry(n, at(n)));
        }
        store.commit(entry(u64::MAX - chunk, at((chunk + 1) * 10_000))).await.unwrap();
    }
    store.close().await;
    let octets: u64 =
        fs::read_dir(directory).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    let begun = Instant::now();
    let store = Store::open(directory, "gw1").unwrap();
    let opened = begun.elapsed().as_secs_f64();
    println!("opening {} MB: {opened:.2} s, {:.2} s for each GB", octets >> 20, opened * 1e9 / octets as f64);
    let begun = Instant::now();
    let memory = SeenCache::of(&store, limits::SEEN_DAYS).unwrap();
    let remembered = begun.elapsed().as_secs_f64();
    println!(
        "remembering: {remembered:.2} s, {:.2} s for a million messages",
        remembered * 2e6 / records as f64
    );
    drop(memory);
    let begun = Instant::now();
    let query = Query { subject: Some(Needle::new("finns inte")), ..Query::default() };
    reading::within(directory, query, |session| session.search(|_| anyhow::Ok(())));
    println!("searching: {:.0} records/s", records as f64 / begun.elapsed().as_secs_f64());
    store.close().await;
    let begun = Instant::now();
    let report = verify(&[directory.to_path_buf()], &[], None);
    assert_eq!(report.verdict(), Verdict::Whole, "{report:?}");
    println!("verifying: {:.0} records/s", records as f64 / begun.elapsed().as_secs_f64());
}

fn entry(n: u64, at: Timestamp) -> Entry<'static> {
    // Keys are hashes: scattered.
    let keys = [1, 2, 3].map(|salt| {
        let number = 3 * u128::from(n) + salt;
        number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes()
    });
    let mailboxes = vec!["registrator@exempelby.se".to_owned()];
    let seen = SeenRow::new(at, keys, [1; 8], mailboxes.clone(), ["avsandare@example.org"]);
    let record = Record {
        time: at,
        direction: Some(Direction::Inbound),
        sender: "avsandare@example.org".into(),
        recipients: mailboxes,
        header_from: "avsandare@example.org".into(),
        subject: "Ansökan om bygglov för fastigheten Exempelby 1:23".into(),
        size: 20_480,
        attachments: if n.is_multiple_of(3) {
            vec![("Ritning över fasad mot söder.pdf".into(), 15_000)]
        } else {
            Vec::new()
        },
        outcome: Outcome::Accepted,
        findings: Vec::new(),
        queue_id: "4fKq3M1Zz9z2xQ".into(),
        message_id: format!("<{n:032x}@mail.example.org>"),
        client: "192.0.2.1".into(),
        helo: "mail.example.org".into(),
        tls: "TLSv1.3 TLS_AES_256_GCM_SHA384".into(),
        config: "0123456789abcdef".into(),
        authentication: "spf=pass dkim=pass dmarc=pass".into(),
        ..Record::default()
    };
    // Half of the mail comes from outside and is remembered.
    Entry { seen: n.is_multiple_of(2).then_some(seen), ..Entry::of(record) }
}
