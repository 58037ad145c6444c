//! The report's page: for the screen and for A4, Swedish first and English second, each chart with its table.

use std::io::{self, Write};

use jiff::civil::Weekday;

use super::chart::{self, Bar, Column, Part, grouped};
use super::model::{Day, Model, Then};
use super::period::{Length, month_name};
use crate::export::html::{access, escaped, octets, verdict};
use crate::export::page;
use crate::store::verify::Verdict;

const STYLE: &str = "
body{max-width:72rem}
.tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:.8rem;margin:1.2rem 0 .5rem;padding:0;list-style:none}
.tiles li{border:1px solid var(--line);border-radius:.5rem;padding:.7rem .9rem}
.tiles b{display:block;font-size:1.55rem;font-weight:600;letter-spacing:-.02em;font-variant-numeric:tabular-nums;line-height:1.25}
.tiles span{color:var(--soft);font-size:.78rem}
section{margin-top:2.2rem}
h2{margin:0}
.lead{margin:.25rem 0 .9rem;max-width:95ch}
.pair{display:grid;grid-template-columns:minmax(0,62fr) minmax(0,38fr);gap:1.6rem;align-items:start}
figure{margin:0}
svg{width:100%;height:auto;display:block;overflow:visible}
svg text{font-size:12px;fill:var(--soft)}
svg .y,svg .name{text-anchor:end}svg .x{text-anchor:middle}
svg .name{fill:var(--ink);font-size:13px}svg .number{fill:var(--ink);font-size:13px}
svg .grid{stroke:var(--line);stroke-width:1}svg .base{stroke:var(--ink);stroke-width:1}
svg .quiet{fill:var(--wash)}
svg .ca,.ka{fill:var(--a);background:var(--a)}svg .cb,.kb{fill:var(--b);background:var(--b)}svg .cc,.kc{fill:var(--c);background:var(--c)}
svg .cd,.kd{fill:var(--d);background:var(--d)}svg .ce,.ke{fill:var(--e);background:var(--e)}svg .cf,.kf{fill:var(--f);background:var(--f)}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;margin:.5rem 0 0;padding:0 0 0 3.6rem;font-size:.78rem;color:var(--soft)}
.legend i{display:inline-block;width:.75rem;height:.75rem;border-radius:2px;margin-right:.4rem;vertical-align:-1px}
.pair table{width:100%}
.pair td,.pair th{padding:.22rem .5rem}
.wide{grid-template-columns:1fr!important}
.dense{font-size:.74rem}.dense td{padding:.06rem .5rem}
tfoot td{font-weight:600;border-bottom:0;border-top:1.5px solid var(--ink)}
.none{color:var(--soft);font-style:italic}
.seal{border-left:.4rem solid var(--c);background:var(--wash);padding:.7rem 1rem;border-radius:0 .4rem .4rem 0}
.seal.bad{border-color:var(--d)}.seal.odd{border-color:var(--b)}
.seal b{font-size:1.1rem}.seal ul{margin:.4rem 0 0;padding-left:1.2rem}
.left{border-left:.4rem solid var(--d);padding:.5rem 1rem}
.sign{display:grid;grid-template-columns:2fr 1fr 1fr;gap:2rem;margin-top:3.2rem;break-inside:avoid}
.sign div{border-top:1px solid var(--ink);padding-top:.3rem;font-size:.76rem;color:var(--soft)}
@media(max-width:52rem){.pair{grid-template-columns:1fr}.tiles{grid-template-columns:1fr 1fr}body{padding:1.2rem}}
@media print{.pair{grid-template-columns:minmax(0,62fr) minmax(0,38fr)}.tiles{grid-template-columns:repeat(4,1fr)}section{margin-top:1.4rem;break-inside:avoid}h2{padding-top:.7rem}.dense{font-size:.68rem}}";

const DIRECTIONS: [Part; 4] = [("Inkommande", 'a'), ("Utgående", 'b'), ("Internt", 'c'), ("Okänd", 'f')];
const THEN: [Part; 6] = [
    ("Stoppade", 'd'),
    ("Märkta eller omstyrda", 'b'),
    ("Tillåtna genom beslut", 'c'),
    ("Skulle ha åtgärdats", 'e'),
    ("Bara antecknade", 'f'),
    ("Kunde inte avgöras", 'a'),
];
const LETTERS: [Part; 3] = [("Skickade", 'c'), ("Misslyckade", 'd'), ("Återtagna", 'f')];
const ACCESSES: [Part; 2] = [("Medgivna", 'a'), ("Nekade", 'd')];

