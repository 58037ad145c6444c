//! Tests of whole messages: structure, header facts and limits, as tables.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::extract::extract;
use super::passage::Place;
use super::{Defect, Facts, Needs};
use crate::address::{Address, ReversePath};
use crate::documents::State;
use crate::limits;
use crate::mail::{Client, Envelope, Mail, Message};

const BODY: Needs = Needs { body: true, ..Needs::NONE };
const TEXT: Needs = Needs { body: true, text: true, ..Needs::NONE };

fn mail(message: &[u8]) -> Mail {
    let body_at = message.windows(2).position(|pair| pair == b"\n\n").map_or(message.len(), |at| at + 2);
    Mail {
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
    }
}

fn facts(message: impl AsRef<[u8]>, needs: Needs) -> Facts {
    extract(&mail(message.as_ref()), &Arc::default(), needs)
}

/// The text of the message itself.
fn text(facts: &Facts) -> Vec<&str> {
    let own = |place| matches!(place, Place::Body | Place::Residue);
    facts.passages.iter().filter(|passage| own(passage.place)).map(|passage| &*passage.text).collect()
}

/// The attachments, one a line: `path name type size state`.
fn attachments(facts: &Facts) -> Vec<String> {
    let line = |a: &super::attachment::Attachment| {
        let state = a.state.reason().unwrap_or(a.state.as_str());
        format!("{} {} {} {} {state}", a.path, a.name, a.media_type, a.size)
    };
    facts.attachments.iter().map(line).collect()
}

#[test]
fn parts_are_numbered_named_and_measured() {
    let inner = "Subject: b\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\nhi\n--i\nContent-Type: A/B\n\n123\n--i--\n";
    for (message, expected) in [
        ("A: b\n\ntext".into(), vec![]),
        ("Content-Type: text\n\ntext".into(), vec![]),
        ("Content-Type: text/plain charset=utf-8\n\ntext".into(), vec![]),
        ("Content-Type: application/\u{1}\n\nx".into(), vec!["1  application/octet-stream 1 plain"]),
        ("Content-Type: text/plain; name=a\n\ntext".into(), vec!["1 a text/plain 4 plain"]),
        ("Content-Disposition: attachment\n\ntext".into(), vec!["1  text/plain 4 plain"]),
        (
            "Content-Type: a/b; name=a\nContent-Transfer-Encoding: base64\n\naGVq\naGU=\n".into(),
            vec!["1 a a/b 5 plain"],
        ),
        (
            "Content-Type: a/b\nContent-Transfer-Encoding: x-uu\n\nhej\n".into(),
            vec!["1  a/b 4 encoding"],
        ),
        ("Content-Type: message/rfc822\n\nSubject: a\n\nhej".into(), vec!["1 a.eml message/rfc822 15 plain"]),
        (
            format!("Content-Type: multipart/mixed; boundary=\"o\"\n\n--o\n\nhi\n--o\nContent-Type: message/rfc822\n\n{inner}--o\nContent-Type: message/rfc822\n\nContent-Type: c/d\n\n1\n--o--\n"),
            vec![
                "2 b.eml message/rfc822 94 plain",
                "2.2  a/b 3 plain",
                "3  message/rfc822 20 plain",
                "3.1  c/d 1 plain",
            ],
        ),
        (
            "Content-Type: multipart/digest; boundary=o\n\n--o\n\nSubject: a\n\n1\n--o\nContent-Type: a/b\n\n--o--".into(),
            vec!["1 a.eml message/rfc822 13 plain", "2  a/b 0 plain"],
        ),
        // An outer boundary ends the inner part; a part after the closing boundary is one; so is one that reuses the
        // boundary of the part around it.
        (
            "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n--i\nContent-Type: a/b\n\n1\n--o\nContent-Type: c/d\n\n2\n--o--\n--o\nContent-Type: e/f\n\n3".into(),
            vec!["1.1  a/b 1 plain", "2  c/d 1 plain", "3  e/f 1 plain"],
        ),
        (
            "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: a/b\n\n1\n--o--\n--o\nContent-Type: c/d\n\n2\n--o--\n".into(),
            vec!["1.1  a/b 1 plain", "2  c/d 1 plain"],
        ),
        // A boundary that begins like another, one that is cut short, and one within a header section.
        (
            "Content-Type: multipart/mixed; boundary=o\n\n--o1\n--o\nContent-Type: a/b\n--o\nno field\nContent-Type: c/d\n\n--\n--o--\t\n".into(),
            vec!["1  a/b 0 plain", "2  c/d 2 plain"],
        ),
        ("Content-Type: multipart/mixed\n\nhej".into(), vec!["1  multipart/mixed 3 structure"]),
        ("Content-Type: multipart/mixed; boundary=\"\"\n\n--\nhej".into(), vec!["1  multipart/mixed 6 structure"]),
    ] {
        assert_eq!(attachments(&facts(&message, BODY)), expected, "{message}");
    }
}

