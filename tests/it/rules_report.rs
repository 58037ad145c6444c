//! `log report rules` and `log label`: an admin's way from observe to enforce, over a real Postfix.

use std::process::Command;

use serde_json::Value;

use crate::lab::program::PROGRAM;
use crate::lab::{Lab, message};

const RULES: &str = r#"[rules.sensitive-data]
mode = "observe"
action = "hold"
[rules.custom.fraga]
when = { subject = "fråga" }
mode = "enforce"
action = "mark"
[rules.credentials]
mode = "observe"
[[tests]]
mail = "elevlista.eml"
expect = "accepted"
findings = ["sensitive-data"]
"#;

const TEST_MAIL: &str = include_str!("../../config/tests/elevlista.eml");
const PURPOSE: [&str; 2] = ["--purpose", "uppföljning av regler"];

fn log(lab: &Lab, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(PROGRAM);
    command.arg("log").args(arguments).arg("--config").arg(&lab.postvakt.config);
    let output = command.output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn report(lab: &Lab, more: &[&str]) -> Vec<Value> {
    let (status, out, said) = log(lab, &[&["report", "rules", "--since", "7d", "--json"], more].concat());
    assert_eq!(status, Some(0), "{said}");
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'r>(report: &'r [Value], rule: &str) -> &'r Value {
    report.iter().find(|one| one["rule"] == rule).unwrap()
}

/// Three mails with sensitive data, two of them from Anna to one recipient; one that only a custom rule marks; one plain.
fn lab() -> (Lab, Vec<String>) {
    let directory = crate::lab::Directory::new();
    std::fs::write(directory.path.join("elevlista.eml"), TEST_MAIL).unwrap();
    let lab = Lab::start_in(directory, RULES);
    let data = "elev 811228-9874 har diagnosen schizofreni";
    let mut records = Vec::new();
    for (from, to, subject, text) in [
        ("anna@exempelby.se", "x@example.org", "a", data),
        ("anna@exempelby.se", "x@example.org", "b", data),
        ("bo@exempelby.se", "y@example.org", "c", data),
        ("bo@exempelby.se", "y@example.org", "fråga", "hej"),
        ("bo@exempelby.se", "y@example.org", "d", "hej"),
    ] {
        let mail = message(from, to, subject, "Date: Mon, 02 Mar 2026 10:00:00 +0100\n");
        let reply = lab.inside().send(from, &[to], &format!("{mail}\r\n{text}\r\n"));
        records.push(lab.record_of(&reply)["record"].as_str().unwrap().to_owned());
    }
    (lab, records)
}

