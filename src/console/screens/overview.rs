//! The overview: whether all is well, in numbers.

use axum::extract::State;
use axum::response::Response;

use super::command;
use crate::console::App;
use crate::console::answers::{Page, nothing};
use crate::console::visit::Member;

pub(in crate::console) async fn open(State(app): State<App>, member: Member) -> Response {
    let status = app.desk.carry_out(&member.person, command("status", [])).await;
    if !status.is_well() || status.lines.is_empty() {
        return nothing(&app, &member.visit, &status);
    }
    Page::new("overview.html", status.one()).answer(&app, &member.visit)
}
