//! `postvakt queue-helper`: the one process that touches Postfix's queue, as root.
//!
//! Contract: one request for each connection, by Postvakt's own user or by root; it lists mail on hold, gives the text of one,
//! releases or returns one. What is no queue id, or not on hold, is not touched. It knows no config and opens no log.

use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use jiff::{SignedDuration, Timestamp};
use rustix::fs::{FlockOperation, flock};
use rustix::net::{RecvFlags, recv};
use serde::Deserialize;

use super::socket::{self, user_id};
use super::{USAGE, YES};
use crate::held::queue::{
    Answer, Left, QueueId, Request, Waiting, end_text, patient, read_line, write_line, write_text,
};
use crate::limits;
use crate::text;

/// `queue-helper`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// User whose requests are carried out, beside root.
    #[arg(long, value_name = "NAME", default_value = "postvakt")]
    user: String,
    /// Directory of Postfix's main.cf.
    #[arg(long, value_name = "DIR")]
    postfix: Option<PathBuf>,
    /// Listen on this socket, where there is no systemd.
    #[arg(long, value_name = "PATH")]
    listen: Option<PathBuf>,
}

/// Answers the connection that is the standard input, or listens.
pub fn run(args: &Args) -> anyhow::Result<u8> {
    let Some(uid) = user_id(&args.user) else { bail!("there is no user {}", args.user) };
    if let Some(path) = &args.listen {
        let mut own = vec!["queue-helper".into(), "--user".into(), args.user.clone().into()];
        if let Some(directory) = &args.postfix {
            own.extend(["--postfix".into(), directory.clone().into_os_string()]);
        }
        return socket::listen(path, 0o600, (Some(uid), None), &own);
    }
    let mut stream = socket::standard_input()?;
    patient(&stream, limits::QUEUE_HELPER_TIME)?;
    // Whatever was asked is read: an answer beside unread octets would not arrive.
    let line = read_line(&mut BufReader::new(&stream), limits::QUEUE_REQUEST_OCTETS)?;
    let peer = rustix::net::sockopt::socket_peercred(stream.as_fd())?;
    if ![0, uid].contains(&peer.uid.as_raw()) {
        tracing::error!(uid = peer.uid.as_raw(), "refused: not the user whose requests are carried out");
        write_line(&mut stream, &Answer::Failed { why: format!("only {} may ask", args.user) })?;
        return Ok(USAGE);
    }
    let postfix = Postfix { directory: args.postfix.as_deref() };
    let answer = match serde_json::from_slice(&line) {
        // One request at a time: whoever finds a mail on hold knows that no earlier request will still release it.
        Ok(request) => postfix.turn().and_then(|_turn| postfix.answer(&request, &mut stream)),
        Err(error) => Err(anyhow::anyhow!("not a request: {error}")),
    };
    match answer {
        Ok(None) => {}
        Ok(Some(answer)) => write_line(&mut stream, &answer)?,
        Err(error) => {
            let why = format!("{error:#}");
            tracing::error!(error = why, "a request was not carried out");
            write_line(&mut stream, &Answer::Failed { why })?;
            return Ok(USAGE);
        }
    }
    stream.flush()?;
    Ok(YES)
}

/// Postfix's commands.
struct Postfix<'a> {
    directory: Option<&'a Path>,
}

/// A line of `postqueue -j`.
#[derive(Deserialize)]
struct Queued {
    queue_name: String,
    queue_id: String,
    arrival_time: i64,
    message_size: u64,
    sender: String,
    recipients: Vec<QueuedRecipient>,
}

#[derive(Deserialize)]
struct QueuedRecipient {
    address: String,
}

