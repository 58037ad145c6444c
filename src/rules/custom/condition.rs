//! Conditions of custom rules: one question each, answered yes, no or could not tell.

#![deny(clippy::disallowed_methods)]

use super::pattern::{Case, Patterns};
use crate::documents::kind::Kind;
use crate::documents::{Reason, State};
use crate::facts::attachment::Attachment;
use crate::facts::passage::Place;
use crate::facts::{Facts, Needs};
use crate::limits;
use crate::mail::Direction;
use crate::settings::problem::Fault;
use crate::settings::{Entry, Fallback, Key, Settings, parse};

/// The keys of a custom rule's section.
pub(super) const SECTION_KEYS: &[Key] = &[Key {
    name: "when",
    kind: "table",
    default: Fallback::Required,
    example: "{ direction = \"inbound\", attachment_name = '(?i)\\.(exe|scr|js)$' }",
    meaning: "Conditions on the mail. All of them must be met.",
    why: "A rule without conditions would match every mail.",
    keys: WHEN_KEYS,
}];

const WHEN_KEYS: &[Key] = &[
    when("direction", "inbound, outbound, internal", "\"inbound\"", "Direction of the mail."),
    when("sender", "pattern", "'@example\\.org$'", "The envelope sender; `<>` for bounces."),
    when(
        "recipient",
        "pattern",
        "'^registrator@'",
        "Any envelope recipient. The rule then applies to the recipients that match.",
    ),
    when("subject", "pattern", "'(?i)faktura'", "The decoded subject."),
    when("text", "pattern", "'(?i)lösenord'", "Any decoded text part, up to 1 MiB of text in total."),
    when(
        "header",
        "table of patterns",
        "{ \"X-Mailer\" = 'MassMail' }",
        "Any header field of that name, unfolded; encoded words are not decoded.",
    ),
    when("size_above", "size", "\"10 MB\"", "The message is larger than this, as transferred."),
    when(
        "attachment_name",
        "pattern",
        "'(?i)\\.(exe|scr|js)$'",
        "The decoded name of an attachment, or of a file in an archive: as sent, and as Windows reads it (without dots and spaces at the end).",
    ),
    when(
        "attachment_type",
        "pattern",
        "'^application/zip$'",
        "The media type of an attachment: as declared, in lower case and without parameters; of a file in an archive, by its content.",
    ),
    when(
        "attachment_kind",
        "list of kinds",
        "[\"executable\", \"shortcut\"]",
        "What an attachment or a file in an archive is by its content, whatever it is called.",
    ),
    when(
        "attachment_size_above",
        "size",
        "\"10 MB\"",
        "An attachment, or a file in an archive, is larger than this after decoding.",
    ),
];

const fn when(name: &'static str, kind: &'static str, example: &'static str, meaning: &'static str) -> Key {
    Key {
        name,
        kind,
        default: Fallback::Off,
        example,
        meaning,
        why: "An absent condition is not checked.",
        keys: &[],
    }
}

/// One condition.
#[derive(Debug)]
pub(super) enum Condition {
    Direction(Vec<Direction>),
    Sender(Patterns),
    Recipient(Patterns),
    Subject(Patterns),
    Text(Patterns),
    Header { name: String, patterns: Patterns },
    SizeAbove(u64),
    Attachment(AttachmentIs),
}

/// What must be true of one and the same attachment; what is absent is not asked.
#[derive(Debug, Default)]
pub(super) struct AttachmentIs {
    kinds: Option<Vec<Kind>>,
    name: Option<Patterns>,
    media_type: Option<Patterns>,
    size_above: Option<u64>,
}

/// Whether a condition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Yes,
    /// Yes, for the recipients with these indices.
    For(Vec<usize>),
    No,
    Unknown,
}

