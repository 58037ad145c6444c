//! `postvakt console`: runs the web console, or makes a one-time link to sign in to it.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::bail;
use serde_json::json;

use super::{CONFIG_FILE, YES, with_config};
use crate::config::Role;
use crate::console::{self, Settings, links};

/// `console`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Config file.
    #[arg(long, value_name = "F", default_value = CONFIG_FILE)]
    config: PathBuf,
    /// Socket of the process that carries out the console's commands.
    #[arg(long, value_name = "PATH", default_value = console::COMMANDS)]
    commands: PathBuf,
    /// Socket where one-time links are asked for.
    #[arg(long, global = true, value_name = "PATH", default_value = console::LINKS)]
    links: PathBuf,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Print a link that signs in once, within five minutes. For root and the console's own user; the access log has the login of
    /// whoever asked.
    Link {
        /// Role; may be repeated.
        #[arg(long, value_name = "ROLE", required = true, value_parser = role)]
        role: Vec<Role>,
        /// Mailbox of a registrar; may be repeated.
        #[arg(long, value_name = "A")]
        mailbox: Vec<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| format!("write one of {}", Role::ALL.map(Role::as_str).join(", ")))
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<u8> {
    if let Some(Verb::Link { role, mailbox, json }) = &args.verb {
        let url = links::ask(&args.links, role, mailbox)?;
        let line = if *json { json!({ "link": url }).to_string() } else { url };
        writeln!(io::stdout().lock(), "{line}")?;
        return Ok(YES);
    }
    with_config(&args.config, |config, path| {
        let Some(settings) = Settings::of(&config, args.commands.clone(), args.links.clone()) else {
            bail!("{}: there is no [console]", path.display());
        };
        let ready = || {
            // Where no systemd waits for it, nobody is told.
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        };
        console::run(settings, ready)?;
        Ok(YES)
    })
}
