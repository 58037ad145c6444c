//! Listeners: the sockets, the permits, and the drain.

mod handed_over;

use std::fmt;
use std::fs;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, watch};
use tokio::time::{sleep, timeout};

use super::Handler;
use super::connection::{self, Phase, Settings, Timers};
use crate::limits;
use crate::mail::Direction;
use crate::metrics::METRICS;
pub use handed_over::HandedOver;

/// Connections that the system keeps for us until they are accepted; a whole Postfix may come at once.
const BACKLOG: u32 = 1_024;

/// One listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Its address.
    pub address: ListenAddress,
    /// The direction of all mail that comes through it, where it is fixed.
    pub direction: Option<Direction>,
    /// Who may connect to a Unix socket.
    pub access: SocketAccess,
}

/// Who may connect to a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketAccess {
    /// The group of its file, where it is not this program's own.
    pub group: Option<String>,
    /// The mode of its file.
    pub mode: u32,
}

/// Owner and group: Postfix is put into the group of this program.
impl Default for SocketAccess {
    fn default() -> Self {
        Self { group: None, mode: 0o660 }
    }
}

/// The address of a socket, as Postfix writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// `unix:/path`.
    Unix(PathBuf),
    /// `inet:host:port`, host being an IP address.
    Inet(SocketAddr),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inet(address) => write!(f, "inet:{address}"),
        }
    }
}

/// Why a socket cannot be opened.
#[derive(Debug, Error)]
pub enum BindError {
    /// The directory of a Unix socket does not exist.
    #[error(
        "{address}: the directory does not exist; create it, or let systemd do so with RuntimeDirectory="
    )]
    NoDirectory {
        /// Which.
        address: ListenAddress,
    },
    /// Something that is no socket has the name.
    #[error(
        "{address}: a file with this name exists that is not a socket; remove it, or choose another name"
    )]
    NotASocket {
        /// Which.
        address: ListenAddress,
    },
    /// Somebody answers there.
    #[error("{address}: another program is listening there; is postvakt already running?")]
    InUse {
        /// Which.
        address: ListenAddress,
    },
    /// Its file cannot be given to the group.
    #[error(
        "{address}: the socket cannot be given to the group {group}; add the user that runs postvakt to it: {source}"
    )]
    Group {
        /// Which.
        address: ListenAddress,
        /// Whom.
        group: String,
        /// Why.
        source: io::Error,
    },
    /// The service manager opened a socket that the config does not name.
    #[error(
        "{address}: systemd passed this socket, but server.listen and server.metrics do not name it; make ListenStream= \
         in postvakt.socket match the config"
    )]
    NotNamed {
        /// Which.
        address: ListenAddress,
    },
    /// The service manager opened something else.
    #[error("a socket passed by systemd cannot be used: {0}")]
    HandedOver(io::Error),
    /// Anything else.
    #[error("{address}: {source}")]
    Io {
        /// Which.
        address: ListenAddress,
        /// What the system said.
        source: io::Error,
    },
}

/// An open socket.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    direction: Option<Direction>,
    address: ListenAddress,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    /// With its file, if that is ours to remove.
    Unix(UnixListener, #[expect(dead_code, reason = "held for its drop")] Option<SocketFile>),
}

impl Listener {
    /// Its address; where port 0 was asked for, with the port that the system chose.
    pub fn address(&self) -> &ListenAddress {
        &self.address
    }
}

/// Opens a socket, or takes the one that the service manager opened. The runtime must be there already.
pub fn bind(listen: &Listen, handed: &mut HandedOver) -> Result<Listener, BindError> {
    let at = |failed: Failed| failed.at(&listen.address);
    let (socket, address) = match &listen.address {
        ListenAddress::Unix(path) => {
            let taken = handed.unix(path).transpose().map_err(BindError::HandedOver)?;
            let taken = taken.map(|listener| Socket::Unix(listener, None));
            (taken.map_or_else(|| bind_unix(path, &listen.access), Ok).map_err(at)?, listen.address.clone())
        }
        ListenAddress::Inet(wanted) => {
            let taken = handed.tcp(*wanted).transpose().map_err(BindError::HandedOver)?;
            let (listener, got) = match taken {
                Some(listener) => (listener, *wanted),
                None => bind_tcp(*wanted).map_err(|error| at(error.into()))?,
            };
            (Socket::Tcp(listener), ListenAddress::Inet(got))
        }
    };
    Ok(Listener { socket, direction: listen.direction, address })
}

