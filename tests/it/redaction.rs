//! Our own detectors over all that we write ourselves: no whole number, no term and no credential stands in it.
//!
//! Two things are what the sender wrote, and must be logged so: the subject, and the names of attachments.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::date;
use postvakt::cli::demo::{self, case::Case};
use postvakt::config::{Config, NoFiles, ParseContext};
use postvakt::effects::{self, notices};
use postvakt::gather::Sources;
use postvakt::metrics::METRICS;
use postvakt::pipeline::trial;
use postvakt::scan::credentials;
use postvakt::scan::fold::Folded;
use postvakt::scan::terms::{Terms, shipped};
use postvakt::scan::{self, Confidence};
use postvakt::worker::pool::Workers;

use crate::lab::program::PROGRAM;

fn config(action: &str) -> Arc<Config> {
    let text = demo::config_text(Path::new("/tmp")).unwrap();
    let everyone = format!("action = \"{action}\"\ncopy_to = \"dataskydd@exempelby.se\"");
    let text = text.replace("class = { serious = { action = \"reject\" } }", &everyone);
    let (before, of_credentials) = text.split_once("[rules.credentials]\n").unwrap();
    let of_credentials = of_credentials.replace("action = \"mark\"", &everyone);
    assert!(of_credentials.contains(&everyone), "{of_credentials}");
    let text = format!("{before}[rules.credentials]\n{of_credentials}");
    let around = ParseContext { file: "F", host: "gw", now: Timestamp::UNIX_EPOCH, files: &NoFiles };
    Arc::new(Config::parse(text.as_bytes(), &around).unwrap_or_else(|problems| panic!("{problems}")))
}

#[test]
fn nothing_that_we_write_holds_what_we_found() {
    let terms = Terms::new(shipped()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (mut findings, mut notices) = (0, 0);
    for action in ["mark", "hold", "reject"] {
        let config = config(action);
        let sources = Sources::volatile(Workers::of(Path::new(PROGRAM)));
        for case in Case::all().unwrap().into_iter().filter(|case| case.name.starts_with('2')) {
            let mail = Arc::new(case.mail("2026-03-02T09:00:00Z".parse().unwrap()));
            let explained = runtime.block_on(trial::explain(&mail, &config, &sources)).unwrap();
            let assessment = &explained.assessment;
            let mut json = explained.to_json("x.eml");
            json["facts"]["subject"] = serde_json::Value::Null;
            json["facts"]["attachments"] = serde_json::Value::Null;
            let mut record = effects::record(&assessment.facts, &assessment.decision, &config.hash);
            (record.subject, record.attachments) = (String::new(), Vec::new());
            let rows = effects::findings(&assessment.facts, &assessment.decision);
            let outgoing = notices::outgoing(
                &assessment.facts,
                &assessment.decision,
                config.notice_settings.as_ref().unwrap(),
                false,
            );
            findings += rows.len();
            notices += outgoing.rows.len();
            let written = [
                json.to_string(),
                format!("{:?}", explained.answer.edits),
                explained.answer.refusal.as_ref().map(ToString::to_string).unwrap_or_default(),
                format!("{record:?}"),
                format!("{rows:?}"),
                outgoing.rows.iter().map(|row| row.message.clone()).collect::<Vec<_>>().join("\n"),
            ];
            for text in written {
                says_nothing(&text, &terms, &case.name);
            }
        }
    }
    says_nothing(&String::from_utf8(METRICS.render()).unwrap(), &terms, "metrics");
    assert!(findings > 50 && notices > 20, "{findings} {notices}");
}

fn says_nothing(text: &str, terms: &Terms, case: &str) {
    // The word for a class is also a Swedish party's; what is on one line of a letter may go on on the next.
    let text = text.replace("moderate", "");
    for text in [text.clone(), text.replace("=\r\n", "")] {
        let folded = Folded::new(&text);
        let numbers = scan::numbers(&folded, &scan::Known::default(), date(2026, 3, 2), true);
        let numbers = numbers.iter().filter(|number| number.sure > Confidence::Weak);
        let shown = |at: std::ops::Range<usize>| {
            String::from_utf8_lossy(folded.bytes().get(at).unwrap_or_default()).into_owned()
        };
        let found: Vec<String> = numbers
            .map(|number| shown(number.at.clone()))
            .chain(credentials::find(&folded, true).into_iter().map(|found| shown(found.at)))
            .chain(terms.find(folded.bytes()).map(|found| shown(found.at)))
            .collect();
        assert!(found.is_empty(), "{case}: {found:?} in {text}");
    }
}
