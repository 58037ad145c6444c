//! Swedish names for notices, pages and reports. Headers, log columns and JSON keep the English ids.
//!
//! A word that has no name here is its own name: Swedish terms such as `personnummer`, and an id that is new.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

/// The name of a class of information.
pub fn class(id: &str) -> &str {
    match id {
        "none" => "ingen",
        "moderate" => "måttlig",
        "considerable" => "betydande",
        "serious" => "allvarlig",
        other => other,
    }
}

/// The name of a kind of number, a category or a kind of credential. It is none of the terms that the rules look for, so
/// that a mail which quotes a notice is not found because of it.
pub fn kind(id: &str) -> &str {
    match id {
        "bank" => "bankkonto",
        "card" => "kortnummer",
        "passport" => "passnummer",
        "address" => "bostadsadress",
        "henkilotunnus" => "finländsk personbeteckning",
        "fodselsnummer" => "norskt fødselsnummer",
        "cpr" => "danskt CPR-nummer",
        "lma" => "LMA-kort",
        "health" => "hälsa",
        "social" => "sociala ärenden",
        "union" => "medlemskap i fack",
        "religion" => "religion",
        "ethnicity" => "etnicitet",
        "sexuality" => "sexualitet",
        "politics" => "politisk uppfattning",
        "biometrics" => "kroppskännetecken",
        "crime" => "brott",
        "protected" => "skydd i folkbokföringen",
        "school" => "skolgång",
        "password" => "lösenord",
        "code" => "kod",
        "private key" => "privat nyckel",
        "token" => "åtkomstnyckel",
        other => other,
    }
}

/// The name of a rule.
pub fn rule(id: &str) -> Cow<'_, str> {
    let name = match id {
        "second-pass" => "kom igenom igen",
        "auto-forward" => "automatisk vidarebefordran",
        "sensitive-data" => "känsliga uppgifter",
        "credentials" => "lösenord och nycklar",
        "spam" => "skräppost",
        "virus" => "skadlig kod",
        "suspicious-attachment" => "misstänkt bilaga",
        "lookalike-sender" => "förväxlingsbar avsändare",
        "first-contact" => "ny avsändare",
        "mass-mailing" => "massutskick",
        "large-attachment" => "stora bilagor",
        "suspicious-link" => "misstänkt länk",
        "receipt" => "mottagningskvitto",
        other => match other.strip_prefix("custom.") {
            Some(name) => return format!("egen regel {name}").into(),
            None => other,
        },
    };
    name.into()
}

/// A finding of the log, `rule=grade`, or what would have followed, `rule=verdict`, by the names of both.
pub fn finding(finding: &str) -> String {
    let Some((id, grade)) = finding.split_once('=') else { return finding.to_owned() };
    let grade = match grade {
        "weak" => "svag",
        "medium" => "möjlig",
        "strong" => "trolig",
        "certain" => "säker",
        "unknown" => "kontrollen slutfördes inte",
        "accepted" => "godtaget",
        "marked" => "märkt",
        "held" => "kvarhållet",
        "deferred" => "uppskjutet",
        "rejected" => "avvisat",
        other => other,
    };
    format!("{} ({grade})", rule(id))
}
