//! The console's process: its sockets, and one task for each connection.

use std::collections::VecDeque;
use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::Context as _;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::{App, Settings, links, router};
use crate::config::ConsoleListen;
use crate::limits;

/// Runs the console until it is told to stop. `ready` is called when its sockets are open.
pub fn run(settings: Settings, ready: impl FnOnce()) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(settings, ready))
}

/// Like [`run`], on the runtime that is there.
pub async fn serve(settings: Settings, ready: impl FnOnce()) -> anyhow::Result<()> {
    let mut ended = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let listen = settings.console.listen.clone();
    // The proxy's group is that of the socket's directory.
    let asked = unix(&settings.links, 0o600)?;
    let app = App::new(settings);
    tokio::spawn(links::answer(asked, app.clone()));
    let mut connections = Connections { app: router(app.clone()), open: VecDeque::new() };
    match listen {
        ConsoleListen::Unix(path) => {
            let listener = unix(&path, 0o660)?;
            tracing::info!(socket = %path.display(), origin = app.settings.console.origin, "the console listens");
            ready();
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => connections.take(stream),
                        Err(error) => pause(&error).await,
                    },
                    _ = ended.recv() => return Ok(()),
                    _ = interrupted.recv() => return Ok(()),
                }
            }
        }
        ConsoleListen::Loopback(address) => {
            let listener =
                TcpListener::bind(address).await.with_context(|| format!("{address}: cannot listen"))?;
            tracing::info!(%address, origin = app.settings.console.origin, "the console listens");
            ready();
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => connections.take(stream),
                        Err(error) => pause(&error).await,
                    },
                    _ = ended.recv() => return Ok(()),
                    _ = interrupted.recv() => return Ok(()),
                }
            }
        }
    }
}

async fn pause(error: &std::io::Error) {
    tracing::warn!(%error, "cannot take a connection");
    tokio::time::sleep(limits::ACCEPT_PAUSE).await;
}

/// A Unix socket at this path, which its owner and, with that mode, its group may connect to.
fn unix(path: &Path, mode: u32) -> anyhow::Result<UnixListener> {
    let shown = path.display();
    // A socket that a former process left; nothing else is removed.
    if fs::symlink_metadata(path).is_ok_and(|known| known.file_type().is_socket()) {
        fs::remove_file(path).with_context(|| format!("{shown}: cannot be removed"))?;
    }
    let listener = UnixListener::bind(path).with_context(|| format!("{shown}: cannot listen"))?;
    fs::set_permissions(path, Permissions::from_mode(mode))
        .with_context(|| format!("{shown}: cannot set its mode"))?;
    Ok(listener)
}

/// The open connections, the oldest first.
struct Connections {
    app: axum::Router,
    open: VecDeque<AbortHandle>,
}

impl Connections {
    /// Serves a connection. Where there are too many, the oldest is ended: it had the most time.
    fn take(&mut self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        self.open.retain(|task| !task.is_finished());
        if self.open.len() >= limits::CONSOLE_CONNECTIONS
            && let Some(oldest) = self.open.pop_front()
        {
            tracing::warn!(most = limits::CONSOLE_CONNECTIONS, "too many connections; the oldest is ended");
            oldest.abort();
        }
        let service = TowerToHyperService::new(self.app.clone());
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits::CONSOLE_REQUEST_TIME)
            .serve_connection(TokioIo::new(stream), service);
        let served = async {
            if let Ok(Err(error)) = timeout(limits::CONSOLE_ANSWER_TIME, connection).await {
                tracing::debug!(%error, "a connection to the console failed");
            }
        };
        self.open.push_back(tokio::spawn(served).abort_handle());
    }
}
