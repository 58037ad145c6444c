//! What commands say when they refuse or leave something out, in Swedish. A sentence that is not here stays English.

use super::Lang;
use super::words::word;

/// English and Swedish. `{}` stands for what a sentence is about, `{0}` for the first of these in Swedish, and `{0:role}` for
/// the word of that kind for it.
const SENTENCES: &[(&str, &str)] = &[
    // Roles and reasons.
    ("the role {} may not use {}", "Rollen {0:role} får inte göra det här ({1})."),
    (
        "the role {} reads for operation alone: single mails, and few rows under pseudonyms",
        "Rollen {0:role} läser bara för drift: enstaka mejl, eller få rader med pseudonymer.",
    ),
    (
        "a registrar has mailboxes of their own, and these are none",
        "En registrator har egna brevlådor, och inga är angivna.",
    ),
    ("{} does not take a value of more than {} bytes", "Ett värde är för långt: högst {1} byte."),
    ("{}: invalid value '{}' for '{}': {}", "Värdet {1} går inte att använda ({2}): {3}"),
    ("{}: invalid value '{}' for '{}'", "Värdet {1} går inte att använda ({2})."),
    ("{}: the following required arguments were not provided:", "Uppgifter som krävs saknas."),
    ("{} does not take {}", "{0} tar inte emot {1}."),
    (
        "a reason is required: {}",
        "Ange ett skäl: ändamål för drift, ett beslut, personens egen begäran eller en begäran om allmän handling.",
    ),
    (
        "the purpose {} says too little: say in words what the log is read for",
        "Ändamålet {0} säger för lite: skriv i ord vad loggen läses för.",
    ),
    ("the purpose has to begin with one of: {}", "Ändamålet ska börja med något av: {0}."),
    (
        "the query names a person inside, which {}",
        "Sökningen gäller en person hos oss. Det kräver ett beslut, personens egen begäran eller en begäran om allmän handling.",
    ),
    (
        "a search for operation covers {} days at most: {}",
        "En sökning för drift omfattar högst {0} dagar. En längre period kräver ett beslut eller en begäran.",
    ),
    (
        "an export takes records out of the log, which requires {}",
        "Ett uttag ur loggen kräver ett beslut eller en begäran om allmän handling.",
    ),
    (
        "an extract is about one person, which requires {}",
        "Ett registerutdrag gäller en person och kräver ett beslut eller personens egen begäran.",
    ),
    (
        "{} asks about their own mail, and the query names another person",
        "{0} frågar om sin egen e-post, och sökningen gäller någon annan.",
    ),
    (
        "--own-request opens one person's mail: {}",
        "Personens egen begäran gäller bara sökning, visning, registerutdrag och kvitton.",
    ),
    ("--own-request takes the person's whole address", "Ange personens hela e-postadress."),
    (
        "--request takes the reference of the request, such as {}",
        "Ange begärans diarienummer, till exempel Dnr 2026/123.",
    ),
    (
        "the config has the hash {}, and the active one has {}: {}",
        "Konfigurationen på disken är en annan än den som gäller, så inget visas. Läs in den på nytt.",
    ),
    // What is shown.
    (
        "only {} rows are shown, the most that operation may see: {}",
        "Bara {0} rader visas, det mesta som drift får se.",
    ),
    (
        "only mail since {} was looked at: the reason opens no more",
        "Bara e-post sedan {0} ingår: skälet öppnar inte mer.",
    ),
    ("no record matches the query", "Inga mejl motsvarar sökningen."),
    (
        "there are older records that match the query: only the newest {} are shown",
        "Det finns äldre mejl som motsvarar sökningen: bara de {0} nyaste visas.",
    ),
    (
        "there are older entries: only the newest {} are shown",
        "Det finns äldre poster: bara de {0} nyaste visas.",
    ),
    ("the answer is longer than a page can show", "Svaret är längre än en sida kan visa."),
    (
        "--since {} --until {}: the period ends before it begins",
        "Perioden slutar ({1}) innan den börjar ({0}).",
    ),
    ("--since is in the future: nothing can be there", "Perioden ligger i framtiden."),
    // Decisions.
    ("the decision {} is not registered: {}", "Beslutet {0} är inte registrerat."),
    (
        "the decision {} waits for a second person: {}",
        "Beslutet {0} väntar på att en andra person godkänner.",
    ),
    ("the decision {} is closed", "Beslutet {0} är avslutat."),
    ("the decision {} was valid until {}", "Beslutet {0} gällde till {1}."),
    (
        "the decision {} does not cover every person whom the query names",
        "Beslutet {0} omfattar inte alla personer som sökningen gäller.",
    ),
    (
        "the decision {} is about no person, and {}",
        "Beslutet {0} gäller ingen person, och sökningen letar efter personer.",
    ),
    ("the decision {} covers mail from {}; {}", "Beslutet {0} omfattar e-post från en annan period ({1})."),
    (
        "{}: {} registered it; another person has to approve it",
        "{1} har själv registrerat {0}. En annan person godkänner.",
    ),
    ("{}: it is approved already", "{0} är redan godkänt."),
    ("{}: no open decision with this reference is registered", "Inget öppet beslut {0} är registrerat."),
    ("{}: this decision is registered already; {}", "Beslutet {0} är redan registrerat."),
    ("a reference is required, such as {}", "Ange en referens, till exempel KS 2026/123."),
    ("--by: say who took the decision", "Ange vem som har fattat beslutet."),
    ("--purpose: say what the decision is for", "Ange vad beslutet är till för."),
    ("the decision of {} ends before it was taken, on {}", "Beslutet av den {0} slutar innan det fattades."),
    ("the decision is of {}, and today is {}", "Beslutet är daterat {0}, och i dag är det {1}."),
    ("{}: no such legal hold", "Det finns inget bevarande {0}."),
    // Retention.
    (
        "two persons delete records: propose the run by {} first, and have another person do it",
        "Två personer gallrar: föreslå gallringen enligt {0} först, så gör en annan person den.",
    ),
    (
        "{} proposed the run by {}; another person has to do it",
        "{0} har själv föreslagit gallringen enligt {1}. En annan person gör den.",
    ),
    // Disclosure and follow-up.
    ("{}: this request is registered already", "Begäran {0} är redan registrerad."),
    (
        "{} registered or reviewed {}; another person has to approve it",
        "{0} har själv registrerat eller bedömt {1}. En annan person godkänner.",
    ),
    (
        "{}: the review has changed since entry {}: look at it again",
        "Bedömningen i {0} har ändrats sedan du såg den. Gå igenom den igen.",
    ),
    ("{}: the review is not approved: {}", "Granskningen av {0} är inte godkänd."),
    (
        "{}: the review is not approved, so nothing was disclosed",
        "Granskningen av {0} är inte godkänd, så inget har lämnats ut.",
    ),
    ("{}: nothing was chosen for {} records yet", "{1} mejl i {0} är inte bedömda än."),
    ("{}: something was chosen for every record", "Alla mejl i {0} är bedömda."),
    ("name records, or --rest", "Välj mejl, eller alla som inte är bedömda."),
    ("--section: say by which section of the law, such as {}", "Ange lagrum, till exempel OSL 21 kap. 7 §."),
    ("mask: name the columns, with --columns", "Välj vilka fält som ska maskas."),
    ("the request came on {}, and today is {}", "Begäran är daterad {0}, och i dag är det {1}."),
    (
        "the request asks for more than {} records: {}",
        "Begäran omfattar fler än {0} mejl: begränsa den, eller ta ut loggen. Det som begärs bevaras från gallring.",
    ),
    (
        "the person may ask for a written decision with instructions how to appeal {}",
        "Sökanden kan begära ett skriftligt beslut med överklagandehänvisning (OSL 6 kap. 3 §): upplys om det. Häv bevarandet när \
         svaret inte längre kan överklagas.",
    ),
    ("{} is not over: sign it when it is", "{0} pågår: signera när kvartalet är slut."),
    (
        "{}: the follow-up is another one than the one with the digest {}: look at it again",
        "Uppföljningen av {0} har ändrats sedan du såg den. Gå igenom den igen.",
    ),
];

