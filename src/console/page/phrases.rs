//! Sentences that commands put together in English, in the language of the page. What is not known here stays as it is,
//! and is marked as English.

use super::Lang;
use super::show::{escaped, shown};
use super::words::{filled, t, word};
use crate::swedish;

/// The evidence of a finding, as markup: each piece in the language of the page, or marked as English.
pub(super) fn evidence(lang: Lang, text: &str, whole: &str) -> String {
    if lang == Lang::En || text.chars().nth(1_000).is_some() {
        return format!("<span lang=\"en\">{}</span>", shown(text, whole));
    }
    let pieces = text
        .split("; ")
        .flat_map(|piece| if piece.contains(' ') { vec![piece] } else { piece.split(',').collect() });
    let one = |piece: &str| match in_swedish(piece) {
        Some(known) => escaped(&known),
        None => format!("<span lang=\"en\">{}</span>", shown(piece, whole)),
    };
    pieces.map(one).collect::<Vec<_>>().join("; ")
}

fn in_swedish(piece: &str) -> Option<String> {
    if let Some(known) = t(Lang::Sv, &format!("evidence.{piece}")) {
        return Some(known.to_owned());
    }
    let kind = swedish::kind(piece);
    if kind != piece {
        return Some(kind.to_owned());
    }
    if let Some(class) = piece.strip_prefix("class=") {
        return Some(format!("klass: {}", swedish::class(class)));
    }
    if let Some((points, required)) = piece.strip_prefix("points=").and_then(|points| points.split_once('/'))
    {
        return Some(format!("{} av {} poäng", points.replace('.', ","), required.replace('.', ",")));
    }
    if let Some(kind) = piece.strip_suffix(" near it") {
        return Some(format!("{} intill", swedish::kind(kind)));
    }
    // A number or a credential, masked, and where it stands.
    let (what, place) = piece.split_once(" in ")?;
    let (kind, mask) = what.rsplit_once(' ').filter(|(_, mask)| mask.contains('*')).unwrap_or((what, ""));
    let kind = match kind.split_once(' ') {
        Some((count, kind)) if count.parse::<u64>().is_ok() => {
            let kind = kind.trim_start_matches("× ").trim_end_matches(", first");
            format!("{count} {}, först", swedish::kind(kind))
        }
        _ => swedish::kind(kind).to_owned(),
    };
    let (place, at) = place.rsplit_once(" at ")?;
    let part = |part: &str| {
        if part.is_empty() { String::new() } else { format!(" i {}", part.replacen("part", "del", 1)) }
    };
    let place = match place.split_once(" of ").unwrap_or((place, "")) {
        ("the subject", of) => format!("ämnet{}", part(of)),
        ("a name field", of) => format!("ett namnfält{}", part(of)),
        ("the name", of) => format!("namnet{}", part(of)),
        ("the body", of) => format!("texten{}", part(of)),
        _ => place.strip_prefix("part ").map(|number| format!("del {number}"))?,
    };
    let mask = if mask.is_empty() { String::new() } else { format!(" {mask}") };
    Some(format!("{kind}{mask} i {place}, tecken {at}"))
}

/// What `held list` says of a mail: that it waits, was handed over, or what somebody proposed.
pub(super) fn held_state(lang: Lang, text: &str) -> String {
    let one = |piece: &str| {
        if piece == "waiting" {
            return filled(lang, "held.waiting", &[]);
        }
        if let Some(to) = piece.strip_prefix("handed over to ") {
            return filled(lang, "held.handed-over", &[("to".to_owned(), to.to_owned())]);
        }
        let Some((act, by)) = piece.split_once(" proposed by ") else { return piece.to_owned() };
        let (act, to) = act.split_once(" to ").unwrap_or((act, ""));
        let key = if to.is_empty() { "held.proposed" } else { "held.proposed-to" };
        let fillings = [("act", word(lang, "act", act)), ("to", to.to_owned()), ("by", by.to_owned())];
        filled(lang, key, &fillings.map(|(name, text)| (name.to_owned(), text)))
    };
    text.split("; ").map(one).collect::<Vec<_>>().join(". ")
}

