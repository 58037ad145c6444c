//! The corpus: every case, over the wire and as `explain` says, is what stands beside it; and no damage to a message
//! keeps its facts away.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use postvakt::cli::demo::{self, case::Case};
use postvakt::config::Config;
use postvakt::facts::{Facts, Needs, extract::extract};
use postvakt::mail::{Mail, Message};
use postvakt::organisation::Organisation;

use crate::lab::program::PROGRAM;

const ALL: Needs = Needs { body: true, text: true, documents: true, seen_days: 1, ..Needs::NONE };

#[test]
fn the_wire_and_explain_say_what_every_case_expects() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("postvakt.toml");
    std::fs::write(&path, demo::config_text(directory.path()).unwrap()).unwrap();
    let config = Config::load(&path).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let played = runtime
        .block_on(demo::play(config, directory.path(), Path::new(PROGRAM), Case::all().unwrap()))
        .unwrap();
    assert!(played.len() >= 40);
    let wrong = played
        .iter()
        .flat_map(|played| played.wrong.iter().map(|wrong| format!("{}: {wrong}", played.case.name)));
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let ids: std::collections::BTreeSet<String> = played
        .iter()
        .map(|played| played.record.as_ref().expect("every mail has a record").to_string())
        .collect();
    assert_eq!(ids.len(), played.len(), "each record is one mail's");
}

#[test]
fn text_is_gathered_only_where_it_is_needed() {
    for case in Case::all().unwrap() {
        let mail = case.mail(Timestamp::UNIX_EPOCH);
        let body = extract(&mail, &organisation(), Needs { body: true, ..Needs::default() });
        let all = extract(&mail, &organisation(), ALL);
        assert!(body.passages.is_empty() && body.traces.is_empty());
        assert_eq!(body.attachments, all.attachments, "{}", case.name);
        assert_eq!(body.defects, all.defects, "{}", case.name);
        assert!(extract(&mail, &organisation(), Needs::default()).attachments.is_empty());
    }
}

#[test]
fn line_ends_make_no_difference() {
    for case in Case::all().unwrap() {
        let unix: Vec<u8> = case.message.bytes.iter().copied().filter(|byte| *byte != b'\r').collect();
        let crlf = extract(&case.mail(Timestamp::UNIX_EPOCH), &organisation(), ALL);
        let lf = extract(&with(&case, &unix), &organisation(), ALL);
        assert_eq!(crlf.header.fields, lf.header.fields, "{}", case.name);
        let names = |facts: &Facts| facts.attachments.iter().map(|a| a.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&crlf), names(&lf), "{}", case.name);
    }
}

#[test]
fn damaged_messages_have_facts_too() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for case in Case::all().unwrap() {
        let message = &case.message.bytes;
        // A long message is damaged at fewer places: the work is the square of its length.
        for at in (0..=message.len()).step_by((message.len() / 500).max(7)) {
            survives(&case, &message[..at]);
            let mut damaged = message.to_vec();
            for _ in 0..=random.below(4) {
                let place = random.below(damaged.len());
                damaged[place] ^= 1 << random.below(8);
            }
            survives(&case, &damaged);
            let mut spliced = message[..at].to_vec();
            spliced.extend_from_slice(&message[random.below(message.len())..]);
            survives(&case, &spliced);
        }
    }
}

fn survives(case: &Case, message: &[u8]) {
    let facts = catch_unwind(AssertUnwindSafe(|| extract(&with(case, message), &organisation(), ALL)));
    let damaged = || format!("{}: {:?}", case.name, String::from_utf8_lossy(message));
    let Ok(facts) = facts else { panic!("{}", damaged()) };
    let names = facts.attachments.iter().map(|attachment| &attachment.name);
    for line in facts.header.subject.iter().chain(names) {
        assert!(!line.contains(char::is_control), "{}", damaged());
    }
}

/// The case's mail with another message in it, line ends as they are.
fn with(case: &Case, message: &[u8]) -> Mail {
    let ends = [&b"\r\n\r\n"[..], b"\n\n"];
    let ends =
        ends.iter().filter_map(|end| Some(message.windows(end.len()).position(|at| at == *end)? + end.len()));
    let body_at = ends.min().unwrap_or(message.len());
    let size = message.len() as u64;
    Mail {
        message: Message { bytes: message.to_vec().into(), body_at, size },
        ..case.mail(Timestamp::UNIX_EPOCH)
    }
}

/// The demonstration's organisation, read once: tens of thousands of damaged messages ask for it.
fn organisation() -> Arc<Organisation> {
    static ORGANISATION: LazyLock<Arc<Organisation>> = LazyLock::new(|| {
        let surroundings = postvakt::config::ParseContext {
            file: "postvakt.toml",
            host: "mail",
            now: Timestamp::UNIX_EPOCH,
            files: &postvakt::config::NoFiles,
        };
        let text = demo::config_text(Path::new("/tmp")).unwrap();
        Config::parse(text.as_bytes(), &surroundings).unwrap().organisation
    });
    ORGANISATION.clone()
}

/// A xorshift generator: the same damage in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap()
    }
}