/// Writes the page.
pub(super) fn write(out: &mut impl Write, model: &Model, length: Length) -> io::Result<()> {
    let (name, english) = match length {
        Length::Month => ("Månadsrapport", "Monthly report"),
        Length::Quarter => ("Kvartalsrapport", "Quarterly report"),
    };
    page::start(out, &format!("{name} om e-post, {}, {}", model.name, model.organisation), STYLE)?;
    writeln!(
        out,
        "<header><p class=org>{}</p><h1>{name} om e-post, {} <span lang=en>{english}</span></h1></header>\n<main>",
        escaped(&model.organisation),
        escaped(&model.name)
    )?;
    tiles(out, model)?;
    left_out(out, model)?;
    traffic(out, model, length)?;
    verdicts(out, model)?;
    rules(out, model)?;
    followed(
        out,
        model,
        "Vidarebefordran till externa adresser",
        "Forwards to external addresses",
        "fw",
        |day| day.forwards,
    )?;
    followed(
        out,
        model,
        "Känsliga uppgifter och lösenord",
        "Sensitive data and credentials",
        "se",
        |day| day.sensitive,
    )?;
    letters(out, model)?;
    accesses(out, model)?;
    verified(out, model)?;
    writeln!(
        out,
        "<div class=sign><div>Granskad av <span lang=en>Reviewed by</span></div><div>Datum <span lang=en>Date</span></div>\
         <div>Ärende <span lang=en>Case</span></div></div></main>\n<footer>Skapad {} av postvakt {} på {}. Perioden går från {} till och med {}. \
         Rapporten namnger ingen person.</footer>",
        moment(&model.made),
        env!("CARGO_PKG_VERSION"),
        escaped(&model.node),
        model.days.first().map(|day| day.date.to_string()).unwrap_or_default(),
        model.days.last().map(|day| day.date.to_string()).unwrap_or_default(),
    )?;
    page::end(out)
}

fn tiles(out: &mut impl Write, model: &Model) -> io::Result<()> {
    let stopped: u64 = model.rules.iter().map(|rule| rule.then.stopped).sum();
    let sensitive = model.sum(|day| day.sensitive.all() - day.sensitive.unknown);
    let refused: u64 = model.accesses.iter().map(|row| row.refused).sum();
    let tiles = [
        (grouped(model.mails), format!("mejl, {}", change(model.mails, model.mails_before))),
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
    ];
    writeln!(out, "<ul class=tiles>")?;
    for (number, what) in tiles {
        writeln!(out, "<li><b>{}</b><span>{}</span></li>", escaped(&number), escaped(&what))?;
    }
    writeln!(out, "</ul>")
}

fn left_out(out: &mut impl Write, model: &Model) -> io::Result<()> {
    if model.left_out.is_empty() {
        return Ok(());
    }
    writeln!(out, "<div class=left><b>Talen är inte fullständiga.</b> Detta kunde inte läsas:<ul>")?;
    for what in &model.left_out {
        writeln!(out, "<li>{}</li>", escaped(what))?;
    }
    writeln!(out, "</ul></div>")
}

