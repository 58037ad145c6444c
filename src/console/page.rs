//! The console's pages: a template and an object become HTML, in Swedish or English. Nothing here does I/O.
//!
//! The object has `path`, `organisation`, `viewer`, `nav`, `flash`, `errors`, `form` and `data`; what `data` is:
//!
//! | template | data; `rows` are lines of JSON of the command, null before a reason was given |
//! |---|---|
//! | `sign-in` | `provider` and `failed` or null, `link_hint` |
//! | `onward` | `to`: provider or console, `provider`, `href` |
//! | `overview` | `status` |
//! | `search` | `rules`, `decisions`, `purposes`; with a result: `rows_here`, `end_here`, `bookmark` |
//! | `search-row`, `search-end` | no `data`: `row` and `columns`; `rows`, `complete`, `said` |
//! | `mail` | `mail`: `log show` or null; if known, `places` (rule to line of the config) and `looks` (`log access`) |
//! | `held`, `held-mail` | `rows`: `held list`; `mail`: `held show` or null, `acts`, `four_eyes` |
//! | `held-confirm` | `act`, `rows`, `four_eyes` |
//! | `decisions`, `holds` | `rows`, `four_eyes` |
//! | `disclosures`, `disclosure` | `rows`: `log disclosure list`; `case` and `rows`: `log disclosure show`, `sections` |
//! | `retention` | `plan` or null, `proposals` |
//! | `readers`, `receipts`, `forwarders`, `sample` | `rows` or null |
//! | `receipt` | `receipt`: `receipts show` or null |
//! | `rules` | `rules`; `report`: lines of `log report rules`, or null |
//! | `follow-up` | `document`: `log report follow-up` or null, `reason` |
//! | `report` | `report`: `log report month` or `quarter` |
//! | `message` | `status`, `key`, `text`, `back` |
//! | `confirm` | `what`, `rows`, `hidden`, `do` |
//!
//! What a role may not do is left out where `may_add`, `may_open`, `may_review`, `may_approve`, `may_close`, `may_run`, `may_label` or `may_all` is
//! false. Without `decisions`, `receipts` asks for no reason. Pages with a reason's form take `decisions` and `purposes`,
//! and all take `said`, lines of a command's stderr.
//!
//! Contract: whatever a template writes is escaped, and characters that cannot be seen are written out; the only markup
//! that is not escaped is made in this folder, of what was escaped before. Absent: script, inline styles, and anything
//! from another origin.

#![deny(clippy::disallowed_methods)]

mod chart;
mod field;
mod filters;
mod phrases;
mod sentences;
mod show;
mod timeline;
mod values;
mod words;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use jiff::tz::TimeZone;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Rest, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};

use values::Scope;

/// The one style sheet.
pub(super) const STYLE: &str = include_str!("style.css");

/// The language of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Lang {
    /// Swedish.
    #[default]
    Sv,
    /// English.
    En,
}

impl Lang {
    /// Its code, as in the `lang` attribute.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Sv => "sv",
            Self::En => "en",
        }
    }
}

macro_rules! templates {
    ($($name:literal),+ $(,)?) => { &[$(($name, include_str!(concat!("pages/", $name)))),+] };
}

/// What every page stands in.
const BASE: &str = "base.html";

/// Every template, with its text.
const TEMPLATES: &[(&str, &str)] = templates![
    "base.html",
    "sign-in.html",
    "onward.html",
    "overview.html",
    "search.html",
    "search-row.html",
    "search-end.html",
    "mail.html",
    "held.html",
    "held-mail.html",
    "held-confirm.html",
    "disclosures.html",
    "disclosure.html",
    "decisions.html",
    "holds.html",
    "retention.html",
    "readers.html",
    "receipts.html",
    "receipt.html",
    "rules.html",
    "forwarders.html",
    "reports.html",
    "report.html",
    "sample.html",
    "follow-up.html",
    "message.html",
    "confirm.html",
    "part-asked.html",
    "part-chart.html",
    "part-deliveries.html",
    "part-field.html",
    "part-finding.html",
    "part-held-act.html",
    "part-reason.html",
    "part-columns.html",
    "part-query.html",
    "part-said.html",
];

/// Templates that are parts of a page and are sent as they are.
const FRAGMENTS: [&str; 2] = ["search-row.html", "search-end.html"];

static ENVIRONMENT: LazyLock<Result<Environment<'static>, String>> =
    LazyLock::new(|| environment().map_err(|error| values::told(&error)));

