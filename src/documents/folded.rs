//! Calendars and cards (RFC 5545, RFC 6350, and vCard 2.1 as phones write it): lines unfolded, values decoded.

#![deny(clippy::disallowed_methods)]

use super::State;
use super::document::{Document, Outcome};
use crate::mime::transfer::{self, Encoding};
use crate::mime::words;

/// Reads the values, each line as one.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    let text = words::unlabelled(bytes);
    let mut pending: Option<String> = None;
    let mut soft = false;
    for line in text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)) {
        let quoted = soft && pending.as_ref().is_some_and(|before| before.ends_with('='));
        match (&mut pending, line.strip_prefix([' ', '\t'])) {
            (Some(before), _) if quoted => {
                before.pop();
                before.push_str(line);
            }
            (Some(before), Some(more)) => before.push_str(more),
            _ => {
                soft = is_quoted(line);
                if let Some(before) = pending.replace(line.to_owned()) {
                    value(document, &before)?;
                }
            }
        }
    }
    if let Some(last) = pending {
        value(document, &last)?;
    }
    Ok(State::Plain)
}

/// Whether the value of a line is in quoted-printable, whose soft line breaks fold it.
fn is_quoted(line: &str) -> bool {
    line.split_once(':').is_some_and(|(name, _)| name.to_ascii_uppercase().contains("QUOTED-PRINTABLE"))
}

fn value(document: &mut Document<'_>, line: &str) -> Result<(), super::Reason> {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    let upper = name.to_ascii_uppercase();
    let charset = upper.split(';').find_map(|parameter| parameter.strip_prefix("CHARSET="));
    let encoding = match () {
        () if is_quoted(line) => Encoding::QuotedPrintable,
        () if upper.contains("ENCODING=B") || upper.ends_with(";BASE64") => Encoding::Base64,
        () => Encoding::Identity,
    };
    if encoding == Encoding::Identity {
        document.text(&unescaped(line))?;
    } else {
        let (decoded, _) = transfer::decode(encoding, value.as_bytes());
        let photo = ["PHOTO", "LOGO", "SOUND", "KEY"].iter().any(|name| upper.starts_with(name));
        document.text(name)?;
        document.text(":")?;
        if photo || upper.starts_with("ATTACH") {
            document.inside("", "", &decoded)?;
        } else {
            document.text(&words::in_charset(charset.unwrap_or("utf-8").as_bytes(), &decoded))?;
        }
    }
    document.text("\n")
}

/// RFC 5545 §3.3.11: `\n`, `\,` and the like in a text.
fn unescaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::text;

    #[test]
    fn values_are_unfolded_and_decoded() {
        for (name, written, read) in [
            (
                "a.ics",
                "BEGIN:VCALENDAR\r\nSUMMARY:Möte 8112\r\n 28-9874\r\nDESCRIPTION:a\\nb\\, c\r\n",
                "BEGIN:VCALENDAR\nSUMMARY:Möte 811228-9874\nDESCRIPTION:a\nb, c\n\n",
            ),
            (
                "a.vcf",
                "NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:=E5 8112=\r\n28-9874\r\nX:y",
                "NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:å 811228-9874\nX:y\n",
            ),
            ("a.vcf", "NOTE;ENCODING=b:ODExMjI4LTk4NzQ=\n", "NOTE;ENCODING=b:811228-9874\n\n"),
        ] {
            assert_eq!(text(name, written.as_bytes()), read, "{written}");
        }
    }
}
