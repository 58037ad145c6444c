//! Parts: the MIME structure of a message, walked once from the first octet to the last.
//!
//! An own walk, since mail-parser's is recursive, takes a boundary in the middle of a line for one, and reads
//! encoded messages three deep at most: each of these hides attachments. Here boundaries are whole lines (RFC 2046
//! §5.1.1), an outer one ends whatever is inside it, and a part after the closing boundary is still a part, because
//! some programs show it. What is neither a part nor its header, such as a multipart's preamble, is residue: nothing
//! of a message is left out.

#![deny(clippy::disallowed_methods)]

use std::ops::Range;

use bytes::Bytes;

use super::defects::Defects;
use super::part::{Names, Part, Place, Untyped};
use super::piece::{Piece, Role, Unread};
use super::section::Section;
use super::transfer::{self, Encoding};
use super::{Defect, lines, uuencode, words};
use crate::limits;

/// Whether a walk gives text too, or what is attached alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Attached,
    All,
}

/// Walks a message with that header section.
pub(crate) fn walk(bytes: &Bytes, section: &Section<'_>, want: Want, defects: &mut Defects) -> Vec<Piece> {
    let again = bytes.len().saturating_mul(limits::MIME_AGAIN_RATIO).max(limits::MIME_AGAIN_OCTETS);
    let mut walk = Walk { pieces: Vec::new(), parts: 0, attached: 0, again, want, defects };
    walk.header(bytes, section, "");
    let root = Part::read(section, Untyped::Text, walk.defects);
    walk.message(bytes, root, section.body_at, Place::default());
    walk.pieces
}

struct Walk<'d> {
    pieces: Vec<Piece>,
    parts: usize,
    attached: usize,
    /// Octets that may still be read once more: as what comes out of a message under a transfer encoding, or as a part
    /// that was hidden in another.
    again: usize,
    want: Want,
    defects: &'d mut Defects,
}

/// A part that contains others, while the walk is inside it.
struct Open {
    part: Part,
    place: Place,
    body_at: usize,
    children: usize,
    /// Whether its closing boundary was seen.
    closed: bool,
    /// Where its piece is, if it is a message.
    piece: Option<usize>,
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
    fn message(&mut self, bytes: &Bytes, part: Part, at: usize, place: Place) {
        let mut open: Vec<Open> = Vec::new();
        let (mut part, mut at) = (part, at);
        let mut place = Place { inner: true, ..place };
        loop {
            if part.is_message() && part.encoding == Encoding::Identity && place.depth < limits::MIME_DEPTH {
                place = place.settled();
                let section = Section::split(bytes, at, |line| delimits(line, &open).is_some());
                let piece = self.push_message(&part, &section, &place);
                self.header(bytes, &section, &place.path);
                let inner = Place { depth: place.depth + 1, inner: true, ..place.clone() };
                open.push(Open { part, place, body_at: at, children: 0, closed: false, piece });
                part = Part::read(&section, Untyped::Text, self.defects);
                (at, place) = (section.body_at, inner);
                continue;
            }
            let Some(delimiter) = self.content(bytes, part, at, place, &mut open) else { return };
            let next = delimiter.next;
            self.parts += 1;
            if self.parts > limits::MIME_PARTS {
                self.defects.add(Defect::TooManyParts);
                self.residue("", slice(bytes, next, bytes.len()));
                self.close(bytes, &mut open, 0, next);
                return;
            }
            let Some(owner) = open.last_mut() else { return };
            owner.children += 1;
            if owner.children == 1 {
                let preamble = slice(bytes, owner.body_at, delimiter.content_end);
                let path = owner.place.path.clone();
                self.residue(&path, preamble);
            }
            place = owner.place.child(owner.children);
            let untyped =
                if owner.part.media_type == "multipart/digest" { Untyped::Message } else { Untyped::Text };
            let section = Section::split(bytes, next, |line| delimits(line, &open).is_some());
            self.odd_lines(bytes, &section, &place.path);
            part = Part::read(&section, untyped, self.defects);
            at = section.body_at;
        }
    }

