//! The structure of a message: parts, encodings, header fields, names.

use std::fmt::Write as _;

use super::Kind;
use super::archives::FDFA;
use super::mail::{
    Part, barely_quoted, base64, filled, header, lines_of, multipart, noise, repeated, single, uuencoded,
};
use super::texts::plain;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("nested-quoted", "messages 49 deep, each under quoted-printable", |size| {
        nested("quoted-printable", 49, &lines_of("Hej på dig ", 6, size))
    }),
    Kind::new("nested-quoted-files", "four attachments in messages 49 deep under quoted-printable", |size| {
        let file = Part::file("a.bin", &noise(5, size / 78 * 57 / 4));
        nested_around("quoted-printable", 49, multipart(&vec![file; 4]))
    }),
    Kind::new("nested-base64", "messages under base64, as deep as it goes", |size| {
        let depth = 8;
        let inner = (0..depth).fold(size, |size, _| size / 78 * 57);
        nested("base64", depth, &lines_of("Hej på dig ", 6, inner))
    }),
    Kind::new("nested-plain", "messages 49 deep, as they are", |size| {
        nested("8bit", 49, &lines_of("Hej ", 15, size))
    }),
    Kind::new("nested-wide", "many messages four deep under quoted-printable", |size| {
        let inner = nested("quoted-printable", 4, &lines_of("Hej ", 15, 20 << 10));
        filled(size, |_| {
            Part::new(
                "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n",
                barely_quoted(&inner),
            )
        })
    }),
    Kind::new("multiparts", "multiparts 49 deep, many of them", |size| {
        let mut deep = String::new();
        for level in 0..45 {
            let _ = write!(deep, "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n");
        }
        filled(size, |_| Part::new(deep.clone() + "\r\n", "x"))
    }),
    Kind::new("multiparts-guessed", "multiparts that name no boundary, 49 deep", |size| {
        let mut out = header();
        for level in 0..48 {
            let _ = write!(out, "Content-Type: multipart/mixed; boundary=no{level}\r\n\r\n--x{level}\r\n");
        }
        let mut out = (out + "\r\n").into_bytes();
        out.extend(lines_of("Hej ", 15, size));
        out
    }),
    Kind::new("parts", "parts of a few octets", |size| filled(size, |_| Part::new("", "x"))),
    Kind::new("attachments", "attachments of a few octets, each a document", |size| {
        filled(size, |number| Part::file(&format!("{number}.txt"), b"811228-9874 diagnos"))
    }),
    Kind::new("attachments-text", "attachments of 8 KB of text", |size| {
        let text = repeated("Pnr 811228-9874 diagnos. ".as_bytes(), 8 << 10);
        filled(size, |number| Part::file(&format!("{number}.txt"), &text))
    }),
    Kind::new("names", "names of 1,000 octets of U+FDFA", |size| {
        filled(size, |number| {
            let name: String = FDFA.repeat(330).bytes().fold(String::new(), |mut out, octet| {
                let _ = write!(out, "%{octet:02X}");
                out
            });
            Part::new(
                format!("Content-Disposition: attachment;\r\n filename*=utf-8''{number}{name}\r\n"),
                "x",
            )
        })
    }),
    Kind::new("name-pieces", "names in a thousand pieces (RFC 2231)", |size| {
        filled(size, |_| {
            let mut head = "Content-Disposition: attachment".to_owned();
            for piece in (0..400).rev() {
                let _ = write!(head, ";\r\n filename*{piece}=\"a\"");
            }
            Part::new(head + "\r\n", "x")
        })
    }),
    Kind::new("parameters", "parameters of a Content-Type", |size| {
        filled(size, |_| Part::new(format!("Content-Type: text/plain{}\r\n", ";a=\"\\b\"".repeat(900)), "x"))
    }),
    Kind::new("boundaries", "lines that look like boundaries", |size| {
        let mut body = Vec::new();
        for part in [&b"--=_costly_2\r\n--=_costly\r\n--\r\n"[..], b"--=_costly_1x\r\n"] {
            body.extend(repeated(part, size / 2));
        }
        multipart(&[Part::text(body)])
    }),
    Kind::new("closed-parts", "boundaries that close what is closed", |size| {
        multipart(&[Part::text(repeated(b"--=_costly_1--\r\nx\r\n", size))])
    }),
    Kind::new(
        "boundary-within",
        "parts hidden behind boundaries in the middle of lines, each in the one before",
        |size| {
            let hidden =
                "x --=_costly_1\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n".repeat(48);
            let body = [hidden.into_bytes(), lines_of("QUJD", 18, size)].concat();
            multipart(&[Part::text(body)])
        },
    ),
    Kind::new("uuencode-files", "small uuencoded files in a text", |size| {
        plain(&repeated(&uuencoded("a.txt", b"811228-9874 diagnos"), size))
    }),
    Kind::new("uuencode-begins", "uuencoded files that begin and never end", |size| {
        plain(&repeated(b"begin 644 a\r\n#:&5J\r\n", size))
    }),
    Kind::new("uuencode-zips", "uuencoded ZIPs of U+FDFA", |size| {
        let zip = super::archives::zipped("a.txt", super::archives::fdfa());
        plain(&repeated(&uuencoded("a.zip", &zip), size))
    }),
    Kind::new("base64-junk", "base64 with padding and junk", |size| {
        filled(size, |_| {
            Part::new(
                "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n",
                lines_of("=A*", 20, 64 << 10),
            )
        })
    }),
    Kind::new("base64-blank-attachment", "an attachment of base64 that is nearly all blanks", |size| {
        let head = "Content-Disposition: attachment; filename=a.zip\r\nContent-Transfer-Encoding: base64\r\n";
        filled(size, |_| Part::new(head, lines_of("    A ", 12, 256 << 10)))
    }),
    Kind::new("quoted-breaks", "quoted-printable of soft line breaks", |size| {
        let head = "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n";
        single(&Part::new(head, repeated(b"=      =\r\n", size)))
    }),
    Kind::new("quoted-broken", "quoted-printable that is broken, in attachments", |size| {
        let head = "Content-Disposition: attachment; filename=a.txt\r\nContent-Transfer-Encoding: quoted-printable\r\n";
        filled(size, |_| Part::new(head, repeated(b"= = =G=\r\n", 64 << 10)))
    }),
    Kind::new("header-fields", "as many header fields as may be", |size| {
        fields(size, |number| format!("X-{number}: {}\r\n", "a".repeat((size / 5_000).clamp(8, 180))))
    }),
    Kind::new("received", "Received fields", |size| {
        fields(size, |number| {
            format!(
                "Received: from a{number}.example.org (a [192.0.2.1]) by b.example.org; Mon, 4 May 2026 09:14:02 +0200\r\n"
            )
        })
    }),
    Kind::new("spam-flags", "marks of other filters, each of which is taken away", |size| {
        fields(size, |_| "X-Spam-Flag: YES\r\nX-Postvakt-Id: 1\r\n".to_owned())
    }),
    Kind::new("results", "Authentication-Results", |size| {
        fields(size, |_| {
            "Authentication-Results: mx.exempelby.se; spf=pass (a (b (c))) smtp.mailfrom=a@example.org; dkim=pass\r\n".to_owned()
        })
    }),
    Kind::new("signatures", "DKIM signatures", |size| {
        fields(size, |_| {
            format!(
                "DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=x; h={}; bh=AAAA; b=AAAA\r\n",
                "from:".repeat(300)
            )
        })
    }),
    Kind::new("recipients", "addresses in To", |size| {
        long_field(size, "To", "\"Anna (x) Ek\" <anna@exempelby.se>,\r\n (a(b(c))) ")
    }),
    Kind::new("authors", "addresses in From", |size| {
        long_field(size, "From", "=?utf-8?q?=EF=B7=BA?= <a@example.org>,\r\n ")
    }),
    Kind::new("groups", "comments and quotes without end in From", |size| {
        long_field(size, "From", "((((\"\\\"(,:;<<")
    }),
    Kind::new("references", "References", |size| long_field(size, "References", "<a@example.org>\r\n ")),
    Kind::new("encoded-words", "encoded words in the subject", |size| {
        long_field(size, "Subject", "=?utf-8?q?=EF=B7=BA=EF=B7=BA?=\r\n ")
    }),
    Kind::new("encoded-open", "encoded words that never end", |size| {
        long_field(size, "Subject", "=?utf-8?q?a")
    }),
    Kind::new("inner-subjects", "messages whose subjects are encoded words", |size| {
        let subject = "=?utf-8?b?77e677e677e677e677e677e677e677e6?=\r\n ".repeat(200);
        filled(size, |_| {
            Part::new("Content-Type: message/rfc822\r\n", format!("Subject: {subject}\r\n\r\nx"))
        })
    }),
    Kind::new("odd-header", "lines of a header that are no fields", |size| {
        let mut out = header().into_bytes();
        out.extend(repeated(b"no field\r\nX: y\r\n", size.min(900_000)));
        out.extend(b"\r\nx");
        out
    }),
    Kind::new("calendar", "a calendar whose lines are folded", |size| {
        let mut text = b"BEGIN:VCALENDAR\r\nDESCRIPTION:".to_vec();
        text.extend(repeated(b"8112\r\n 28-\\n\r\n ", size / 78 * 57));
        multipart(&[Part::file("a.ics", &text)])
    }),
    Kind::new("cards", "cards with files inside", |size| {
        let card =
            [&b"BEGIN:VCARD\r\nPHOTO;ENCODING=b:"[..], &*unfolded(&base64(b"811228-9874 diagnos")), b"\r\n"]
                .concat();
        multipart(&[Part::file("a.vcf", &repeated(&card, size / 78 * 57))])
    }),
];

