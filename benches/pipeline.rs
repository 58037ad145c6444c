//! Messages per second through a real socket: `cargo bench --bench pipeline -- --help`.
//!
//! All servers are started once and loaded in turn, A B C C B A …, so that a noisy machine is noisy for all of them and
//! none has the better place; ratios are taken within a round, and the median over the rounds is shown.

mod bare;
mod load;
mod servers;

use std::time::Duration;

use anyhow::Result;
use clap::Parser;

use load::{Load, Outcome, Scripts, median, parse_size, sorted};
use servers::{Kind, Server};

/// Messages per second, and CPU time per message, of Postvakt and what it is compared with.
#[derive(Debug, Parser)]
struct Options {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Measurements of each server, in turn with the others.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Connections at once.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    connections: Vec<usize>,
    /// Octets of a message.
    #[arg(long, value_delimiter = ',', default_value = "2k,20k,1m")]
    sizes: Vec<String>,
    /// The servers; what the first one does is the yardstick of the column `×first`.
    #[arg(long, value_delimiter = ',', value_enum, default_value = "bare,libmilter,engine,postvakt")]
    servers: Vec<Kind>,
    /// Messages over one connection.
    #[arg(long, default_value_t = 100)]
    session_messages: u64,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    if servers::served()? {
        return Ok(());
    }
    let options = Options::parse();
    servers::raise_file_limit()?;
    let servers = options.servers.iter().map(|&kind| Server::start(kind)).collect::<Result<Vec<_>>>()?;
    println!(
        "size  conns  server         messages/s      min      max  ×libmilter   ×bare   ×first  CPU µs  load µs  errors"
    );
    for size in &options.sizes {
        let mut scripts = Scripts::new(parse_size(size)?);
        for &connections in &options.connections {
            measure(&options, size, connections, &servers, &mut scripts)?;
        }
    }
    Ok(())
}

/// One block of the table: all servers with messages of one size over so many connections.
fn measure(
    options: &Options,
    size: &str,
    connections: usize,
    servers: &[Server],
    scripts: &mut Scripts,
) -> Result<()> {
    let time = Duration::from_secs_f64(options.seconds.clamp(0.1, 600.0));
    let mut outcomes: Vec<Vec<Outcome>> = servers.iter().map(|_| Vec::new()).collect();
    // Round 0 is not counted: in it a server touches its memory for the first time.
    for round in 0..=options.rounds.clamp(1, 100) {
        let mut turns: Vec<_> = servers.iter().zip(&mut outcomes).collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        for (server, outcomes) in turns {
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
    let of = |kind| servers.iter().zip(&outcomes).find(|(server, _)| server.kind == kind).map(|(_, own)| own);
    for (server, own) in servers.iter().zip(&outcomes) {
        let rate = sorted(own.iter().map(Outcome::rate));
        println!(
            "{size:<5} {connections:>5}  {:<13} {:>11.0} {:>8.0} {:>8.0}  {:>10} {:>7} {:>8} {:>7.1} {:>8.1} {:>7}",
            server.kind.name(),
            median(&rate),
            rate.first().unwrap_or(&0.0),
            rate.last().unwrap_or(&0.0),
            ratio(own, of(Kind::Libmilter)),
            ratio(own, of(Kind::Bare)),
            ratio(own, outcomes.first()),
            median(&sorted(own.iter().map(Outcome::server_us))),
            median(&sorted(own.iter().map(Outcome::load_us))),
            own.iter().map(|outcome| outcome.errors).sum::<u64>(),
        );
        if let Some(fault) = own.iter().find_map(|outcome| outcome.fault.as_ref()) {
            println!("      {}: {fault}", server.kind.name());
        }
    }
    Ok(())
}

/// The median over the rounds of one server's rate as a multiple of another's in the same round.
fn ratio(own: &[Outcome], other: Option<&Vec<Outcome>>) -> String {
    let Some(other) = other else { return "–".into() };
    let ratios = own.iter().zip(other).map(|(own, other)| own.rate() / other.rate().max(f64::EPSILON));
    format!("{:.2}", median(&sorted(ratios)))
}
