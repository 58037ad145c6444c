//! What the most expensive mails cost: `cargo bench --bench bounds -- --help`.
//!
//! Each mail goes to a program of its own that has all rules on and a store on the disk. Processor time is that of the
//! program and its workers until both are at rest, even after the answer. Memory is the most that all of them together
//! had resident (looked at every few milliseconds), and never less than what the kernel says was the program's own most.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark that cannot run ends; its figures are rounded"
)]

mod costly;
mod gateway;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use clap::Parser;
use postvakt::mail::Message;
use serde_json::json;

use costly::Kind;
use gateway::process::Usage;
use gateway::victims::{self, Tally, Until};
use gateway::{Answer, From, Gateway};

/// Processor time, memory and answers of the most expensive mails.
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
#[derive(Debug, Parser)]
struct Options {
    /// Only kinds whose names begin so; several are separated by commas.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Octets of the smallest mail of each kind; k and m may follow.
    #[arg(long, default_value = "128k")]
    size: String,
    /// How many times as large the others are.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8")]
    times: Vec<usize>,
    /// As many of them at once instead, each at the largest size, with others' mail beside them.
    #[arg(long)]
    at_once: Option<usize>,
    /// Instead, outgoing mail that must be held, under three attacks, for so many seconds each.
    #[arg(long)]
    victims: Option<u64>,
    /// Instead, how long the program takes to stop while it works on each of them.
    #[arg(long)]
    stop: bool,
    /// From inside to the outside, and not the other way round.
    #[arg(long)]
    outbound: bool,
    /// Seconds until a mail is given up.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Address space of the program, as `ulimit -v` has it, in octets; k, m and g may follow.
    #[arg(long, default_value = "6g")]
    memory: String,
    /// Another build of the program.
    #[arg(long, default_value = gateway::PROGRAM)]
    program: String,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// The names of all kinds, with what makes each expensive.
    #[arg(long)]
    list: bool,
    /// Writes the mails into this directory, and measures nothing.
    #[arg(long)]
    write: Option<std::path::PathBuf>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn kinds(&self) -> Vec<Kind> {
        let wanted =
            |kind: &Kind| self.only.is_empty() || self.only.iter().any(|name| kind.name.starts_with(&**name));
        costly::kinds().into_iter().filter(wanted).collect()
    }

    fn from(&self, number: u8) -> From {
        if self.outbound { From::Inside } else { From::Outside(number) }
    }

    fn gateway(&self) -> Gateway {
        Gateway::start_program(&self.program, Some(octets(&self.memory) as u64))
    }

    fn largest(&self) -> usize {
        octets(&self.size) * self.times.iter().max().copied().unwrap_or(1)
    }
}

/// `128k`, `6g` or a number.
fn octets(text: &str) -> usize {
    let lower = text.to_ascii_lowercase();
    let shift = match lower.chars().last() {
        Some('k') => 10,
        Some('m') => 20,
        Some('g') => 30,
        _ => 0,
    };
    lower.trim_end_matches(['k', 'm', 'g']).parse::<usize>().unwrap() << shift
}

fn main() {
    let options = Options::parse();
    if options.list {
        for kind in options.kinds() {
            println!("{:<24}{}", kind.name, kind.what);
        }
    } else if let Some(directory) = &options.write {
        for kind in options.kinds() {
            let path = directory.join(format!("{}.eml", kind.name));
            std::fs::write(path, (kind.make)(options.largest())).unwrap();
        }
    } else if let Some(seconds) = options.victims {
        under_attack(&options, Duration::from_secs(seconds));
    } else if let Some(count) = options.at_once {
        at_once(&options, count);
    } else if options.stop {
        stops(&options);
    } else {
        table(&options);
    }
}

/// What one mail cost.
#[derive(Clone, Copy, Debug)]
struct Cost {
    octets: usize,
    answer: Option<Answer>,
    answered: Duration,
    cpu: Duration,
    /// Of it, what came after the answer.
    after: Duration,
    /// MB.
    peak: u64,
    workers: u64,
    logged: u64,
}

