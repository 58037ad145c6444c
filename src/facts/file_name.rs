//! Names of files as the programs that open them read them, however they were written.

#![deny(clippy::disallowed_methods)]

use crate::mime::words;

/// The name as programs read it: whole, and up to a NUL where strings end at one. Windows lets go of dots and blanks at
/// the end and of `::$DATA`, which is the file itself; quotes and slashes around a name are no part of it, and marks
/// without a width and dots of other widths are told from others by no eye.
pub fn readings(name: &str) -> impl Iterator<Item = String> {
    let before_nul = name.split_once(words::NUL_SEEN).map(|(before, _)| before);
    std::iter::once(name).chain(before_nul).map(|name| {
        let plain = name.chars().filter(|c| !is_without_width(*c));
        let plain = plain.map(|c| if is_dot(c) { '.' } else { c }).collect::<String>();
        let around = |c: char| c.is_whitespace() || matches!(c, '.' | '/' | '\\' | '"' | '\'' | '`');
        let plain = plain.trim_end_matches(around);
        let file = match plain.split_once(':') {
            Some((file, stream)) if ends_with(stream, ":$DATA") => file,
            _ => plain,
        };
        file.trim_end_matches(around).to_owned()
    })
}

fn ends_with(text: &str, end: &str) -> bool {
    let at = text.len().checked_sub(end.len());
    at.and_then(|at| text.get(at..)).is_some_and(|own| own.eq_ignore_ascii_case(end))
}

/// Characters that take no place: soft hyphens, joiners, marks of direction and of byte order.
fn is_without_width(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What looks like a dot: one dot leader, small and full-width full stop.
fn is_dot(c: char) -> bool {
    matches!(c, '.' | '\u{2024}' | '\u{fe52}' | '\u{ff0e}')
}
