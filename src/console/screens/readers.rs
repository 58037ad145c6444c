//! Who has read the log, and what of it.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::{command, options};
use crate::console::App;
use crate::console::answers::{Page, may_open};
use crate::console::form::Form;
use crate::console::visit::Member;
use crate::limits;

/// The form.
pub(in crate::console) async fn open(State(app): State<App>, member: Member) -> Response {
    let data = json!({ "rows": null, "may_all": may_all(&member) });
    Page::new("readers.html", data).answer(&app, &member.visit)
}

/// Whether somebody sees more than what they read themselves.
fn may_all(member: &Member) -> bool {
    let known = crate::console::commands::named(&["log", "access"]);
    known.is_some_and(|command| command.roles.contains(&member.person.role))
        && may_open(&member.person, "log access")
}

/// The accesses that fit.
pub(in crate::console) async fn list(State(app): State<App>, member: Member, mut form: Form) -> Response {
    if !may_all(&member) {
        form.set("by", &member.person.subject);
    }
    let mut args = options(&form, &["since", "until", "person", "by", "decision", "verb", "purpose"]);
    // Where the list is cut, the newest are there.
    args.push(format!("--newest={}", limits::CONSOLE_NEWEST));
    let done = app.desk.carry_out(&member.person, command("log access", args)).await;
    let data = json!({ "rows": done.lines, "may_all": may_all(&member) });
    let mut page = Page::new("readers.html", data).filled(&form);
    page.said(&done.end);
    page.answer(&app, &member.visit)
}
