//! Signing in and out: one-time links, and who a reverse proxy says it is. OpenID Connect is in `openid`.

use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::json;

use super::App;
use super::answers::{Page, message};
use super::form::Form;
use super::replies::{LANGUAGE, SESSION, is_own_path, see, set_cookie, too_many, with_cookie};
use super::sessions::{By, Session, SignedIn, Token};
use super::visit::{Member, Visit};
use crate::config::{ConsoleListen, Role};
use crate::limits;
use crate::metrics::CONSOLE;

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

pub(super) fn sign_in_page(
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
    match Token::parse(&token) {
        Some(token) if app.links().has(&token, Instant::now()) => {
            sign_in_page(&app, &visit, StatusCode::OK, Some(&visit.path), None)
        }
        _ => no_link(&app, &visit),
    }
}

/// There is no such link. Who tries many is told to wait; a link that is one is not counted, and always works.
fn no_link(app: &App, visit: &Visit) -> Response {
    counted(By::Link, "failed");
    let mut attempts = app.attempts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if attempts.is_over(Instant::now()) {
        CONSOLE.exceeded("attempts");
        return too_many();
    }
    drop(attempts);
    sign_in_page(app, visit, StatusCode::NOT_FOUND, None, Some("link"))
}

/// A one-time link is used.
pub(super) async fn use_link(State(app): State<App>, Path(token): Path<String>, visit: Visit) -> Response {
    let who = Token::parse(&token).and_then(|token| app.links().take(&token, Instant::now()));
    match who {
        Some(who) => match begin(&app, &visit, who, By::Link) {
            Ok(session) => with_cookie(see("/"), session),
            Err(response) => *response,
        },
        None => no_link(&app, &visit),
    }
}

/// Counts how a sign-in ended.
pub(super) fn counted(by: By, result: &'static str) {
    CONSOLE.sign_ins.with_label_values(&[by.as_str(), result]).inc();
}

/// Begins a session in place of the one before, and gives its cookie. What the browser had is never taken over.
pub(super) fn begin(app: &App, visit: &Visit, who: SignedIn, by: By) -> Result<HeaderValue, Box<Response>> {
    if let Some(token) = &visit.token {
        app.sessions().end(token);
    }
    tracing::info!(subject = who.subject, by = by.as_str(), "signed in to the console");
    match app.sessions().begin(who, by, Instant::now()) {
        Ok(token) => {
            counted(by, "done");
            Ok(set_cookie(SESSION, token.as_str(), None))
        }
        Err(error) => {
            counted(by, "failed");
            tracing::error!(%error, "the system gives no random bytes, so nobody can sign in");
            Err(Box::new(message(app, visit, StatusCode::INTERNAL_SERVER_ERROR, "error", "")))
        }
    }
}

/// Who a reverse proxy says it is: only on a Unix socket, where the config has it. The session follows the proxy: it ends with
/// another person, with other roles, and, where the proxy began it, when the proxy says nothing.
pub(super) fn by_proxy(
    app: &App,
    visit: &mut Visit,
    headers: &HeaderMap,
    method: &Method,
    uri: &Uri,
) -> Result<(), Box<Response>> {
    let ConsoleListen::Unix(_) = app.settings.console.listen else { return Ok(()) };
    let Some(proxy) = &app.settings.console.proxy else { return Ok(()) };
    let fields = [&proxy.subject, &proxy.name, &proxy.roles].map(|name| field(headers, name));
    let [Ok(subject), Ok(name), Ok(roles)] = fields else {
        counted(By::Proxy, "failed");
        tracing::warn!(
            "a request has a header field of [console.proxy] twice, or one that is no text; does the proxy remove them?"
        );
        return Err(Box::new(message(app, visit, StatusCode::BAD_REQUEST, "error", "")));
    };
    let end = |visit: &mut Visit| {
        visit.session = None;
        if let Some(token) = visit.token.take() {
            app.sessions().end(&token);
        }
    };
    let Some(subject) = subject else {
        if visit.session.as_ref().is_some_and(|session| session.by == By::Proxy) {
            end(visit);
        }
        return Ok(());
    };
    let roles = roles.unwrap_or_default();
    let values = roles.split([',', ';']).map(str::trim);
    let name = name.unwrap_or_default();
    let Some(who) = SignedIn::with_values(subject, name, &values, &app.settings.console.roles) else {
        end(visit);
        counted(By::Proxy, "no-role");
        return Err(Box::new(sign_in_page(app, visit, StatusCode::FORBIDDEN, None, Some("no-role"))));
    };
    let is_same = |session: &Session| session.who.subject == who.subject && session.who.roles == who.roles;
    if visit.session.as_ref().is_some_and(|session| is_same(session)) {
        return Ok(());
    }
    end(visit);
    let session = begin(app, visit, who, By::Proxy)?;
    // The browser asks again with its cookie. A form is not sent again: it may be the form of somebody else.
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path = if *method == Method::GET && is_own_path(path) { path } else { "/" };
    Err(Box::new(with_cookie(see(path), session)))
}

/// A field that the proxy set; `Err` where it comes twice, as one of them may be a browser's, or where it cannot be read.
fn field(headers: &HeaderMap, name: &str) -> Result<Option<String>, ()> {
    let mut values = headers.get_all(name).into_iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| ())?.trim();
    if values.next().is_some() || text.len() > limits::PROXY_FIELD_OCTETS {
        return Err(());
    }
    // What Apache writes for a variable that is not set.
    Ok(Some(text).filter(|text| !text.is_empty() && *text != "(null)").map(str::to_owned))
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
