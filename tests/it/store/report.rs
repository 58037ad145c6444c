//! Reports of a month and a quarter: the counts, the page, and that nothing of it comes from outside or names a person.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::cli::run;
use super::*;

async fn store(directory: &Path) {
    let (time, clock) = clock("2026-09-30T21:59:59Z");
    let store = Store::open_at(directory, "gw1", clock).unwrap();
    // The first one is September's in Stockholm, the second October's, while both are September's in UTC.
    for (at, outcome) in [
        ("2026-09-30T21:59:59Z", Outcome::Accepted),
        ("2026-09-30T22:00:00Z", Outcome::Accepted),
        ("2026-10-15T12:00:00Z", Outcome::Held),
        ("2026-10-25T01:30:00Z", Outcome::Marked),
        ("2026-10-31T22:59:59Z", Outcome::Accepted),
        ("2026-10-31T23:00:00Z", Outcome::Accepted),
    ] {
        time.store(second(at), Ordering::SeqCst);
        let record = Record { time: at.parse().unwrap(), outcome, ..record("") };
        let found = |mode: &str, verdict: &str| FindingRow {
            mode: mode.into(),
            verdict: verdict.into(),
            recipients: vec!["x@example.org".into()],
            ..finding()
        };
        let findings = match outcome {
            Outcome::Held => vec![found("enforce", "held"), found("observe", "held")],
            _ => Vec::new(),
        };
        store.commit(Entry { record, findings, ..entry("") }).await.unwrap();
    }
    store.close().await;
}

