//! What pages say for directions, verdicts, accesses, sizes and times, in Swedish.

use jiff::tz::TimeZone;

use crate::swedish;

/// Findings, `rule=grade` with `; ` between, by their Swedish names.
pub(super) fn in_swedish(findings: &str) -> String {
    findings.split("; ").map(swedish::finding).collect::<Vec<_>>().join("; ")
}

/// A size as people read it: 1 kB is 1,000 octets, as on a Swedish desktop, with a decimal comma.
pub fn octets(octets: u64) -> String {
    let (mut value, mut unit) = (octets as f64, "B");
    for larger in ["kB", "MB", "GB", "TB"] {
        if value < 1_000.0 {
            break;
        }
        value /= 1_000.0;
        unit = larger;
    }
    if unit == "B" || value >= 100.0 {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.1} {unit}").replace('.', ",")
    }
}

/// The Swedish word for a direction.
pub fn direction(word: Option<&str>) -> &'static str {
    match word {
        Some("inbound") => "Inkommande",
        Some("outbound") => "Utgående",
        Some("internal") => "Internt",
        _ => "–",
    }
}

/// The Swedish word for what became of a mail.
pub fn verdict(word: &str) -> &'static str {
    match word {
        "accepted" => "Godtaget",
        "marked" => "Märkt",
        "held" => "Kvarhållet",
        "deferred" => "Uppskjutet",
        "rejected" => "Avvisat",
        "incomplete" => "Ofullständigt",
        _ => "–",
    }
}

/// The Swedish word for a kind of access.
pub fn access(verb: &str) -> &str {
    match verb {
        "search" => "Sökning",
        "export" => "Uttag",
        "access" => "Granskning av åtkomster",
        "report" => "Rapport",
        "sample" => "Stickprov",
        "subject-extract" => "Registerutdrag",
        "retention" => "Gallring",
        "access-retention" => "Gallring av åtkomstloggen",
        "verify" => "Kontroll",
        "show" => "Visning av ett mejl",
        "receipts list" => "Lista över kvitton",
        "receipts show" => "Visning av ett kvitto",
        "retention protocol" => "Gallringsprotokoll",
        "decisions" => "Lista över beslut",
        "holds" => "Lista över bevaranden",
        "disclosures" => "Lista över begäranden om allmän handling",
        "disclosure open" => "Begäran om allmän handling registreras",
        "disclosure show" => "Visning av en begäran om allmän handling",
        "disclosure review" => "Granskning av en begäran om allmän handling",
        "disclosure approve" => "Godkännande av en granskning",
        "backup" => "Säkerhetskopia",
        "follow" => "Löpande överföring",
        "ingest" => "Inläsning av Postfix logg",
        other => other,
    }
}

/// When a page was made, as it says.
pub fn made(time: jiff::Timestamp, zone: &TimeZone) -> String {
    zone.to_datetime(time).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (size, wanted) in
            [(0, "0 B"), (999, "999 B"), (1_000, "1,0 kB"), (123_456, "123 kB"), (15_000_000, "15,0 MB")]
        {
            assert_eq!(octets(size), wanted);
        }
    }
}
