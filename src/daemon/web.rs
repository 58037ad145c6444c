//! The port for machines: `/metrics` for Prometheus, `/livez` and `/readyz` for service managers.

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

pub(super) async fn bind(address: SocketAddr, handed: &mut HandedOver) -> anyhow::Result<TcpListener> {
    if let Some(listener) = handed.tcp(address) {
        return listener.with_context(|| format!("server.metrics: {address} from systemd cannot be used"));
    }
    TcpListener::bind(address).await.with_context(|| {
        format!("server.metrics: {address} cannot be listened on; is another instance running?")
    })
}

/// Serves until told to stop; by then nobody is to be told that mail is taken. Where there are too many connections the
/// oldest is ended: it had the most time, and a machine that asks has asked when it connects.
pub(super) async fn serve(listener: TcpListener, pipeline: Arc<Pipeline>, mut stop: watch::Receiver<bool>) {
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
            METRICS.limits_exceeded.with_label_values(&["web_connections"]).inc();
            oldest.abort();
        }
        open.push_back(
            tokio::spawn(timeout(limits::WEB_TIME, answer_one(stream, pipeline.clone()))).abort_handle(),
        );
    }
}

async fn answer_one(stream: TcpStream, pipeline: Arc<Pipeline>) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(request.method(), request.uri().path(), &pipeline);
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

fn answer(method: &Method, path: &str, pipeline: &Pipeline) -> Response<Full<Bytes>> {
    let (status, body): (StatusCode, Vec<u8>) = match path {
        _ if method != Method::GET && method != Method::HEAD => (StatusCode::METHOD_NOT_ALLOWED, Vec::new()),
        "/metrics" => {
            process::look();
            follow::measure(pipeline.store.directory());
            (StatusCode::OK, METRICS.render())
        }
        "/livez" => (StatusCode::OK, b"ok\n".to_vec()),
        "/readyz" if pipeline.store.is_well() => (StatusCode::OK, b"ok\n".to_vec()),
        "/readyz" => {
            (StatusCode::SERVICE_UNAVAILABLE, b"the log cannot be written; mail is deferred\n".to_vec())
        }
        _ => (StatusCode::NOT_FOUND, b"there are /metrics, /livez and /readyz\n".to_vec()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let plain = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, plain);
    response
}
