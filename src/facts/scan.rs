//! Scans: what scanners say of a mail, each by itself. A scanner that said nothing has said nothing: there is no value
//! here that stands for "clean" beside a scanner's own word.

#![deny(clippy::disallowed_methods)]

use super::{Cause, Fact, Header};
use crate::text::words;

/// What all scanners say.
#[derive(Clone, Debug, PartialEq)]
pub struct Scans {
    /// The spam scanners' results; empty if no scanner is configured or no rule needs one.
    pub spam: Vec<SpamScan>,
    /// What the virus scanner says.
    pub virus: Fact<VirusScan>,
}

impl Default for Scans {
    fn default() -> Self {
        Self { spam: Vec::new(), virus: Fact::NotGathered }
    }
}

/// What one scanner says about spam, or why it says nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpamScan {
    /// Which.
    pub by: SpamScanner,
    /// Its answer.
    pub answer: Result<SpamScore, Cause>,
}

words! {
    /// Who looks for spam.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum SpamScanner {
        /// rspamd.
        Rspamd = "rspamd",
        /// `SpamAssassin`.
        SpamAssassin = "spamassassin",
        /// A filter of the organisation's own that the mail passed before.
        Upstream = "upstream",
    }
}

/// A scanner's answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpamScore {
    /// The points.
    pub score: f64,
    /// The points from which on it is spam to that scanner; above 0.
    pub required: f64,
    /// What it would do.
    pub opinion: Opinion,
}

/// What a scanner would do with a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opinion {
    /// Let it pass.
    Ham,
    /// Put it off and see whether it comes again: rspamd's `greylist` and `soft reject`.
    Doubt,
    /// Mark or refuse it.
    Spam,
}

/// What a virus scanner says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VirusScan {
    /// It found nothing in all of the message.
    Nothing,
    /// It knows this virus, by its name.
    Virus(String),
    /// It has a suspicion of that name: encrypted, macros, too large to be looked at. Not a virus.
    Heuristic(String),
}

/// What the filter before this one wrote: `X-Spam-Status` with its points, else a bare flag. The uppermost field is
/// its own; what the sender wrote stands below.
pub fn upstream(header: &Header) -> Option<SpamScore> {
    let flag = ["X-Spam-Flag", "X-Spam"].iter().find_map(|name| header.first(name)).map(yes);
    let status = header.first("X-Spam-Status");
    let number = |name: &str| {
        let rest = status?.split_once(name)?.1;
        let number: String =
            rest.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | '-')).collect();
        number.parse::<f64>().ok()
    };
    let spam = match (flag, status.map(yes)) {
        (None, None) => return None,
        (flag, status) => flag == Some(true) || status == Some(true),
    };
    let required = number("required=").filter(|required| *required > 0.0).unwrap_or(5.0);
    let score = number("score=").or_else(|| number("hits=")).unwrap_or(if spam { required } else { 0.0 });
    Some(SpamScore { score, required, opinion: if spam { Opinion::Spam } else { Opinion::Ham } })
}

fn yes(value: &str) -> bool {
    value.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("yes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Field;

    fn header(fields: &[(&str, &str)]) -> Header {
        let field = |(name, value): &(&str, &str)| Field { name: (*name).into(), value: (*value).into() };
        Header { fields: fields.iter().map(field).collect(), ..Header::default() }
    }

    #[test]
    fn what_a_filter_wrote_is_read() {
        let status = [("X-Spam-Status", "Yes, score=12.3 required=5.0 tests=A,B")];
        let score = upstream(&header(&status)).unwrap();
        assert_eq!(score, SpamScore { score: 12.3, required: 5.0, opinion: Opinion::Spam });
        let no = upstream(&header(&[("x-spam-status", "No, score=-1.5 required=6")])).unwrap();
        assert_eq!(no, SpamScore { score: -1.5, required: 6.0, opinion: Opinion::Ham });
        assert_eq!(upstream(&header(&[("X-Spam", "Yes")])).unwrap().opinion, Opinion::Spam);
        assert_eq!(
            upstream(&header(&[("X-Spam-Flag", "NO"), ("X-Spam-Flag", "YES")])).unwrap().opinion,
            Opinion::Ham
        );
        assert_eq!(upstream(&header(&[("Subject", "Yes")])), None);
    }
}
