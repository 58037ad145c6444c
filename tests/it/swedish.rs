//! Swedish texts: every id that people read has a Swedish name, and no notice shows an id in its Swedish part.

use std::fs;
use std::path::Path;

use postvakt::rules::{self, Section};
use postvakt::scan::Kind;
use postvakt::scan::fold::Folded;
use postvakt::scan::terms::{Category, Terms, shipped};
use postvakt::templates::{Occasion, Template};
use postvakt::{swedish, texts};

/// Ids that are Swedish words themselves.
const SWEDISH: [&str; 8] = [
    "personnummer",
    "samordningsnummer",
    "interimsnummer",
    "reservnummer",
    "bankgiro",
    "plusgiro",
    "organisationsnummer",
    "religion",
];

#[test]
fn every_id_has_a_swedish_name() {
    let kinds = Kind::ALL.map(Kind::as_str);
    let secrets = ["password", "code", "private key", "token"];
    let terms = Terms::new(shipped()).unwrap();
    for id in kinds.into_iter().chain(Category::ALL.map(Category::as_str)).chain(secrets) {
        let name = swedish::kind(id);
        assert!(name != id || SWEDISH.contains(&id), "{id}");
        // A mail that quotes a notice is not found because of it.
        assert_eq!(terms.find(Folded::new(name).bytes()).count(), 0, "{name}");
    }
    for class in ["none", "moderate", "considerable", "serious"] {
        assert_ne!(swedish::class(class), class);
    }
    for spec in rules::ALL {
        let id = match spec.section {
            Section::One => spec.id.to_owned(),
            Section::Named(name) => format!("{}.{name}", spec.id),
        };
        assert_ne!(swedish::rule(&id), id);
    }
}

#[test]
fn the_swedish_part_of_a_notice_has_no_english_ids() {
    for occasion in Occasion::NOTICES {
        let fields = [
            "organisation",
            "mailbox",
            "target",
            "reroute_to",
            "forwarder",
            "decision",
            "until",
            "subject",
            "sender",
            "recipients",
            "queue_id",
            "secure_alternative",
            "node",
            "text",
            "count",
            "oldest",
            "limit",
            "date",
            "time",
        ];
        let mut fields: Vec<(&str, String)> = fields.map(|name| (name, name.to_uppercase())).to_vec();
        let ids = [
            ("action", "held"),
            ("class", "serious"),
            ("kinds", "health (1)"),
            ("rule", "suspicious-attachment"),
            ("result", "not-allowed"),
            ("override", "yes"),
        ];
        fields.extend(ids.map(|(name, id)| (name, id.to_owned())));
        fields.push(("class_sv", swedish::class("serious").to_owned()));
        fields.push(("kinds_sv", format!("{} (1)", swedish::kind("health"))));
        fields.push(("rule_sv", swedish::rule("suspicious-attachment").into_owned()));
        fields.push(("text_sv", texts::ATTACHMENT.0.to_owned()));
        fields.push(("text_en", texts::ATTACHMENT.1.to_owned()));
        let text = Template::shipped(occasion).render(&fields).unwrap();
        let (in_swedish, in_english) = text.body.split_once("\n--\nIn English\n").unwrap();
        // A command has its own name.
        let said = format!("{}\n{in_swedish}", text.subject).replace("postvakt held ", "");
        assert!(!in_english.is_empty() && ids.iter().all(|(_, id)| !said.contains(id)), "{said}");
    }
}

/// What the console tells in Swedish is said by a command, in these very words.
#[test]
fn every_sentence_that_pages_translate_is_said_by_a_command() {
    fn collect(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, text);
            } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("sentences.rs")
            {
                text.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    collect(&root.join("src"), &mut code);
    // A sentence may go on in the next line.
    let parts: Vec<&str> = code.split("\\\n").collect();
    let code: String =
        parts.iter().enumerate().map(|(at, part)| if at == 0 { part } else { part.trim_start() }).collect();
    let sentences = fs::read_to_string(root.join("src/console/page/sentences.rs")).unwrap();
    let (_, table) = sentences.split_once("const SENTENCES").unwrap();
    let table = table.split("\n];").next().unwrap();
    let english = table.split("(\n").flat_map(|part| part.split("    (\""));
    let mut count = 0;
    for one in english.skip(1) {
        let one = one.trim_start().trim_start_matches('"');
        let one = one.split("\",").next().unwrap();
        // What clap says is not in our code.
        if one.is_empty() || one.contains("invalid value") || one.contains("required arguments") {
            continue;
        }
        count += 1;
        let longest = one.split("{}").max_by_key(|piece| piece.len()).unwrap();
        assert!(code.contains(&longest.replace('"', "\\\"")) || code.contains(longest), "{one}: {longest:?}");
    }
    assert!(count > 40, "{count}");
}
