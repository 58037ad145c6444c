//! Defects: what was odd about a mail, gathered while it is read.

#![deny(clippy::disallowed_methods)]

use super::Defect;
use crate::text;

/// What was odd, each thing once.
#[derive(Debug, Default)]
pub(super) struct Defects(pub(super) Vec<Defect>);

impl Defects {
    pub(super) fn add(&mut self, defect: Defect) {
        if !self.0.contains(&defect) {
            self.0.push(defect);
        }
    }

    /// The text, cut at `octets` and then marked as odd.
    pub(super) fn cut(&mut self, text: &str, octets: usize) -> String {
        let kept = text::truncate(text, octets);
        if kept.len() < text.len() {
            self.add(Defect::Cut);
        }
        kept.to_owned()
    }
}