#[tokio::test]
async fn a_month_is_counted_in_the_organisations_days() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let file = directory.path().join("report.html");
    let html = file.to_str().unwrap();
    let report = ["report", "month", "2026-10", "--html", html, "--json"];
    assert_eq!(run(&path, &report).0, 2, "a report is an access and needs a reason");
    // The daemon signs what was refused.
    Store::open(&path, "gw1").unwrap().close().await;
    assert!(!file.exists());
    let reason = ["--purpose", "uppföljning"];
    let (code, out) = run(&path, &[&report[..], &reason].concat());
    assert_eq!(code, 0, "{out}");
    let counts: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&counts["mails"], &counts["mails_before"], &counts["octets"]),
        (&4.into(), &1.into(), &8_192.into())
    );
    let days = counts["days"].as_array().unwrap();
    assert_eq!((days.len(), &days[0]["date"]), (31, &Value::from("2026-10-01")));
    assert_eq!(
        (&days[0]["inbound"], &days[30]["inbound"], &days[24]["inbound"]),
        (&1.into(), &1.into(), &1.into())
    );
    let forwards = &days[14]["forwards"];
    assert_eq!((&forwards["stopped"], &forwards["observed"]), (&1.into(), &1.into()));
    assert_eq!(counts["rules"][0]["rule"], "auto-forward");
    assert_eq!(counts["verified"]["result"], "whole", "{}", counts["verified"]);
    let page = fs::read_to_string(&file).unwrap();
    for wanted in
        ["Månadsrapport om e-post, oktober 2026", "Exempelby kommun", "<svg", "Vidarebefordran", "Hel."]
    {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert_eq!(page.matches("<figure>").count(), page.matches("</figure>").count());
    assert!(page.matches("<svg").count() >= 4 && page.matches("<table").count() >= 4);
    for outside in ["http:", "https:", "//", "<script", "<link", "<img", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    for person in ["anna@", "x@example.org", "registrator@"] {
        assert!(!page.contains(person) && !out.contains(person), "{person}");
    }
    let (_, accesses) = run(&path, &["access", "--json"]);
    assert!(accesses.contains("\"period\":\"2026-10\""), "{accesses}");
}

/// A log with what rules found: in two mails three times each, and not the strictest at first; in one that it came through
/// again; in one nothing; in one mildly.
async fn found(directory: &Path) -> Vec<String> {
    let store = Store::open(directory, "gw1").unwrap();
    let row = |rule: &str, grade: &str, mode: &str, verdict: &str| FindingRow {
        rule: rule.into(),
        grade: grade.into(),
        mode: mode.into(),
        verdict: verdict.into(),
        evidence: String::new(),
        ..finding()
    };
    let marked = row("custom.a", "weak", "enforce", "marked");
    let held = vec![marked.clone(), row("custom.a", "certain", "observe", "held"), marked.clone()];
    let mut ids = Vec::new();
    for (recipient, findings) in [
        ("anna@exempelby.se", held.clone()),
        ("anna@exempelby.se", held),
        ("bo@exempelby.se", vec![row("second-pass", "certain", "enforce", "accepted")]),
        ("cia@exempelby.se", Vec::new()),
        ("dan@exempelby.se", vec![marked, row("custom.b", "unknown", "enforce", "held")]),
    ] {
        let names = findings.iter().map(|row| format!("{}={}", row.rule, row.grade)).collect();
        let sender = format!("till-{recipient}").replace("exempelby.se", "example.org");
        let outcome = if recipient.starts_with("cia@") { Outcome::Held } else { Outcome::Accepted };
        let queue_id = format!("4f{}", recipient.split('@').next().unwrap());
        let record = Record { findings: names, sender, outcome, queue_id, ..record("") };
        let record = Record { recipients: vec![recipient.into()], ..record };
        ids.push(store.commit(Entry { record, findings, ..entry("") }).await.unwrap().to_string());
    }
    store.close().await;
    ids
}

#[tokio::test]
async fn a_rules_report_judges_a_mail_by_its_strictest_finding() {
    let directory = tempfile::tempdir().unwrap();
    let ids = found(directory.path()).await;
    let report = ["report", "rules", "--since", "2026-01-01", "--json", "--decision", "KS 2026/9"];
    let (code, out) = run(directory.path(), &report);
    assert_eq!(code, 0, "{out}");
    let rules: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [a, b] = &rules[..] else { panic!("{out}") };
    assert_eq!(
        (&a["rule"], &a["mails"], &a["findings"]),
        (&"custom.a".into(), &3.into(), &7.into()),
        "{a:#}"
    );
    let examples: Vec<[&Value; 3]> = a["examples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|example| ["record", "grade", "effect"].map(|name| &example[name]))
        .collect();
    let expected = [[&*ids[0], "certain", "would be held"], [&ids[4], "weak", "marked"]];
    assert_eq!(examples, expected, "{a:#}");
    assert_eq!(a["exceptions"][0]["of"], 2, "so many mails would be stopped: {a:#}");
    assert_eq!(
        (&b["rule"], &b["mails"], &b["findings"]),
        (&"custom.b".into(), &0.into(), &1.into()),
        "{b:#}"
    );
    // That a mail came through again is no finding to be judged.
    let label =
        |id: &str| run(directory.path(), &["label", id, "right", "--why", "kontrollerad med avsändaren"]);
    assert_eq!((label(&ids[2]).0, label(&ids[0]).0), (1, 0));
    let long = "x".repeat(2_000);
    let (code, said) = run(directory.path(), &["label", &ids[0], "right", "--why", &long]);
    let most: usize = said.split_whitespace().rev().nth(1).unwrap().parse().unwrap();
    assert!(code == 2 && said == format!("--why is longer than {most} bytes"), "{said}");
    let of = |octets: usize| run(directory.path(), &["label", &ids[0], "right", "--why", &long[..octets]]).0;
    assert_eq!((of(most), of(most + 1)), (0, 2));
}

#[tokio::test]
async fn a_person_is_told_of_reports_that_named_them_and_of_no_counts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    found(path).await;
    for report in [
        &["report", "month", "2026-08", "--json", "--purpose", "månadsrapport"][..],
        &["report", "follow-up", "2026Q3", "--purpose", "kvartalsuppföljning"],
        &["report", "rules", "--since", "2026-01-01", "--purpose", "alla regler"],
        &[
            "report",
            "rules",
            "--since",
            "2026-01-01",
            "--rule",
            "auto-forward",
            "--purpose",
            "en annan regel",
        ],
        &["report", "rules", "--since", "2026-09-01", "--purpose", "en annan tid"],
        &["report", "forwarders", "--since", "2026-01-01", "--purpose", "vidarebefordran"],
    ] {
        let (code, out) = run(path, report);
        assert_eq!(code, 0, "{report:?}: {out}");
    }
    let held = |verb: &'static str, query: Query, purpose: &str| {
        let (config, organisation) = (active_config(path), Organisation::default());
        let gate = Gate {
            directory: path,
            reader: Reader::of_this_process(Via::CommandLine),
            organisation: &organisation,
            zone: &TimeZone::UTC,
            config: &config,
            access: Access::default(),
        };
        let request = Request::new(verb, query, Reason::operation(purpose));
        let read = gate.read(&request, |session| {
            session.count(1);
            anyhow::Ok(())
        });
        assert!(matches!(read.unwrap(), Read::Given { .. }), "{verb}");
    };
    held("held list", Query::default(), "mejl i kön");
    held("held show", Query { queue_id: Some("4fbo".into()), ..Query::default() }, "ett mejl i kön");
    for (person, expected) in [
        ("anna", &["alla regler"][..]),
        ("bo", &["ett mejl i kön"]),
        ("cia", &["mejl i kön"]),
        ("dan", &["alla regler"]),
    ] {
        let address = format!("{person}@exempelby.se");
        let (code, out) = run(path, &["subject-extract", &address, "--decision", "KS 2026/7", "--json"]);
        assert_eq!(code, 0, "{out}");
        let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
        let looks = last["accesses"].as_array().unwrap().iter().map(|look| look["purpose"].as_str().unwrap());
        let reports: Vec<&str> = looks.filter(|purpose| !purpose.is_empty()).collect();
        assert_eq!(reports, expected, "{person}");
    }
}