impl From<bool> for Held {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// The conditions under `when`; what is wrong with one is reported, and the others are read.
pub(super) fn read(when: &mut Settings<'_>) -> Vec<Condition> {
    let mut all = Vec::new();
    all.extend(directions(when).map(Condition::Direction));
    all.extend(patterns(when, "sender", Case::Same).map(Condition::Sender));
    all.extend(patterns(when, "recipient", Case::Same).map(Condition::Recipient));
    all.extend(patterns(when, "subject", Case::Told).map(Condition::Subject));
    all.extend(when.table("header", headers).unwrap_or_default());
    all.extend(when.optional("size_above", parse::size).map(Condition::SizeAbove));
    let attachment = AttachmentIs {
        kinds: kinds(when, "attachment_kind"),
        name: patterns(when, "attachment_name", Case::Told),
        media_type: patterns(when, "attachment_type", Case::Told),
        size_above: when.optional("attachment_size_above", parse::size),
    };
    all.extend(attachment.asks().then_some(Condition::Attachment(attachment)));
    // Last, for it costs the most: a condition before it that fails spares it.
    all.extend(patterns(when, "text", Case::Told).map(Condition::Text));
    all
}

fn directions(when: &mut Settings<'_>) -> Option<Vec<Direction>> {
    let word = parse::one_of(&Direction::ALL, Direction::as_str);
    let value = when.value("direction")?;
    let values = value.one_or_more();
    if values.is_empty() {
        let right =
            format!("write {}, or remove the key", Direction::ALL.map(Direction::as_str).join(" or "));
        when.wrong("direction", value.at, Fault::new("is empty", right));
    }
    Some(values.iter().filter_map(|value| when.accept("direction", value.at, word(value))).collect())
}

/// The kinds of file that are the value of `key`.
pub(in crate::rules) fn kinds(when: &mut Settings<'_>, key: &'static str) -> Option<Vec<Kind>> {
    let word = parse::one_of(&Kind::ALL, Kind::as_str);
    let value = when.value(key)?;
    let values = value.one_or_more();
    if values.is_empty() {
        when.wrong(key, value.at, Fault::new("is empty", "write [\"executable\"], or remove the key"));
    }
    Some(values.iter().filter_map(|value| when.accept(key, value.at, word(value))).collect())
}

fn patterns(when: &mut Settings<'_>, key: &'static str, case: Case) -> Option<Patterns> {
    when.value(key).map(|value| Patterns::read(when, key, value, case))
}

fn headers(header: &mut Settings<'_>) -> Vec<Condition> {
    let entries = header.entries();
    if entries.is_empty() {
        header.wrong_here(Fault::new("is empty", "write header = { \"X-Mailer\" = 'pattern' }"));
    }
    let field = |entry: &Entry| {
        let (name, key) = (&entry.key, parse::shown_key(&entry.key));
        // RFC 5322 §2.2: printable ASCII but the colon.
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
            let right = "write it without colon and spaces, such as \"X-Mailer\"";
            header.wrong(&key, entry.at, Fault::new("is not a valid header field name", right));
        }
        Condition::Header {
            name: name.clone(),
            patterns: Patterns::read(header, &key, &entry.value, Case::Told),
        }
    };
    entries.iter().map(field).collect()
}

impl Condition {
    /// What it needs to know.
    pub(super) fn needs(&self) -> Needs {
        match self {
            Self::Direction(_)
            | Self::Sender(_)
            | Self::Recipient(_)
            | Self::Subject(_)
            | Self::Header { .. } => Needs::default(),
            Self::SizeAbove(_) => Needs { body: true, ..Needs::default() },
            Self::Attachment(_) => Needs { body: true, archives: true, ..Needs::default() },
            Self::Text(_) => Needs { body: true, text: true, ..Needs::default() },
        }
    }

