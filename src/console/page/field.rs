//! Fields of forms: label, hint, error and value belong together, and a template names them once.

use minijinja::value::{Kwargs, Value};
use minijinja::{Error, State};

use super::values::{Scope, lang};
use super::{mistake, text_of, words};

/// The columns of a search, in their order on the page, and those that are shown if none was chosen.
const COLUMNS: [&str; 21] = [
    "time",
    "direction",
    "sender",
    "recipients",
    "subject",
    "verdict",
    "findings",
    "would",
    "size",
    "attachments",
    "header_from",
    "record",
    "queue_id",
    "message_id",
    "client",
    "helo",
    "auth_user",
    "tls",
    "authentication",
    "receipt",
    "config",
];
const USUAL: usize = 7;

/// Every column.
pub(super) fn all_columns() -> Vec<&'static str> {
    COLUMNS.to_vec()
}

/// The columns that were chosen, or the usual ones, always in the same order: a row and its heading agree.
pub(super) fn chosen_columns(chosen: &Value) -> Vec<&'static str> {
    let chosen: Vec<String> = match chosen.as_str() {
        Some(one) => vec![one.to_owned()],
        None => chosen.try_iter().into_iter().flatten().map(|one| text_of(&one)).collect(),
    };
    let known: Vec<&str> =
        COLUMNS.into_iter().filter(|column| chosen.iter().any(|one| one == column)).collect();
    if known.is_empty() { COLUMNS.into_iter().take(USUAL).collect() } else { known }
}

/// A field by its name. Its label is `field.NAME`, its hint `hint.NAME` if there is one, its value the form's.
///
/// `kind` is `text` (the default), `area`, `select`, `check`, `date` or `search`; `form` comes before its id where a page
/// has several forms; `label` and `hint` name other keys. A `select` has `options`, named by the words of the kind
/// `words`, and with `any` an empty one above them. `list` is the id of a `datalist`, and `note` goes on
/// after the hint.
pub(super) fn field(state: &State, name: &str, kwargs: &Kwargs) -> Result<Value, Error> {
    let lang = lang(state)?;
    let root = state.lookup("root").ok_or_else(|| mistake("no root"))?;
    let text = |key: &str| kwargs.get::<Option<String>>(key);
    let label = text("label")?.unwrap_or_else(|| name.to_owned());
    let hint = text("hint")?.unwrap_or_else(|| label.clone());
    let hint = words::t(lang, &format!("hint.{hint}"));
    // What a hint has no words for, such as a list.
    let hint = match text("note")? {
        Some(note) => Some([hint.unwrap_or_default(), &note].join(" ")),
        None => hint.map(str::to_owned),
    };
    let form = text("form")?.unwrap_or_else(|| "f".to_owned());
    let value = match kwargs.get::<Option<Value>>("value")? {
        Some(value) => value,
        None => entry(&root, name),
    };
    let flag = |key: &str| Ok::<_, Error>(Value::from(kwargs.get::<Option<bool>>(key)?.unwrap_or(false)));
    let label = words::t(lang, &format!("field.{label}"))
        .ok_or_else(|| mistake(format!("words.toml has no field.{label}")))?;
    let own = [
        ("name", Value::from(name)),
        ("id", Value::from(format!("{form}-{name}"))),
        ("label", Value::from(label)),
        ("hint", Value::from(hint)),
        ("error", error_of(&root, name)),
        ("value", value),
        ("kind", Value::from(text("kind")?.unwrap_or_else(|| "text".to_owned()))),
        ("of", Value::from(text("words")?)),
        ("list", Value::from(text("list")?)),
        ("options", kwargs.get::<Option<Value>>("options")?.unwrap_or(Value::from(Vec::<Value>::new()))),
        ("any", flag("any")?),
        ("required", flag("required")?),
        ("wide", flag("wide")?),
    ];
    kwargs.assert_all_used()?;
    let template = state.env().get_template("part-field.html")?;
    Ok(Value::from_safe_string(template.render(Scope::of(&root, own))?))
}

/// What was entered in a field; none where it was not sent.
fn entry(root: &Value, name: &str) -> Value {
    let form = root.get_attr("form").unwrap_or_default();
    let value = form.get_attr(name).unwrap_or_default();
    if value.is_undefined() { Value::from(()) } else { value }
}

/// Whether anything was entered in one of these fields.
pub(super) fn entered(state: &State, names: &[String]) -> Result<bool, Error> {
    let root = state.lookup("root").ok_or_else(|| mistake("no root"))?;
    Ok(names.iter().any(|name| entry(&root, name).is_true()))
}

/// The id of the field that an error is about, in the form that the page says.
pub(super) fn error_id(name: &Value) -> String {
    format!("f-{}", text_of(name))
}

fn error_of(root: &Value, name: &str) -> Value {
    let errors = root.get_attr("errors").unwrap_or_default();
    let mut errors = errors.try_iter().into_iter().flatten();
    let own = errors.find(|error| error.get_attr("field").is_ok_and(|field| field.as_str() == Some(name)));
    own.and_then(|error| error.get_attr("text").ok()).unwrap_or(Value::from(()))
}
