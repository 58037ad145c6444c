//! Sockets that the service manager opened and handed over (`LISTEN_FDS`): they stay open while the program restarts, so
//! that no connection is refused meanwhile.

use std::io;
use std::net::{self, SocketAddr};
use std::os::unix::net as unix;
use std::path::Path;

use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener};

use super::{BindError, ListenAddress};

/// What was handed over and not yet taken.
#[derive(Debug, Default)]
pub struct HandedOver(Vec<Socket>);

#[derive(Debug)]
enum Socket {
    Tcp(SocketAddr, net::TcpListener),
    Unix(ListenAddress, unix::UnixListener),
}

impl HandedOver {
    /// What this process was given. The process must have no other thread yet, for its environment changes.
    pub fn from_environment() -> Result<Self, BindError> {
        let mut given = ListenFd::from_env();
        let sockets = (0..given.len()).map(|index| Socket::take(&mut given, index));
        sockets.collect::<io::Result<_>>().map(Self).map_err(BindError::HandedOver)
    }

    /// The socket with that address, if it is among them.
    pub fn tcp(&mut self, address: SocketAddr) -> Option<io::Result<TcpListener>> {
        let at = self.0.iter().position(|socket| matches!(socket, Socket::Tcp(own, _) if *own == address))?;
        let Socket::Tcp(_, listener) = self.0.swap_remove(at) else { return None };
        Some(listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener)))
    }

    /// The socket at that path, if it is among them.
    pub(super) fn unix(&mut self, path: &Path) -> Option<io::Result<UnixListener>> {
        let wanted = ListenAddress::Unix(path.to_owned());
        let at = self.0.iter().position(|socket| matches!(socket, Socket::Unix(own, _) if *own == wanted))?;
        let Socket::Unix(_, listener) = self.0.swap_remove(at) else { return None };
        Some(listener.set_nonblocking(true).and_then(|()| UnixListener::from_std(listener)))
    }

    /// An error if any socket is left over: its clients would wait for ever.
    pub fn is_taken(&self) -> Result<(), BindError> {
        match self.0.first() {
            None => Ok(()),
            Some(Socket::Tcp(address, _)) => {
                Err(BindError::NotNamed { address: ListenAddress::Inet(*address) })
            }
            Some(Socket::Unix(address, _)) => Err(BindError::NotNamed { address: address.clone() }),
        }
    }
}

impl Socket {
    /// Whatever is taken is closed in the processes that this one starts.
    fn take(given: &mut ListenFd, index: usize) -> io::Result<Self> {
        if let Ok(Some(listener)) = given.take_unix_listener(index) {
            let address = listener.local_addr()?;
            let path =
                address.as_pathname().ok_or_else(|| io::Error::other("a Unix socket without a path"))?;
            return Ok(Self::Unix(ListenAddress::Unix(path.to_owned()), listener));
        }
        match given.take_tcp_listener(index)? {
            Some(listener) => Ok(Self::Tcp(listener.local_addr()?, listener)),
            None => Err(io::Error::other("a socket that was taken already")),
        }
    }
}
