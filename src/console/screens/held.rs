//! Held mail: what waits, and what is done with it, one mail or several.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::command;
use crate::console::App;
use crate::console::answers::{Page, message, only};
use crate::console::form::Form;
use crate::console::replies::see;
use crate::console::visit::Member;
use crate::limits;

/// The acts, by the value of the button, with the fields that they need.
const ACTS: &[(&str, &str, &[&str])] = &[
    ("release", "held release", &[]),
    ("return", "held return", &["text"]),
    ("hand-over", "held hand-over", &["to"]),
];

/// What waits. Why they look is asked for once in a session.
pub(in crate::console) async fn list(State(app): State<App>, member: Member) -> Response {
    if let Err(refused) = only(&app, &member, "held list").await {
        return *refused;
    }
    let purpose = member.visit.session.as_ref().map_or("", |session| &session.held_purpose).to_owned();
    list_page(&app, &member, &purpose).await.answer(&app, &member.visit)
}

async fn list_page(app: &App, member: &Member, purpose: &str) -> Page {
    if purpose.is_empty() {
        return Page::new("held.html", json!({ "rows": null }));
    }
    let all = member.visit.session.as_ref().is_some_and(|session| session.held_all);
    let args = std::iter::once(format!("--purpose={purpose}")).chain(all.then(|| "--all".to_owned()));
    let listed = app.desk.carry_out(&member.person, command("held list", args)).await;
    let mut page =
        Page::new("held.html", json!({ "rows": listed.lines })).filled(&Form::of("purpose", purpose));
    page.said(&listed.end);
    page
}

/// Takes the purpose, asks for confirmation of a batch, or carries it out.
pub(in crate::console) async fn act(State(app): State<App>, member: Member, form: Form) -> Response {
    if let Err(refused) = only(&app, &member, "held list").await {
        return *refused;
    }
    let wanted = ACTS.iter().find(|(word, ..)| *word == form.get("do"));
    let Some((word, words, fields)) = wanted else {
        let purpose = form.get("purpose").to_owned();
        if let Some(token) = &member.visit.token {
            let all = !form.get("all").is_empty();
            app.sessions().change(token, |session| (session.held_purpose, session.held_all) = (purpose, all));
        }
        return see("/held");
    };
    let ids: Vec<String> = form.all("id").map(str::to_owned).collect();
    if ids.len() > limits::CONSOLE_BATCH {
        let text = format!("at most {} mails at once", limits::CONSOLE_BATCH);
        return message(&app, &member.visit, StatusCode::PAYLOAD_TOO_LARGE, "error", &text);
    }
    if form.get("confirmed").is_empty() || ids.is_empty() {
        if ids.is_empty() {
            return see("/held");
        }
        let purpose = member.visit.session.as_ref().map_or("", |session| &session.held_purpose);
        let args = [format!("--purpose={purpose}")];
        let listed = app.desk.carry_out(&member.person, command("held list", args)).await;
        let is_chosen = |row: &&Value| {
            row.get("queue_id").and_then(Value::as_str).is_some_and(|id| form.all("id").any(|own| own == id))
        };
        let rows: Vec<&Value> = listed.lines.iter().filter(is_chosen).collect();
        let data = json!({ "act": word, "rows": rows, "four_eyes": app.settings.four_eyes.held });
        return Page::new("held-confirm.html", data).filled(&form).answer(&app, &member.visit);
    }
    let mut ends = Vec::new();
    for id in &ids {
        let outcome = app.desk.carry_out(&member.person, command(words, arguments(id, fields, &form))).await;
        ends.push(outcome.end);
    }
    let purpose = form.get("purpose").to_owned();
    let mut page = list_page(&app, &member, &purpose).await;
    for end in &ends {
        page.said(end);
    }
    if ends.iter().all(|end| end.code == Some(0)) {
        page.done("held");
    }
    page.answer(&app, &member.visit)
}

/// The arguments of an act on one mail.
fn arguments(id: &str, fields: &[&'static str], form: &Form) -> Vec<String> {
    let options = fields.iter().filter_map(|field| form.option(field, field));
    std::iter::once(id.to_owned()).chain(form.option("purpose", "purpose")).chain(options).collect()
}

/// One mail.
pub(in crate::console) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    member: Member,
) -> Response {
    if let Err(refused) = only(&app, &member, "held show").await {
        return *refused;
    }
    let purpose = member.visit.session.as_ref().map_or("", |session| &session.held_purpose).to_owned();
    if purpose.is_empty() {
        return see("/held");
    }
    one(&app, &member, &id, &purpose, &Form::default()).await.answer(&app, &member.visit)
}

async fn one(app: &App, member: &Member, id: &str, purpose: &str, form: &Form) -> Page {
    let args = [id.to_owned(), format!("--purpose={purpose}")];
    let shown = app.desk.carry_out(&member.person, command("held show", args)).await;
    let end = shown.end.clone();
    let data = json!({ "mail": shown.one(), "four_eyes": app.settings.four_eyes.held });
    let mut page = Page::new("held-mail.html", data).filled(form);
    page.said(&end);
    page
}

/// Acts on one mail.
pub(in crate::console) async fn act_on_one(
    State(app): State<App>,
    Path(id): Path<String>,
    member: Member,
    form: Form,
) -> Response {
    if let Err(refused) = only(&app, &member, "held show").await {
        return *refused;
    }
    let session_purpose =
        member.visit.session.as_ref().map_or("", |session| &session.held_purpose).to_owned();
    let wanted = ACTS.iter().find(|(word, ..)| *word == form.get("do"));
    let Some((word, words, fields)) = wanted else { return see(&member.visit.path) };
    let outcome = app.desk.carry_out(&member.person, command(words, arguments(&id, fields, &form))).await;
    let (end, value) = (outcome.end.clone(), outcome.one());
    if end.code != Some(0) {
        let mut page = one(&app, &member, &id, &session_purpose, &form).await;
        page.said(&end);
        return page.answer(&app, &member.visit);
    }
    let is_proposed = value.get("stage").and_then(Value::as_str) == Some("proposed");
    let mut page = list_page(&app, &member, &session_purpose).await;
    page.said(&end);
    page.done(match (*word, is_proposed) {
        (_, true) => "held-proposed",
        ("release", false) => "held-released",
        ("return", false) => "held-returned",
        _ => "held-handed-over",
    });
    page.answer(&app, &member.visit)
}
