//! The rules: what each found, and what is missing before it may act; and forwards.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::{command, is_stated, options, reasons};
use crate::console::App;
use crate::console::answers::{Page, only};
use crate::console::form::Form;
use crate::console::visit::Member;

/// The rules with their modes and exceptions.
pub(in crate::console) async fn open(State(app): State<App>, member: Member) -> Response {
    if let Err(refused) = only(&app, &member, "rules").await {
        return *refused;
    }
    page(&app, &member, &Form::default()).await.answer(&app, &member.visit)
}

async fn page(app: &App, member: &Member, form: &Form) -> Page {
    let rules = app.desk.carry_out(&member.person, command("rules", [])).await;
    let (decisions, purposes) = reasons(app, &member.person).await;
    let report = if is_stated(form) {
        let args = options(form, &["since", "until", "rule"]).into_iter().chain(form.reason());
        Some(app.desk.carry_out(&member.person, command("log report rules", args)).await)
    } else {
        None
    };
    let lines = report.as_ref().map(|report| report.lines.clone());
    let data = json!({
        "rules": rules.lines, "report": lines, "decisions": decisions, "purposes": purposes,
        "reason": form.reason_fields(),
    });
    let mut page = Page::new("rules.html", data).filled(form);
    page.said(&rules.end);
    if let Some(report) = report {
        page.said(&report.end);
    }
    page
}

/// What they found in a period.
pub(in crate::console) async fn report(State(app): State<App>, member: Member, form: Form) -> Response {
    if let Err(refused) = only(&app, &member, "log report rules").await {
        return *refused;
    }
    page(&app, &member, &form).await.answer(&app, &member.visit)
}

/// The form of the report on forwards.
pub(in crate::console) async fn open_forwarders(State(app): State<App>, member: Member) -> Response {
    if let Err(refused) = only(&app, &member, "log report forwarders").await {
        return *refused;
    }
    forwarders_page(&app, &member, &Form::default()).await.answer(&app, &member.visit)
}

async fn forwarders_page(app: &App, member: &Member, form: &Form) -> Page {
    let (decisions, purposes) = reasons(app, &member.person).await;
    let report = if is_stated(form) {
        let args = options(form, &["since", "until", "grade"]).into_iter().chain(form.reason());
        Some(app.desk.carry_out(&member.person, command("log report forwarders", args)).await)
    } else {
        None
    };
    let lines = report.as_ref().map(|report| report.lines.clone());
    let data = json!({ "rows": lines, "decisions": decisions, "purposes": purposes });
    let mut page = Page::new("forwarders.html", data).filled(form);
    if let Some(report) = report {
        page.said(&report.end);
    }
    page
}

/// Whose mail is forwarded where.
pub(in crate::console) async fn forwarders(State(app): State<App>, member: Member, form: Form) -> Response {
    if let Err(refused) = only(&app, &member, "log report forwarders").await {
        return *refused;
    }
    forwarders_page(&app, &member, &form).await.answer(&app, &member.visit)
}