/// Renders a page. `context` is an object; each template's sample in `pages/samples` shows its keys.
pub(super) fn render(
    template: &str,
    lang: Lang,
    zone: &TimeZone,
    context: &serde_json::Value,
) -> Result<String, Error> {
    let environment = ENVIRONMENT.as_ref().map_err(|told| mistake(told.clone()))?;
    let root = values::root(context, lang, zone);
    let main =
        environment.get_template(template)?.render(Scope::of(&root, [("page", Value::from(template))]))?;
    if FRAGMENTS.contains(&template) {
        return Ok(main);
    }
    let page = template.trim_end_matches(".html");
    let own = [("content", Value::from_safe_string(main)), ("page", page.into())];
    environment.get_template(BASE)?.render(Scope::of(&root, own))
}

/// A mistake of a template, or of what it was given.
fn mistake(told: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, told)
}

/// Writes what stands between `{{` and `}}`.
fn write_value(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        // With the engine's own words, which name the template and the line.
        return minijinja::escape_formatter(out, state, value);
    }
    let written = match value.as_str() {
        Some(text) if value.is_safe() => out.write_str(text),
        Some(text) => out.write_str(&show::escaped(text)),
        None if value.is_none() => Ok(()),
        None => out.write_str(&show::escaped(&value.to_string())),
    };
    Ok(written?)
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(write_value);
    functions(&mut environment);
    filters::add(&mut environment);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}

/// What templates call.
fn functions(environment: &mut Environment<'_>) {
    environment
        .add_function("t", |state: &State, key: &str, fillings: Kwargs| translated(state, key, &fillings));
    environment.add_function("word", |state: &State, kind: &str, id: &Value| {
        let lang = values::lang(state)?;
        Ok::<_, Error>(words::word(lang, kind, &text_of(id)))
    });
    environment.add_function("badge", badge);
    environment.add_function("part", |state: &State, name: &str, own: Kwargs| part(state, name, &own));
    environment
        .add_function("field", |state: &State, name: &str, how: Kwargs| field::field(state, name, &how));
    environment.add_function("error_id", field::error_id);
    environment.add_function("entered", |state: &State, names: Rest<String>| field::entered(state, &names));
    environment.add_function("all_columns", field::all_columns);
    environment.add_function("chosen_columns", field::chosen_columns);
    environment.add_function("timeline", timeline::timeline);
    environment.add_function("columns_chart", |rows: &Value, label: &str, parts: Vec<String>| {
        chart::columns(rows, label, &parts)
    });
    environment.add_function("bars_chart", |rows: &Value, label: &str, parts: Vec<String>| {
        chart::bars(rows, label, &parts)
    });
}

/// The text of a key, with what stands for `{name}` in it; `n` also chooses between one and many.
fn translated(state: &State, key: &str, kwargs: &Kwargs) -> Result<String, Error> {
    let lang = values::lang(state)?;
    let mut fillings = Vec::new();
    for name in kwargs.args() {
        let value: Value = kwargs.get(name)?;
        if name == "n" && value.as_i64() == Some(1) && words::t(lang, &format!("{key}-one")).is_some() {
            return translated_as(lang, &format!("{key}-one"), &[("n".to_owned(), "1".to_owned())]);
        }
        let text = match value.as_i64() {
            Some(number) => show::number(number.unsigned_abs(), lang),
            None => text_of(&value),
        };
        fillings.push((name.to_owned(), text));
    }
    translated_as(lang, key, &fillings)
}

fn translated_as(lang: Lang, key: &str, fillings: &[(String, String)]) -> Result<String, Error> {
    if words::t(lang, key).is_none() {
        return Err(mistake(format!("words.toml has no {key}")));
    }
    Ok(words::filled(lang, key, fillings))
}

/// A state in words, with a colour that repeats them.
fn badge(state: &State, kind: &str, id: &Value) -> Result<Value, Error> {
    let id = text_of(id);
    let name = words::word(values::lang(state)?, kind, &id);
    let tone = show::tone(kind, &id);
    Ok(Value::from_safe_string(format!("<span class=\"badge {tone}\">{}</span>", show::escaped(&name))))
}

/// A template within another: it sees what the page sees, and what it is given.
fn part(state: &State, name: &str, kwargs: &Kwargs) -> Result<Value, Error> {
    let root = state.lookup("root").ok_or_else(|| mistake("no root"))?;
    let mut own = Vec::new();
    for name in kwargs.args() {
        own.push((name.to_owned(), kwargs.get::<Value>(name)?));
    }
    let template = state.env().get_template(&format!("part-{name}.html"))?;
    Ok(Value::from_safe_string(template.render(Scope::of(&root, own))?))
}

/// A value as text; nothing for what is absent.
fn text_of(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_none() || value.is_undefined() => String::new(),
        None => value.to_string(),
    }
}
