//! Mail on which a filter goes wrong, by kind: `tests/mail-cases/<kind>/cases.json` and the messages that it names. Each
//! case is judged by `explain`, over the wire, or both.

mod case;
mod judge;
mod wire;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::incoming::dns::Dns;
use crate::lab::program::PROGRAM;
use crate::lab::run;
use case::{Case, Way};
use judge::{Seen, differences};

/// Where the kinds are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail-cases");

/// One test for each kind, which is a folder's name.
macro_rules! kinds {
    ($($test:ident: $folder:literal),* $(,)?) => {
        $(#[test]
        fn $test() {
            check($folder);
        })*

        #[test]
        fn every_kind_has_its_test() {
            let mut folders: Vec<String> = fs::read_dir(FOLDER)
                .unwrap()
                .map(|entry| entry.unwrap())
                .filter(|entry| entry.file_type().unwrap().is_dir())
                .map(|entry| entry.file_name().into_string().unwrap())
                .collect();
            folders.sort();
            assert_eq!(folders, [$($folder),*]);
        }
    };
}

kinds! {
    automatic_replies: "01-automatic-reply",
    forwards_by_a_rule: "02-forward-by-rule",
    forged_own_authors: "03-forged-own-from",
    second_passes: "04-second-pass",
    tagged_senders: "05-tagged-sender",
    broken_records: "06-broken-records",
    attachment_names: "07-attachment-name",
    authors: "08-header-from",
    answers_to_receipts: "09-answer-to-receipt",
    names_in_tnef: "10-tnef-names",
    automatic_subjects: "11-automatic-subject",
    the_end_of_the_header_section: "12-header-end",
    charsets_that_shift: "13-shifting-charset",
    excuses_and_traces: "14-excuses-beat-traces",
    rewritten_from: "15-rewritten-from",
    other_dates: "16-date-differs",
    whose_forward: "17-whose-forward",
    refusals_and_bounces: "18-reject-bounces",
    routed_recipients: "19-routed-recipients",
    own_mail: "20-own-mail-stopped",
    a_filter_inside: "21-upstream-filter-inside",
    subjects_of_people: "23-subjects-of-people",
    exceptions: "24-exceptions",
}

/// Plays every case of the kind; what is not as it should be is told at once.
fn check(kind: &str) {
    let folder = Path::new(FOLDER).join(kind);
    let cases = Case::all(&folder);
    assert!(!cases.is_empty());
    let dns = case::name_server(&cases);
    let mut wrong = Vec::new();
    for case in &cases {
        for way in case.ways() {
            let seen = match way {
                Way::Explain => explained(case, &dns),
                Way::Wire => wire::played(case, &dns),
            };
            let told = differences(&case.expect, &seen);
            wrong.extend(
                told.iter().map(|told| format!("{kind}/{} {way:?}: {told}\n     {}", case.id, case.why)),
            );
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What `explain --json` says of the mail.
fn explained(case: &Case, dns: &Dns) -> Seen {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["explain", "--json", "--config"]).arg(case.config(directory.path(), dns));
    command.arg(format!("--from={}", if case.from.is_empty() { "<>" } else { &case.from }));
    command.args(["--client", &case.client]);
    command.args(case.rcpts.iter().map(|recipient| format!("--rcpt={recipient}")));
    let said: Value = serde_json::from_str(run(command.arg(case.path(&case.file))).trim()).unwrap();
    let mut facts = said["facts"].clone();
    let names = facts["attachments"].as_array().unwrap().iter().map(|attachment| attachment["name"].clone());
    facts["attachments"] = names.collect();
    Seen {
        direction: said["direction"].as_str().unwrap().to_owned(),
        verdict: said["verdict"].as_str().unwrap().to_owned(),
        findings: said["findings"].as_array().unwrap().iter().map(judge::Finding::explained).collect(),
        facts,
        edits: said["edits"].as_array().unwrap().clone(),
        receipt: judge::text(&said["receipt"]["outcome"]),
        reason: judge::text(&said["receipt"]["reason"]),
        delivered: None,
        first: Vec::new(),
        queued: 0,
    }
}
