//! The follow-up of who read the log and what was decided about it: counts, lists, and a sample of accesses to be looked
//! into.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use super::document::{Document, Table};
use super::period::Period;
use crate::config::Config;
use crate::export::labels::{access as verb, made};
use crate::store::access::{Access, AccessRetention, ClockStep, Done, Period as Retained, Retention};
use crate::store::register::{Close, Hold, Register};
use crate::store::signatures::Signed;

/// What a follow-up is made of.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The config.
    pub config: &'a Config,
    /// Its period.
    pub period: Period,
    /// What was done with the log in the period.
    pub deeds: &'a [Done],
    /// The decisions and legal holds of today.
    pub register: &'a Register,
    /// How many accesses are sampled, and by which seed.
    pub sample: (usize, &'a str),
    /// The signatures on the follow-up of the quarter before.
    pub before: &'a [Signed],
}

/// Counts of accesses.
#[derive(Default)]
struct Counts {
    given: u64,
    refused: u64,
    /// Killed, failed, or the output was closed.
    broken: u64,
    rows: u64,
}

/// The document.
pub fn follow_up(sources: &Sources<'_>) -> Document {
    let Sources { config, period, .. } = sources;
    let accesses: Vec<&Done> = sources.deeds.iter().filter(|deed| is_access(deed)).collect();
    let count = |wanted: fn(&Done) -> bool| accesses.iter().filter(|deed| wanted(deed)).count();
    let before = period.before().name();
    let zone = &config.time_zone;
    let signed = sources.before.last().map_or("inte signerad".to_owned(), |signed| signature(signed, zone));
    let facts = [
        ("Period", period.name()),
        ("Åtkomster", accesses.len().to_string()),
        ("Nekade", count(|deed| !deed.access.refused.is_empty()).to_string()),
        ("Avbrutna eller oavslutade", count(is_broken).to_string()),
        ("Öppna bevaranden", sources.register.holds.len().to_string()),
        ("Förra uppföljningen", format!("{before}: {signed}")),
    ];
    Document {
        organisation: config.organisation.name.clone(),
        title: format!("Uppföljning av åtkomst till e-postloggen, {}", period.name()),
        english: "Follow-up of access to the log",
        facts: facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        tables: vec![
            counted("Åtkomster efter skäl", "Accesses by reason", "Skäl", &accesses, |access| {
                reason(access).to_owned()
            }),
            counted("Åtkomster efter användare", "Accesses by user", "Användare", &accesses, |access| {
                access.reader.subject.clone()
            }),
            decisions(sources),
            holds(sources),
            runs(sources),
            steps(sources),
            sampled(sources, &accesses),
        ],
        signatures: vec!["Granskad av", "Datum", "Ärende"],
        made: format!("Skapad av postvakt {} på {}.", env!("CARGO_PKG_VERSION"), config.server.node),
    }
}

/// A signature in words: when, and whose.
pub fn signature(signed: &Signed, zone: &TimeZone) -> String {
    let by = &signed.signature.by;
    let who = if by.name.is_empty() { by.subject.clone() } else { format!("{} ({})", by.name, by.subject) };
    let case = Some(&signed.signature.case).filter(|case| !case.is_empty());
    let case = case.map(|case| format!(", {case}")).unwrap_or_default();
    format!("signerad {} av {who}{case} (post {})", made(signed.at, zone), signed.n)
}

/// An entry that somebody made by reading; what was decided and changed are entries of their own.
fn is_access(deed: &Done) -> bool {
    let others = [
        "decision",
        "approve",
        "close",
        "hold",
        "release",
        "config",
        "clock",
        "epoch",
        "access-retention",
        "disclosure",
        "follow-up",
    ];
    !others.contains(&deed.access.verb.as_str()) && run(deed).is_none()
}

fn run(deed: &Done) -> Option<Retention> {
    serde_json::from_str(&deed.access.query).ok().filter(|_| deed.access.verb == "retention")
}

fn is_broken(deed: &Done) -> bool {
    let whole = |how: &str| matches!(how, "done" | "capped" | "incomplete");
    deed.access.refused.is_empty() && deed.result.as_ref().is_none_or(|(_, how)| !whole(how))
}

fn reason(access: &Access) -> &'static str {
    match (&access.decision, &access.own_request, &access.request) {
        (decision, ..) if !decision.is_empty() => "beslut",
        (_, own, _) if !own.is_empty() => "egen begäran",
        (.., request) if !request.is_empty() => "begäran om allmän handling",
        _ => "drift",
    }
}

fn counted(
    title: &'static str,
    english: &'static str,
    name: &'static str,
    accesses: &[&Done],
    by: impl Fn(&Access) -> String,
) -> Table {
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    for deed in accesses {
        let row = counts.entry(by(&deed.access)).or_default();
        row.refused += u64::from(!deed.access.refused.is_empty());
        row.given += u64::from(deed.access.refused.is_empty());
        row.broken += u64::from(is_broken(deed));
        row.rows += deed.result.as_ref().map_or(0, |(rows, _)| *rows);
    }
    let row = |(name, row): (String, Counts)| {
        let numbers = [row.given, row.refused, row.broken, row.rows].map(|number| number.to_string());
        std::iter::once(name).chain(numbers).collect()
    };
    let head = vec![name, "Medgivna", "Nekade", "Avbrutna", "Rader"];
    Table { title, english, lead: "", head, rows: counts.into_iter().map(row).collect() }
}

