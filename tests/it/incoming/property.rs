//! Whatever a mail is and whatever the config says, `spam` accepts or marks it.

use jiff::Timestamp;
use postvakt::address::Domain;
use postvakt::cli::demo::case::Case;
use postvakt::config::{Config, NoFiles, ParseContext};
use postvakt::facts::authentication::{
    Authentication, Chain, Dkim, Dmarc, Outcome, Policy, Spf, SpfIdentity,
};
use postvakt::facts::scan::{Opinion, SpamScan, SpamScanner, SpamScore, VirusScan};
use postvakt::facts::{Cause, Fact, Facts, Needs, extract::extract};
use postvakt::policy::{Decision, Step, decide::decide};
use postvakt::rules::{ALL, ActionSet};
use postvakt::verdict::Verdict;

const FRAME: &str = "[organisation]\nname = \"Exempelby kommun\"\ndomains = [\"exempelby.se\"]\n[server]\n\
     listen = [\"unix:/tmp/x.sock\"]\n[store]\ndirectory = \"/tmp/x\"\n";

/// A xorshift generator: the same mails in every run.
struct Random(u64);

impl Random {
    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        all[usize::try_from(self.0 % all.len() as u64).unwrap()].clone()
    }
}

fn config(rules: &str) -> Option<Config> {
    let around = ParseContext { file: "F", host: "gw1", now: Timestamp::UNIX_EPOCH, files: &NoFiles };
    Config::parse(format!("{FRAME}{rules}").as_bytes(), &around).ok()
}

fn decided(config: &Config, facts: &Facts) -> Decision {
    let findings = config.rules.iter().flat_map(|(rule, policy)| {
        rule.check(facts).into_iter().map(move |finding| (rule.id(), policy, finding))
    });
    decide(facts, findings, "2026-03-02".parse().unwrap())
}

const OUTCOMES: [Outcome; 7] = [
    Outcome::None,
    Outcome::Pass,
    Outcome::Fail,
    Outcome::SoftFail,
    Outcome::Neutral,
    Outcome::TempError,
    Outcome::PermError,
];
const CAUSES: [Cause; 6] =
    [Cause::Deadline, Cause::Limit, Cause::Dns, Cause::Unreachable, Cause::Protocol, Cause::Paused];

fn scans(random: &mut Random) -> Vec<SpamScan> {
    let numbers = [-1e9, -5.0, 0.0, 0.1, 5.0, 15.0, 1e9];
    let scan = |random: &mut Random, by| SpamScan {
        by,
        answer: if random.of(&[true, false]) {
            let (score, required) = (random.of(&numbers), random.of(&[0.1, 5.0, 15.0]));
            Ok(SpamScore {
                score,
                required,
                opinion: random.of(&[Opinion::Ham, Opinion::Doubt, Opinion::Spam]),
            })
        } else {
            Err(random.of(&CAUSES))
        },
    };
    let all = [SpamScanner::Rspamd, SpamScanner::SpamAssassin, SpamScanner::Upstream];
    let count = random.of(&[0, 1, 2, 3]);
    all.into_iter().take(count).map(|by| scan(random, by)).collect()
}

fn authentication(random: &mut Random) -> Fact<Authentication> {
    let domain = Domain::new(random.of(&["example.org", "exempelby.se"]));
    let dkim = Dkim {
        result: random.of(&OUTCOMES),
        domain: Some(domain.clone()),
        selector: String::new(),
        aligned: random.of(&[true, false]),
    };
    let spf = Spf {
        result: random.of(&OUTCOMES),
        identity: SpfIdentity::MailFrom,
        domain: domain.clone(),
        aligned: random.of(&[true, false]),
    };
    let policy = random.of(&[Policy::None, Policy::Quarantine, Policy::Reject]);
    let own = Dmarc { result: random.of(&OUTCOMES), policy, domain: Some(Domain::new("exempelby.se")) };
    let known = Authentication {
        dkim: vec![dkim],
        left_out: random.of(&[0, 3]),
        shown: random.of(&[vec![], vec![own]]),
        dmarc: Dmarc { result: random.of(&OUTCOMES), policy, domain: Some(domain) },
        helo: random.of(&[None, Some(Spf { identity: SpfIdentity::Helo, ..spf.clone() })]),
        spf,
        arc: Chain {
            result: random.of(&OUTCOMES),
            vouched_by: random.of(&[None, Some(Domain::new("lists.example.net"))]),
        },
    };
    random.of(&[Fact::Known(known), Fact::Unavailable(Cause::Dns), Fact::NotGathered])
}

#[test]
fn spam_is_accepted_or_marked_and_nothing_else() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let modes = ["observe", "enforce"];
    let configs: Vec<Config> = (0..20)
        .map(|_| {
            let (mode, doubt) = (random.of(&modes), random.of(&["pass", "mark"]));
            let keys = random.of(&["", "subject_tag = \"[X]\"\n", "headers_only = [\"@exempelby.se\"]\n"]);
            config(&format!("[authentication]\n[rules.spam]\nmode = \"{mode}\"\ndoubt = \"{doubt}\"\n{keys}"))
                .unwrap()
        })
        .collect();
    let organisation = configs[0].organisation.clone();
    let indices: Vec<usize> = (0..configs.len()).collect();
    for case in Case::all().unwrap() {
        let mut facts = extract(&case.mail(Timestamp::UNIX_EPOCH), &organisation, Needs::NONE);
        for _ in 0..50 {
            facts.scans.spam = scans(&mut random);
            facts.scans.virus = random.of(&[Fact::NotGathered, Fact::Known(VirusScan::Virus("x".into()))]);
            facts.authentication = authentication(&mut random);
            let judged = decided(&configs[random.of(&indices)], &facts);
            assert!(judged.verdict <= Verdict::Mark, "{judged:?}");
            assert!(judged.rulings.iter().all(|ruling| ruling.verdict <= Verdict::Mark), "{judged:?}");
            assert!(judged.steps.iter().all(|step| matches!(step, Step::Mark(_))), "{judged:?}");
        }
    }
}

#[test]
fn no_config_gives_spam_more_than_a_mark() {
    for more in [
        "action = \"hold\"",
        "action = \"reject\"",
        "action = \"mark\"",
        "on_unknown = \"tempfail\"",
        "on_unknown = \"hold\"",
    ] {
        assert!(
            config(&format!("[authentication]\n[rules.spam]\nmode = \"enforce\"\n{more}\n")).is_none(),
            "{more}"
        );
    }
    let marks_alone = |id: &str| ALL.iter().find(|spec| spec.id == id).unwrap().menu.words() == ["mark"];
    assert!(marks_alone("spam"));
    for spec in ALL.iter().filter(|spec| matches!(spec.menu, ActionSet::Mark | ActionSet::Spam)) {
        assert!(marks_alone(spec.id), "{}", spec.id);
    }
}
