//! The disclosure desk: requests for public records, each record reviewed, approved by another person, and the files.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::export::download;
use super::{command, options};
use crate::console::App;
use crate::console::answers::{Page, may_open, only};
use crate::console::commands::QUERY;
use crate::console::form::Form;
use crate::console::replies::see;
use crate::console::visit::Member;
use crate::store::disclosure::SECTIONS;

/// Where one request is. Its reference has slashes, which proxies change in a path.
pub(in crate::console) const ONE: &str = "/disclosures/request";

/// The requests.
pub(in crate::console) async fn list(State(app): State<App>, member: Member) -> Response {
    if let Err(refused) = only(&app, &member, "log disclosure list").await {
        return *refused;
    }
    list_page(&app, &member, &Form::default()).await.answer(&app, &member.visit)
}

async fn list_page(app: &App, member: &Member, form: &Form) -> Page {
    let done = app.desk.carry_out(&member.person, command("log disclosure list", [])).await;
    let may = |words| may_open(&member.person, words);
    let data = json!({
        "rows": done.lines, "may_add": may("log disclosure open"), "may_open": may("log disclosure show"),
    });
    let mut page = Page::new("disclosures.html", data).filled(form);
    page.said(&done.end);
    page
}

/// Registers one.
pub(in crate::console) async fn open(State(app): State<App>, member: Member, form: Form) -> Response {
    if let Err(refused) = only(&app, &member, "log disclosure open").await {
        return *refused;
    }
    let reference = form.get("reference").to_owned();
    let own = options(&form, &["received", "asked-by"]).into_iter().chain(options(&form, QUERY));
    let args = std::iter::once(reference.clone()).chain(own);
    let done = app.desk.carry_out(&member.person, command("log disclosure open", args)).await;
    if done.end.code == Some(0) {
        return see(&Form::of("reference", &reference).bookmark(ONE));
    }
    let mut page = list_page(&app, &member, &form).await;
    page.said(&done.end);
    page.answer(&app, &member.visit)
}

/// One, with a page of its records.
pub(in crate::console) async fn show(
    State(app): State<App>,
    member: Member,
    RawQuery(query): RawQuery,
) -> Response {
    if let Err(refused) = only(&app, &member, "log disclosure show").await {
        return *refused;
    }
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    one(&app, &member, &form).await.answer(&app, &member.visit)
}

async fn one(app: &App, member: &Member, form: &Form) -> Page {
    let page = form.option("page", "page");
    let left = (!form.get("left").is_empty()).then(|| "--left".to_owned());
    let args = std::iter::once(form.get("reference").to_owned()).chain(page).chain(left);
    let done = app.desk.carry_out(&member.person, command("log disclosure show", args)).await;
    let mut lines = done.lines.into_iter();
    let case = lines.next().unwrap_or(Value::Null);
    let may = |words| may_open(&member.person, words);
    let data = json!({
        "case": case, "rows": lines.collect::<Vec<_>>(), "sections": SECTIONS,
        "may_review": may("log disclosure review"), "may_approve": may("log disclosure approve"),
    });
    let mut page = Page::new("disclosure.html", data).filled(form);
    page.said(&done.end);
    page
}

/// Reviews records, approves the review, gives the files, or closes the request.
pub(in crate::console) async fn act(State(app): State<App>, member: Member, form: Form) -> Response {
    let (words, key) = match form.get("do") {
        "approve" => ("log disclosure approve", "disclosure-approved"),
        "files" => ("log disclosure files", ""),
        "close" => ("log disclosure close", "disclosure-closed"),
        _ => ("log disclosure review", "disclosure-reviewed"),
    };
    if let Err(refused) = only(&app, &member, words).await {
        return *refused;
    }
    let mut args = vec![form.get("reference").to_owned()];
    match words {
        "log disclosure approve" => args.extend(options(&form, &["entry"])),
        "log disclosure close" => args.extend(options(&form, &["answer", "decision"])),
        "log disclosure files" => args.extend(options(&form, &["format"])),
        _ => {
            args.extend(options(&form, &["choice", "section", "why"]));
            let columns: Vec<&str> = form.all("columns").collect();
            if form.get("choice") == "mask" && !columns.is_empty() {
                args.push(format!("--columns={}", columns.join(",")));
            }
            if form.get("rest").is_empty() {
                args.extend(form.all("id").map(str::to_owned));
            } else {
                args.push("--rest".to_owned());
            }
        }
    }
    let end = if words == "log disclosure files" {
        match download(&app, &member, command(words, args), "utlamnande.zip").await {
            Ok(file) => return file,
            Err(end) => end,
        }
    } else {
        app.desk.carry_out(&member.person, command(words, args)).await.end
    };
    let is_done = end.code == Some(0);
    // What was entered stays where it was not taken.
    let mut shown = if is_done { Form::default() } else { form.clone() };
    for name in ["reference", "page", "left"].into_iter().filter(|name| !form.get(name).is_empty()) {
        shown.set(name, form.get(name));
    }
    let mut page = one(&app, &member, &shown).await;
    page.said(&end);
    if is_done {
        page.done(key);
    }
    page.answer(&app, &member.visit)
}
