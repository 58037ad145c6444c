//! The words of the pages, from `words.toml`: the same keys in Swedish and in English.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Lang;
use crate::swedish;

type Words = HashMap<String, String>;

const FILE: &str = include_str!("../words.toml");

static WORDS: LazyLock<(Words, Words)> = LazyLock::new(|| {
    // A file that cannot be read has no words, and a test says so.
    let table: toml::Table = FILE.parse().unwrap_or_default();
    let of = |section: &str| {
        let mut words = Words::new();
        if let Some(value) = table.get(section) {
            collect("", value, &mut words);
        }
        words
    };
    (of("sv"), of("en"))
});

fn collect(name: &str, value: &toml::Value, words: &mut Words) {
    if let Some(text) = value.as_str() {
        words.insert(name.to_owned(), text.to_owned());
    }
    for (key, value) in value.as_table().into_iter().flatten() {
        let inner = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        collect(&inner, value, words);
    }
}

fn words(lang: Lang) -> &'static Words {
    match lang {
        Lang::Sv => &WORDS.0,
        Lang::En => &WORDS.1,
    }
}

/// The text of a key.
pub(super) fn t(lang: Lang, key: &str) -> Option<&'static str> {
    words(lang).get(key).map(String::as_str)
}

/// The text of a key with what stands for `{name}` in it. What is put in is not looked at again.
pub(super) fn filled(lang: Lang, key: &str, fillings: &[(String, String)]) -> String {
    let mut rest = t(lang, key).unwrap_or(key);
    let mut out = String::with_capacity(rest.len());
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        if let Some((_, text)) = fillings.iter().find(|(known, _)| known == name) {
            out.push_str(text);
        }
        rest = after;
    }
    out + rest
}

/// The word for an id of a kind. An id that has none is its own word.
pub(super) fn word(lang: Lang, kind: &str, id: &str) -> String {
    match (lang, kind) {
        (Lang::Sv, "rule") => return swedish::rule(id).into_owned(),
        (Lang::Sv, "term") => return swedish::kind(id).to_owned(),
        _ => {}
    }
    let key: String = id.chars().map(|c| if c == ' ' { '-' } else { c }).collect();
    t(lang, &format!("{kind}.{key}")).unwrap_or(id).to_owned()
}

#[cfg(test)]
pub(super) fn keys(lang: Lang) -> std::collections::BTreeSet<&'static str> {
    words(lang).keys().map(String::as_str).collect()
}
