//! Sign-in by OpenID Connect: a browser goes to the provider, and comes back with a code that the console exchanges there.
//!
//! Authorization code flow (OpenID Connect Core 1.0 §3.1) with PKCE (RFC 7636), state and nonce. The state is kept here, used
//! once, and belongs to the browser that has its cookie.
//!
//! Contract: what a browser brings is a state and a code, never who somebody is; that comes from the token endpoint, over TLS.
//! Absent: signatures of ID tokens (Core §3.1.3.7, point 6), tokens that are kept, and paths to go on to afterwards.

mod claims;
mod exchange;
mod https;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{RawQuery, State};
use axum::http::header::REFRESH;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::json;

use super::App;
use super::answers::Page;
use super::form::{Form, encoded};
use super::replies::{SIGN_IN, cookie, set_lax_cookie, with_cookie};
use super::sessions::{By, Once, Token};
use super::sign_in::{begin, counted, nothing_here, sign_in_page};
use super::visit::Visit;
use crate::config::OpenId;
use crate::export::visible;
use crate::limits;
use crate::metrics::CONSOLE;
use exchange::{Exchange, ProviderError};

/// Where the provider sends the browser back to, below the origin.
pub(super) const ANSWER_PATH: &str = "/sign-in/answer";

/// Where the forms of these pages lead back to.
const SIGN_IN_PAGE: &str = "/sign-in";

/// What is known of the provider, and of those who are there.
#[derive(Debug, Default)]
pub(super) struct Provider {
    description: Mutex<Option<(Instant, Arc<exchange::Description>)>>,
    unfinished: Mutex<Once<Unfinished>>,
}

/// A sign-in that has begun. Its state is the token under which it is kept.
#[derive(Debug)]
struct Unfinished {
    browser: Token,
    nonce: Token,
    verifier: Token,
    description: Arc<exchange::Description>,
    /// The session that the browser had; its cookie does not come with the answer.
    before: Option<Token>,
}

impl Provider {
    /// The provider's description, read where there is none or where it is old.
    async fn description(&self, openid: &OpenId) -> Result<Arc<exchange::Description>, ProviderError> {
        let known = self.description.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, known)) = known
            && at.elapsed() < limits::PROVIDER_KNOWN
        {
            return Ok(known);
        }
        let read = Arc::new(exchange::describe(openid).await?);
        let mut known = self.description.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((Instant::now(), read.clone()));
        Ok(read)
    }

    /// Has the description read again: something that it said did not work.
    fn forget_description(&self) {
        *self.description.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn keep(&self, unfinished: Unfinished) -> Result<Token, getrandom::Error> {
        let mut all = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        all.keep(unfinished, Instant::now())
    }

    fn take(&self, state: &Token) -> Option<Unfinished> {
        let mut all = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        all.take(state, Instant::now())
    }
}

