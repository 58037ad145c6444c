//! What was done with the log, followed up: who looked at whose mail, what was deleted by which decision, and a proof of all
//! of it that needs nothing of the program.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use postvakt::address::Domain;
use postvakt::config::minimise::Covered;
use postvakt::config::{Config, Heads, Retention};
use serde_json::Value;

use super::browser::{FONTS, PORTRAIT, print, wrong};
use super::cli::{config, run, run_with};
use super::reasons::store;
use super::*;

const ANNA: &str = "anna@exempelby.se";
const BO: &str = "bo@exempelby.se";

fn json(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

fn period(authority: &str, domain: &str, seconds: u64, decision: &str) -> Retention {
    Retention {
        authority: authority.into(),
        mailboxes: vec![Covered::Domain(Domain::new(domain))],
        keep: Duration::from_secs(seconds),
        decision: decision.into(),
    }
}

pub(super) fn run_retention(config: &Config, decision: &str) -> String {
    let today = Timestamp::now().to_zoned(config.time_zone.clone()).date().to_string();
    let (code, out) = run_with(config, &["retention", "run", "--decision", decision, "--today", &today]);
    assert_eq!(code, 0, "{out}");
    out
}

#[tokio::test]
async fn accesses_are_listed_by_person_user_decision_and_kind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let add = ["decision", "add", "KS 1", "--by", "Chefen", "--date", "2026-08-01", "--purpose", "utredning"];
    let more = ["--person", ANNA, "--valid-until", "2099-12-31"];
    assert_eq!(run(&path, &[&add[..], &more].concat()).0, 0);
    assert_eq!(run(&path, &["search", "--decision", "KS 1"]).0, 0);
    assert_eq!(run(&path, &["search", "--own-request", BO]).0, 0);
    assert_eq!(run(&path, &["search", "--purpose", "felsökning", "--sender", "x@nowhere.example"]).0, 0);
    assert_eq!(run(&path, &["show", "4utgick", "--purpose", "felsökning"]).0, 0);
    let list = |more: &[&str]| json(&run(&path, &[&["access", "--json"], more].concat()).1);
    let verbs = |more: &[&str]| -> Vec<String> {
        list(more).iter().map(|entry| entry["verb"].as_str().unwrap().to_owned()).collect()
    };
    // Bo's own request showed a mail of both.
    assert_eq!(verbs(&["--person", ANNA]), ["decision", "search", "search"]);
    assert_eq!(verbs(&["--person", BO]), ["search", "search", "show"]);
    assert_eq!(verbs(&["--person", "x@nowhere.example"]), Vec::<String>::new(), "no row of theirs was shown");
    assert_eq!(verbs(&["--decision", "KS 1"]), ["decision", "search"]);
    assert_eq!(verbs(&["--verb", "show"]), ["show"]);
    assert_eq!(verbs(&["--by", "nobody-of-this-name"]), Vec::<String>::new());
    let all = list(&[]);
    let user = all[1]["subject"].as_str().unwrap();
    assert!(verbs(&["--by", user]).len() > 4);
    assert!(all[1]["pid"].as_u64().is_some_and(|pid| pid > 0), "{}", all[1]);
    let (_, text) = run(&path, &["access", "--verb", "show"]);
    let number = list(&["--verb", "show"])[0]["id"].to_string();
    assert!(
        text.trim_start().starts_with(&format!("{number}  ")),
        "the number of the entry comes first: {text}"
    );
}

#[tokio::test]
async fn an_entry_that_is_dated_back_is_listed_where_it_was_registered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    assert_eq!(run(&path, &["search", "--purpose", "felsökning"]).0, 0);
    // The server tells of its config whatever its clock says.
    let old: Timestamp = "2026-05-01T09:00:00Z".parse().unwrap();
    let change = postvakt::store::access::ConfigChange {
        reader: Reader::of_this_process(Via::Daemon),
        event: "started".into(),
        config: "0123456789abcdef".into(),
        postvakt: "0.1.0".into(),
        part: None,
    };
    AccessLog::open(&path).unwrap().add(postvakt::store::access::Kind::Config, old, &change).unwrap();
    let today =
        Timestamp::now().to_zoned(jiff::tz::TimeZone::get("Europe/Stockholm").unwrap()).date().to_string();
    let list =
        |more: &[&str]| json(&run(&path, &[&["access", "--json", "--verb", "config"], more].concat()).1);
    let listed = list(&["--since", &today]);
    assert_eq!(listed.len(), 1, "registered today");
    assert!(listed[0]["time"].as_str().unwrap().starts_with("2026-05-01"), "{listed:?}");
    assert!(listed[0]["registered_at"].as_str().unwrap() > "2026-06", "{listed:?}");
    assert_eq!(list(&["--until", "2026-06-01"]).len(), 0);
}