/// Accepts connections and serves them until `shutdown`, and then until the last of them is gone: at once those
/// between two mails, after [`limits::DRAIN_TIME`] those that still receive one, and after
/// [`limits::LAST_ANSWER_TIME`] nobody is waited for any more. Our own sockets are closed first, so that a successor
/// can open its own; those that the service manager holds stay open, and who connects waits for the successor.
pub async fn serve<H: Handler>(
    listeners: Vec<Listener>,
    handler: Arc<H>,
    shutdown: impl Future<Output = ()>,
    limits: Limits,
) {
    let (announce, phase) = watch::channel(Phase::Running);
    let connections = Arc::new(Semaphore::new(limits.connections));
    let in_flight = Arc::new(Semaphore::new(limits.in_flight_octets));
    for listener in listeners {
        let settings = Settings {
            direction: listener.direction,
            peer: None,
            timers: limits.timers,
            in_flight: Arc::clone(&in_flight),
            phase: phase.clone(),
        };
        tokio::spawn(accept(listener, Arc::clone(&handler), Arc::clone(&connections), settings));
    }
    shutdown.await;
    // Each connection has a permit, and so has each listener while it waits for one.
    let everybody = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    for (phase, patience) in
        [(Phase::Draining, limits.drain), (Phase::Closing, limits.last_answer.saturating_sub(limits.drain))]
    {
        announce.send_replace(phase);
        if timeout(patience, connections.acquire_many(everybody)).await.is_ok() {
            return;
        }
    }
    tracing::warn!("some connections did not end in time; their mail is deferred");
}

/// Bounds of all connections together.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// [`limits::CONNECTIONS`]
    pub connections: usize,
    /// [`limits::IN_FLIGHT_OCTETS`]
    pub in_flight_octets: usize,
    /// [`limits::DRAIN_TIME`]
    pub drain: std::time::Duration,
    /// [`limits::LAST_ANSWER_TIME`]
    pub last_answer: std::time::Duration,
    /// Of each connection.
    pub timers: Timers,
}

impl Limits {
    /// Those where mail in progress may take so much memory.
    pub fn within(memory: u64) -> Self {
        let octets = usize::try_from(memory / limits::MESSAGE_PART).unwrap_or(usize::MAX);
        Self { in_flight_octets: octets.min(limits::IN_FLIGHT_OCTETS), ..Self::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: limits::CONNECTIONS,
            in_flight_octets: limits::IN_FLIGHT_OCTETS,
            drain: limits::DRAIN_TIME,
            last_answer: limits::LAST_ANSWER_TIME,
            timers: Timers::default(),
        }
    }
}

async fn accept<H: Handler>(
    listener: Listener,
    handler: Arc<H>,
    connections: Arc<Semaphore>,
    settings: Settings,
) {
    let mut phase = settings.phase.clone();
    let stopping = async move {
        // The sender is `serve`, which outlives this.
        let _ = phase.wait_for(|phase| *phase >= Phase::Draining).await;
    };
    tokio::select! {
        () = stopping => {}
        () = accept_forever(&listener, &handler, &connections, &settings) => {}
    }
}

