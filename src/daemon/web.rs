//! The port for machines: `/metrics` for Prometheus, `/livez` and `/readyz` for whoever starts and stops us.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::limits;
use crate::metrics::METRICS;
use crate::pipeline::Pipeline;

pub(super) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("server.metrics: {address} cannot be listened on; is another instance running?")
    })
}

/// Serves until told to stop; by then nobody is to be told that mail is taken.
pub(super) async fn serve(listener: TcpListener, pipeline: Arc<Pipeline>, mut stop: watch::Receiver<bool>) {
    let permits = Arc::new(Semaphore::new(limits::WEB_CONNECTIONS));
    loop {
        let permit = permits.clone().acquire_owned().await;
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(limits::ACCEPT_PAUSE).await;
            continue;
        };
        let pipeline = pipeline.clone();
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let answer = answer(request.method(), request.uri().path(), &pipeline);
                async { Ok::<_, Infallible>(answer) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits::WEB_TIME)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a request for metrics failed");
            }
            drop(permit);
        });
    }
}

fn answer(method: &Method, path: &str, pipeline: &Pipeline) -> Response<Full<Bytes>> {
    let (status, body): (StatusCode, Vec<u8>) = match path {
        _ if method != Method::GET && method != Method::HEAD => (StatusCode::METHOD_NOT_ALLOWED, Vec::new()),
        "/metrics" => (StatusCode::OK, METRICS.render()),
        "/livez" => (StatusCode::OK, b"ok\n".to_vec()),
        "/readyz" if pipeline.store.is_well() => (StatusCode::OK, b"ok\n".to_vec()),
        "/readyz" => {
            (StatusCode::SERVICE_UNAVAILABLE, b"the log cannot be written; mail is put off\n".to_vec())
        }
        _ => (StatusCode::NOT_FOUND, b"there are /metrics, /livez and /readyz\n".to_vec()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let plain = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, plain);
    response
}