/// Sends one mail to a program of its own, and waits until that is at rest.
fn measure(mail: &[u8], options: &Options) -> Cost {
    let mut gateway = options.gateway();
    gateway.deliver(&gateway::trivial(), From::Outside(1));
    let (message, before) = (gateway::message(mail), Usage::of(gateway.pid()));
    let (pid, from) = (gateway.pid(), options.from(7));
    let limit = Duration::from_secs(options.seconds);
    let mut cost = Cost {
        octets: mail.len(),
        answer: None,
        answered: limit,
        cpu: Duration::ZERO,
        after: Duration::ZERO,
        peak: 0,
        workers: 0,
        logged: 0,
    };
    let started = Instant::now();
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        let deliverer = &gateway;
        scope.spawn(move || sender.send((deliverer.deliver(&message, from), Instant::now())));
        let (mut at_answer, mut last, mut still) = (None, Duration::ZERO, 0);
        loop {
            let usage = Usage::of(pid);
            let spent = usage.cpu.saturating_sub(before.cpu);
            cost.cpu = cost.cpu.max(spent);
            cost.peak = cost.peak.max(usage.resident).max(usage.peak_own);
            cost.workers = cost.workers.max(usage.peak_workers);
            if let (None, Ok((answer, at))) = (cost.answer, receiver.try_recv()) {
                (cost.answer, cost.answered, at_answer) = (Some(answer), at - started, Some(spent));
            }
            still = if spent == last { still + 1 } else { 0 };
            last = spent;
            let rests = at_answer.is_some() && still > 40;
            if rests || started.elapsed() > limit {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        cost.after = cost.cpu.saturating_sub(at_answer.unwrap_or(cost.cpu));
        kill(pid);
    });
    cost.logged = gateway.logged();
    if matches!(cost.answer, None | Some(Answer::Cut)) {
        eprintln!("{}", gateway.said());
    }
    let _ = gateway.ended();
    cost.peak >>= 10;
    cost.workers >>= 10;
    cost
}

fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// One line for each kind: its largest mail, and how what it costs grows with its size.
fn table(options: &Options) {
    if !options.json {
        println!(
            "| kind | octets | CPU s | after the answer | peak MB | a worker's | answered after s | answer | growth of CPU | of memory |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
    }
    for kind in options.kinds() {
        let costs: Vec<Cost> = options
            .times
            .iter()
            .map(|times| measure(&(kind.make)(octets(&options.size) * times), options))
            .collect();
        let Some(largest) = costs.iter().max_by_key(|cost| cost.octets).copied() else { continue };
        let cpu = growth(costs.iter().map(|cost| (cost.octets, cost.cpu.as_secs_f64())), 0.05);
        let memory = growth(costs.iter().map(|cost| (cost.octets, cost.peak as f64 - 35.0)), 10.0);
        if options.json {
            for cost in costs {
                println!("{}", line(kind, &cost));
            }
            continue;
        }
        println!(
            "| {} | {} | {:.2} | {:.2} | {} | {} | {:.2} | {} | {cpu} | {memory} |",
            kind.name,
            largest.octets,
            largest.cpu.as_secs_f64(),
            largest.after.as_secs_f64(),
            largest.peak,
            largest.workers,
            largest.answered.as_secs_f64(),
            largest.answer.map_or("NONE", Answer::as_str),
        );
    }
}

fn line(kind: Kind, cost: &Cost) -> serde_json::Value {
    json!({
        "kind": kind.name,
        "octets": cost.octets,
        "cpu_s": cost.cpu.as_secs_f64(),
        "after_s": cost.after.as_secs_f64(),
        "peak_mb": cost.peak,
        "worker_mb": cost.workers,
        "answered_s": cost.answered.as_secs_f64(),
        "answer": cost.answer.map(Answer::as_str),
        "logged": cost.logged,
    })
}

/// The exponent of the power of the size that fits best; none where there is too little to tell.
fn growth(points: impl Iterator<Item = (usize, f64)>, least: f64) -> String {
    let points: Vec<(f64, f64)> =
        points.filter(|(_, y)| *y > least).map(|(x, y)| ((x as f64).ln(), y.ln())).collect();
    let count = points.len() as f64;
    if points.len() < 2 {
        return "–".to_owned();
    }
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let above: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let below: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if below < 1e-6 { "–".to_owned() } else { format!("{:.1}", above / below) }
}

/// Many at once, with others' mail beside them.
fn at_once(options: &Options, count: usize) {
    let kinds = options.kinds();
    let mails: Vec<(&Kind, Message)> = kinds
        .iter()
        .cycle()
        .take(count)
        .map(|kind| (kind, gateway::message(&(kind.make)(options.largest()))))
        .collect();
    let mut gateway = options.gateway();
    let pid = gateway.pid();
    let limit = Duration::from_secs(options.seconds);
    let started = Instant::now();
    let mut others = Vec::new();
    let (mut peak, mut attacks, mut trivial) = (0, Tally::new(), Tally::new());
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for ((_, message), client) in mails.iter().zip((1..=200_u8).cycle()) {
            let (sender, gateway, from) = (sender.clone(), &gateway, options.from(client));
            scope.spawn(move || sender.send(gateway.deliver(message, from)));
        }
        drop(sender);
        let small = gateway::trivial();
        let mut left = mails.len();
        while left > 0 && started.elapsed() < limit {
            let sent = Instant::now();
            *trivial.entry(gateway.deliver(&small, From::Outside(250))).or_default() += 1;
            others.push(sent.elapsed());
            let usage = Usage::of(pid);
            peak = peak.max(usage.resident).max(usage.peak_own);
            while let Ok(answer) = receiver.try_recv() {
                *attacks.entry(answer).or_default() += 1;
                left -= 1;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if left > 0 {
            kill(pid);
        }
    });
    others.sort_unstable();
    let at = |part: usize| {
        others.get((others.len() * part / 1_000).min(others.len() - 1)).copied().unwrap_or_default()
    };
    println!("{count} mails of {} octets, address space {}:", options.largest(), options.memory);
    println!("  answers: {}", victims::shown(&attacks));
    println!(
        "  all answered after {:.1} s, CPU {:.1} s, peak {} MB",
        started.elapsed().as_secs_f64(),
        Usage::of(pid).cpu.as_secs_f64(),
        peak >> 10
    );
    println!(
        "  others: {}; median {:.0?}, p99 {:.0?}, slowest {:.0?}",
        victims::shown(&trivial),
        at(500),
        at(990),
        at(1_000)
    );
    match gateway.ended() {
        Some(status) => println!("  THE PROGRAM ENDED: {status}\n{}", gateway.said()),
        None => println!("  the program runs on"),
    }
}

/// Outgoing workbooks that are always held, while others send what is expensive.
fn under_attack(options: &Options, time: Duration) {
    println!("| attack | victims | attacks | slowest victim s |");
    println!("|---|---|---|---|");
    let workbook = costly::workbook(20_000);
    let victim = |number| gateway::message(&costly::victim(&workbook, number));
    let attacks: [(&str, Vec<Message>); 4] = [
        ("none", Vec::new()),
        ("40 × 1 MB of U+FDFA", vec![gateway::message(&(costly::kind("fdfa").make)(1 << 20)); 40]),
        (
            "20 × 90 KB with ZIPs of U+FDFA",
            vec![gateway::message(&(costly::kind("zip-fdfa").make)(90 << 10)); 20],
        ),
        (
            "44 × 225 KB of encrypted workbooks",
            vec![gateway::message(&(costly::kind("office-encrypted").make)(225 << 10)); 44],
        ),
    ];
    for (name, attacks) in attacks {
        let gateway = options.gateway();
        let trial = victims::trial(&gateway, victim, &attacks, Until::Time(time));
        let slowest = trial.times.iter().max().copied().unwrap_or_default();
        println!(
            "| {name} | {} | {} | {:.1} |",
            victims::shown(&trial.victims),
            victims::shown(&trial.attacks),
            slowest.as_secs_f64()
        );
    }
}

/// How long the program takes to end while it works.
fn stops(options: &Options) {
    println!("| kind | ended after s | with |");
    println!("|---|---|---|");
    for kind in options.kinds() {
        let message = gateway::message(&(kind.make)(options.largest()));
        let mut gateway = options.gateway();
        let (pid, limit) = (gateway.pid(), Duration::from_secs(options.seconds));
        let (ended, seconds) = std::thread::scope(|scope| {
            for client in 1..=4_u8 {
                let (gateway, message, from) = (&gateway, &message, options.from(client));
                scope.spawn(move || gateway.deliver(message, from));
            }
            // Well into their work.
            std::thread::sleep(Duration::from_secs(1));
            gateway.terminate();
            let asked = Instant::now();
            while asked.elapsed() < limit && gateway::process::runs(pid) {
                std::thread::sleep(Duration::from_millis(5));
            }
            let ended = !gateway::process::runs(pid);
            kill(pid);
            (ended, asked.elapsed().as_secs_f64())
        });
        let status = gateway.ended().map_or_else(|| "nothing".to_owned(), |status| status.to_string());
        let with = if ended { status } else { format!("NOT after {seconds:.0} s") };
        println!("| {} | {seconds:.2} | {with} |", kind.name);
    }
}
