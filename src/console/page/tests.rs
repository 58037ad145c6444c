//! Tests of the pages: each renders in both languages, and a hostile mail leaves no markup in any of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

/// A page's context, by its template's name: `mail@result` is another context of `mail.html`.
type Sample = (&'static str, &'static str);

macro_rules! samples {
    ($($name:literal),+ $(,)?) => { [$(($name, include_str!(concat!("../pages/samples/", $name, ".json")))),+] };
}

const SAMPLES: [Sample; 66] = samples![
    "confirm",
    "decisions",
    "decisions@none",
    "disclosure",
    "disclosure@approved",
    "disclosure@closed",
    "disclosure@none",
    "disclosure@ready",
    "disclosures",
    "disclosures@none",
    "follow-up",
    "follow-up@document",
    "forwarders",
    "forwarders@none",
    "forwarders@rows",
    "held",
    "held-confirm@hand-over",
    "held-confirm@release",
    "held-confirm@return",
    "held-mail",
    "held-mail@foreign",
    "held-mail@result",
    "held@bare",
    "held@none",
    "held@rows",
    "holds",
    "holds@none",
    "mail",
    "mail@plain",
    "mail@result",
    "message",
    "message@out",
    "message@refused",
    "onward",
    "onward@console",
    "overview",
    "overview@calm",
    "readers",
    "readers@before",
    "readers@none",
    "receipt",
    "receipt@result",
    "receipts",
    "receipts@none",
    "receipts@rows",
    "report",
    "report@quarter",
    "reports",
    "retention",
    "retention@before",
    "retention@none",
    "rules",
    "rules@report",
    "sample",
    "sample@rows",
    "search",
    "search-end",
    "search-end@none",
    "search-end@part",
    "search-row@0",
    "search-row@1",
    "search-row@5",
    "search@errors",
    "search@result",
    "sign-in",
    "sign-in@failed",
];

const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' autofocus onfocus='alert(1)",
    "</textarea></title></select><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}<b>",
    "a\u{202E}gpj.exe\0\u{200B}\u{1B}[31m\u{E0041}<!--",
];

fn zone() -> TimeZone {
    TimeZone::get("Europe/Stockholm").unwrap()
}

fn template(name: &str) -> String {
    format!("{}.html", name.split('@').next().unwrap())
}

fn page(name: &str, lang: Lang, context: &Value) -> String {
    match render(&template(name), lang, &zone(), context) {
        Ok(page) => page,
        Err(error) => panic!("{name} in {}: {error:#}", lang.as_str()),
    }
}

/// The names of elements, with how often each is there.
fn elements(page: &str) -> BTreeSet<&str> {
    page.split('<')
        .skip(1)
        .map(|rest| {
            rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '/' || c == '!')).next().unwrap()
        })
        .collect()
}

#[test]
fn every_page_renders_in_both_languages() {
    let shown: BTreeSet<String> = SAMPLES.iter().map(|(name, _)| template(name)).collect();
    for (name, _) in TEMPLATES {
        assert!(shown.contains(*name) || *name == BASE || name.starts_with("part-"), "{name} has no sample");
    }
    for (name, text) in SAMPLES {
        let context: Value = serde_json::from_str(text).unwrap();
        for lang in [Lang::Sv, Lang::En] {
            let page = page(name, lang, &context);
            for forbidden in ["<script", " style=", " onclick", "javascript:", "http://", "https://"] {
                assert!(!page.contains(forbidden), "{name}: {forbidden}");
            }
            if !FRAGMENTS.contains(&template(name).as_str()) {
                assert!(
                    page.starts_with(&format!("<!doctype html>\n<html lang=\"{}\">", lang.as_str())),
                    "{name}"
                );
                assert_eq!(page.matches("<h1").count(), 1, "{name}: one heading of the page");
            }
        }
    }
}

