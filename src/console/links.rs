//! One-time links: whoever is root on this host, or the console's own user, gets one, signs in with it, and is known by their
//! login there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream as AsyncStream};
use tokio::time::timeout;

use super::App;
use super::sessions::SignedIn;
use crate::address::Address;
use crate::config::Role;
use crate::limits;
use crate::store::access::Reader;

/// What a link is asked for: words of roles, and the mailboxes of a registrar.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    roles: Vec<String>,
    mailboxes: Vec<String>,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    /// The link.
    Link(String),
    /// Why there is none.
    Refused(String),
}

/// Asks the console on this host for a link.
pub fn ask(socket: &Path, roles: &[Role], mailboxes: &[String]) -> anyhow::Result<String> {
    let shown = socket.display();
    let mut stream = UnixStream::connect(socket).with_context(|| {
        format!("{shown}: cannot connect; does `postvakt console` run, and are you root?")
    })?;
    let words = roles.iter().map(|role| role.as_str().to_owned()).collect();
    let asked = serde_json::to_string(&Asked { roles: words, mailboxes: mailboxes.to_vec() })?;
    stream.write_all(format!("{asked}\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    match serde_json::from_str(&line).context("the console gave no answer")? {
        Answer::Link(url) => Ok(url),
        Answer::Refused(why) => bail!(why),
    }
}

/// Answers those who ask for links.
pub(super) async fn answer(listener: UnixListener, app: App) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(limits::ACCEPT_PAUSE).await;
            continue;
        };
        let app = app.clone();
        tokio::spawn(async move {
            if let Ok(Err(error)) = timeout(limits::CONSOLE_REQUEST_TIME, one(stream, &app)).await {
                tracing::warn!(%error, "a one-time link was asked for and not given");
            }
        });
    }
}

async fn one(mut stream: AsyncStream, app: &App) -> anyhow::Result<()> {
    let peer = stream.peer_cred()?;
    // Before anything is waited for: the process may end.
    let reader = peer.pid().and_then(|pid| Reader::of_peer(peer.uid(), pid.unsigned_abs()));
    let own = rustix::process::getuid().as_raw();
    let mut line = String::new();
    let (from, mut to) = stream.split();
    tokio::io::BufReader::new(from.take(limits::CONSOLE_FORM_OCTETS as u64)).read_line(&mut line).await?;
    let answer = match reader {
        Some(reader) if peer.uid() == 0 || peer.uid() == own => make(app, &line, &reader)?,
        Some(_) => Answer::Refused("only root and the console's own user get links".to_owned()),
        None => Answer::Refused("the process that asked has ended, so it is not known who asks".to_owned()),
    };
    let text = serde_json::to_string(&answer)?;
    to.write_all(format!("{text}\n").as_bytes()).await?;
    Ok(())
}

fn make(app: &App, line: &str, reader: &Reader) -> anyhow::Result<Answer> {
    let Asked { roles, mailboxes } = serde_json::from_str(line)?;
    let roles: Vec<(Role, Vec<String>)> = roles
        .iter()
        .filter_map(|word| Role::parse(word))
        .map(|role| (role, if role == Role::Registrar { mailboxes.clone() } else { Vec::new() }))
        .collect();
    if roles.is_empty() {
        return Ok(Answer::Refused("name a role".to_owned()));
    }
    if let Some(wrong) =
        mailboxes.iter().find(|own| Address::parse(own).is_none_or(|own| own.domain().is_none()))
    {
        return Ok(Answer::Refused(format!("{wrong:?} is no mailbox: write a whole address")));
    }
    if mailboxes.is_empty() && roles.iter().any(|(role, _)| *role == Role::Registrar) {
        return Ok(Answer::Refused("a registrar has mailboxes of their own: --mailbox".to_owned()));
    }
    let words: Vec<&str> = roles.iter().map(|(role, _)| role.as_str()).collect();
    tracing::warn!(subject = reader.subject, roles = words.join(", "), "a one-time link was given");
    let who = SignedIn { subject: reader.subject.clone(), name: String::new(), roles };
    let token = app.links().keep(who, Instant::now())?;
    Ok(Answer::Link(format!("{}/sign-in/link/{}", app.settings.console.origin, token.as_str())))
}
