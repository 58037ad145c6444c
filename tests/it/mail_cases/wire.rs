//! The wire: a case is played to the program, in one SMTP session for each mail, and its mail delivered as Postfix
//! would.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command};

use postvakt::address::{Address, ReversePath};
use postvakt::answer::Edit;
use postvakt::cli::demo::mta::{Heard, Mta, Session};
use postvakt::cli::explain::edit_json;
use postvakt::mail::{Envelope, Message, Recipient};
use serde_json::{Value, json};

use super::case::Case;
use super::judge::{Delivered, Finding, Seen, text};
use crate::incoming::dns::Dns;
use crate::lab::program::PROGRAM;
use crate::lab::{Log, run, until};

/// Plays the case, and tells what was seen of it.
pub(super) fn played(case: &Case, dns: &Dns) -> Seen {
    let mut server = Server::start(case, dns);
    let mut delivered = Delivered::default();
    for before in &case.before {
        delivered = server.send_file(&case.with(before), &delivered).2;
    }
    if !case.series.is_empty() {
        for word in &case.series {
            let message = fs::read_to_string(case.path(&case.file)).unwrap().replace("%N%", word);
            let mail = case.sent_by(case.from.replace("%N%", word));
            server.send(&mail, split(message.as_bytes()));
        }
        return Seen { queued: server.receipts(&["list"]).len(), ..Seen::default() };
    }
    let (mut queue_id, mut heard, mut delivered) = server.send_file(case, &delivered);
    let first: Vec<_> = case.same.iter().map(|name| (name.clone(), delivered.values(name))).collect();
    for again in &case.again {
        (queue_id, heard, delivered) = server.send(&case.with(again), delivered);
    }
    let record = server.record(&queue_id);
    let outcome = record["receipt"].as_str().and_then(|outcome| outcome.split_once('='));
    let (receipt, reason) = outcome.map_or((None, None), |(_, outcome)| {
        let (receipt, reason) = outcome.split_once(' ').unwrap_or((outcome, ""));
        (Some(receipt.to_owned()), Some(reason.to_owned()))
    });
    let mut facts = record.clone();
    facts["header_from"] = json!(joined(&record["header_from"]));
    Seen {
        direction: text(&record["direction"]).unwrap_or_default(),
        verdict: text(&record["verdict"]).unwrap_or_default(),
        findings: record["findings"].as_array().unwrap().iter().map(Finding::logged).collect(),
        facts,
        edits: heard.edits.iter().map(edit_json).collect(),
        receipt,
        reason,
        delivered: Some(delivered),
        first,
        queued: 0,
    }
}

