//! What stands before every page: the host and the origin of a request, its session, and the header fields of the answer.
//!
//! Contract: a request for another host is answered by nothing, a form that was not opened here does nothing, and without a
//! session there is the sign-in alone.

use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::commands::Person;
use super::page::Lang;
use super::sessions::{Looked, Session, Token};
use super::{App, answers, sign_in};
use crate::export::visible;

/// The cookie of a session. A browser takes a `__Host-` cookie from this origin alone.
pub(super) const SESSION: &str = "__Host-postvakt";
/// The cookie of a language.
pub(super) const LANGUAGE: &str = "__Host-postvakt-language";

/// Nothing but our own style sheet, and forms that lead here.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                      base-uri 'none'";

/// Who visits a page.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    /// The language of the answer.
    pub(super) lang: Lang,
    /// The path that was asked for.
    pub(super) path: String,
    /// Their session.
    pub(super) session: Option<Box<Session>>,
    /// Its token.
    pub(super) token: Option<Token>,
    /// How long the session lives yet, whatever happens in it.
    pub(super) left: Duration,
}

impl Visit {
    /// Who it is.
    pub(super) fn person(&self) -> Option<Person> {
        self.session.as_ref().map(|session| session.person())
    }
}

/// Somebody who is signed in, with their visit.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) visit: Visit,
    pub(super) person: Person,
}

impl FromRequestParts<App> for Visit {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, StatusCode> {
        // The guard made it.
        parts.extensions.get::<Self>().cloned().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl FromRequestParts<App> for Member {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let visit = Visit::from_request_parts(parts, app)
            .await
            .map_err(axum::response::IntoResponse::into_response)?;
        match visit.person() {
            Some(person) => Ok(Self { visit, person }),
            None => Err(answers::see("/sign-in")),
        }
    }
}

/// Lets a request through, and adds what every answer has.
pub(super) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let checked = check(&app, request.method(), request.headers());
    let mut response = match checked {
        Err(refused) => *refused,
        Ok(()) => match visit(&app, request.headers(), request.uri().path()) {
            Err(refused) => *refused,
            Ok(visit) => {
                request.extensions_mut().insert(visit);
                next.run(request).await
            }
        },
    };
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
        _ => Err(Box::new(
            (StatusCode::FORBIDDEN, "this form was not opened in the console\n").into_response(),
        )),
    }
}

fn visit(app: &App, headers: &HeaderMap, path: &str) -> Result<Visit, Box<Response>> {
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
            Looked::TooMany => return Err(Box::new(answers::too_many())),
            Looked::Nobody => {}
        }
    }
    sign_in::by_proxy(app, &mut visit, headers)?;
    Ok(visit)
}

/// The value of a cookie. One that comes twice is none: somebody else may have set the other.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut own = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = own.by_ref().filter(|(own, _)| *own == name).map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// The field that sets a cookie of this origin.
pub(super) fn set_cookie(name: &str, value: &str, seconds: Option<u64>) -> HeaderValue {
    let life = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict{life}");
    // Names and values are ours: ASCII letters and digits.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// Whether a path is one of this console's own, so that a form may lead there.
pub(super) fn is_own_path(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') && visible(path) == path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_that_comes_twice_is_none() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; b=2"));
        assert_eq!(
            (cookie(&headers, "a"), cookie(&headers, "b"), cookie(&headers, "c")),
            (Some("1"), Some("2"), None)
        );
        headers.append(COOKIE, HeaderValue::from_static("b=3"));
        assert_eq!((cookie(&headers, "a"), cookie(&headers, "b")), (Some("1"), None));
    }

    #[test]
    fn forms_lead_to_own_paths_alone() {
        for own in ["/", "/mail/gw1-1-000000000001", "/search?since=7d"] {
            assert!(is_own_path(own), "{own}");
        }
        for other in ["", "//example.org", "https://example.org", "/\\example.org", "/a\r\nb", "search"] {
            assert!(!is_own_path(other), "{other}");
        }
    }
}
