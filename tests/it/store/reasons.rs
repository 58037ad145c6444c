//! The four kinds of reason: what each opens of the log, in every command that shows rows, and what it leaves behind.

use std::fs;

use postvakt::address::Address;
use postvakt::config::minimise::Covered;
use postvakt::config::{Config, Retention};
use serde_json::Value;

use super::cli::{config, run, run_with};
use super::*;

const ANNA: &str = "anna@exempelby.se";
const BO: &str = "bo@exempelby.se";
const KARIN: &str = "karin@example.org";

/// A mail that came `days` before the newest one.
struct Mail {
    days: i64,
    from: &'static str,
    to: &'static [&'static str],
    author: &'static str,
    id: &'static str,
}

const MAILS: [Mail; 7] = [
    Mail { days: 90, from: KARIN, to: &[ANNA], author: KARIN, id: "gammal" },
    Mail { days: 20, from: KARIN, to: &[ANNA], author: KARIN, id: "inkom" },
    Mail { days: 19, from: BO, to: &[KARIN], author: BO, id: "utgick" },
    Mail { days: 18, from: ANNA, to: &[BO], author: ANNA, id: "intern" },
    Mail {
        days: 17,
        from: "bounce-7-anna=exempelby.se@utskick.example",
        to: &["anna+lista@exempelby.se", "info@exempelby.se"],
        author: "info@utskick.example",
        id: "utskick",
    },
    Mail {
        days: 16,
        from: "studs@utskick.example",
        to: &["info@exempelby.se"],
        author: ANNA,
        id: "i-annas-namn",
    },
    Mail { days: 0, from: KARIN, to: &["info@exempelby.se"], author: KARIN, id: "till-info" },
];

fn newest() -> Timestamp {
    "2026-08-21T11:05:09Z".parse().unwrap()
}

pub(super) async fn store(path: &Path) {
    let (time, clock) = clock("2026-05-01T00:00:00Z");
    for mail in &MAILS {
        let at = newest() - jiff::SignedDuration::from_hours(24 * mail.days);
        time.store(at.as_second(), Ordering::SeqCst);
        let store = Store::open_at(path, "gw1", clock.clone()).unwrap();
        let record = Record {
            time: at,
            sender: mail.from.into(),
            recipients: mail.to.iter().map(|to| (*to).into()).collect(),
            header_from: mail.author.into(),
            message_id: format!("<{}@example.org>", mail.id),
            queue_id: format!("4{}", mail.id),
            auth_user: if mail.from == BO { "bo".into() } else { String::new() },
            size: if mail.id == "utskick" { 9_000_000 } else { 2_048 },
            direction: Some(if mail.from == BO { Direction::Outbound } else { Direction::Inbound }),
            client: if mail.from == BO { "10.1.2.3".into() } else { "192.0.2.1".into() },
            ..record(&format!("{} om {}", mail.id, mail.to[0]))
        };
        store.commit(Entry::of(record)).await.unwrap();
        store.close().await;
    }
}

fn with_functions(path: &Path) -> Config {
    let mut config = config(path);
    config.store.access.days = 31;
    config.store.access.functions = vec![Address::parse("info@exempelby.se").unwrap()];
    config
}

/// The exit code, the ids of the rows, and all that was printed.
fn rows(path: &Path, arguments: &[&str]) -> (u8, Vec<String>, String) {
    let (code, out) = run_with(&with_functions(path), &[arguments, &["--json"]].concat());
    let id = |line: &str| {
        let row: Value = serde_json::from_str(line).ok()?;
        Some(row["queue_id"].as_str()?.trim_start_matches('4').to_owned())
    };
    (code, out.lines().filter_map(id).collect(), out)
}

fn add(path: &Path, reference: &str, more: &[&str]) -> (u8, String) {
    let own =
        ["decision", "add", reference, "--by", "Chefen", "--date", "2026-08-01", "--purpose", "utredning"];
    run_with(&with_functions(path), &[&own[..], &["--valid-until", "2099-12-31"], more].concat())
}

const DRIFT: [&str; 2] = ["--purpose", "felsökning av köer"];

