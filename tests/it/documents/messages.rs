//! Messages: whatever a message holds is read somewhere, also what mail programs pass over.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use postvakt::address::ReversePath;
use postvakt::facts::passage::Place;
use postvakt::facts::{Facts, Needs, extract};
use postvakt::mail::{Client, Envelope, Mail, Message};

use super::*;

const NEEDS: Needs = Needs { body: true, text: true, documents: true, ..Needs::NONE };

/// The facts of a message, its documents opened.
pub(crate) fn facts(message: &[u8]) -> Facts {
    let end =
        |line: &[u8]| message.windows(line.len()).position(|window| window == line).map(|at| at + line.len());
    let body_at = match (end(b"\r\n\r\n"), end(b"\n\n")) {
        (Some(a), Some(b)) => a.min(b),
        (a, b) => a.or(b).unwrap_or(message.len()),
    };
    let mail = Mail {
        arrived: Timestamp::UNIX_EPOCH,
        listener_direction: None,
        client: Client::default(),
        envelope: Envelope {
            sender: ReversePath::from_wire(b"<x@example.net>"),
            smtputf8: false,
            recipients: vec![],
        },
        queue_id: None,
        message: Message { bytes: Bytes::copy_from_slice(message), body_at, size: message.len() as u64 },
    };
    let mut facts = extract::extract(&mail, &Arc::default(), NEEDS);
    for unopened in std::mem::take(&mut facts.unopened) {
        let attachment = &facts.attachments[unopened.attachment];
        let input =
            Input { name: &attachment.name, media_type: &attachment.media_type, bytes: &unopened.content };
        let reading = read(&input, &mut Budget::new(unopened.content.len()));
        facts.opened(unopened.attachment, reading);
    }
    facts
}

fn text(facts: &Facts) -> String {
    facts.passages.iter().map(|passage| passage.text.clone() + "\n").collect()
}

pub(crate) fn base64(content: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in content.chunks(3) {
        let value = group.iter().fold(0_u32, |value, octet| value << 8 | u32::from(*octet))
            << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = char::from(DIGITS[(value >> (18 - 6 * place)) as usize & 63]);
            out.push(if place > group.len() { '=' } else { digit });
        }
        if out.len() % 77 == 76 {
            out.push('\n');
        }
    }
    out
}

fn multipart(inside: &str) -> String {
    format!("Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n{inside}")
}

#[test]
fn nothing_that_mail_programs_pass_over_is_passed_over() {
    let secret = "Personnummer 811228-9874";
    let encoded = base64(secret.as_bytes());
    let junk = format!("{}!{}", &encoded[..8], &encoded[8..]);
    let quoted = secret.replace('8', "=38");
    for (what, message) in [
        ("subject", format!("Subject: =?utf-8?b?{}?=\n\n", encoded.trim())),
        ("display name", format!("From: \"{secret}\" <a@example.org>\n\n")),
        ("recipient", format!("To: {secret} <a@example.org>\n\n")),
        ("body", format!("A: b\n\n{secret}")),
        ("header without an end", format!("A: b\n{secret}\n")),
        ("preamble", multipart(&format!("{secret}\n--b\n\nx\n--b--\n"))),
        ("epilogue", multipart(&format!("--b\n\nx\n--b--\n{secret}\n"))),
        ("after two ends", multipart(&format!("--b\n\nx\n--b--\ny\n--b--\n{secret}\n"))),
        ("no part at all", multipart(&format!("{secret}\n"))),
        ("no blank line", multipart(&format!("--b\n{secret}\n--b--\n"))),
        (
            "behind a boundary in a line",
            multipart(&format!("--b\n\nx --b\nContent-Transfer-Encoding: base64\n\n{encoded}\n--b--\n")),
        ),
        ("text behind a boundary in a line", multipart(&format!("--b\n\nx --b\n\n{secret}\n--b--\n"))),
        (
            "no boundary",
            format!(
                "Content-Type: multipart/mixed\n\n--b\nContent-Transfer-Encoding: base64\n\n{encoded}\n--b--\n"
            ),
        ),
        (
            "another boundary",
            multipart(&format!("--c\nContent-Transfer-Encoding: base64\n\n{encoded}\n--c--\n")),
        ),
        ("base64 with junk", format!("Content-Transfer-Encoding: base64\n\n{junk}\n")),
        ("called base64", format!("Content-Transfer-Encoding: base64\n\n{secret}\n")),
        (
            "called base64, a file",
            format!("Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n{secret}\n"),
        ),
        ("quoted-printable", format!("Content-Transfer-Encoding: quoted-printable\n\n{quoted}\n")),
        (
            "quoted-printable with junk",
            format!("Content-Transfer-Encoding: quoted-printable\n\n=={quoted}=\n"),
        ),
        ("an unknown encoding", format!("Content-Transfer-Encoding: x-nobody\n\n{secret}\n")),
        ("html", "Content-Type: text/html\n\n<p>Personnummer 8112<b>28</b>-98<!-- x -->74".to_owned()),
        ("hidden html", format!("Content-Type: text/html\n\n<p style=display:none>{secret}")),
        (
            "utf-16",
            format!(
                "Content-Type: text/plain; charset=utf-16le\nContent-Transfer-Encoding: base64\n\n{}",
                base64(&secret.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>())
            ),
        ),
        ("utf-7", "Content-Type: text/plain; charset=utf-7\n\nPersonnummer +ADgAMQAx-228-9874".to_owned()),
        ("a name", "Content-Type: image/png; name=\"Personnummer 811228-9874.png\"\n\nx".to_owned()),
        (
            "a description",
            multipart(&format!("--b\nContent-Type: image/png\nContent-Description: {secret}\n\nx\n--b--")),
        ),
        ("a message inside", format!("Content-Type: message/rfc822\n\nSubject: {secret}\n\n")),
        (
            "a message inside, encoded",
            format!(
                "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{}",
                base64(multipart(&format!("--b\n\nx\n--b--\n{secret}")).as_bytes())
            ),
        ),
        (
            "a message as a file",
            format!(
                "Content-Type: application/octet-stream; name=a.eml\nContent-Transfer-Encoding: base64\n\n{}",
                base64(format!("Subject: a\n\n{secret}").as_bytes())
            ),
        ),
        (
            "a text as a file",
            format!(
                "Content-Type: application/octet-stream; name=a.txt\nContent-Transfer-Encoding: base64\n\n{encoded}"
            ),
        ),
        ("below the limit of depth", format!("{}\n{secret}", "Content-Type: message/rfc822\n\n".repeat(60))),
    ] {
        let found = facts(message.as_bytes());
        assert!(text(&found).contains(secret), "{what}: {:#?}", found.passages);
    }
}