/// Never ends by itself: a listener that gave up would look to the MTA like one that is overloaded.
async fn accept_forever<H: Handler>(
    listener: &Listener,
    handler: &Arc<H>,
    connections: &Arc<Semaphore>,
    settings: &Settings,
) {
    loop {
        let Some(permit) = permit(connections, &listener.address).await else { return };
        let accepted = match &listener.socket {
            Socket::Tcp(socket) => socket.accept().await.map(|(stream, peer)| {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY");
                }
                (Stream::Tcp(stream), Some(peer))
            }),
            Socket::Unix(socket, _) => socket.accept().await.map(|(stream, _)| (Stream::Unix(stream), None)),
        };
        match accepted {
            Ok((stream, peer)) => {
                spawn(stream, Arc::clone(handler), Settings { peer, ..settings.clone() }, permit);
            }
            // The peer was gone before we came.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            // Mostly no descriptor is free; the connection stays in the backlog until one is.
            Err(error) => {
                METRICS.milter_errors.with_label_values(&["accept"]).inc();
                tracing::warn!(listener = %listener.address, %error, "cannot accept a connection");
                sleep(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn permit(connections: &Arc<Semaphore>, address: &ListenAddress) -> Option<OwnedSemaphorePermit> {
    match Arc::clone(connections).try_acquire_owned() {
        Ok(permit) => Some(permit),
        Err(TryAcquireError::NoPermits) => {
            METRICS.limits_exceeded.with_label_values(&["connections"]).inc();
            tracing::warn!(listener = %address, "connection limit reached; further connections wait");
            Arc::clone(connections).acquire_owned().await.ok()
        }
        Err(TryAcquireError::Closed) => None,
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

fn spawn<H: Handler>(stream: Stream, handler: Arc<H>, settings: Settings, permit: OwnedSemaphorePermit) {
    let counted = Counted::new(permit);
    match stream {
        Stream::Tcp(stream) => tokio::spawn(async move {
            connection::run(stream, handler, settings).await;
            drop(counted);
        }),
        Stream::Unix(stream) => tokio::spawn(async move {
            connection::run(stream, handler, settings).await;
            drop(counted);
        }),
    };
}

/// An open connection, in the metrics and among the permits.
struct Counted(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Counted {
    fn new(permit: OwnedSemaphorePermit) -> Self {
        METRICS.connections.inc();
        METRICS.connections_total.inc();
        Self(permit)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        METRICS.connections.dec();
    }
}

/// The file of a Unix socket; it goes with the listener, unless a successor has put its own there.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), inode: inode(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|inode| inode == self.inode)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the socket file");
        }
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// A [`BindError`] that does not know its address yet.
enum Failed {
    NoDirectory,
    NotASocket,
    InUse,
    Group(String, io::Error),
    Io(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::AddrInUse { Self::InUse } else { Self::Io(error) }
    }
}

impl Failed {
    fn at(self, address: &ListenAddress) -> BindError {
        let address = address.clone();
        match self {
            Self::NoDirectory => BindError::NoDirectory { address },
            Self::NotASocket => BindError::NotASocket { address },
            Self::InUse => BindError::InUse { address },
            Self::Group(group, source) => BindError::Group { address, group, source },
            Self::Io(source) => BindError::Io { address, source },
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn bind_unix(path: &Path, access: &SocketAccess) -> Result<Socket, Failed> {
    if path.parent().is_some_and(|directory| !directory.as_os_str().is_empty() && !directory.is_dir()) {
        return Err(Failed::NoDirectory);
    }
    remove_stale(path)?;
    let listener = UnixListener::bind(path)?;
    if let Some(group) = &access.group {
        let given = group_number(group).and_then(|number| std::os::unix::fs::chown(path, None, Some(number)));
        given.map_err(|error| {
            let _ = fs::remove_file(path);
            Failed::Group(group.clone(), error)
        })?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(access.mode))?;
    Ok(Socket::Unix(listener, Some(SocketFile::at(path)?)))
}

/// The number of a group in `group(5)`.
fn group_number(name: &str) -> io::Result<u32> {
    let groups = fs::read_to_string("/etc/group")?;
    let number = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    });
    number.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no such group in /etc/group"))
}

/// A killed process leaves its socket file behind, on which no process listens.
fn remove_stale(path: &Path) -> Result<(), Failed> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(metadata) if !metadata.file_type().is_socket() => return Err(Failed::NotASocket),
        Ok(_) => {}
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(Failed::InUse),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        Err(error) => Err(error.into()),
    }
}