#[tokio::test]
async fn operation_sees_few_rows_of_a_short_period_and_no_person_inside() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let search = |more: &[&str]| rows(&path, &[&["search"], &DRIFT[..], more].concat());
    let (code, ids, out) = search(&[]);
    assert_eq!((code, ids.len()), (0, 6), "the newest days: {out}");
    for hidden in ["anna@", "anna=", "anna+", "bo@", "\"bo\""] {
        assert!(!out.contains(hidden), "{hidden}: {out}");
    }
    assert!(
        out.contains(KARIN) && out.contains("info@exempelby.se") && out.contains("@utskick.example"),
        "{out}"
    );
    // The same person has the same pseudonym in every row and column.
    let of = |id: &str, column: &str| {
        let line = out.lines().find(|line| line.contains(&format!("\"4{id}\""))).unwrap();
        serde_json::from_str::<Value>(line).unwrap()[column].clone()
    };
    let anna = of("inkom", "recipients")[0].as_str().unwrap().to_owned();
    assert!(anna.starts_with("p-") && anna.ends_with("@exempelby.se"), "{anna}");
    assert_eq!(
        (of("intern", "sender"), of("i-annas-namn", "header_from")),
        (anna.clone().into(), anna.clone().into())
    );
    assert_eq!(of("inkom", "subject"), format!("inkom om {anna}"));
    // Counterparts, domains, subjects and clients follow the same rule.
    for query in [
        ["--recipient", KARIN],
        ["--sender", "@exempelby.se"],
        ["--person", "@exempelby.se"],
        ["--subject", "om anna"],
        ["--attachment", "ansökan"],
        ["--client", "10.1.0.0/16"],
    ] {
        let (code, ids, out) = search(&query);
        assert!(code == 0 && !ids.is_empty() && !ids.contains(&"gammal".to_owned()), "{query:?}: {out}");
        assert!(!out.contains("anna@") && !out.contains("bo@"), "{query:?}: {out}");
    }
    // One mail by its id is shown as it is.
    for query in [
        ["--queue-id", "4gammal"],
        ["--message-id", "gammal@example.org"],
        ["--record", "gw1-1-000000000001"],
    ] {
        let (code, ids, out) = search(&query);
        assert!(code == 0 && ids == ["gammal"] && out.contains(ANNA), "{query:?}: {out}");
    }
    let (code, shown) = run_with(&with_functions(&path), &[&["show", "4gammal"], &DRIFT[..]].concat());
    assert!(code == 0 && shown.contains(ANNA), "{shown}");
    // A longer period, a person inside, a login, a part of a name: none of these.
    for query in [
        &["--since", "2026-05-01"][..],
        &["--since", "2026-05-01", "--until", "2026-08-31"],
        &["--sender", ANNA],
        &["--from", ANNA],
        &["--person", "anna+x@exempelby.se"],
        &["--recipient", "ANNA@exempelby.se"],
        &["--user", "bo"],
        &["--name", "ann"],
    ] {
        let (code, ids, _) = search(query);
        assert_eq!((code, ids.len()), (2, 0), "{query:?}");
    }
    let month = ["--since", "2026-05-20", "--until", "2026-06-19"];
    assert_eq!(search(&month).1, ["gammal"], "31 days of any time");
    assert_eq!(search(&["--recipient", "info@exempelby.se"]).1.len(), 3, "a function mailbox is no person");
    // More rows than may be shown: the first ones, and an exit code that says so.
    let mut config = with_functions(&path);
    config.store.access.rows = 2;
    let (code, out) = run_with(&config, &[&["search", "--json"], &DRIFT[..]].concat());
    assert_eq!((code, out.lines().count()), (1, 2), "{out}");
    let (_, out) = run_with(&config, &["access", "--json"]);
    assert!(out.contains("\"outcome\":\"capped\""), "{out}");
}

#[tokio::test]
async fn a_purpose_says_something_and_may_have_to_be_one_of_a_list() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let mut config = with_functions(&path);
    let says = |config: &Config, purpose: &str| run_with(config, &["search", "--purpose", purpose]).0;
    for (purpose, code) in [(".", 2), ("x", 2), ("123456", 2), ("test", 0), ("mail som saknas", 0)] {
        assert_eq!(says(&config, purpose), code, "{purpose}");
    }
    config.store.access.purposes = vec!["Felsökning".into(), "Incident".into()];
    for (purpose, code) in [("felsökning: ärende 4711", 0), ("incident", 0), ("mail som saknas", 2)] {
        assert_eq!(says(&config, purpose), code, "{purpose}");
    }
    // By a decision the purpose is a remark.
    assert_eq!(run_with(&config, &["search", "--decision", "KS 1", "--purpose", "x"]).0, 0);
}

