//! Reports: of a month, of a quarter, a sample, the follow-up of a quarter.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::{command, is_stated, options, reasons};
use crate::console::App;
use crate::console::answers::{Page, only};
use crate::console::form::Form;
use crate::console::replies::see;
use crate::console::visit::Member;

/// The reports, by the last part of their paths: command, template.
const REPORTS: &[(&str, &str, &str)] = &[
    ("month", "log report month", "report.html"),
    ("quarter", "log report quarter", "report.html"),
    ("sample", "log sample", "sample.html"),
];

/// The choice.
pub(in crate::console) async fn open(State(app): State<App>, member: Member) -> Response {
    if let Err(refused) = only(&app, &member, "log report month").await {
        return *refused;
    }
    Page::new("reports.html", json!({})).answer(&app, &member.visit)
}

/// The form of one report.
pub(in crate::console) async fn choose(
    State(app): State<App>,
    Path(kind): Path<String>,
    member: Member,
) -> Response {
    report(State(app), Path(kind), member, Form::default()).await
}

/// The report, or its form.
pub(in crate::console) async fn report(
    State(app): State<App>,
    Path(kind): Path<String>,
    member: Member,
    form: Form,
) -> Response {
    let Some((_, words, template)) = REPORTS.iter().find(|(own, ..)| *own == kind) else {
        return see("/reports");
    };
    if let Err(refused) = only(&app, &member, words).await {
        return *refused;
    }
    let (decisions, purposes) = reasons(&app, &member.person).await;
    let (mut whole, mut rows) = (Value::Null, Value::Null);
    let mut page = None;
    if is_stated(&form) {
        let period = Some(form.get("period").to_owned()).filter(|period| !period.is_empty());
        let own = if *words == "log sample" { options(&form, &["quarter", "n", "seed"]) } else { Vec::new() };
        let args = period.into_iter().chain(own).chain(form.reason());
        let done = app.desk.carry_out(&member.person, command(words, args)).await;
        page = Some(done.end.clone());
        if done.is_well() {
            match *template {
                "sample.html" => rows = json!(done.lines),
                _ => whole = done.one(),
            }
        }
    }
    let data = json!({ "decisions": decisions, "purposes": purposes, "report": whole, "rows": rows });
    let mut made = Page::new(template, data).filled(&form);
    if let Some(end) = page {
        made.said(&end);
    }
    made.answer(&app, &member.visit)
}
