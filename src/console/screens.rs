//! The pages: each makes commands of what was entered, and a page of what they answer.

pub(super) mod disclosure;
pub(super) mod export;
pub(super) mod follow_up;
pub(super) mod held;
pub(super) mod mail;
pub(super) mod overview;
pub(super) mod readers;
pub(super) mod receipts;
pub(super) mod registers;
pub(super) mod reports;
pub(super) mod rules;
pub(super) mod search;

use serde_json::{Value, json};

use super::App;
use super::commands::Person;
use super::form::Form;

/// The arguments of a command: its words, `--json`, and more.
fn command(words: &str, more: impl IntoIterator<Item = String>) -> Vec<String> {
    words.split(' ').map(str::to_owned).chain(std::iter::once("--json".to_owned())).chain(more).collect()
}

/// What the fields of a reason are filled with: the open decisions, and what a purpose has to begin with.
async fn reasons(app: &App, person: &Person) -> (Value, Value) {
    let purposes = json!(app.settings.purposes);
    if !super::answers::may_open(person, "log decision list") {
        return (json!([]), purposes);
    }
    let known = app.desk.carry_out(person, command("log decision list", [])).await;
    let open = known.lines.iter().filter(|known| known.get("state").and_then(Value::as_str) == Some("open"));
    let text =
        |known: &Value, name: &str| known.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let choices =
        open.map(|known| json!({ "reference": text(known, "reference"), "text": text(known, "purpose") }));
    (choices.collect(), purposes)
}

/// The options with the values of fields of the same names.
fn options(form: &Form, names: &[&'static str]) -> Vec<String> {
    names.iter().filter_map(|name| form.option(&name.replace('-', "_"), name)).collect()
}

/// Whether something was asked for, and not only an empty page.
fn is_stated(form: &Form) -> bool {
    !form.reason().is_empty()
}
