//! Confusables: names that look alike on a screen.

#![deny(clippy::disallowed_methods)]

/// Letters of other alphabets that look like Latin ones, and what they look like (a selection of Unicode TR 39's, those
/// that can stand in a domain).
const LOOKS_LIKE: &[(&str, char)] = &[
    ("аα", 'a'),
    ("ьƅ", 'b'),
    ("сϲ", 'c'),
    ("ԁ", 'd'),
    ("её", 'e'),
    ("ɡ", 'g'),
    ("һ", 'h'),
    ("іιı1|l", 'i'),
    ("јϳ", 'j'),
    ("κк", 'k'),
    ("ո", 'n'),
    ("оοσ0", 'o'),
    ("рρ", 'p'),
    ("ԛ", 'q'),
    ("г", 'r'),
    ("ѕ", 's'),
    ("υս", 'u'),
    ("νѵ", 'v'),
    ("ԝω", 'w'),
    ("хχ", 'x'),
    ("уγ", 'y'),
];
/// Letters that together look like another.
const TOGETHER: [(&str, &str); 3] = [("rn", "m"), ("vv", "w"), ("cl", "d")];

/// What a name looks like: two names with one skeleton cannot be told apart at a glance.
pub(super) fn skeleton(name: &str) -> String {
    let looks = |c: char| LOOKS_LIKE.iter().find(|(those, _)| those.contains(c)).map_or(c, |(_, like)| *like);
    let plain: String = name.to_lowercase().chars().map(looks).filter(|c| *c != '-').collect();
    // After the letters, for `l` has become `i` by now.
    let together = |text: String, (pair, one): &(&str, &str)| text.replace(&pair.replace('l', "i"), one);
    TOGETHER.iter().fold(plain, together)
}

/// Whether one label has letters of several alphabets, as no honest name has.
pub(super) fn mixes_scripts(name: &str) -> bool {
    name.split('.').any(|label| {
        let mut scripts = label.chars().filter_map(script);
        let first = scripts.next();
        scripts.any(|script| Some(script) != first)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
}

fn script(c: char) -> Option<Script> {
    match c {
        'a'..='z' | 'A'..='Z' | '\u{C0}'..='\u{24F}' => Some(Script::Latin),
        '\u{370}'..='\u{3FF}' => Some(Script::Greek),
        '\u{400}'..='\u{52F}' => Some(Script::Cyrillic),
        '\u{531}'..='\u{58F}' => Some(Script::Armenian),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_have_one_skeleton() {
        let own = skeleton("exempelby");
        for other in ["exempeiby", "exempe1by", "ехеmреlbу", "exernpelby", "exempel-by"] {
            assert_eq!(skeleton(other), own, "{other}");
        }
        assert_ne!(skeleton("exempelstad"), own);
        assert_ne!(skeleton("örebro"), skeleton("orebro"));
    }

    #[test]
    fn alphabets_do_not_mix_in_one_label() {
        assert!(mixes_scripts("exаmple.org"));
        assert!(!mixes_scripts("пример.org") && !mixes_scripts("malmö.se") && !mixes_scripts("a1-b.se"));
    }
}