#[tokio::test]
async fn deliveries_are_counted_and_sensitive_mail_without_tls_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let (_, clock) = clock("2026-10-15T12:00:00Z");
    let store = Store::open_at(&path, "gw1", clock).unwrap();
    let ids = ["4jdWYj1Lgzz1SVwB", "4jdWYj1Lgzz1SVwC", "4jdWYj1Lgzz1SVwD"];
    for (id, findings) in
        ids.iter().zip([vec!["sensitive-data=strong"], vec!["sensitive-data=strong"], vec![]])
    {
        let record = Record {
            time: "2026-10-15T12:00:00Z".parse().unwrap(),
            direction: Some(Direction::Outbound),
            queue_id: (*id).to_owned(),
            findings: findings.into_iter().map(str::to_owned).collect(),
            ..record(id)
        };
        store.commit(Entry::of(record)).await.unwrap();
    }
    store.close().await;
    let report = ["report", "month", "2026-10", "--json", "--purpose", "uppföljning"];
    let counts: Value = serde_json::from_str(&run(&path, &report).1).unwrap();
    assert!(counts.get("deliveries").is_none(), "{counts}");

    let line = |pid: u32, rest: &str| format!("2026-10-15T12:00:10Z mx postfix/smtp[{pid}]: {rest}\n");
    let sent = |pid: u32, id: &str, host: &str| {
        line(
            pid,
            &format!(
                "{id}: to=<x@example.org>, relay={host}, delay=2, delays=1/0/0.5/0.5, dsn=2.0.0, status=sent (250 ok)"
            ),
        )
    };
    let (mx, other) = ("mx.example.org[192.0.2.1]:25", "mx.example.net[192.0.2.2]:25");
    let mut log = String::from("2026-10-15T11:00:00Z mx postfix/qmgr[1]: warning: begin\n");
    log += &line(2, &format!("Trusted TLS connection established to {mx}: TLSv1.3 with cipher X"));
    log += &sent(2, ids[0], mx);
    log += &sent(3, ids[1], other);
    log += &line(
        4,
        &format!(
            "{}: to=<x@example.org>, relay={mx}, delay=2, delays=1/0/0.5/0.5, dsn=5.1.1, status=bounced (550 no)",
            ids[2]
        ),
    );
    let file = directory.path().join("mail.log");
    fs::write(&file, log).unwrap();
    let (code, out) = run(&path, &["ingest", file.to_str().unwrap()]);
    assert!(code == 0 && out.contains(": 5 lines, 4 of mail, up to 2026-10-15"), "{out}");
    let html = directory.path().join("report.html");
    let (_, out) = run(&path, &[&report[..], &["--html", html.to_str().unwrap()]].concat());
    let counts: Value = serde_json::from_str(&out).unwrap();
    let told = &counts["deliveries"];
    let outbound =
        told["directions"].as_array().unwrap().iter().find(|way| way["direction"] == "outbound").unwrap();
    assert_eq!(
        (&outbound["mails"], &outbound["delivered"], &outbound["bounced"], &outbound["untold"]),
        (&3.into(), &2.into(), &1.into(), &0.into())
    );
    assert_eq!(told["tls"], serde_json::json!([["trusted", 1], ["none", 1]]));
    assert_eq!(told["sensitive_without_tls"], 1);
    assert_eq!(told["sensitive_records"], serde_json::json!(["gw1-1-000000000002"]));
    assert_eq!(told["not_read"].as_array().unwrap().len(), 2);
    let page = fs::read_to_string(&html).unwrap();
    for wanted in ["Leveranser enligt Postfix", "66,6 %", "utan TLS", "inte lästs under hela perioden"] {
        assert!(page.contains(wanted), "{wanted}");
    }
    // A person is told what became of their mail.
    let extract = ["subject-extract", "registrator@exempelby.se", "--json", "--decision", "KS 2026/1"];
    let (code, out) = run(&path, &extract);
    assert!(
        code == 0 && out.contains("\"delivery\":\"sent=1\"") && out.contains("\"delivery\":\"bounced=1\""),
        "{out}"
    );
    // Exports have it where it is asked for, and prove the rest.
    let csv = directory.path().join("x.csv");
    let export = ["export", "--decision", "KS 2026/1", "--format", "csv", "--output", csv.to_str().unwrap()];
    let columns = ["--columns", "record,delivery,delivery_tls,delivery_time", "--status", "delivered"];
    let (code, out) = run(&path, &[&export[..], &columns].concat());
    assert_eq!(code, 0, "{out}");
    let text = fs::read_to_string(&csv).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(
        text.contains("\"gw1-1-000000000001\";\"sent=1\";\"trusted=1\";\"2026-10-15T14:00:10.000+02:00\""),
        "{text}"
    );
    Store::open(&path, "gw1").unwrap().close().await;
    let (code, out) = run(&path, &["verify-export", csv.to_str().unwrap()]);
    assert_eq!(code, 0, "{out}");
    fs::write(&csv, text.replace("trusted=1", "verified=1")).unwrap();
    assert_eq!(run(&path, &["verify-export", csv.to_str().unwrap()]).0, 1);
}

