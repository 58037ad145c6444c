//! Defects: what was odd about a mail, gathered while it is read.

#![deny(clippy::disallowed_methods)]

use crate::text;

/// Something odd about a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Defect {
    /// The message is larger than what is kept for reading.
    Truncated,
    /// MIME parts are nested deeper than the limit; what lies deeper was not read.
    TooDeep,
    /// There are more MIME parts than the limit; the rest was not read.
    TooManyParts,
    /// There are more attachments than are recorded.
    TooManyAttachments,
    /// A part's transfer encoding was broken, and read as mail programs read it, or nobody knows it.
    BrokenEncoding,
    /// A multipart's parts could not be told apart: it names no boundary, or its boundary never comes.
    BrokenStructure,
    /// The header section could not be read as one.
    BrokenHeader,
    /// There is no From field, there are several, or it names no mailbox.
    OddFrom,
    /// There is no Message-ID, there are several, or it is not one id in angle brackets.
    OddMessageId,
    /// There is more text than is read.
    TextCut,
    /// A value was cut at its limit.
    Cut,
}

impl Defect {
    /// The word for it in the log and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::TooDeep => "too-deep",
            Self::TooManyParts => "too-many-parts",
            Self::TooManyAttachments => "too-many-attachments",
            Self::BrokenEncoding => "broken-encoding",
            Self::BrokenStructure => "broken-structure",
            Self::BrokenHeader => "broken-header",
            Self::OddFrom => "odd-from",
            Self::OddMessageId => "odd-message-id",
            Self::TextCut => "text-cut",
            Self::Cut => "cut",
        }
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
