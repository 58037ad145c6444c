//! Confusables: names that look alike on a screen, by the tables of Unicode TR 39. The only file that names
//! `unicode_security`.

#![deny(clippy::disallowed_methods)]

use std::sync::{LazyLock, OnceLock};

use unicode_security::{MixedScript as _, confusable_detection};

use crate::address::{Domain, DomainPattern};
use crate::organisation::Organisation;

/// What looks alike in a domain although TR 39 tells it apart: it judges by fonts that show the difference.
const ALIKE: [(char, char); 5] = [('i', 'l'), ('ĸ', 'k'), ('ƅ', 'b'), ('χ', 'x'), ('ω', 'w')];
/// Two letters that look like one.
const ALIKE_IN_PAIRS: [(&str, &str); 2] = [("vv", "w"), ("cl", "d")];

/// What each letter of a plain name looks like, in two letters at most, filled up with hyphens, which people overlook.
static PLAIN: LazyLock<[[u8; 2]; 128]> = LazyLock::new(|| {
    let mut looks = [[b'-'; 2]; 128];
    for (letter, look) in (0..).zip(&mut looks) {
        let alike = letters(char::from(letter).encode_utf8(&mut [0; 4]));
        look.iter_mut().zip(alike.bytes()).for_each(|(to, from)| *to = from);
    }
    looks
});

/// What a name looks like: two names with one skeleton cannot be told apart at a glance.
pub(super) fn skeleton(name: &str) -> String {
    let plain = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'-');
    let looks = if name.bytes().all(plain) {
        let looks = name.bytes().filter_map(|letter| PLAIN.get(usize::from(letter)));
        looks.flatten().filter(|look| **look != b'-').map(|look| char::from(*look)).collect()
    } else {
        letters(name)
    };
    ALIKE_IN_PAIRS.iter().fold(
        looks,
        |looks, (those, like)| {
            if looks.contains(those) { looks.replace(those, like) } else { looks }
        },
    )
}

/// What its letters look like, one by one.
fn letters(name: &str) -> String {
    let looks: String = confusable_detection::skeleton(&name.to_lowercase()).filter(|c| *c != '-').collect();
    // A nought's prototype is a capital, and domains know no case.
    let like =
        |letter: char| ALIKE.iter().find(|(that, _)| *that == letter).map_or(letter, |(_, like)| *like);
    looks.to_lowercase().chars().map(like).collect()
}

/// What the organisation's own domains look like. It is found out with the first mail: a rule is of one config, and the
/// organisation too.
#[derive(Debug, Default)]
pub(super) struct OwnLooks(OnceLock<Vec<OwnLook>>);

/// One of them.
#[derive(Debug)]
pub(super) struct OwnLook {
    pub(super) domain: Domain,
    /// As people see it.
    pub(super) name: String,
    skeleton: String,
}

impl OwnLooks {
    /// Those of that organisation.
    pub(super) fn of(&self, organisation: &Organisation) -> &[OwnLook] {
        self.0.get_or_init(|| {
            let own = organisation.domains.iter().map(|pattern| {
                let (DomainPattern::Exact(domain) | DomainPattern::Below(domain)) = pattern;
                let name = domain.to_unicode();
                OwnLook { domain: domain.clone(), skeleton: skeleton(&name), name }
            });
            own.collect()
        })
    }
}

impl OwnLook {
    /// Whether what has that skeleton looks like this domain, or like one below it.
    pub(super) fn is_in(&self, skeleton: &str) -> bool {
        skeleton.strip_suffix(&self.skeleton).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
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
        for pair in (0..128 * 128_u32).map(|n| [n / 128, n % 128].map(|c| char::from_u32(c).unwrap())) {
            let pair: String = pair.iter().collect();
            let one_by_one = letters(&pair).replace("vv", "w").replace("cl", "d");
            assert_eq!(skeleton(&pair), one_by_one, "{pair:?}: the short way is the long one");
        }
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