#[tokio::test]
async fn a_persons_own_request_opens_that_persons_mail_and_they_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    assert_eq!(add(&path, "DSO 1", &["--person", ANNA]).0, 0);
    assert_eq!(add(&path, "DSO 2", &["--person", BO]).0, 0);
    let own = ["--own-request", ANNA];
    let search = |more: &[&str]| rows(&path, &[&["search"], &own[..], more].concat());
    let (code, ids, out) = search(&[]);
    assert_eq!(
        (code, ids),
        (0, ["gammal", "inkom", "intern", "utskick", "i-annas-namn"].map(String::from).to_vec())
    );
    assert!(out.contains(ANNA) && out.contains(BO), "her rows are open: {out}");
    assert_eq!(search(&["--recipient", BO]).1, ["intern"], "a counterpart narrows her own");
    assert_eq!(search(&["--queue-id", "4utgick"]).1.len(), 0, "not hers");
    assert_eq!(search(&["--person", BO]).0, 2);
    assert_eq!(rows(&path, &["subject-extract", BO, "--own-request", ANNA]).0, 2);
    assert_eq!(rows(&path, &["subject-extract", ANNA, "--own-request", ANNA]).1.len(), 5);
    let file = directory.path().join("f.csv");
    let export = ["export", "--format", "csv", "--output", file.to_str().unwrap()];
    assert_eq!(run(&path, &[&export[..], &own].concat()).0, 2, "an export is no answer to a person");
    assert_eq!(run(&path, &[&["report", "forwarders"], &own[..]].concat()).0, 2);
    assert_eq!(run(&path, &["search", "--own-request", "anna"]).0, 2);
    assert_eq!(run(&path, &["search", "--own-request", ANNA, "--decision", "DSO 1"]).0, 2, "one reason");
    let looks = |person: &str, decision: &str| {
        let (_, out) = run(&path, &["subject-extract", person, "--decision", decision, "--json"]);
        let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
        last["accesses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|look| look["purpose"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (hers, his) = (looks(ANNA, "DSO 1"), looks(BO, "DSO 2"));
    assert_eq!(hers.iter().filter(|purpose| *purpose == "egen begäran").count(), 3, "{hers:?}");
    // A mail of both was shown: Bo is told, and not who asked.
    assert!(his.iter().any(|purpose| purpose == "en annan persons egen begäran"), "{his:?}");
}

fn due_at_once(path: &Path) -> Config {
    let mut config = with_functions(path);
    config.store.retention = vec![Retention {
        authority: "Kommunstyrelsen".into(),
        mailboxes: vec![Covered::Everybody],
        keep: std::time::Duration::from_secs(1),
        decision: "KS 2026/12".into(),
    }];
    config
}

#[tokio::test]
async fn a_request_for_public_records_opens_the_log_and_keeps_what_it_asks_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    assert_eq!(add(&path, "DSO 1", &["--person", BO]).0, 0);
    assert_eq!(add(&path, "KS 9", &[]).0, 0);
    let asked = ["--request", "Dnr 2026/5"];
    let search = |more: &[&str]| rows(&path, &[&["search"], &asked[..], more].concat());
    let (code, ids, out) = search(&["--from", ANNA]);
    assert_eq!((code, ids), (0, vec!["intern".to_owned(), "i-annas-namn".into()]), "{out}");
    assert_eq!(search(&["--from", ANNA]).0, 0, "once more: no second hold");
    let file = directory.path().join("f.csv");
    let export = ["export", "--format", "csv", "--output", file.to_str().unwrap(), "--subject", "till-info"];
    assert_eq!(run(&path, &[&export[..], &asked].concat()).0, 0);
    assert_eq!(rows(&path, &["subject-extract", BO, "--request", "Dnr 2026/5"]).0, 2);
    assert_eq!(run(&path, &["search", "--request", " "]).0, 2);
    let (_, holds) = run(&path, &["legal-hold", "list", "--json"]);
    assert_eq!(holds.lines().count(), 2, "{holds}");
    // Retention takes the rest.
    let today =
        Timestamp::now().to_zoned(jiff::tz::TimeZone::get("Europe/Stockholm").unwrap()).date().to_string();
    let run_it = ["retention", "run", "--decision", "KS 2026/12", "--today", &today];
    let config = due_at_once(&path);
    let (code, out) = run_with(&config, &run_it);
    assert_eq!(code, 0, "{out}");
    let left = || rows(&path, &["search", "--decision", "KS 9"]).1;
    assert_eq!(left(), ["intern", "i-annas-namn", "till-info"]);
    let (_, out) = run(&path, &["access", "--json"]);
    assert!(out.contains("\"request\":\"Dnr 2026/5\"") && out.contains("\"verb\":\"hold\""), "{out}");
    assert_eq!(run(&path, &["legal-hold", "release", "Dnr 2026/5"]).0, 0);
    assert_eq!(run_with(&config, &run_it).0, 0);
    assert!(left().is_empty(), "{:?}", left());
}

