//! Memory of idle connections: `cargo bench --bench idle -- --help`.
//!
//! Postfix keeps a filter's connection open for as long as its SMTP client is silent. Each connection here has been
//! greeted (negotiation, connect, HELO) and is then silent; what the server's resident memory has grown by is theirs.

#![allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]

mod bare;
mod load;
mod servers;

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;

use load::rss_of;
use servers::{Kind, Server};

/// Connections that are opened before the first look, so that what a server makes once is not counted.
const WARM_UP: usize = 64;
/// Between two looks at a server's memory, and how many there are at most.
const SETTLE_PAUSE: Duration = Duration::from_millis(500);
const SETTLE_LOOKS_MAX: usize = 20;

/// Resident memory of idle connections.
#[derive(Debug, Parser)]
struct Options {
    /// Connections.
    #[arg(long, default_value_t = 5_000)]
    connections: usize,
    /// The servers.
    #[arg(long, value_delimiter = ',', value_enum, default_value = "libmilter,engine,postvakt")]
    servers: Vec<Kind>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    if servers::served()? {
        return Ok(());
    }
    let options = Options::parse();
    let files = servers::raise_file_limit()?;
    if options.connections as u64 + 256 > files {
        bail!("{} connections, but only {files} open files are allowed (ulimit -Hn)", options.connections);
    }
    println!("server     connections  RSS before  RSS after  KiB each");
    for &kind in &options.servers {
        let server = Server::start(kind)?;
        drop(load::greeted(&server.address, WARM_UP)?);
        let before = settled(&server)?;
        let sessions = load::greeted(&server.address, options.connections)?;
        let after = settled(&server)?;
        let each = after.saturating_sub(before) as f64 / sessions.len().max(1) as f64;
        println!("{:<9} {:>12} {before:>11} {after:>10} {each:>9.1}", kind.name(), sessions.len());
    }
    Ok(())
}

/// Resident memory in KiB, once it has not changed for a while: nobody replies to the last frames of a greeting.
fn settled(server: &Server) -> Result<u64> {
    let mut last = rss_of(server.pid())?;
    for _ in 0..SETTLE_LOOKS_MAX {
        std::thread::sleep(SETTLE_PAUSE);
        let now = rss_of(server.pid())?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}