#[test]
fn the_report_tells_what_each_rule_would_do_and_what_is_missing() {
    let (lab, records) = lab();
    let decided = report(&lab, &["--decision", "KS 2026/9"]);
    let rules: Vec<&str> = decided.iter().map(|one| one["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["credentials", "custom.fraga", "sensitive-data"]);
    let sensitive = of(&decided, "sensitive-data");
    assert_eq!((&sensitive["mails"], &sensitive["mails_in_period"]), (&3.into(), &5.into()), "{sensitive:#}");
    assert_eq!(sensitive["mode"], "observe");
    assert_eq!(sensitive["effects"][0], serde_json::json!({"name": "would be held", "count": 3}));
    assert_eq!(sensitive["senders"][0], serde_json::json!({"name": "anna@exempelby.se", "count": 2}));
    assert_eq!(sensitive["recipients"][0], serde_json::json!({"name": "x@example.org", "count": 2}));
    let terms: Vec<&str> =
        sensitive["terms"].as_array().unwrap().iter().map(|term| term["name"].as_str().unwrap()).collect();
    assert!(terms.contains(&"personnummer"), "{terms:?}");
    // One example of each sender, masked.
    let examples = sensitive["examples"].as_array().unwrap();
    assert_eq!(examples.len(), 2);
    assert_eq!(examples[0]["record"], *records[0]);
    assert!(!sensitive.to_string().contains("9874"), "{sensitive:#}");
    assert!(examples[0]["evidence"].as_str().unwrap().contains("811228-****"), "{sensitive:#}");
    assert_eq!(
        sensitive["exceptions"],
        serde_json::json!([{"key": "recipient", "value": "x@example.org", "mails": 2, "of": 3}])
    );
    let done: Vec<bool> = sensitive["before_enforce"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["done"].as_bool().unwrap())
        .collect();
    // Days, judged, wrong share, unknown, tests, notices.
    assert_eq!(done, [false, false, false, true, true, true], "{sensitive:#}");
    let custom = of(&decided, "custom.fraga");
    assert_eq!(custom["effects"][0], serde_json::json!({"name": "marked", "count": 1}));
    assert_eq!(custom["before_enforce"], serde_json::json!([]));
    assert_eq!(of(&decided, "credentials")["mails"], 0);

    // Operation sees people inside as pseudonyms, and one rule alone.
    let few = report(&lab, &[&PURPOSE[..], &["--rule", "sensitive-data"]].concat());
    assert_eq!(few.len(), 1);
    let text = few[0].to_string();
    assert!(!text.contains("anna@") && text.contains("x@example.org") && text.contains("\"p-"), "{text}");
    let (status, page, _) = log(&lab, &[&["report", "rules"], &PURPOSE[..]].concat());
    assert_eq!(status, Some(0));
    for line in [
        "sensitive-data (observe): 3 of 5 mails",
        "  effects        would be held 3",
        "  before enforce [ ] 0 of 3 mails that it would stop are judged, 3 at least (log label)",
        "  before enforce [x] 1 tests in the config name it ([[tests]])",
    ] {
        assert!(page.lines().any(|known| known == line), "{line}\n{page}");
    }
    let (status, _, said) = log(&lab, &["report", "rules"]);
    assert_eq!(status, Some(2));
    assert!(said.contains("refused: a reason is required"), "{said}");
    let (_, accesses, _) = log(&lab, &["access", "--json"]);
    assert!(accesses.contains("\"report\":\"rules\""), "{accesses}");
}

#[test]
fn labels_are_entries_and_are_counted_with_their_uncertainty() {
    let (lab, records) = lab();
    let label = |more: &[&str]| log(&lab, &[&["label"], more].concat());
    for (record, word) in
        [(&records[0], "wrong"), (&records[0], "right"), (&records[1], "right"), (&records[2], "wrong")]
    {
        let (status, out, said) = label(&[record, word, "--why", "kontrollerad med avsändaren"]);
        assert_eq!(status, Some(0), "{said}");
        assert!(out.starts_with(&format!("{record}: sensitive-data {word} (entry ")), "{out}");
    }
    let decided = report(&lab, &["--decision", "KS 2026/9"]);
    let sensitive = of(&decided, "sensitive-data");
    let labels = &sensitive["labels"];
    assert_eq!((&labels["right"], &labels["wrong"]), (&2.into(), &1.into()), "{sensitive:#}");
    // Wilson's interval for 1 of 3.
    let end = |name: &str| (labels[name].as_f64().unwrap() * 1_000.0).round();
    assert_eq!((end("wrong_from"), end("wrong_to")), (61.0, 792.0));
    // What is right needs no exception, and what stopped is judged.
    assert_eq!(sensitive["exceptions"], serde_json::json!([]));
    assert_eq!(sensitive["before_enforce"][1]["done"], true);
    assert_eq!(sensitive["examples"][0]["label"], "right");
    let (_, page, _) = log(&lab, &[&["report", "rules"], &PURPOSE[..]].concat());
    assert!(page.contains("  labels         1 of 3 wrong: 6 % to 79 % (95 % interval)"), "{page}");
    let (_, accesses, _) = log(&lab, &["access", "--json"]);
    assert!(accesses.contains("kontrollerad med avsändaren"), "{accesses}");
    let (status, _, said) = log(&lab, &["verify"]);
    assert_eq!(status, Some(0), "{said}");

    for (arguments, code, said) in [
        (&[&*records[4], "wrong", "--why", "inget funnet här"][..], 1, "no rule matched anything"),
        (&[&records[0], "wrong", "--why", "fel regel här", "--rule", "spam"], 1, "spam matched nothing"),
        (&["gw1-1-000000999999", "wrong", "--why", "finns inte här"], 1, "the log has no record"),
        (&[&records[0], "wrong", "--why", "."], 2, "says too little"),
        (&[&records[0], "perhaps", "--why", "vet inte"], 2, "right, wrong"),
    ] {
        let (status, _, errors) = label(arguments);
        assert!(status == Some(code) && errors.contains(said), "{arguments:?}: {status:?} {errors}");
    }
}
