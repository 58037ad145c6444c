//! The outbox: receipts and notices, and what can be done with one.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use serde_json::json;

use super::command;
use crate::console::App;
use crate::console::answers::{Page, only};
use crate::console::form::Form;
use crate::console::visit::Member;

/// The receipts and notices of the last weeks.
pub(in crate::console) async fn list(
    State(app): State<App>,
    member: Member,
    RawQuery(query): RawQuery,
) -> Response {
    if let Err(refused) = only(&app, &member, "receipts list").await {
        return *refused;
    }
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    listed(&app, &member, &form).await.answer(&app, &member.visit)
}

async fn listed(app: &App, member: &Member, form: &Form) -> Page {
    let args = form.option("state", "state");
    let done = app.desk.carry_out(&member.person, command("receipts list", args)).await;
    let mut page = Page::new("receipts.html", json!({ "rows": done.lines })).filled(form);
    page.said(&done.end);
    page
}

/// One of them, as its recipient reads it.
pub(in crate::console) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    member: Member,
) -> Response {
    if let Err(refused) = only(&app, &member, "receipts show").await {
        return *refused;
    }
    one(&app, &member, &id).await.answer(&app, &member.visit)
}

async fn one(app: &App, member: &Member, id: &str) -> Page {
    let done = app.desk.carry_out(&member.person, command("receipts show", [id.to_owned()])).await;
    let mut page = Page::new("receipt.html", json!({ "id": id, "receipt": done.lines.first() }));
    page.said(&done.end);
    page
}

/// Sends one again, or cancels it.
pub(in crate::console) async fn act(State(app): State<App>, member: Member, form: Form) -> Response {
    let words = match form.get("do") {
        "retry" => "receipts retry",
        "cancel" => "receipts cancel",
        _ => "receipts list",
    };
    if let Err(refused) = only(&app, &member, words).await {
        return *refused;
    }
    if words == "receipts list" {
        return listed(&app, &member, &form).await.answer(&app, &member.visit);
    }
    let id = form.get("id").to_owned();
    let done = app.desk.carry_out(&member.person, command(words, [id.clone()])).await;
    let mut page = one(&app, &member, &id).await;
    page.said(&done.end);
    if done.end.code == Some(0) {
        page.done(if words == "receipts retry" { "receipt-retried" } else { "receipt-cancelled" });
    }
    page.answer(&app, &member.visit)
}