    /// Reads the content of a part up to the boundary line that begins another part, which it gives.
    fn content(
        &mut self,
        bytes: &Bytes,
        part: Part,
        at: usize,
        place: Place,
        open: &mut Vec<Open>,
    ) -> Option<Delimiter> {
        let mut leaf = None;
        if part.boundary.is_some() && place.depth < limits::MIME_DEPTH {
            open.push(Open { part, place, body_at: at, children: 0, closed: false, piece: None });
        } else {
            leaf = Some((part, place.settled()));
        }
        let mut from = at;
        // What stands behind closing boundaries is one piece, however many of them there are.
        let mut behind: Option<(String, Range<usize>)> = None;
        loop {
            let delimiter = next_delimiter(bytes, from, open);
            let end = delimiter.as_ref().map_or(bytes.len(), |delimiter| delimiter.content_end);
            if let Some((part, place)) = leaf.take() {
                self.leaf(&part, &slice(bytes, at, end), &place, open);
            } else if let Some(owner) = open.last().filter(|owner| owner.children > 0) {
                match &mut behind {
                    Some((path, range)) if *path == owner.place.path => range.end = end,
                    _ => {
                        let before = behind.replace((owner.place.path.clone(), from..end));
                        self.behind(bytes, before);
                    }
                }
            }
            self.close(bytes, open, delimiter.as_ref().map_or(0, |delimiter| delimiter.owner + 1), end);
            let delimiter = match delimiter {
                Some(delimiter) if delimiter.closing => delimiter,
                other => {
                    self.behind(bytes, behind);
                    return other;
                }
            };
            if let Some(owner) = open.last_mut() {
                owner.closed = true;
            }
            from = delimiter.next;
        }
    }

    fn behind(&mut self, bytes: &Bytes, behind: Option<(String, Range<usize>)>) {
        if let Some((path, range)) = behind {
            self.residue(&path, slice(bytes, range.start, range.end));
        }
    }

    /// Closes all but the first `keep` open parts: what they contain ends at `end`.
    fn close(&mut self, bytes: &Bytes, open: &mut Vec<Open>, keep: usize, end: usize) {
        while open.len() > keep
            && let Some(done) = open.pop()
        {
            let body = slice(bytes, done.body_at, end);
            if let Some(piece) = done.piece.and_then(|at| self.pieces.get_mut(at)) {
                piece.size = body.len();
                piece.bytes = body;
            } else if done.part.boundary.is_some() && done.children == 0 && !body.trim_ascii().is_empty() {
                self.leaf(&done.part, &body, &done.place.settled(), open);
            }
        }
    }

    /// A part without parts, or one whose parts cannot be told apart.
    fn leaf(&mut self, part: &Part, body: &Bytes, place: &Place, open: &[Open]) {
        let (size, broken) = transfer::measure(part.encoding, body);
        // Above the limit of parts nothing is looked for any more: whatever begins a part would be found again and again.
        let mut deep = place.depth >= limits::MIME_DEPTH || self.parts > limits::MIME_PARTS;
        if part.is_message() && !deep && part.encoding != Encoding::Unknown {
            if self.may_read_again(size) {
                return self.encoded_message(part, body, place);
            }
            deep = true;
        }
        let multipart = part.media_type.starts_with("multipart/");
        if multipart
            && !deep
            && let Some(boundary) = guessed_boundary(body)
        {
            self.defects.add(Defect::BrokenStructure);
            let guessed = Part { boundary: Some(boundary), ..part.clone() };
            return self.message(body, guessed, 0, place.clone());
        }
        if broken || part.encoding == Encoding::Unknown {
            self.defects.add(Defect::BrokenEncoding);
        }
        let unread = if deep && (multipart || part.is_message()) {
            self.defects.add(Defect::TooDeep);
            Some(Unread::Limit)
        } else if multipart {
            self.defects.add(Defect::BrokenStructure);
            Some(Unread::Structure)
        } else if part.encoding == Encoding::Unknown {
            Some(Unread::Encoding)
        } else {
            None
        };
        if part.is_text() {
            self.text(part, body, place);
        } else {
            self.push(part, Role::Attached, &part.names, place, body, size, unread);
        }
        if unread.is_some() || broken {
            self.residue(&place.path, body.clone());
        }
        self.behind_a_boundary(body, place, open);
    }

