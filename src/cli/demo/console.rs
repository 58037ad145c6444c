//! `demo --console`: the web console over the demonstration's log, on this host alone, until it is told to stop.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::config::{Config, Role};
use crate::console::{self, Settings, links};
use crate::limits;

/// The lines of the config for the console: a port that is free now.
pub(super) fn config_text() -> anyhow::Result<String> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    Ok(format!("\n[console]\nlisten = \"inet:127.0.0.1:{free}\"\norigin = \"http://localhost:{free}\"\n"))
}

/// The process that carries out the console's commands, as `postvakt-console-commands.socket` starts it elsewhere.
struct Commands(Child);

impl Drop for Commands {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves until it is told to stop, after it printed a link to sign in with.
pub(super) async fn serve(config: &Config, path: &Path, directory: &Path) -> anyhow::Result<()> {
    let (commands, asked) = (directory.join("commands.sock"), directory.join("link.sock"));
    let program = std::env::current_exe()?;
    let child = Command::new(program)
        .args(["operator", "--console", "--config"])
        .arg(path)
        .arg("--listen")
        .arg(&commands)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start the process for the console's commands")?;
    let _commands = Commands(child);
    let until = Instant::now() + limits::REQUEST_TIME;
    while !commands.exists() {
        if Instant::now() > until {
            bail!("the process for the console's commands does not listen");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let Some(settings) = Settings::of(config, commands, asked.clone()) else {
        bail!("there is no [console]")
    };
    let ready = move || {
        std::thread::spawn(move || {
            let mailboxes = ["registrator@exempelby.se".to_owned()];
            match links::ask(&asked, &Role::ALL, &mailboxes) {
                Ok(link) => {
                    let mut out = std::io::stdout().lock();
                    // Where nobody reads it, the console is of no use, and waits to be stopped.
                    let _ = writeln!(
                        out,
                        "\nThe console, with every role, until Ctrl-C. This link signs in once, within five minutes:\n\n  {link}\n"
                    );
                    let _ = out.flush();
                }
                Err(error) => eprintln!("postvakt: {error:#}"),
            }
        });
    };
    console::serve(settings, ready).await
}