#[tokio::test]
async fn searches_by_whose_mail_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    assert_eq!(add(&path, "KS 1", &["--person", ANNA, "--person", BO, "--person", KARIN]).0, 0);
    assert_eq!(add(&path, "KS 2", &[]).0, 0);
    let by =
        |decision: &str, query: &[&str]| rows(&path, &[&["search", "--decision", decision], query].concat());
    for (query, wanted) in [
        (&["--person", ANNA][..], &["gammal", "inkom", "intern", "utskick", "i-annas-namn"][..]),
        (
            &["--person", ANNA, "--person", KARIN, "--since", "2026-08-04"],
            &["utskick", "i-annas-namn", "till-info"],
        ),
        (&["--from", "anna@exempelby.se"], &["intern", "i-annas-namn"]),
        (&["--from", "@utskick.example"], &["utskick"]),
        (&["--user", "BO"], &["utgick"]),
        (&["--client", "10.0.0.0/8"], &["utgick"]),
        (&["--client", "192.0.2.1", "--direction", "inbound", "--size-above", "1 MB"], &["utskick"]),
        (&["--direction", "outbound"], &["utgick"]),
        (&["--size-above", "8999999"], &["utskick"]),
        (&["--size-above", "9000000"], &[]),
        (&["--name", "ANN"], &["gammal", "inkom", "intern", "utskick", "i-annas-namn"]),
        (&["--name", "bo@"], &["utgick", "intern"]),
    ] {
        for scan in [&[][..], &["--scan"]] {
            let (code, ids, out) = by("KS 1", &[query, scan].concat());
            assert_eq!(
                (code, ids),
                (0, wanted.iter().map(|id| (*id).to_owned()).collect()),
                "{query:?}: {out}"
            );
        }
    }
    assert_eq!(by("KS 2", &["--name", "ann"]).0, 2, "a part of a name takes a decision about persons");
    assert_eq!(by("KS 2", &["--user", "bo"]).0, 2);
    for wrong in
        [["--client", "10.0.0.256"], ["--size-above", "much"], ["--direction", "up"], ["--person", "anna"]]
    {
        assert_eq!(by("KS 1", &wrong).0, 2, "{wrong:?}");
    }
}

