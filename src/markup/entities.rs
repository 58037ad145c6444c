//! Entities: characters by number and by name. Names are those of HTML 4 that stand for letters, blanks and signs in
//! texts; one that is not known stays as it is written.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

/// The names of the characters from U+00A0 to U+00FF, in their order.
const LATIN: &[&str] = &[
    "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "uml", "copy", "ordf", "laquo",
    "not", "shy", "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute", "micro", "para", "middot",
    "cedil", "sup1", "ordm", "raquo", "frac14", "frac12", "frac34", "iquest", "Agrave", "Aacute", "Acirc",
    "Atilde", "Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute", "Ecirc", "Euml", "Igrave", "Iacute",
    "Icirc", "Iuml", "ETH", "Ntilde", "Ograve", "Oacute", "Ocirc", "Otilde", "Ouml", "times", "Oslash",
    "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute", "THORN", "szlig", "agrave", "aacute", "acirc", "atilde",
    "auml", "aring", "aelig", "ccedil", "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc",
    "iuml", "eth", "ntilde", "ograve", "oacute", "ocirc", "otilde", "ouml", "divide", "oslash", "ugrave",
    "uacute", "ucirc", "uuml", "yacute", "thorn", "yuml",
];

/// Others.
const OTHERS: &[(&str, char)] = &[
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("AMP", '&'),
    ("LT", '<'),
    ("GT", '>'),
    ("QUOT", '"'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("hyphen", '‐'),
    ("dash", '‐'),
    ("horbar", '―'),
    ("minus", '−'),
    ("ensp", '\u{2002}'),
    ("emsp", '\u{2003}'),
    ("thinsp", '\u{2009}'),
    ("hairsp", '\u{200a}'),
    ("numsp", '\u{2007}'),
    ("zwnj", '\u{200c}'),
    ("zwj", '\u{200d}'),
    ("lrm", '\u{200e}'),
    ("rlm", '\u{200f}'),
    ("ZeroWidthSpace", '\u{200b}'),
    ("NoBreak", '\u{2060}'),
    ("NonBreakingSpace", '\u{a0}'),
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("plus", '+'),
    ("period", '.'),
    ("comma", ','),
    ("colon", ':'),
    ("semi", ';'),
    ("num", '#'),
    ("sol", '/'),
    ("lowbar", '_'),
    ("commat", '@'),
    ("equals", '='),
    ("excl", '!'),
    ("lpar", '('),
    ("rpar", ')'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("sbquo", '‚'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("bull", '•'),
    ("hellip", '…'),
    ("euro", '€'),
    ("trade", '™'),
    ("OElig", 'Œ'),
    ("oelig", 'œ'),
    ("Scaron", 'Š'),
    ("scaron", 'š'),
    ("Zcaron", 'Ž'),
    ("zcaron", 'ž'),
    ("lsaquo", '‹'),
    ("rsaquo", '›'),
    ("dagger", '†'),
];

/// What the numbers from 128 to 159 stand for: windows-1252, as every browser has it.
const WINDOWS: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";

/// No entity that is known is longer than this.
const NAME_OCTETS: usize = 32;

/// The text with its entities decoded.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        if let Some((c, octets)) = reference(after) {
            out.push(c);
            rest = after.get(octets..).unwrap_or_default();
        } else {
            out.push('&');
            rest = after;
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character that a reference stands for, and how long it is; its semicolon may be missing.
fn reference(text: &str) -> Option<(char, usize)> {
    let (digits, radix, skipped) = match text.as_bytes() {
        [b'#', b'x' | b'X', ..] => (text.get(2..)?, 16, 2),
        [b'#', ..] => (text.get(1..)?, 10, 1),
        _ => return named(text),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let number = digits.get(..end)?.trim_start_matches('0');
    if end == 0 {
        return None;
    }
    let number = u32::from_str_radix(number.get(..8.min(number.len()))?, radix).unwrap_or(0);
    let c = match number {
        128..=159 => WINDOWS.chars().nth(number as usize - 128),
        _ => char::from_u32(number),
    };
    let length = skipped + end + usize::from(digits.as_bytes().get(end) == Some(&b';'));
    Some((c.unwrap_or(char::REPLACEMENT_CHARACTER), length))
}

fn named(text: &str) -> Option<(char, usize)> {
    let window = text.as_bytes().get(..NAME_OCTETS.min(text.len()))?;
    let end = window.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(window.len());
    let name = text.get(..end)?;
    let latin = LATIN.iter().zip('\u{a0}'..).find(|(known, _)| **known == name).map(|(_, c)| c);
    let c = latin.or_else(|| OTHERS.iter().find(|(known, _)| *known == name).map(|(_, c)| *c))?;
    Some((c, end + usize::from(text.as_bytes().get(end) == Some(&b';'))))
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
            ("&#0;&#xFFFFFFFFFF;&#00000000065;", "\0\u{fffd}A"),
        ] {
            assert_eq!(decode(written), read, "{written}");
        }
    }
}