#[tokio::test]
async fn a_quarter_has_weeks_and_a_wrong_period_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let file = directory.path().join("report.html");
    let html = file.to_str().unwrap();
    let reason = ["--html", html, "--purpose", "uppföljning"];
    let report = |period: &str| run(&path, &[&["report", "quarter", period][..], &reason].concat());
    assert_eq!(report("2026Q4").0, 0);
    let page = fs::read_to_string(&file).unwrap();
    assert!(page.contains("kvartal 4 2026") && page.contains("<td>v. 43"));
    assert_eq!(report("2026Q4").0, 2, "an existing file is not replaced");
    assert!(report("2026Q7").1.contains("write 2026Q3"));
    assert_eq!(run(&path, &["report", "month", "--purpose", "x"]).0, 2, "neither --html nor --json");
}

/// A quarter of mail, as a municipality has it: quiet weekends, a rule that looks on, one that acts.
pub(super) async fn quarter(directory: &Path) {
    let (time, clock) = clock("2026-07-01T06:00:00Z");
    let store = Store::open_at(directory, "gw1", clock).unwrap();
    let rules = ["auto-forward", "sensitive-data", "suspicious-attachment", "spam", "large-attachment"];
    for day in 0..92_i64 {
        let begin = second("2026-07-01T06:00:00Z") + day * 86_400;
        time.store(begin, Ordering::SeqCst);
        let mails = if (day + 2) % 7 >= 5 { 6 } else { 30 + (day * 7) % 13 + day / 6 };
        for n in 0..mails {
            let dice = (day * 31 + n * 17) % 100;
            let found = |rule: usize, mode: &str, verdict: &str| FindingRow {
                rule: rules[rule].into(),
                grade: "strong".into(),
                mode: mode.into(),
                verdict: verdict.into(),
                decision: if dice == 1 { "KS 2026/123".into() } else { String::new() },
                recipients: vec!["x@example.org".into()],
                ..finding()
            };
            let (outcome, findings) = match dice {
                0..4 => (Outcome::Held, vec![found(0, "enforce", "held")]),
                4..6 => (Outcome::Marked, vec![found(1, "enforce", "marked")]),
                6..9 => (Outcome::Accepted, vec![found(1, "observe", "held")]),
                9..14 => {
                    (Outcome::Marked, vec![found(3, "enforce", "marked"), found(2, "observe", "marked")])
                }
                14 => (Outcome::Rejected, vec![found(0, "enforce", "rejected")]),
                15 => (Outcome::Incomplete, Vec::new()),
                16 => (Outcome::Accepted, vec![found(4, "enforce", "accepted")]),
                _ => (Outcome::Accepted, Vec::new()),
            };
            let direction = match dice % 10 {
                0..5 => Direction::Inbound,
                5..8 => Direction::Outbound,
                _ => Direction::Internal,
            };
            let time = Timestamp::from_second(begin + n * 600).unwrap();
            let record = Record { time, direction: Some(direction), outcome, size: 40_000, ..record("") };
            store.enqueue(Entry { record, findings, ..entry("") });
        }
        store
            .commit(Entry {
                record: Record { time: Timestamp::from_second(begin).unwrap(), ..record("") },
                ..entry("")
            })
            .await
            .unwrap();
    }
    store.close().await;
}

