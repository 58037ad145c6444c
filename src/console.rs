//! The web console: compliance people, registrars and mail admins work in the browser.
//!
//! *It is a face of the command line*: what somebody reads or does here is a command, carried out for them by a process that
//! may read the log (`cli/operator`), through the same gate, with the same entries in the access log. This process opens
//! no file of the log, and the server does not know of it.
//!
//! Absent: script, passwords, state that outlives the process.

pub mod commands;
pub mod process;

mod answers;
mod desk;
mod form;
mod guard;
pub mod links;
mod openid;
mod page;
mod replies;
mod screens;
mod serve;
mod sessions;
mod sign_in;
mod visit;
mod work;

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use jiff::tz::TimeZone;
use serde_json::Value;

use self::desk::Desk;
use self::sessions::{Lives, Once, Sessions, SignedIn};
use self::visit::Visit;
use crate::config::{Config, Console};

pub use self::serve::{run, serve};

/// Where the console has its commands carried out, unless said otherwise.
pub const COMMANDS: &str = "/run/postvakt-console-commands.sock";
/// Where one-time links are asked for, unless said otherwise.
pub const LINKS: &str = "/run/postvakt-console/link.sock";

const STYLE_PATH: &str = "/style.css";
const ICON_PATH: &str = "/icon.svg";
const SIGN_OUT_PATH: &str = "/sign-out";
/// The mark, as browsers show it beside the title.
const ICON: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path fill="#0b5670" d="M12 1.5 21 5v6.4c0 5.3-3.7 9.3-9 11.1-5.3-1.8-9-5.8-9-11.1V5z"/><path fill="none" stroke="#fff" stroke-width="1.5" d="M7 8.5h10v7H7zm0 .4 5 3.7 5-3.7"/></svg>"##;

/// The pages with their key and the command that opens them.
const NAVIGATION: &[(&str, &str, &str)] = &[
    ("/", "overview", "status"),
    ("/search", "search", "log search"),
    ("/held", "held", "held list"),
    ("/receipts", "receipts", "receipts list"),
    ("/disclosures", "disclosure", "log disclosure list"),
    ("/decisions", "decisions", "log decision list"),
    ("/legal-holds", "holds", "log legal-hold list"),
    ("/retention", "retention", "log retention plan"),
    ("/readers", "readers", "log access"),
    ("/rules", "rules", "rules"),
    ("/forwarders", "forwarders", "log report forwarders"),
    ("/follow-up", "follow-up", "log report follow-up"),
    ("/reports", "reports", "log report month"),
];

/// What the console is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[console]`.
    pub console: Console,
    /// The organisation's name.
    pub organisation: String,
    /// The zone of times.
    pub zone: TimeZone,
    /// With what a purpose has to begin; anything where there is none.
    pub purposes: Vec<String>,
    /// The ids of the rules.
    pub rules: Vec<String>,
    /// Whether acts on held mail need a second person, and decisions do.
    pub four_eyes: FourEyes,
    /// Where commands are carried out.
    pub commands: PathBuf,
    /// Where one-time links are asked for.
    pub links: PathBuf,
}

impl Settings {
    /// What a config says; `None` where it has no `[console]`.
    pub fn of(config: &Config, commands: PathBuf, links: PathBuf) -> Option<Self> {
        Some(Self {
            console: config.console.clone()?,
            organisation: config.organisation.name.clone(),
            zone: config.time_zone.clone(),
            purposes: config.store.access.purposes.clone(),
            rules: config.rules.iter().map(|(rule, _)| rule.id().to_owned()).collect(),
            four_eyes: FourEyes { held: config.held.four_eyes, decisions: config.store.access.four_eyes },
            commands,
            links,
        })
    }
}

/// What needs a second person.
#[derive(Clone, Copy, Debug, Default)]
pub struct FourEyes {
    /// Acts on held mail.
    pub held: bool,
    /// Decisions.
    pub decisions: bool,
}

/// The console, shared by its requests.
#[derive(Clone, Debug)]
struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    desk: Desk,
    sessions: Mutex<Sessions>,
    links: Mutex<Once<SignedIn>>,
    attempts: Mutex<sign_in::Attempts>,
    provider: openid::Provider,
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    fn new(settings: Settings) -> Self {
        let lives = Lives { idle: settings.console.idle, longest: settings.console.longest };
        Self(Arc::new(Inner {
            desk: Desk::new(settings.commands.clone()),
            sessions: Mutex::new(Sessions::new(lives)),
            links: Mutex::default(),
            attempts: Mutex::default(),
            provider: openid::Provider::default(),
            settings,
        }))
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        // Whoever panicked left every session whole.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn links(&self) -> MutexGuard<'_, Once<SignedIn>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A template as text, or the answer where it cannot be made.
    fn render(&self, template: &str, visit: &Visit, context: &Value) -> Result<String, Box<Response>> {
        page::render(template, visit.lang, &self.settings.zone, context).map_err(|error| {
            tracing::error!(template, error = format!("{error:#}"), "cannot make a page");
            Box::new((StatusCode::INTERNAL_SERVER_ERROR, "this page could not be made\n").into_response())
        })
    }
}

/// Every route.
fn router(app: App) -> Router {
    let guard = axum::middleware::from_fn_with_state(app.clone(), guard::guard);
    Router::new()
        .route(STYLE_PATH, get(style))
        .route(ICON_PATH, get(icon))
        .route("/sign-in", get(sign_in::page))
        .route("/sign-in/openid", post(openid::start))
        .route(openid::ANSWER_PATH, get(openid::answer))
        .route("/sign-in/link/{token}", get(sign_in::link).post(sign_in::use_link))
        .route(SIGN_OUT_PATH, post(sign_in::sign_out))
        .route("/role", post(sign_in::role))
        .route("/language", post(sign_in::language))
        .route("/", get(screens::overview::open))
        .route("/search", get(screens::search::open).post(screens::search::search))
        .route("/export", post(screens::export::export))
        .route("/mail/{id}", get(screens::mail::open).post(screens::mail::show))
        .route("/held", get(screens::held::list).post(screens::held::act))
        .route("/held/{id}", get(screens::held::show).post(screens::held::act_on_one))
        .route("/receipts", get(screens::receipts::list).post(screens::receipts::act))
        .route("/receipts/{id}", get(screens::receipts::show).post(screens::receipts::act))
        .route("/disclosures", get(screens::disclosure::list).post(screens::disclosure::open))
        .route(screens::disclosure::ONE, get(screens::disclosure::show).post(screens::disclosure::act))
        .route("/decisions", get(screens::registers::decisions).post(screens::registers::change_decisions))
        .route("/legal-holds", get(screens::registers::holds).post(screens::registers::change_holds))
        .route("/retention", get(screens::registers::retention).post(screens::registers::run_retention))
        .route("/readers", get(screens::readers::open).post(screens::readers::list))
        .route("/rules", get(screens::rules::open).post(screens::rules::report))
        .route("/forwarders", get(screens::rules::open_forwarders).post(screens::rules::forwarders))
        .route("/follow-up", get(screens::follow_up::open).post(screens::follow_up::act))
        .route("/reports", get(screens::reports::open))
        .route("/reports/{kind}", get(screens::reports::choose).post(screens::reports::report))
        .fallback(sign_in::nothing_here)
        .layer(guard)
        .with_state(app)
}

async fn icon() -> Response {
    let mut response = ICON.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
    response
}

async fn style() -> Response {
    let mut response = page::STYLE.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    response
}