#[tokio::test]
async fn a_retention_run_has_a_protocol_and_shared_mail_waits_for_both() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let (_, clock) = clock("2026-08-21T00:00:00Z");
    let store = Store::open_at(&path, "gw1", clock).unwrap();
    for to in
        [&["a@social.exempelby.se"][..], &["b@exempelby.se"], &["a@social.exempelby.se", "b@exempelby.se"]]
    {
        let recipients = to.iter().map(|to| (*to).into()).collect();
        store.commit(Entry::of(Record { recipients, ..record(&to.join(" ")) })).await.unwrap();
    }
    store.close().await;
    let mut config = config(&path);
    let mut organisation = (*config.organisation).clone();
    organisation.domains.push(postvakt::address::DomainPattern::parse("*.exempelby.se").unwrap());
    config.organisation = organisation.into();
    config.store.retention = vec![
        period("Socialnämnden", "social.exempelby.se", 1, "SN 2026/45"),
        period("Kommunstyrelsen", "exempelby.se", 3_000_000_000, "KS 2026/12"),
    ];
    let left = |config: &Config| json(&run_with(config, &["search", "--json", "--decision", "KS 1"]).1).len();
    assert_eq!(run_with(&config, &["retention", "protocol"]).0, 1, "no run yet");
    run_retention(&config, "SN 2026/45");
    assert_eq!(left(&config), 2, "what two authorities share is kept for the longer time");
    config.store.retention[1].keep = Duration::from_secs(1);
    run_retention(&config, "SN 2026/45");
    assert_eq!(left(&config), 1, "both periods are over");
    let page = directory.path().join("protokoll.html");
    let (code, out) = run_with(&config, &["retention", "protocol", "--html", page.to_str().unwrap()]);
    assert_eq!(code, 0, "{out}");
    let text = fs::read_to_string(&page).unwrap();
    for wanted in [
        "Gallringsprotokoll",
        "Socialnämnden",
        "SN 2026/45",
        "2026-08",
        "slutförd, 1 post gallrad",
        "Underskrift",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    for font in FONTS {
        assert_eq!(wrong(&page, font, PORTRAIT, true), Vec::<String>::new(), "{font}");
        let (_, text) = print(&page, font, "protocol");
        assert!(text.contains("Gallringsprotokoll") && text.contains("Underskrift"), "{text}");
    }
    let runs = json(&run_with(&config, &["access", "--json", "--verb", "retention"]).1);
    let first = runs.iter().find(|entry| entry["query"]["files"].is_array()).unwrap()["id"].to_string();
    let (code, out) = run_with(&config, &["retention", "protocol", &first, "--json"]);
    let protocol = &json(&out)[0];
    assert_eq!((code, &protocol["title"]), (0, &"Gallringsprotokoll".into()), "{out}");
    assert_eq!(protocol["tables"][0]["rows"][0][4], "1", "of the authority: {out}");
    assert_eq!(protocol["tables"][1]["rows"][0][0], "2026-08", "{out}");
    assert_eq!(run_with(&config, &["retention", "protocol", "1"]).0, 1, "another entry is no run");
}

