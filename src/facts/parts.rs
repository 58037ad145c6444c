//! Parts: the MIME structure of a message, walked once from the first octet to the last.
//!
//! An own walk, since mail-parser's is recursive, takes a boundary in the middle of a line for one, and reads
//! encoded messages three deep at most: each of these hides attachments. Here boundaries are whole lines (RFC 2046
//! §5.1.1), an outer one ends whatever is inside it, and a part after the closing boundary is still a part, because
//! some programs show it. Absent: what is neither a part nor its header, such as a multipart's preamble.

#![deny(clippy::disallowed_methods)]

use super::attachment::{Attachment, Reason, State};
use super::defects::Defects;
use super::parameters::Parameters;
use super::section::Section;
use super::transfer::{self, Encoding};
use super::{Defect, header, lines, words};
use crate::{limits, text};

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) attachments: Vec<Attachment>,
    pub(super) text: Vec<String>,
}

/// Walks a message with that header section.
pub(super) fn walk(bytes: &[u8], section: &Section<'_>, want_text: bool, defects: &mut Defects) -> Parts {
    let text_room = want_text.then_some(limits::RULE_TEXT_OCTETS);
    let mut walk = Walk { found: Parts::default(), parts: 0, text_room, defects };
    let root = Part::read(section, Untyped::Text, walk.defects);
    walk.message(bytes, root, section.body_at, Place::default());
    walk.found
}

struct Walk<'d> {
    found: Parts,
    parts: usize,
    /// Octets of text that may still be kept, if text is wanted.
    text_room: Option<usize>,
    defects: &'d mut Defects,
}

/// A part's place: IMAP's number for it (RFC 9051 §6.4.5), and how deep it lies.
#[derive(Clone, Default)]
struct Place {
    path: String,
    depth: usize,
    /// Whether it is the whole content of a message, which has no number of its own unless it is a single part.
    inner: bool,
}

/// What a part is that does not say.
#[derive(Clone, Copy)]
enum Untyped {
    /// RFC 2045 §5.2.
    Text,
    /// RFC 2046 §5.1.5.
    Message,
}

/// What a part's header section says about it.
struct Part {
    media_type: String,
    boundary: Option<Vec<u8>>,
    charset: Option<Vec<u8>>,
    encoding: Encoding,
    name: String,
    attached: bool,
}

/// A part that contains others, while the walk is inside it.
struct Open {
    part: Part,
    place: Place,
    body_at: usize,
    children: usize,
    /// Whether its closing boundary was seen.
    closed: bool,
    /// Where the attachment is that it is, if it is a message.
    attachment: Option<usize>,
}

/// A boundary line.
struct Delimiter {
    /// Which of the open parts it belongs to.
    owner: usize,
    closing: bool,
    /// Where the content before it ends.
    content_end: usize,
    /// Where the line after it begins.
    next: usize,
}

