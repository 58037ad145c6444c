//! The report's page: for the screen and for A4, Swedish first and English second, each chart with its table.

use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::civil::Weekday;

use super::chart::{self, Bar, Column, Part, grouped};
use super::deliveries::{Deliveries, Way};
use super::model::{Accesses, Day, Letters, Model, Rule, Then, Verdicts};
use super::period::{Length, month_name};
use crate::export::html::{access, direction, octets, verdict};
use crate::export::page::{self, Template, Value};
use crate::store::verify::Verdict;
use crate::swedish;

const STYLE: &str = include_str!("../export/pages/report.css");

const DIRECTIONS: [Part; 4] = [("Inkommande", 'a'), ("Utgående", 'b'), ("Internt", 'c'), ("Okänd", 'f')];
const THEN: [Part; 5] = [
    ("Stoppade", 'd'),
    ("Märkta eller omstyrda", 'b'),
    ("Tillåtna genom beslut", 'c'),
    ("Skulle ha åtgärdats", 'e'),
    ("Bara antecknade", 'f'),
];
const LETTERS: [Part; 3] = [("Skickade", 'c'), ("Misslyckade", 'd'), ("Återtagna", 'f')];
const DELIVERIES: [Part; 4] =
    [("Levererade", 'c'), ("Väntar", 'b'), ("Returnerade", 'd'), ("För gamla", 'f')];
const ACCESSES: [Part; 2] = [("Medgivna", 'a'), ("Nekade", 'd')];

/// What nobody could find out is told beside the chart: it is no finding, and would hide those that are.
const FOUND: usize = THEN.len();

/// A part of the page: a chart and its table.
struct Section {
    title: &'static str,
    english: &'static str,
    lead: String,
    /// The chart above its table, and not beside it: for tables of many columns.
    wide: bool,
    dense: bool,
    chart: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    foot: Vec<String>,
}

/// Writes the page.
pub fn write(out: &mut impl Write, model: &Model, length: Length) -> io::Result<()> {
    let (name, english) = match length {
        Length::Month => ("Månadsrapport", "Monthly report"),
        Length::Quarter => ("Kvartalsrapport", "Quarterly report"),
    };
    page::start(out, &format!("{name} om e-post, {}, {}", model.name, model.organisation), STYLE)?;
    let sections = [
        traffic(model, length),
        verdicts(model),
        rules(model),
        followed(
            model,
            ["Vidarebefordran till externa adresser", "Forwards to external addresses", "fw"],
            |day| day.forwards,
        ),
        followed(
            model,
            ["Känsliga uppgifter och lösenord", "Sensitive data and credentials", "se"],
            |day| day.sensitive,
        ),
        letters(model),
        accesses(model),
    ];
    let sections = sections.into_iter().chain(model.deliveries.as_ref().map(deliveries));
    let day = |day: Option<&Day>| day.map(|day| day.date.to_string()).unwrap_or_default();
    let fields = [
        ("organisation", model.organisation.as_str().into()),
        ("name", name.into()),
        ("period", model.name.as_str().into()),
        ("english", english.into()),
        ("tiles", page::pairs(tiles(model))),
        ("left_out", page::list(model.left_out.iter().map(String::as_str))),
        ("sections", page::list(sections.map(Section::value))),
        ("verified", verified(model)),
        ("made", moment(&model.made).into()),
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("node", model.node.as_str().into()),
        ("first", day(model.days.first()).into()),
        ("last", day(model.days.last()).into()),
    ];
    page::write(out, Template::Report, fields)
}