#[test]
fn what_refers_to_an_id_finds_it_and_ids_are_single() {
    let values = |page: &str, attribute: &str| -> Vec<String> {
        let start = format!(" {attribute}=\"");
        page.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    for (name, text) in SAMPLES {
        if FRAGMENTS.contains(&template(name).as_str()) {
            continue;
        }
        let context: Value = serde_json::from_str(text).unwrap();
        let page = page(name, Lang::Sv, &context);
        let ids = values(&page, "id");
        let single: BTreeSet<&String> = ids.iter().collect();
        assert_eq!(single.len(), ids.len(), "{name}: {ids:?}");
        for attribute in ["for", "aria-labelledby", "aria-describedby", "form", "list"] {
            for value in values(&page, attribute) {
                for id in value.split(' ') {
                    assert!(single.contains(&id.to_owned()), "{name}: {attribute}={id}");
                }
            }
        }
        for target in values(&page, "href").iter().filter_map(|href| href.strip_prefix('#')) {
            assert!(single.contains(&target.to_owned()), "{name}: #{target}");
        }
        let fields = page.matches("<input type=\"text\"").count() + page.matches("<select").count();
        assert!(page.matches("<label ").count() >= fields, "{name}: each field has a label");
        assert_eq!(
            page.matches("<th").count() - page.matches("<thead").count(),
            page.matches("scope=\"").count(),
            "{name}"
        );
    }
}

/// Replaces every text but those that a template compares or that are names of its own.
fn poisoned(value: &Value, key: &str, with: &str) -> Value {
    const KEPT: [&str; 12] = [
        "href",
        "key",
        "role",
        "roles",
        "kind",
        "field",
        "act",
        "columns",
        "do",
        "rows_here",
        "end_here",
        "bookmark",
    ];
    match value {
        Value::String(_) if KEPT.contains(&key) => value.clone(),
        Value::String(text) => Value::String(format!("{with}{text}")),
        Value::Array(all) => all.iter().map(|one| poisoned(one, key, with)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), poisoned(value, name, with))).collect()
        }
        other => other.clone(),
    }
}

#[test]
fn a_hostile_text_leaves_no_markup_in_any_page() {
    for (name, text) in SAMPLES {
        let context: Value = serde_json::from_str(text).unwrap();
        for lang in [Lang::Sv, Lang::En] {
            let known = elements(include_str!("tests/elements.txt"));
            for hostile in HOSTILE {
                let page = page(name, lang, &poisoned(&context, "", hostile));
                let unknown: Vec<&str> = elements(&page).difference(&known).copied().collect();
                assert!(unknown.is_empty(), "{name}: {unknown:?}");
                for one in [
                    "<script",
                    "<img",
                    "onerror=alert(1)>",
                    "\" onfocus",
                    "' autofocus",
                    "<!--",
                    "{{ 49",
                    "\0",
                    "\u{1B}",
                ] {
                    assert!(!page.contains(one), "{name}: {one}");
                }
                let outside: String = page
                    .split("value=\"")
                    .map(|rest| rest.split_once('"').map_or(rest, |(_, rest)| rest))
                    .collect();
                assert!(
                    !outside.contains(['\u{202E}', '\u{200B}', '\u{E0041}']),
                    "{name}: a character that is not seen"
                );
            }
        }
    }
}

#[test]
fn every_text_of_every_mail_may_be_hostile_alone() {
    // Also those that a template compares: whatever stands there, the page is written and nothing becomes markup.
    for (name, text) in SAMPLES {
        let context: Value = serde_json::from_str(text).unwrap();
        let mut data = context.clone();
        for part in ["data", "row", "form"] {
            if let Some(own) = context.get(part) {
                data[part] = poisoned(own, "", "<i>\u{202E}");
            }
        }
        assert!(!page(name, Lang::Sv, &data).contains("<i>"), "{name}");
    }
}

#[test]
fn a_long_subject_is_cut_and_the_whole_can_be_opened() {
    let context: Value =
        serde_json::from_str(SAMPLES.iter().find(|(name, _)| *name == "search-row@1").unwrap().1).unwrap();
    let mut context = context;
    context["row"]["subject"] = json!("å<".repeat(1 << 19));
    let row = page("search-row", Lang::Sv, &context);
    assert!(
        row.contains("…</bdi><details class=\"long\"><summary>Visa hela texten</summary>")
            && !row.contains("å<å")
    );
    assert!(row.len() < 8 << 20, "{}", row.len());
    let context: Value =
        serde_json::from_str(SAMPLES.iter().find(|(name, _)| *name == "mail@result").unwrap().1).unwrap();
    let mut context = context;
    context["data"]["mail"]["record"]["subject"] = json!("x".repeat(1 << 20));
    let mail = page("mail", Lang::En, &context);
    let (_, heading) = mail.split_once("<h1 class=\"subject\">").unwrap();
    assert!(heading.split("</h1>").next().unwrap().len() < 1_000);
}