    /// Takes so many octets from what may be read again, if they are there.
    fn may_read_again(&mut self, octets: usize) -> bool {
        let left = self.again.checked_sub(octets);
        self.again = left.unwrap_or(self.again);
        left.is_some()
    }

    /// Text, and the files that old programs wrote into it.
    fn text(&mut self, part: &Part, body: &Bytes, place: &Place) {
        if self.want == Want::Attached && !may_hold_a_file(part.encoding, body) {
            return;
        }
        let (content, _) = transfer::decoded(part.encoding, body);
        let plain = Part { encoding: Encoding::Identity, ..part.clone() };
        if self.want == Want::All {
            self.push(&plain, Role::Text, &Names::default(), place, &content, content.len(), None);
        }
        for (number, file) in uuencode::files(&content).enumerate() {
            self.parts += 1;
            if self.parts > limits::MIME_PARTS {
                self.defects.add(Defect::TooManyParts);
                return;
            }
            let names = Names::one(&words::text(file.name), self.defects);
            let (octets, broken) = uuencode::decode(file.lines);
            if broken {
                self.defects.add(Defect::BrokenEncoding);
            }
            let inside =
                Part { media_type: "application/octet-stream".into(), charset: None, ..plain.clone() };
            let size = octets.len();
            self.push(&inside, Role::Attached, &names, &place.child(number + 1), &octets.into(), size, None);
        }
    }

    /// Some programs take a boundary in the middle of a line for one, and show what comes after it as another part.
    fn behind_a_boundary(&mut self, body: &Bytes, place: &Place, open: &[Open]) {
        let Some(boundary) = open.iter().rev().find_map(|open| open.part.boundary.as_deref()) else { return };
        let Some(at) = lines::boundary_within(body, boundary) else { return };
        let section = Section::split(body, lines::end(body, at), |_| false);
        let hidden = Part::read(&section, Untyped::Text, self.defects);
        let read_already = hidden.is_text() && hidden.encoding == Encoding::Identity;
        if section.fields.is_empty() || read_already || place.depth >= limits::MIME_DEPTH {
            return;
        }
        self.parts += 1;
        if self.parts > limits::MIME_PARTS {
            return self.defects.add(Defect::TooManyParts);
        }
        let rest = slice(body, section.body_at, body.len());
        if !self.may_read_again(rest.len()) {
            return self.defects.add(Defect::TooDeep);
        }
        self.defects.add(Defect::BrokenStructure);
        let inner = Place { depth: place.depth + 1, ..place.child(1) };
        self.leaf(&hidden, &rest, &inner, open);
    }

    /// A message under a transfer encoding: forbidden (RFC 2046 §5.2.1), and read by every mail program.
    fn encoded_message(&mut self, part: &Part, body: &Bytes, place: &Place) {
        let (decoded, broken) = transfer::decoded(part.encoding, body);
        if broken {
            self.defects.add(Defect::BrokenEncoding);
            self.residue(&place.path, body.clone());
        }
        let section = Section::split(&decoded, 0, |_| false);
        if let Some(at) = self.push_message(part, &section, place)
            && let Some(piece) = self.pieces.get_mut(at)
        {
            (piece.size, piece.bytes) = (decoded.len(), decoded.clone());
        }
        self.header(&decoded, &section, &place.path);
        let root = Part::read(&section, Untyped::Text, self.defects);
        let inner = Place { depth: place.depth + 1, ..place.clone() };
        self.message(&decoded, root, section.body_at, inner);
    }

    /// A message is named as mail programs show it: by its file name, else by its subject.
    fn push_message(&mut self, part: &Part, section: &Section<'_>, place: &Place) -> Option<usize> {
        let names = match section.first("Subject") {
            Some(value) if part.names.shown.is_empty() => {
                let subject = words::subject(&words::line(value), self.defects);
                let stem = self.defects.cut(&subject, limits::ATTACHMENT_NAME_OCTETS - ".eml".len());
                let shown = if stem.is_empty() { stem } else { stem + ".eml" };
                Names { shown, others: Vec::new() }
            }
            _ => part.names.clone(),
        };
        let plain = Part { encoding: Encoding::Identity, ..part.clone() };
        self.push(&plain, Role::Message, &names, place, &Bytes::new(), 0, None)
    }

