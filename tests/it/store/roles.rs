//! What the console adds to a reader: mailboxes of their own, and a second person.

use std::time::Duration;

use postvakt::config::minimise::Covered;
use postvakt::config::{Config, Retention};
use postvakt::store::access::{Reader, Via};
use serde_json::Value;

use super::cli::{config, run_as, run_with};
use super::reasons::store;
use super::*;

fn person(subject: &str, role: &str, mailboxes: &[&str]) -> Reader {
    Reader {
        via: Via::Console,
        subject: subject.into(),
        name: String::new(),
        role: role.into(),
        mailboxes: mailboxes.iter().map(|own| (*own).to_owned()).collect(),
        unix: None,
    }
}

fn ids(out: &str) -> Vec<String> {
    let id =
        |line: &str| serde_json::from_str::<Value>(line).unwrap()["message_id"].as_str().unwrap().to_owned();
    out.lines().map(id).collect()
}

#[tokio::test]
async fn a_registrar_sees_the_mail_of_their_own_mailboxes_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let config = config(&path);
    let all = ["search", "--json", "--request", "Dnr 2026/1"];
    let (_, everything) = run_with(&config, &all);
    let registrar = || person("karin", "registrar", &["info@exempelby.se"]);
    let (code, own) = run_as(registrar(), &config, &all);
    assert_eq!(code, 0, "{own}");
    assert!(own.lines().count() >= 2 && everything.lines().count() > own.lines().count(), "{own}");
    assert!(own.lines().all(|line| line.contains("info@exempelby.se")), "{own}");
    // Nor by an id that they know.
    let others = ids(&everything).into_iter().find(|id| !ids(&own).contains(id)).unwrap();
    let (code, shown) = run_as(registrar(), &config, &["show", &others, "--purpose", "felsökning", "--json"]);
    assert!(code == 1 && shown.is_empty(), "{shown}");
    // Whose mail they saw is told by their own mailboxes.
    let (_, about) =
        run_with(&config, &["access", "--person", "anna@exempelby.se", "--by", "karin", "--json"]);
    let shown = own.lines().any(|line| line.contains("anna"));
    assert_eq!(about.lines().any(|line| line.contains(r#""verb":"search""#)), shown, "{about}");
    let (_, accesses) = run_with(&config, &["access", "--by", "karin", "--json"]);
    let first: Value = serde_json::from_str(accesses.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["via"], &first["role"], &first["mailboxes"][0]),
        (&"console".into(), &"registrar".into(), &"info@exempelby.se".into())
    );
}

#[tokio::test]
async fn a_mail_tells_who_asked_for_it_by_its_id() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let config = config(&path);
    let (_, everything) = run_with(&config, &["search", "--json", "--request", "Dnr 2026/1"]);
    let row: Value = serde_json::from_str(everything.lines().next().unwrap()).unwrap();
    let record = row["record"].as_str().unwrap();
    let show = ["show", record, "--purpose", "felsökning", "--json"];
    let (_, out) = run_as(person("anna", "reader", &[]), &config, &show);
    let shown: Value = serde_json::from_str(out.trim()).unwrap();
    assert_eq!(shown["accesses"], serde_json::json!([]), "a search among others is none, nor is this one");
    let (_, out) = run_with(&config, &show);
    let shown: Value = serde_json::from_str(out.trim()).unwrap();
    assert_eq!(shown["accesses"].as_array().unwrap().len(), 1, "{out}");
    let first = &shown["accesses"][0];
    assert_eq!(
        (&first["subject"], &first["role"], &first["verb"], &first["purpose"]),
        (&"anna".into(), &"reader".into(), &"show".into(), &"felsökning".into())
    );
    // In the console, two roles see what others read; everybody else sees what they read themselves.
    for (subject, role, seen) in [("bo", "reader", 0), ("anna", "reader", 1), ("karin", "insight", 3)] {
        let own = run_as(person(subject, role, &[]), &config, &["access", "--verb", "show", "--json"]).1;
        let about = own.lines().filter(|line| line.contains(record)).count();
        assert!(if seen == 3 { about >= 2 } else { about == seen }, "{subject} {role}: {own}");
    }
    let (_, text) = run_with(&config, &["show", record, "--purpose", "felsökning"]);
    assert!(text.contains("looked at") && text.contains("show by anna: felsökning"), "{text}");
}

fn with_retention(path: &Path) -> Config {
    let mut config = config(path);
    config.store.retention = vec![Retention {
        authority: "Kommunstyrelsen".into(),
        mailboxes: vec![Covered::Everybody],
        keep: Duration::from_secs(1),
        decision: "KS 2026/12".into(),
    }];
    config
}

#[tokio::test]
async fn in_the_console_two_persons_run_retention() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let config = with_retention(&path);
    let today = Timestamp::now().to_zoned(config.time_zone.clone()).date().to_string();
    let run = |subject: &str, role: &str| {
        let run = ["retention", "run", "--decision", "KS 2026/12", "--today", &today];
        run_as(person(subject, role, &[]), &config, &run).0
    };
    let propose = |subject: &str, decision: &str| {
        run_as(person(subject, "archivist", &[]), &config, &["retention", "propose", "--decision", decision])
    };
    assert_eq!(run("anna", "archivist"), 2, "nothing is proposed");
    assert_eq!(propose("anna", "KS 1999/1").0, 2, "no such decision");
    assert_eq!(propose("anna", "KS 2026/12").0, 0);
    assert_eq!(run("anna", "approver"), 2, "one person in two roles is one person");
    assert_eq!(run("Anna@exempelby.se", "approver"), 2, "nor is another spelling a second person");
    let (_, plan) = run_with(&config, &["retention", "plan", "--json"]);
    let plan: Value = serde_json::from_str(plan.trim()).unwrap();
    assert_eq!((&plan["proposals"][0]["by"], &plan["proposals"][1]), (&"anna".into(), &Value::Null));
    assert_eq!(run("bo", "approver"), 0);
    let (_, plan) = run_with(&config, &["retention", "plan", "--json"]);
    let plan: Value = serde_json::from_str(plan.trim()).unwrap();
    assert_eq!(plan["proposals"], serde_json::json!([]), "a proposal is for one run");
    assert_eq!(run("bo", "approver"), 2);
    let (_, accesses) = run_with(&config, &["access", "--verb", "retention", "--json"]);
    assert!(
        accesses.contains("two persons delete records") && accesses.contains("another person has to do it")
    );
    // By the command line one person does it, unless the config says otherwise.
    let alone = ["retention", "run", "--decision", "KS 2026/12", "--today", &today];
    assert_eq!(run_with(&config, &alone).0, 0);
    let mut strict = with_retention(&path);
    strict.store.access.four_eyes = true;
    assert_eq!(run_with(&strict, &alone).0, 2);
}