/// `target/tmp/report.png` and `.pdf` are there to be looked at.
#[tokio::test]
async fn a_browser_shows_it_and_prints_it_on_a4() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    quarter(&path).await;
    assert_eq!(run(&path, &["search", "--purpose", "drift", "--sender", "anna@exempelby.se"]).0, 2);
    let output = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let html = output.join("report.html");
    let arguments = ["report", "quarter", "2026Q3", "--force", "--purpose", "uppföljning", "--html"];
    assert_eq!(run(&path, &[&arguments[..], &[html.to_str().unwrap()]].concat()).0, 0);
    let profile = directory.path().join("profile");
    let browse = |more: &[String]| {
        let chromium = Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-pdf-header-footer",
            ])
            .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1240,3400", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .args(more)
            .arg(format!("file://{}", html.display()))
            .output();
        let chromium = chromium.expect("chromium: apt-get install chromium");
        assert!(chromium.status.success(), "{}", String::from_utf8_lossy(&chromium.stderr));
    };
    let (picture, paper) = (output.join("report.png"), output.join("report.pdf"));
    for old in [&picture, &paper] {
        let _ = fs::remove_file(old);
    }
    browse(&[format!("--screenshot={}", picture.display())]);
    browse(&[format!("--print-to-pdf={}", paper.display())]);
    let octets = fs::read(&picture).unwrap();
    assert!(
        octets.starts_with(b"\x89PNG") && octets.len() > 50_000,
        "{} octets: an empty page?",
        octets.len()
    );
    let paper = fs::read(&paper).unwrap();
    let text = String::from_utf8_lossy(&paper);
    let pages = text.matches("/MediaBox").count();
    assert!(
        text.contains("/MediaBox [0 0 594.95996 841.91998]") || text.contains("/MediaBox [0 0 595"),
        "A4"
    );
    assert!((2..=6).contains(&pages), "{pages} pages");
}

