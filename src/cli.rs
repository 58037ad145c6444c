//! The command line. Every command takes `--json`. Exit codes: 0 success, 1 a problem was found or nothing matched, 2 wrong
//! usage or a check that could not be completed, 78 invalid config.

pub mod audit;
pub mod backup;
#[cfg(feature = "central")]
pub mod central;
pub mod check;
pub mod console;
pub mod demo;
pub mod exchange;
pub mod explain;
pub mod held;
pub mod init;
mod journal;
pub mod log;
mod mailbox;
pub mod operator;
mod postconf;
pub mod queue_helper;
pub mod receipts;
mod reference;
pub mod replay;
pub mod setup;
mod socket;
pub mod status;
pub mod transaction;

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format;

use crate::config::Config;
use crate::daemon;
use crate::store::access::{Reader, Via};
use crate::worker::{ocr, pool, serve};
use journal::Prioritised;

/// 0: yes.
pub const YES: u8 = 0;
/// 1: no; something was found, or differs.
pub const NO: u8 = 1;
/// 2: the command cannot be carried out as it was given.
pub const USAGE: u8 = 2;
/// 78 (`EX_CONFIG` of sysexits.h): the config has mistakes.
pub const CONFIG: u8 = 78;

/// Where the config is, unless said otherwise.
pub const CONFIG_FILE: &str = "/etc/postvakt/postvakt.toml";

/// Mail-gateway policy filter: a milter that enforces an organisation's e-mail rules and logs every message.
#[derive(Debug, Parser)]
#[command(name = "postvakt", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the milter.
    Serve {
        /// Config file.
        #[arg(long, value_name = "F", default_value = CONFIG_FILE)]
        config: PathBuf,
        /// Write log lines as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Run the real server with sample mail and show what it decides. Needs no config and no Postfix.
    Demo(demo::Args),
    /// Write a first config, in which every rule only logs, and make the directories that it needs.
    Init(init::Args),
    /// Validate a config file, run the tests in it, and report all errors.
    Check(check::Args),
    /// Show facts, findings, verdict and edits for messages in files. Changes nothing.
    Explain(explain::Args),
    /// Show what a config would decide about stored mail, and where another config differs. Changes nothing.
    Replay(replay::Args),
    /// List the rules, or print the reference of one.
    Rules {
        /// Id of the rule.
        id: Option<String>,
        /// List the rules of this config instead, with their modes and exceptions.
        #[arg(long, value_name = "F")]
        config: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Search, export and verify the log. Every access is logged.
    Log(Box<log::Args>),
    /// Copy the log into an empty directory while the server runs.
    Backup(backup::Args),
    /// Read documents on behalf of the server.
    #[command(hide = true, name = pool::COMMAND)]
    Worker,
    /// Become a program that recognises text, confined.
    #[command(hide = true, name = ocr::COMMAND)]
    Become {
        /// The program, and what it is called with.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<std::ffi::OsString>,
    },
    /// List forwards that a milter cannot see: aliases, .forward files, BCC and transport maps of Postfix.
    PostfixAudit(audit::Args),
    /// List forwards that Exchange makes, and which of them would never pass this gateway, from exported objects.
    ExchangeAudit(exchange::Args),
    /// Connect Postfix to the milter: show the changes of main.cf and master.cf, apply them, or undo them.
    PostfixSetup(setup::Args),
    /// List the receipts and notices in the outbox; retry or cancel them.
    Receipts(receipts::Args),
    /// List mail in Postfix's hold queue, and release it, return it or hand it over. Works without root for the operators'
    /// group. Every act is logged.
    Held(held::Args),
    /// Show whether all is well, in numbers: the log, the outbox, held mail, exceptions that end. It names nobody.
    Status(status::Args),
    /// Run the web console, or make a one-time link to sign in to it.
    Console(console::Args),
    /// Set up the central log of several gateways, or show how it is.
    #[cfg(feature = "central")]
    Central(central::Args),
    /// Act on Postfix's hold queue for the server and for operators. Runs as root, started by systemd.
    QueueHelper(queue_helper::Args),
    /// Carry out an operator's command as the server's user. Started by systemd.
    Operator(operator::Args),
    /// Print a completion script for a shell.
    #[command(hide = true)]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory.
    #[command(hide = true)]
    Man {
        /// The directory.
        directory: PathBuf,
    },
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { USAGE.into() } else { YES.into() };
        }
    };
    match run(cli.command) {
        Ok(code) => code.into(),
        Err(error) if closed_pipe(&error) => YES.into(),
        Err(error) => {
            eprintln!("postvakt: {error:#}");
            USAGE.into()
        }
    }
}

