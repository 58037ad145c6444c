//! Pages as answers, and refusals.

use axum::http::StatusCode;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::commands::{self, Person};
use super::desk::{Done, End};
use super::form::Form;
use super::replies::{Counted, html};
use super::visit::{Member, Visit};
use super::{App, NAVIGATION};

/// A page while it is being made.
pub(super) struct Page {
    template: &'static str,
    pub(super) status: StatusCode,
    flash: Vec<Value>,
    form: Value,
    data: Value,
}

impl Page {
    /// A page of a template.
    pub(super) fn new(template: &'static str, data: Value) -> Self {
        Self { template, status: StatusCode::OK, flash: Vec::new(), form: json!({}), data }
    }

    /// The same, with what was entered into its form.
    pub(super) fn filled(self, form: &Form) -> Self {
        Self { form: form.to_json(), ..self }
    }

    /// Says what a command said; `done` where it did what was asked.
    pub(super) fn said(&mut self, end: &End) {
        let is_well = end.code == Some(0);
        for text in &end.said {
            self.flash.push(json!({ "kind": if is_well { "note" } else { "problem" }, "text": text }));
        }
        if !matches!(end.code, Some(0 | 1)) {
            self.status = StatusCode::UNPROCESSABLE_ENTITY;
            if end.said.is_empty() {
                self.flash.push(json!({ "kind": "problem", "key": "nothing" }));
            }
        }
    }

    /// Says that something is missing.
    pub(super) fn problem(&mut self, key: &str) {
        self.flash.push(json!({ "kind": "problem", "key": key }));
    }

    /// Says that something was done.
    pub(super) fn done(&mut self, key: &str) {
        self.flash.push(json!({ "kind": "done", "key": key }));
    }

    /// Makes the answer.
    pub(super) fn answer(self, app: &App, visit: &Visit) -> Response {
        let (template, status) = (self.template, self.status);
        match app.render(template, visit, &self.context(app, visit)) {
            Ok(text) => html(status, text),
            Err(response) => *response,
        }
    }

    /// What the template is given.
    pub(super) fn context(self, app: &App, visit: &Visit) -> Value {
        let viewer = visit.session.as_ref().map(|session| {
            let person = session.person();
            let roles: Vec<&str> = session.who.roles.iter().map(|(role, _)| role.as_str()).collect();
            let left = SignedDuration::try_from(visit.left).unwrap_or(SignedDuration::ZERO);
            let ends = Timestamp::now().checked_add(left).unwrap_or(Timestamp::MAX);
            json!({
                "name": person.name, "subject": person.subject, "role": person.role.as_str(), "roles": roles,
                "mailboxes": person.mailboxes, "ends": ends.to_string(),
            })
        });
        json!({
            "lang": visit.lang.as_str(), "path": visit.path, "viewer": viewer,
            "nav": navigation(visit), "organisation": app.settings.organisation, "flash": self.flash,
            "errors": [], "form": self.form, "data": self.data,
        })
    }
}

/// The pages that somebody may open.
fn navigation(visit: &Visit) -> Vec<Value> {
    let Some(person) = visit.person() else { return Vec::new() };
    let mut pages = Vec::new();
    for (href, key, words) in NAVIGATION {
        if may_open(&person, words) {
            let current =
                visit.path == *href || (*href != "/" && visit.path.starts_with(&format!("{href}/")));
            pages.push(json!({ "href": href, "key": key, "current": current }));
        }
    }
    pages
}

/// Whether a person may open the page of a command. What they read themselves, everybody may see.
pub(super) fn may_open(person: &Person, words: &str) -> bool {
    let known = commands::COMMANDS.iter().find(|command| command.words == words);
    words == "log access" || known.is_some_and(|command| command.roles.contains(&person.role))
}

/// Refuses a page whose command the role may not use, and has that noted.
pub(super) async fn only(app: &App, member: &Member, words: &'static str) -> Result<(), Box<Response>> {
    if may_open(&member.person, words) {
        return Ok(());
    }
    let done = app.desk.deny(&member.person, words).await;
    let text = done.end.said.join("\n");
    let mut refused = message(app, &member.visit, StatusCode::FORBIDDEN, "role", &text);
    refused.extensions_mut().insert(Counted("role"));
    Err(Box::new(refused))
}

/// A page that says one thing.
pub(super) fn message(app: &App, visit: &Visit, status: StatusCode, key: &str, text: &str) -> Response {
    let data = json!({ "status": status.as_u16(), "key": key, "text": text, "back": "/" });
    let mut page = Page::new("message.html", data);
    page.status = status;
    page.answer(app, visit)
}

/// What is shown of a command that gave nothing: what it said.
pub(super) fn nothing(app: &App, visit: &Visit, done: &Done) -> Response {
    message(app, visit, StatusCode::UNPROCESSABLE_ENTITY, "refused", &done.end.said.join("\n"))
}
