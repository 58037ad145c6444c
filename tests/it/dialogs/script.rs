//! The format of dialogs: what is sent, what is expected, and what the handler answers.

use std::fs;
use std::path::Path;

use postvakt::answer::{Answer, Edit};
use postvakt::mail::Direction;
use postvakt::reply::{Basic, ReplyClass, SmtpReply};

/// One dialog.
pub(super) struct Script {
    pub(super) name: String,
    /// All that the MTA sends.
    pub(super) sent: Vec<u8>,
    /// The frames that it must get.
    pub(super) expected: Vec<Expected>,
    /// Whether the filter must end the connection by itself.
    pub(super) closes: bool,
    /// What the handler must see.
    pub(super) events: Vec<String>,
    /// What it answers, one after another, and then "pass".
    pub(super) answers: Vec<Scripted>,
    pub(super) envelopes_only: bool,
    pub(super) direction: Option<Direction>,
}

/// A frame without its length; an open one may go on.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) bytes: Vec<u8>,
    pub(super) open: bool,
}

#[derive(Clone)]
pub(super) enum Scripted {
    Answer(Answer),
    Panic,
}

impl Script {
    pub(super) fn read(path: &Path) -> Self {
        let mut script = Self {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            sent: Vec::new(),
            expected: Vec::new(),
            closes: false,
            events: Vec::new(),
            answers: Vec::new(),
            envelopes_only: false,
            direction: None,
        };
        for (n, line) in fs::read_to_string(path).unwrap().lines().enumerate() {
            assert!(script.line(line.trim_end()), "{}:{}: {line}", path.display(), n + 1);
        }
        script
    }

    fn line(&mut self, line: &str) -> bool {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            "" | "#" => {}
            ">" => self.sent.extend(frame(&tokens(rest))),
            ">>" => self.sent.extend(tokens(rest)),
            "<" if rest == "close" => self.closes = true,
            "<" => {
                let open = rest.ends_with("...");
                self.expected.push(Expected { bytes: tokens(rest.trim_end_matches("...")), open });
            }
            "=" => self.events.push(rest.to_owned()),
            "!" => self.answers.push(answer(rest)),
            "@" => match rest {
                "envelopes only" => self.envelopes_only = true,
                "outbound listener" => self.direction = Some(Direction::Outbound),
                _ => return false,
            },
            _ => return false,
        }
        true
    }
}

pub(super) fn frame(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// `C "text\0"*3 e7ca`: letters, strings with Rust's escapes, repetitions, hex.
pub(super) fn tokens(mut rest: &str) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = end_of_string(quoted);
            let string = unescape(&quoted[..end]);
            rest = &quoted[end + 1..];
            let mut times = 1;
            if let Some(count) = rest.strip_prefix('*') {
                let digits = count.find(' ').unwrap_or(count.len());
                times = count[..digits].parse().unwrap();
                rest = &count[digits..];
            }
            out.extend(string.repeat(times));
        } else if rest.is_empty() {
            return out;
        } else {
            let end = rest.find(' ').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            rest = after;
            if word.len() == 1 {
                out.extend(word.bytes());
            } else {
                let byte = |at| u8::from_str_radix(&word[at..at + 2], 16).unwrap();
                out.extend((0..word.len()).step_by(2).map(byte));
            }
        }
    }
}

fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    text.find(|c| {
        let end = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        end
    })
    .expect("a closing quote")
}

fn unescape(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&escape, after) = rest.split_first().unwrap();
        rest = after;
        out.push(match escape {
            b'0' => 0,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let (hex, after) = rest.split_at(2);
                rest = after;
                u8::from_str_radix(std::str::from_utf8(hex).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    out
}

fn answer(text: &str) -> Scripted {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = || rest.to_owned();
    let edit = match word {
        "panic" => return Scripted::Panic,
        "pass" => return Scripted::Answer(Answer::pass()),
        "refuse" => {
            let reply = SmtpReply::new(ReplyClass::Permanent, Basic::Unavailable, (7, 1), &rest());
            return Scripted::Answer(Answer::refuse(reply));
        }
        "hold" => Edit::Quarantine { reason: rest() },
        "mark" => Edit::InsertHeader { index: 1, name: "X-Mark".into(), value: rest() },
        "remove" => Edit::RemoveRecipient { raw: rest().into_bytes() },
        other => panic!("no answer {other}"),
    };
    Scripted::Answer(Answer { edits: vec![edit], refusal: None })
}
