//! Names of attachments: every one that mail-parser finds in a message, the project's own walk finds, in the messages
//! of the corpus and in changed ones.

use std::collections::BTreeMap;
use std::path::Path;

use postvakt::facts::attachment::Attachment;

use mail_parser::{Message, MessageParser, MimeHeaders as _, PartType};

use crate::documents::messages::facts;
use crate::fuzz::{Chance, files};

/// The names that mail-parser finds, also in messages inside.
fn names(message: &Message<'_>, found: &mut Vec<String>) {
    for part in &message.parts {
        found.extend(part.attachment_name().map(str::to_owned));
        if let PartType::Message(inner) = &part.body {
            names(inner, found);
        }
    }
}

/// Letters and digits of a name: programs differ in what they make of the rest.
fn bare(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a name is this one, as far as mail-parser could read it: it leaves a sign for what is in no charset that it
/// was told.
fn is_same(own: &str, theirs: &str) -> bool {
    theirs.split(char::REPLACEMENT_CHARACTER).all(|known| own.contains(&bare(known)))
}

/// Names that the walk does not find.
fn missing(message: &[u8]) -> Vec<String> {
    let mut theirs = Vec::new();
    if let Some(parsed) = MessageParser::default().parse(message) {
        names(&parsed, &mut theirs);
    }
    theirs.retain(|name| !bare(name).is_empty());
    if theirs.is_empty() {
        return theirs;
    }
    let facts = facts(message);
    let mut ours: Vec<String> = facts.attachments.iter().flat_map(Attachment::names).map(bare).collect();
    ours.extend(facts.passages.iter().map(|passage| bare(&passage.text)));
    theirs.retain(|name| !ours.iter().any(|own| is_same(own, name)));
    theirs
}

/// The same message, as other programs write it.
fn variants(message: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(message).into_owned();
    let unix = text.replace("\r\n", "\n");
    let mut variants = vec![unix.replace('\n', "\r\n"), unix.clone()];
    variants.push(
        unix.replace("filename=", "FileName =").replace("Content-Disposition:", "CONTENT-disposition :"),
    );
    variants.push(unix.replace("; filename", ";\n\tfilename").replace("; name", ";\n name"));
    variants.push(unix.replace("Content-Disposition: attachment", "Content-Disposition: (a) attachment (b)"));
    variants.push(unix.replace("Content-Disposition: attachment", "Content-Disposition: inline"));
    variants
        .push(unix.replace("multipart/mixed", "multipart/related").replace("boundary=\"", "Boundary = \""));
    variants.push(format!("From: a@example.org\nContent-Type: message/rfc822\n\n{unix}"));
    variants.push(format!(
        "From: a@example.org\nContent-Type: multipart/mixed; boundary=\"ytterst\"\n\n--ytterst\nContent-Type: message/rfc822\nContent-Disposition: attachment; filename=\"vidare.eml\"\n\n{unix}\n--ytterst--\n"
    ));
    variants.into_iter().map(String::into_bytes).collect()
}

#[test]
fn every_name_that_mail_parser_finds_is_found() {
    let mut messages = BTreeMap::new();
    for folder in ["corpus", "tests/mail-cases", "tests/content"] {
        for path in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) {
            let size = std::fs::metadata(&path).unwrap().len();
            if path.extension().is_some_and(|ending| ending == "eml") && size < 64 << 10 {
                messages.insert(path.display().to_string(), std::fs::read(&path).unwrap());
            }
        }
    }
    let mut wrong = Vec::new();
    let (mut chance, mut with_names) = (Chance(1), 0);
    for (path, message) in &messages {
        let mut theirs = Vec::new();
        MessageParser::default().parse(message).iter().for_each(|parsed| names(parsed, &mut theirs));
        // Of two pieces for one place in a name it makes one name, and no mail program does.
        if theirs.is_empty() || path.ends_with("two-of-one-place.eml") {
            continue;
        }
        with_names += 1;
        let mut tried = vec![message.clone()];
        tried.extend(variants(message));
        // Damage where the structure is: in the first kilobytes.
        for _ in 0..10 {
            let mut damaged = message.clone();
            let end = damaged.len().min(3_000);
            match chance.below(3) {
                0 => damaged.truncate(chance.below(end)),
                1 => drop(damaged.remove(chance.below(end))),
                _ => damaged[chance.below(end)] ^= 1 << chance.below(7),
            }
            tried.push(damaged);
        }
        for (number, message) in tried.iter().enumerate() {
            let missing = missing(message);
            if !missing.is_empty() {
                wrong.push(format!("{path}, variant {number}: {missing:?}"));
            }
        }
    }
    assert!(with_names > 40, "{with_names} messages with names");
    assert!(wrong.is_empty(), "{}\n{}\n", wrong.len(), wrong.join("\n"));
}
