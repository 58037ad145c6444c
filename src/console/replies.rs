//! Replies that need nothing of the console: text, redirections, cookies.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::export::visible;
use crate::limits;
use crate::metrics::CONSOLE;

/// The cookie of a session. A browser takes a `__Host-` cookie from this origin alone.
pub(super) const SESSION: &str = "__Host-postvakt";
/// The cookie of a browser that is at the provider to sign in.
pub(super) const SIGN_IN: &str = "__Host-postvakt-sign-in";
/// The cookie of a language.
pub(super) const LANGUAGE: &str = "__Host-postvakt-language";

/// What an answer is counted as, where its status does not say it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted(pub(super) &'static str);

/// An HTML page.
pub(super) fn html(status: StatusCode, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// Whether a piece of an answer was taken. Who takes nothing for a while has left, for all that is known: what they asked for ends.
pub(super) async fn taken<E>(sent: impl Future<Output = Result<(), E>>) -> bool {
    let taken = tokio::time::timeout(limits::CONSOLE_STALL_TIME, sent).await;
    if taken.is_err() {
        CONSOLE.exceeded("stall");
    }
    matches!(taken, Ok(Ok(())))
}

/// Leads to another page, which is opened with GET.
pub(super) fn see(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    // Every path that is given here is one of ours.
    let path = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, path);
    response
}

/// The same answer, with a cookie.
pub(super) fn with_cookie(mut response: Response, cookie: HeaderValue) -> Response {
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

/// Too many requests.
pub(super) fn too_many() -> Response {
    (StatusCode::TOO_MANY_REQUESTS, "too many requests; wait a minute\n").into_response()
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
    field(name, value, "Strict", seconds)
}

/// The same, for a cookie that comes back when a page of another site leads here.
pub(super) fn set_lax_cookie(name: &str, value: &str, seconds: u64) -> HeaderValue {
    field(name, value, "Lax", Some(seconds))
}

fn field(name: &str, value: &str, same_site: &str, seconds: Option<u64>) -> HeaderValue {
    let life = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite={same_site}{life}");
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
