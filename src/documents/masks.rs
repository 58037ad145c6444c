//! Number formats of spreadsheets, as far as they are masks of digits or dates: `000000-0000` is how Swedish ones show
//! personal numbers, and a day of birth is a number of days. Others change nothing that identifies anybody.

#![deny(clippy::disallowed_methods)]

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::civil::{Date, date};

use crate::limits;
use crate::markup::{self, Token};
use crate::mime::words;

/// Places of the longest mask that is one; personal numbers have thirteen.
const MASK_PLACES: usize = 32;

/// Days of the last date that a workbook can hold: the end of the year 9999.
const LAST_DAY: f64 = 2_958_465.0;
/// Days between the two days from which workbooks count.
const DAYS_BEFORE_1904: f64 = 1_462.0;

/// The mask of each cell style.
#[derive(Default)]
pub(super) struct Masks {
    /// By the number of the format.
    formats: BTreeMap<u32, Format>,
    /// Of each style the number of its format.
    styles: Vec<u32>,
    /// Whether days are counted from 1904, as Excel once did on the Macintosh.
    pub(super) since_1904: bool,
}

/// What a format shows.
enum Format {
    Mask(Vec<Place>),
    Date(Vec<DatePart>),
}

/// One piece of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DatePart {
    /// With so many digits.
    Year(usize),
    Month(usize),
    Day(usize),
    Literal(char),
}

/// How a date is shown whose format has more than digits in it, or leaves something out (ISO 8601).
const ISO_DATE: [DatePart; 5] =
    [DatePart::Year(4), DatePart::Literal('-'), DatePart::Month(2), DatePart::Literal('-'), DatePart::Day(2)];

/// One place of a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A digit; where the number has none, a zero.
    Digit,
    /// A digit; where the number has none, nothing.
    Optional,
    Literal(char),
}

impl Masks {
    /// The masks that the styles of a workbook in XML have.
    pub(super) fn read(styles: &[u8]) -> Self {
        let styles = words::unlabelled(styles);
        let mut masks = Self::default();
        let mut of_cells = false;
        for token in markup::xml(&styles) {
            match token {
                Token::Start(tag) if tag.local() == "numFmt" => {
                    let id = tag.attribute("numFmtId").and_then(|id| id.parse().ok());
                    if let (Some(id), Some(code)) = (id, tag.attribute("formatCode")) {
                        masks.format(id, &code);
                    }
                }
                Token::Start(tag) if tag.local() == "cellXfs" => of_cells = true,
                Token::Start(tag) if of_cells && tag.local() == "xf" => {
                    masks.style(tag.attribute("numFmtId").and_then(|id| id.parse().ok()).unwrap_or(0));
                }
                Token::End(name) if name.ends_with("cellXfs") => of_cells = false,
                _ => {}
            }
        }
        masks
    }

    /// A format of that number.
    pub(super) fn format(&mut self, id: u32, code: &str) {
        let format = mask(code).map(Format::Mask).or_else(|| date_parts(code).map(Format::Date));
        if let Some(format) = format
            && self.formats.len() < limits::WORKBOOK_FORMATS
        {
            self.formats.insert(id, format);
        }
    }

    /// The next style has the format of that number.
    pub(super) fn style(&mut self, format: u32) {
        if self.styles.len() < limits::WORKBOOK_FORMATS {
            self.styles.push(format);
        }
    }

    /// A number as its cell shows it: whole ones without exponent, and with the zeros and hyphens of their style, since
    /// a cell with 000101-1234 holds 1011234; days as dates.
    pub(super) fn shown(&self, style: usize, value: f64) -> String {
        self.date(style, value).or_else(|| self.masked(style, value)).unwrap_or_else(|| value.to_string())
    }

    /// Whether cells of that style show numbers as they are.
    pub(super) fn is_plain(&self, style: usize) -> bool {
        self.styles.get(style).is_none_or(|id| !self.formats.contains_key(id) && !is_built_in_date(*id))
    }