impl Walk<'_> {
    /// The message whose root part is `part`, with its body at `at`, and which goes to the end of `bytes`.
    fn message(&mut self, bytes: &[u8], part: Part, at: usize, place: Place) {
        let mut open: Vec<Open> = Vec::new();
        let (mut part, mut at) = (part, at);
        let mut place = Place { inner: true, ..place };
        loop {
            if part.is_message() && part.encoding == Encoding::Identity && place.depth < limits::MIME_DEPTH {
                place = place.settled();
                let section = Section::split(bytes, at, |line| delimits(line, &open).is_some());
                let attachment = self.attach_message(&part, &section, &place);
                let inner = Place { depth: place.depth + 1, inner: true, ..place.clone() };
                open.push(Open { part, place, body_at: at, children: 0, closed: false, attachment });
                part = Part::read(&section, Untyped::Text, self.defects);
                (at, place) = (section.body_at, inner);
                continue;
            }
            let Some(next) = self.content(bytes, part, at, place, &mut open) else { return };
            self.parts += 1;
            if self.parts > limits::MIME_PARTS {
                self.defects.add(Defect::TooManyParts);
                self.close(bytes, &mut open, 0, next);
                return;
            }
            let Some(owner) = open.last_mut() else { return };
            owner.children += 1;
            place = owner.place.child(owner.children);
            let untyped =
                if owner.part.media_type == "multipart/digest" { Untyped::Message } else { Untyped::Text };
            let section = Section::split(bytes, next, |line| delimits(line, &open).is_some());
            part = Part::read(&section, untyped, self.defects);
            at = section.body_at;
        }
    }

    /// Reads the content of a part up to the boundary line that begins another part; says where that part begins.
    fn content(
        &mut self,
        bytes: &[u8],
        part: Part,
        at: usize,
        place: Place,
        open: &mut Vec<Open>,
    ) -> Option<usize> {
        let mut leaf = None;
        if part.boundary.is_some() && place.depth < limits::MIME_DEPTH {
            open.push(Open { part, place, body_at: at, children: 0, closed: false, attachment: None });
        } else {
            leaf = Some((part, place.settled()));
        }
        let mut from = at;
        loop {
            let delimiter = next_delimiter(bytes, from, open);
            let end = delimiter.as_ref().map_or(bytes.len(), |delimiter| delimiter.content_end);
            if let Some((part, place)) = leaf.take() {
                self.leaf(&part, bytes.get(at..end).unwrap_or_default(), &place);
            }
            self.close(bytes, open, delimiter.as_ref().map_or(0, |delimiter| delimiter.owner + 1), end);
            let delimiter = delimiter?;
            if !delimiter.closing {
                return Some(delimiter.next);
            }
            if let Some(owner) = open.last_mut() {
                owner.closed = true;
            }
            from = delimiter.next;
        }
    }

    /// Closes all but the first `keep` open parts: what they contain ends at `end`.
    fn close(&mut self, bytes: &[u8], open: &mut Vec<Open>, keep: usize, end: usize) {
        while open.len() > keep
            && let Some(done) = open.pop()
        {
            let body = bytes.get(done.body_at..end).unwrap_or_default();
            if let Some(attachment) = done.attachment.and_then(|at| self.found.attachments.get_mut(at)) {
                attachment.size = body.len() as u64;
            } else if done.part.boundary.is_some() && done.children == 0 && !body.trim_ascii().is_empty() {
                self.leaf(&done.part, body, &done.place.settled());
            }
        }
    }

    /// A part without parts, or one whose parts cannot be told apart.
    fn leaf(&mut self, part: &Part, body: &[u8], place: &Place) {
        if part.is_message() && place.depth < limits::MIME_DEPTH && part.encoding != Encoding::Unknown {
            return self.encoded_message(part, body, place);
        }
        let (size, broken) = transfer::measure(part.encoding, body);
        if broken || part.encoding == Encoding::Unknown {
            self.defects.add(Defect::BrokenEncoding);
        }
        let multipart = part.media_type.starts_with("multipart/");
        if part.is_text() || multipart {
            self.keep_text(part, body);
        }
        let state = if place.depth >= limits::MIME_DEPTH && (multipart || part.is_message()) {
            self.defects.add(Defect::TooDeep);
            State::Uninspectable(Reason::Limit)
        } else if multipart {
            self.defects.add(Defect::BrokenStructure);
            State::Uninspectable(Reason::Structure)
        } else if part.encoding == Encoding::Unknown {
            State::Uninspectable(Reason::Encoding)
        } else {
            State::Plain
        };
        if !part.is_text() {
            self.attach(part.name.clone(), part, place, size, state);
        }
    }

    /// A message under a transfer encoding: forbidden (RFC 2046 §5.2.1), and read by every mail program.
    fn encoded_message(&mut self, part: &Part, body: &[u8], place: &Place) {
        let (decoded, broken) = transfer::decode(part.encoding, body);
        if broken {
            self.defects.add(Defect::BrokenEncoding);
        }
        let section = Section::split(&decoded, 0, |_| false);
        if let Some(at) = self.attach_message(part, &section, place)
            && let Some(attachment) = self.found.attachments.get_mut(at)
        {
            attachment.size = decoded.len() as u64;
        }
        let root = Part::read(&section, Untyped::Text, self.defects);
        let inner = Place { depth: place.depth + 1, ..place.clone() };
        self.message(&decoded, root, section.body_at, inner);
    }

    /// A message is named as mail programs show it: by its file name, else by its subject.
    fn attach_message(&mut self, part: &Part, section: &Section<'_>, place: &Place) -> Option<usize> {
        let name = match section.first("Subject") {
            Some(value) if part.name.is_empty() => {
                let subject = header::subject(&words::line(value), self.defects);
                let stem = self.defects.cut(&subject, limits::ATTACHMENT_NAME_OCTETS - ".eml".len());
                if stem.is_empty() { stem } else { stem + ".eml" }
            }
            _ => part.name.clone(),
        };
        self.attach(name, part, place, 0, State::Plain)
    }

    fn attach(
        &mut self,
        name: String,
        part: &Part,
        place: &Place,
        size: usize,
        state: State,
    ) -> Option<usize> {
        let at = self.found.attachments.len();
        if at >= limits::ATTACHMENTS {
            self.defects.add(Defect::TooManyAttachments);
            return None;
        }
        self.found.attachments.push(Attachment {
            path: place.path.clone(),
            name,
            media_type: part.media_type.clone(),
            size: size as u64,
            state,
        });
        Some(at)
    }

    fn keep_text(&mut self, part: &Part, body: &[u8]) {
        let Some(room) = self.text_room else { return };
        // No encoding writes more than three octets for one.
        let written = body.get(..room.saturating_mul(3)).unwrap_or(body);
        let (decoded, _) = transfer::decode(part.encoding, written);
        let content = match &part.charset {
            Some(label) => words::in_charset(label, &decoded),
            None => words::text(&decoded).into_owned(),
        };
        let kept = text::truncate(&content, room);
        if kept.len() < content.len() || written.len() < body.len() {
            self.defects.add(Defect::Cut);
        }
        self.text_room = Some(room - kept.len());
        if !kept.is_empty() {
            self.found.text.push(kept.to_owned());
        }
    }
}

