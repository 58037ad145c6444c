//! What a person has to look at before a file leaves: strings that may be a personnummer in a form that no detector takes
//! for one. The net is wide, since nothing is masked for it.

use std::ops::Range;

/// Characters between two parts of one number.
const GAP: usize = 3;

/// Where ten or twelve digits stand, in parts with little between them, of which the first ones may be a birth date.
pub(super) fn doubtful(text: &str) -> Vec<Range<usize>> {
    let runs = runs(text);
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, first) in runs.iter().enumerate() {
        let mut digits = String::new();
        let mut end = first.start;
        for run in runs.iter().skip(at) {
            let joined = digits.is_empty() || text.get(end..run.start).is_some_and(joins);
            // Years, months, days and the rest have two digits or four: a telephone number is divided otherwise.
            let even = run.len().is_multiple_of(2);
            let Some(more) = text.get(run.clone()).filter(|_| joined && even) else { break };
            digits.push_str(more);
            end = run.end;
            let free = found.last().is_none_or(|before| before.end <= first.start);
            if free && may_be_one(&digits) {
                found.push(first.start..end);
            }
            if digits.len() >= 12 {
                break;
            }
        }
    }
    found
}

/// The runs of ASCII digits.
fn runs(text: &str) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.bytes().enumerate().filter(|(_, octet)| octet.is_ascii_digit()) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end = at + 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

/// Whether what stands between two runs keeps them one number.
fn joins(between: &str) -> bool {
    between.chars().count() <= GAP && !between.chars().any(char::is_alphanumeric)
}

/// `YYMMDDNNNN` or `YYYYMMDDNNNN`, a coordination number's day too.
fn may_be_one(digits: &str) -> bool {
    let rest = match digits.len() {
        10 => digits,
        12 => match digits.strip_prefix("18").or(digits.strip_prefix("19")).or(digits.strip_prefix("20")) {
            Some(rest) => rest,
            None => return false,
        },
        _ => return false,
    };
    let number = |from: usize| rest.get(from..from + 2).and_then(|two| two.parse::<u8>().ok());
    let day = |day: u8| matches!(day, 1..=31 | 61..=91);
    number(2).is_some_and(|month| (1..=12).contains(&month)) && number(4).is_some_and(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_seen_however_they_are_divided() {
        for text in [
            "850709/9805",
            "8507 09-9805",
            "(850709)9805",
            "85 07 09 98 05",
            "850709 - 9805",
            "8507099805",
            "19850709.9805",
            "1985-07-09 9805",
            "850769–9805",
            "Faktura 12 850709/9805",
        ] {
            assert_eq!(doubtful(text).len(), 1, "{text}");
        }
        for text in
            ["Order 8507-0998", "851309/9805", "850732/9805", "850709 och 9805", "070-174 06 05", "å8507099"]
        {
            assert!(doubtful(text).is_empty(), "{text}");
        }
        assert_eq!(doubtful("å 850709/9805, 811228:9874"), [3..14, 16..27]);
    }
}