impl Section {
    fn new([title, english]: [&'static str; 2], lead: String) -> Self {
        let (chart, head, rows, foot) = (String::new(), Vec::new(), Vec::new(), Vec::new());
        Self { title, english, lead, wide: false, dense: false, chart, head, rows, foot }
    }

    fn value(self) -> Value {
        page::record([
            ("title", self.title.into()),
            ("english", self.english.into()),
            ("lead", self.lead.into()),
            ("wide", self.wide.into()),
            ("dense", self.dense.into()),
            ("chart", page::markup(self.chart)),
            ("head", page::list(self.head)),
            ("rows", page::list(self.rows.into_iter().map(page::list))),
            ("foot", page::list(self.foot)),
        ])
    }
}

fn tiles(model: &Model) -> Vec<(String, String)> {
    let stopped: u64 = model.rules.iter().map(|rule| rule.then.stopped).sum();
    let sensitive = model.sum(|day| day.sensitive.found());
    let refused: u64 = model.accesses.iter().map(|row| row.refused).sum();
    vec![
        (grouped(model.mails), format!("mejl, {}", change(model))),
        (grouped(model.sum(|day| day.forwards.stopped)), "vidarebefordringar stoppade".to_owned()),
        (grouped(sensitive), "fynd av känsliga uppgifter".to_owned()),
        (grouped(refused), "nekade åtkomster till loggen".to_owned()),
        (octets(model.octets), "sammanlagd storlek".to_owned()),
        (grouped(stopped), "fynd som stoppade ett mejl".to_owned()),
        (
            grouped(model.accesses.iter().map(|row| row.given).sum()),
            format!("åtkomster av {} användare", model.readers),
        ),
        (result(model.verified.result).0.to_owned(), "kontroll av loggen".to_owned()),
    ]
}

fn traffic(model: &Model, length: Length) -> Section {
    let part = |day: &Day| vec![day.inbound, day.outbound, day.internal, day.unknown];
    let parts = if model.sum(|day| day.unknown) > 0 { &DIRECTIONS[..] } else { &DIRECTIONS[..3] };
    let columns: Vec<Column> = model.days.iter().map(|day| column(day, part(day), length)).collect();
    let busiest = model.days.iter().max_by_key(|day| part(day).iter().sum::<u64>());
    let lead = busiest.filter(|_| model.mails > 0).map_or_else(
        || "Inga mejl i perioden.".to_owned(),
        |day| {
            let sum = grouped(part(day).iter().sum());
            let average = grouped(model.mails / model.days_begun.max(1) as u64);
            format!(
                "I genomsnitt {average} mejl om dagen; flest {} med {sum}. Helger har grå botten.",
                long_date(day)
            )
        },
    );
    let titles = ["Mejl per dag och riktning", "Mail by day and direction"];
    let (head, rows): (_, Vec<(String, Vec<u64>)>) = match length {
        Length::Month => ("Dag", model.days.iter().map(|day| (short_date(day), part(day))).collect()),
        Length::Quarter => ("Vecka", weeks(&model.days, part)),
    };
    let sums: Vec<u64> = (0..4).map(|at| model.sum(|day| part(day).get(at).copied().unwrap_or(0))).collect();
    let line = |name: String, values: &[u64]| {
        let shown = values.iter().take(parts.len()).map(|value| grouped(*value));
        std::iter::once(name).chain(shown).chain([grouped(values.iter().sum())]).collect::<Vec<_>>()
    };
    let names = parts.iter().map(|(name, _)| (*name).to_owned());
    Section {
        dense: true,
        chart: chart::columns("day", titles[0], parts, &columns) + &chart::legend(parts),
        head: std::iter::once(head.to_owned()).chain(names).chain(["Summa".to_owned()]).collect(),
        rows: rows.into_iter().map(|(name, values)| line(name, &values)).collect(),
        foot: line("Summa".to_owned(), &sums),
        ..Section::new(titles, lead)
    }
}

fn verdicts(model: &Model) -> Section {
    let accepted = model.verdicts.iter().find(|row| row.verdict == "accepted").map_or(0, |row| row.mails);
    let lead = format!(
        "{} av {} mejl ({}) godtogs utan åtgärd. Diagrammet visar resten.",
        grouped(accepted),
        grouped(model.mails),
        share(accepted, model.mails)
    );
    let titles = ["Utfall", "Verdicts"];
    let others = model.verdicts.iter().filter(|row| row.verdict != "accepted");
    let bars: Vec<Bar> =
        others.map(|row| Bar { name: verdict(row.verdict).to_owned(), parts: vec![row.mails] }).collect();
    let row = |row: &Verdicts| {
        vec![
            verdict(row.verdict).to_owned(),
            grouped(row.mails),
            share(row.mails, model.mails),
            grouped(row.before),
        ]
    };
    let sum = ["Summa".to_owned(), grouped(model.mails), String::new(), grouped(model.mails_before)];
    Section {
        chart: chart::bars("verdict", titles[0], &[("Mejl", 'a')], &bars),
        head: words(&["Utfall", "Mejl", "Andel", before_it(model)]),
        rows: model.verdicts.iter().map(row).collect(),
        foot: sum.into(),
        ..Section::new(titles, lead)
    }
}

fn rules(model: &Model) -> Section {
    let found: u64 = model.rules.iter().map(|rule| rule.then.found()).sum();
    let titles = ["Fynd per regel", "Findings by rule"];
    let unknown = open(model.rules.iter().map(|rule| rule.then.unknown).sum());
    let lead = format!(
        "{} fynd av {} regler. Ett mejl kan ge flera fynd.{unknown}",
        grouped(found),
        model.rules.len()
    );
    let bar =
        |rule: &Rule| Bar { name: swedish::rule(&rule.rule).into_owned(), parts: first(&rule.then.parts()) };
    let bars: Vec<Bar> = model.rules.iter().filter(|rule| rule.then.found() > 0).map(bar).collect();
    let row = |rule: &Rule| {
        let parts = rule.then.parts();
        std::iter::once(swedish::rule(&rule.rule).into_owned())
            .chain(parts.iter().map(|value| grouped(*value)))
            .collect()
    };
    Section {
        wide: true,
        dense: true,
        chart: chart::bars("rule", titles[0], &THEN, &bars) + &chart::legend(&THEN),
        head: words(&["Regel", "Stopp", "Märkt", "Tillåtet", "Skulle ha", "Noterat", "Ej slutförda"]),
        rows: model.rules.iter().map(row).collect(),
        ..Section::new(titles, lead)
    }
}

/// A section about one kind of findings: by day, and by what followed.
fn followed(model: &Model, [title, english, id]: [&'static str; 3], of: impl Fn(&Day) -> Then) -> Section {
    let length = if model.days.len() > 31 { Length::Quarter } else { Length::Month };
    let sums: Vec<u64> =
        (0..FOUND).map(|at| model.sum(|day| of(day).parts().get(at).copied().unwrap_or(0))).collect();
    let (all, stopped) = (sums.iter().sum::<u64>(), sums.first().copied().unwrap_or(0));
    let unknown = open(model.sum(|day| of(day).unknown));
    let lead = format!("{} fynd, av dem {} stoppade.{unknown}", grouped(all), grouped(stopped));
    let mut section = Section::new([title, english], lead);
    if all == 0 {
        return section;
    }
    let used: Vec<usize> = (0..FOUND).filter(|at| sums.get(*at).is_some_and(|sum| *sum > 0)).collect();
    let parts: Vec<Part> = used.iter().filter_map(|at| THEN.get(*at).copied()).collect();
    let columns: Vec<Column> = model
        .days
        .iter()
        .map(|day| {
            let values = of(day).parts();
            column(day, used.iter().map(|at| values.get(*at).copied().unwrap_or(0)).collect(), length)
        })
        .collect();
    section.chart = chart::columns(id, title, &parts, &columns) + &chart::legend(&parts);
    section.head = words(&["Vad som följde", "Fynd", "Andel"]);
    let row = |((name, _), sum): (&Part, &u64)| vec![(*name).to_owned(), grouped(*sum), share(*sum, all)];
    section.rows = THEN.iter().zip(&sums).map(row).collect();
    section.foot = vec!["Summa".to_owned(), grouped(all), String::new()];
    section
}

fn letters(model: &Model) -> Section {
    let written: u64 = model.letters.iter().map(|row| row.written).sum();
    let titles = ["Kvitton och meddelanden", "Receipts and notices"];
    let lead = format!(
        "{} skrevs i perioden. Ett som väntade när den började kan ha skickats i den.",
        grouped(written)
    );
    let name = |kind: &str| match kind {
        "receipt" => "Kvitton".to_owned(),
        "notice" => "Meddelanden".to_owned(),
        "" => "Från tidigare månader".to_owned(),
        other => other.to_owned(),
    };
    let bars = model.letters.iter();
    let bars: Vec<Bar> = bars
        .map(|row| Bar { name: name(&row.kind), parts: vec![row.sent, row.failed, row.cancelled] })
        .collect();
    let row = |row: &Letters| {
        let numbers = [row.written, row.sent, row.failed, row.cancelled].map(grouped);
        std::iter::once(name(&row.kind)).chain(numbers).collect()
    };
    Section {
        wide: true,
        chart: chart::bars("letter", titles[0], &LETTERS, &bars) + &chart::legend(&LETTERS),
        head: words(&["Slag", "Skrivna", "Skickade", "Misslyckade", "Återtagna"]),
        rows: model.letters.iter().map(row).collect(),
        ..Section::new(titles, lead)
    }
}

fn deliveries(told: &Deliveries) -> Section {
    let sum = |of: fn(&Way) -> u64| told.directions.iter().map(of).sum::<u64>();
    let (delivered, bounced) = (sum(|way| way.delivered), sum(|way| way.bounced + way.expired));
    let all = delivered + bounced + sum(|way| way.deferred);
    let share = delivered.saturating_mul(1_000).checked_div(all).unwrap_or_default();
    let share = format!("{},{} %", share / 10, share % 10);
    let mut lead = format!(
        "Enligt Postfix egen logg kom {share} av leveranserna fram, {} av {}. {} gick i retur. Sådana uppgifter omfattas inte av \
         loggens kontrollvärden.",
        grouped(delivered),
        grouped(all),
        grouped(bounced)
    );
    let tls: Vec<String> =
        told.tls.iter().map(|(trust, count)| format!("{} {}", grouped(*count), trusted(trust))).collect();
    if !tls.is_empty() {
        // Writing into a String does not fail.
        let _ = write!(lead, " Till andra värdar: {}.", tls.join(", "));
    }
    let _ = write!(
        lead,
        " {} leveranser av mejl med känsliga uppgifter eller lösenord lämnade värden utan TLS.",
        grouped(told.sensitive_without_tls)
    );
    if !told.not_read.is_empty() {
        lead.push_str(" Postfix logg har inte lästs under hela perioden; leveranser kan saknas här.");
    }
    let name = |way: &Way| direction(Some(way.direction)).to_owned();
    let parts = |way: &Way| vec![way.delivered, way.deferred, way.bounced, way.expired];
    let bars = told.directions.iter().map(|way| Bar { name: name(way), parts: parts(way) });
    let bars: Vec<Bar> = bars.collect();
    let row = |way: &Way| {
        let numbers = std::iter::once(way.mails).chain(parts(way)).chain([way.untold]).map(grouped);
        std::iter::once(name(way)).chain(numbers).collect()
    };
    let titles = ["Leveranser enligt Postfix", "Deliveries according to Postfix"];
    Section {
        wide: true,
        chart: chart::bars("dl", titles[0], &DELIVERIES, &bars) + &chart::legend(&DELIVERIES),
        head: words(&["Riktning", "Mejl", "Levererade", "Väntar", "Returnerade", "För gamla", "Utan besked"]),
        rows: told.directions.iter().map(row).collect(),
        ..Section::new(titles, lead)
    }
}

/// What TLS is called, as a part of a sentence.
fn trusted(trust: &str) -> &str {
    match trust {
        "verified" => "med TLS och kontrollerat namn",
        "trusted" => "med TLS och känd utfärdare",
        "untrusted" => "med TLS och okänd utfärdare",
        "anonymous" => "med TLS utan certifikat",
        "none" => "utan TLS",
        "unknown" => "där TLS inte är känt",
        other => other,
    }
}

fn accesses(model: &Model) -> Section {
    let given: u64 = model.accesses.iter().map(|row| row.given).sum();
    let decided: u64 = model.accesses.iter().map(|row| row.decided).sum();
    let titles = ["Åtkomst till loggen", "Accesses to the log"];
    let lead = format!(
        "{} åtkomster av {} användare, {} med stöd av ett beslut. Kommandot postvakt log access visar var och en.",
        grouped(given),
        model.readers,
        grouped(decided)
    );
    let bars = model.accesses.iter();
    let bars: Vec<Bar> = bars
        .map(|row| Bar { name: access(&row.verb).to_owned(), parts: vec![row.given, row.refused] })
        .collect();
    let row = |row: &Accesses| {
        let numbers = [row.given, row.decided, row.refused, row.rows].map(grouped);
        std::iter::once(access(&row.verb).to_owned()).chain(numbers).collect()
    };
    Section {
        wide: true,
        chart: chart::bars("access", titles[0], &ACCESSES, &bars) + &chart::legend(&ACCESSES),
        head: words(&["Slag", "Medgivna", "varav beslut", "Nekade", "Rader"]),
        rows: model.accesses.iter().map(row).collect(),
        ..Section::new(titles, lead)
    }
}

fn verified(model: &Model) -> Value {
    let found = &model.verified;
    let (word, class) = result(found.result);
    let sentence = match found.result {
        Verdict::Whole => "Varje post är oförändrad sedan den signerades.",
        Verdict::Incomplete => "Något som borde finnas saknas; det kan ha en giltig orsak.",
        Verdict::Tampered => "Något har ändrats sedan det signerades. Utred innan loggen används.",
    };
    let newest = found.newest.as_ref().map(|time| format!(" Det senaste är från {}.", moment(time)));
    let counts = format!(
        "{} poster och noteringar kontrollerades mot {} signerade kontrollvärden.{} {} poster är gallrade.",
        grouped(found.records),
        grouped(found.heads),
        newest.unwrap_or_default(),
        grouped(found.pruned)
    );
    page::record([
        ("word", word.into()),
        ("class", class.into()),
        ("sentence", sentence.into()),
        ("counts", counts.into()),
        ("faults", page::list(found.faults.iter().take(FAULTS).map(String::as_str))),
        ("more", (found.faults.len().saturating_sub(FAULTS) as u64).into()),
    ])
}

/// Faults that are listed.
const FAULTS: usize = 20;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The parts that are findings.
fn first(parts: &[u64]) -> Vec<u64> {
    parts.iter().take(FOUND).copied().collect()
}

/// What is said of checks that came to no end.
fn open(checks: u64) -> String {
    match checks {
        0 => String::new(),
        1 => " En kontroll kunde inte slutföras och är inget fynd.".to_owned(),
        checks => format!(" {} kontroller kunde inte slutföras och är inga fynd.", grouped(checks)),
    }
}

/// A local time to the second, without its offset: the whole page is in one zone.
fn moment(time: &str) -> String {
    time.chars().take(19).collect::<String>().replacen('T', " ", 1)
}

/// The word for a result, and its class in the style.
fn result(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Whole => ("Hel", "whole"),
        Verdict::Incomplete => ("Ofullständig", "odd"),
        Verdict::Tampered => ("Ändrad", "bad"),
    }
}

fn column(day: &Day, parts: Vec<u64>, length: Length) -> Column {
    let label = match length {
        Length::Month => day.date.day().to_string(),
        Length::Quarter if day.date.day() == 1 => {
            month_name(usize::from(day.date.month().unsigned_abs())).to_owned()
        }
        Length::Quarter if day.date.day() == 15 => "15".to_owned(),
        Length::Quarter => String::new(),
    };
    let name = format!("{}: {}", long_date(day), grouped(parts.iter().sum()));
    let quiet = matches!(day.date.weekday(), Weekday::Saturday | Weekday::Sunday);
    Column { label, name, quiet, parts }
}

/// The days' sums by ISO week.
fn weeks(days: &[Day], part: impl Fn(&Day) -> Vec<u64>) -> Vec<(String, Vec<u64>)> {
    let mut weeks: Vec<(String, Vec<u64>)> = Vec::new();
    for day in days {
        let name = format!("v. {}", day.date.iso_week_date().week());
        let values = part(day);
        match weeks.last_mut() {
            Some((last, sums)) if *last == name => {
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            _ => weeks.push((name, values)),
        }
    }
    weeks
}

fn short_date(day: &Day) -> String {
    let weekday = match day.date.weekday() {
        Weekday::Monday => "mån",
        Weekday::Tuesday => "tis",
        Weekday::Wednesday => "ons",
        Weekday::Thursday => "tors",
        Weekday::Friday => "fre",
        Weekday::Saturday => "lör",
        Weekday::Sunday => "sön",
    };
    format!("{weekday} {}", day.date.day())
}

fn long_date(day: &Day) -> String {
    format!("{} {}", short_date(day), month_name(usize::from(day.date.month().unsigned_abs())))
}

/// A share in percent with a decimal comma; what is not nothing is not shown as nothing.
fn share(part: u64, all: u64) -> String {
    if all == 0 || part == 0 {
        return "–".to_owned();
    }
    let percent = part as f64 * 100.0 / all as f64;
    if percent < 0.1 {
        "<\u{A0}0,1\u{A0}%".to_owned()
    } else {
        format!("{percent:.1}\u{A0}%").replace('.', ",")
    }
}

/// How a count differs from the one before.
fn change(model: &Model) -> String {
    let (now, before) = (model.mails, model.mails_before);
    if before == 0 {
        return "inget att jämföra med".to_owned();
    }
    let percent = (now as f64 - before as f64) * 100.0 / before as f64;
    let sign = if percent < 0.0 { "−" } else { "+" };
    let than = before_it(model).to_lowercase();
    format!("{sign}{:.1}\u{A0}% mot {than}", percent.abs()).replace('.', ",")
}

/// What a period is compared with: of one that is not over, the same part of the one before.
fn before_it(model: &Model) -> &'static str {
    if model.is_running { "Samma del av förra perioden" } else { "Förra perioden" }
}