impl Part {
    fn read(section: &Section<'_>, untyped: Untyped, defects: &mut Defects) -> Self {
        let mut parameters = |name| {
            let value = section.first(name)?;
            if value.len() > limits::MIME_FIELD_OCTETS {
                defects.add(Defect::Cut);
            }
            Some(Parameters::parse(value))
        };
        let content = parameters("Content-Type");
        let disposition = parameters("Content-Disposition");
        let typed = content.as_ref().map(|content| &*content.value).filter(|value| value.contains('/'));
        let media_type = match (typed, untyped) {
            (Some(value), _) if is_media_type(value) => value,
            (Some(_), _) => "application/octet-stream",
            (None, Untyped::Message) if content.is_none() => "message/rfc822",
            (None, _) => "text/plain",
        };
        let name = disposition.as_ref().and_then(|disposition| disposition.text("filename"));
        let name = name.or_else(|| content.as_ref().and_then(|content| content.text("name")));
        let name = name.map(|name| defects.cut(words::clean(&name).trim(), limits::ATTACHMENT_NAME_OCTETS));
        let plain = |name| content.as_ref().and_then(|content| content.bytes(name));
        let boundary = plain("boundary").map(<[u8]>::trim_ascii_end).filter(|boundary| !boundary.is_empty());
        Self {
            media_type: media_type.to_owned(),
            boundary: boundary.filter(|_| media_type.starts_with("multipart/")).map(<[u8]>::to_vec),
            charset: plain("charset").map(<[u8]>::to_vec),
            encoding: section.first("Content-Transfer-Encoding").map_or(Encoding::Identity, Encoding::named),
            name: name.unwrap_or_default(),
            attached: disposition.is_some_and(|disposition| disposition.value == "attachment"),
        }
    }

    /// Whether it is the text of the message: unnamed, and of a type that mail programs show as such.
    fn is_text(&self) -> bool {
        let shown = ["text/plain", "text/html", "text/enriched", "text/richtext", "text/x-amp-html"];
        self.name.is_empty() && !self.attached && shown.contains(&&*self.media_type)
    }

    fn is_message(&self) -> bool {
        matches!(&*self.media_type, "message/rfc822" | "message/global")
    }
}

impl Place {
    /// The place of its `number`-th part.
    fn child(&self, number: usize) -> Self {
        let path = if self.path.is_empty() { number.to_string() } else { format!("{}.{number}", self.path) };
        Self { path, depth: self.depth + 1, inner: false }
    }

    /// The place of a part that is not a multipart: as the content of a message it is part 1.
    fn settled(self) -> Self {
        if self.inner { Self { depth: self.depth, ..self.child(1) } } else { self }
    }
}

/// RFC 6838 §4.2: two names of up to 127 characters.
fn is_media_type(value: &str) -> bool {
    let named =
        |name: &str| (1..=127).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    value.split_once('/').is_some_and(|(kind, subtype)| named(kind) && named(subtype))
}

fn next_delimiter(bytes: &[u8], from: usize, open: &[Open]) -> Option<Delimiter> {
    if open.is_empty() {
        return None;
    }
    let mut from = from;
    loop {
        let at = lines::dashes(bytes, from)?;
        let next = lines::end(bytes, at);
        if let Some((owner, closing)) = delimits(bytes.get(at..next).unwrap_or_default(), open) {
            return Some(Delimiter { owner, closing, content_end: lines::before(bytes, at), next });
        }
        from = next;
    }
}

/// The open part whose boundary the line is: the innermost, and one that was not closed before one that was, since
/// some programs give a part the boundary of the one around it.
fn delimits(line: &[u8], open: &[Open]) -> Option<(usize, bool)> {
    let line = line.strip_prefix(b"--")?.trim_ascii_end();
    let owner = |closed: bool| {
        open.iter().enumerate().rev().filter(move |(_, open)| open.closed == closed).find_map(|(at, open)| {
            let rest = line.strip_prefix(open.part.boundary.as_deref()?)?;
            (rest.is_empty() || rest == b"--").then_some((at, !rest.is_empty()))
        })
    };
    owner(false).or_else(|| owner(true))
}
