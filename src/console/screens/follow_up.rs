//! The follow-up of a quarter: part by part, then signed.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::{command, is_stated, options, reasons};
use crate::console::App;
use crate::console::answers::{Page, only};
use crate::console::form::Form;
use crate::console::visit::Member;

/// The form.
pub(in crate::console) async fn open(State(app): State<App>, member: Member) -> Response {
    if let Err(refused) = only(&app, &member, "log report follow-up").await {
        return *refused;
    }
    page(&app, &member, &Form::default()).await.answer(&app, &member.visit)
}

async fn page(app: &App, member: &Member, form: &Form) -> Page {
    let (decisions, purposes) = reasons(app, &member.person).await;
    let (mut document, mut end) = (Value::Null, None);
    if is_stated(form) {
        let done = app.desk.carry_out(&member.person, command("log report follow-up", arguments(form))).await;
        end = Some(done.end.clone());
        if done.is_well() {
            document = done.one();
        }
    }
    let data = json!({
        "decisions": decisions, "purposes": purposes, "document": document, "reason": form.reason_fields(),
    });
    let mut page = Page::new("follow-up.html", data).filled(form);
    if let Some(end) = end {
        page.said(&end);
    }
    page
}

/// The quarter, the sample and the reason.
fn arguments(form: &Form) -> Vec<String> {
    let period = Some(form.get("period").to_owned()).filter(|period| !period.is_empty());
    period.into_iter().chain(options(form, &["n", "seed"])).chain(form.reason()).collect()
}

/// Shows it, or has it signed.
pub(in crate::console) async fn act(State(app): State<App>, member: Member, form: Form) -> Response {
    if let Err(refused) = only(&app, &member, "log report follow-up").await {
        return *refused;
    }
    if form.get("do") != "sign" {
        return page(&app, &member, &form).await.answer(&app, &member.visit);
    }
    // Browsers ask for each part, too.
    if form.get("parts").parse() != Ok(form.all("seen").count()) {
        let mut shown = page(&app, &member, &form).await;
        shown.problem("follow-up-parts");
        shown.status = StatusCode::UNPROCESSABLE_ENTITY;
        return shown.answer(&app, &member.visit);
    }
    let args = arguments(&form).into_iter().chain(options(&form, &["digest", "case", "remark"]));
    let signed = app.desk.carry_out(&member.person, command("log report sign", args)).await;
    let mut shown = page(&app, &member, &form).await;
    shown.said(&signed.end);
    if signed.end.code == Some(0) {
        shown.done("follow-up-signed");
    }
    shown.answer(&app, &member.visit)
}
