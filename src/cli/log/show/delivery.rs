//! What became of a mail, according to Postfix: a part of `log show`.

use std::io::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::field;
use crate::export::local;
use crate::store::deliveries::trace::{Delivered, QueueFile, Trace};

/// Prints the queue files of a mail, and its deliveries by recipient.
pub(super) fn print(out: &mut dyn Write, trace: &Trace, zone: &TimeZone) -> anyhow::Result<()> {
    for file in &trace.files {
        writeln!(out, "queue file (according to Postfix)")?;
        field(out, 2, "queue id", &file.queue_id)?;
        field(out, 2, "came from", &came_from(file))?;
        field(out, 2, "instance", &file.instance)?;
        field(out, 2, "begun", &local(file.begun, zone))?;
        let ended = file.ended.map(|ended| format!("{} {}", local(ended, zone), file.how));
        field(out, 2, "ended", &ended.unwrap_or_else(|| "not yet".to_owned()))?;
        for (at, what, id) in &file.events {
            field(out, 2, &local(*at, zone), &notice(what, id))?;
        }
        for delivery in &file.deliveries {
            writeln!(out, "delivery (according to Postfix)")?;
            let tries = match delivery.tries {
                1 => String::new(),
                tries => format!("{tries} tries since {}", local(delivery.first, zone)),
            };
            let delay = format!("{} s ({})", delivery.delay, delivery.delays);
            for (name, text) in [
                ("recipient", delivery.recipient.as_str()),
                ("for", &delivery.orig_to),
                ("status", &status(delivery)),
                ("time", &local(delivery.last, zone)),
                ("tries", &tries),
                ("relay", &delivery.relay),
                ("tls", trace.tls(delivery)),
                ("delay", &delay),
                ("text", &delivery.text),
            ] {
                field(out, 2, name, text)?;
            }
        }
    }
    if trace.files.is_empty() {
        field(out, 0, "deliveries", "Postfix's log has no line about this mail")?;
    }
    for (from, to) in &trace.gaps {
        let gap =
            format!("Postfix's log was not read {}; what happened then is not known", gap(*from, *to, zone));
        field(out, 0, "not read", &gap)?;
    }
    Ok(())
}

/// The same as JSON.
pub(super) fn json(trace: &Trace, zone: &TimeZone) -> Value {
    let files = trace.files.iter().map(|file| {
        let deliveries = file.deliveries.iter().map(|delivery| {
            json!({
                "recipient": delivery.recipient, "for": delivery.orig_to, "status": delivery.status.as_str(),
                "dsn": delivery.dsn, "time": local(delivery.last, zone), "first": local(delivery.first, zone),
                "tries": delivery.tries, "relay": delivery.relay, "tls": trace.tls(delivery), "delay": delivery.delay,
                "delays": delivery.delays, "text": delivery.text, "next": delivery.next, "goes_on": delivery.goes_on,
            })
        });
        let events = file
            .events
            .iter()
            .map(|(at, what, id)| json!({ "time": local(*at, zone), "what": what, "queue_id": id }));
        json!({
            "queue_id": file.queue_id, "instance": file.instance, "begun": local(file.begun, zone),
            "ended": file.ended.map(|ended| local(ended, zone)), "how": file.how,
            "from": file.from.as_ref().map(|(id, how)| json!({ "queue_id": id, "how": how })),
            "events": events.collect::<Vec<_>>(), "deliveries": deliveries.collect::<Vec<_>>(),
        })
    });
    let time = |at: &Option<Timestamp>| at.map(|at| local(at, zone));
    let gaps = trace.gaps.iter().map(|(from, to)| json!([time(from), time(to)]));
    json!({
        "according_to": "postfix", "queue_files": files.collect::<Vec<_>>(), "not_read": gaps.collect::<Vec<_>>(),
    })
}

/// From when to when the log was not read, in words.
pub(in crate::cli::log) fn gap(from: Option<Timestamp>, to: Option<Timestamp>, zone: &TimeZone) -> String {
    let time = |at: Timestamp| zone.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string();
    match (from, to) {
        (None, None) => "at all".to_owned(),
        (None, Some(to)) => format!("before {}", time(to)),
        (Some(from), None) => format!("after {}", time(from)),
        (Some(from), Some(to)) => format!("from {} to {}", time(from), time(to)),
    }
}

fn came_from(file: &QueueFile) -> String {
    match &file.from {
        None => String::new(),
        Some((id, "filter")) => format!("{id}, through a content filter"),
        Some((id, how)) => format!("{id}, {how}"),
    }
}

fn status(delivery: &Delivered) -> String {
    let goes_on = if delivery.goes_on { ", goes on below" } else { "" };
    format!("{} {}{goes_on}", delivery.status.as_str(), delivery.dsn)
}

fn notice(what: &str, id: &str) -> String {
    if id.is_empty() { what.to_owned() } else { format!("{what} notification, queue id {id}") }
}
