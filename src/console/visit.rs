//! Who visits a page.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::App;
use super::commands::Person;
use super::page::Lang;
use super::replies::see;
use super::sessions::{Session, Token};

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
        let visit = Visit::from_request_parts(parts, app).await.map_err(IntoResponse::into_response)?;
        match visit.person() {
            Some(person) => Ok(Self { visit, person }),
            None => Err(see("/sign-in")),
        }
    }
}
