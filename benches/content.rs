//! What attachments cost, as people send them: `cargo bench --bench content -- --help`.
//!
//! Each kind goes to a program of its own that has all rules on and a store on the disk, one mail after the other.
//! Processor time is that of the program and its workers, until both are at rest.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark that cannot run ends; its figures are rounded"
)]

mod costly;
mod gateway;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use costly::{Kind, everyday};
use gateway::process::Usage;
use gateway::{From, Gateway};

/// Processor time for each megabyte of an attachment.
#[derive(Debug, Parser)]
struct Options {
    /// Only kinds whose names begin so; several are separated by commas.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Octets of a mail; k and m may follow. Several are separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1m")]
    sizes: Vec<String>,
    /// Octets of all mails of a kind and size together, at least.
    #[arg(long, default_value = "8m")]
    all: String,
    /// Builds of the program that are measured in turn.
    #[arg(long, value_delimiter = ',', default_value = gateway::PROGRAM)]
    programs: Vec<String>,
    /// How often; the least counts, since noise only adds.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Draws processor time against size into this file, for the last program.
    #[arg(long)]
    svg: Option<PathBuf>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// `128k`, `6m` or a number.
fn octets(text: &str) -> usize {
    let shift = match text.chars().last() {
        Some('k') => 10,
        Some('m') => 20,
        _ => 0,
    };
    text.trim_end_matches(['k', 'm']).parse::<usize>().unwrap() << shift
}

fn main() {
    let options = Options::parse();
    let wanted = |kind: &&Kind| {
        options.only.is_empty() || options.only.iter().any(|name| kind.name.starts_with(&**name))
    };
    let mut lines: BTreeMap<&str, Vec<(usize, f64)>> = BTreeMap::new();
    println!("{:<14}{:>10}{:>8}  processor time, ms/MB, each program", "kind", "octets", "mails");
    for kind in everyday::KINDS.iter().filter(wanted) {
        for size in &options.sizes {
            let mail = (kind.make)(octets(size));
            let count = (octets(&options.all) / mail.len()).clamp(3, 2_000);
            let mut best = vec![f64::INFINITY; options.programs.len()];
            for _ in 0..options.rounds {
                for (program, best) in options.programs.iter().zip(&mut best) {
                    *best = best.min(milliseconds(program, &mail, count));
                }
            }
            let megabytes = mail.len() as f64 / 1e6;
            print!("{:<14}{:>10}{count:>8}", kind.name, mail.len());
            for best in &best {
                print!("{:>10.2}", best / megabytes);
            }
            println!();
            lines.entry(kind.name).or_default().push((mail.len(), best.last().copied().unwrap()));
        }
    }
    if let Some(path) = &options.svg {
        std::fs::write(path, drawn(&lines)).unwrap();
    }
}

/// Milliseconds of processor time for one of so many mails.
fn milliseconds(program: &str, mail: &[u8], count: usize) -> f64 {
    let gateway = Gateway::start_program(program, None);
    let message = gateway::message(mail);
    // The first one starts the workers and fills tables.
    gateway.deliver(&message, From::Outside(1));
    let before = rested(&gateway);
    for _ in 0..count {
        gateway.deliver(&message, From::Outside(1));
    }
    rested(&gateway).saturating_sub(before).as_secs_f64() * 1e3 / count as f64
}

/// Its processor time, once it does nothing.
fn rested(gateway: &Gateway) -> Duration {
    let (mut last, mut still) = (Usage::of(gateway.pid()).cpu, 0);
    while still < 20 {
        std::thread::sleep(Duration::from_millis(5));
        let now = Usage::of(gateway.pid()).cpu;
        still = if now == last { still + 1 } else { 0 };
        last = now;
    }
    last
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 480.0;
const MARGIN: f64 = 56.0;

/// Processor time against size, both in powers of ten: what grows with the size is a line of one slope.
fn drawn(lines: &BTreeMap<&str, Vec<(usize, f64)>>) -> String {
    let points =
        || lines.values().flatten().map(|(octets, cost)| ((*octets as f64).log10(), cost.max(0.01).log10()));
    let low = |axis: fn((f64, f64)) -> f64| points().map(axis).fold(f64::INFINITY, f64::min).floor();
    let high = |axis: fn((f64, f64)) -> f64| points().map(axis).fold(f64::NEG_INFINITY, f64::max).ceil();
    let (left, right) = (low(|point| point.0), high(|point| point.0));
    let (bottom, top) = (low(|point| point.1), high(|point| point.1));
    let x = |value: f64| MARGIN + (value - left) / (right - left) * (WIDTH - 3.0 * MARGIN);
    let y = |value: f64| HEIGHT - MARGIN - (value - bottom) / (top - bottom) * (HEIGHT - 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let grid = |from: f64, to: f64| (from as i32)..=(to as i32);
    for power in grid(left, right) {
        let at = x(f64::from(power));
        let name = ["1 B", "10 B", "100 B", "1 kB", "10 kB", "100 kB", "1 MB", "10 MB", "100 MB"];
        let name = usize::try_from(power).ok().and_then(|power| name.get(power)).copied().unwrap_or_default();
        let (from, to) = (y(bottom), y(top));
        let _ = writeln!(out, "<path d=\"M{at:.1} {from:.1}V{to:.1}\" stroke=\"#ddd\"/>");
        let _ = writeln!(
            out,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>",
            from + 16.0
        );
    }
    for power in grid(bottom, top) {
        let at = y(f64::from(power));
        let (from, to) = (x(left), x(right));
        let _ = writeln!(out, "<path d=\"M{from:.1} {at:.1}H{to:.1}\" stroke=\"#ddd\"/>");
        let name = 10_f64.powi(power);
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name} ms</text>",
            from - 6.0,
            at + 4.0
        );
    }
    for (number, (name, line)) in lines.iter().enumerate() {
        let colour = format!("hsl({} 65% 40%)", number * 360 / lines.len().max(1));
        let path: Vec<String> = line
            .iter()
            .map(|(octets, cost)| {
                format!("{:.1} {:.1}", x((*octets as f64).log10()), y(cost.max(0.01).log10()))
            })
            .collect();
        let _ = writeln!(
            out,
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
            path.join("L")
        );
        let at = MARGIN + number as f64 * 16.0;
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{at:.1}\" fill=\"{colour}\">{name}</text>",
            WIDTH - 1.9 * MARGIN
        );
    }
    out += "</svg>\n";
    out
}