/// Sends a browser to the provider.
pub(super) async fn start(State(app): State<App>, mut visit: Visit) -> Response {
    let Some(openid) = &app.settings.console.openid else {
        return nothing_here(State(app.clone()), visit).await;
    };
    SIGN_IN_PAGE.clone_into(&mut visit.path);
    let description = match app.provider.description(openid).await {
        Ok(description) => description,
        Err(error) => {
            tracing::warn!(%error, "the OpenID provider cannot be used");
            provider_counted(if error.is_away() { "unreachable" } else { "wrong" });
            return failed(&app, &visit, StatusCode::BAD_GATEWAY, "provider");
        }
    };
    let tokens = || Ok::<_, getrandom::Error>((Token::new()?, Token::new()?, Token::new()?));
    let kept = tokens().and_then(|(browser, nonce, verifier)| {
        let challenge = exchange::challenge(verifier.as_str());
        let before = visit.token.clone();
        let unfinished = Unfinished {
            browser: browser.clone(),
            nonce: nonce.clone(),
            verifier,
            description: description.clone(),
            before,
        };
        Ok((app.provider.keep(unfinished)?, browser, nonce, challenge))
    });
    let (state, browser, nonce, challenge) = match kept {
        Ok(kept) => kept,
        Err(error) => {
            tracing::error!(%error, "the system gives no random bytes, so nobody can sign in");
            return failed(&app, &visit, StatusCode::INTERNAL_SERVER_ERROR, "error");
        }
    };
    let endpoint = &description.authorization_endpoint;
    let asked = encoded(&[
        ("response_type", "code"),
        ("client_id", &openid.client_id),
        ("redirect_uri", &answer_url(&app)),
        ("scope", &openid.scopes.join(" ")),
        ("state", state.as_str()),
        ("nonce", nonce.as_str()),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    let to = format!("{endpoint}{}{asked}", if endpoint.contains('?') { '&' } else { '?' });
    let life = limits::CONSOLE_LINK.as_secs();
    with_cookie(onward(&app, &visit, "provider", &to), set_lax_cookie(SIGN_IN, browser.as_str(), life))
}

fn answer_url(app: &App) -> String {
    format!("{}{ANSWER_PATH}", app.settings.console.origin)
}

/// A page that leads on at once. Not a redirection: `form-action` would hold up one to the provider, and after one from there
/// the browser would keep back the session's cookie, which is `SameSite=Strict`.
fn onward(app: &App, visit: &Visit, to: &str, href: &str) -> Response {
    let name = app.settings.console.openid.as_ref().map(|openid| &openid.name);
    let page = Page::new("onward.html", json!({ "to": to, "href": href, "provider": name }));
    let mut response = page.answer(app, visit);
    if response.status().is_success()
        && let Ok(value) = HeaderValue::from_str(&format!("0; url={href}"))
    {
        response.headers_mut().insert(REFRESH, value);
    }
    response
}

/// A browser comes back from the provider.
pub(super) async fn answer(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    mut visit: Visit,
) -> Response {
    let Some(openid) = &app.settings.console.openid else {
        return nothing_here(State(app.clone()), visit).await;
    };
    SIGN_IN_PAGE.clone_into(&mut visit.path);
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let browser = cookie(&headers, SIGN_IN).and_then(Token::parse);
    let unfinished = Token::parse(query.get("state")).and_then(|state| app.provider.take(&state));
    // A state in another browser is somebody else's sign-in, and is used up by that.
    let own = unfinished.filter(|unfinished| browser.as_ref() == Some(&unfinished.browser));
    let Some(unfinished) = own else {
        return failed(&app, &visit, StatusCode::BAD_REQUEST, "begun");
    };
    let finished = finish(&app, openid, &query, &unfinished).await;
    provider_counted(match &finished {
        Ok(_) => "answered",
        Err(error) if error.is_away() => "unreachable",
        Err(_) => "wrong",
    });
    let response = match finished {
        Ok(claims) => match claims::who(&claims, openid, &app.settings.console.roles) {
            Ok(Some(who)) => {
                if let Some(before) = &unfinished.before {
                    app.sessions().end(before);
                }
                match begin(&app, &visit, who, By::Provider) {
                    Ok(session) => {
                        (visit.session, visit.token) = (None, None);
                        with_cookie(onward(&app, &visit, "console", "/"), session)
                    }
                    Err(response) => *response,
                }
            }
            Ok(None) => {
                tracing::warn!("somebody signed in at the OpenID provider who has no role here");
                counted(By::Provider, "no-role");
                sign_in_page(&app, &visit, StatusCode::FORBIDDEN, None, Some("no-role"))
            }
            Err(error) => {
                tracing::warn!(%error, "the ID token of the OpenID provider cannot be used");
                failed(&app, &visit, StatusCode::BAD_GATEWAY, "answer")
            }
        },
        Err(error) => {
            tracing::warn!(%error, "a sign-in at the OpenID provider failed");
            app.provider.forget_description();
            let key = if error.is_away() { "provider" } else { "answer" };
            failed(&app, &visit, StatusCode::BAD_GATEWAY, key)
        }
    };
    with_cookie(response, set_lax_cookie(SIGN_IN, "", 0))
}

/// The claims of whoever came back, as the provider itself says them.
async fn finish(
    app: &App,
    openid: &OpenId,
    query: &Form,
    unfinished: &Unfinished,
) -> Result<serde_json::Value, ProviderError> {
    let description = &*unfinished.description;
    let (error, issuer) = (query.get("error"), query.get("iss"));
    // RFC 9207 §2.4: the answer of another provider.
    if !issuer.is_empty() && issuer != openid.issuer {
        return Err(claims::Wrong::Issuer.into());
    }
    if !error.is_empty() {
        return Err(ProviderError::Refused(visible(error).chars().take(100).collect()));
    }
    let exchange = Exchange {
        openid,
        description,
        code: query.get("code"),
        verifier: unfinished.verifier.as_str(),
        redirect: &answer_url(app),
    };
    let claims = exchange.claims().await?;
    let now = Timestamp::now().as_second();
    claims::check(&claims, &openid.issuer, &openid.client_id, unfinished.nonce.as_str(), now)?;
    Ok(claims)
}

fn provider_counted(result: &'static str) {
    CONSOLE.provider.with_label_values(&[result]).inc();
}

/// The page of those who are not signed in, with why.
fn failed(app: &App, visit: &Visit, status: StatusCode, key: &str) -> Response {
    counted(By::Provider, "failed");
    sign_in_page(app, visit, status, None, Some(key))
}