impl Postfix<'_> {
    /// The answer, where it is not written already.
    fn answer(&self, request: &Request, out: &mut UnixStream) -> anyhow::Result<Option<Answer>> {
        match request {
            Request::List => {
                let mut mails = self.on_hold()?;
                mails.sort_by_cached_key(|mail| (mail.arrived, mail.id.to_string()));
                let more = mails.len() > limits::QUEUE_LISTED;
                mails.truncate(limits::QUEUE_LISTED);
                Ok(Some(Answer::Listed { mails, more }))
            }
            Request::Header { id } => self.text(&["-hq"], id, out),
            Request::Message { id } => self.text(&["-bhq"], id, out),
            // Who asked and has gone may have noted that nothing was done.
            Request::Release { .. } | Request::Return { .. } if has_gone(out) => bail!("who asked has gone"),
            Request::Release { id } => self.release(id).map(Some),
            Request::Return { id } => self.give_back(id).map(Some),
        }
    }

    /// The right to use the queue, as long as the file is open.
    fn turn(&self) -> anyhow::Result<File> {
        let path = Path::new(&self.setting("queue_directory")?).join("hold");
        let hold = File::open(&path).with_context(|| format!("{}", path.display()))?;
        flock(&hold, FlockOperation::LockExclusive)?;
        Ok(hold)
    }

    fn on_hold(&self) -> anyhow::Result<Vec<Waiting>> {
        let mut command = self.command("postqueue");
        let mut child =
            command.arg("-j").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("postqueue")?;
        let Some(listing) = child.stdout.take() else { bail!("postqueue: no output") };
        let mut found = Vec::new();
        for line in io::BufRead::split(BufReader::new(listing), b'\n') {
            // Replies of remote servers stand in it as they came.
            let queued: Queued = match serde_json::from_str(&String::from_utf8_lossy(&line?)) {
                Ok(queued) => queued,
                Err(error) => {
                    tracing::warn!(%error, "a line of postqueue -j cannot be read; that mail is left out");
                    continue;
                }
            };
            let id = QueueId::parse(&queued.queue_id).filter(|_| queued.queue_name == "hold");
            let Some(id) = id else { continue };
            let cut = |address: &str| text::truncate(address, limits::QUEUE_ADDRESS_OCTETS).to_owned();
            let recipients = queued.recipients.iter().take(limits::QUEUE_RECIPIENTS);
            // Postfix writes the null sender as its own name for it.
            let sender = Some(cut(&queued.sender)).filter(|sender| sender != "MAILER-DAEMON");
            found.push(Waiting {
                id,
                arrived: Timestamp::from_second(queued.arrival_time)?,
                size: queued.message_size,
                sender: sender.unwrap_or_default(),
                recipients: recipients.map(|recipient| cut(&recipient.address)).collect(),
            });
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("postqueue -j: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(found)
    }

    fn find(&self, id: &QueueId) -> anyhow::Result<Option<Waiting>> {
        Ok(self.on_hold()?.into_iter().find(|mail| mail.id == *id))
    }

    fn text(&self, options: &[&str], id: &QueueId, out: &mut UnixStream) -> anyhow::Result<Option<Answer>> {
        if self.find(id)?.is_none() {
            return Ok(Some(Answer::NotHeld));
        }
        let mut command = self.command("postcat");
        let child = command.args(options).arg(id.as_str()).stdout(Stdio::piped()).spawn();
        let mut child = child.context("postcat")?;
        let Some(mut text) = child.stdout.take() else { bail!("postcat: no output") };
        write_line(out, &Answer::Text)?;
        let copied = write_text(out, &mut text);
        drop(text);
        let status = child.wait()?;
        copied?;
        // Without the end, who asked knows that this is not all.
        if !status.success() {
            tracing::error!(%id, %status, "postcat failed");
            return Ok(None);
        }
        end_text(out)?;
        Ok(None)
    }

    /// What is so old that one delay on its way would return it goes anew.
    fn release(&self, id: &QueueId) -> anyhow::Result<Answer> {
        let Some(mail) = self.find(id)? else { return Ok(Answer::NotHeld) };
        let name = if mail.sender.is_empty() { "bounce_queue_lifetime" } else { "maximal_queue_lifetime" };
        let lifetime = self.setting(name)?;
        let lifetime = time(&lifetime).with_context(|| format!("{name} = {lifetime}"))?;
        let is_old = Timestamp::now().duration_since(mail.arrived) > lifetime / 3;
        let (option, how) = if is_old { ("-r", Left::Requeued) } else { ("-H", Left::Released) };
        self.supervise(option, id)?;
        if is_old {
            self.hurry("postkick", &["public", "pickup", "W"]);
        } else {
            self.hurry("postqueue", &["-i", id.as_str()]);
        }
        Ok(Answer::Left { how })
    }

    fn give_back(&self, id: &QueueId) -> anyhow::Result<Answer> {
        if self.find(id)?.is_none() {
            return Ok(Answer::NotHeld);
        }
        self.supervise("-f", id)?;
        self.hurry("postqueue", &["-i", id.as_str()]);
        Ok(Answer::Left { how: Left::Returned })
    }

    /// `postsuper` does not say by its exit code whether it found the mail; that it is on hold no longer does.
    fn supervise(&self, option: &str, id: &QueueId) -> anyhow::Result<()> {
        let output = self.command("postsuper").args([option, id.as_str()]).output().context("postsuper")?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() || self.find(id)?.is_some() {
            bail!("postsuper {option} {id}: {}: {}", output.status, said.trim());
        }
        tracing::info!(option, %id, "postsuper");
        Ok(())
    }

    /// Has it done now what Postfix would do within minutes by itself.
    fn hurry(&self, command: &str, arguments: &[&str]) {
        let done = self.command(command).args(arguments).output();
        if !done.as_ref().is_ok_and(|output| output.status.success()) {
            let why = match done {
                Ok(output) => {
                    format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())
                }
                Err(error) => error.to_string(),
            };
            tracing::warn!(command, why, "Postfix was not told to hurry");
        }
    }

    fn setting(&self, name: &str) -> anyhow::Result<String> {
        let output = self.command("postconf").args(["-hx", name]).output().context("postconf")?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// A command of this Postfix, with nothing of whoever called us around it.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        if let Some(directory) = self.directory {
            command.arg("-c").arg(directory);
        }
        command.stdin(Stdio::null());
        command
    }
}

/// Whether the other end is closed.
fn has_gone(stream: &UnixStream) -> bool {
    let mut octet = [0];
    let peeked = recv(stream, &mut octet, RecvFlags::PEEK | RecvFlags::DONTWAIT);
    peeked.is_ok_and(|(octets, _)| octets == 0)
}

/// A time as Postfix writes it: a number, and `s` `m` `h` `d` or `w`; days where there is none (`maximal_queue_lifetime`).
fn time(text: &str) -> Option<SignedDuration> {
    let (number, seconds) = match text.split_at_checked(text.len().checked_sub(1)?)? {
        (number, "s") => (number, 1),
        (number, "m") => (number, 60),
        (number, "h") => (number, 3_600),
        (number, "d") => (number, 86_400),
        (number, "w") => (number, 7 * 86_400),
        _ => (text, 86_400),
    };
    number.parse::<i64>().ok()?.checked_mul(seconds).map(SignedDuration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_postfix_writes_them() {
        for (text, hours) in
            [("5d", 120), ("1w", 168), ("36h", 36), ("120m", 2), ("7200s", 2), ("2", 48), ("0", 0)]
        {
            assert_eq!(time(text), Some(SignedDuration::from_hours(hours)), "{text}");
        }
        assert_eq!((time(""), time("d"), time("x5"), time("5å")), (None, None, None, None));
    }
}