#[test]
fn words_are_complete() {
    let (swedish, english) = (words::keys(Lang::Sv), words::keys(Lang::En));
    let rules: BTreeSet<&str> = english.iter().copied().filter(|key| key.starts_with("rule.")).collect();
    let others: BTreeSet<&str> = english.difference(&rules).copied().collect();
    assert_eq!(swedish, others, "the Swedish names of rules are elsewhere");
    assert!(swedish.len() > 400);
    for lang in [Lang::Sv, Lang::En] {
        for key in words::keys(lang) {
            let text = words::t(lang, key).unwrap();
            assert!(!text.trim().is_empty(), "{key}");
            let names = |text: &str| -> BTreeSet<String> {
                text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect()
            };
            if !key.ends_with("-one") && !key.starts_with("rule.") {
                assert_eq!(names(text), names(words::t(Lang::Sv, key).unwrap()), "{key}");
            }
        }
    }
    for (name, source) in TEMPLATES {
        for (start, prefix) in
            [(" t(\"", ""), ("{t(\"", ""), ("(t(\"", ""), ("field(\"", "field."), ("label=\"", "field.")]
        {
            for rest in source.split(start).skip(1) {
                let (key, after) = rest.split_once('"').unwrap();
                let labelled = start == "field(\"" && after.split(')').next().unwrap().contains("label=");
                if after.trim_start().starts_with('~') || labelled || start == "label=\"" && key.contains('{')
                {
                    continue;
                }
                assert!(english.contains(format!("{prefix}{key}").as_str()), "{name}: {prefix}{key}");
            }
        }
    }
}

#[test]
fn a_key_that_is_missing_is_a_mistake_of_the_page() {
    let mut context: Value = serde_json::from_str(SAMPLES[0].1).unwrap();
    context.as_object_mut().unwrap().remove("organisation");
    assert!(render(&template(SAMPLES[0].0), Lang::Sv, &zone(), &context).is_err());
    assert!(render("nowhere.html", Lang::Sv, &zone(), &context).is_err());
}

#[test]
fn times_sizes_and_ids_are_for_people_of_the_language() {
    let zone = zone();
    let time = |text| show::time(Some(text), &zone, show::MINUTE);
    assert_eq!(
        time("2026-11-30T21:11:31.4Z"),
        "<time datetime=\"2026-11-30T21:11:31.4Z\">2026-11-30 22:11</time>"
    );
    assert_eq!(time("2026-12-05"), "<time datetime=\"2026-12-05\">2026-12-05</time>");
    assert_eq!((time("<b>"), time("")), ("&lt;b&gt;".to_owned(), "–".to_owned()));
    assert_eq!(
        (show::size(1_234_567, Lang::Sv), show::size(1_234_567, Lang::En)),
        ("1,2\u{A0}MB".to_owned(), "1.2\u{A0}MB".to_owned())
    );
    assert_eq!(
        (show::size(999, Lang::Sv), show::size(412_300_000_000, Lang::Sv)),
        ("999\u{A0}B".to_owned(), "412\u{A0}GB".to_owned())
    );
    assert_eq!(
        (show::number(1_234_567, Lang::Sv), show::number(1_234, Lang::En)),
        ("1\u{A0}234\u{A0}567".to_owned(), "1,234".to_owned())
    );
    assert_eq!(
        (show::age(59), show::age(7_300), show::age(610_000)),
        (("age.minutes", 0), ("age.hours", 2), ("age.days", 7))
    );
    assert_eq!(show::encoded("../a b/å"), "..%2Fa%20b%2F%C3%A5");
    assert_eq!(show::encoded(".."), "%2E%2E");
    assert_eq!(words::word(Lang::Sv, "rule", "auto-forward"), "automatisk vidarebefordran");
    assert_eq!(words::word(Lang::En, "verb", "held hand-over"), "Held mail handed over");
    assert_eq!(words::word(Lang::En, "verdict", "new"), "new");
    assert_eq!(show::escaped("a\u{202E}b\0\r\nc\u{AD}👩\u{200D}👩"), "a[U+202E]b␀\nc[U+00AD]👩\u{200D}👩");
    assert_eq!(show::exact("a\u{202E}\"<\0"), "a\u{202E}&quot;&lt;\u{FFFD}");
    assert_eq!(
        show::shown("registrator@socialen.exempelby.se", "x"),
        "<bdi>registrator@<wbr>socialen.exempelby.se</bdi>"
    );
}