/// The sentence in the language of the page; `None` where it is not known there.
pub(super) fn said(lang: Lang, text: &str) -> Option<String> {
    if lang == Lang::En {
        return None;
    }
    if let Some(refused) = text.strip_prefix("refused: ") {
        return said(lang, refused).map(|known| format!("Nekat. {known}"));
    }
    SENTENCES.iter().find_map(|(english, swedish)| Some(filled(swedish, &pieces(english, text)?)))
}

/// What stands for each `{}` of a sentence; `None` where it is another one.
fn pieces<'t>(sentence: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let mut parts = sentence.split("{}");
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut found = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let at = match (part.is_empty(), parts.peek()) {
            (true, None) => rest.len(),
            (true, Some(_)) => return None,
            // The end of a sentence is its end.
            (false, None) => rest.len().checked_sub(part.len()).filter(|at| rest.get(*at..) == Some(part))?,
            (false, Some(_)) => rest.find(part)?,
        };
        found.push(rest.get(..at)?);
        rest = rest.get(at + part.len()..)?;
    }
    rest.is_empty().then_some(found)
}

fn filled(swedish: &str, pieces: &[&str]) -> String {
    let mut out = String::new();
    let mut rest = swedish;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let (number, kind) = name.split_once(':').unwrap_or((name, ""));
        let piece = number.parse().ok().and_then(|at: usize| pieces.get(at)).copied().unwrap_or_default();
        match kind {
            "" => out.push_str(piece),
            kind => out.push_str(&word(Lang::Sv, kind, piece)),
        }
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::commands::Denied;

    #[test]
    fn what_commands_refuse_is_told_in_swedish() {
        for (english, swedish) in [
            (
                Denied::Role("log export", "reader").to_string(),
                "Rollen Läsare får inte göra det här (log export).",
            ),
            (
                format!("refused: {}", Denied::Reason("registrar")),
                "Nekat. Rollen Registrator läser bara för drift: enstaka mejl, eller få rader med pseudonymer.",
            ),
            (
                Denied::Value("log search", "invalid value 'x' for '--since <T>': no time".into())
                    .to_string(),
                "Värdet x går inte att använda (--since <T>): no time",
            ),
            ("the decision \"KS 1\" is closed".to_owned(), "Beslutet \"KS 1\" är avslutat."),
            (
                "Dnr 1: anna registered it; another person has to approve it".to_owned(),
                "anna har själv registrerat Dnr 1. En annan person godkänner.",
            ),
        ] {
            assert_eq!(said(Lang::Sv, &english).as_deref(), Some(swedish), "{english}");
            assert_eq!(said(Lang::En, &english), None);
        }
        assert_eq!(said(Lang::Sv, "something new"), None);
        assert_eq!(said(Lang::Sv, "the decision \"KS 1\" is closed, and more"), None);
        for (english, swedish) in SENTENCES {
            // Each is recognised, as itself.
            let text = english.replace("{}", "x y");
            let known = said(Lang::Sv, &text).unwrap();
            assert_eq!(known, filled(swedish, &vec!["x y"; english.matches("{}").count()]), "{english}");
            assert!(!known.contains('{') && known.ends_with(['.', 'y']), "{known}");
        }
    }
}
