//! Conditions on attachments: what must be true of one and the same file, in archives too.

#![deny(clippy::disallowed_methods)]

use super::held::{Held, was_cut};
use super::pattern::{Case, Patterns};
use crate::documents::kind::Kind;
use crate::documents::{Reason, State};
use crate::facts::attachment::Attachment;
use crate::facts::{Cause, Facts};
use crate::limits;
use crate::settings::problem::Fault;
use crate::settings::{Settings, parse};

/// What must be true of one and the same attachment; what is absent is not asked.
#[derive(Debug, Default)]
pub(super) struct AttachmentIs {
    encrypted: Option<bool>,
    kinds: Option<Vec<Kind>>,
    name: Option<Patterns>,
    media_type: Option<Patterns>,
    size_above: Option<u64>,
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

impl AttachmentIs {
    /// What `when` says of attachments; `None` if that is nothing.
    pub(super) fn read(when: &mut Settings<'_>) -> Option<Self> {
        let patterns = |when: &mut Settings<'_>, key| {
            when.value(key).map(|value| Patterns::read(when, key, value, Case::Told))
        };
        let is = Self {
            kinds: kinds(when, "attachment_kind"),
            name: patterns(when, "attachment_name"),
            media_type: patterns(when, "attachment_type"),
            encrypted: when.optional("attachment_encrypted", parse::flag),
            size_above: when.optional("attachment_size_above", parse::size),
        };
        is.asks().then_some(is)
    }

    fn asks(&self) -> bool {
        self.encrypted.is_some()
            || self.kinds.is_some()
            || self.name.is_some()
            || self.media_type.is_some()
            || self.size_above.is_some()
    }

    /// Whether it is true of any attachment.
    pub(super) fn holds(&self, facts: &Facts) -> Held {
        let mut unknown = facts.hides_attachments().is_some();
        for attachment in &facts.attachments {
            match self.holds_of(attachment) {
                Held::Yes | Held::For(_) => return Held::Yes,
                Held::Unknown(_) => unknown = true,
                Held::No => {}
            }
        }
        if unknown { Held::Unknown(Cause::Limit) } else { Held::No }
    }

    fn holds_of(&self, attachment: &Attachment) -> Held {
        let mut unknown = false;
        if self.encrypted.is_some_and(|asked| asked != matches!(attachment.state, State::Encrypted(_))) {
            return Held::No;
        }
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
        if unknown { Held::Unknown(Cause::Limit) } else { Held::Yes }
    }
}
