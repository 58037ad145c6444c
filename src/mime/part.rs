//! A part: what its header section says of it, and its place in the message.

#![deny(clippy::disallowed_methods)]

use super::Defect;
use super::defects::Defects;
use super::parameters::Parameters;
use super::section::Section;
use super::transfer::Encoding;
use super::words;
use crate::limits;

/// A part's place: IMAP's number for it (RFC 9051 §6.4.5), and how deep it lies.
#[derive(Clone, Default)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) depth: usize,
    /// Whether it is the whole content of a message, which has no number of its own unless it is a single part.
    pub(super) inner: bool,
}

/// What a part is that does not say.
#[derive(Clone, Copy)]
pub(super) enum Untyped {
    /// RFC 2045 §5.2.
    Text,
    /// RFC 2046 §5.1.5.
    Message,
}

/// What a part's header section says about it.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) media_type: String,
    pub(super) boundary: Option<Vec<u8>>,
    pub(super) charset: Option<Vec<u8>>,
    pub(super) encoding: Encoding,
    pub(super) names: Names,
    pub(super) attached: bool,
}

/// What a part is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// What people see; empty where it has no name.
    pub(crate) shown: String,
    /// What else it is called somewhere: a mail program may go by any of these.
    pub(crate) others: Vec<String>,
}

impl Names {
    /// One name.
    pub(super) fn one(name: &str, defects: &mut Defects) -> Self {
        Self { shown: cut(name, defects), others: Vec::new() }
    }

    /// All of them, each on a line.
    pub(crate) fn all(&self) -> String {
        std::iter::once(&self.shown).chain(&self.others).map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// The names that stand in the fields of a part: `filename` before `name`, and either where it belongs before
    /// where it does not. An empty one is none.
    fn read(contents: &[Parameters], dispositions: &[Parameters], defects: &mut Defects) -> Self {
        let places =
            [(dispositions, "filename"), (contents, "name"), (dispositions, "name"), (contents, "filename")];
        let mut names: Vec<String> = Vec::new();
        for name in places.iter().flat_map(|(fields, name)| fields.iter().flat_map(|field| field.texts(name)))
        {
            let name = cut(&name, defects);
            if name.is_empty() || names.contains(&name) {
                continue;
            }
            if names.len() == limits::PART_NAMES {
                defects.add(Defect::Cut);
                break;
            }
            names.push(name);
        }
        let mut names = names.into_iter();
        Self { shown: names.next().unwrap_or_default(), others: names.collect() }
    }
}

fn cut(name: &str, defects: &mut Defects) -> String {
    defects.cut(&words::name(name), limits::ATTACHMENT_NAME_OCTETS)
}

impl Part {
    pub(super) fn read(section: &Section<'_>, untyped: Untyped, defects: &mut Defects) -> Self {
        let mut fields = |name| -> Vec<Parameters> {
            let read = section.all(name).map(|value| {
                if value.len() > limits::MIME_FIELD_OCTETS {
                    defects.add(Defect::Cut);
                }
                Parameters::parse(value)
            });
            read.take(limits::PART_NAMES).collect()
        };
        let contents = fields("Content-Type");
        let dispositions = fields("Content-Disposition");
        let content = contents.first();
        let typed = content.map(|content| &*content.value).filter(|value| value.contains('/'));
        let media_type = match (typed, untyped) {
            (Some(value), _) if is_media_type(value) => value,
            (Some(_), _) => "application/octet-stream",
            (None, Untyped::Message) if content.is_none() => "message/rfc822",
            (None, _) => "text/plain",
        };
        let plain = |name| content.and_then(|content| content.bytes(name));
        let boundary = plain("boundary").map(<[u8]>::trim_ascii_end).filter(|boundary| !boundary.is_empty());
        Self {
            media_type: media_type.to_owned(),
            boundary: boundary.filter(|_| media_type.starts_with("multipart/")).map(<[u8]>::to_vec),
            charset: plain("charset").map(<[u8]>::to_vec),
            encoding: section.first("Content-Transfer-Encoding").map_or(Encoding::Identity, Encoding::named),
            names: Names::read(&contents, &dispositions, defects),
            attached: dispositions.iter().any(|disposition| disposition.value == "attachment"),
        }
    }

    /// Whether it is the text of the message: unnamed, and of a type that mail programs show as such.
    pub(super) fn is_text(&self) -> bool {
        let shown = ["text/plain", "text/html", "text/enriched", "text/richtext", "text/x-amp-html"];
        self.names.shown.is_empty() && !self.attached && shown.contains(&&*self.media_type)
    }

    pub(super) fn is_message(&self) -> bool {
        matches!(&*self.media_type, "message/rfc822" | "message/global")
    }
}

impl Place {
    /// The place of its `number`-th part.
    pub(super) fn child(&self, number: usize) -> Self {
        let path = if self.path.is_empty() { number.to_string() } else { format!("{}.{number}", self.path) };
        Self { path, depth: self.depth + 1, inner: false }
    }

    /// The place of a part that is not a multipart: as the content of a message it is part 1.
    pub(super) fn settled(self) -> Self {
        if self.inner { Self { depth: self.depth, ..self.child(1) } } else { self }
    }
}

/// RFC 6838 §4.2: two names of up to 127 characters.
fn is_media_type(value: &str) -> bool {
    let named =
        |name: &str| (1..=127).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    value.split_once('/').is_some_and(|(kind, subtype)| named(kind) && named(subtype))
}
