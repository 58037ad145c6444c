//! Charts: where columns and bars stand, as numbers for a template. The table beside each has the same figures.

use minijinja::Error;
use minijinja::value::Value;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 56.0;
/// Half of the last label stands beside its column.
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;
/// A bar's room, and where bars begin and end.
const ROW: f64 = 30.0;
const BARS_LEFT: f64 = 220.0;
const BARS_RIGHT: f64 = 680.0;
/// Labels that have room below columns.
const LABELS: usize = 16;

/// Stacked columns: `rows` are objects, `label` and `parts` the names of their fields.
pub(super) fn columns(rows: &Value, label: &str, parts: &[String]) -> Result<Value, Error> {
    let rows: Vec<Value> = rows.try_iter()?.collect();
    let figures: Vec<Vec<u64>> = rows.iter().map(|row| figures(row, parts)).collect();
    let highest = figures.iter().map(|row| row.iter().sum()).max().unwrap_or(0);
    let (step, steps) = scale(highest);
    let top = (step * steps) as f64;
    let y = |value: u64| HEIGHT - BOTTOM - value as f64 / top * (HEIGHT - BOTTOM - TOP);
    let slot = (WIDTH - LEFT - RIGHT) / rows.len().max(1) as f64;
    let gap = (slot * 0.25).min(8.0);
    let (mut boxes, mut labels) = (Vec::new(), Vec::new());
    let every = rows.len().div_ceil(LABELS).max(1);
    for (at, (row, values)) in rows.iter().zip(&figures).enumerate() {
        let x = LEFT + at as f64 * slot;
        let mut below = 0;
        for (part, value) in values.iter().enumerate().filter(|(_, value)| **value > 0) {
            let above = below + value;
            boxes.push(shaped([x + gap / 2.0, y(above), slot - gap, y(below) - y(above)], part));
            below = above;
        }
        if at % every == 0 {
            // Of a day of RFC 3339, the month and the day.
            let text = row.get_attr(label)?;
            let text = text.as_str().map(|text| text.get(5..).unwrap_or(text).to_owned());
            let text = Value::from(text.unwrap_or_default());
            labels.push(Value::from_pairs([("x", rounded(x + slot / 2.0)), ("text", text)]));
        }
    }
    let lines = (0..=steps)
        .map(|line| Value::from_pairs([("y", rounded(y(step * line))), ("value", Value::from(step * line))]));
    Ok(Value::from_pairs([
        ("boxes", Value::from(boxes)),
        ("labels", Value::from(labels)),
        ("lines", Value::from(lines.collect::<Vec<_>>())),
        ("width", Value::from(WIDTH)),
        ("height", Value::from(HEIGHT)),
        ("left", Value::from(LEFT)),
        ("sums", sums(&figures, parts.len())),
    ]))
}

/// Stacked bars: `rows` are objects, `label` and `parts` the names of their fields.
pub(super) fn bars(rows: &Value, label: &str, parts: &[String]) -> Result<Value, Error> {
    let rows: Vec<Value> = rows.try_iter()?.collect();
    let figures: Vec<Vec<u64>> = rows.iter().map(|row| figures(row, parts)).collect();
    let longest = figures.iter().map(|row| row.iter().sum::<u64>()).max().unwrap_or(0).max(1) as f64;
    let mut bars = Vec::new();
    for (at, (row, values)) in rows.iter().zip(&figures).enumerate() {
        let y = at as f64 * ROW;
        let mut x = BARS_LEFT;
        let mut boxes = Vec::new();
        for (part, value) in values.iter().enumerate().filter(|(_, value)| **value > 0) {
            let width = (*value as f64 / longest * (BARS_RIGHT - BARS_LEFT)).max(1.0);
            boxes.push(shaped([x, y + 5.0, width, 18.0], part));
            x += width;
        }
        bars.push(Value::from_pairs([
            ("label", row.get_attr(label)?),
            ("sum", Value::from(values.iter().sum::<u64>())),
            ("boxes", Value::from(boxes)),
            ("text", rounded(y + 19.0)),
            ("end", rounded(x + 8.0)),
        ]));
    }
    Ok(Value::from_pairs([
        ("bars", Value::from(bars)),
        ("width", Value::from(WIDTH)),
        ("height", rounded(ROW * rows.len().max(1) as f64)),
        ("left", Value::from(BARS_LEFT - 10.0)),
        ("sums", sums(&figures, parts.len())),
    ]))
}

/// The figures of a row; a part `a.b` is in an object within it.
fn figures(row: &Value, parts: &[String]) -> Vec<u64> {
    let figure = |part: &String| {
        let value = part.split('.').try_fold(row.clone(), |value, name| value.get_attr(name).ok());
        value.and_then(|value| value.as_i64()).map_or(0, i64::unsigned_abs)
    };
    parts.iter().map(figure).collect()
}

/// The sum of each part, for a legend that names only what is there.
fn sums(figures: &[Vec<u64>], parts: usize) -> Value {
    let sum = |part: usize| figures.iter().filter_map(|row| row.get(part)).sum::<u64>();
    Value::from((0..parts).map(sum).collect::<Vec<_>>())
}

fn shaped([x, y, width, height]: [f64; 4], part: usize) -> Value {
    let shape = [("x", x), ("y", y), ("width", width), ("height", height)];
    let shape = shape.into_iter().map(|(name, value)| (name, rounded(value)));
    Value::from_pairs(shape.chain([("part", Value::from(part))]))
}

fn rounded(value: f64) -> Value {
    Value::from((value * 10.0).round() / 10.0)
}

/// A step of 1, 2 or 5 times a power of ten, and how many of them reach the highest figure: five at most.
fn scale(highest: u64) -> (u64, u64) {
    let mut step: u64 = 1;
    loop {
        for factor in [1, 2, 5] {
            let whole = step.saturating_mul(factor);
            let steps = highest.div_ceil(whole);
            if steps <= 5 {
                return (whole, steps.max(1));
            }
        }
        step = step.saturating_mul(10);
    }
}