/// What became of the receipts of a mail: of each mailbox, that one is sent, or why none is.
pub(super) fn receipt(lang: Lang, text: &str) -> String {
    let one = |piece: &str| {
        let Some((mailbox, outcome)) = piece.rsplit_once('=') else { return piece.to_owned() };
        let (state, detail) = outcome.split_once(' ').unwrap_or((outcome, ""));
        let known = t(lang, &format!("receipt.{state}")).unwrap_or(state);
        let detail = if state == "suppressed" { word(lang, "suppressed", detail) } else { detail.to_owned() };
        format!("{mailbox}: {known} {detail}").trim_end().to_owned()
    };
    text.split("; ").map(one).collect::<Vec<_>>().join("; ")
}

/// A point of the list before a rule may act, as markup: with the numbers of the English sentence, if it has as many as
/// the sentence of the page.
pub(super) fn check(lang: Lang, at: usize, text: &str) -> String {
    let key = format!("check.{at}");
    let numbers: Vec<&str> =
        text.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty()).collect();
    match t(lang, &key) {
        Some(known) if lang != Lang::En && known.matches('{').count() <= numbers.len() => {
            let fillings: Vec<(String, String)> = numbers
                .iter()
                .enumerate()
                .map(|(at, number)| (at.to_string(), (*number).to_owned()))
                .collect();
            escaped(&filled(lang, &key, &fillings))
        }
        _ => format!("<span lang=\"en\">{}</span>", escaped(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_told_in_swedish() {
        for (text, wanted) in [
            (
                "class=serious; personnummer 811228-**** in part 1 at 4; health near it",
                "klass: allvarlig; personnummer 811228-**** i del 1, tecken 4; hälsa intill",
            ),
            (
                "class=considerable; password in the subject of part 2 at 5",
                "klass: betydande; lösenord i ämnet i del 2, tecken 5",
            ),
            (
                "3 personnummer, first 811228-**** in the body at 16",
                "3 personnummer, först 811228-**** i texten, tecken 16",
            ),
            ("points=12.3/5.0,upstream", "12,3 av 5,0 poäng; filtret före"),
            ("executable,double-extension", "program eller skript; dubbel filändelse"),
            ("Win.Test<b>", "<span lang=\"en\"><bdi>Win.Test&lt;b&gt;</bdi></span>"),
        ] {
            assert_eq!(evidence(Lang::Sv, text, "x"), wanted);
        }
        assert_eq!(evidence(Lang::En, "damaged", "x"), "<span lang=\"en\"><bdi>damaged</bdi></span>");
    }

    #[test]
    fn states_of_held_mail_are_told_in_both_languages() {
        let text = "handed over to a@example.org; return proposed by <i>";
        assert_eq!(
            held_state(Lang::Sv, text),
            "Överlämnat till a@example.org. Skicka tillbaka, föreslaget av <i>"
        );
        assert_eq!(
            held_state(Lang::En, "waiting; hand-over to b@example.org proposed by x"),
            "Waits. Hand over a copy to b@example.org, proposed by x"
        );
        assert_eq!(held_state(Lang::Sv, "something new"), "something new");
    }

    #[test]
    fn receipts_say_why_there_is_none() {
        let text = "a@example.org=suppressed auto-submitted; b=c@example.org=queued PV-2026-K3C8BH";
        let wanted =
            "a@example.org: inget kvitto, automatiskt skickat; b=c@example.org: kvitto PV-2026-K3C8BH";
        assert_eq!(receipt(Lang::Sv, text), wanted);
        assert_eq!(receipt(Lang::En, "a@example.org=new word"), "a@example.org: new word");
    }

    #[test]
    fn checks_keep_their_numbers() {
        assert_eq!(check(Lang::Sv, 0, "findings of 9 days, 7 at least"), "Fynd från 9 dagar, minst 7.");
        let text = "1 of 12 judged findings are wrong, at most 35 % (95 % interval), 20 % are allowed";
        assert_eq!(
            check(Lang::Sv, 2, text),
            "1 av 12 bedömda fynd är fel: högst 35 % (95 % konfidensintervall), 20 % tillåts."
        );
        assert_eq!(check(Lang::Sv, 9, "a < b"), "<span lang=\"en\">a &lt; b</span>");
        assert_eq!(check(Lang::Sv, 0, "no number"), "<span lang=\"en\">no number</span>");
    }
}
