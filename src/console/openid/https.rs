//! One request to the provider over TLS, within a time and a size. Redirections are not followed.

use std::path::Path;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::gather::trust;
use crate::limits;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::console) enum FetchError {
    /// Not an address that is asked.
    #[error("{0}: not an https URL, nor an http one of this host")]
    Url(String),
    /// The certificates to believe.
    #[error("ca_file: {0}")]
    Certificates(String),
    /// The connection, its certificate included.
    #[error("{0}: {1}")]
    Connection(String, std::io::Error),
    /// What came over it.
    #[error("{0}: {1}")]
    Http(String, String),
    /// It answered that it has no answer.
    #[error("it answers with status {0}")]
    Status(u16),
    /// It took too long.
    #[error("no answer within {} s", limits::PROVIDER_TIME.as_secs())]
    Late,
}

/// Where something is asked.
#[derive(Debug)]
pub(super) struct Url {
    /// Whether over TLS; without, it is on this host.
    pub(super) is_tls: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl Url {
    /// An `https` URL, or an `http` one of this host.
    pub(super) fn parse(text: &str) -> Result<Self, FetchError> {
        let wrong = || FetchError::Url(text.chars().take(200).collect());
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?.as_str().to_owned();
        let host = uri.host().ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
        let is_here = ["127.0.0.1", "::1", "localhost"].contains(&host.as_str());
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_here => false,
            _ => return Err(wrong()),
        };
        if authority.contains('@') || host.is_empty() {
            return Err(wrong());
        }
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { is_tls, host, port, authority, path })
    }
}

/// What is asked.
pub(super) enum Ask {
    /// A document.
    Get,
    /// The answer to a form.
    Post { form: String, authorization: Option<String> },
}

/// What was answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// Asks, believing the certificates in `ca_file`, else those of the system.
pub(super) async fn fetch(url: &Url, ask: Ask, ca_file: Option<&Path>) -> Result<Answer, FetchError> {
    let answer = async {
        let failed = |error| FetchError::Connection(url.authority.clone(), error);
        let request = request(url, ask)?;
        let config = if url.is_tls {
            let config = ca_file.map_or_else(trust::system, trust::file);
            Some(config.map_err(FetchError::Certificates)?)
        } else {
            None
        };
        let stream = TcpStream::connect((url.host.as_str(), url.port)).await.map_err(failed)?;
        let Some(config) = config else { return send(url, stream, request).await };
        let name = ServerName::try_from(url.host.clone()).map_err(|_| FetchError::Url(url.host.clone()))?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(failed)?;
        send(url, stream, request).await
    };
    tokio::time::timeout(limits::PROVIDER_TIME, answer).await.unwrap_or(Err(FetchError::Late))
}

fn request(url: &Url, ask: Ask) -> Result<Request<Full<Bytes>>, FetchError> {
    let wrong = |error: &dyn std::fmt::Display| FetchError::Http(url.authority.clone(), error.to_string());
    let mut request =
        Request::builder().uri(&url.path).header(HOST, &url.authority).header(ACCEPT, "application/json");
    let body = match ask {
        Ask::Get => String::new(),
        Ask::Post { form, authorization } => {
            request = request.method(Method::POST).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            if let Some(text) = authorization {
                let mut value = HeaderValue::from_str(&text).map_err(|error| wrong(&error))?;
                value.set_sensitive(true);
                request = request.header(AUTHORIZATION, value);
            }
            form
        }
    };
    request.body(Full::new(Bytes::from(body))).map_err(|error| wrong(&error))
}

async fn send(
    url: &Url,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Answer, FetchError> {
    let wrong = |error: &dyn std::fmt::Display| FetchError::Http(url.authority.clone(), error.to_string());
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| wrong(&error))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| wrong(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), limits::PROVIDER_OCTETS).collect().await;
        let body = body.map_err(|error| wrong(&error))?;
        Ok(Answer { status, body: body.to_bytes() })
    };
    tokio::pin!(answer);
    // Dropped together, so that nothing goes on when the time has passed.
    tokio::select! {
        answer = &mut answer => answer,
        _ = connection => answer.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_tls_or_are_of_this_host() {
        for (text, is_tls, host, port) in [
            ("https://login.example.org/a?b=c", true, "login.example.org", 443),
            ("https://login.example.org:8443", true, "login.example.org", 8443),
            ("http://127.0.0.1:8080/token", false, "127.0.0.1", 8080),
            ("http://[::1]:8080/token", false, "::1", 8080),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.is_tls, url.host.as_str(), url.port), (is_tls, host, port), "{text}");
        }
        for text in [
            "",
            "/token",
            "http://login.example.org/",
            "http://127.0.0.1:80@login.example.org/",
            "https://anna@login.example.org/",
            "http://127.0.0.1.example.org/",
            "ftp://127.0.0.1/",
            "javascript:alert(1)",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }
}
