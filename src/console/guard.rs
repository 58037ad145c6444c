//! What stands before every page: the host and the origin of a request, its session, and the header fields of the answer.
//!
//! Contract: a request for another host is answered by nothing, a form that was not opened here does nothing, and without a
//! session there is the sign-in alone.

use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::page::Lang;
use super::replies::{Counted, LANGUAGE, SESSION, cookie, too_many};
use super::sessions::{Looked, Token};
use super::visit::Visit;
use super::work::Work;
use super::{App, sign_in};
use crate::metrics::CONSOLE;

/// Nothing but our own style sheet, and forms that lead here.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                      base-uri 'none'";

/// Lets a request through, and adds what every answer has.
pub(super) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let checked = check(&app, request.method(), request.headers());
    let mut response = match checked {
        Err(refused) => *refused,
        Ok(()) => match visit(&app, &request) {
            Err(refused) => *refused,
            Ok(visit) => {
                let work = request.extensions().get::<Work>();
                let answering = work.filter(|_| visit.session.is_some()).map(Work::begin);
                request.extensions_mut().insert(visit);
                let mut response = next.run(request).await;
                // The connection keeps it until the answer was taken.
                answering.map(|answering| response.extensions_mut().insert(answering));
                response
            }
        },
    };
    CONSOLE.requests.with_label_values(&[result(&response)]).inc();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(X_FRAME_OPTIONS, "DENY");
    // Not `no-referrer`: browsers then send `Origin: null`.
    set(REFERRER_POLICY, "same-origin");
    set(CACHE_CONTROL, "no-store");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()");
    response
}

/// What an answer is counted as.
fn result(response: &Response) -> &'static str {
    let status = response.status();
    match response.extensions().get::<Counted>() {
        Some(Counted(result)) => result,
        None if status == StatusCode::MISDIRECTED_REQUEST => "host",
        None if status == StatusCode::TOO_MANY_REQUESTS => "rate",
        None if status.is_client_error() => "refused",
        None if status.is_server_error() => "failed",
        None => "ok",
    }
}

/// Whether a request is for this console, and a form from it.
fn check(app: &App, method: &Method, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let origin = app.settings.console.origin.as_str();
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let own = origin.split_once("://").map_or(origin, |(_, host)| host);
    if text(&HOST) != Some(own) {
        // Another name for this host: a browser may have been told so by somebody else's DNS.
        let refused =
            (StatusCode::MISDIRECTED_REQUEST, "this is not the origin of the console\n").into_response();
        return Err(Box::new(refused));
    }
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_own = text(&ORIGIN).map(|given| given == origin);
    match (site, is_own) {
        (Some(b"same-origin"), Some(true) | None) | (None, Some(true)) => Ok(()),
        _ => {
            let said = "this form was not opened in the console\n";
            let mut refused = (StatusCode::FORBIDDEN, said).into_response();
            refused.extensions_mut().insert(Counted("origin"));
            Err(Box::new(refused))
        }
    }
}

fn visit(app: &App, request: &Request) -> Result<Visit, Box<Response>> {
    let (headers, path) = (request.headers(), request.uri().path());
    let lang = match cookie(headers, LANGUAGE) {
        Some("en") => Lang::En,
        _ => Lang::Sv,
    };
    let mut visit = Visit { lang, path: path.to_owned(), session: None, token: None, left: Duration::ZERO };
    if [super::STYLE_PATH, super::ICON_PATH].contains(&path) {
        return Ok(visit);
    }
    let now = Instant::now();
    if let Some(token) = cookie(headers, SESSION).and_then(Token::parse) {
        match app.sessions().look(&token, now) {
            Looked::There(session, left) => {
                (visit.session, visit.token, visit.left) = (Some(session), Some(token), left);
            }
            // Whoever wants to leave may.
            Looked::TooMany if path == super::SIGN_OUT_PATH => visit.token = Some(token),
            Looked::TooMany => return Err(Box::new(too_many())),
            Looked::Nobody => {}
        }
    }
    sign_in::by_proxy(app, &mut visit, headers, request.method(), request.uri())?;
    Ok(visit)
}
