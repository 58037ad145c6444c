//! Commands of the console: it says for whom, and what it is denied is noted in the access log.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::Context as _;
use clap::{CommandFactory as _, FromArgMatches as _};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::cli::{Cli, Command, USAGE, YES, held, log, receipts, reference, status, with_config};
use crate::config::Config;
use crate::console::commands::{self, Asked, Denied};
use crate::export::Format;
use crate::limits;
use crate::store::access::{Reader, Via};
use crate::store::query::Query;
use crate::store::session::{Gate, Read, Reason, Request};
use serde_json::json;

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
        return with_config(config, |config, _| refuse(&config, reader, words, &args, &why));
    }
    // Commands that write files beside one another, which are handed over as one.
    let words = command.map_or("", |command| command.words);
    let of_request = words == "log disclosure files";
    let files = (words == "log export" || of_request).then(tempfile::tempdir).transpose()?;
    let output = files.as_ref().map(|files| output(files.path(), &args));
    let asked = args.clone();
    let args: Vec<String> = args.into_iter().chain(output).collect();
    let matches = Cli::command()
        .try_get_matches_from(std::iter::once("postvakt").chain(args.iter().map(String::as_str)));
    let matches = match matches {
        Ok(matches) => matches,
        Err(error) if error.use_stderr() => {
            let said = error.to_string();
            let said = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let why = Denied::Value(words, said.to_owned());
            return with_config(config, |config, _| refuse(&config, reader, words, &asked, &why));
        }
        Err(error) => {
            let _ = error.print();
            return Ok(YES);
        }
    };
    let cli = Cli::from_arg_matches(&matches)?;
    with_config(config, |config, _| match &cli.command {
        Command::Log(args) => match &files {
            Some(files) => {
                let code = log::run_to(args, &config, reader, &mut io::sink(), false)?;
                give(files.path(), of_request)?;
                Ok(code)
            }
            None => log::run(args, &config, reader),
        },
        Command::Held(args) => held::run(args, &config, reader),
        Command::Receipts(args) => receipts::run(args, &config, reader),
        Command::Rules { id, json, .. } => reference::configured(&config, id.as_deref(), *json),
        Command::Status(args) => status::run(args, &config),
        _ => anyhow::bail!("{}", Denied::Unknown),
    })
}

/// The option that says where an export goes: its files are handed over as one.
fn output(directory: &Path, args: &[String]) -> String {
    let format = args.iter().find_map(|arg| arg.strip_prefix("--format="));
    // What is no format is no name either: it is refused.
    let extension = format.filter(|format| Format::parse(format).is_some()).unwrap_or("csv");
    format!("--output={}", directory.join("export").with_extension(extension).display())
}

/// Writes the files of a directory to the output, as a ZIP archive; nothing where there are none. Of a request for public
/// records, what is given away and what stays in the case are in folders of their own.
fn give(directory: &Path, of_request: bool) -> anyhow::Result<()> {
    let mut names: Vec<_> =
        fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    names.sort_unstable();
    if names.is_empty() {
        return Ok(());
    }
    let mut archive = ZipWriter::new(tempfile::tempfile()?);
    let options =
        SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(true);
    for path in names {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let folder = match (of_request, name.ends_with(".review.csv")) {
            (false, _) => "",
            (true, false) => "lamnas-ut/",
            (true, true) => "till-akten/",
        };
        archive.start_file(format!("{folder}{name}"), options)?;
        io::copy(&mut File::open(&path)?, &mut archive)?;
    }
    let mut file = archive.finish()?;
    file.seek(SeekFrom::Start(0))?;
    io::copy(&mut file, &mut io::stdout().lock())?;
    Ok(())
}

/// Notes that somebody asked for what they may not.
fn refuse(
    config: &Config,
    reader: Reader,
    words: &'static str,
    args: &[String],
    why: &Denied,
) -> anyhow::Result<u8> {
    let verb = words.strip_prefix("log ").unwrap_or(words);
    let request = Request::new(verb, Query::default(), Reason::operation(""));
    let asked = args.join(" ");
    let asked = asked.get(..asked.floor_char_boundary(limits::CONSOLE_ARGUMENT_OCTETS)).unwrap_or_default();
    let request = request.with(json!({ "asked": asked }));
    let gate = Gate::new(&config.store.directory, config, reader);
    let read = gate.act(&request, Some(why.to_string()), |_| anyhow::Ok(()))?;
    if let Read::Refused(why) = read {
        eprintln!("postvakt: refused: {why}");
    }
    Ok(USAGE)
}
