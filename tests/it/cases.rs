//! The corpus: every case's facts are what stands beside it, and no damage to a message keeps its facts away.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use postvakt::address::{Address, DomainPattern, ReversePath};
use postvakt::facts::{Facts, Needs, extract::extract};
use postvakt::mail::{Client, Direction, Envelope, Mail, Message, Recipient};
use postvakt::organisation::Organisation;
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    mail: Transaction,
    expect: Expectation,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transaction {
    client: Option<String>,
    helo: Option<String>,
    auth: Option<String>,
    daemon_name: Option<String>,
    direction: Option<Direction>,
    sender: String,
    recipients: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "verdict, findings and edits are judged with the whole program")]
struct Expectation {
    direction: Direction,
    verdict: String,
    findings: Vec<String>,
    subject: Option<String>,
    message_id: Option<String>,
    attachments: Vec<String>,
    #[serde(default)]
    defects: Vec<String>,
    #[serde(default)]
    edits: Vec<String>,
}

const ALL: Needs = Needs { body: true, text: true, seen: true };

#[test]
fn facts_are_as_expected() {
    let cases = corpus();
    assert!(cases.len() >= 40);
    for (path, case, message) in cases {
        let facts = extract(&case.mail.with(&message), &organisation(), ALL);
        let name = path.display();
        let expect = &case.expect;
        assert_eq!(facts.direction, expect.direction, "{name}: {}", case.about);
        assert_eq!(facts.header.subject, expect.subject, "{name}: {}", case.about);
        assert_eq!(facts.header.message_id, expect.message_id, "{name}: {}", case.about);
        let attachments: Vec<_> = facts.attachments.iter().map(|attachment| &attachment.name).collect();
        assert_eq!(attachments, expect.attachments.iter().collect::<Vec<_>>(), "{name}: {}", case.about);
        assert_eq!(defects(&facts), sorted(expect.defects.clone()), "{name}: {}", case.about);
        assert!(message.iter().enumerate().all(|(at, b)| *b != b'\n' || at > 0 && message[at - 1] == b'\r'));
    }
}

#[test]
fn text_is_gathered_only_where_it_is_needed() {
    for (path, case, message) in corpus() {
        let mail = case.mail.with(&message);
        let body = extract(&mail, &organisation(), Needs { body: true, ..Needs::default() });
        let all = extract(&mail, &organisation(), ALL);
        assert!(body.text.is_empty());
        assert_eq!(body.attachments, all.attachments, "{}", path.display());
        assert_eq!(defects(&body), defects(&all), "{}", path.display());
        assert!(extract(&mail, &organisation(), Needs::default()).attachments.is_empty());
    }
}

#[test]
fn line_ends_make_no_difference() {
    for (path, case, message) in corpus() {
        let unix: Vec<u8> = message.iter().copied().filter(|byte| *byte != b'\r').collect();
        let (crlf, lf) = (case.mail.with(&message), case.mail.with(&unix));
        let (crlf, lf) = (extract(&crlf, &organisation(), ALL), extract(&lf, &organisation(), ALL));
        assert_eq!(crlf.header.fields, lf.header.fields, "{}", path.display());
        let names = |facts: &Facts| facts.attachments.iter().map(|a| a.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&crlf), names(&lf), "{}", path.display());
    }
}

#[test]
fn damaged_messages_have_facts_too() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for (path, case, message) in corpus() {
        for at in (0..=message.len()).step_by(7) {
            survives(&path, &case, &message[..at]);
            let mut damaged = message.clone();
            for _ in 0..=random.below(4) {
                let place = random.below(damaged.len());
                damaged[place] ^= 1 << random.below(8);
            }
            survives(&path, &case, &damaged);
            let mut spliced = message[..at].to_vec();
            spliced.extend_from_slice(&message[random.below(message.len())..]);
            survives(&path, &case, &spliced);
        }
    }
}

fn survives(path: &Path, case: &Case, message: &[u8]) {
    let facts = catch_unwind(AssertUnwindSafe(|| extract(&case.mail.with(message), &organisation(), ALL)));
    let damaged = || format!("{}: {:?}", path.display(), String::from_utf8_lossy(message));
    let Ok(facts) = facts else { panic!("{}", damaged()) };
    let lines =
        facts.header.subject.iter().chain(facts.attachments.iter().map(|attachment| &attachment.name));
    for line in lines {
        assert!(!line.contains(char::is_control), "{}", damaged());
    }
}

fn corpus() -> Vec<(PathBuf, Case, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    paths.sort();
    let read = |path: PathBuf| {
        let expected = fs::read_to_string(path.with_extension("toml")).unwrap();
        let case = toml::from_str(&expected).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let message = fs::read(&path).unwrap();
        (path, case, message)
    };
    paths.into_iter().map(read).collect()
}

impl Transaction {
    fn with(&self, message: &[u8]) -> Mail {
        let body_at = [&b"\r\n\r\n"[..], b"\n\n"]
            .iter()
            .filter_map(|end| Some(message.windows(end.len()).position(|window| window == *end)? + end.len()))
            .min();
        Mail {
            arrived: Timestamp::UNIX_EPOCH,
            listener_direction: self.direction,
            client: Client {
                address: self.client.as_ref().map(|address| address.parse().unwrap()),
                helo: self.helo.clone(),
                auth_user: self.auth.clone(),
                daemon_name: self.daemon_name.clone(),
                ..Client::default()
            },
            envelope: Envelope {
                sender: ReversePath::from_wire(self.sender.as_bytes()),
                smtputf8: false,
                recipients: self.recipients.iter().map(|recipient| to(recipient)).collect(),
            },
            queue_id: None,
            message: Message {
                bytes: Bytes::copy_from_slice(message),
                body_at: body_at.unwrap_or(message.len()),
                size: message.len() as u64,
            },
        }
    }
}

fn to(recipient: &str) -> Recipient {
    Recipient {
        raw: Bytes::copy_from_slice(format!("<{recipient}>").as_bytes()),
        address: Address::parse(recipient).unwrap(),
    }
}

fn organisation() -> Arc<Organisation> {
    Arc::new(Organisation {
        name: "Exempelby kommun".into(),
        domains: vec![DomainPattern::parse("exempelby.se").unwrap()],
        internal_networks: ["127.0.0.0/8", "::1/128", "10.0.0.0/8"].map(|net| net.parse().unwrap()).into(),
    })
}

fn defects(facts: &Facts) -> Vec<String> {
    sorted(facts.defects.iter().map(|defect| defect.as_str().to_owned()).collect())
}

fn sorted(mut words: Vec<String>) -> Vec<String> {
    words.sort();
    words
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
