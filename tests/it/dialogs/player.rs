//! Plays a dialog over memory, with a handler that writes down what it sees.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use postvakt::answer::Answer;
use postvakt::limits;
use postvakt::mail::{Incomplete, Mail};
use postvakt::milter::connection::{self, Phase, Settings, Timers};
use postvakt::milter::{Handler, Wants};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::yield_now;

use super::script::{Expected, Script, Scripted};

/// Octets of a message that an event shows.
const SHOWN: usize = 400;

/// How the MTA's octets arrive.
#[derive(Clone, Copy, Debug)]
pub(super) enum Delivery {
    Whole,
    Bytewise,
    SplitAt(usize),
}

/// Answers as it was told, and remembers.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) answers: Mutex<VecDeque<Scripted>>,
    pub(super) events: Mutex<Vec<String>>,
    pub(super) envelopes_only: bool,
}

impl Recorder {
    pub(super) fn events(&self) -> Vec<String> {
        self.events.lock().unwrap().clone()
    }
}

impl Handler for Recorder {
    fn wants(&self) -> Wants {
        Wants { message: !self.envelopes_only }
    }

    async fn judge(&self, mail: Mail) -> Answer {
        self.events.lock().unwrap().push(shown("judge", &mail));
        let scripted = self.answers.lock().unwrap().pop_front();
        match scripted {
            None => Answer::pass(),
            Some(Scripted::Answer(answer)) => answer,
            // As `panic!`, without the message on the terminal.
            Some(Scripted::Panic) => std::panic::resume_unwind(Box::new("as the script says")),
        }
    }

    fn incomplete(&self, mail: Mail, why: Incomplete) {
        self.events.lock().unwrap().push(shown(why.as_str(), &mail));
    }
}

/// An event in one line; what is absent is left out.
fn shown(event: &str, mail: &Mail) -> String {
    let mut line = format!("{event} from={}", mail.envelope.sender);
    let client = &mail.client;
    let raw = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let recipients: Vec<_> = mail.envelope.recipients.iter().map(|to| raw(&to.raw)).collect();
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            write!(line, " {name}={value}").unwrap();
        }
    };
    field("to", Some(recipients.join(",")));
    field("id", mail.queue_id.clone());
    field("client", client.address.map(|address| address.to_string()));
    field("name", client.name.clone());
    field("helo", client.helo.clone());
    field("auth", client.auth_user.clone());
    field("tls", client.tls.clone());
    field("daemon", client.daemon_name.clone());
    field("direction", mail.listener_direction.map(|direction| direction.to_string()));
    field("smtputf8", mail.envelope.smtputf8.then(|| "yes".into()));
    let message = &mail.message;
    let (header, body) = message.bytes.split_at(message.body_at);
    if message.size > message.bytes.len() as u64 || message.bytes.len() > SHOWN {
        field("kept", Some(message.bytes.len().to_string()));
        field("size", Some(message.size.to_string()));
    } else {
        field("header", Some(raw(header)));
        field("body", Some(raw(body)));
    }
    line
}

/// Settings for a test; the sender changes the phase.
pub(super) fn settings() -> (watch::Sender<Phase>, Settings) {
    let (sender, phase) = watch::channel(Phase::Running);
    let settings = Settings {
        direction: None,
        peer: None,
        timers: Timers::default(),
        in_flight: Arc::new(Semaphore::new(limits::IN_FLIGHT_OCTETS)),
        phase,
    };
    (sender, settings)
}

/// Plays the dialog; the error says what was other than expected.
pub(super) async fn check(script: &Script, delivery: Delivery) -> Result<(), String> {
    let handler = Arc::new(Recorder {
        answers: Mutex::new(script.answers.clone().into()),
        envelopes_only: script.envelopes_only,
        ..Recorder::default()
    });
    let (_phase, mut settings) = settings();
    settings.direction = script.direction;
    let room = if matches!(delivery, Delivery::Bytewise) { 1 } else { 1 << 20 };
    let (mta, filter) = tokio::io::duplex(room);
    let filter = tokio::spawn(connection::run(filter, Arc::clone(&handler), settings));
    let received = converse(mta, &script.sent, delivery, script.closes).await;
    filter.await.unwrap();
    compare(script, &received).map_err(|wrong| format!("{} {delivery:?}: {wrong}", script.name))?;
    let events = handler.events();
    if events != script.events {
        return Err(format!("{} {delivery:?}: events were\n{}", script.name, events.join("\n")));
    }
    Ok(())
}

/// Sends everything, while reading to the end. An MTA that is not hung up on hangs up itself.
async fn converse(mta: DuplexStream, sent: &[u8], delivery: Delivery, closes: bool) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(mta);
    let mut received = Vec::new();
    let write = async {
        let at = if let Delivery::SplitAt(at) = delivery { at } else { 0 };
        let (first, second) = sent.split_at(at);
        // A filter that hangs up need not read the rest.
        let first = writer.write_all(first).await;
        for _ in 0..4 {
            yield_now().await;
        }
        let second = writer.write_all(second).await;
        if !closes {
            first.and(second).unwrap();
            writer.shutdown().await.unwrap();
        }
    };
    let (read, ()) = tokio::join!(reader.read_to_end(&mut received), write);
    read.unwrap();
    received
}

fn compare(script: &Script, received: &[u8]) -> Result<(), String> {
    let mut rest = received;
    for Expected { bytes, open } in &script.expected {
        let got = next_frame(&mut rest);
        let same = if *open { got.starts_with(bytes) } else { got == bytes };
        if !same {
            return Err(format!("expected \"{}\", got \"{}\"", bytes.escape_ascii(), got.escape_ascii()));
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(format!("and also \"{}\"", rest.escape_ascii())) }
}

/// The next frame without its length; empty at the end.
pub(super) fn next_frame<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let Some((length, after)) = rest.split_first_chunk::<4>() else { return &[] };
    let (frame, after) = after.split_at(u32::from_be_bytes(*length) as usize);
    *rest = after;
    frame
}