#[test]
fn uuencoded_files_are_attachments() {
    // perl -e 'print pack("u", "Personnummer 811228-9874\n")'
    let message =
        "Subject: a\n\nHej\nbegin 644 hemlig.txt\n94&5R<V]N;G5M;65R(#@Q,3(R.\"TY.#<T\"@``\n`\nend\nHej\n";
    let found = facts(message.as_bytes());
    assert_eq!(found.attachments.len(), 1);
    let attachment = &found.attachments[0];
    assert_eq!((&*attachment.path, &*attachment.name, attachment.size), ("1.1", "hemlig.txt", 25));
    let inside = found.passages.iter().find(|passage| passage.place == Place::Attachment).unwrap();
    assert_eq!((&*inside.part, inside.text.trim()), ("1.1", "Personnummer 811228-9874"));
    let encoded = message.replace("Subject: a\n", "Content-Transfer-Encoding: x-uuencode\n");
    assert!(text(&facts(encoded.as_bytes())).contains(NUMBER));
}

/// The invariant: wherever a line is put into a message, it is read.
#[test]
fn a_line_anywhere_in_a_message_is_read() {
    let message = format!(
        "Received: x\nSubject: y\nContent-Type: multipart/mixed; boundary=o\n\npreamble\n--o\nContent-Type: multipart/alternative; \
         boundary=i\n\n--i\n\nplain\n--i\nContent-Type: text/html\n\n<p>html</p>\n--i--\nepilogue\n--o\nContent-Type: \
         message/rfc822\n\nSubject: inner\nContent-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: deep\n\ntext\n--d--\n\
         --o\nContent-Type: text/plain; name=a.txt\nContent-Transfer-Encoding: base64\n\n{}--o\nContent-Type: multipart/x\n\n--g\n\
         guessed: 1\n\nx\n--g--\nbegin 644 a\n#:&5J\nend\n--o--\nthe end\n",
        base64(b"Hej, hej, hej")
    );
    let lines: Vec<&str> = message.split_inclusive('\n').collect();
    for at in 0..=lines.len() {
        for put in ["Pnr 811228-9874 x\n", "811228-9874\n"] {
            let message = [&lines[..at].concat(), put, &lines[at..].concat()].concat();
            let found = facts(message.as_bytes());
            assert!(
                text(&found).contains(NUMBER),
                "{put} before line {at}: {:?}: {:#?}",
                lines.get(at),
                found.passages
            );
        }
    }
}

#[test]
fn documents_take_their_place_among_the_attachments() {
    let scratch = Scratch::new();
    scratch.write("a.docx", fixture("text.docx"));
    scratch.run("zip -q a.zip a.docx");
    let message = format!(
        "{}--b\nContent-Type: application/zip; name=a.zip\nContent-Transfer-Encoding: base64\n\n{}--b--\n",
        multipart(""),
        base64(&scratch.read("a.zip"))
    );
    let found = facts(message.as_bytes());
    let places: Vec<_> = found.attachments.iter().map(|a| (&*a.path, &*a.name, a.state)).collect();
    assert_eq!(places, [("1", "a.zip", State::Plain), ("1/1", "a.docx", State::Plain)]);
    assert_eq!(found.attachments[1].media_type, "application/vnd.openxmlformats-officedocument");
    let inside = found.passages.iter().find(|passage| passage.place == Place::Attachment).unwrap();
    assert_eq!((&*inside.part, &*inside.name), ("1/1", "a.docx"));
    assert!(inside.text.contains(OTHER_NUMBER));
}
