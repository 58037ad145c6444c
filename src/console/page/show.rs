//! Text, times and numbers as people read them on a page.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::Lang;

/// Day, hour and minute.
pub(super) const MINUTE: &str = "%Y-%m-%d %H:%M";
/// To the second.
pub(super) const SECOND: &str = "%Y-%m-%d %H:%M:%S";
/// The day alone.
pub(super) const DAY: &str = "%Y-%m-%d";

/// Characters of a text that are shown at once; the rest opens below it.
const BRIEF: usize = 160;

/// Letters of a word from which on it may be broken at its joints, and letters without a joint that stay together.
const LONG: usize = 18;
const TOGETHER: usize = 24;

/// Text for a page: what cannot be seen written out, and nothing of it markup. Line breaks stay.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    let mut before = '\0';
    for c in text.chars() {
        push(&mut out, c, before);
        before = c;
    }
    out
}

/// As [`escaped`], with the places where a long word, such as an address, may be broken: no other word is.
fn breakable(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut last = '\0';
    for word in text.split_inclusive(char::is_whitespace) {
        let is_long = word.chars().nth(LONG).is_some();
        let mut together = 0;
        for c in word.chars() {
            let joint = matches!(last, '@' | '-' | '_' | '/' | '=' | ',' | ';');
            if is_long && (joint && together > 3 || together >= TOGETHER) {
                out.push_str("<wbr>");
                together = 0;
            }
            push(&mut out, c, last);
            last = c;
            together += 1;
        }
    }
    out
}

/// The value of a field of a form: as it was entered, so that it can be sent again.
pub(super) fn exact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let is_control = c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        push_markup(&mut out, if is_control { char::REPLACEMENT_CHARACTER } else { c });
    }
    out
}

fn push(out: &mut String, c: char, before: char) {
    match c {
        '\n' | '\t' => out.push(c),
        '\r' => {}
        '\0'..='\u{1F}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('␀')),
        '\u{7F}' => out.push('␡'),
        // They join what stands around them, as in emoji and Persian.
        '\u{200C}' | '\u{200D}' | '\u{FE0F}' if before > '\u{2FF}' => out.push(c),
        c if is_unseen(c) => {
            out.push_str("[U+");
            let _ = write!(out, "{:04X}", u32::from(c));
            out.push(']');
        }
        c => push_markup(out, c),
    }
}

fn push_markup(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c => out.push(c),
    }
}

/// Whether a character cannot be seen, or turns the direction of what follows.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9F}' | '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}'
        | '\u{E000}'..='\u{F8FF}')
}

/// Where a text is cut, if it is long.
fn cut(text: &str) -> Option<&str> {
    let (at, _) = text.char_indices().nth(BRIEF)?;
    text.get(..at)
}

/// Text from a mail. A long one is cut, and the whole of it opens below.
pub(super) fn shown(text: &str, whole: &str) -> String {
    match cut(text) {
        None if text.is_empty() => String::new(),
        None => format!("<bdi>{}</bdi>", breakable(text)),
        Some(start) => format!(
            "<bdi>{}…</bdi><details class=\"long\"><summary>{}</summary><bdi>{}</bdi></details>",
            breakable(start),
            escaped(whole),
            breakable(text)
        ),
    }
}

/// Text from a mail, cut.
pub(super) fn brief(text: &str) -> String {
    let (start, dots) = cut(text).map_or((text, ""), |start| (start, "…"));
    if start.is_empty() { String::new() } else { format!("<bdi>{}{dots}</bdi>", breakable(start)) }
}

/// Text from a mail, cut, where there can be no element: in an option, or in a name for those who do not see.
pub(super) fn brief_text(text: &str) -> String {
    cut(text).map_or_else(|| text.to_owned(), |start| format!("{start}…"))
}

/// A word as the first of a line.
pub(super) fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// A time of RFC 3339, or a day, as an element.
pub(super) fn time(text: Option<&str>, zone: &TimeZone, form: &str) -> String {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return "–".to_owned() };
    let shown = match (text.parse::<Timestamp>(), text.parse::<Date>()) {
        (Ok(time), _) => zone.to_datetime(time).strftime(form).to_string(),
        (Err(_), Ok(day)) => day.to_string(),
        (Err(_), Err(_)) => return escaped(text),
    };
    format!("<time datetime=\"{}\">{}</time>", escaped(text), escaped(&shown))
}

/// The beginning or the end of a period: whole days as days, the last one included.
pub(super) fn bound(text: Option<&str>, zone: &TimeZone, is_end: bool) -> String {
    let given = text.unwrap_or_default();
    let Ok(moment) = given.parse::<Timestamp>() else { return time(text, zone, MINUTE) };
    let local = zone.to_datetime(moment);
    let day = if is_end { local.date().yesterday().ok() } else { Some(local.date()) };
    match day.filter(|_| local.time() == Time::midnight()) {
        Some(day) => format!("<time datetime=\"{day}\">{day}</time>"),
        None => time(text, zone, MINUTE),
    }
}

/// A size: 1 kB is 1,000 bytes, as on a desktop.
pub(super) fn size(bytes: u64, lang: Lang) -> String {
    let (mut value, mut unit) = (bytes as f64, "B");
    for larger in ["kB", "MB", "GB", "TB"] {
        if value < 1_000.0 {
            break;
        }
        value /= 1_000.0;
        unit = larger;
    }
    let digits = usize::from(unit != "B" && value < 100.0);
    decimal(format!("{value:.digits$}\u{A0}{unit}"), lang)
}

/// A number with its thousands apart.
pub(super) fn number(number: u64, lang: Lang) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(match lang {
                Lang::Sv => '\u{A0}',
                Lang::En => ',',
            });
        }
        out.push(digit);
    }
    out
}

/// A share of one.
pub(super) fn percent(share: f64, lang: Lang) -> String {
    let number = format!("{:.0}", share * 100.0);
    match lang {
        Lang::Sv => format!("{number}\u{A0}%"),
        Lang::En => format!("{number}%"),
    }
}

fn decimal(number: String, lang: Lang) -> String {
    match lang {
        Lang::Sv => number.replace('.', ","),
        Lang::En => number,
    }
}

/// How long, as a key of the words and its number.
pub(super) fn age(seconds: i64) -> (&'static str, i64) {
    match seconds {
        ..3_600 => ("age.minutes", (seconds / 60).max(0)),
        3_600..172_800 => ("age.hours", seconds / 3_600),
        172_800.. => ("age.days", seconds / 86_400),
    }
}

/// One segment of a path.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    // A segment of dots alone is another folder.
    if out.chars().all(|c| c == '.') { out.replace('.', "%2E") } else { out }
}

/// The colour that repeats a state: `good`, `warn`, `bad`, `info` or `quiet`.
pub(super) fn tone(kind: &str, id: &str) -> &'static str {
    let (good, warn, bad, info) = ("good", "warn", "bad", "info");
    match kind {
        "grade" => match id {
            "certain" | "strong" | "unknown" => warn,
            "medium" => info,
            _ => "quiet",
        },
        "mode" => match id {
            "enforce" => good,
            "observe" => info,
            _ => "quiet",
        },
        _ => match id {
            "accepted" | "delivered" | "sent" | "done" | "open" | "whole" | "right" | "approved"
            | "disclosed" | "keep" => good,
            "marked" | "deferred" | "pending" | "waits" | "proposed" | "held" | "unfinished" | "unknown"
            | "incomplete" | "begun" | "review" | "part" | "mask" => warn,
            "rejected" | "failed" | "bounced" | "expired" | "tampered" | "wrong" | "refused" => bad,
            _ => "quiet",
        },
    }
}
