//! Data: what a `data:` URL carries in itself (RFC 2397), where it is text.

#![deny(clippy::disallowed_methods)]

/// The text of a `data:` URL, and whether it is a page; `None` for one that carries something else.
pub(super) fn text(url: &str) -> Option<(String, bool)> {
    let rest = url.trim_ascii_start();
    let rest = rest.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("data:")).and(rest.get(5..))?;
    let (kind, content) = rest.split_once(',')?;
    let kind = kind.to_ascii_lowercase();
    let media_type = kind.split(';').next().unwrap_or_default().trim();
    let page = matches!(media_type, "text/html" | "application/xhtml+xml" | "image/svg+xml");
    if !page && !media_type.is_empty() && !media_type.starts_with("text/") && media_type != "application/json"
    {
        return None;
    }
    let text = if kind.ends_with(";base64") {
        String::from_utf8_lossy(&base64(&unpercent(content))).into_owned()
    } else {
        unpercent(content)
    };
    Some((text, page))
}

/// The text with its `%` pairs decoded.
pub(crate) fn unpercent(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        if let (b'%', [high, low, tail @ ..]) = (byte, after)
            && let (Some(high), Some(low)) = (digit(high), digit(low))
        {
            out.push(high << 4 | low);
            rest = tail;
        } else {
            out.push(*byte);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The octets of base64, in either alphabet; what is neither is passed over.
fn base64(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => continue,
        };
        (bits, held) = (bits << 6 | u32::from(value), held + 6);
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xFF).unwrap_or_default());
            bits &= (1 << held) - 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_and_pictures_are_not() {
        let read = |url: &str| text(url).map(|(text, page)| format!("{page} {text}"));
        assert_eq!(read("data:text/html,<p>V%C3%A5rd").as_deref(), Some("true <p>Vård"));
        assert_eq!(read("DATA:text/plain;charset=utf-8;base64,VsOlcmQ=").as_deref(), Some("false Vård"));
        assert_eq!(read("data:,a%20b").as_deref(), Some("false a b"));
        assert_eq!(read("data:image/png;base64,VsOlcmQ="), None);
        assert_eq!(read("https://example.org/,"), None);
    }
}