fn traffic(out: &mut impl Write, model: &Model, length: Length) -> io::Result<()> {
    let part = |day: &Day| vec![day.inbound, day.outbound, day.internal, day.unknown];
    let parts = if model.sum(|day| day.unknown) > 0 { &DIRECTIONS[..] } else { &DIRECTIONS[..3] };
    let columns: Vec<Column> = model.days.iter().map(|day| column(day, part(day), length)).collect();
    let busiest = model.days.iter().max_by_key(|day| part(day).iter().sum::<u64>());
    let lead = busiest.filter(|_| model.mails > 0).map_or_else(
        || "Inga mejl i perioden.".to_owned(),
        |day| {
            let sum = grouped(part(day).iter().sum());
            let average = grouped(model.mails / model.days.len().max(1) as u64);
            format!(
                "I genomsnitt {average} mejl om dagen; flest {} med {sum}. Helger har grå botten.",
                long_date(day)
            )
        },
    );
    let titles = ("Mejl per dag och riktning", "Mail by day and direction");
    begin(out, titles, &lead)?;
    writeln!(
        out,
        "<figure>{}{}</figure>",
        chart::columns("day", titles.0, parts, &columns),
        chart::legend(parts)
    )?;
    let (head, rows) = match length {
        Length::Month => ("Dag", model.days.iter().map(|day| (short_date(day), part(day))).collect()),
        Length::Quarter => ("Vecka", weeks(&model.days, part)),
    };
    let sums: Vec<u64> = (0..4).map(|at| model.sum(|day| part(day).get(at).copied().unwrap_or(0))).collect();
    writeln!(out, "<table class=dense><thead><tr><th scope=col>{head}")?;
    for (name, _) in parts {
        write!(out, "<th scope=col class=n>{name}")?;
    }
    writeln!(out, "<th scope=col class=n>Summa</thead><tbody>")?;
    let line = |values: &[u64]| {
        let shown = values
            .iter()
            .take(parts.len())
            .map(|value| grouped(*value))
            .collect::<Vec<_>>()
            .join("<td class=n>");
        format!("<td class=n>{shown}<td class=n>{}", grouped(values.iter().sum()))
    };
    for (name, values) in &rows {
        writeln!(out, "<tr><td>{}{}", escaped(name), line(values))?;
    }
    writeln!(out, "</tbody><tfoot><tr><td>Summa{}</tfoot></table>", line(&sums))?;
    end(out)
}

fn verdicts(out: &mut impl Write, model: &Model) -> io::Result<()> {
    let accepted = model.verdicts.iter().find(|row| row.verdict == "accepted").map_or(0, |row| row.mails);
    let lead = format!(
        "{} av {} mejl ({}) godtogs utan åtgärd. Diagrammet visar resten.",
        grouped(accepted),
        grouped(model.mails),
        share(accepted, model.mails)
    );
    let titles = ("Utfall", "Verdicts");
    begin(out, titles, &lead)?;
    let others = model.verdicts.iter().filter(|row| row.verdict != "accepted");
    let bars: Vec<Bar> =
        others.map(|row| Bar { name: verdict(row.verdict).to_owned(), parts: vec![row.mails] }).collect();
    writeln!(out, "<figure>{}</figure>", chart::bars("verdict", titles.0, &[("Mejl", 'a')], &bars))?;
    writeln!(
        out,
        "<table><thead><tr><th scope=col>Utfall<th scope=col class=n>Mejl<th scope=col class=n>Andel<th scope=col class=n>Förra perioden</thead><tbody>"
    )?;
    for row in &model.verdicts {
        writeln!(
            out,
            "<tr><td>{}<td class=n>{}<td class=n>{}<td class=n>{}",
            verdict(row.verdict),
            grouped(row.mails),
            share(row.mails, model.mails),
            grouped(row.before)
        )?;
    }
    writeln!(
        out,
        "</tbody><tfoot><tr><td>Summa<td class=n>{}<td class=n><td class=n>{}</tfoot></table>",
        grouped(model.mails),
        grouped(model.mails_before)
    )?;
    end(out)
}

