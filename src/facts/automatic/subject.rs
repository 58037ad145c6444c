//! Subjects that programs write, in the languages of the north and of large mail programs.
//!
//! A receipt that a person does not get is worse than one that a program gets, which ends by itself. So what people
//! write as well counts for nothing alone: `Frånvaro: Lisa 4B`, `Auto: övergiven bil på Torggatan`.

#![deny(clippy::disallowed_methods)]

/// Whose words a subject has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wording {
    /// Only programs write so.
    Program,
    /// Programs and people do.
    Either,
    /// No program is known to.
    Person,
}

/// What programs call their own answers and notices. A colon after it, or nothing, keeps apart who writes about them.
const ANSWERS: &[&str] = &[
    // Swedish
    "autosvar",
    "auto-svar",
    "automatsvar",
    "automatiskt svar",
    "automatiskt e-postsvar",
    "automatiskt meddelande",
    "automatiskt genererat svar",
    "automatiskt genererat meddelande",
    "automatisk bekräftelse",
    "automatiskt frånvaromeddelande",
    "automatiskt svar vid frånvaro",
    // Danish and Norwegian
    "automatisk svar",
    "automatisk svarmelding",
    "automatisk besked",
    "automatisk melding",
    "automatisk bekreftelse",
    "autosvar ved fravær",
    "ikke til stede",
    "ikke til stede på kontoret",
    "ikke på kontoret",
    "ute av kontoret",
    // Finnish, Icelandic, Baltic
    "automaattinen vastaus",
    "automaattivastaus",
    "automaattinen poissaolovastaus",
    "poissa toimistosta",
    "sjálfvirkt svar",
    "automaatvastus",
    "automaatne vastus",
    "automātiskā atbilde",
    "automātiska atbilde",
    "automatinis atsakymas",
    // English
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "auto-response",
    "autoresponse",
    "auto responder",
    "autoresponder",
    "automatic reply",
    "automatic response",
    "automatic e-mail response",
    "automatic email response",
    "automatic acknowledgement",
    "automatic notification",
    "automated reply",
    "automated response",
    "automated e-mail response",
    "automated email response",
    "automated acknowledgement",
    "automated message",
    "automated notification",
    "out of office",
    "out-of-office",
    "out of the office",
    "out of office reply",
    "out of office response",
    "out of office message",
    "out of office notification",
    "out of office autoreply",
    "out of office auto-reply",
    "out of office auto reply",
    "out of office automatic reply",
    "out-of-office reply",
    "out of the office reply",
    "away from office",
    "away from the office",
    "vacation reply",
    "vacation autoreply",
    "vacation auto-reply",
    "absence notification",
    // German and Dutch
    "automatische antwort",
    "automatische rückantwort",
    "automatische eingangsbestätigung",
    "automatische empfangsbestätigung",
    "automatische abwesenheitsnotiz",
    "autoantwort",
    "abwesenheitsnotiz",
    "abwesenheitsmeldung",
    "abwesenheitsassistent",
    "außer haus",
    "nicht im büro",
    "automatisch antwoord",
    "automatisch bericht",
    "afwezigheidsbericht",
    "afwezigheidsassistent",
    "niet op kantoor",
    // French, Spanish, Italian, Portuguese, Romanian
    "réponse automatique",
    "reponse automatique",
    "réponse automatisée",
    "message automatique",
    "notification automatique",
    "accusé de réception automatique",
    "absence du bureau",
    "absent du bureau",
    "absente du bureau",
    "message d'absence",
    "respuesta automática",
    "respuesta automatica",
    "autorespuesta",
    "mensaje automático",
    "fuera de la oficina",
    "fuera de oficina",
    "risposta automatica",
    "fuori sede",
    "fuori ufficio",
    "resposta automática",
    "resposta automatica",
    "fora do escritório",
    "răspuns automat",
    // Polish and its neighbours, Russian, Ukrainian, Turkish
    "automatyczna odpowiedź",
    "odpowiedź automatyczna",
    "automatyczna odpowiedz",
    "autoodpowiedź",
    "poza biurem",
    "nieobecność w biurze",
    "automatická odpověď",
    "automatická odpoveď",
    "mimo kancelář",
    "automatikus válasz",
    "automatski odgovor",
    "samodejni odgovor",
    "автоматический ответ",
    "автоответ",
    "автоматична відповідь",
    "вне офиса",
    "otomatik yanıt",
    // Arabic, Chinese, Japanese
    "رد تلقائي",
    "自动答复",
    "自动回复",
    "自動回覆",
    "自動応答",
    "自動返信",
];