fn run(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Serve { config, json } => {
            start_log(json, "info");
            with_config(&config, |config, path| daemon::run(config, path).map(|()| YES))
        }
        Command::Demo(args) => {
            start_log(false, "error");
            demo::run(&args)
        }
        Command::Init(args) => init::run(&args),
        Command::Check(args) => {
            start_log(false, "error");
            check::run(&args, &mut io::stdout().lock(), &mut io::stderr().lock())
        }
        Command::Explain(args) => {
            start_log(false, "error");
            let path = args.config.clone();
            with_config(&path, |config, _| explain::run(&args, config))
        }
        Command::Replay(args) => {
            start_log(false, "error");
            let path = args.config.clone();
            with_config(&path, |config, _| match args.against.clone() {
                Some(old) => with_config(&old, |old, _| replay::run(&args, config, Some(old))),
                None => replay::run(&args, config, None),
            })
        }
        Command::Rules { id, config: None, json } => reference::run(id.as_deref(), json),
        Command::Rules { id, config: Some(path), json } => {
            with_config(&path, |config, _| reference::configured(&config, id.as_deref(), json))
        }
        Command::Log(args) => {
            start_log(false, "warn");
            if args.is_offline() {
                return log::run_offline(&args);
            }
            let path = args.config.clone();
            with_config(&path, |config, _| {
                log::run(&args, &config, Reader::of_this_process(Via::CommandLine))
            })
        }
        Command::Backup(args) => on_config(&args.config, |config| backup::run(&args, config)),
        Command::Worker => Ok(serve::run()),
        Command::Become { program } => Ok(match program.split_first() {
            Some((program, arguments)) => ocr::run(program, arguments),
            None => USAGE,
        }),
        Command::PostfixAudit(args) => on_config(&args.config, |config| audit::run(&args, config)),
        Command::ExchangeAudit(args) => on_config(&args.config, |config| exchange::run(&args, config)),
        Command::PostfixSetup(args) => {
            start_log(false, "warn");
            if args.undo {
                return setup::undo(&args);
            }
            let path = args.config.clone();
            with_config(&path, |config, _| setup::run(&args, &config))
        }
        Command::Receipts(args) => on_config(&args.config, |config| {
            receipts::run(&args, config, Reader::of_this_process(Via::CommandLine))
        }),
        Command::Held(args) => {
            start_log(false, "warn");
            operator::ask_or(&args, || {
                let path = args.config.clone();
                with_config(&path, |config, _| {
                    held::run(&args, &config, Reader::of_this_process(Via::CommandLine))
                })
            })
        }
        Command::Status(args) => on_config(&args.config, |config| status::run(&args, config)),
        Command::Console(args) => {
            start_log(false, "info");
            console::run(&args)
        }
        #[cfg(feature = "central")]
        Command::Central(args) => {
            start_log(false, "warn");
            central::run(&args)
        }
        Command::QueueHelper(args) => {
            start_log(false, "info");
            queue_helper::run(&args)
        }
        Command::Operator(args) => operator::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "postvakt", &mut io::stdout());
            Ok(YES)
        }
        Command::Man { directory } => {
            clap_mangen::generate_to(Cli::command(), directory)?;
            Ok(YES)
        }
    }
}

/// Runs `work` with the config in the file, for a command that says little beside its output.
fn on_config(path: &Path, work: impl FnOnce(&Config) -> anyhow::Result<u8>) -> anyhow::Result<u8> {
    start_log(false, "warn");
    with_config(path, |config, _| work(&config))
}

/// Runs `work` with the config in the file, or says everything that is wrong with it.
pub fn with_config(
    path: &Path,
    work: impl FnOnce(Config, &Path) -> anyhow::Result<u8>,
) -> anyhow::Result<u8> {
    match Config::load(path) {
        Ok(config) => work(config, path),
        Err(problems) => {
            eprint!("{problems}");
            Ok(CONFIG)
        }
    }
}

/// The operational log goes to stderr; `POSTVAKT_LOG` sets what is written, as `debug` or `postvakt::store=trace`.
fn start_log(json: bool, default: &str) {
    let filter = EnvFilter::try_from_env("POSTVAKT_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    let (terminal, journal) = (io::stderr().is_terminal(), journal::takes_stderr());
    // A second start in one process (tests) keeps the first.
    let _ = match (json, journal) {
        (false, false) => log.with_ansi(terminal).try_init(),
        (true, false) => log.json().try_init(),
        (false, true) => {
            let line = format().without_time().with_level(false).with_target(false).with_ansi(false);
            log.with_ansi(false).event_format(Prioritised(line)).try_init()
        }
        (true, true) => log.json().event_format(Prioritised(format().json().with_target(false))).try_init(),
    };
}

/// Whether the reader of our output has left, as `head` does: no fault of anybody's.
fn closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// Prints rows as a table, each column as wide as its widest cell; the last one as long as it is.
pub fn print_table(head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    write_table(&mut io::stdout().lock(), io::stdout().is_terminal(), head, rows)
}

/// [`print_table`] to `out`, with a bold head or without.
pub fn write_table(
    out: &mut dyn io::Write,
    bold: bool,
    head: &[&str],
    rows: &[Vec<String>],
) -> io::Result<()> {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut line = |cells: &mut dyn Iterator<Item = &str>, bold: bool| -> io::Result<()> {
        let padded =
            cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect::<Vec<_>>().join("  ");
        let (on, off) = if bold { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        writeln!(out, "{on}{}{off}", padded.trim_end())
    };
    line(&mut head.iter().copied(), bold)?;
    for row in rows {
        line(&mut row.iter().map(String::as_str), false)?;
    }
    Ok(())
}
