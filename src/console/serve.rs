//! The console's process: its sockets, and one task for each connection.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use anyhow::Context as _;
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::work::{Answering, Work};
use super::{App, Settings, links, router};
use crate::config::ConsoleListen;
use crate::daemon::process;
use crate::daemon::web::{self, Told};
use crate::limits;
use crate::metrics::CONSOLE;

/// Runs the console until it is told to stop. `ready` is called when its sockets are open.
pub fn run(settings: Settings, ready: impl FnOnce()) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(settings, ready))
}

/// Like [`run`], on the runtime that is there.
pub async fn serve(settings: Settings, ready: impl FnOnce()) -> anyhow::Result<()> {
    process::started(&CONSOLE.process);
    let mut ended = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let listen = settings.console.listen.clone();
    // The proxy's group is that of the socket's directory.
    let asked = unix(&settings.links, 0o600)?;
    let app = App::new(settings);
    tokio::spawn(links::answer(asked, app.clone()));
    let (_stopping, stop) = watch::channel(false);
    if let Some(address) = app.settings.console.metrics {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("console.metrics: {address} cannot be listened on; is another instance running?")
        })?;
        let own = app.clone();
        tokio::spawn(web::serve(
            listener,
            move |path| tell(path, &own),
            || CONSOLE.exceeded("metrics_connections"),
            stop,
        ));
    }
    let mut connections = Connections::new(router(app.clone()));
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

/// What the port for machines tells.
fn tell(path: &str, app: &App) -> Told {
    match path {
        "/metrics" => {
            process::look(&CONSOLE.process);
            let sessions = app.sessions().count(Instant::now());
            CONSOLE.sessions.set(i64::try_from(sessions).unwrap_or(i64::MAX));
            Told::Well(CONSOLE.render())
        }
        "/livez" => Told::Well(b"ok\n".to_vec()),
        _ => Told::Nowhere("there are /metrics and /livez\n"),
    }
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
    open: Vec<(AbortHandle, Work)>,
    /// Octets of answers that browsers have not taken yet.
    unread: Arc<AtomicUsize>,
}

impl Connections {
    fn new(app: axum::Router) -> Self {
        Self { app, open: Vec::new(), unread: Arc::default() }
    }

    /// Serves a connection. Where there are too many, the oldest ends over which nobody works; a flood of connections that only
    /// lie there ends nobody's answer.
    fn take(&mut self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        self.open.retain(|(task, _)| !task.is_finished());
        if self.open.len() >= limits::CONSOLE_CONNECTIONS {
            CONSOLE.exceeded("connections");
            let most = limits::CONSOLE_CONNECTIONS;
            let Some(idle) = self.open.iter().position(|(_, work)| !work.goes_on()) else {
                tracing::warn!(most, "too many connections, and people work over each; the new one is ended");
                return;
            };
            tracing::warn!(most, "too many connections; one over which nobody works is ended");
            self.open.remove(idle).0.abort();
        }
        let work = Work::default();
        let (app, unread, of_requests) =
            (TowerToHyperService::new(self.app.clone()), self.unread.clone(), work.clone());
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(of_requests.clone());
            let (answer, unread) = (app.call(request), unread.clone());
            async move { answer.await.map(|response| kept(response, &unread)) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits::CONSOLE_REQUEST_TIME)
            .serve_connection(TokioIo::new(stream), service);
        let served = async {
            let _open = Open::new();
            match timeout(limits::CONSOLE_ANSWER_TIME, connection).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a connection to the console failed"),
                Err(_) => CONSOLE.exceeded("answer_time"),
            }
        };
        self.open.push((tokio::spawn(served).abort_handle(), work));
    }
}

/// An open connection, as the metrics count them.
struct Open;

impl Open {
    fn new() -> Self {
        CONSOLE.connections.inc();
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        CONSOLE.connections.dec();
    }
}

/// The body of an answer until it was taken.
struct Kept {
    body: Body,
    octets: usize,
    unread: Arc<AtomicUsize>,
    _answering: Option<Answering>,
}

/// An answer whose body counts as unread until it was taken; none where too much is unread already.
fn kept(mut response: Response, unread: &Arc<AtomicUsize>) -> Response {
    let octets = response.body().size_hint().exact().unwrap_or(0);
    let octets = usize::try_from(octets).unwrap_or(usize::MAX);
    let answering = response.extensions_mut().remove::<Answering>();
    let before = unread.fetch_add(octets, Ordering::Relaxed);
    let keep = |body: Body| Kept { body, octets, unread: unread.clone(), _answering: answering };
    if before.saturating_add(octets) <= limits::CONSOLE_UNREAD_OCTETS {
        return response.map(|body| Body::new(keep(body)));
    }
    drop(keep(Body::empty()));
    CONSOLE.exceeded("unread");
    tracing::warn!(
        most = limits::CONSOLE_UNREAD_OCTETS,
        "too much is on its way to browsers that do not take it"
    );
    // With the header fields that every answer has.
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    *response.body_mut() = Body::from("too many answers are on their way; try again in a minute\n");
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

impl hyper::body::Body for Kept {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.unread.fetch_sub(self.octets, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_is_bounded_in_sum() {
        let unread = Arc::default();
        let page = |octets: usize| Response::new(Body::from("x".repeat(octets)));
        let half = limits::CONSOLE_UNREAD_OCTETS / 2;
        let (first, second) = (kept(page(half), &unread), kept(page(half), &unread));
        let third = kept(page(1), &unread);
        assert_eq!(third.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(unread.load(Ordering::Relaxed), 2 * half, "what was refused takes no room");
        assert_eq!(first.body().size_hint().exact(), Some(half as u64), "its length is told");
        drop(first);
        assert_eq!(kept(page(1), &unread).status(), StatusCode::OK);
        drop(second);
        assert_eq!(unread.load(Ordering::Relaxed), 0);
    }
}
