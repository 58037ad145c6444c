//! What a template sees: the context as values, with its language and its time zone.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use minijinja::value::{Object, Value};
use minijinja::{Error, State};
use serde_json::Value as Json;

use super::{Lang, mistake};

/// What one template sees: what the page sees, and what it is given itself.
#[derive(Debug)]
pub(super) struct Scope {
    root: Value,
    own: BTreeMap<String, Value>,
}

impl Scope {
    /// What the page sees, and these.
    pub(super) fn of<N: Into<String>>(root: &Value, own: impl IntoIterator<Item = (N, Value)>) -> Value {
        let mut own: BTreeMap<String, Value> =
            own.into_iter().map(|(name, value)| (name.into(), value)).collect();
        own.insert("root".to_owned(), root.clone());
        Value::from_object(Self { root: root.clone(), own })
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        self.own.get(name).cloned().or_else(|| {
            let value = self.root.get_attr(name).ok()?;
            (!value.is_undefined()).then_some(value)
        })
    }
}

#[derive(Debug)]
struct Zone(TimeZone);

impl Object for Zone {}

/// The context as a value, with the language and the time zone.
pub(super) fn root(context: &Json, lang: Lang, zone: &TimeZone) -> Value {
    let none = serde_json::Map::new();
    let given = context.as_object().unwrap_or(&none);
    let own = [("lang", Value::from(lang.as_str())), ("zone", Value::from_object(Zone(zone.clone())))];
    Value::from_pairs(given.iter().map(|(name, value)| (name.as_str(), value_of(value))).chain(own))
}

fn value_of(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(is) => Value::from(*is),
        Json::Number(number) => number
            .as_i64()
            .map(Value::from)
            .or_else(|| number.as_u64().map(Value::from))
            .unwrap_or_else(|| Value::from(number.as_f64().unwrap_or_default())),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(all) => Value::from(all.iter().map(value_of).collect::<Vec<_>>()),
        Json::Object(fields) => {
            Value::from_pairs(fields.iter().map(|(name, value)| (name.as_str(), value_of(value))))
        }
    }
}

/// The language of the page that is written.
pub(super) fn lang(state: &State) -> Result<Lang, Error> {
    let lang = state.lookup("lang").ok_or_else(|| mistake("no language"))?;
    Ok(if lang.as_str() == Some("en") { Lang::En } else { Lang::Sv })
}

/// Its time zone.
pub(super) fn zone(state: &State) -> Result<TimeZone, Error> {
    let zone = state.lookup("zone").ok_or_else(|| mistake("no time zone"))?;
    let zone = zone.downcast_object_ref::<Zone>().ok_or_else(|| mistake("no time zone"))?;
    Ok(zone.0.clone())
}

/// What is wrong with a template.
pub(super) fn told(error: &Error) -> String {
    let name = error.name().unwrap_or("a page");
    format!("{name}:{}: {}: {}", error.line().unwrap_or(0), error.kind(), error.detail().unwrap_or_default())
}
