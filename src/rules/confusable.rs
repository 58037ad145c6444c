//! Confusables: names that look alike on a screen, by the tables of Unicode TR 39. The only file that names
//! `unicode_security`.

#![deny(clippy::disallowed_methods)]

use unicode_security::{MixedScript as _, confusable_detection};

/// What looks alike in a domain although TR 39 tells it apart: it judges by fonts that show the difference.
const ALIKE: [(&str, &str); 7] =
    [("i", "l"), ("ĸ", "k"), ("ƅ", "b"), ("χ", "x"), ("ω", "w"), ("vv", "w"), ("cl", "d")];

/// What a name looks like: two names with one skeleton cannot be told apart at a glance.
pub(super) fn skeleton(name: &str) -> String {
    // A nought's prototype is a capital, and domains know no case.
    let plain: String = confusable_detection::skeleton(&name.to_lowercase()).filter(|c| *c != '-').collect();
    ALIKE.iter().fold(plain.to_lowercase(), |text, (those, like)| text.replace(those, like))
}

/// Whether one label has letters of alphabets that no one language writes with, as no honest name has.
pub(super) fn mixes_scripts(name: &str) -> bool {
    !name.is_ascii() && name.split('.').any(|label| !label.is_single_script())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_have_one_skeleton() {
        let own = skeleton("exempelby");
        for other in
            ["exempeiby", "exempe1by", "ехеmреlbу", "exernpelby", "exempel-by", "EXEMPELBY", "eхempelƅy"]
        {
            assert_eq!(skeleton(other), own, "{other}");
        }
        // Letters with dots and rings too, and those of alphabets that few think of.
        for (name, other) in [
            ("malmö", "malmӧ"),
            ("växjö", "vӓxјö"),
            ("kommun", "кommun"),
            ("orebro", "0rеbrο"),
            ("skola", "ѕkοla"),
            ("vaxholm", "ναxһοlm"),
            ("boden", "ƅodеո"),
            ("dorotea", "ԁοгοtеа"),
            ("solna", "so\u{2113}na"),
        ] {
            assert_eq!(skeleton(name), skeleton(other), "{other}");
        }
        assert_ne!(skeleton("exempelstad"), own);
        for (swedish, without) in [("örebro", "orebro"), ("växjö", "vaxjo"), ("åmål", "amal")] {
            assert_ne!(skeleton(swedish), skeleton(without), "near, and told apart by whoever reads Swedish");
        }
    }

    #[test]
    fn alphabets_do_not_mix_in_one_label() {
        for name in ["exаmple.org", "www.mаlmö.se", "αbc.org", "Ꮪkolа.se"] {
            assert!(mixes_scripts(name), "{name}");
        }
        for name in ["пример.org", "malmö.se", "a1-b.se", "例え.jp", "παράδειγμα.se"] {
            assert!(!mixes_scripts(name), "{name}");
        }
    }
}
