//! Postfix's log: lines that are parsed, and parsed and stored, for each second of one core.
//!
//! `cargo bench --bench maillog -- [MAILS]`: the lines are those of a gateway, eight for each mail (100,000 mails).

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot run ends; its figures are rounded"
)]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use postvakt::maillog::Reader;
use postvakt::maillog::stamp::Stamps;
use postvakt::store::deliveries::Deliveries;
use postvakt::tail::ingest;

fn main() {
    let mails = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let text = log(mails);
    let lines = text.lines().count();
    println!("{lines} lines of {mails} mails, {:.0} octets each", text.len() as f64 / lines as f64);

    let begun = Instant::now();
    let mut reader = Reader::new(Stamps::new(TimeZone::UTC, Timestamp::now()));
    let told =
        text.lines().filter(|line| matches!(reader.line(line), postvakt::maillog::Read::Told(_))).count();
    say("parsed", lines, begun);
    assert!(told * 2 > lines, "{told}");

    let directory = tempfile::tempdir().unwrap();
    let file: PathBuf = directory.path().join("mail.log");
    std::fs::write(&file, &text).unwrap();
    let mut deliveries = Deliveries::open(directory.path()).unwrap();
    for what in ["parsed and stored", "the same lines again"] {
        let begun = Instant::now();
        let read = ingest::files(&mut deliveries, std::slice::from_ref(&file), false).unwrap();
        say(what, lines, begun);
        assert_eq!(read.first().map(|read| read.lines), Some(lines as u64));
    }
    // What stands in the write-ahead log is moved into the file.
    drop(deliveries);
    let octets = std::fs::metadata(directory.path().join("delivery.db")).unwrap().len();
    println!("{:.0} octets in the file for each mail", octets as f64 / f64::from(mails));
}

fn say(what: &str, lines: usize, begun: Instant) {
    println!("{what:24} {:>10.0} lines/s", lines as f64 / begun.elapsed().as_secs_f64());
}

/// The log of a gateway: 50 mails a second, of which one in ten goes out with TLS.
fn log(mails: u32) -> String {
    let mut text = String::new();
    let start = Timestamp::now() - SignedDuration::from_hours(24);
    for number in 0..mails {
        let at = (start + SignedDuration::from_millis(i64::from(number) * 20))
            .strftime("%Y-%m-%dT%H:%M:%S.%f+00:00");
        let (pid, id) = (1_000 + number % 20, format!("4jdW{number:06}z1SVwl{number}"));
        let mut line = |program: &str, rest: &str| {
            // Writing into a String does not fail.
            let _ = writeln!(text, "{at} mx postfix/{program}[{pid}]: {rest}");
        };
        line("smtpd", "connect from mx.example.org[192.0.2.1]");
        line("smtpd", &format!("{id}: client=mx.example.org[192.0.2.1]"));
        line("cleanup", &format!("{id}: message-id=<{number}.8f2a@example.org>"));
        line("qmgr", &format!("{id}: from=<x@example.org>, size=23355, nrcpt=1 (queue active)"));
        line(
            "smtpd",
            "disconnect from mx.example.org[192.0.2.1] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5",
        );
        let relay = "mail.exempelby.se[192.0.2.9]:25";
        if number % 10 == 0 {
            line(
                "smtp",
                &format!(
                    "Trusted TLS connection established to {relay}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
                ),
            );
        }
        let sent = "delay=0.31, delays=0.1/0.01/0.1/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 5741698E092)";
        line("smtp", &format!("{id}: to=<person.{}@exempelby.se>, relay={relay}, {sent}", number % 3_000));
        line("qmgr", &format!("{id}: removed"));
    }
    text
}
