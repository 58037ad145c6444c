//! rspamd: the message by HTTP to `/checkv2`, with what only the MTA knows in header fields.

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::http::request::Builder;
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::connect;
use crate::address::Address;
use crate::config::services::Scanner;
use crate::facts::scan::{Opinion, SpamScore};
use crate::facts::{Cause, Facts};
use crate::limits;
use crate::mail::Mail;

/// Recipients that rspamd is told; more change nothing about a mail.
const RECIPIENTS: usize = 100;

/// Shows the message to rspamd.
pub(super) async fn check(mail: &Mail, facts: &Facts, scanner: &Scanner) -> Result<SpamScore, Cause> {
    let request = request(mail, facts).map_err(|_| Cause::Protocol)?;
    let connection = connect(scanner).await?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(connection)).await.map_err(|_| Cause::Protocol)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|_| Cause::Protocol)?;
        if !response.status().is_success() {
            return Err(Cause::Protocol);
        }
        let body = Limited::new(response.into_body(), limits::SCAN_ANSWER_OCTETS).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|_| Cause::Protocol)
    };
    tokio::pin!(answer);
    // Dropped together, so that nothing goes on when the deadline has passed.
    let answer = tokio::select! {
        answer = &mut answer => answer,
        _ = connection => answer.await,
    }?;
    read(&answer)
}

fn request(mail: &Mail, facts: &Facts) -> hyper::http::Result<Request<Full<Bytes>>> {
    let builder = Request::post("/checkv2").header(HOST, "rspamd").header(CONTENT_TYPE, "message/rfc822");
    let told = |builder: Builder, name: &str, value: Option<&str>| match value {
        // What cannot stand in a field is not told: an odd HELO is no reason not to scan.
        Some(value) if value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) => builder.header(name, value),
        Some(_) | None => builder,
    };
    let client = &mail.client;
    let address = client.address.map(|address| address.to_string());
    let builder = told(builder, "IP", address.as_deref());
    let builder = told(builder, "Helo", client.helo.as_deref());
    let builder = told(builder, "Hostname", client.name.as_deref().filter(|name| !name.starts_with('[')));
    let builder = told(builder, "User", client.auth_user.as_deref());
    let builder = told(builder, "Queue-Id", mail.queue_id.as_deref());
    let builder = told(builder, "MTA-Name", Some(&facts.organisation.authserv_id));
    let builder = told(builder, "From", facts.sender.address().map(Address::as_str));
    let told_recipients = facts.recipients.iter().take(RECIPIENTS);
    let builder = told_recipients
        .fold(builder, |builder, recipient| told(builder, "Rcpt", Some(recipient.address.as_str())));
    builder.body(Full::new(mail.message.bytes.clone()))
}

fn read(answer: &[u8]) -> Result<SpamScore, Cause> {
    let answer: Value = serde_json::from_slice(answer).map_err(|_| Cause::Protocol)?;
    let number = |name: &str| answer.get(name).and_then(Value::as_f64).filter(|number| number.is_finite());
    let action = answer.get("action").and_then(Value::as_str).unwrap_or_default();
    let opinion = match action {
        "no action" => Opinion::Ham,
        "greylist" | "soft reject" => Opinion::Doubt,
        "add header" | "rewrite subject" | "reject" => Opinion::Spam,
        _ => {
            tracing::warn!("unknown action from rspamd; the mail counts as not scanned");
            return Err(Cause::Protocol);
        }
    };
    // A test pattern, or a rule that decides by itself, ends the check, which then counts as skipped too.
    let skipped = answer.get("is_skipped").and_then(Value::as_bool) == Some(true);
    if skipped && opinion != Opinion::Spam {
        return Err(Cause::Skipped);
    }
    match (number("score"), number("required_score")) {
        (Some(score), Some(required)) if required > 0.0 => Ok(SpamScore { score, required, opinion }),
        (_, _) => Err(Cause::Protocol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(action: &str) -> Result<Opinion, Cause> {
        let answer = format!(r#"{{"score": 7.5, "required_score": 15.0, "action": "{action}"}}"#);
        read(answer.as_bytes()).map(|score| score.opinion)
    }

    #[test]
    fn actions_are_understood_or_no_answers() {
        assert_eq!(of("no action"), Ok(Opinion::Ham));
        assert_eq!((of("greylist"), of("soft reject")), (Ok(Opinion::Doubt), Ok(Opinion::Doubt)));
        for action in ["add header", "rewrite subject", "reject"] {
            assert_eq!(of(action), Ok(Opinion::Spam));
        }
        for action in ["discard", "quarantine", "No Action", ""] {
            assert_eq!(of(action), Err(Cause::Protocol), "{action}");
        }
    }

    #[test]
    fn what_is_not_whole_is_no_answer() {
        assert_eq!(read(br#"{"score": 7.5, "required_score": 15.0, "act"#), Err(Cause::Protocol));
        assert_eq!(read(br#"{"action": "no action"}"#), Err(Cause::Protocol));
        assert_eq!(read(b"[]"), Err(Cause::Protocol));
        let skipped = br#"{"is_skipped": true, "score": 0.0, "required_score": 15.0, "action": "no action"}"#;
        assert_eq!(read(skipped), Err(Cause::Skipped));
        let decided = br#"{"is_skipped": true, "score": 15.0, "required_score": 15.0, "action": "reject"}"#;
        assert_eq!(read(decided).map(|score| score.opinion), Ok(Opinion::Spam));
    }
}
