//! The subject's tag: put before it so that people read exactly the tag, one space, and what was there before,
//! whatever the subject was written in; and never twice.

#![deny(clippy::disallowed_methods)]

use std::fmt::Write as _;

use crate::answer::Edit;
use crate::facts::Header;
use crate::limits;

/// Where the subject is kept as it was.
pub(super) const ORIGINAL: &str = "X-Postvakt-Original-Subject";

/// Characters of one encoded word. RFC 2047 §2 allows 75; the first stands on a line with the field's name.
const WORD: usize = 64;
/// Octets of ASCII without a space that may stand on one line as they are.
const UNBROKEN: usize = 900;
/// What mail programs put before the subject of a reply or a forward, in the languages of this country's neighbours.
const REPLIES: [&str; 12] = ["re", "sv", "vb", "fw", "fwd", "vs", "aw", "wg", "ang", "ref", "tr", "rv"];

/// The edits that put these tags before the subject. A tag that stands there already, in a reply to a tagged mail
/// too, is not put there again. `utf8`: whether the transaction allows header fields in plain UTF-8 (RFC 6531).
pub(super) fn edits(header: &Header, tags: &[&str], utf8: bool) -> Vec<Edit> {
    let decoded = header.subject.as_deref().unwrap_or_default();
    let missing = missing(decoded, tags);
    if missing.is_empty() {
        return Vec::new();
    }
    let prefix = missing.join(" ");
    let name = || "Subject".to_owned();
    let Some(raw) = header.first("Subject") else {
        let value = if utf8 || prefix.is_ascii() { prefix } else { words(&prefix) };
        return vec![Edit::InsertHeader { index: 1, name: name(), value }];
    };
    // A subject that was cut among the facts is taken as it was written.
    let decoded = if decoded.len() + 4 < limits::SUBJECT_OCTETS { decoded } else { raw };
    let kept = if raw.is_ascii() && !unbroken(raw) || utf8 { raw.to_owned() } else { words(decoded) };
    vec![
        Edit::InsertHeader { index: 1, name: ORIGINAL.to_owned(), value: kept },
        Edit::ChangeHeader { index: 1, name: name(), value: tagged(&prefix, raw, decoded, utf8) },
    ]
}

/// The subject that people read then.
pub(super) fn after(header: &Header, tags: &[&str]) -> String {
    let decoded = header.subject.as_deref().unwrap_or_default();
    let mut words = missing(decoded, tags);
    words.push(decoded);
    words.join(" ")
}

fn missing<'a>(decoded: &str, tags: &[&'a str]) -> Vec<&'a str> {
    tags.iter().copied().filter(|tag| !has_tag(decoded, tag)).collect()
}

/// The new value. White space between two encoded words is not shown (RFC 2047 §6.2), so before one of them the space
/// is inside the tag's own word; before anything else it is outside.
fn tagged(prefix: &str, raw: &str, decoded: &str, utf8: bool) -> String {
    if raw.is_empty() {
        return if utf8 || prefix.is_ascii() { prefix.to_owned() } else { words(prefix) };
    }
    if utf8 {
        return format!("{prefix} {raw}");
    }
    if !raw.is_ascii() || unbroken(raw) {
        return words(&format!("{prefix} {decoded}"));
    }
    if prefix.is_ascii() {
        return format!("{prefix} {raw}");
    }
    if begins_with_word(raw) {
        format!("{} {raw}", words(&format!("{prefix} ")))
    } else {
        format!("{} {raw}", words(prefix))
    }
}

/// Whether a line of it would be too long, with no space to fold at.
fn unbroken(raw: &str) -> bool {
    raw.split(' ').any(|run| run.len() > UNBROKEN)
}

/// Whether the text begins with an encoded word (RFC 2047 §2), and not with something that only looks like the
/// beginning of one.
fn begins_with_word(text: &str) -> bool {
    let word = text.split(' ').next().unwrap_or_default();
    let mut parts =
        word.strip_prefix("=?").and_then(|rest| rest.strip_suffix("?=")).unwrap_or_default().split('?');
    let charset = parts.next().is_some_and(|charset| !charset.is_empty());
    let encoding = parts.next().is_some_and(|encoding| matches!(encoding, "b" | "B" | "q" | "Q"));
    charset && encoding && parts.next().is_some() && parts.next().is_none()
}

/// The text in encoded words, a space between each and the next; what is read is the text alone.
fn words(text: &str) -> String {
    const BEGIN: &str = "=?UTF-8?Q?";
    let mut out = String::from(BEGIN);
    let mut used = BEGIN.len();
    for c in text.chars() {
        let mut octets = [0; 4];
        let mut written = String::new();
        match c {
            ' ' => written.push('_'),
            '!'..='~' if !matches!(c, '=' | '?' | '_' | '"') => written.push(c),
            _ => {
                for octet in c.encode_utf8(&mut octets).bytes() {
                    // Writing into a String does not fail.
                    let _ = write!(written, "={octet:02X}");
                }
            }
        }
        if used + written.len() + 2 > WORD {
            out.push_str("?= ");
            out.push_str(BEGIN);
            used = BEGIN.len();
        }
        out.push_str(&written);
        used += written.len();
    }
    out.push_str("?=");
    out
}