fn unfolded(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect()
}

/// Messages inside one another, each under this encoding, around a text.
pub(super) fn nested(encoding: &str, depth: usize, text: &[u8]) -> Vec<u8> {
    nested_around(encoding, depth, plain(text))
}

fn nested_around(encoding: &str, depth: usize, inner: Vec<u8>) -> Vec<u8> {
    let mut message = inner;
    for _ in 0..depth {
        let body = match encoding {
            "quoted-printable" => barely_quoted(&message),
            "base64" => base64(&message),
            _ => message,
        };
        let head = format!("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
        message = [header().into_bytes(), head.into_bytes(), body].concat();
    }
    message
}

/// A message whose header has as many fields as there is room for, within what an MTA lets through.
fn fields(size: usize, field: impl Fn(usize) -> String) -> Vec<u8> {
    let mut out = header();
    for number in 0..4_900 {
        let next = field(number);
        if out.len() + next.len() > size.min(1_000_000) {
            break;
        }
        out += &next;
    }
    out += "\r\nHej\r\n";
    out.into_bytes()
}

/// A message with long fields of one name.
fn long_field(size: usize, name: &str, item: &str) -> Vec<u8> {
    fields(size, |_| format!("{name}: {}x\r\n", item.repeat(50_000 / item.len())))
}