#[tokio::test]
async fn a_quarter_is_followed_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    store(&path).await;
    let add = ["decision", "add", "KS 1", "--by", "Chefen", "--date", "2026-08-01", "--purpose", "utredning"];
    assert_eq!(run(&path, &[&add[..], &["--person", ANNA, "--valid-until", "2099-12-31"]].concat()).0, 0);
    for search in [
        &["--decision", "KS 1"][..],
        &["--own-request", BO],
        &["--request", "Dnr 7"],
        &["--purpose", "felsökning"],
        &["--purpose", "x"],
    ] {
        run(&path, &[&["search"], search].concat());
    }
    let now = Timestamp::now().to_zoned(jiff::tz::TimeZone::get("Europe/Stockholm").unwrap()).date();
    let quarter = format!("{}Q{}", now.year(), (now.month() + 2) / 3);
    let follow = |more: &[&str]| {
        let own = ["report", "follow-up", &quarter, "--purpose", "kvartalsuppföljning"];
        run(&path, &[&own[..], more].concat())
    };
    let (code, out) = follow(&["--seed", "frö", "--n", "3"]);
    let report = &json(&out)[0];
    assert_eq!(code, 0, "{out}");
    let rows = |table: usize| report["tables"][table]["rows"].as_array().unwrap().clone();
    let reasons: Vec<String> =
        rows(0).iter().map(|row| format!("{} {} {}", row[0], row[1], row[2])).collect();
    assert_eq!(
        reasons,
        [
            "\"begäran om allmän handling\" \"1\" \"0\"",
            "\"beslut\" \"1\" \"0\"",
            "\"drift\" \"1\" \"1\"",
            "\"egen begäran\" \"1\" \"0\""
        ],
        "{out}"
    );
    assert_eq!((rows(2)[0][0].as_str(), rows(2)[0][8].as_str()), (Some("KS 1"), Some("1")), "{out}");
    assert_eq!((rows(3).len(), rows(3)[0][1].as_str()), (1, Some("Dnr 7")), "the hold by the request: {out}");
    assert_eq!(rows(6).len(), 3, "{out}");
    // Two copies of one log, each with an access more afterwards.
    let copy = directory.path().join("copy");
    assert!(Command::new("cp").arg("-r").args([&path, &copy]).status().unwrap().success());
    let sample = |path: &Path| {
        let own =
            ["report", "follow-up", &quarter, "--purpose", "kvartalsuppföljning", "--seed", "a", "--n", "2"];
        json(&run(path, &own).1)[0]["tables"][6]["rows"].clone()
    };
    assert_eq!(sample(&path), sample(&copy), "the same seed chooses the same");
    let page = directory.path().join("uppfoljning.html");
    assert_eq!(follow(&["--html", page.to_str().unwrap()]).0, 0);
    for font in FONTS {
        assert_eq!(wrong(&page, font, PORTRAIT, true), Vec::<String>::new(), "{font}");
        let (_, text) = print(&page, font, "follow-up");
        assert!(text.contains("Stickprov av åtkomster"), "{text}");
    }
}

pub(super) fn prove(store: &Path, heads: &Path) -> (Option<i32>, String) {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/log-proof.py");
    assert!(fs::read_to_string(&script).unwrap().lines().count() <= 90);
    let output = Command::new("python3").arg(script).args([store, heads]).output();
    let output = output.expect("python3 is not installed: apt-get install --no-install-recommends python3");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said)
}

#[tokio::test]
async fn a_script_of_its_own_proves_records_and_accesses_after_retention_and_a_restore() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let copies = directory.path().join("heads");
    let open = |at: &str| {
        let settings = Heads { file: Some(copies.clone()), ..Heads::signed_every(Duration::from_mins(5)) };
        Store::open_with(&path, "gw1", settings, clock(at).1).unwrap()
    };
    for (at, records) in [("2026-05-01T10:00:00Z", 30), ("2026-06-01T10:00:00Z", 17)] {
        let store = open(at);
        for n in 0..records {
            let findings = if n % 3 == 0 { vec![finding()] } else { Vec::new() };
            let record =
                Record { time: at.parse().unwrap(), ..record(&format!("Ärende {n} \u{1F600} \"\\\u{1}")) };
            store.commit(Entry { findings, ..Entry::of(record) }).await.unwrap();
        }
        assert_eq!(run(&path, &["search", "--purpose", "felsökning"]).0, 0);
        store.close().await;
    }
    let older = directory.path().join("older");
    assert!(Command::new("cp").arg("-r").args([&path, &older]).status().unwrap().success());
    let mut config = config(&path);
    config.store.retention = vec![period("Kommunstyrelsen", "exempelby.se", 1, "KS 2026/12")];
    assert!(run_retention(&config, "KS 2026/12").contains("47 records deleted"));
    let store = open("2026-06-02T10:00:00Z");
    store.commit(entry("efter")).await.unwrap();
    store.close().await;
    let (code, said) = prove(&path, &copies);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1: 48 leaves, 48 covered by a head"), "{said}");
    // A letter in a record, in an entry, and a deletion that no run tells of.
    let forged = directory.path().join("forged");
    for (file, change, wanted) in [
        ("log-2026-06.db", "UPDATE record SET subject = 'annat'", "is not what was stored"),
        (
            "access.db",
            "DROP TRIGGER entry_stays; UPDATE entry SET body = replace(body, 'fels', 'FELS')",
            "its records are not those",
        ),
        ("log-2026-05.db", "UPDATE pruned SET run = 1 WHERE seq > 20", "the access log does not tell of"),
    ] {
        assert!(Command::new("cp").arg("-r").args([&path, &forged]).status().unwrap().success());
        rusqlite::Connection::open(forged.join(file)).unwrap().execute_batch(change).unwrap();
        let (code, said) = prove(&forged, &copies);
        assert!(code == Some(1) && said.contains(wanted), "{file}: {said}");
        fs::remove_dir_all(&forged).unwrap();
    }
    // The older copy is put back: what was lost is told of, and the rest is proved. Started and stopped at once, too.
    fs::remove_dir_all(&path).unwrap();
    fs::rename(&older, &path).unwrap();
    open("2026-06-03T10:00:00Z").close().await;
    let (code, said) = prove(&path, &copies);
    assert!(code == Some(2) && said.contains("new epoch") && said.contains("1: 47 leaves"), "{said}");
    let verify = ["verify", "--heads", copies.to_str().unwrap(), path.to_str().unwrap()];
    let (code, said) = run(&path, &verify);
    assert_eq!(code, 2, "{said}");
}

