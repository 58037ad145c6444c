//! How fast text is scanned: megabytes per second of each detector and of all of them, and microseconds for a mail of
//! 20 KB, the median of many.
//!
//! `cargo bench --bench scan`

#![allow(clippy::unwrap_used, reason = "a benchmark may stop with a panic")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::date;
use postvakt::address::{Address, DomainPattern, ReversePath};
use postvakt::facts::{Facts, Needs, extract::extract};
use postvakt::mail::{Client, Envelope, Mail, Message, Recipient};
use postvakt::organisation::Organisation;
use postvakt::rules::{Rule, Spec, credentials, sensitive_data};
use postvakt::scan::fold::Folded;
use postvakt::scan::terms::{Terms, shipped};
use postvakt::scan::{self, Known, credentials as secrets};
use postvakt::settings::defaults::Defaults;
use postvakt::settings::files::NoFiles;
use postvakt::settings::report::Report;
use postvakt::settings::{Settings, Table};

const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(300);

const PROSE: &[&str] = &[
    "Hej, tack för ditt mejl om bygglov för ett uterum på femton kvadratmeter.",
    "Nämnden sammanträder den 12 mars 2026 kl. 13.00 i Stadshuset, och handlingarna finns på webben.",
    "Vi behöver en situationsplan i skala 1:400 och en fasadritning; ärendet har nummer BN 2026-00123.",
    "Ring gärna 070-123 45 67 om något är oklart, så går vi igenom det tillsammans nästa vecka.",
    "Kostnaden är 14 250 kronor enligt taxan, och fakturan skickas efter beslutet.",
    "Med vänliga hälsningar, byggnadsinspektören i Exempelby kommun",
];

fn prose(octets: usize, every: usize, with: &str) -> String {
    let mut text = String::with_capacity(octets + 200);
    let mut next = every;
    for line in PROSE.iter().cycle() {
        if text.len() >= octets {
            break;
        }
        text.push_str(line);
        text.push_str("\r\n");
        if text.len() >= next {
            text.push_str(with);
            next += every;
        }
    }
    text
}

fn main() {
    let terms = Terms::new(shipped()).unwrap();
    let plain = prose(4 << 20, usize::MAX, "");
    let persons = prose(4 << 20, 2_000, "Pnr 811228-9874, sjukskriven sedan i mars.\r\n");
    let ascii: String = plain.chars().map(|c| if c.is_ascii() { c } else { 'a' }).collect();
    let rows = (0..100_000).map(|row| format!("Namn {row};811228-9874;Storgatan {row}\r\n"));
    let table = rows.collect::<Vec<_>>().concat();
    let today = date(2026, 3, 2);
    println!("{:<44}{:>10}", "text", "MB/s");
    for (name, text) in [
        ("prose", &plain),
        ("prose in ASCII", &ascii),
        ("a person every 2 KB", &persons),
        ("a table", &table),
    ] {
        let folded = Folded::new(text);
        let rate = |what: &str, call: &mut dyn FnMut()| {
            let seconds = best(call);
            let megabytes = f64::from(u32::try_from(text.len()).unwrap()) / 1e6;
            println!("{:<44}{:>10.0}", format!("{name}: {what}"), megabytes / seconds);
        };
        rate("fold", &mut || drop(black_box(Folded::new(black_box(text)))));
        rate("numbers", &mut || {
            drop(black_box(scan::numbers(black_box(&folded), &Known::default(), today, false)));
        });
        rate("credentials", &mut || drop(black_box(secrets::find(black_box(&folded), false))));
        rate("terms", &mut || {
            black_box(terms.find(black_box(folded.bytes())).count());
        });
        rate("all", &mut || {
            let folded = Folded::new(black_box(text));
            black_box(scan::numbers(&folded, &Known::default(), today, false));
            black_box(secrets::find(&folded, false));
            black_box(terms.find(folded.bytes()).count());
        });
    }
    println!("\n{:<44}{:>10}", "mail of 20 KB, both rules", "µs");
    for (name, body) in [
        ("nothing in it", prose(20_000, usize::MAX, "")),
        ("a person every 2 KB", prose(20_000, 2_000, "Pnr 811228-9874, sjukskriven.\r\n")),
    ] {
        let facts = facts(&body);
        let rules = [rule(&sensitive_data::SPEC), rule(&credentials::SPEC)];
        println!(
            "{name:<44}{:>10.1}",
            median(|| rules.iter().map(|rule| rule.check(black_box(&facts)).len()).sum())
        );
    }
}

fn rule(spec: &Spec) -> Box<dyn Rule> {
    let report = Report::new("", "", &NoFiles);
    Settings::read(&Table::default(), &Defaults::of(spec.keys), "", &report, |section| {
        (spec.make)(spec.id, section)
    })
    .unwrap()
}

/// Seconds for one call, in the best round: noise only ever adds.
fn best(call: &mut dyn FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut calls = 0_u32;
        while start.elapsed() < ROUND {
            call();
            calls += 1;
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(calls));
    }
    best
}

/// Microseconds at the median.
fn median(call: impl Fn() -> usize) -> f64 {
    let mut times: Vec<f64> = (0..2_001)
        .map(|_| {
            let start = Instant::now();
            black_box(call());
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap()
}

fn facts(body: &str) -> Facts {
    let organisation = Arc::new(Organisation {
        name: "Exempelby kommun".into(),
        domains: vec![DomainPattern::parse("exempelby.se").unwrap()],
        internal_networks: vec!["10.0.0.0/8".parse().unwrap()],
        ..Organisation::default()
    });
    let header = "From: anna@exempelby.se\r\nTo: x@example.org\r\nSubject: Bygglov\r\nMessage-ID: <1@exempelby.se>\r\n\
                  Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n";
    let bytes = Bytes::from(format!("{header}{body}"));
    let address = Address::parse("x@example.org").unwrap();
    let mail = Mail {
        arrived: Timestamp::UNIX_EPOCH,
        listener_direction: None,
        client: Client { address: Some("10.0.0.1".parse().unwrap()), ..Client::default() },
        envelope: Envelope {
            sender: ReversePath::from_wire(b"<anna@exempelby.se>"),
            smtputf8: false,
            recipients: vec![Recipient { raw: Bytes::from_static(b"<x@example.org>"), address }],
        },
        queue_id: None,
        message: Message { body_at: header.len(), size: bytes.len() as u64, bytes },
    };
    extract(&mail, &organisation, Needs { body: true, text: true, ..Needs::NONE })
}
