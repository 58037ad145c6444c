//! Entities: characters by number and by name, all names of HTML, read as browsers read them (WHATWG HTML §13.2.5.72):
//! some may lack their semicolon. What is not known stays as it is written. XML has five of the names; whoever writes
//! others there means them too.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

/// The text with its entities decoded.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    htmlize::unescape(text)
}

/// The value of an attribute with its entities decoded: `&copy=` in a link is no sign there.
pub(super) fn decode_value(value: &str) -> Cow<'_, str> {
    htmlize::unescape_attribute(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        for (written, read) in [
            ("&aring;&Ouml;&nbsp;&yuml;", "åÖ\u{a0}ÿ"),
            ("&#56;&#x31;&#X31&#50;", "8112"),
            ("&#150;&#x80;", "–€"),
            ("&amp;lt; &amp", "&lt; &"),
            ("a&b & &#; &#x; &unknown; &", "a&b & &#; &#x; &unknown; &"),
            ("&#0;&#xFFFFFFFFFF;&#00000000065;", "\u{fffd}\u{fffd}A"),
            // Blanks, hyphens and letters by every name that they have.
            ("850709&ThinSpace;9805", "850709\u{2009}9805"),
            ("&MediumSpace;&emsp13;&puncsp;&VeryThinSpace;", "\u{205f}\u{2004}\u{2008}\u{200a}"),
            ("&InvisibleTimes;&ic;&Hyphen;&hyphen;&angst;", "\u{2062}\u{2063}&Hyphen;\u{2010}Å"),
            ("&fjlig;&ThickSpace;", "fj\u{205f}\u{200a}"),
            ("&aringb &thinspb", "åb &thinspb"),
        ] {
            assert_eq!(decode(written), read, "{written}");
        }
    }

    #[test]
    fn in_values() {
        assert_eq!(decode_value("?a=1&copy=2&amp;b&aring;&lt"), "?a=1&copy=2&bå<");
    }
}