    /// The date that a cell of that style shows, if it shows one (ECMA-376-1 §18.8.30).
    pub(super) fn date(&self, style: usize, value: f64) -> Option<String> {
        let id = *self.styles.get(style)?;
        let parts = match self.formats.get(&id) {
            Some(Format::Date(parts)) => parts,
            None if is_built_in_date(id) => &ISO_DATE[..],
            Some(Format::Mask(_)) | None => return None,
        };
        let days = if self.since_1904 { value + DAYS_BEFORE_1904 } else { value };
        if !(1.0..=LAST_DAY).contains(&days) {
            return None;
        }
        let days = i64::try_from(as_whole(days.floor())).ok()?;
        // Excel takes 1900 for a leap year, so that its first two months count from a day later.
        let first = if days < 60 { date(1899, 12, 31) } else { date(1899, 12, 30) };
        Some(written(first.checked_add(days.days()).ok()?, parts))
    }

    /// A whole number in the mask of that style, if it has one.
    fn masked(&self, style: usize, value: f64) -> Option<String> {
        let whole = value.fract() == 0.0 && (0.0..9e15).contains(&value);
        let Some(Format::Mask(mask)) = self.formats.get(self.styles.get(style)?) else { return None };
        whole.then(|| filled(mask, as_whole(value)))
    }
}

/// The number in a mask.
fn filled(mask: &[Place], number: u64) -> String {
    let mut digits: Vec<char> = number.to_string().chars().collect();
    let mut left = mask.iter().filter(|place| !matches!(place, Place::Literal(_))).count();
    let mut shown = Vec::new();
    for place in mask.iter().rev() {
        match place {
            Place::Literal(c) => shown.push(*c),
            Place::Digit | Place::Optional => {
                shown.extend(digits.pop().or((*place == Place::Digit).then_some('0')));
                left -= 1;
                if left == 0 {
                    // What has no place of its own stands before the first.
                    shown.extend(digits.drain(..).rev());
                }
            }
        }
    }
    shown.into_iter().rev().collect()
}

/// The date as its parts show it.
fn written(day: Date, parts: &[DatePart]) -> String {
    let part = |part: &DatePart| match *part {
        DatePart::Year(2) => format!("{:02}", day.year() % 100),
        DatePart::Year(width) => format!("{:0width$}", day.year()),
        DatePart::Month(width) => format!("{:0width$}", day.month()),
        DatePart::Day(width) => format!("{:0width$}", day.day()),
        DatePart::Literal(c) => c.to_string(),
    };
    parts.iter().map(part).collect()
}

/// Formats with a date that every workbook has without saying so; what they look like depends on the language.
fn is_built_in_date(id: u32) -> bool {
    matches!(id, 14..=17 | 22 | 27..=31 | 36 | 50..=54 | 57 | 58)
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "asked before: whole, and below 2^53"
)]
fn as_whole(number: f64) -> u64 {
    number as u64
}

/// The mask in the first section of a format, if it is one: places of digits, and signs between them.
fn mask(code: &str) -> Option<Vec<Place>> {
    let mut places = Vec::new();
    let mut chars = code.chars();
    while let Some(c) = chars.next() {
        match c {
            '0' => places.push(Place::Digit),
            '#' | '?' => places.push(Place::Optional),
            '\\' => places.push(Place::Literal(chars.next()?)),
            '"' => places.extend(chars.by_ref().take_while(|c| *c != '"').map(Place::Literal)),
            '-' | ' ' | '+' | '/' | ':' => places.push(Place::Literal(c)),
            // A color, a condition or a language.
            '[' => chars.by_ref().take_while(|c| *c != ']').for_each(drop),
            '_' | '*' => _ = chars.next(),
            ';' => break,
            _ => return None,
        }
    }
    let digits = places.iter().filter(|place| !matches!(place, Place::Literal(_))).count();
    (digits > 1 && places.len() <= MASK_PLACES).then_some(places)
}

