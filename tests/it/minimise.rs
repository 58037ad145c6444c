//! What is not to be kept, from the wire to the disk: it is in no file of the store, and the log works without it.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::lab::program::PROGRAM;
use crate::lab::{Lab, files, run, until};

const CITIZEN: &str = "x@example.org";
/// Of the mail that leaves little: a word of its subject, and one of its attachment's name.
const SECRET: [&str; 2] = ["kvarnmastare7421", "vittnesbok7421"];
/// Of the other one.
const OPEN: [&str; 2] = ["bygglov7421", "ritning7421"];

fn rules(keep: &str) -> String {
    format!(
        r#"[store.minimise]
mailboxes = ["info@exempelby.se"]
keep = "{keep}"
[rules.receipt]
mode = "enforce"
delay = "1 s"
require_authentication = false
echo_subject = true
[[rules.receipt.mailboxes]]
address = "info@exempelby.se"
[[rules.receipt.mailboxes]]
address = "registrator@exempelby.se"
[rules.custom.papers]
when = {{ attachment_name = '7421' }}
mode = "enforce"
action = "mark"
"#
    )
}

fn mail(to: &str, [subject, name]: [&str; 2], id: &str) -> String {
    format!(
        "From: <{CITIZEN}>\nTo: <{to}>\nSubject: Om {subject}\nMessage-ID: <{id}@example.org>\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHej!\n--b\nContent-Type: text/plain; name={name}.txt\n\
         Content-Disposition: attachment\n\nAA\n--b--\n"
    )
}

/// How many files of the store have the word: as octets, and as the `sqlite3` tool reads them.
fn files_with(store: &Path, word: &str) -> usize {
    let has = |path: &Path| {
        let dump = Command::new("sqlite3").arg("-readonly").arg(path).arg(".dump").output().unwrap();
        [fs::read(path).unwrap_or_default(), dump.stdout].iter().any(|octets| {
            octets.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
        })
    };
    files(store).iter().filter(|path| path.is_file() && has(path)).count()
}

fn log(lab: &Lab, arguments: &[&str]) -> String {
    run(Command::new(PROGRAM).arg("log").args(arguments).arg("--config").arg(&lab.postvakt.config))
}

#[test]
fn what_is_not_to_be_kept_is_nowhere_and_the_log_works_without_it() {
    let mut lab = Lab::start(&rules("nothing"));
    let mut smtp = lab.outside();
    let (closed, open) = ("info@exempelby.se", "registrator@exempelby.se");
    let kept_back = lab.record_of(&smtp.send(CITIZEN, &[closed], &mail(closed, SECRET, "1")));
    let kept = lab.record_of(&smtp.send(CITIZEN, &[open], &mail(open, OPEN, "2")));
    drop(smtp);
    assert_eq!((&kept_back["subject"], &kept["subject"]), (&"[minimised]".into(), &"Om bygglov7421".into()));
    for record in [&kept_back, &kept] {
        assert_eq!(
            (&record["verdict"], &record["attachment_sizes"][0]),
            (&"marked".into(), &2.into()),
            "{record}"
        );
        assert_eq!(record["findings"][0], "custom.papers=strong", "{record}");
    }
    // Whoever it is for gets it whole, and whoever sent it a receipt that does not say it.
    assert!(lab.delivered(closed, 1)[0].contains(SECRET[0]));
    let receipts = lab.delivered(CITIZEN, 2);
    let naming = |word: &str| receipts.iter().filter(|receipt| receipt.contains(word)).count();
    assert_eq!((naming(SECRET[0]), naming(OPEN[0])), (0, 1), "{receipts:#?}");

    // While it runs, with what is in the -wal, and after it.
    let store = lab.postvakt.config.with_file_name("store");
    let nowhere = || {
        assert_eq!(SECRET.map(|word| files_with(&store, word)), [0, 0]);
        assert!(
            OPEN.iter().all(|word| files_with(&store, word) > 0),
            "the search itself finds what is there"
        );
    };
    nowhere();

    // What looks alike can be told, where that is wanted.
    lab.postvakt.write_rules(&rules("hash"));
    lab.postvakt.signal(Signal::HUP);
    let mut sent = 2;
    let mut subject = || {
        sent += 1;
        let reply = lab.outside().send(CITIZEN, &[closed], &mail(closed, SECRET, &sent.to_string()));
        lab.record_of(&reply)["subject"].as_str().unwrap().to_owned()
    };
    let hash = until("the new config", &lab, || Some(subject()).filter(|subject| subject != "[minimised]"));
    assert!(hash.len() == 34 && hash.starts_with('['), "{hash}");
    assert_eq!(subject(), hash);

    lab.postvakt.signal(Signal::TERM);
    assert!(lab.postvakt.ended().success());
    nowhere();
    let found = |arguments: &[&str]| lab.postvakt.search(arguments).len();
    assert_eq!(found(&["--subject", OPEN[0]]), 1);
    assert_eq!((found(&["--subject", SECRET[0]]), found(&["--attachment", SECRET[1]])), (0, 0));
    assert_eq!(found(&["--subject", &hash]), 2);
    let out = store.with_file_name("export.csv");
    let out = out.to_str().unwrap();
    log(&lab, &["export", "--format", "csv", "--output", out, "--decision", "test"]);
    let text = fs::read_to_string(out).unwrap();
    assert!(text.contains("\"[minimised]\"") && !SECRET.iter().any(|word| text.contains(word)), "{text}");
    let report: Value = serde_json::from_str(&log(&lab, &["verify-export", out, "--json"])).unwrap();
    assert!(report.is_object(), "{report:#}");
}