#[test]
fn a_search_can_be_split_where_its_rows_stand() {
    let (_, text) = SAMPLES.iter().find(|(name, _)| *name == "search@result").unwrap();
    let page = page("search", Lang::Sv, &serde_json::from_str(text).unwrap());
    let (before, rest) = page.split_once("\u{1}rows\u{1}").unwrap();
    let (between, after) = rest.split_once("\u{1}end\u{1}").unwrap();
    assert!(before.trim_end().ends_with("<tbody>") && between.trim_start().starts_with("</tbody>"));
    assert!(after.contains("</main>") && !after.contains("\u{1}rows\u{1}"));
    assert!(
        before.contains("<form id=\"open\" method=\"post\"")
            && before.contains("name=\"request\" value=\"KS 2026/410\"")
    );
}

#[test]
fn forms_that_a_role_may_not_use_are_left_out() {
    for (name, flag, button) in [
        ("decisions", "may_add", "value=\"add\""),
        ("disclosures", "may_add", "value=\"open\""),
        ("disclosure", "may_review", "value=\"review\""),
        ("disclosure@ready", "may_approve", "value=\"approve\""),
        ("decisions", "may_approve", "value=\"approve\""),
        ("decisions", "may_close", "value=\"close\""),
        ("holds", "may_add", "value=\"release\""),
        ("retention", "may_run", "value=\"propose\""),
        ("mail@result", "may_label", "value=\"label\""),
        ("readers", "may_all", "name=\"by\""),
    ] {
        let (_, text) = SAMPLES.iter().find(|(own, _)| *own == name).unwrap();
        let mut context: Value = serde_json::from_str(text).unwrap();
        assert!(page(name, Lang::Sv, &context).contains(button), "{name}");
        context["data"][flag] = json!(false);
        assert!(!page(name, Lang::Sv, &context).contains(button), "{name}: {flag}");
    }
}

#[test]
fn columns_have_one_order_and_unknown_ones_are_left_out() {
    let columns = |columns: Value| {
        let root = values::root(&json!({ "columns": columns }), Lang::Sv, &zone());
        field::chosen_columns(&root.get_attr("columns").unwrap())
    };
    assert_eq!(columns(json!(["verdict", "nothing", "time"])), ["time", "verdict"]);
    assert_eq!(columns(json!("size")), ["size"]);
    assert_eq!(columns(json!(null)), columns(json!(["nothing"])));
    assert_eq!(columns(json!([])).len(), 7);
}

#[test]
fn charts_hold_their_figures() {
    let rows = |figures: &[i64]| {
        Value::from(
            figures
                .iter()
                .map(|n| json!({"day": "2026-11-01", "then": {"a": n}, "b": 1}))
                .collect::<Vec<_>>(),
        )
    };
    let parts = || vec!["then.a".to_owned(), "b".to_owned()];
    let context = json!({"rows": rows(&[3, 0, 250])});
    let rows = values::root(&context, Lang::Sv, &zone()).get_attr("rows").unwrap();
    let chart = chart::columns(&rows, "day", &parts()).unwrap();
    assert_eq!(chart.get_attr("boxes").unwrap().len(), Some(5));
    assert_eq!(chart.get_attr("lines").unwrap().len(), Some(4));
    let bars = chart::bars(&rows, "day", &parts()).unwrap();
    let first = bars.get_attr("bars").unwrap().get_item_by_index(0).unwrap();
    assert_eq!(first.get_attr("sum").unwrap().as_i64(), Some(4));
}
