//! What happened to a mail, in the order of time, from what `log show` tells of it.

use jiff::Timestamp;
use minijinja::value::Value;

/// The events of a mail: objects with `kind`, `time` and what the event is of (`it`). `looks` are accesses to it.
pub(super) fn timeline(mail: &Value, looks: &Value) -> Vec<Value> {
    let mut events = Vec::new();
    let record = attr(mail, "record");
    if record.is_true() {
        events.push(event("arrived", &attr(&record, "time"), &record));
        events.push(event("decided", &attr(&record, "time"), &record));
    }
    for pass in items(mail, "passes") {
        events.push(event("pass", &attr(&pass, "time"), &pass));
    }
    for act in items(mail, "acts") {
        events.push(event("act", &attr(&act, "time"), &act));
    }
    for notice in items(mail, "notices") {
        for step in items(&notice, "history") {
            let it = Value::from_pairs([("notice", notice.clone()), ("step", step.clone())]);
            events.push(event("notice", &attr(&step, "time"), &it));
        }
    }
    for file in items(&attr(mail, "deliveries"), "queue_files") {
        for delivery in items(&file, "deliveries") {
            events.push(event("delivery", &attr(&delivery, "time"), &delivery));
        }
        for one in items(&file, "events") {
            events.push(event("queue", &attr(&one, "time"), &one));
        }
    }
    for look in looks.try_iter().into_iter().flatten() {
        events.push(event("look", &attr(&look, "time"), &look));
    }
    // Stable: what has the same time keeps the order in which it happens.
    events.sort_by_key(|event| attr(event, "time").as_str().and_then(|time| time.parse::<Timestamp>().ok()));
    events
}

fn event(kind: &str, time: &Value, it: &Value) -> Value {
    Value::from_pairs([("kind", Value::from(kind)), ("time", time.clone()), ("it", it.clone())])
}

/// An attribute, or none.
fn attr(value: &Value, name: &str) -> Value {
    value.get_attr(name).ok().filter(|value| !value.is_undefined()).unwrap_or(Value::from(()))
}

fn items(value: &Value, name: &str) -> Vec<Value> {
    let items = attr(value, name);
    if items.is_none() { Vec::new() } else { items.try_iter().into_iter().flatten().collect() }
}