#[tokio::test]
async fn a_sample_is_reproducible_and_names_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let sample = |seed: &str, n: &str| {
        let arguments =
            ["sample", "--quarter", "2026Q4", "--n", n, "--seed", seed, "--purpose", "uppföljning", "--json"];
        let (code, out) = run(&path, &arguments);
        assert_eq!(code, 0, "{out}");
        out
    };
    let first = sample("midvinter", "3");
    assert_eq!((first.lines().count(), &first), (3, &sample("midvinter", "3")));
    assert!(["a", "b", "c", "d", "e"].iter().any(|seed| sample(seed, "3") != first));
    let all = sample("midvinter", "30");
    assert_eq!(all.lines().count(), 5, "October's four and November's one");
    assert!(first.lines().all(|line| all.contains(line)), "more of the same choice");
    for person in ["anna", "x@example.org", "registrator", "example.org", "192.0.2.1"] {
        assert!(!all.contains(person), "{person}: {all}");
    }
    let (_, table) =
        run(&path, &["sample", "--quarter", "2026Q4", "--seed", "s", "--purpose", "uppföljning"]);
    assert!(table.contains("5 of 5 mails in 2026Q4, seed s") && table.contains("Inkommande"), "{table}");
    assert_eq!(run(&path, &["sample", "--seed", "s"]).0, 2);
}

#[tokio::test]
async fn an_extract_is_of_one_person_and_tells_when_it_was_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let decided = ["--decision", "KS 2026/7"];
    let other = Store::open(&path, "gw1").unwrap();
    other
        .commit(Entry {
            record: Record {
                recipients: vec!["bo@exempelby.se".into()],
                subject: "Till bo".into(),
                ..record("")
            },
            ..entry("")
        })
        .await
        .unwrap();
    other.close().await;
    for search in [
        &["search", "--purpose", "felsökning", "--queue-id", "4fKq"][..],
        &["search", "--purpose", "finns inte", "--queue-id", "none"],
        &["search", "--purpose", "bara bo", "--subject", "till BO"],
        &["search", "--decision", "KS 2026/9", "--recipient", "anna@exempelby.se", "--verdict", "held"],
    ] {
        assert_eq!(run(&path, search).0, 0);
    }
    assert_eq!(run(&path, &["subject-extract", "anna@exempelby.se", "--purpose", "utdrag"]).0, 2);
    assert_eq!(run(&path, &["subject-extract", "anna", "--decision", "KS 2026/7"]).0, 2);
    let (code, out) =
        run(&path, &[&["subject-extract", "Anna@exempelby.se", "--json"][..], &decided].concat());
    assert_eq!(code, 0, "{out}");
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 7, "six records of hers, none of bo's, and the accesses");
    assert_eq!(lines[0]["recipients"], serde_json::json!(["[annan 2]", "anna@exempelby.se"]));
    assert_eq!((&lines[0]["sender"], &lines[0]["client"]), (&"[annan 1]".into(), &"[maskerat]".into()));
    let looks: Vec<(&str, &str)> = lines[6]["accesses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|look| (look["purpose"].as_str().unwrap(), look["decision"].as_str().unwrap()))
        .collect();
    assert_eq!(looks, [("felsökning", ""), ("", "KS 2026/9")]);
    let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    assert!(!lines[6].to_string().contains(user.trim()), "nobody is told who looked");
    let file = directory.path().join("utdrag.html");
    let html = ["subject-extract", "anna@exempelby.se", "--html", file.to_str().unwrap()];
    assert_eq!(run(&path, &[&html[..], &decided].concat()).0, 0);
    let page = fs::read_to_string(&file).unwrap();
    assert!(page.contains("Registerutdrag för") && page.contains("felsökning") && page.contains("6 poster"));
    for other in ["x@example.org", "registrator@", "192.0.2.1", "Till bo", "bara bo"] {
        assert!(!page.contains(other), "{other}");
    }
}
