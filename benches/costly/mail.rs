//! Messages of a wanted size, and the encodings in which their parts are written.

use super::dice::Dice;

const BOUNDARY: &str = "=_costly_1";

/// Lines as SMTP has them.
const LINE: usize = 76;

/// A part of a multipart message: its header fields with their line ends, and its body as written.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    head: String,
    body: Vec<u8>,
}

impl Part {
    pub(crate) fn new(head: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { head: head.into(), body: body.into() }
    }

    /// A file, in base64.
    pub(crate) fn file(name: &str, content: &[u8]) -> Self {
        Self::new(
            format!(
                "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
                 Content-Transfer-Encoding: base64\r\n"
            ),
            base64(content),
        )
    }

    /// Text, as it is.
    pub(crate) fn text(content: impl Into<Vec<u8>>) -> Self {
        Self::new("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n", content)
    }

    pub(crate) fn octets(&self) -> usize {
        self.head.len() + self.body.len() + BOUNDARY.len() + 8
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("--{BOUNDARY}\r\n{}\r\n", self.head).as_bytes());
        out.extend_from_slice(&self.body);
        out.extend_from_slice(b"\r\n");
    }
}

/// The header of a message, without the fields that say what it consists of.
pub(crate) fn header() -> String {
    "From: <info@example.org>\r\nTo: <registrator@exempelby.se>\r\nSubject: Underlag\r\n\
     Date: Mon, 4 May 2026 09:14:01 +0200\r\nMessage-ID: <costly@example.org>\r\nMIME-Version: 1.0\r\n"
        .to_owned()
}

/// A message that consists of one part.
pub(crate) fn single(part: &Part) -> Vec<u8> {
    let mut out = (header() + &part.head + "\r\n").into_bytes();
    out.extend_from_slice(&part.body);
    out
}

/// A message of these parts.
pub(crate) fn multipart(parts: &[Part]) -> Vec<u8> {
    let mut out = header() + &format!("Content-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\r\n\r\n");
    let mut out: Vec<u8> = std::mem::take(&mut out).into_bytes();
    for part in parts {
        part.write(&mut out);
    }
    out.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    out
}

/// A message with as many parts as have room in so many octets; one at the least.
pub(crate) fn filled(octets: usize, mut part: impl FnMut(usize) -> Part) -> Vec<u8> {
    let mut parts = Vec::new();
    let mut room = octets;
    loop {
        let next = part(parts.len());
        if next.octets() > room && !parts.is_empty() {
            return multipart(&parts);
        }
        room = room.saturating_sub(next.octets());
        parts.push(next);
    }
}

/// A message with as many copies of a file, each under a name of its own.
pub(crate) fn files(octets: usize, ending: &str, content: &[u8]) -> Vec<u8> {
    let one = Part::file("", content);
    filled(octets, |number| {
        let name = format!("{number}.{ending}");
        Part {
            head: one.head.replace("filename=\"\"", &format!("filename=\"{name}\"")),
            body: one.body.clone(),
        }
    })
}

/// A message with one file, of what `content` makes of the octets that are left for it.
pub(crate) fn one_file(octets: usize, name: &str, content: impl FnOnce(usize) -> Vec<u8>) -> Vec<u8> {
    multipart(&[Part::file(name, &content(octets / 78 * 57))])
}

/// The text over and over, up to so many octets.
pub(crate) fn repeated(text: &[u8], octets: usize) -> Vec<u8> {
    text.iter().copied().cycle().take(octets / text.len().max(1) * text.len()).collect()
}

/// The same in lines of so many copies.
pub(crate) fn lines_of(text: &str, copies: usize, octets: usize) -> Vec<u8> {
    repeated((text.repeat(copies) + "\r\n").as_bytes(), octets)
}

/// Base64 in lines.
pub(crate) fn base64(octets: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::with_capacity(octets.len() / 57 * 78 + 80);
    for line in octets.chunks(LINE / 4 * 3) {
        for group in line.chunks(3) {
            let value = [0, 1, 2]
                .iter()
                .fold(0_u32, |value, at| value << 8 | u32::from(group.get(*at).copied().unwrap_or(0)));
            for at in 0..4_usize {
                let digit = DIGITS[(value >> (18 - 6 * at) & 63) as usize];
                out.push(if at <= group.len() { digit } else { b'=' });
            }
        }
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Quoted-printable of octets each of which is written as `=XX`.
pub(crate) fn quoted(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() * 3 + octets.len() / 8);
    for line in octets.chunks(24) {
        for octet in line {
            out.extend_from_slice(format!("={octet:02X}").as_bytes());
        }
        out.extend_from_slice(b"=\r\n");
    }
    out
}

/// What stays as it is in quoted-printable, but for `=`.
pub(crate) fn barely_quoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 50);
    for octet in text {
        match octet {
            b'=' => out.extend_from_slice(b"=3D"),
            _ => out.push(*octet),
        }
    }
    out
}

/// Uuencode of a file.
pub(crate) fn uuencoded(name: &str, octets: &[u8]) -> Vec<u8> {
    let digit = |value: u32| if value == 0 { b'`' } else { u8::try_from(value).unwrap_or(0) + b' ' };
    let mut out = format!("begin 644 {name}\r\n").into_bytes();
    for line in octets.chunks(45) {
        out.push(digit(u32::try_from(line.len()).unwrap_or(0)));
        for group in line.chunks(3) {
            let value = [0, 1, 2]
                .iter()
                .fold(0_u32, |value, at| value << 8 | u32::from(group.get(*at).copied().unwrap_or(0)));
            out.extend([18, 12, 6, 0].map(|shift| digit(value >> shift & 63)));
        }
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"`\r\nend\r\n");
    out
}

/// Octets that do not repeat.
pub(crate) fn noise(seed: u64, octets: usize) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut out = Vec::with_capacity(octets + 8);
    while out.len() < octets {
        out.extend_from_slice(&dice.next().to_le_bytes());
    }
    out.truncate(octets);
    out
}
