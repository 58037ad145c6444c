//! Messages per second through a real socket: `cargo bench --bench pipeline -- --help`.
//!
//! All servers are started and loaded in turn, each round in another order, so that a noisy machine is noisy for
//! all of them and none has the better place; ratios are taken within a round, and the median over the rounds is shown.

mod bare;
mod load;
mod servers;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;

use load::{Load, Outcome, Payload, Scripts, median, parse_size, sorted};
use servers::{Kind, Server};

/// Messages per second, and CPU time per message, of Postvakt and what it is compared with.
#[derive(Debug, Parser)]
struct Options {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How often the servers are started anew: what memory a start gets makes a tenth of its rate.
    #[arg(long, default_value_t = 1)]
    starts: usize,
    /// One process takes the rules of all servers in turn, by SIGHUP: what differs between two starts falls away.
    #[arg(long)]
    one_process: bool,
    /// Measurements of each started server, in turn with the others.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Connections at once.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    connections: Vec<usize>,
    /// Octets of a message.
    #[arg(long, value_delimiter = ',', default_value = "2k,20k,1m")]
    sizes: Vec<String>,
    /// What larger messages have attached.
    #[arg(long, value_enum, default_value_t)]
    payload: Payload,
    /// Another build of the program than the one that was made with this.
    #[arg(long)]
    program: Option<PathBuf>,
    /// The servers; what the first one does is the yardstick of the columns `×first`.
    #[arg(long, value_delimiter = ',', value_enum, default_value = "bare,libmilter,engine,postvakt")]
    servers: Vec<Kind>,
    /// Messages over one connection.
    #[arg(long, default_value_t = 100)]
    session_messages: u64,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn rounds(&self) -> usize {
        self.rounds.clamp(1, 100)
    }
}

fn main() -> Result<()> {
    if servers::served()? {
        return Ok(());
    }
    let options = Options::parse();
    servers::raise_file_limit()?;
    if let Some(program) = &options.program {
        servers::use_program(program)?;
    }
    println!(
        "size  conns  server         messages/s      min      max  ×libmilter   ×bare       ×first  CPU ×first  CPU µs  load µs  errors"
    );
    for size in &options.sizes {
        let mut scripts = Scripts::new(parse_size(size)?, options.payload);
        for &connections in &options.connections {
            measure(&options, size, connections, &mut scripts)?;
        }
    }
    Ok(())
}

/// One block of the table: all servers with messages of one size over so many connections.
fn measure(options: &Options, size: &str, connections: usize, scripts: &mut Scripts) -> Result<()> {
    let mut outcomes: Vec<Vec<Outcome>> = options.servers.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.starts.clamp(1, 1_000) {
        measure_started(options, connections, scripts, &mut outcomes)?;
    }
    let (rounds, first) = (options.rounds(), outcomes.first().map_or(&[][..], Vec::as_slice));
    let of = |kind| options.servers.iter().zip(&outcomes).find(|(own, _)| **own == kind).map(|(_, own)| own);
    for (server, own) in options.servers.iter().zip(&outcomes) {
        let rate = sorted(own.iter().map(Outcome::rate));
        println!(
            "{size:<5} {connections:>5}  {:<13} {:>11.0} {:>8.0} {:>8.0}  {:>10} {:>7}  {:>11} {:>11} {:>7.1} {:>8.1} {:>7}",
            server.name(),
            median(&rate),
            rate.first().unwrap_or(&0.0),
            rate.last().unwrap_or(&0.0),
            ratio(own, of(Kind::Libmilter)),
            ratio(own, of(Kind::Bare)),
            share(own, first, rounds, Outcome::rate),
            share(own, first, rounds, Outcome::server_us),
            median(&sorted(own.iter().map(Outcome::server_us))),
            median(&sorted(own.iter().map(Outcome::load_us))),
            own.iter().map(|outcome| outcome.errors).sum::<u64>(),
        );
        if let Some(fault) = own.iter().find_map(|outcome| outcome.fault.as_ref()) {
            println!("      {}: {fault}", server.name());
        }
    }
    Ok(())
}

/// The rounds of one start.
fn measure_started(
    options: &Options,
    connections: usize,
    scripts: &mut Scripts,
    outcomes: &mut [Vec<Outcome>],
) -> Result<()> {
    let time = Duration::from_secs_f64(options.seconds.clamp(0.1, 600.0));
    let own = if options.one_process { 1 } else { options.servers.len() };
    let mut servers =
        options.servers.iter().take(own).map(|&kind| Server::start(kind)).collect::<Result<Vec<_>>>()?;
    // Round 0 is not counted: in it a server touches its memory for the first time.
    for round in 0..=options.rounds() {
        let mut turns: Vec<_> = options.servers.iter().zip(&mut *outcomes).enumerate().collect();
        let first = round / 2 % turns.len().max(1);
        turns.rotate_left(first);
        if round % 2 == 1 {
            turns.reverse();
        }
        for (turn, (&kind, outcomes)) in turns {
            let server = servers.get_mut(turn % own).context("no server")?;
            if options.one_process {
                server.become_kind(kind)?;
            }
            let load = Load {
                address: server.address.clone(),
                pid: server.pid(),
                connections: connections.clamp(1, 5_000),
                session_messages: options.session_messages.max(1),
                warm_up: time / 10,
                time,
            };
            let outcome = load::run(&load, scripts)?;
            if round > 0 {
                outcomes.push(outcome);
            }
        }
    }
    Ok(())
}

/// One server's rate as a multiple of another's.
fn ratio(own: &[Outcome], other: Option<&Vec<Outcome>>) -> String {
    let Some(other) = other else { return "–".into() };
    let ratios = own.iter().zip(other).map(|(own, other)| own.rate() / other.rate().max(f64::EPSILON));
    format!("{:.2}", median(&sorted(ratios)))
}

/// How many times as much of that as the first server has: the geometric mean of the medians of the starts, since a
/// plain mean of noisy ratios is too large, and its standard error where there are several.
fn share(own: &[Outcome], first: &[Outcome], rounds: usize, of: impl Fn(&Outcome) -> f64) -> String {
    let of = |outcome| of(outcome).max(f64::EPSILON);
    let starts: Vec<f64> = own
        .chunks(rounds)
        .zip(first.chunks(rounds))
        .map(|(own, first)| {
            median(&sorted(own.iter().zip(first).map(|(own, first)| (of(own) / of(first)).ln())))
        })
        .collect();
    let count = starts.len() as f64;
    let mean = starts.iter().sum::<f64>() / count;
    if starts.len() < 2 {
        return format!("{:.3}", mean.exp());
    }
    let variance = starts.iter().map(|start| (start - mean).powi(2)).sum::<f64>() / (count - 1.0);
    format!("{:.3}±{:.3}", mean.exp(), mean.exp() * (variance / count).sqrt())
}