fn decisions(sources: &Sources<'_>) -> Table {
    let zone = &sources.config.time_zone;
    let here = |n: u64| sources.deeds.iter().any(|deed| deed.n == n);
    let used = |reference: &str| {
        sources.deeds.iter().filter(|deed| deed.access.decision == reference).count().to_string()
    };
    let known = sources.register.decisions.iter().filter(|known| here(known.n));
    let rows = known.map(|known| {
        let decision = &known.decision;
        let approved = known.approved.as_ref().map(|(reader, _)| reader.subject.clone()).unwrap_or_default();
        vec![
            decision.reference.clone(),
            decision.decided_by.clone(),
            decision.decided_on.to_string(),
            format!("{} {}", made(known.at, zone), decision.registered_by.subject),
            approved,
            decision.valid_until.to_string(),
            decision.persons.len().to_string(),
            decision.purpose.clone(),
            used(&decision.reference),
        ]
    });
    Table {
        title: "Beslut som registrerades",
        english: "Decisions registered",
        lead: "",
        head: vec![
            "Beslut",
            "Fattat av",
            "Datum",
            "Registrerat",
            "Godkänt av",
            "Gäller till",
            "Personer",
            "Ändamål",
            "Använt",
        ],
        rows: rows.collect(),
    }
}

fn holds(sources: &Sources<'_>) -> Table {
    let rows = sources.deeds.iter().filter_map(|deed| {
        let (reference, what) = match deed.access.verb.as_str() {
            "hold" => (serde_json::from_str::<Hold>(&deed.access.query).ok()?.reference, "infört"),
            "release" => (serde_json::from_str::<Close>(&deed.access.query).ok()?.reference, "upphävt"),
            _ => return None,
        };
        let open = sources.register.holds.iter().any(|hold| hold.reference == reference);
        let state = if open { "gäller" } else { "upphävt" };
        Some(vec![
            time(sources, deed),
            reference,
            what.to_owned(),
            deed.access.reader.subject.clone(),
            state.to_owned(),
        ])
    });
    Table {
        title: "Bevaranden",
        english: "Legal holds",
        lead: "Poster som undantogs från gallring.",
        head: vec!["Tid", "Referens", "Vad", "Av", "Läge i dag"],
        rows: rows.collect(),
    }
}

fn runs(sources: &Sources<'_>) -> Table {
    let rows = sources.deeds.iter().filter_map(|deed| {
        let days = |period: &Retained| (period.keep_seconds / 86_400).to_string();
        let (what, decision, kept, count) = if let Some(run) = run(deed) {
            let own = run.periods.iter().filter(|period| period.decision == run.decision);
            let kept: Vec<String> = own.map(days).collect();
            let count = run.files.iter().map(|file| file.records).sum::<u64>();
            ("e-postloggen", run.decision, kept.join(", "), count)
        } else {
            let own: AccessRetention = serde_json::from_str(&deed.access.query).ok()?;
            ("åtkomstloggen", own.decision, days(&own.period), own.entries)
        };
        let by = deed.access.reader.subject.clone();
        let cells = [deed.n.to_string(), time(sources, deed), what.to_owned(), decision, kept];
        Some(cells.into_iter().chain([count.to_string(), by]).collect())
    });
    Table {
        title: "Gallringar",
        english: "Retention runs",
        lead: "",
        head: vec!["Post", "Tid", "Ur", "Beslut", "Frist, dagar", "Antal", "Av"],
        rows: rows.collect(),
    }
}

fn steps(sources: &Sources<'_>) -> Table {
    let zone = &sources.config.time_zone;
    let rows = sources.deeds.iter().filter(|deed| deed.access.verb == "clock").filter_map(|deed| {
        let step: ClockStep = serde_json::from_str(&deed.access.query).ok()?;
        let seconds = format!("{:+.1} s", step.milliseconds as f64 / 1e3);
        Some(vec![deed.n.to_string(), made(step.expected, zone), made(step.found, zone), seconds])
    });
    Table {
        title: "Ändringar av klockan",
        english: "Clock steps",
        lead: "",
        head: vec!["Post", "Väntad tid", "Klockans tid", "Skillnad"],
        rows: rows.collect(),
    }
}

/// Accesses chosen by a seed: those whose number has the smallest SHA-256 behind it.
fn sampled(sources: &Sources<'_>, accesses: &[&Done]) -> Table {
    let (count, seed) = sources.sample;
    let hash = |deed: &&&Done| {
        Sha256::new().chain_update(seed).chain_update([0]).chain_update(deed.n.to_string()).finalize()
    };
    let mut chosen: Vec<&&Done> = accesses.iter().collect();
    chosen.sort_by_cached_key(hash);
    chosen.truncate(count);
    chosen.sort_by_key(|deed| deed.n);
    let rows = chosen.into_iter().map(|deed| {
        let access = &deed.access;
        let references = [&access.decision, &access.own_request, &access.request, &access.purpose];
        let why =
            references.into_iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join(": ");
        let rows = deed.result.as_ref().map_or("?".to_owned(), |(rows, _)| rows.to_string());
        vec![
            deed.n.to_string(),
            time(sources, deed),
            access.reader.subject.clone(),
            verb(&access.verb).to_owned(),
            access.query.clone(),
            format!("{}: {why}", reason(access)),
            rows,
        ]
    });
    Table {
        title: "Stickprov av åtkomster",
        english: "Sample of accesses",
        lead: "Fråga den som läste om ändamålet stämmer, och jämför med beslutet.",
        head: vec!["Post", "Tid", "Användare", "Vad", "Fråga", "Skäl", "Rader"],
        rows: rows.collect(),
    }
}

fn time(sources: &Sources<'_>, deed: &Done) -> String {
    made(deed.access.time, &sources.config.time_zone)
}
