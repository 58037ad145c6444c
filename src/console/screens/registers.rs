//! Decisions, legal holds and retention.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::{command, options};
use crate::console::App;
use crate::console::answers::{Page, may_open, only};
use crate::console::desk::Done;
use crate::console::form::Form;
use crate::console::visit::Member;

/// The register of decisions.
pub(in crate::console) async fn decisions(State(app): State<App>, member: Member) -> Response {
    if let Err(refused) = only(&app, &member, "log decision list").await {
        return *refused;
    }
    decisions_page(&app, &member, &Form::default()).await.answer(&app, &member.visit)
}

async fn decisions_page(app: &App, member: &Member, form: &Form) -> Page {
    let done = app.desk.carry_out(&member.person, command("log decision list", [])).await;
    let data = json!({
        "rows": done.lines,
        "four_eyes": app.settings.four_eyes.decisions,
        "may_add": may_open(&member.person, "log decision add"),
        "may_approve": may_open(&member.person, "log decision approve"),
        "may_close": may_open(&member.person, "log decision close"),
    });
    let mut page = Page::new("decisions.html", data).filled(form);
    page.said(&done.end);
    page
}

/// Registers, approves or closes one.
pub(in crate::console) async fn change_decisions(
    State(app): State<App>,
    member: Member,
    form: Form,
) -> Response {
    let reference = form.get("reference").to_owned();
    let (words, key) = match form.get("do") {
        "approve" => ("log decision approve", "decision-approved"),
        "close" => ("log decision close", "decision-closed"),
        _ => ("log decision add", "decision-added"),
    };
    if let Err(refused) = only(&app, &member, words).await {
        return *refused;
    }
    let mut args = vec![reference];
    if words == "log decision add" {
        args.extend(options(&form, &["by", "date", "purpose", "since", "until", "valid-until"]));
        args.extend(form.all("person").flat_map(people).map(|person| format!("--person={person}")));
    }
    changed(&app, &member, words, args, key, &form).await
}

/// Addresses on lines, or between commas.
fn people(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n', ';', ' ']).map(str::trim).filter(|person| !person.is_empty())
}

async fn changed(
    app: &App,
    member: &Member,
    words: &'static str,
    args: Vec<String>,
    key: &str,
    form: &Form,
) -> Response {
    let done = app.desk.carry_out(&member.person, command(words, args)).await;
    let is_done = done.end.code == Some(0);
    let empty = Form::default();
    let kept = if is_done { &empty } else { form };
    let mut page = if words.starts_with("log decision") {
        decisions_page(app, member, kept).await
    } else {
        holds_page(app, member, kept).await
    };
    page.said(&done.end);
    if is_done {
        page.done(key);
    }
    page.answer(app, &member.visit)
}

/// The legal holds.
pub(in crate::console) async fn holds(State(app): State<App>, member: Member) -> Response {
    if let Err(refused) = only(&app, &member, "log legal-hold list").await {
        return *refused;
    }
    holds_page(&app, &member, &Form::default()).await.answer(&app, &member.visit)
}

async fn holds_page(app: &App, member: &Member, form: &Form) -> Page {
    let done = app.desk.carry_out(&member.person, command("log legal-hold list", [])).await;
    let data = json!({ "rows": done.lines, "may_add": may_open(&member.person, "log legal-hold add") });
    let mut page = Page::new("holds.html", data).filled(form);
    page.said(&done.end);
    page
}

/// Places or releases one.
pub(in crate::console) async fn change_holds(State(app): State<App>, member: Member, form: Form) -> Response {
    let (words, key) = match form.get("do") {
        "release" => ("log legal-hold release", "hold-released"),
        _ => ("log legal-hold add", "hold-added"),
    };
    if let Err(refused) = only(&app, &member, words).await {
        return *refused;
    }
    let mut args = vec![form.get("reference").to_owned()];
    if words == "log legal-hold add" {
        args.extend(options(&form, &["since", "until"]));
        args.extend(form.all("party").flat_map(people).map(|party| format!("--party={party}")));
    }
    changed(&app, &member, words, args, key, &form).await
}

/// What is due for deletion.
pub(in crate::console) async fn retention(State(app): State<App>, member: Member) -> Response {
    if let Err(refused) = only(&app, &member, "log retention plan").await {
        return *refused;
    }
    let plan = app.desk.carry_out(&member.person, command("log retention plan", [])).await;
    retention_page(&member, plan).answer(&app, &member.visit)
}

fn retention_page(member: &Member, plan: Done) -> Page {
    let end = plan.end.clone();
    let may_run = may_open(&member.person, "log retention run");
    let plan = plan.one();
    let proposals = plan.get("proposals").cloned().unwrap_or_else(|| json!([]));
    let data = json!({ "plan": plan, "proposals": proposals, "may_run": may_run });
    let mut page = Page::new("retention.html", data);
    page.said(&end);
    page
}

/// A dry run, or a run.
pub(in crate::console) async fn run_retention(
    State(app): State<App>,
    member: Member,
    form: Form,
) -> Response {
    if let Err(refused) = only(&app, &member, "log retention run").await {
        return *refused;
    }
    let (words, more, key) = match form.get("do") {
        "run" => ("log retention run", None, "retention-run"),
        "propose" => ("log retention propose", None, "retention-proposed"),
        _ => ("log retention run", Some("--dry-run".to_owned()), "retention-dry"),
    };
    let args = form.option("decision", "decision").into_iter().chain(more);
    let done = app.desk.carry_out(&member.person, command(words, args)).await;
    let end = done.end.clone();
    let plan = app.desk.carry_out(&member.person, command("log retention plan", [])).await;
    let mut page = retention_page(&member, plan);
    page.said(&end);
    if end.code == Some(0) {
        page.done(key);
    }
    page.answer(&app, &member.visit)
}
