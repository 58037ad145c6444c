//! Commands of the console: it says for whom, and what it is denied is noted in the access log.

use std::path::Path;

use anyhow::Context as _;
use clap::{CommandFactory as _, FromArgMatches as _};

use crate::cli::{Cli, Command, USAGE, YES, held, log, receipts, reference, status, with_config};
use crate::config::Config;
use crate::console::commands::{self, Asked, Denied};
use crate::store::access::{Reader, Via};
use crate::store::query::Query;
use crate::store::session::{Gate, Read, Reason, Request};

pub(super) fn carry_out(asked: &[u8], config: &Path) -> anyhow::Result<u8> {
    let Asked { person, args, denied } = serde_json::from_slice(asked).context("not a command")?;
    let reader = Reader {
        via: Via::Console,
        subject: person.subject.clone(),
        name: person.name.clone(),
        role: person.role.as_str().to_owned(),
        mailboxes: person.mailboxes.clone(),
        unix: None,
    };
    let command = match commands::may(&person, &args) {
        Ok(command) if denied => Err((command.words, Denied::Role(command.words, person.role.as_str()))),
        Ok(command) => Ok(command),
        Err(why) => Err((commands::named(&args).map_or("console", |command| command.words), why)),
    };
    if let Err((words, why)) = command {
        return with_config(config, |config, _| refuse(&config, reader, words, &why));
    }
    let matches = Cli::command()
        .try_get_matches_from(std::iter::once("postvakt").chain(args.iter().map(String::as_str)));
    let matches = match matches {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return Ok(if error.use_stderr() { USAGE } else { YES });
        }
    };
    let cli = Cli::from_arg_matches(&matches)?;
    with_config(config, |config, _| match &cli.command {
        Command::Log(args) => log::run(args, &config, reader),
        Command::Held(args) => held::run(args, &config, reader),
        Command::Receipts(args) => receipts::run(args, &config, reader),
        Command::Rules { id, json, .. } => reference::configured(&config, id.as_deref(), *json),
        Command::Status(args) => status::run(args, &config),
        _ => anyhow::bail!("{}", Denied::Unknown),
    })
}

/// Notes that somebody asked for what they may not.
fn refuse(config: &Config, reader: Reader, words: &'static str, why: &Denied) -> anyhow::Result<u8> {
    let verb = words.strip_prefix("log ").unwrap_or(words);
    let request = Request::new(verb, Query::default(), Reason::operation(""));
    let gate = Gate::new(&config.store.directory, config, reader);
    let read = gate.act(&request, Some(why.to_string()), |_| anyhow::Ok(()))?;
    if let Read::Refused(why) = read {
        eprintln!("postvakt: refused: {why}");
    }
    Ok(USAGE)
}
