//! Charts as inline SVG: stacked columns over days, stacked bars by kind. Each has a title and a description for who
//! does not see it; the table beside it has the numbers.

use std::fmt::Write as _;

use crate::export::page::escaped;

/// One part of each column or bar: its name, and its colour's name in the page's style.
pub(super) type Part = (&'static str, char);

/// A column.
pub(super) struct Column {
    /// What stands below it; empty for most.
    pub(super) label: String,
    /// What it is, for who points at it.
    pub(super) name: String,
    /// Whether it is on grey ground: a weekend.
    pub(super) quiet: bool,
    /// Its parts, the lowest first.
    pub(super) parts: Vec<u64>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 270.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 6.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;

/// Stacked columns.
pub(super) fn columns(id: &str, title: &str, parts: &[Part], columns: &[Column]) -> String {
    let highest = columns.iter().map(|column| column.parts.iter().sum()).max().unwrap_or(0);
    let (step, steps) = scale(highest);
    let top = (step * steps) as f64;
    let y = |value: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - BOTTOM - TOP);
    let slot = (WIDTH - LEFT - RIGHT) / columns.len().max(1) as f64;
    let mut svg = start(id, title, HEIGHT);
    for (at, column) in (0_u32..).zip(columns).filter(|(_, column)| column.quiet) {
        let x = LEFT + f64::from(at) * slot;
        let _ = write!(
            svg,
            "<rect class=quiet x={x:.1} y={TOP} width={slot:.1} height={:.1} />",
            HEIGHT - TOP - BOTTOM
        );
        let _ = column;
    }
    for line in 0..=steps {
        let value = step * line;
        let at = y(value as f64);
        let kind = if line == 0 { "base" } else { "grid" };
        let _ = write!(
            svg,
            "<line class={kind} x1={LEFT} x2={} y1={at:.1} y2={at:.1} /><text class=y x={} y={:.1}>{}</text>",
            WIDTH - RIGHT,
            LEFT - 7.0,
            at + 4.0,
            grouped(value)
        );
    }
    for (at, column) in (0_u32..).zip(columns) {
        let x = LEFT + f64::from(at) * slot;
        let gap = (slot * 0.18).min(4.0);
        let mut below = 0.0;
        let _ = write!(svg, "<g><title>{}</title>", escaped(&column.name));
        for ((_, colour), value) in parts.iter().zip(&column.parts).filter(|(_, value)| **value > 0) {
            let above = below + *value as f64;
            let _ = write!(
                svg,
                "<rect class=c{colour} x={:.1} y={:.1} width={:.1} height={:.1} />",
                x + gap / 2.0,
                y(above),
                slot - gap,
                y(below) - y(above)
            );
            below = above;
        }
        svg.push_str("</g>");
        if !column.label.is_empty() {
            let _ = write!(
                svg,
                "<text class=x x={:.1} y={:.1}>{}</text>",
                x + slot / 2.0,
                HEIGHT - 8.0,
                escaped(&column.label)
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// A bar.
pub(super) struct Bar {
    /// What it is of.
    pub(super) name: String,
    /// Its parts, from the left.
    pub(super) parts: Vec<u64>,
}

const ROW: f64 = 30.0;
const NAME: f64 = 225.0;
const NUMBER: f64 = 80.0;

/// Stacked bars, one below the other.
pub(super) fn bars(id: &str, title: &str, parts: &[Part], bars: &[Bar]) -> String {
    let longest = bars.iter().map(|bar| bar.parts.iter().sum::<u64>()).max().unwrap_or(0).max(1) as f64;
    let height = ROW * bars.len().max(1) as f64 + 6.0;
    let mut svg = start(id, title, height);
    for (row, bar) in (0_u32..).zip(bars) {
        let y = f64::from(row) * ROW + 3.0;
        let all: u64 = bar.parts.iter().sum();
        let _ = write!(
            svg,
            "<g><title>{}: {}</title><text class=name x={} y={:.1}>{}</text>",
            escaped(&bar.name),
            grouped(all),
            NAME - 10.0,
            y + 19.0,
            escaped(&shortened(&bar.name))
        );
        let mut x = NAME;
        for ((_, colour), value) in parts.iter().zip(&bar.parts).filter(|(_, value)| **value > 0) {
            let width = *value as f64 / longest * (WIDTH - NAME - NUMBER);
            let _ = write!(
                svg,
                "<rect class=c{colour} x={x:.1} y={:.1} width={:.1} height=20 />",
                y + 4.0,
                width.max(1.0)
            );
            x += width.max(1.0);
        }
        let _ =
            write!(svg, "<text class=number x={:.1} y={:.1}>{}</text></g>", x + 7.0, y + 19.0, grouped(all));
    }
    svg.push_str("</svg>");
    svg
}

/// The names of the parts with their colours; none for a single part.
pub(super) fn legend(parts: &[Part]) -> String {
    if parts.len() < 2 {
        return String::new();
    }
    let one = |(name, colour): &Part| format!("<li><i class=k{colour}></i>{}</li>", escaped(name));
    format!("<ul class=legend>{}</ul>", parts.iter().map(one).collect::<String>())
}

/// A number with its thousands apart, as Swedish writes it.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{A0}');
        }
        out.push(digit);
    }
    out
}

fn start(id: &str, title: &str, height: f64) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=img aria-labelledby=\"{id}-t {id}-d\"><title id={id}-t>{}</title>\
         <desc id={id}-d>Samma tal står i tabellen bredvid.</desc>",
        escaped(title)
    )
}

/// A step of 1, 2 or 5 times a power of ten, and how many of them reach the highest value: four or five.
fn scale(highest: u64) -> (u64, u64) {
    let mut step = 1;
    loop {
        for factor in [1, 2, 5] {
            if highest.div_ceil(step * factor) <= 5 {
                return (step * factor, highest.div_ceil(step * factor).max(1));
            }
        }
        step *= 10;
    }
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= 28 {
        return name.to_owned();
    }
    name.chars().take(27).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_reach_and_stay_readable() {
        for (highest, wanted) in [
            (0, (1, 1)),
            (1, (1, 1)),
            (7, (2, 4)),
            (99, (20, 5)),
            (100, (20, 5)),
            (101, (50, 3)),
            (12_345, (5_000, 3)),
        ] {
            assert_eq!(scale(highest), wanted, "{highest}");
        }
        assert_eq!((grouped(1_234_567).as_str(), grouped(999).as_str()), ("1\u{A0}234\u{A0}567", "999"));
    }

    #[test]
    fn charts_hold_what_they_are_given() {
        let column = |n: u64| Column {
            label: n.to_string(),
            name: format!("<{n}>"),
            quiet: n == 2,
            parts: vec![n, 0, 2 * n],
        };
        let svg = columns("a", "Å & b", &[("in", 'a'), ("ut", 'b'), ("x", 'c')], &[column(1), column(2)]);
        assert_eq!(svg.matches("<rect class=c").count(), 4);
        assert!(
            svg.contains("Å &amp; b")
                && svg.contains("&lt;2&gt;")
                && svg.contains("class=quiet")
                && !svg.contains("NaN")
        );
        let empty = columns("a", "t", &[("in", 'a')], &[]);
        assert!(!empty.contains("NaN") && !empty.contains("inf"), "{empty}");
        let bars = bars("b", "t", &[("in", 'a')], &[Bar { name: "x".repeat(40), parts: vec![3] }]);
        assert!(bars.contains("xxx…") && bars.contains("<rect class=ca x=225.0"));
    }
}
