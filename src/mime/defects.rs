//! Defects: what was odd about a mail, gathered while it is read.

#![deny(clippy::disallowed_methods)]

use crate::text;
use crate::text::words;

words! {
    /// Something odd about a mail.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum Defect {
        /// The message is larger than what is kept for reading.
        Truncated = "truncated",
        /// MIME parts are nested deeper than the limit; what lies deeper was not read.
        TooDeep = "too-deep",
        /// There are more MIME parts than the limit; the rest was not read.
        TooManyParts = "too-many-parts",
        /// There are more attachments than are recorded.
        TooManyAttachments = "too-many-attachments",
        /// A part's transfer encoding was broken, and read as mail programs read it, or nobody knows it.
        BrokenEncoding = "broken-encoding",
        /// A multipart's parts could not be told apart: it names no boundary, or its boundary never comes.
        BrokenStructure = "broken-structure",
        /// The header section could not be read as one.
        BrokenHeader = "broken-header",
        /// There is no From field, there are several, or it names no mailbox.
        OddFrom = "odd-from",
        /// There is no Message-ID, there are several, or it is not one id in angle brackets.
        OddMessageId = "odd-message-id",
        /// There is more text than is read.
        TextCut = "text-cut",
        /// A value was cut at its limit.
        Cut = "cut",
    }
}

/// What was odd, each thing once.
#[derive(Debug, Default)]
pub(crate) struct Defects(pub(crate) Vec<Defect>);

impl Defects {
    pub(crate) fn add(&mut self, defect: Defect) {
        if !self.0.contains(&defect) {
            self.0.push(defect);
        }
    }

    /// The text, cut at `octets` and then marked as odd.
    pub(crate) fn cut(&mut self, text: &str, octets: usize) -> String {
        let kept = text::truncate(text, octets);
        if kept.len() < text.len() {
            self.add(Defect::Cut);
        }
        kept.to_owned()
    }
}
