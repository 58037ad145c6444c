//! The charset that a page or XML names for itself, in `<meta>` or in its declaration.

#![deny(clippy::disallowed_methods)]

/// Octets in which it must stand (HTML, 4.2.5.4 asks for its first 1,024).
const BEGINNING: usize = 4 << 10;

/// The label of the charset.
pub(crate) fn charset(page: &[u8]) -> Option<&[u8]> {
    let beginning = page.get(..BEGINNING).unwrap_or(page);
    let declared =
        if beginning.trim_ascii_start().starts_with(b"<?xml") { after(beginning, b"encoding") } else { None };
    declared.or_else(|| after(beginning, b"charset"))
}

/// The value after a word and a sign of equality, in quotes or not.
fn after<'a>(page: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let at = page.windows(word.len()).position(|window| window.eq_ignore_ascii_case(word))?;
    let rest = page.get(at + word.len()..)?.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let rest = rest.strip_prefix(b"\"").or_else(|| rest.strip_prefix(b"'")).unwrap_or(rest);
    let end = |octet: &u8| !octet.is_ascii_alphanumeric() && !b"-_.:".contains(octet);
    let label = rest.get(..rest.iter().position(end).unwrap_or(rest.len()))?;
    (!label.is_empty()).then_some(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_charset_is_named() {
        for (page, label) in [
            (&b"<meta charset=iso-8859-2>"[..], Some(&b"iso-8859-2"[..])),
            (b"<META http-equiv='Content-Type' content='text/html; charset=KOI8-R'>", Some(b"KOI8-R")),
            (b"<?xml version='1.0' encoding=\"windows-1251\"?>", Some(b"windows-1251")),
            (b"<p>encoding=x</p>", None),
            (b"<meta charset=''>", None),
        ] {
            assert_eq!(charset(page), label);
        }
    }
}