fn rules(out: &mut impl Write, model: &Model) -> io::Result<()> {
    let all: u64 = model.rules.iter().map(|rule| rule.then.all()).sum();
    let titles = ("Fynd per regel", "Findings by rule");
    let lead = format!("{} fynd av {} regler. Ett mejl kan ge flera fynd.", grouped(all), model.rules.len());
    begin_as(out, titles, &lead, "pair wide")?;
    if model.rules.is_empty() {
        nothing(out)?;
        return end(out);
    }
    let bars: Vec<Bar> = model
        .rules
        .iter()
        .map(|rule| Bar { name: rule.rule.clone(), parts: rule.then.parts().to_vec() })
        .collect();
    writeln!(
        out,
        "<figure>{}{}</figure>",
        chart::bars("rule", titles.0, &THEN, &bars),
        chart::legend(&THEN)
    )?;
    writeln!(
        out,
        "<table class=dense><thead><tr><th scope=col>Regel<th scope=col class=n>Stopp<th scope=col class=n>Märkt<th scope=col class=n>Tillåtet<th scope=col class=n>Skulle ha<th scope=col class=n>Noterat<th scope=col class=n>Oklart</thead><tbody>"
    )?;
    for rule in &model.rules {
        write!(out, "<tr><td>{}", escaped(&rule.rule))?;
        for value in rule.then.parts() {
            write!(out, "<td class=n>{}", grouped(value))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "</tbody></table>")?;
    end(out)
}

/// A section about one kind of findings: by day, and by what followed.
fn followed(
    out: &mut impl Write,
    model: &Model,
    title: &str,
    english: &str,
    id: &str,
    of: impl Fn(&Day) -> Then,
) -> io::Result<()> {
    let length = if model.days.len() > 31 { Length::Quarter } else { Length::Month };
    let sums: Vec<u64> =
        (0..THEN.len()).map(|at| model.sum(|day| of(day).parts().get(at).copied().unwrap_or(0))).collect();
    let (all, stopped) = (sums.iter().sum::<u64>(), sums.first().copied().unwrap_or(0));
    begin(out, (title, english), &format!("{} fynd, av dem {} stoppade.", grouped(all), grouped(stopped)))?;
    if all == 0 {
        nothing(out)?;
        return end(out);
    }
    let columns: Vec<Column> =
        model.days.iter().map(|day| column(day, of(day).parts().to_vec(), length)).collect();
    let used: Vec<usize> = (0..THEN.len()).filter(|at| sums.get(*at).is_some_and(|sum| *sum > 0)).collect();
    let parts: Vec<Part> = used.iter().filter_map(|at| THEN.get(*at).copied()).collect();
    let columns: Vec<Column> = columns
        .into_iter()
        .map(|column| Column {
            parts: used.iter().map(|at| column.parts.get(*at).copied().unwrap_or(0)).collect(),
            ..column
        })
        .collect();
    writeln!(
        out,
        "<figure>{}{}</figure>",
        chart::columns(id, title, &parts, &columns),
        chart::legend(&parts)
    )?;
    writeln!(
        out,
        "<table><thead><tr><th scope=col>Vad som följde<th scope=col class=n>Fynd<th scope=col class=n>Andel</thead><tbody>"
    )?;
    for ((name, _), sum) in THEN.iter().zip(&sums) {
        writeln!(out, "<tr><td>{name}<td class=n>{}<td class=n>{}", grouped(*sum), share(*sum, all))?;
    }
    writeln!(out, "</tbody><tfoot><tr><td>Summa<td class=n>{}<td class=n></tfoot></table>", grouped(all))?;
    end(out)
}

fn letters(out: &mut impl Write, model: &Model) -> io::Result<()> {
    let written: u64 = model.letters.iter().map(|row| row.written).sum();
    let titles = ("Kvitton och meddelanden", "Receipts and notices");
    begin(
        out,
        titles,
        &format!(
            "{} skrevs i perioden. Ett som väntade när den började kan ha skickats i den.",
            grouped(written)
        ),
    )?;
    if model.letters.is_empty() {
        nothing(out)?;
        return end(out);
    }
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
    writeln!(
        out,
        "<figure>{}{}</figure>",
        chart::bars("letter", titles.0, &LETTERS, &bars),
        chart::legend(&LETTERS)
    )?;
    writeln!(
        out,
        "<table><thead><tr><th scope=col>Slag<th scope=col class=n>Skrivna<th scope=col class=n>Skickade<th scope=col class=n>Miss\u{AD}lyckade<th scope=col class=n>Återtagna</thead><tbody>"
    )?;
    for row in &model.letters {
        writeln!(
            out,
            "<tr><td>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}",
            escaped(&name(&row.kind)),
            grouped(row.written),
            grouped(row.sent),
            grouped(row.failed),
            grouped(row.cancelled)
        )?;
    }
    writeln!(out, "</tbody></table>")?;
    end(out)
}

fn accesses(out: &mut impl Write, model: &Model) -> io::Result<()> {
    let given: u64 = model.accesses.iter().map(|row| row.given).sum();
    let decided: u64 = model.accesses.iter().map(|row| row.decided).sum();
    let titles = ("Åtkomst till loggen", "Accesses to the log");
    begin(
        out,
        titles,
        &format!(
            "{} åtkomster av {} användare, {} med stöd av ett beslut. Kommandot postvakt log access visar var och en.",
            grouped(given),
            model.readers,
            grouped(decided)
        ),
    )?;
    if model.accesses.is_empty() {
        nothing(out)?;
        return end(out);
    }
    let bars = model.accesses.iter();
    let bars: Vec<Bar> = bars
        .map(|row| Bar { name: access(&row.verb).to_owned(), parts: vec![row.given, row.refused] })
        .collect();
    writeln!(
        out,
        "<figure>{}{}</figure>",
        chart::bars("access", titles.0, &ACCESSES, &bars),
        chart::legend(&ACCESSES)
    )?;
    writeln!(
        out,
        "<table><thead><tr><th scope=col>Slag<th scope=col class=n>Medgivna<th scope=col class=n>varav beslut<th scope=col class=n>Nekade<th scope=col class=n>Rader</thead><tbody>"
    )?;
    for row in &model.accesses {
        writeln!(
            out,
            "<tr><td>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}",
            escaped(access(&row.verb)),
            grouped(row.given),
            grouped(row.decided),
            grouped(row.refused),
            grouped(row.rows)
        )?;
    }
    writeln!(out, "</tbody></table>")?;
    end(out)
}

fn verified(out: &mut impl Write, model: &Model) -> io::Result<()> {
    let found = &model.verified;
    let (word, class, sentence) = match (result(found.result), found.result) {
        ((word, class), Verdict::Whole) => (word, class, "Varje post är som den undertecknades."),
        ((word, class), Verdict::Incomplete) => {
            (word, class, "Något som borde finnas saknas; det kan ha en giltig orsak.")
        }
        ((word, class), Verdict::Tampered) => {
            (word, class, "Något är inte som det undertecknades. Utred innan loggen används.")
        }
    };
    writeln!(out, "<section><h2>Kontroll av loggen <span lang=en>Verification</span></h2>")?;
    let newest = found.newest.as_ref().map(|time| format!(" Det senaste är från {}.", moment(time)));
    writeln!(
        out,
        "<p class=lead>Hela loggen räknades om mot sina undertecknade trädhuvuden när rapporten gjordes.</p>\
         <div class=\"seal {class}\"><b>{word}.</b> {sentence} {} poster och noteringar kontrollerades mot {} trädhuvuden.{} {} poster är gallrade.",
        grouped(found.records),
        grouped(found.heads),
        newest.unwrap_or_default(),
        grouped(found.pruned)
    )?;
    if !found.faults.is_empty() {
        writeln!(out, "<ul>")?;
        for fault in found.faults.iter().take(20) {
            writeln!(out, "<li>{}</li>", escaped(fault))?;
        }
        if found.faults.len() > 20 {
            writeln!(
                out,
                "<li>… och {} till; kommandot postvakt log verify visar alla.</li>",
                found.faults.len() - 20
            )?;
        }
        writeln!(out, "</ul>")?;
    }
    writeln!(out, "</div></section>")
}

fn begin(out: &mut impl Write, titles: (&str, &str), lead: &str) -> io::Result<()> {
    begin_as(out, titles, lead, "pair")
}

/// Begins a section whose chart and table stand side by side, or below one another.
fn begin_as(out: &mut impl Write, (title, english): (&str, &str), lead: &str, class: &str) -> io::Result<()> {
    writeln!(
        out,
        "<section><h2>{} <span lang=en>{}</span></h2><p class=lead>{}</p><div class=\"{class}\">",
        escaped(title),
        escaped(english),
        escaped(lead)
    )
}

fn end(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "</div></section>")
}

fn nothing(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<p class=none>Inget i perioden. <span lang=en>Nothing in this period.</span></p>")
}

/// A local time to the second, without its offset: the whole page is in one zone.
fn moment(time: &str) -> String {
    escaped(&time.chars().take(19).collect::<String>().replacen('T', " ", 1))
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
fn change(now: u64, before: u64) -> String {
    if before == 0 {
        return "inget att jämföra med".to_owned();
    }
    let percent = (now as f64 - before as f64) * 100.0 / before as f64;
    let sign = if percent < 0.0 { "−" } else { "+" };
    format!("{sign}{:.1}\u{A0}% mot förra perioden", percent.abs()).replace('.', ",")
}
