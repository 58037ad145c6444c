//! The search: the reason first, rows as they are found.

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use http_body_util::channel::{Channel, Sender};
use serde_json::{Value, json};

use super::{command, is_stated, options, reasons};
use crate::console::App;
use crate::console::answers::{Page, may_open, only};
use crate::console::commands::QUERY;
use crate::console::desk::Running;
use crate::console::form::Form;
use crate::console::replies::{html, taken};
use crate::console::visit::{Member, Visit};
use crate::limits;
use crate::metrics::CONSOLE;

/// The columns that are shown where none are chosen.
const COLUMNS: [&str; 6] = ["time", "direction", "sender", "recipients", "subject", "verdict"];
/// Where rows go in a page.
const ROWS: &str = "\u{1}rows\u{1}";
/// Where it is said how it ended.
const END: &str = "\u{1}end\u{1}";

/// The form, filled in as the address says.
pub(in crate::console) async fn open(
    State(app): State<App>,
    member: Member,
    RawQuery(query): RawQuery,
) -> Response {
    if let Err(refused) = only(&app, &member, "log search").await {
        return *refused;
    }
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    page(&app, &member, &form, false).await.answer(&app, &member.visit)
}

async fn page(app: &App, member: &Member, form: &Form, is_run: bool) -> Page {
    let (decisions, purposes) = reasons(app, &member.person).await;
    let mut data = json!({
        "decisions": decisions, "purposes": purposes, "rules": app.settings.rules, "run": is_run,
        "columns": columns(form), "may_export": may_open(&member.person, "log export"),
    });
    if let (Value::Object(fields), true) = (&mut data, is_run) {
        fields.insert("rows_here".to_owned(), json!(ROWS));
        fields.insert("end_here".to_owned(), json!(END));
        fields.insert("bookmark".to_owned(), json!(form.bookmark("/search")));
    }
    Page::new("search.html", data).filled(form)
}

fn columns(form: &Form) -> Vec<String> {
    let chosen: Vec<String> = form.all("columns").map(str::to_owned).collect();
    if chosen.is_empty() { COLUMNS.map(str::to_owned).to_vec() } else { chosen }
}

/// The form, with what was entered.
pub(super) async fn form_page(app: &App, member: &Member, form: &Form) -> Page {
    page(app, member, form, false).await
}

/// The rows of a search, while they are found.
pub(in crate::console) async fn search(State(app): State<App>, member: Member, form: Form) -> Response {
    if let Err(refused) = only(&app, &member, "log search").await {
        return *refused;
    }
    let newest = format!("--newest={}", limits::CONSOLE_NEWEST);
    let newest = (form.get("order") == "newest").then_some(newest);
    let args = options(&form, QUERY).into_iter().chain(newest).chain(form.reason());
    let running = app.desk.begin(&member.person, command("log search", args)).await;
    let context = page(&app, &member, &form, is_stated(&form)).await.context(&app, &member.visit);
    let text = match app.render("search.html", &member.visit, &context) {
        Ok(text) => text,
        Err(response) => return *response,
    };
    let (Some((head, rest)), columns) = (text.split_once(ROWS), columns(&form)) else {
        return html(StatusCode::OK, text);
    };
    let (between, tail) = rest.split_once(END).unwrap_or((rest, ""));
    let parts = [head, between, tail].map(|part| Bytes::copy_from_slice(part.as_bytes()));
    let (sender, body) = Channel::<Bytes>::new(1);
    tokio::spawn(stream(app, member.visit, running, (columns, form.reason_fields()), parts, sender));
    html(StatusCode::OK, Body::new(body))
}

/// Sends the page and its rows. A browser that leaves ends the search.
async fn stream(
    app: App,
    visit: Visit,
    mut running: Running,
    (columns, reason): (Vec<String>, Value),
    [head, between, tail]: [Bytes; 3],
    mut sender: Sender<Bytes>,
) {
    let mut shown = 0_u64;
    let mut is_whole = true;
    if !taken(sender.send_data(head)).await {
        return;
    }
    while let Some(line) = running.next().await {
        if shown >= limits::CONSOLE_ROWS {
            CONSOLE.exceeded("rows");
            is_whole = false;
            break;
        }
        // A line that is no row is told of by its end.
        let Ok(row) = serde_json::from_slice::<Value>(&line) else { continue };
        shown += 1;
        let context = json!({ "row": row, "columns": columns, "reason": reason });
        let Ok(text) = app.render("search-row.html", &visit, &context) else { return };
        if !taken(sender.send_data(text.into())).await {
            return;
        }
    }
    let end = running.end().await;
    let complete = is_whole && end.code == Some(0);
    let context = json!({ "rows": shown, "complete": complete, "said": end.said });
    let said = app.render("search-end.html", &visit, &context).unwrap_or_default();
    for part in [between, said.into(), tail] {
        if !taken(sender.send_data(part)).await {
            return;
        }
    }
}