/// What stands before what was read, or could not be delivered: with a colon after it.
const NOTICES: &[&str] = &[
    "läst",
    "ej läst",
    "oläst",
    "read",
    "not read",
    "læst",
    "ikke læst",
    "lest",
    "ikke lest",
    "ulest",
    "luettu",
    "ei luettu",
    "gelesen",
    "nicht gelesen",
    "ungelesen",
    "gelezen",
    "niet gelezen",
    "lu",
    "non lu",
    "leído",
    "no leído",
    "letto",
    "non letto",
    "przeczytane",
    "nieprzeczytane",
    "undeliverable",
    "undelivered",
    "undelivered mail",
    "not delivered",
    "non-deliverable",
    "delivery failure",
    "delivery delayed",
    "delivered",
    "relayed",
    "returned mail",
    "return receipt",
    "delivery report",
    "olevererbart",
    "ej levererbart",
    "kan inte levereras",
    "kunde inte levereras",
    "levererat",
    "leverans fördröjd",
    "kan ikke leveres",
    "kunne ikke leveres",
    "uleveret",
    "ikke levert",
    "ikke leveret",
    "levert",
    "leveret",
    "ei voi toimittaa",
    "toimittaminen ei onnistunut",
    "unzustellbar",
    "zugestellt",
    "onbestelbaar",
    "non remis",
    "non distribuable",
    "remis",
    "no se puede entregar",
    "no entregado",
    "non recapitabile",
    "niedostarczone",
    "nie można dostarczyć",
];

/// Beginnings of subjects of reports, whatever follows.
const REPORTS: &[&str] = &[
    "undelivered mail returned to sender",
    "undeliverable mail",
    "delivery status notification",
    "delivery failure notification",
    "delivery notification: ",
    "delivery has failed",
    "mail delivery failed",
    "mail delivery failure",
    "mail delivery subsystem",
    "mail system error - returned mail",
    "mail could not be delivered",
    "message could not be delivered",
    "message status - undeliverable",
    "returned mail: see transcript",
    "failure notice",
    "warning: could not send message",
    "successful mail delivery report",
    "delayed mail (still being retried)",
    "read receipt: ",
    "rapport d'échec de remise",
    "échec de la remise",
    "zustellung fehlgeschlagen",
    "mislukte bezorging",
    "notificación de estado de entrega",
    "meddelande om leveransstatus",
];

/// What people begin with as well: their own absence or somebody else's, cars (`Auto:`), and a word in short.
const EITHER: &[&str] = &[
    "auto",
    "ooo",
    "frånvaro",
    "frånvarande",
    "frånvaromeddelande",
    "frånvaroanmälan",
    "ej på plats",
    "inte på plats",
    "ej på kontoret",
    "inte på kontoret",
    "är inte på plats",
    "semester",
    "ledig",
    "sjukskriven",
    "föräldraledig",
    "tjänstledig",
    "på resande fot",
    "fravær",
    "fraværende",
    "fraværsmelding",
    "fraværsbesked",
    "ferie",
    "poissa",
    "poissaolo",
    "poissaoloilmoitus",
    "lomalla",
    "abwesend",
    "abwesenheit",
    "im urlaub",
    "urlaub",
    "afwezig",
    "vakantie",
    "absence",
    "absent",
    "absente",
    "congés",
    "ausente",
    "ausencia",
    "vacaciones",
    "assente",
    "assenza",
    "ferie fino al",
    "nieobecność",
    "nieobecny",
    "nieobecna",
    "urlop",
    "away",
    "on leave",
    "on vacation",
    "vacation",
    "annual leave",
    "holiday",
    "on holiday",
    "maternity leave",
    "parental leave",
];

/// How programs begin that tell of what they have taken in, whatever follows; people may begin so in an answer.
const RECEIPTS: &[&str] = &[
    "vi har tagit emot ditt meddelande",
    "vi har tagit emot ditt ärende",
    "vi har mottagit ditt meddelande",
    "tack för ditt meddelande",
    "tack för ditt mejl",
    "tack för ditt mail",
    "tack för din e-post",
    "ditt ärende har tagits emot",
    "your request has been received",
    "we have received your message",
    "we have received your request",
    "thank you for your message",
    "thank you for your email",
    "thank you for your e-mail",
    "thank you for contacting",
];