    /// The words for it in evidence.
    pub(super) fn words(&self) -> &'static str {
        match self {
            Self::Direction(_) => "direction",
            Self::Sender(_) => "sender",
            Self::Recipient(_) => "recipient",
            Self::Subject(_) => "subject",
            Self::Text(_) => "text",
            Self::Header { .. } => "header",
            Self::SizeAbove(_) => "size",
            Self::Attachment(_) => "attachment",
        }
    }

    /// Whether it holds.
    pub(super) fn holds(&self, facts: &Facts) -> Held {
        match self {
            Self::Direction(any) => any.contains(&facts.direction).into(),
            Self::Sender(any) => any.match_in(&facts.sender.to_string()).into(),
            Self::Recipient(any) => recipients(any, facts),
            Self::Subject(any) => subject(any, facts),
            Self::Text(any) => text(any, facts),
            Self::Header { name, patterns } => {
                facts.header.all(name).any(|value| patterns.match_in(value)).into()
            }
            Self::SizeAbove(size) => (facts.size > *size).into(),
            Self::Attachment(is) => is.holds(facts),
        }
    }
}

fn recipients(any: &Patterns, facts: &Facts) -> Held {
    let all = facts.recipients.iter().enumerate();
    let found: Vec<usize> = all
        .filter(|(_, recipient)| any.match_in(recipient.address.as_str()))
        .map(|(index, _)| index)
        .collect();
    if found.is_empty() { Held::No } else { Held::For(found) }
}

fn subject(any: &Patterns, facts: &Facts) -> Held {
    let subject = facts.header.subject.as_deref().unwrap_or_default();
    match any.match_in(subject) {
        true => Held::Yes,
        false if was_cut(subject, limits::SUBJECT_OCTETS) => Held::Unknown,
        false => Held::No,
    }
}

fn text(any: &Patterns, facts: &Facts) -> Held {
    let mut left = limits::RULE_TEXT_OCTETS;
    let own = |place| matches!(place, Place::Body | Place::Residue);
    for part in facts.passages.iter().filter(|passage| own(passage.place)).map(|passage| &*passage.text) {
        let read = crate::text::truncate(part, left);
        if !facts.work.goes_on() {
            return Held::Unknown;
        }
        if any.match_in(read) {
            return Held::Yes;
        }
        if read.len() < part.len() {
            return Held::Unknown;
        }
        left -= read.len();
    }
    if facts.text_unread() { Held::Unknown } else { Held::No }
}

/// Whether a value fills its limit but for a cut character: its end was not seen.
fn was_cut(value: &str, limit: usize) -> bool {
    value.len() + 3 >= limit
}

impl AttachmentIs {
    fn asks(&self) -> bool {
        self.kinds.is_some() || self.name.is_some() || self.media_type.is_some() || self.size_above.is_some()
    }

    fn holds(&self, facts: &Facts) -> Held {
        let mut unknown = facts.hides_attachments().is_some();
        for attachment in &facts.attachments {
            match self.holds_of(attachment) {
                Held::Yes | Held::For(_) => return Held::Yes,
                Held::Unknown => unknown = true,
                Held::No => {}
            }
        }
        if unknown { Held::Unknown } else { Held::No }
    }

    fn holds_of(&self, attachment: &Attachment) -> Held {
        let mut unknown = false;
        if let Some(any) = &self.kinds
            && !any.contains(&attachment.kind)
        {
            // What is encrypted may be anything.
            if attachment.kind != Kind::Unknown
                || matches!(attachment.state, State::Plain | State::Readable(_))
            {
                return Held::No;
            }
            unknown = true;
        }
        if let Some(any) = &self.name
            && !attachment.file_names().any(|name| any.match_in(&name))
        {
            if !attachment.names().any(|name| was_cut(name, limits::ATTACHMENT_NAME_OCTETS)) {
                return Held::No;
            }
            unknown = true;
        }
        if let Some(any) = &self.media_type
            && !any.match_in(&attachment.media_type)
        {
            return Held::No;
        }
        if let Some(size) = self.size_above
            && attachment.size <= size
        {
            if attachment.state == State::Uninspectable(Reason::Limit) {
                unknown = true;
            } else {
                return Held::No;
            }
        }
        if unknown { Held::Unknown } else { Held::Yes }
    }
}