#[test]
fn text_is_decoded() {
    for (message, expected) in [
        ("A: b\n\nhej", vec!["hej"]),
        (
            "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n=E5=\n=E4",
            vec!["åä"],
        ),
        (
            "Content-Type: multipart/x; boundary=o\n\n--o\n\n1\n--o\nContent-Type: text/html\n\n<p>2</p>\n--o--",
            vec!["1", "2\n"],
        ),
        ("Content-Type: multipart/x\n\nhidden", vec!["hidden"]),
        ("Content-Type: text/plain; name=a.txt\n\nhej", vec![]),
    ] {
        assert_eq!(text(&facts(message, TEXT)), expected, "{message}");
    }
    let long = facts(format!("A: b\n\n{}", "å".repeat(limits::TEXT_OCTETS)), TEXT);
    assert_eq!(text(&long).concat().len(), limits::TEXT_OCTETS);
    assert!(long.defects.contains(&Defect::TextCut));
}

#[test]
fn header_facts() {
    let header = |fields: &str| facts(format!("From: x@example.net\n{fields}\n\n"), BODY).header;
    for (value, automatic) in [
        ("auto-replied", true),
        ("Auto-Generated; x=y", true),
        ("no", false),
        ("NO", false),
        ("no (typed)", false),
        ("(a (nested) comment)\n no; x=y", false),
        ("", false),
        ("no\nAuto-Submitted: auto-notified", true),
    ] {
        assert_eq!(header(&format!("Auto-Submitted: {value}")).auto_submitted, automatic, "{value}");
    }
    for (value, id) in [
        ("Nyheter <Nyheter.Exempelby.se>", Some("nyheter.exempelby.se")),
        ("\"a <b>\" <c.example.org>", Some("c.example.org")),
        ("bare.example.org", Some("bare.example.org")),
        ("", None),
    ] {
        assert_eq!(header(&format!("List-Id: {value}")).list_id.as_deref(), id, "{value}");
    }
    let ids = header(
        "In-Reply-To: <1@a> (b)\nReferences: <2@a>\n <3@a>junk<4\nX-MS-Exchange-Parent-Message-Id: 5@a",
    );
    assert_eq!(ids.references, ["<1@a>", "<2@a>", "<3@a>", "5@a"]);
    assert!(header("Content-Type: Multipart/Report; boundary=a").report);
    assert!(!header("Auto-Submitted: auto-replied").report);
}

#[test]
fn addresses() {
    for (value, expected) in [
        ("x@example.net", vec!["x@example.net"]),
        ("\"a, b\" <a@example.net>, (c) c@example.net", vec!["a@example.net", "c@example.net"]),
        ("g: a@example.net, B <b@example.net>;", vec!["a@example.net", "b@example.net"]),
        ("=?utf-8?q?=22x=40example.org=22?= <a@example.net>", vec!["a@example.net"]),
        ("undisclosed-recipients:;", vec![]),
        ("nobody", vec![]),
        ("", vec![]),
    ] {
        let facts = facts(format!("From: {value}\n\n"), BODY);
        let found: Vec<_> = facts.header.from.iter().map(Address::as_str).collect();
        assert_eq!(found, expected, "{value}");
        assert_eq!(facts.defects.contains(&Defect::OddFrom), expected.is_empty(), "{value}");
    }
}

#[test]
fn copies_of_messages_in_messages_have_an_end() {
    let nested = |octets: usize, levels: usize| {
        let head = "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n";
        facts(head.repeat(levels) + "Subject: x\n\n" + &"Hej \n".repeat(octets / 5), BODY)
    };
    // One level is what some programs write; each that is read is a copy.
    let large = 2 * limits::MIME_AGAIN_OCTETS;
    let read = nested(large, 1);
    assert!(!read.defects.contains(&Defect::TooDeep));
    assert_eq!(attachments(&read).iter().filter(|line| line.ends_with(" plain")).count(), 1);
    let deep = nested(large, 20);
    assert!(deep.defects.contains(&Defect::TooDeep));
    assert_eq!(attachments(&deep).iter().filter(|line| line.ends_with(" plain")).count(), 1);
    assert_eq!(deep.attachments.last().unwrap().state.reason(), Some("limit"));
    // A small one has as many levels as there may be.
    assert!(!nested(60 << 10, limits::MIME_DEPTH - 1).defects.contains(&Defect::TooDeep));
}

#[test]
fn a_multipart_without_its_boundary_above_the_limit_of_parts_has_an_end() {
    for parts in [limits::MIME_PARTS - 2, limits::MIME_PARTS - 1, limits::MIME_PARTS] {
        let head = "Content-Type: multipart/mixed; boundary=o\n\n".to_owned() + &"--o\n\nx\n".repeat(parts);
        let open = "--o\nContent-Type: multipart/mixed; boundary=never\n\n--x\n\nHej\n--x\n\nHej\n";
        let facts = facts(head + &open.repeat(4), BODY);
        assert!(facts.defects.contains(&Defect::TooManyParts), "{parts}");
    }
}

