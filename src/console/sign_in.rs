//! Signing in and out: one-time links, and who a reverse proxy says it is.

use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::App;
use super::answers::{Page, message};
use super::form::Form;
use super::replies::{LANGUAGE, SESSION, is_own_path, see, set_cookie, too_many, with_cookie};
use super::sessions::{SignedIn, Token};
use super::visit::{Member, Visit};
use crate::config::Role;
use crate::limits;

/// Attempts to use links that are none.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    minute: Option<Instant>,
    count: u32,
}

impl Attempts {
    /// Counts one more. Whether there were too many in this minute.
    fn is_over(&mut self, now: Instant) -> bool {
        if self.minute.is_none_or(|since| now.duration_since(since) >= Duration::from_mins(1)) {
            (self.minute, self.count) = (Some(now), 0);
        }
        self.count += 1;
        self.count > limits::CONSOLE_ATTEMPTS
    }
}

/// The page of those who are not signed in.
pub(super) async fn page(State(app): State<App>, visit: Visit) -> Response {
    if visit.session.is_some() {
        return see("/");
    }
    sign_in_page(&app, &visit, StatusCode::OK, None, None)
}

fn sign_in_page(
    app: &App,
    visit: &Visit,
    status: StatusCode,
    link: Option<&str>,
    failed: Option<&str>,
) -> Response {
    let provider = app.settings.console.openid.as_ref().map(|provider| &provider.name);
    let mut page = Page::new(
        "sign-in.html",
        json!({ "provider": provider, "link_hint": true, "link": link, "failed": failed }),
    );
    page.status = status;
    page.answer(app, visit)
}

/// A one-time link is opened: its form uses it, so that whoever looks at links beforehand does not.
pub(super) async fn link(State(app): State<App>, Path(token): Path<String>, visit: Visit) -> Response {
    if tried_too_often(&app) {
        return too_many();
    }
    match Token::parse(&token) {
        Some(token) if app.links().has(&token, Instant::now()) => {
            sign_in_page(&app, &visit, StatusCode::OK, Some(&visit.path), None)
        }
        _ => sign_in_page(&app, &visit, StatusCode::NOT_FOUND, None, Some("link")),
    }
}

/// A one-time link is used.
pub(super) async fn use_link(State(app): State<App>, Path(token): Path<String>, visit: Visit) -> Response {
    if tried_too_often(&app) {
        return too_many();
    }
    let who = Token::parse(&token).and_then(|token| app.links().take(&token, Instant::now()));
    match who {
        Some(who) => begin(&app, &visit, who),
        None => sign_in_page(&app, &visit, StatusCode::NOT_FOUND, None, Some("link")),
    }
}

fn tried_too_often(app: &App) -> bool {
    let mut attempts = app.attempts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    attempts.is_over(Instant::now())
}

/// Begins a session in place of the one before.
fn begin(app: &App, visit: &Visit, who: SignedIn) -> Response {
    if let Some(token) = &visit.token {
        app.sessions().end(token);
    }
    tracing::info!(subject = who.subject, "signed in to the console");
    match app.sessions().begin(who, Instant::now()) {
        Ok(token) => with_cookie(see("/"), set_cookie(SESSION, token.as_str(), None)),
        Err(error) => {
            tracing::error!(%error, "the system gives no random bytes, so nobody can sign in");
            message(app, visit, StatusCode::INTERNAL_SERVER_ERROR, "error", "")
        }
    }
}

/// Who a reverse proxy says it is: only on a Unix socket, where the config has it.
pub(super) fn by_proxy(app: &App, visit: &mut Visit, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let Some(proxy) = &app.settings.console.proxy else { return Ok(()) };
    let value = |name: &str| -> Result<Option<String>, Box<Response>> {
        let mut values = headers.get_all(name).into_iter();
        let text = values.next().map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
        if values.next().is_some() {
            // One of them may be a browser's.
            return Err(Box::new(message(app, visit, StatusCode::BAD_REQUEST, "error", "")));
        }
        Ok(text.filter(|text| !text.is_empty()))
    };
    let Some(subject) = value(&proxy.subject)? else { return Ok(()) };
    if visit.session.as_ref().is_some_and(|session| session.who.subject == subject) {
        return Ok(());
    }
    let name = value(&proxy.name)?.unwrap_or_default();
    let roles = value(&proxy.roles)?.unwrap_or_default();
    let values = roles.split([',', ';']).map(str::trim);
    let Some(who) = SignedIn::with_values(subject, name, &values, &app.settings.console.roles) else {
        (visit.session, visit.token) = (None, None);
        return Err(Box::new(sign_in_page(app, visit, StatusCode::FORBIDDEN, None, Some("role"))));
    };
    if let Some(token) = visit.token.take() {
        app.sessions().end(&token);
    }
    Err(Box::new(begin_and_return(app, visit, who)))
}

/// Begins a session and has the browser ask again with its cookie.
fn begin_and_return(app: &App, visit: &Visit, who: SignedIn) -> Response {
    let mut response = begin(app, visit, who);
    if is_own_path(&visit.path)
        && let Ok(path) = axum::http::HeaderValue::from_str(&visit.path)
        && response.status() == StatusCode::SEE_OTHER
    {
        response.headers_mut().insert(axum::http::header::LOCATION, path);
    }
    response
}

/// Ends the session.
pub(super) async fn sign_out(State(app): State<App>, visit: Visit) -> Response {
    if let Some(token) = &visit.token {
        app.sessions().end(token);
    }
    with_cookie(see("/sign-in"), set_cookie(SESSION, "", Some(0)))
}

/// Goes on as another of one's roles.
pub(super) async fn role(State(app): State<App>, member: Member, form: Form) -> Response {
    let wanted = Role::parse(form.get("role"));
    if let (Some(token), Some(wanted)) = (&member.visit.token, wanted) {
        app.sessions().change(token, |session| {
            if session.who.roles.iter().any(|(role, _)| *role == wanted) {
                session.role = wanted;
                session.held_purpose.clear();
            }
        });
    }
    see("/")
}

/// Goes on in another language.
pub(super) async fn language(form: Form) -> Response {
    let lang = if form.get("lang") == "en" { "en" } else { "sv" };
    let back = Some(form.get("back")).filter(|back| is_own_path(back)).unwrap_or("/");
    with_cookie(see(back), set_cookie(LANGUAGE, lang, Some(365 * 24 * 3_600)))
}

/// There is no such page; whoever is not signed in learns nothing of that.
pub(super) async fn nothing_here(State(app): State<App>, visit: Visit) -> Response {
    if visit.session.is_none() {
        return see("/sign-in");
    }
    message(&app, &visit, StatusCode::NOT_FOUND, "not-found", "")
}
