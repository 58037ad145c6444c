//! How sure a share is that was counted in a sample.

/// The quantile of the normal distribution for 95 %.
const Z: f64 = 1.959_964;

/// The 95 % interval of Wilson for a share of which `hits` of `all` were counted: without any, everything is possible.
pub fn wilson(hits: u64, all: u64) -> (f64, f64) {
    if all == 0 {
        return (0.0, 1.0);
    }
    let (hits, all) = (number(hits), number(all));
    let share = hits / all;
    let spread = Z * Z / all;
    let centre = share + spread / 2.0;
    let half = Z * (share * (1.0 - share) / all + spread / (4.0 * all)).sqrt();
    let end = |sign: f64| ((centre + sign * half) / (1.0 + spread)).clamp(0.0, 1.0);
    (end(-1.0), end(1.0))
}

/// A count as it is calculated with: no log holds more than fit into 32 bits of one rule.
fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the table of E. B. Wilson's interval in common statistics programs.
    #[test]
    fn the_interval_is_wilsons() {
        for (hits, all, low, high) in [
            (0, 0, 0.0, 1.0),
            (0, 20, 0.0, 0.161_1),
            (20, 20, 0.838_9, 1.0),
            (1, 10, 0.017_9, 0.404_2),
            (5, 10, 0.236_6, 0.763_4),
            (50, 100, 0.403_8, 0.596_2),
        ] {
            let (from, to) = wilson(hits, all);
            assert!((from - low).abs() < 1e-4 && (to - high).abs() < 1e-4, "{hits}/{all}: {from} {to}");
        }
    }
}
