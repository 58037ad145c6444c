//! One mail: all about it, and what people judged of its findings.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::{command, is_stated, reasons};
use crate::console::App;
use crate::console::answers::{Page, may_open, only};
use crate::console::commands::Person;
use crate::console::form::Form;
use crate::console::visit::Member;

/// The reason first.
pub(in crate::console) async fn open(
    State(app): State<App>,
    Path(id): Path<String>,
    member: Member,
) -> Response {
    if let Err(refused) = only(&app, &member, "log show").await {
        return *refused;
    }
    page(&app, &member, &id, &Form::default(), Value::Null).await.answer(&app, &member.visit)
}

async fn page(app: &App, member: &Member, id: &str, form: &Form, mail: Value) -> Page {
    let (decisions, purposes) = reasons(app, &member.person).await;
    let may_label = may_open(&member.person, "log label");
    let looks = mail.get("accesses").cloned().unwrap_or_default();
    let data = json!({
        "id": id, "places": places(app, &member.person).await, "looks": looks, "mail": mail, "decisions": decisions, "purposes": purposes, "reason": form.reason_fields(),
        "may_label": may_label,
    });
    Page::new("mail.html", data).filled(form)
}

/// Where in the config each rule stands, for those who may know.
async fn places(app: &App, person: &Person) -> Value {
    if !may_open(person, "rules") {
        return json!({});
    }
    let rules = app.desk.carry_out(person, command("rules", [])).await;
    let place = |rule: &Value| Some((rule.get("id")?.as_str()?.to_owned(), rule.get("config")?.clone()));
    Value::Object(rules.lines.iter().filter_map(place).collect())
}

/// Shows it, after a judgement where one was made.
pub(in crate::console) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    member: Member,
    form: Form,
) -> Response {
    if let Err(refused) = only(&app, &member, "log show").await {
        return *refused;
    }
    if !is_stated(&form) {
        return page(&app, &member, &id, &form, Value::Null).await.answer(&app, &member.visit);
    }
    let labelled = match form.get("do") {
        "label" => {
            let own = [form.get("record").to_owned(), form.get("judgement").to_owned()];
            let options = form.option("rule", "rule").into_iter().chain(form.option("comment", "why"));
            let args = own.into_iter().filter(|own| !own.is_empty()).chain(options).chain(form.reason());
            Some(app.desk.carry_out(&member.person, command("log label", args)).await)
        }
        _ => None,
    };
    let args = std::iter::once(id.clone()).chain(form.reason());
    let shown = app.desk.carry_out(&member.person, command("log show", args)).await;
    let end = shown.end.clone();
    let mut page = page(&app, &member, &id, &form, shown.one()).await;
    if let Some(labelled) = labelled {
        page.said(&labelled.end);
        if labelled.end.code == Some(0) {
            page.done("label");
        }
    }
    page.said(&end);
    page.answer(&app, &member.visit)
}
