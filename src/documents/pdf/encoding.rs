//! Encodings of simple fonts and of strings (ISO 32000-2, Annex D), and the names of glyphs.

#![deny(clippy::disallowed_methods)]

/// An encoding that a font may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    Standard,
    WinAnsi,
    MacRoman,
}

/// What windows-1252 has from 128 to 159; `\u{fffd}` where it has nothing.
const WINDOWS: &str = "€\u{fffd}‚ƒ„…†‡ˆ‰Š‹Œ\u{fffd}Ž\u{fffd}\u{fffd}‘’“”•–—˜™š›œ\u{fffd}žŸ";
/// What Mac OS Roman has from 128 on.
const MAC: &str = "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø¿¡¬√ƒ≈∆«»…\u{a0}ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\u{f8ff}ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ";
/// What Standard Encoding has from 161 on; `\u{fffd}` where it has nothing.
const STANDARD: &str = "¡¢£⁄¥ƒ§¤'“«‹›ﬁﬂ\u{fffd}–†‡·\u{fffd}¶•‚„”»…‰\u{fffd}¿\u{fffd}`´ˆ˜¯˘˙¨\u{fffd}˚¸\u{fffd}˝˛ˇ—\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}Æ\u{fffd}ª\u{fffd}\u{fffd}\u{fffd}\u{fffd}ŁØŒº\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}æ\u{fffd}\u{fffd}\u{fffd}ı\u{fffd}\u{fffd}łøœß";
/// What PDFDocEncoding has from 128 to 160.
const DOCUMENT: &str = "•†‡…—–ƒ⁄‹›−‰„“”‘’‚™ﬁﬂŁŒŠŸŽıłœšž\u{fffd}€";

/// What each of the 256 codes stands for.
pub(super) fn table(base: Base) -> Vec<Option<String>> {
    let high: Box<dyn Iterator<Item = char>> = match base {
        Base::WinAnsi => Box::new(WINDOWS.chars().chain('\u{a0}'..='\u{ff}')),
        Base::MacRoman => Box::new(MAC.chars()),
        Base::Standard => Box::new(std::iter::repeat_n('\u{fffd}', 33).chain(STANDARD.chars())),
    };
    let known = |c: char| (c != char::REPLACEMENT_CHARACTER && !c.is_control()).then(|| c.to_string());
    let mut codes: Vec<Option<String>> = ('\0'..'\u{80}').chain(high).map(known).collect();
    codes.resize(256, None);
    codes
}

/// The text of a string that is no content: UTF-16, UTF-8 or PDFDocEncoding (§7.9.2.2).
pub(super) fn text(string: &[u8]) -> String {
    match string {
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => string.iter().map(|octet| document_character(*octet)).collect(),
    }
}

fn utf16(octets: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units: Vec<u16> = octets.as_chunks().0.iter().map(|pair| unit(*pair)).collect();
    String::from_utf16_lossy(&units)
}

fn document_character(octet: u8) -> char {
    let special = octet.checked_sub(128).filter(|at| *at <= 32);
    special.and_then(|at| DOCUMENT.chars().nth(usize::from(at))).unwrap_or(char::from(octet))
}

/// What a glyph of that name stands for (the Adobe Glyph List, as far as Latin text goes).
pub(super) fn glyph(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let stem = name.split('.').next().filter(|stem| !stem.is_empty())?;
    let mut letters = stem.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        return Some(letter.to_string());
    }
    if let Some(written) = stem.strip_prefix("uni").filter(|hex| hex.len() >= 4 && hex.len() % 4 == 0) {
        let units: Option<Vec<u16>> = written
            .as_bytes()
            .chunks(4)
            .map(|unit| u16::from_str_radix(std::str::from_utf8(unit).ok()?, 16).ok())
            .collect();
        return String::from_utf16(&units?).ok();
    }
    if let Some(written) = stem.strip_prefix('u').filter(|hex| (4..=6).contains(&hex.len()))
        && let Some(character) = u32::from_str_radix(written, 16).ok().and_then(char::from_u32)
    {
        return Some(character.to_string());
    }
    let mut known = GLYPHS.split_ascii_whitespace();
    while let (Some(known_name), Some(text)) = (known.next(), known.next()) {
        if known_name == stem {
            return Some(if text == "_" { " ".to_owned() } else { text.to_owned() });
        }
    }
    None
}