/// What the first section of a format shows of a date, if it is one: with a year or a day in it.
fn date_parts(code: &str) -> Option<Vec<DatePart>> {
    let mut parts = Vec::new();
    // Whether there is more in it than digits of a date.
    let (mut more, mut time) = (false, false);
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        let mut width = 1;
        while c.is_ascii_alphabetic() && chars.next_if(|next| next.eq_ignore_ascii_case(&c)).is_some() {
            width += 1;
        }
        match c.to_ascii_lowercase() {
            'y' => parts.push(DatePart::Year(if width < 3 { 2 } else { 4 })),
            'm' if width < 3 => parts.push(DatePart::Month(width)),
            'd' if width < 3 => parts.push(DatePart::Day(width)),
            'h' | 's' => (more, time) = (true, true),
            '0' if time => {}
            '0' | '#' | '?' | '@' | '%' => return None,
            '[' => {
                let inside: String = chars.by_ref().take_while(|c| *c != ']').collect();
                // A length of time.
                if inside.chars().all(|c| matches!(c.to_ascii_lowercase(), 'h' | 'm' | 's')) {
                    return None;
                }
            }
            '\\' => parts.push(DatePart::Literal(chars.next()?)),
            '"' => parts.extend(chars.by_ref().take_while(|c| *c != '"').map(DatePart::Literal)),
            '_' | '*' => _ = chars.next(),
            ';' => break,
            // Names of months and days, eras, morning and afternoon.
            c if c.is_ascii_alphabetic() => more = true,
            _ => parts.push(DatePart::Literal(c)),
        }
    }
    let has = |kind: fn(&DatePart) -> bool| parts.iter().any(kind);
    let (year, month, day) = (
        has(|part| matches!(part, DatePart::Year(_))),
        has(|part| matches!(part, DatePart::Month(_))),
        has(|part| matches!(part, DatePart::Day(_))),
    );
    let whole = year && month && day && !more && parts.len() <= MASK_PLACES;
    (year || day).then(|| if whole { parts } else { ISO_DATE.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        for (code, number, shown) in [
            ("000000-0000", 1_011_234, Some("000101-1234")),
            ("00000000\\-0000", 198_112_289_874, Some("19811228-9874")),
            ("000000\"-\"0000;[Red]0", 198_112_289_874, Some("19811228-9874")),
            ("0000000000", 8, Some("0000000008")),
            ("[$-41D]000000\\-0000;@", 8_112_289_874, Some("811228-9874")),
            ("######-####", 8_112_289_874, Some("811228-9874")),
            ("######-####", 1_011_234, Some("101-1234")),
            ("General", 8, None),
            ("0", 8, None),
            ("#,##0.00", 8, None),
        ] {
            let mut masks = Masks::default();
            masks.format(164, code);
            masks.style(164);
            let number_alone = number.to_string();
            assert_eq!(masks.shown(0, as_float(number)), shown.unwrap_or(&number_alone), "{code}");
        }
    }

    fn as_float(number: u64) -> f64 {
        number.to_string().parse().unwrap()
    }

    #[test]
    fn days_are_dates() {
        // 28 December 1981 is the day 29,948.
        for (code, value, shown) in [
            ("yyyy-mm-dd", 29_948.0, "1981-12-28"),
            ("yyyy\\-mm\\-dd;@", 29_948.0, "1981-12-28"),
            ("yyyymmdd", 29_948.0, "19811228"),
            ("yymmdd", 29_948.0, "811228"),
            ("[$-41D]d/m/yy", 29_948.0, "28/12/81"),
            ("[$-41D]d mmmm yyyy", 29_948.0, "1981-12-28"),
            ("YYYY-MM-DD hh:mm:ss.000", 29_948.75, "1981-12-28"),
            ("m/d", 29_948.0, "1981-12-28"),
            ("yyyy-mm-dd", 36_526.0, "2000-01-01"),
            ("yyyy-mm-dd", 59.0, "1900-02-28"),
            ("yyyy-mm-dd", 1.0, "1900-01-01"),
            ("yyyy-mm-dd", 0.5, "0.5"),
            ("yyyy-mm-dd", 198_112_289_874.0, "198112289874"),
            ("hh:mm", 0.5, "0.5"),
            ("[h]:mm", 29_948.0, "29948"),
            ("General", 29_948.0, "29948"),
            ("0.00\\ \"dygn\"", 29_948.0, "29948"),
        ] {
            let mut masks = Masks::default();
            masks.format(164, code);
            masks.style(164);
            assert_eq!(masks.shown(0, value), shown, "{code}");
        }
        let mut masks = Masks { since_1904: true, ..Masks::default() };
        masks.style(14);
        masks.style(0);
        assert_eq!(
            (masks.shown(0, 28_486.0), masks.shown(1, 28_486.0)),
            ("1981-12-28".into(), "28486".into())
        );
    }
}
