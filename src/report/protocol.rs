//! The protocol of a retention run (gallringsprotokoll): by which decision what was deleted, when and by whom.

use super::document::{Document, Table};
use crate::config::Config;
use crate::export::labels::made;
use crate::store::access::{AccessRetention, Done, Period, Retention};

/// The protocol of the run that the entry `n` of the access log tells of; `None` where it tells of none.
pub fn protocol(deeds: &[Done], n: u64, config: &Config) -> Option<Document> {
    let entry = deeds.iter().find(|entry| entry.n == n)?;
    if let Ok(run) = serde_json::from_str::<AccessRetention>(&entry.access.query) {
        return Some(of_accesses(entry, &run, config));
    }
    let run: Retention = serde_json::from_str(&entry.access.query).ok()?;
    let zone = &config.time_zone;
    let own = |period: &&Period| period.decision == run.decision;
    let authorities: Vec<&str> =
        run.periods.iter().filter(own).map(|period| period.authority.as_str()).collect();
    let records: u64 = run.files.iter().map(|file| file.records).sum();
    let months = match (run.files.first(), run.files.last()) {
        (Some(first), Some(last)) if first.month != last.month => {
            format!("{} till {}", first.month, last.month)
        }
        (Some(only), _) => only.month.clone(),
        (None, _) => "inga".to_owned(),
    };
    let facts = [
        ("Myndighet", authorities.join(", ")),
        ("Gallringsbeslut", run.decision.clone()),
        ("Verkställd", made(entry.access.time, zone)),
        ("Verkställd av", who(entry)),
        ("Handlingar", "Poster i e-postloggen, en för varje mejl, med kvitton och aviseringar".to_owned()),
        ("Mejl från", months),
        ("Antal poster", records.to_string()),
        ("Utfall", outcome(deeds, n)),
        ("Konfiguration", run.config.clone()),
        ("Post i åtkomstloggen", n.to_string()),
    ];
    let periods = run.periods.iter().enumerate().map(|(at, period)| {
        let count = run.counts.get(at).map_or_else(String::new, ToString::to_string);
        let days = format!("{} dagar", period.keep_seconds / 86_400);
        vec![period.authority.clone(), period.mailboxes.join(", "), days, period.decision.clone(), count]
    });
    let files = run.files.iter().map(|file| {
        let cells = [file.first.to_string(), file.last.to_string(), file.records.to_string()];
        std::iter::once(file.month.clone()).chain(cells).chain([file.digest.clone()]).collect()
    });
    let tables = vec![
        Table {
            title: "Gallringsfrister",
            english: "Retention periods",
            lead: "De frister som gällde. En post som rör flera myndigheter gallras när alla deras frister har gått ut, \
                       och räknas vid den längsta.",
            head: vec!["Myndighet", "Brevlådor", "Frist", "Beslut", "Gallrade poster"],
            rows: periods.collect(),
        },
        Table {
            title: "Gallrade poster",
            english: "Deleted records",
            lead: "Posternas kontrollvärden finns kvar, så att resten av loggen fortfarande kan bevisas. Kontrollsumman är \
                       SHA-256 över postnumren.",
            head: vec!["Månad", "Första post", "Sista post", "Antal", "Kontrollsumma"],
            rows: files.collect(),
        },
    ];
    Some(document(&facts, tables, config))
}

/// The protocol of a run over the access log.
fn of_accesses(entry: &Done, run: &AccessRetention, config: &Config) -> Document {
    let zone = &config.time_zone;
    let facts = [
        ("Myndighet", run.period.authority.clone()),
        ("Gallringsbeslut", run.decision.clone()),
        ("Frist", format!("{} dagar", run.period.keep_seconds / 86_400)),
        ("Verkställd", made(entry.access.time, zone)),
        ("Verkställd av", who(entry)),
        (
            "Handlingar",
            "Poster i åtkomstloggen: vem som läste e-postloggen, avslutade beslut och upphävda bevaranden"
                .to_owned(),
        ),
        ("Registrerade", format!("{} till {}", made(run.since, zone), made(run.until, zone))),
        ("Antal poster", run.entries.to_string()),
        // What tells of it and the deletion are one transaction.
        ("Utfall", format!("slutförd, {}", deleted(run.entries))),
        ("Konfiguration", run.config.clone()),
        ("Post i åtkomstloggen", entry.n.to_string()),
    ];
    let kinds = run.kinds.iter().map(|(kind, count)| vec![kind_of_entry(kind).to_owned(), count.to_string()]);
    let numbers = [run.first, run.last, run.entries].map(|number| number.to_string());
    let tables = vec![
        Table {
            title: "Gallrade slag",
            english: "Deleted kinds of entries",
            lead: "Poster om konfigurationer, gallringar, klockan och nya epoker gallras inte: de bevisar resten.",
            head: vec!["Slag", "Antal"],
            rows: kinds.collect(),
        },
        Table {
            title: "Gallrade poster",
            english: "Deleted entries",
            lead: "Posternas kontrollvärden finns kvar, så att resten av åtkomstloggen fortfarande kan bevisas. Kontrollsumman \
                   är SHA-256 över postnumren.",
            head: vec!["Första post", "Sista post", "Antal", "Kontrollsumma"],
            rows: vec![numbers.into_iter().chain([run.digest.clone()]).collect()],
        },
    ];
    document(&facts, tables, config)
}

fn document(facts: &[(&str, String)], tables: Vec<Table>, config: &Config) -> Document {
    Document {
        organisation: config.organisation.name.clone(),
        title: "Gallringsprotokoll".to_owned(),
        english: "Retention protocol",
        facts: facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        tables,
        signatures: vec!["Verkställd av", "Datum", "Underskrift"],
        made: format!("Skapat av postvakt {} på {}.", env!("CARGO_PKG_VERSION"), config.server.node),
    }
}

fn who(entry: &Done) -> String {
    match entry.access.reader.acting_as() {
        Some(user) => format!("{} ({user})", entry.access.reader.subject),
        None => entry.access.reader.subject.clone(),
    }
}

/// The Swedish name of a kind of entry.
fn kind_of_entry(kind: &str) -> &str {
    match kind {
        "access" => "Åtkomst",
        "result" => "Utfall av en åtkomst",
        "decision" => "Beslut om åtkomst",
        "approve" => "Godkännande av ett beslut",
        "close" => "Avslut av ett beslut",
        "hold" => "Bevarande",
        "release" => "Upphävt bevarande",
        "outcomes" => "Utfall av kvitton och aviseringar",
        "label" => "Bedömning av ett fynd",
        "proposal" => "Förslag till gallring",
        "held-mail" => "Åtgärd med kvarhållet mejl",
        "disclosure" => "Begäran om allmän handling",
        "follow-up" => "Signerad uppföljning",
        other => other,
    }
}

/// What the command that ran it came to: its access stands before the entry.
fn outcome(deeds: &[Done], n: u64) -> String {
    let command = deeds.iter().rev().find(|other| other.n < n && other.access.verb == "retention");
    match command.and_then(|command| command.result.as_ref()) {
        Some((rows, how)) if how == "done" => format!("slutförd, {}", deleted(*rows)),
        Some((rows, _)) => format!("avbruten, {}", deleted(*rows)),
        None => "ej slutförd".to_owned(),
    }
}

fn deleted(records: u64) -> String {
    if records == 1 { "1 post gallrad".to_owned() } else { format!("{records} poster gallrade") }
}