/// A list, or one text, as one text.
fn joined(value: &Value) -> String {
    let one = std::slice::from_ref(value);
    let values = value.as_array().map_or(one, Vec::as_slice);
    values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

/// `postvakt serve` with a store of its own.
struct Server {
    child: Child,
    directory: tempfile::TempDir,
    config: PathBuf,
    sent: usize,
}

impl Server {
    fn start(case: &Case, dns: &Dns) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = case.config(directory.path(), dns);
        let log = Log(directory.path().join("log"));
        let said = File::create(&log.0).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--config"]).arg(&config);
        let child = command.stdout(said.try_clone().unwrap()).stderr(said).spawn().unwrap();
        let mut server = Self { child, directory, config, sent: 0 };
        until("the milter's socket", &log, || {
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("{}: the program ended with {status}:\n{log}", case.id);
            }
            UnixStream::connect(server.socket()).ok()
        });
        server
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("milter.sock")
    }

    /// As [`Server::send`], with the case's file; what it says of a receipt is that of the mail before it.
    fn send_file(&mut self, case: &Case, before: &Delivered) -> (String, Heard, Delivered) {
        let message = fs::read(case.path(&case.file)).unwrap();
        let message = if memchr::memmem::find(&message, b"@@").is_some() {
            self.filled_in(String::from_utf8(message).unwrap(), before).into_bytes()
        } else {
            message
        };
        self.send(case, split(&message))
    }

    /// Plays the mail, and gives its queue id, what was answered, and what was delivered.
    fn send(&mut self, case: &Case, message: Delivered) -> (String, Heard, Delivered) {
        self.sent += 1;
        let queue_id = format!("4CASE{:04}", self.sent);
        let client = case.client.parse().unwrap();
        let session =
            Session { client: Some(client), helo: "client.example.org".to_owned(), ..Session::default() };
        let recipient = |address: &String| Recipient {
            raw: format!("<{address}>").into(),
            address: Address::parse(address).unwrap(),
        };
        let envelope = Envelope {
            sender: ReversePath::from_wire(case.from.as_bytes()),
            smtputf8: false,
            recipients: case.rcpts.iter().map(recipient).collect(),
        };
        let message_on_the_wire = on_the_wire(&message);
        let deliver = || {
            let mut mta = Mta::open(UnixStream::connect(self.socket())?, &session)?;
            let heard = mta.deliver(&session, &envelope, &message_on_the_wire, &queue_id)?;
            mta.quit()?;
            Ok::<_, std::io::Error>(heard)
        };
        // A machine that is slow for the moment ends a session or defers a mail, and its client brings it again.
        let deferred =
            |heard: &Heard| heard.reply.as_ref().is_some_and(|reply| reply.starts_with("451 4.3.0"));
        let heard = until("a mail that is stored", &Log(self.directory.path().join("log")), || {
            deliver().ok().filter(|heard| !deferred(heard))
        });
        let received =
            format!("Received: from client.example.org\n\tby mx.exempelby.se (Postfix) id {queue_id}");
        let mut delivered = message;
        delivered.fields.insert(0, received.into_bytes());
        for edit in &heard.edits {
            apply(edit, &mut delivered.fields);
        }
        (queue_id, heard, delivered)
    }

    /// Puts the receipt of the mail before in the place of `@@reference@@`, `@@subject@@` and `@@id@@`, each as it is
    /// or in another form.
    fn filled_in(&self, message: String, before: &Delivered) -> String {
        let reference = before.values("X-Postvakt-Receipt").pop().expect("the mail before got a receipt");
        let receipt = self.receipts(&["show", &reference]).remove(0);
        let receipt = split(receipt["message"].as_str().unwrap().as_bytes());
        let field = |name| receipt.values(name).pop().unwrap();
        let id = field("Message-ID");
        let bare = id.trim_matches(['<', '>']);
        let (begin, end) = id.split_at(id.len() / 2);
        let escaped = |c: char| {
            if c.is_ascii_alphanumeric() { c.to_string() } else { format!("={:02X}", u32::from(c)) }
        };
        [
            ("reference", reference.clone()),
            ("reference:lower", reference.to_lowercase()),
            ("subject", field("Subject")),
            ("id", id.clone()),
            ("id:bare", bare.to_owned()),
            ("id:upper", id.to_uppercase()),
            ("id:folded", format!("{begin}\n {end}")),
            ("id:quoted", format!("\"{bare}\"")),
            ("id:encoded", format!("=?utf-8?Q?{}?=", id.chars().map(escaped).collect::<String>())),
            ("id:entities", format!("&lt;{bare}&gt;")),
        ]
        .into_iter()
        .fold(message, |message, (name, form)| message.replace(&format!("@@{name}@@"), &form))
    }

    /// The one record of a mail.
    fn record(&self, queue_id: &str) -> Value {
        let mut found = self.json(&["log", "search", "--purpose", "test of the log", "--queue-id", queue_id]);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    fn receipts(&self, verb: &[&str]) -> Vec<Value> {
        self.json(&[&["receipts"], verb].concat())
    }

    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let mut command = Command::new(PROGRAM);
        let said = run(command.args(arguments).arg("--json").arg("--config").arg(&self.config));
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A message in a file as Postfix reads it: the header section ends with an empty line, or before the first line that
/// is none of it, and a line of a mailbox file before it becomes a field.
fn split(message: &[u8]) -> Delivered {
    let mut message = message.to_vec();
    message.retain(|octet| *octet != b'\r');
    let mut delivered = Delivered::default();
    let mut rest = &message[..];
    while !rest.is_empty() {
        let end = rest.iter().position(|octet| *octet == b'\n').unwrap_or(rest.len());
        let (line, after) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
        let first = delivered.fields.is_empty();
        let unquoted = &line[line.iter().take_while(|octet| **octet == b'>').count()..];
        match line {
            [] => {
                rest = after;
                break;
            }
            [b' ' | b'\t', ..] if !first => {
                let last = delivered.fields.last_mut().unwrap();
                last.push(b'\n');
                last.extend(line);
            }
            _ if first && unquoted.starts_with(b"From ") => {
                delivered.fields.push([b"X-Mailbox-Line: ", line].concat());
            }
            _ if is_field(line) => delivered.fields.push(line.to_vec()),
            _ => break,
        }
        rest = after;
    }
    delivered.body = rest.to_vec();
    delivered
}

fn is_field(line: &[u8]) -> bool {
    let name = line.iter().take_while(|octet| octet.is_ascii_graphic() && **octet != b':').count();
    let blanks = line[name..].iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    name > 0 && line.get(name + blanks) == Some(&b':')
}

/// The message with the line ends of SMTP.
fn on_the_wire(message: &Delivered) -> Message {
    let lines = |text: &[u8]| -> Vec<u8> {
        text.iter()
            .flat_map(|octet| if *octet == b'\n' { &b"\r\n"[..] } else { std::slice::from_ref(octet) })
            .copied()
            .collect()
    };
    let header: Vec<u8> =
        message.fields.iter().flat_map(|field| [lines(field), b"\r\n".to_vec()].concat()).collect();
    let header = [header, b"\r\n".to_vec()].concat();
    let body_at = header.len();
    let bytes = [header, lines(&message.body)].concat();
    Message { size: bytes.len() as u64, bytes: bytes.into(), body_at }
}

/// Header edits as Postfix makes them: its own Received stands first, and `change` does not count it.
fn apply(edit: &Edit, fields: &mut Vec<Vec<u8>>) {
    let written = |name: &str, value: &str| format!("{name}: {value}").into_bytes();
    let place = |fields: &[Vec<u8>], name: &str, index: u32| {
        let named = |field: &[u8]| {
            let own = field.split(|octet| *octet == b':').next().unwrap_or_default();
            own.trim_ascii().eq_ignore_ascii_case(name.as_bytes())
        };
        let own = fields.iter().enumerate().skip(1).filter(|(_, field)| named(field));
        own.map(|(at, _)| at).nth(index.max(1) as usize - 1)
    };
    match edit {
        Edit::AddHeader { name, value } => fields.push(written(name, value)),
        Edit::InsertHeader { index, name, value } => {
            let at = (*index as usize).min(fields.len());
            fields.insert(at, written(name, value));
        }
        Edit::ChangeHeader { index, name, value } => match place(fields, name, *index) {
            Some(at) => fields[at] = written(name, value),
            None => fields.push(written(name, value)),
        },
        Edit::DeleteHeader { index, name } => {
            if let Some(at) = place(fields, name, *index) {
                fields.remove(at);
            }
        }
        Edit::RemoveRecipient { .. } | Edit::AddRecipient { .. } | Edit::Quarantine { .. } => {}
    }
}