#[tokio::test]
async fn alias_domains_are_the_same_mailboxes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let (_, clock) = clock("2026-08-21T11:05:09Z");
    let store = Store::open_at(&path, "gw1", clock).unwrap();
    for to in ["anna+x@exempelbykommun.se", ANNA, "bo@exempelbykommun.se"] {
        store.commit(Entry::of(Record { recipients: vec![to.into()], ..record(to) })).await.unwrap();
    }
    store.close().await;
    let mut config = due_at_once(&path);
    let mut organisation = (*config.organisation).clone();
    organisation.alias_domains = vec![postvakt::address::Domain::new("exempelbykommun.se")];
    config.organisation = organisation.into();
    config.store.retention[0].mailboxes = vec![Covered::Address(Address::parse(BO).unwrap())];
    let run = |arguments: &[&str]| run_with(&config, arguments);
    let by = |reason: [&str; 2]| run(&["search", "--json", reason[0], reason[1]]).1.lines().count();
    assert_eq!((by(["--own-request", ANNA]), by(["--own-request", "anna@exempelbykommun.se"])), (2, 2));
    assert_eq!(
        run(&["search", "--sender", "anna@exempelbykommun.se", "--purpose", "felsökning"]).0,
        2,
        "inside"
    );
    assert_eq!(run(&["legal-hold", "add", "D 1", "--party", ANNA]).0, 0);
    let today =
        Timestamp::now().to_zoned(jiff::tz::TimeZone::get("Europe/Stockholm").unwrap()).date().to_string();
    let (code, out) = run(&["retention", "run", "--decision", "KS 2026/12", "--today", &today]);
    assert!(
        code == 0 && out.contains("1 records deleted"),
        "Bo's period covers his alias; Anna's is held: {out}"
    );
}

#[tokio::test]
async fn with_four_eyes_a_decision_waits_for_a_second_person() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let mut config = with_functions(&path);
    config.store.access.four_eyes = true;
    let (code, out) = add(&path, "KS 1", &["--person", ANNA]);
    assert_eq!(code, 0, "{out}");
    let search = ["search", "--decision", "KS 1"];
    assert_eq!(run_with(&config, &search).0, 2);
    let (code, said) = run_with(&config, &["decision", "approve", "KS 1"]);
    assert_eq!(code, 2, "{said}");
    let (_, tried) = run_with(&config, &["access", "--decision", "KS 1", "--verb", "approve", "--json"]);
    assert!(tried.contains("another person has to approve it"), "the refusal is an entry: {tried}");
    let (_, list) = run_with(&config, &["decision", "list"]);
    assert!(list.contains("waits") && list.contains("REGISTERED"), "{list}");
    let second = Reader { subject: "andra.ogon".into(), ..Reader::of_this_process(Via::CommandLine) };
    let approve = postvakt::store::register::Approve { approved_by: second, reference: "KS 1".into() };
    AccessLog::open(&path)
        .unwrap()
        .add(postvakt::store::access::Kind::Approve, Timestamp::now(), &approve)
        .unwrap();
    assert_eq!(run_with(&config, &search).0, 0);
    let (_, list) = run_with(&config, &["decision", "list", "--json"]);
    let row: Value = serde_json::from_str(list.trim()).unwrap();
    assert_eq!((&row["state"], &row["approved_by"]), (&"open".into(), &"andra.ogon".into()), "{list}");
    assert!(row["registered"].as_str().is_some_and(|time| time.len() > 20), "{list}");
}

#[tokio::test]
async fn exports_and_samples_follow_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let file = directory.path().join("f.jsonl");
    let name = file.to_str().unwrap();
    let export = |reason: &[&str]| {
        let own = ["export", "--format", "jsonl", "--output", name, "--force"];
        (
            run_with(&with_functions(&path), &[&own[..], reason].concat()),
            fs::read_to_string(&file).unwrap_or_default(),
        )
    };
    // Before a decision is registered, operation may export what it may see.
    let ((code, out), text) = export(&DRIFT);
    assert_eq!((code, text.lines().count()), (0, 6), "{out}");
    let proof = fs::read_to_string(format!("{name}.proof.jsonl")).unwrap();
    for shown in [&text, &proof] {
        assert!(!shown.contains("anna@") && !shown.contains("bo@") && shown.contains(KARIN), "{shown}");
    }
    let (code, out) = run(&path, &["verify-export", name, "--key", path.join("heads.pub").to_str().unwrap()]);
    assert_eq!(code, 0, "what is hidden is proved: {out}");
    assert_eq!(add(&path, "KS 1", &["--person", BO]).0, 0);
    assert_eq!(export(&DRIFT).0.0, 2);
    let (_, text) = export(&["--decision", "KS 1"]);
    assert_eq!(text.lines().count(), 2, "{text}");
    let sample = ["sample", "--quarter", "2026Q3", "--seed", "frö", "--json"];
    let of = |reason: &[&str]| run(&path, &[&sample[..], reason].concat()).1.lines().count();
    assert_eq!((of(&["--decision", "KS 1"]), of(&DRIFT)), (2, 6));
}