/// Whether the tag stands at the beginning, or behind the marks of replies, of lists and of other tags.
fn has_tag(subject: &str, tag: &str) -> bool {
    let mut rest = subject.trim_start();
    loop {
        if rest.starts_with(tag) {
            return true;
        }
        let Some(next) = without_reply(rest).or_else(|| without_brackets(rest)) else { return false };
        rest = next.trim_start();
    }
}

/// `SV: `, `Re[2]:`, `VB :` taken away.
fn without_reply(text: &str) -> Option<&str> {
    let (head, rest) = text.split_once(':')?;
    let head = head.trim_end().trim_end_matches(|c: char| c.is_ascii_digit() || "[]()^*".contains(c));
    REPLIES.iter().any(|reply| head.eq_ignore_ascii_case(reply)).then_some(rest)
}

/// `[list] ` taken away.
fn without_brackets(text: &str) -> Option<&str> {
    text.strip_prefix('[')?.split_once(']').map(|(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Field;
    use crate::mime::words;

    const TAG: &str = "[…SPAM?...]";

    fn header(subject: Option<&str>) -> Header {
        let fields = subject.map(|value| Field { name: "Subject".into(), value: value.into() });
        Header {
            fields: fields.into_iter().collect(),
            subject: subject.map(|value| words::decode(value).trim().to_owned()),
            ..Header::default()
        }
    }

    /// The subject as it is read after the edits, and the value that was written.
    fn after(subject: &str, utf8: bool) -> (String, String) {
        let edits = edits(&header(Some(subject)), &[TAG], utf8);
        let Some(Edit::ChangeHeader { index: 1, value, .. }) = edits.last() else { panic!("{edits:?}") };
        (words::decode(value).into_owned(), value.clone())
    }

    #[test]
    fn people_read_tag_space_and_subject() {
        for (subject, read) in [
            ("Faktura", "Faktura"),
            ("=?UTF-8?B?w4RyZW5kZQ==?= om vatten", "Ärende om vatten"),
            ("=?ISO-8859-1?Q?=C5=E4=F6?=", "Åäö"),
            ("Åäö rakt av", "Åäö rakt av"),
            ("=?trasigt", "=?trasigt"),
            ("=?UTF-8?X?abc?= x", "=?UTF-8?X?abc?= x"),
        ] {
            let (seen, value) = after(subject, false);
            assert_eq!(seen, format!("{TAG} {read}"), "{value}");
            assert!(value.is_ascii(), "{value}");
            assert!(
                value.split(' ').all(|word| !word.starts_with("=?UTF-8?Q?") || word.len() <= 75),
                "{value}"
            );
        }
    }

    #[test]
    fn plain_utf8_only_where_the_transaction_allows_it() {
        assert_eq!(after("Åäö", true).1, format!("{TAG} Åäö"));
        assert!(after("Åäö", false).1.is_ascii());
    }

    #[test]
    fn long_subjects_have_no_long_line() {
        for subject in ["x".repeat(3_000), "å".repeat(1_500), format!("{} slut", "ord ".repeat(500))] {
            let (seen, value) = after(&subject, false);
            assert_eq!(seen, format!("{TAG} {subject}"));
            assert!(value.split(' ').all(|run| run.len() <= 75));
        }
    }

    #[test]
    fn a_tag_is_not_put_twice() {
        for subject in [
            "[…SPAM?...] Faktura",
            "SV: […SPAM?...] Faktura",
            "Re: SV : VB: [lista] […SPAM?...] Faktura",
            "Re[2]: […SPAM?...] Faktura",
            "=?UTF-8?Q?SV:_[=E2=80=A6SPAM=3F...]_?= Faktura",
        ] {
            assert_eq!(edits(&header(Some(subject)), &[TAG], false), [], "{subject}");
        }
        assert!(!edits(&header(Some("Om […SPAM?...] i ämnesraden")), &[TAG], false).is_empty());
    }

    #[test]
    fn a_missing_subject_is_made_and_an_empty_one_filled() {
        let made = edits(&header(None), &[TAG], false);
        let [Edit::InsertHeader { index: 1, name, value }] = &made[..] else { panic!("{made:?}") };
        assert_eq!((name.as_str(), words::decode(value).as_ref()), ("Subject", TAG));
        assert_eq!(after("", false).0, TAG);
    }

    #[test]
    fn a_tag_may_have_swedish_letters() {
        let tagged = |subject: &str| edits(&header(Some(subject)), &["[SKRÄPPOST]"], false);
        let edits = tagged("=?UTF-8?B?w4RyZW5kZQ==?=");
        let Some(Edit::ChangeHeader { value, .. }) = edits.last() else { panic!("{edits:?}") };
        assert_eq!(words::decode(value), "[SKRÄPPOST] Ärende");
        assert_eq!(tagged(&format!("SV: {value}")), []);
    }

    #[test]
    fn several_tags_stand_one_after_the_other() {
        let edits = edits(&header(Some("Re: [A] x")), &["[A]", "[B]"], false);
        assert!(matches!(edits.last(), Some(Edit::ChangeHeader { value, .. }) if value == "[B] Re: [A] x"));
    }
}