#[test]
fn parts_behind_boundaries_within_lines_have_an_end() {
    let hidden = "x --b\nContent-Type: a/b\nContent-Transfer-Encoding: base64\n\n".repeat(40);
    let message = |octets: usize| {
        let head = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n".to_owned();
        facts(head + &hidden + &"QUJD\n".repeat(octets / 5), BODY)
    };
    assert!(!message(80 << 10).defects.contains(&Defect::TooDeep));
    let large = message(limits::MIME_AGAIN_OCTETS);
    assert!(large.defects.contains(&Defect::TooDeep));
    assert!(large.attachments.len() < 4, "{}", large.attachments.len());
}

#[test]
fn limits_are_visible() {
    let nested = facts("Content-Type: message/rfc822\n\n".repeat(40_000), BODY);
    assert_eq!(nested.attachments.len(), limits::MIME_DEPTH + 1);
    assert!(nested.defects.contains(&Defect::TooDeep));
    assert_eq!(nested.attachments.last().unwrap().state.reason(), Some("limit"));

    let mut multiparts = String::new();
    for n in 0..40_000 {
        write!(multiparts, "Content-Type: multipart/mixed; boundary={n}\n\n--{n}\n").unwrap();
    }
    assert!(facts(multiparts, BODY).defects.contains(&Defect::TooDeep));

    let many = format!(
        "Content-Type: multipart/mixed; boundary=o\n\n{}",
        "--o\nContent-Type: a/b\n\n".repeat(20_000)
    );
    let many = facts(many, BODY);
    assert_eq!(many.attachments.len(), limits::ATTACHMENTS);
    assert!(
        many.defects.contains(&Defect::TooManyParts) && many.defects.contains(&Defect::TooManyAttachments)
    );

    let armour = "-----BEGIN PGP MESSAGE-----\n\n-----END PGP MESSAGE-----\n".repeat(20_000);
    let armoured = facts(format!("Subject: x\n\n{armour}"), TEXT);
    assert_eq!(armoured.attachments.len(), limits::ATTACHMENTS);
    assert!(armoured.defects.contains(&Defect::TooManyAttachments));

    let name = facts(format!("Content-Disposition: attachment; filename={}\n\n", "å".repeat(5_000)), BODY);
    assert_eq!(name.attachments[0].name.len(), limits::ATTACHMENT_NAME_OCTETS);
    assert!(name.defects.contains(&Defect::Cut));

    let references = facts(format!("References: {}\n\n", "<1@a>".repeat(5_000)), BODY);
    assert_eq!(references.header.references.len(), limits::HEADER_ITEMS);
    assert!(references.defects.contains(&Defect::Cut));

    let mut cut = mail(b"A: b\n\nhej");
    cut.message.size = 1 << 30;
    assert!(extract(&cut, &Arc::default(), BODY).defects.contains(&Defect::Truncated));
}

#[test]
fn messages_encoded_many_times_are_read() {
    let mut message = "Subject: inmost\nContent-Type: a/b; name=program.exe\n\n1".to_owned();
    for _ in 0..6 {
        let mut outer =
            "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n".to_owned();
        for byte in message.bytes() {
            write!(outer, "={byte:02X}").unwrap();
        }
        message = outer;
    }
    let found = facts(&message, BODY);
    let last = found.attachments.last().unwrap();
    assert_eq!((&*last.name, last.state), ("program.exe", State::Plain));
    assert_eq!(found.attachments.len(), 7);
}

#[test]
fn armoured_messages_are_attachments_and_the_text_around_them_is_text() {
    let armour =
        |body: &str| format!("-----BEGIN PGP MESSAGE-----\n\n{body}\n=abcd\n-----END PGP MESSAGE-----");
    // A session key for somebody, and a literal text.
    let (encrypted, signed) = (armour("wQEA"), armour("ywEA"));
    let message = format!("Subject: a\n\nPnr 811228-9874\n{encrypted}\nHej\n{signed}\n");
    let facts = facts(&message, Needs { documents: true, ..TEXT });
    let (long, short) = (encrypted.len(), signed.len());
    assert_eq!(
        attachments(&facts),
        [format!("1  text/plain {long} pgp"), format!("1  text/plain {short} plain")]
    );
    assert_eq!(text(&facts), ["Pnr 811228-9874\n\n\nHej\n\n\n"]);
    let opened: Vec<_> = facts.unopened.iter().map(|unopened| unopened.attachment).collect();
    assert_eq!(opened, [1], "what is encrypted is not opened");
    let without_end = "A: b\n\n-----BEGIN PGP MESSAGE-----\n811228-9874\n";
    assert!(
        text(&super::extract::extract(&mail(without_end.as_bytes()), &Arc::default(), TEXT))[0]
            .contains("811228-9874")
    );
}
