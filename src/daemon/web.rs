//! The port for machines: `/metrics` for Prometheus, `/livez` and `/readyz` for service managers. The console's port is made
//! of the same.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::process;
use crate::limits;
use crate::metrics::METRICS;
use crate::milter::listener::HandedOver;
use crate::pipeline::Pipeline;
use crate::store::follow;

/// What a path tells.
pub(crate) enum Told {
    /// All is well.
    Well(Vec<u8>),
    /// Something is not.
    Unwell(&'static str),
    /// There is no such path; these there are.
    Nowhere(&'static str),
}

pub(super) async fn bind(address: SocketAddr, handed: &mut HandedOver) -> anyhow::Result<TcpListener> {
    if let Some(listener) = handed.tcp(address) {
        return listener.with_context(|| format!("server.metrics: {address} from systemd cannot be used"));
    }
    TcpListener::bind(address).await.with_context(|| {
        format!("server.metrics: {address} cannot be listened on; is another instance running?")
    })
}

/// Serves what the server tells, until told to stop; by then nobody is to be told that mail is taken.
pub(super) async fn serve_own(listener: TcpListener, pipeline: Arc<Pipeline>, stop: watch::Receiver<bool>) {
    let full = || METRICS.limits_exceeded.with_label_values(&["web_connections"]).inc();
    serve(listener, move |path| tell(path, &pipeline), full, stop).await;
}

/// Serves what `tell` says of a path. Where there are too many connections the oldest is ended, and `full` is called: it had
/// the most time, and a machine that asks has asked when it connects.
pub(crate) async fn serve(
    listener: TcpListener,
    tell: impl Fn(&str) -> Told + Send + Sync + 'static,
    full: impl Fn(),
    mut stop: watch::Receiver<bool>,
) {
    let tell = Arc::new(tell);
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(limits::ACCEPT_PAUSE).await;
            continue;
        };
        open.retain(|task| !task.is_finished());
        if open.len() >= limits::WEB_CONNECTIONS
            && let Some(oldest) = open.pop_front()
        {
            full();
            oldest.abort();
        }
        open.push_back(
            tokio::spawn(timeout(limits::WEB_TIME, answer_one(stream, tell.clone()))).abort_handle(),
        );
    }
}

async fn answer_one(stream: TcpStream, tell: Arc<impl Fn(&str) -> Told>) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(request.method(), request.uri().path(), &*tell);
        async { Ok::<_, Infallible>(answer) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "an HTTP request for metrics failed");
    }
}

/// What the server tells.
fn tell(path: &str, pipeline: &Pipeline) -> Told {
    match path {
        "/metrics" => {
            process::look(&METRICS.process);
            follow::measure(pipeline.store.directory());
            Told::Well(METRICS.render())
        }
        "/livez" => Told::Well(b"ok\n".to_vec()),
        "/readyz" if pipeline.store.is_well() => Told::Well(b"ok\n".to_vec()),
        "/readyz" => Told::Unwell("the log cannot be written; mail is deferred\n"),
        _ => Told::Nowhere("there are /metrics, /livez and /readyz\n"),
    }
}

fn answer(method: &Method, path: &str, tell: &impl Fn(&str) -> Told) -> Response<Full<Bytes>> {
    let (status, body) = if method == Method::GET || method == Method::HEAD {
        match tell(path) {
            Told::Well(text) => (StatusCode::OK, text),
            Told::Unwell(why) => (StatusCode::SERVICE_UNAVAILABLE, why.as_bytes().to_vec()),
            Told::Nowhere(paths) => (StatusCode::NOT_FOUND, paths.as_bytes().to_vec()),
        }
    } else {
        (StatusCode::METHOD_NOT_ALLOWED, Vec::new())
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let plain = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, plain);
    response
}