/// Names with what they stand for; `_` is a space.
const GLYPHS: &str = "\
space _ nbspace _ exclam ! quotedbl \" numbersign # dollar $ percent % ampersand & quotesingle ' parenleft ( \
parenright ) asterisk * plus + comma , hyphen - sfthyphen - minus − period . slash / zero 0 one 1 two 2 three 3 \
four 4 five 5 six 6 seven 7 eight 8 nine 9 colon : semicolon ; less < equal = greater > question ? at @ \
bracketleft [ backslash \\ bracketright ] asciicircum ^ underscore _ grave ` braceleft { bar | braceright } \
asciitilde ~ exclamdown ¡ cent ¢ sterling £ currency ¤ yen ¥ brokenbar ¦ section § dieresis ¨ copyright © \
ordfeminine ª guillemotleft « logicalnot ¬ registered ® macron ¯ degree ° plusminus ± acute ´ mu µ paragraph ¶ \
periodcentered · cedilla ¸ ordmasculine º guillemotright » onequarter ¼ onehalf ½ threequarters ¾ questiondown ¿ \
Agrave À Aacute Á Acircumflex Â Atilde Ã Adieresis Ä Aring Å AE Æ Ccedilla Ç Egrave È Eacute É Ecircumflex Ê \
Edieresis Ë Igrave Ì Iacute Í Icircumflex Î Idieresis Ï Eth Ð Ntilde Ñ Ograve Ò Oacute Ó Ocircumflex Ô Otilde Õ \
Odieresis Ö multiply × Oslash Ø Ugrave Ù Uacute Ú Ucircumflex Û Udieresis Ü Yacute Ý Thorn Þ germandbls ß agrave à \
aacute á acircumflex â atilde ã adieresis ä aring å ae æ ccedilla ç egrave è eacute é ecircumflex ê edieresis ë \
igrave ì iacute í icircumflex î idieresis ï eth ð ntilde ñ ograve ò oacute ó ocircumflex ô otilde õ odieresis ö \
divide ÷ oslash ø ugrave ù uacute ú ucircumflex û udieresis ü yacute ý thorn þ ydieresis ÿ Lslash Ł lslash ł OE Œ \
oe œ Scaron Š scaron š Zcaron Ž zcaron ž Ydieresis Ÿ florin ƒ circumflex ˆ tilde ˜ endash – emdash — quoteleft ‘ \
quoteright ’ quotesinglbase ‚ quotedblleft “ quotedblright ” quotedblbase „ dagger † daggerdbl ‡ bullet • ellipsis … \
perthousand ‰ guilsinglleft ‹ guilsinglright › fraction ⁄ Euro € trademark ™ fi ﬁ fl ﬂ ff ﬀ ffi ﬃ ffl ﬄ dotlessi ı \
figuredash ‒ softhyphen - hyphentwo ‐ nonbreakinghyphen ‑ cacute ć Cacute Ć ccaron č Ccaron Č eogonek ę aogonek ą \
nacute ń sacute ś zacute ź zdotaccent ż";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_base_has_swedish() {
        for (base, codes) in [(Base::WinAnsi, [0xE5, 0xE4, 0xF6]), (Base::MacRoman, [0x8C, 0x8A, 0x9A])] {
            let table = table(base);
            let text: String = codes.iter().filter_map(|code: &usize| table[*code].clone()).collect();
            assert_eq!((text.as_str(), table.len()), ("åäö", 256), "{base:?}");
        }
        assert_eq!(table(Base::Standard)[0xFB].as_deref(), Some("ß"));
        assert_eq!(table(Base::Standard)[0xB1].as_deref(), Some("–"));
    }

    #[test]
    fn names_of_glyphs() {
        for (name, text) in [
            ("A", Some("A")),
            ("aring", Some("å")),
            ("eight.lf", Some("8")),
            ("uni00E5", Some("å")),
            ("u00E5", Some("å")),
            ("space", Some(" ")),
            ("g17", None),
            (".notdef", None),
        ] {
            assert_eq!(glyph(name.as_bytes()).as_deref(), text, "{name}");
        }
    }

    #[test]
    fn strings() {
        assert_eq!(text(b"\xfe\xff\x00\xe5"), "å");
        assert_eq!(text(b"\xef\xbb\xbf\xc3\xa5"), "å");
        assert_eq!(text(b"\xe5\x85"), "å–");
    }
}
