//! The header: what the fields of the header section say, decoded.

#![deny(clippy::disallowed_methods)]

use super::{Defect, Field, Header, grammar};
use crate::address::Address;
use crate::limits;
use crate::mime::defects::Defects;
use crate::mime::section::Section;
use crate::mime::tokens::{self, Token};
use crate::mime::words;

impl Header {
    /// The authors as the log has them: their addresses, or where From has none, what people see there.
    pub fn author(&self) -> String {
        if !self.from.is_empty() {
            return self.from.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        }
        self.written("From")
    }

    /// The addresses in every field of that name, or where there is none, what people see there; `, ` between.
    pub fn people(&self, name: &str) -> String {
        let mut addresses = self.all(name).flat_map(grammar::addresses).take(limits::HEADER_ITEMS).peekable();
        if addresses.peek().is_none() {
            return self.written(name);
        }
        addresses.map(|address| address.to_string()).collect::<Vec<_>>().join(", ")
    }

    /// What people see in the fields of that name.
    fn written(&self, name: &str) -> String {
        let written: Vec<_> = self.all(name).collect();
        words::subject(&written.join(", "), &mut Defects::default())
    }

    /// What stands in From beside the addresses: names, comments.
    pub fn author_names(&self) -> String {
        self.all("From").map(grammar::names).collect::<Vec<_>>().join(" ")
    }

    /// Every address that people may take for the author's: in From, in a local part there, in Sender.
    pub fn shown(&self) -> Vec<Address> {
        let within = self.from.iter().flat_map(grammar::within);
        let senders = self.all("Sender").flat_map(grammar::addresses);
        self.from.iter().cloned().chain(within).chain(senders).take(limits::HEADER_ITEMS).collect()
    }

    /// Reads the section; the envelope sender tells notifications apart.
    pub(super) fn read(section: &Section<'_>, defects: &mut Defects) -> Self {
        let fields = section
            .fields
            .iter()
            .map(|field| Field { name: words::text(field.name).into(), value: words::line(field.value) })
            .collect();
        let mut header = Self { fields, ..Self::default() };
        if section.junk() && !section.cut {
            defects.add(Defect::BrokenHeader);
        }
        if section.cut {
            defects.add(Defect::Cut);
        }
        header.from = header.addresses("From", defects);
        if header.from.is_empty() || header.all("From").count() != 1 {
            defects.add(Defect::OddFrom);
        }
        header.sender = header.addresses("Sender", defects).into_iter().next();
        header.reply_to = header.addresses("Reply-To", defects);
        header.subject = header.first("Subject").map(|value| words::subject(value, defects));
        header.message_id = header.message_id(defects);
        header.references = header.references(defects);
        header.date = header.first("Date").map(str::to_owned);
        let auto_submitted = header.all("Auto-Submitted").any(automatic);
        header.auto_submitted = auto_submitted;
        header.list_id = header.first("List-Id").and_then(list_id);
        header.report =
            header.first("Content-Type").is_some_and(|value| media_type(value) == "multipart/report");
        header
    }

    /// The addresses in every field of that name.
    fn addresses(&self, name: &str, defects: &mut Defects) -> Vec<Address> {
        let mut addresses: Vec<_> = self.all(name).flat_map(grammar::addresses).collect();
        cut(&mut addresses, defects);
        addresses
    }

    fn message_id(&self, defects: &mut Defects) -> Option<String> {
        let mut values = self.all("Message-ID");
        let Some(value) = values.next().filter(|value| !value.is_empty()) else {
            defects.add(Defect::OddMessageId);
            return None;
        };
        let id = ids(value).next().unwrap_or(value);
        if values.next().is_some() || id != value || !id.starts_with('<') || id.contains(' ') {
            defects.add(Defect::OddMessageId);
        }
        Some(defects.cut(id, limits::MESSAGE_ID_OCTETS))
    }

    fn references(&self, defects: &mut Defects) -> Vec<String> {
        let mut found = Vec::new();
        for name in ["In-Reply-To", "References", "X-MS-Exchange-Parent-Message-Id", "X-Forwarded-Message-Id"]
        {
            let room = limits::HEADER_ITEMS + 1 - found.len();
            found.extend(self.all(name).flat_map(references).take(room).map(str::to_owned));
        }
        cut(&mut found, defects);
        found
    }
}

/// The ids in angle brackets.
pub(super) fn ids(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = value;
    std::iter::from_fn(move || {
        let from = rest.get(rest.find('<')?..)?;
        let (id, after) = from.split_at(from.find('>')? + 1);
        rest = after;
        Some(id)
    })
}

/// The ids that a reply names. Some programs write one without brackets.
pub(super) fn references(value: &str) -> impl Iterator<Item = &str> {
    let bare = (value.contains('@') && !value.contains(['<', ' '])).then_some(value);
    ids(value).chain(bare)
}

/// RFC 3834 §5: everything but the keyword `no`, in any case, with comments and parameters, is automatic. What a comment
/// hides that does not end is not said.
fn automatic(value: &str) -> bool {
    let tokens = tokens::all(value);
    let said = tokens.iter().take_while(|token| !matches!(token, Token::Mark(';') | Token::Odd('(')));
    let mut said = said.filter(|token| !matches!(token, Token::Blank | Token::Comment(_)));
    match (said.next(), said.next()) {
        (Some(Token::Word(word)), None) => !word.eq_ignore_ascii_case("no"),
        (first, _) => first.is_some(),
    }
}

/// RFC 2919 §3: the identifier in angle brackets; a phrase may stand before it, brackets too.
fn list_id(value: &str) -> Option<String> {
    let id = value.rsplit_once('<').map_or(value, |(_, id)| id.split('>').next().unwrap_or(id)).trim();
    (!id.is_empty()).then(|| id.to_lowercase())
}

fn media_type(value: &str) -> String {
    value.split([';', ' ', '(']).next().unwrap_or_default().to_ascii_lowercase()
}

fn cut<T>(items: &mut Vec<T>, defects: &mut Defects) {
    if items.len() > limits::HEADER_ITEMS {
        items.truncate(limits::HEADER_ITEMS);
        defects.add(Defect::Cut);
    }
}
