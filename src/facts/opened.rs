//! Opened documents: what a reading of an attachment adds to the facts.

#![deny(clippy::disallowed_methods)]

use super::attachment::Attachment;
use super::passage::{Passage, Place};
use super::{Defect, Facts};
use crate::documents::{Item, Reading, Reason, State, formats};
use crate::limits;

impl Facts {
    /// Adds what was read of the attachment with that number.
    pub fn opened(&mut self, attachment: usize, reading: Reading) {
        let Some(outer) = self.attachments.get(attachment).map(|outer| outer.path.clone()) else { return };
        let mut items = reading.items.into_iter();
        if let (Some(itself), Some(outer)) = (items.next(), self.attachments.get_mut(attachment)) {
            (outer.kind, outer.state, outer.macros) = (itself.kind, itself.state, itself.macros);
            let (part, name) = (outer.path.clone(), outer.name.clone());
            self.passage(part, name, Place::Attachment, itself.text);
        }
        for item in items {
            self.inside(&outer, item);
        }
    }

    /// The attachment with that number could not be read.
    pub fn unreadable(&mut self, attachment: usize, reason: Reason) {
        if let Some(attachment) = self.attachments.get_mut(attachment) {
            attachment.state = State::Uninspectable(reason);
        }
    }

    fn inside(&mut self, outer: &str, item: Item) {
        let path = format!("{outer}/{}", item.path);
        let names = std::iter::once(&item.name).chain(&item.other_names).map(String::as_str);
        let names = names.collect::<Vec<_>>().join("\n");
        self.passage(path.clone(), item.name.clone(), Place::AttachmentName, names);
        self.passage(path.clone(), item.name.clone(), Place::Attachment, item.text);
        if self.attachments.len() < limits::ATTACHMENTS {
            self.attachments.push(Attachment {
                path,
                name: item.name,
                other_names: item.other_names,
                media_type: formats::row(item.kind).media_type.to_owned(),
                kind: item.kind,
                size: item.size,
                state: item.state,
                macros: item.macros,
            });
        } else if !self.defects.contains(&Defect::TooManyAttachments) {
            self.defects.push(Defect::TooManyAttachments);
        }
    }

    fn passage(&mut self, part: String, name: String, place: Place, text: String) {
        if !text.trim_ascii().is_empty() {
            self.passages.push(Passage::new(part, name, place, text));
        }
    }
}