/// What mail programs write before the subject of an answer.
const REPLY: &[&str] =
    &["re", "sv", "vs", "aw", "antw", "antwort", "svar", "rif", "res", "odp", "ynt", "回复", "答复"];

/// Whose words the subject has.
pub(super) fn wording(subject: &str) -> Wording {
    let folded = folded(subject);
    let (bare, answers) = bare(&folded);
    if REPORTS.iter().any(|begin| bare.starts_with(begin)) {
        return Wording::Program;
    }
    let rest_behind = |phrases: &[&str]| -> Option<Rest> {
        let found = phrases.iter().filter_map(|phrase| Rest::of(bare.strip_prefix(phrase)?));
        found.min()
    };
    let whole = |rest: Option<Rest>| matches!(rest, Some(Rest::Colon | Rest::Nothing));
    let answer = rest_behind(ANSWERS);
    if whole(answer) || rest_behind(NOTICES) == Some(Rest::Colon) {
        Wording::Program
    } else if answers {
        // Who answers a person's mail has that person's words behind `Re:`.
        Wording::Person
    } else if answer.is_some() || rest_behind(RECEIPTS).is_some() || whole(rest_behind(EITHER)) {
        Wording::Either
    } else {
        Wording::Person
    }
}

/// What comes after a phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rest {
    Colon,
    Nothing,
    Words,
}

impl Rest {
    /// `None` where the phrase is the beginning of a longer word.
    fn of(rest: &str) -> Option<Self> {
        let trimmed = rest.trim_start_matches([' ', '"', '*', ']', ')', '!']);
        match (rest.chars().next(), trimmed.chars().next()) {
            (_, None) => Some(Self::Nothing),
            (_, Some(':' | '：')) | (Some(']' | ')'), _) => Some(Self::Colon),
            (Some(next), _) if next.is_alphanumeric() => None,
            (_, Some('.')) if trimmed.len() == 1 => Some(Self::Nothing),
            (_, Some(_)) => Some(Self::Words),
        }
    }
}

/// In lower case, with one blank where there are several, and plain dashes and apostrophes.
fn folded(subject: &str) -> String {
    let plain = |c: char| match c {
        '\u{2010}'..='\u{2015}' => '-',
        '\u{2019}' | '\u{b4}' => '\'',
        c if c.is_whitespace() => ' ',
        c => c,
    };
    let lower: String = subject.chars().take(LOOKED_AT).flat_map(char::to_lowercase).map(plain).collect();
    lower.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Characters of a subject that are looked at: many prefixes, and the longest phrase behind them.
const LOOKED_AT: usize = 400;

/// The subject without what stands before it: tags in brackets, and marks of an answer; and whether it had such a mark.
fn bare(subject: &str) -> (&str, bool) {
    let (mut rest, mut answers) = (subject, false);
    loop {
        rest = rest.trim_start_matches([' ', '"', '*', '\'', '-']);
        if let Some(after) = tag(rest) {
            rest = after;
        } else if let Some(after) = mark(rest) {
            (rest, answers) = (after, true);
        } else {
            return (rest, answers);
        }
    }
}

/// What comes behind a tag such as `[EXTERN]`, `[Ärende #12]` or `(Ticket 12)`, if there is one and more behind it.
/// What stands in the brackets of `[Autosvar]` or `(Auto-reply)` is the subject's own.
fn tag(text: &str) -> Option<&str> {
    let (open, close) = [('[', ']'), ('(', ')')].into_iter().find(|(open, _)| text.starts_with(*open))?;
    let (inner, after) = text.strip_prefix(open)?.split_once(close)?;
    if ANSWERS.contains(&inner.trim()) {
        return text.strip_prefix(open);
    }
    (!after.trim().is_empty()).then_some(after)
}

/// What comes behind `Re:`, `SV :`, `Re[2]:`, `AW(3):` or `RE^2:`.
fn mark(text: &str) -> Option<&str> {
    let (before, after) = text.split_once([':', '：'])?;
    let word = before.trim_end_matches(|c: char| c.is_ascii_digit() || " []()^#".contains(c));
    REPLY.contains(&word.trim()).then_some(after)
}

#[cfg(test)]
mod tests;
