//! Operators: members of a Unix group, who act on held mail without root and without access to the log's files.
//!
//! Their command hands its arguments, its output and its errors to a process of the server's user, which systemd starts for each
//! connection. That process knows from the kernel who asks, carries the command out, and answers with its exit code.
//!
//! Contract: nothing but `held` is carried out, under the server's own config. Who may connect is said by the socket's group
//! and mode; one that everybody may use is not served.

mod console;

use std::ffi::OsString;
use std::fs;
use std::io::{IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::{CommandFactory as _, FromArgMatches as _};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::socket::{self, group_id};
use super::{CONFIG_FILE, Cli, USAGE, held, start_log, with_config};
use crate::console::process;
use crate::export::visible;
use crate::limits;
use crate::store::access::Reader;

/// Where operators' commands are carried out, unless said otherwise.
pub const SOCKET: &str = "/run/postvakt-held.sock";

/// `operator`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Config file.
    #[arg(long, value_name = "F", default_value = CONFIG_FILE)]
    config: PathBuf,
    /// Listen on this socket, where there is no systemd.
    #[arg(long, value_name = "PATH")]
    listen: Option<PathBuf>,
    /// Group that may connect to it.
    #[arg(long, value_name = "NAME", requires = "listen")]
    group: Option<String>,
    /// Carry out commands of the console, which says for whom, instead of those of whoever connects.
    #[arg(long)]
    console: bool,
}

/// Has the operators' process carry out this command where it can be reached, else `own` does it in this process. For root
/// it does so unless the socket is named.
pub fn ask_or(args: &held::Args, own: impl FnOnce() -> anyhow::Result<u8>) -> anyhow::Result<u8> {
    let path = match &args.socket {
        Some(path) => path.as_path(),
        None if rustix::process::geteuid().is_root() => return own(),
        None => Path::new(SOCKET),
    };
    match UnixStream::connect(path) {
        Ok(stream) => ask(stream).with_context(|| format!("{}", path.display())),
        Err(error) if args.socket.is_some() => {
            Err(error).context(format!("{}: cannot connect", path.display()))
        }
        Err(_) => own(),
    }
}

fn ask(stream: UnixStream) -> anyhow::Result<u8> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let arguments: Vec<String> = arguments
        .into_iter()
        .map(|argument| argument.into_string().map_err(|_| anyhow::anyhow!("an argument is not valid UTF-8")))
        .collect::<Result<_, _>>()?;
    let (out, errors) = (std::io::stdout(), std::io::stderr());
    let asked = serde_json::to_vec(&arguments)?;
    let code = process::hand_over(stream, &asked, [out.as_fd(), errors.as_fd()])?;
    code.context("the command was broken off; `held list` shows what came of it")
}

/// Carries out the command of the connection that is the standard input, or listens.
pub fn run(args: &Args) -> anyhow::Result<u8> {
    if let Some(path) = &args.listen {
        start_log(false, "info");
        let group = match &args.group {
            Some(name) => Some(group_id(name).with_context(|| format!("there is no group {name}"))?),
            None => None,
        };
        let mut own = vec!["operator".into(), "--config".into(), args.config.clone().into_os_string()];
        own.extend(args.console.then(|| "--console".into()));
        return socket::listen(path, 0o660, (None, group), &own);
    }
    let mut stream = socket::standard_input()?;
    stream.set_read_timeout(Some(limits::QUEUE_HELPER_TIME))?;
    let peer = rustix::net::sockopt::socket_peercred(stream.as_fd())?;
    let pid = u32::try_from(peer.pid.as_raw_nonzero().get()).unwrap_or_default();
    // Before anything is waited for: who connected may hand the connection to another process and end.
    let reader = Reader::of_peer(peer.uid.as_raw(), pid);
    let asked = receive(&stream)?;
    // What blocks, such as output that nobody reads, has an end.
    std::thread::spawn(|| {
        std::thread::sleep(limits::OPERATOR_TIME);
        std::process::exit(i32::from(USAGE));
    });
    start_log(false, "warn");
    let done = match reader {
        _ if is_open_to_all(&stream) => {
            Err(anyhow::anyhow!("everybody may connect to this socket; give it to a group, with mode 0660"))
        }
        None => Err(anyhow::anyhow!("the process that connected has ended, so it is not known who asks")),
        Some(_) if args.console => console::carry_out(&asked, &args.config),
        Some(reader) => carry_out(&serde_json::from_slice::<Vec<String>>(&asked)?, &args.config, reader),
    };
    let code = done.unwrap_or_else(|error| {
        // Where it cannot be written, the exit code says it.
        let _ = writeln!(std::io::stderr(), "postvakt: {}", visible(&format!("{error:#}")));
        USAGE
    });
    stream.write_all(&[code])?;
    Ok(code)
}

/// The arguments; the client's output and errors become this process's own.
fn receive(stream: &UnixStream) -> anyhow::Result<Vec<u8>> {
    let mut asked = vec![0; limits::OPERATOR_OCTETS + 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let first = recvmsg(stream, &mut [IoSliceMut::new(&mut asked)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let given = |message: RecvAncillaryMessage<'_>| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files.collect::<Vec<OwnedFd>>()),
        _ => None,
    };
    let files: Vec<OwnedFd> = ancillary.drain().filter_map(given).flatten().collect();
    let [out, errors] = &files[..] else { bail!("the client gave no output") };
    rustix::stdio::dup2_stdout(out)?;
    rustix::stdio::dup2_stderr(errors)?;
    let mut octets = first.bytes;
    loop {
        let rest = asked.get_mut(octets..).unwrap_or_default();
        ensure!(!rest.is_empty(), "the command is too long");
        match (&*stream).read(rest)? {
            0 => break,
            read => octets += read,
        }
    }
    asked.truncate(octets);
    Ok(asked)
}

/// Whether others than its owner and its group may connect to the socket of this connection.
fn is_open_to_all(stream: &UnixStream) -> bool {
    let address = stream.local_addr();
    let path = address.as_ref().ok().and_then(|address| address.as_pathname());
    let mode = path.and_then(|path| fs::metadata(path).ok()).map(|socket| socket.mode());
    mode.is_none_or(|mode| mode & 0o002 != 0)
}

fn carry_out(asked: &[String], config: &Path, reader: Reader) -> anyhow::Result<u8> {
    ensure!(
        asked.first().is_some_and(|command| command == "held"),
        "operators have the command `held` alone"
    );
    let matches = Cli::command()
        .try_get_matches_from(std::iter::once("postvakt").chain(asked.iter().map(String::as_str)));
    let matches = match matches {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return Ok(if error.use_stderr() { USAGE } else { super::YES });
        }
    };
    let Some((_, matches)) = matches.subcommand() else { bail!("no command") };
    let args = held::Args::from_arg_matches(matches)?;
    with_config(config, |config, _| held::run(&args, &config, reader))
}
