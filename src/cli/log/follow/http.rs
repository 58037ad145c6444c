//! OpenSearch and Elasticsearch: `POST /_bulk` with `create` and the record's id as `_id`, so that a record that is handed over
//! twice is there once.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{Event, Refused, SinkError};
use crate::limits;

pub(super) struct Http {
    address: SocketAddr,
    host: String,
    path: String,
    index: String,
    authorization: Option<HeaderValue>,
}

impl Http {
    pub(super) fn new(to: &str, index: &str, authorization: Option<&Path>) -> anyhow::Result<Self> {
        let wrong = || format!("--to {to}: write an address such as http://127.0.0.1:9200/_bulk");
        let uri: Uri = to.parse().with_context(wrong)?;
        let (Some("http"), Some(host)) = (uri.scheme_str(), uri.host()) else { bail!("{}", wrong()) };
        let bare = host.trim_matches(['[', ']']);
        let ip =
            if bare == "localhost" { Some(Ipv4Addr::LOCALHOST.into()) } else { bare.parse::<IpAddr>().ok() };
        let ip = ip.with_context(wrong)?;
        ensure!(
            ip.is_loopback(),
            "--to {to}: not on this host, and the connection would not be encrypted; let a proxy on this host (nginx, \
             stunnel, an agent of the SIEM) send the records on"
        );
        let authorization = authorization.map(secret).transpose()?;
        let path = uri.path_and_query().map_or("/_bulk", |path| path.as_str());
        let path = if path == "/" { "/_bulk" } else { path }.to_owned();
        let address = SocketAddr::new(ip, uri.port_u16().unwrap_or(80));
        let host = uri.authority().map(ToString::to_string).unwrap_or_default();
        Ok(Self { address, host, path, index: index.to_owned(), authorization })
    }

    /// Posts them. An answer about each says whether it was created, was there already, comes again or is refused.
    pub(super) async fn post(&self, events: &[Event]) -> Result<Refused, SinkError> {
        if events.is_empty() {
            return Ok(Refused::new());
        }
        let mut body = String::new();
        for event in events {
            let create = json!({ "create": { "_index": self.index, "_id": event.id } });
            body.extend([create.to_string().as_str(), "\n", &event.json, "\n"]);
        }
        let mut request =
            Request::post(&self.path).header(HOST, &self.host).header(CONTENT_TYPE, "application/x-ndjson");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let odd = |error: &dyn std::fmt::Display| SinkError::Answer(error.to_string());
        let request = request.body(Full::new(Bytes::from(body))).map_err(|error| odd(&error))?;
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| odd(&error))?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(|error| odd(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), limits::FOLLOW_ANSWER_OCTETS).collect().await;
            let body = body.map_err(|error| SinkError::Answer(error.to_string()))?;
            Ok::<_, SinkError>((status, body.to_bytes()))
        };
        tokio::pin!(answer);
        // Dropped together, so that nothing goes on when the deadline has passed.
        let (status, body) = tokio::select! {
            answer = &mut answer => answer,
            _ = connection => answer.await,
        }?;
        read(status, &body, events)
    }
}

/// The first line of a file that only its owner should read.
fn secret(path: &Path) -> anyhow::Result<HeaderValue> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let line = text.lines().next().unwrap_or_default().trim();
    ensure!(!line.is_empty(), "{}: the first line is empty", path.display());
    let mut value = HeaderValue::from_str(line).with_context(|| path.display().to_string())?;
    value.set_sensitive(true);
    Ok(value)
}

/// What the answer says of each record.
fn read(status: StatusCode, body: &[u8], events: &[Event]) -> Result<Refused, SinkError> {
    if !status.is_success() {
        let said: String =
            String::from_utf8_lossy(body).chars().filter(|c| !c.is_control()).take(200).collect();
        return Err(SinkError::Answer(format!("{status}: {said}")));
    }
    let strange = || SinkError::Answer("the answer is not one of _bulk".to_owned());
    let answer: Value = serde_json::from_slice(body).map_err(|_| strange())?;
    let items = answer.get("items").and_then(Value::as_array).filter(|items| items.len() == events.len());
    let mut refused = Refused::new();
    for (event, item) in events.iter().zip(items.ok_or_else(strange)?) {
        let created = item.get("create").ok_or_else(strange)?;
        let why = || {
            let part =
                |name: &str| created.pointer(&format!("/error/{name}")).and_then(Value::as_str).unwrap_or("");
            format!("{}: {}", part("type"), part("reason"))
        };
        match created.get("status").and_then(Value::as_u64).ok_or_else(strange)? {
            // 409: it was created when it was handed over before.
            200..300 | 409 => {}
            400 | 413 | 422 => refused.push((event.id.clone(), why())),
            status => return Err(SinkError::Answer(format!("{status} for {}: {}", event.id, why()))),
        }
    }
    Ok(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(count: usize) -> Vec<Event> {
        let event = |n: usize| Event {
            id: format!("r{n}"),
            time: jiff::Timestamp::UNIX_EPOCH,
            json: "{}".to_owned(),
        };
        (0..count).map(event).collect()
    }

    fn answer(statuses: &[u16]) -> String {
        let item =
            |status: &u16| json!({ "create": { "status": status, "error": { "type": "t", "reason": "r" } } });
        json!({ "errors": true, "items": statuses.iter().map(item).collect::<Vec<_>>() }).to_string()
    }

    #[test]
    fn each_record_has_its_answer() {
        let read_all =
            |statuses: &[u16]| read(StatusCode::OK, answer(statuses).as_bytes(), &events(statuses.len()));
        assert_eq!(read_all(&[201, 409, 200]).unwrap(), []);
        assert_eq!(read_all(&[201, 400, 409]).unwrap(), [("r1".to_owned(), "t: r".to_owned())]);
        // Those that were created are there already when all come again.
        for later in [429, 500, 503, 401] {
            let error = read_all(&[201, later]).unwrap_err().to_string();
            assert_eq!(error, format!("{later} for r1: t: r"));
        }
    }

    #[test]
    fn what_is_no_answer_of_bulk_counts_as_none() {
        for body in ["", "{}", "[]", r#"{"items":[]}"#, r#"{"items":[{"index":{"status":201}}]}"#, "OK"] {
            assert!(read(StatusCode::OK, body.as_bytes(), &events(1)).is_err(), "{body}");
        }
        let error = read(StatusCode::UNAUTHORIZED, b"who are\r\nyou", &events(1)).unwrap_err();
        assert_eq!(error.to_string(), "401 Unauthorized: who areyou");
    }

    #[test]
    fn only_this_host_is_written_to() {
        for to in ["http://127.0.0.1:9200/_bulk", "http://localhost:9200", "http://[::1]:9200/logs/_bulk"] {
            assert!(Http::new(to, "postvakt", None).is_ok(), "{to}");
        }
        for to in [
            "http://192.0.2.1:9200/_bulk",
            "https://127.0.0.1:9200/_bulk",
            "siem.exempelby.se",
            "http://siem/",
        ] {
            assert!(Http::new(to, "postvakt", None).is_err(), "{to}");
        }
    }
}
