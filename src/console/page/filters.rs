//! The filters of the templates: how texts, times and numbers are written into a page.

use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, State};

use super::values::{lang, zone};
use super::{phrases, sentences, show, text_of, words};

/// Adds all of them.
pub(super) fn add(environment: &mut Environment<'_>) {
    texts(environment);
    phrases_of_commands(environment);
    times(environment);
    numbers(environment);
}

fn safe(markup: String) -> Value {
    Value::from_safe_string(markup)
}

fn texts(environment: &mut Environment<'_>) {
    environment.add_filter("get", |object: &Value, key: &str| {
        object.get_attr(key).ok().filter(|value| !value.is_undefined()).unwrap_or(Value::from(()))
    });
    environment.add_filter("shown", |state: &State, value: &Value| {
        let whole = words::t(lang(state)?, "text.whole").unwrap_or_default();
        Ok::<_, Error>(safe(show::shown(&text_of(value), whole)))
    });
    environment.add_filter("brief", |value: &Value| safe(show::brief(&text_of(value))));
    environment.add_filter("brief_text", |value: &Value| show::brief_text(&text_of(value)));
    environment.add_filter("capital", |value: &Value| show::capital(&text_of(value)));
    environment.add_filter("exact", |value: &Value| safe(show::exact(&text_of(value))));
    environment.add_filter("encoded", |value: &Value| show::encoded(&text_of(value)));
}

fn phrases_of_commands(environment: &mut Environment<'_>) {
    // What a command says begins with the program's name, which is no news on a page.
    environment.add_filter("said", |state: &State, value: &Value| {
        let text = text_of(value);
        let text = text.trim_start_matches("postvakt: ");
        let markup = sentences::said(lang(state)?, text).map(|known| show::escaped(&known));
        let english = || format!("<span lang=\"en\">{}</span>", show::escaped(text));
        Ok::<_, Error>(safe(markup.unwrap_or_else(english)))
    });
    environment.add_filter("evidence", |state: &State, value: &Value| {
        let lang = lang(state)?;
        let whole = words::t(lang, "text.whole").unwrap_or_default();
        Ok::<_, Error>(safe(phrases::evidence(lang, &text_of(value), whole)))
    });
    environment.add_filter("held_state", |state: &State, value: &Value| {
        Ok::<_, Error>(phrases::held_state(lang(state)?, &text_of(value)))
    });
    environment.add_filter("receipt", |state: &State, value: &Value| {
        Ok::<_, Error>(phrases::receipt(lang(state)?, &text_of(value)))
    });
    environment.add_filter("check", |state: &State, value: &Value, at: usize| {
        Ok::<_, Error>(safe(phrases::check(lang(state)?, at, &text_of(value))))
    });
}

fn times(environment: &mut Environment<'_>) {
    environment.add_filter("time", |state: &State, value: &Value, kwargs: Kwargs| {
        let seconds = kwargs.get::<Option<bool>>("seconds")?.unwrap_or(false);
        kwargs.assert_all_used()?;
        let form = if seconds { show::SECOND } else { show::MINUTE };
        Ok::<_, Error>(safe(show::time(value.as_str(), &zone(state)?, form)))
    });
    environment.add_filter("day", |state: &State, value: &Value| {
        Ok::<_, Error>(safe(show::time(value.as_str(), &zone(state)?, show::DAY)))
    });
    environment.add_filter("since", |state: &State, value: &Value| {
        Ok::<_, Error>(safe(show::bound(value.as_str(), &zone(state)?, false)))
    });
    environment.add_filter("until", |state: &State, value: &Value| {
        Ok::<_, Error>(safe(show::bound(value.as_str(), &zone(state)?, true)))
    });
    environment.add_filter("age", |state: &State, seconds: &Value| {
        let (key, n) = show::age(seconds.as_i64().unwrap_or(0));
        Ok::<_, Error>(words::filled(lang(state)?, key, &[("n".to_owned(), n.to_string())]))
    });
}

fn numbers(environment: &mut Environment<'_>) {
    let number = |value: &Value| value.as_i64().map_or(0, i64::unsigned_abs);
    environment.add_filter("size", move |state: &State, value: &Value| {
        Ok::<_, Error>(show::size(number(value), lang(state)?))
    });
    environment.add_filter("number", move |state: &State, value: &Value| {
        Ok::<_, Error>(show::number(number(value), lang(state)?))
    });
    environment.add_filter("percent", |state: &State, value: f64| {
        Ok::<_, Error>(show::percent(value, lang(state)?))
    });
}