/// `SplitMix64`: a test that fails does so again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % count as u64).unwrap()
    }
}

const WRITTEN: [&str; 12] = [
    "anna@exempelby.se",
    "Anna@Exempelby.se",
    "anna+lista@exempelby.se",
    "\"anna\"@exempelby.se",
    "anna@exempelbykommun.se",
    "johanna@exempelby.se",
    "bo@exempelby.se",
    "anna@example.org",
    "anna+x@example.org",
    "bounce-1-anna=exempelby.se@utskick.example",
    "a\u{30A}sa@exempelby.se",
    "<>",
];

#[tokio::test]
async fn whatever_the_log_an_extract_is_within_what_a_hold_keeps_and_indexes_find_what_a_scan_does() {
    for seed in 0..6 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let mut dice = Dice(seed);
        let (time, clock) = clock("2026-05-01T00:00:00Z");
        for month in ["2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"] {
            time.store(second(month), Ordering::SeqCst);
            let store = Store::open_at(&path, "gw1", clock.clone()).unwrap();
            for n in 0..20 {
                let mut one = || WRITTEN[dice.below(WRITTEN.len())].to_owned();
                let (sender, author, recipients) = (one(), one(), vec![one(), one()]);
                let header_from =
                    if author == "<>" { String::new() } else { format!("{author}, x@example.net") };
                let time = month.parse().unwrap();
                let record =
                    Record { time, sender, header_from, recipients, ..record(&format!("{seed} {n}")) };
                store.commit(Entry::of(record)).await.unwrap();
            }
            store.close().await;
        }
        let mut config = config(&path);
        let mut organisation = (*config.organisation).clone();
        organisation.alias_domains = vec![Domain::new("exempelbykommun.se")];
        config.organisation = organisation.into();
        config.store.retention = vec![Retention {
            mailboxes: vec![Covered::Everybody],
            ..period("KS", "exempelby.se", 1, "KS 2026/12")
        }];
        let subjects = |arguments: &[&str]| -> Vec<String> {
            let (code, out) = run_with(&config, &[arguments, &["--json"]].concat());
            assert_eq!(code, 0, "{arguments:?}: {out}");
            json(&out).iter().filter_map(|row| Some(row["subject"].as_str()?.to_owned())).collect()
        };
        let person = ["anna@exempelby.se", "anna+lista@exempelby.se", "anna@example.org", "åsa@exempelby.se"]
            [dice.below(4)];
        for query in [["--person", person], ["--from", person], ["--recipient", person], ["--sender", person]]
        {
            let by =
                |scan: &[&str]| subjects(&[&["search", "--decision", "KS 1"], &query[..], scan].concat());
            assert_eq!(by(&[]), by(&["--scan"]), "{seed}: {query:?}");
        }
        let extract = ["subject-extract", person, "--decision", "KS 1"];
        let before = subjects(&extract);
        let (code, out) = run_with(&config, &["legal-hold", "add", "D 1", "--party", person]);
        assert_eq!(code, 0, "{out}");
        run_retention(&config, "KS 2026/12");
        assert_eq!(subjects(&extract), before, "{seed}: {person}");
        assert_eq!(
            subjects(&["search", "--decision", "KS 1"]),
            before,
            "{seed}: a hold keeps no more: {person}"
        );
    }
}
