//! Frames decoded per second: `cargo bench --bench frame -- --help`.
//!
//! The frames are those of one message as Postfix sends them; `decode` finds their borders, `parse` also reads what
//! they say.

#![allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]

mod load;

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use postvakt::milter::command::Command;
use postvakt::milter::frame::{self, Frame};

/// Messages decoded between two looks at the clock.
const BATCH: u64 = 256;

/// Frames decoded per second.
#[derive(Debug, Parser)]
struct Options {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Octets of the message.
    #[arg(long, value_delimiter = ',', default_value = "2k,20k,1m")]
    sizes: Vec<String>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let time = Duration::from_secs_f64(options.seconds.clamp(0.1, 600.0));
    println!("size   what    frames/message     frames/s   ns/frame  messages/s");
    for size in &options.sizes {
        let octets = load::transaction(load::parse_size(size)?);
        report(size, "decode", time, || walk(&octets, Ok))?;
        report(size, "parse", time, || walk(&octets, |frame| Ok(Command::parse(frame)?)))?;
    }
    Ok(())
}

/// Hands every frame to `each`; how many there are.
fn walk<'a, T>(octets: &'a [u8], mut each: impl FnMut(Frame<'a>) -> Result<T>) -> Result<u64> {
    let (mut rest, mut frames) = (black_box(octets), 0);
    while let Some((frame, length)) = frame::decode(rest)? {
        black_box(each(frame)?);
        rest = rest.get(length..).context("a frame is longer than its buffer")?;
        frames += 1;
    }
    Ok(frames)
}

fn report(size: &str, what: &str, time: Duration, mut message: impl FnMut() -> Result<u64>) -> Result<()> {
    let (mut frames, mut messages) = (0, 0);
    let from = Instant::now();
    while from.elapsed() < time {
        for _ in 0..BATCH {
            frames += message()?;
        }
        messages += BATCH;
    }
    let seconds = from.elapsed().as_secs_f64();
    println!(
        "{size:<6} {what:<8} {:>13} {:>12.0} {:>10.1} {:>11.0}",
        frames / messages,
        frames as f64 / seconds,
        seconds * 1e9 / frames as f64,
        messages as f64 / seconds
    );
    Ok(())
}