    /// What people read of a message's header section, and what stands in it without being a field.
    fn header(&mut self, bytes: &Bytes, section: &Section<'_>, path: &str) {
        if self.want == Want::Attached {
            return;
        }
        for field in &section.fields {
            let named =
                |names: &[&str]| names.iter().any(|name| field.name.eq_ignore_ascii_case(name.as_bytes()));
            if named(&["Subject", "Thread-Topic"]) {
                self.words(Role::Subject, path, field.value);
            } else if named(&["From", "Sender", "Reply-To", "To", "Cc", "Bcc"]) {
                self.words(Role::People, path, field.value);
            }
        }
        self.odd_lines(bytes, section, path);
    }

    fn odd_lines(&mut self, bytes: &Bytes, section: &Section<'_>, path: &str) {
        if self.want == Want::Attached {
            return;
        }
        for field in
            section.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(b"Content-Description"))
        {
            self.words(Role::Description, path, field.value);
        }
        match &*section.odd {
            [] => {}
            few if few.len() <= limits::ODD_STRETCHES => {
                for range in few {
                    self.residue(path, slice(bytes, range.start, range.end));
                }
            }
            [first, .., last] => self.residue(path, slice(bytes, first.start, last.end)),
            [only] => self.residue(path, slice(bytes, only.start, only.end)),
        }
    }

    fn words(&mut self, role: Role, path: &str, value: &[u8]) {
        self.plain(role, path, Bytes::copy_from_slice(value));
    }

    fn residue(&mut self, path: &str, octets: Bytes) {
        if self.want == Want::All && !octets.trim_ascii().is_empty() {
            self.plain(Role::Residue, path, octets);
        }
    }

    fn plain(&mut self, role: Role, path: &str, octets: Bytes) {
        if self.pieces.len() >= limits::MIME_PIECES {
            return self.defects.add(Defect::TooManyParts);
        }
        self.pieces.push(Piece {
            path: path.to_owned(),
            role,
            names: Names::default(),
            media_type: "text/plain".to_owned(),
            charset: None,
            encoding: Encoding::Identity,
            size: octets.len(),
            bytes: octets,
            unread: None,
        });
    }

    #[allow(clippy::too_many_arguments, reason = "each is one field of the piece")]
    fn push(
        &mut self,
        part: &Part,
        role: Role,
        names: &Names,
        place: &Place,
        bytes: &Bytes,
        size: usize,
        unread: Option<Unread>,
    ) -> Option<usize> {
        if matches!(role, Role::Attached | Role::Message) {
            if self.attached >= limits::ATTACHMENTS {
                self.defects.add(Defect::TooManyAttachments);
                return None;
            }
            self.attached += 1;
        }
        self.pieces.push(Piece {
            path: place.path.clone(),
            role,
            names: names.clone(),
            media_type: part.media_type.clone(),
            charset: part.charset.clone(),
            encoding: part.encoding,
            bytes: bytes.clone(),
            size,
            unread,
        });
        Some(self.pieces.len() - 1)
    }
}

fn slice(bytes: &Bytes, from: usize, to: usize) -> Bytes {
    let to = to.min(bytes.len());
    bytes.slice(from.min(to)..to)
}

/// Whether a search for uuencoded files may find one.
fn may_hold_a_file(encoding: Encoding, body: &[u8]) -> bool {
    match encoding {
        Encoding::Identity | Encoding::QuotedPrintable => uuencode::files(body).next().is_some(),
        Encoding::Base64 => true,
        Encoding::Uuencode | Encoding::Unknown => false,
    }
}

/// The boundary of a multipart that names none, or one that never comes: the first line that looks like one.
fn guessed_boundary(body: &[u8]) -> Option<Vec<u8>> {
    let mut from = 0;
    loop {
        let at = lines::dashes(body, from)?;
        from = lines::end(body, at);
        let line = body.get(at + 2..from)?.trim_ascii_end();
        if !line.is_empty() && !line.starts_with(b" ") && !line.ends_with(b"--") {
            return Some(line.to_vec());
        }
    }
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
