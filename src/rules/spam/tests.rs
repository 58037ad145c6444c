//! What is found in facts, and what is not.

use super::*;
use crate::address::Domain;
use crate::facts::authentication::{Chain, Dmarc, Spf, SpfIdentity};
use crate::facts::scan::SpamScanner;
use crate::facts::testing::from_outside;

fn facts() -> Facts {
    from_outside("bo@example.org", "anna@exempelby.se", "From: bo@example.org\nSubject: x")
}

fn scanned(by: SpamScanner, score: f64, opinion: Opinion) -> SpamScan {
    SpamScan { by, answer: Ok(SpamScore { score, required: 5.0, opinion }) }
}

fn silent(by: SpamScanner, cause: Cause) -> SpamScan {
    SpamScan { by, answer: Err(cause) }
}

fn authentication(spf: Outcome, dmarc: Outcome) -> Fact<Authentication> {
    let domain = Domain::new("example.org");
    Fact::Known(Authentication {
        spf: Spf { result: spf, identity: SpfIdentity::MailFrom, domain: domain.clone(), aligned: true },
        dkim: Vec::new(),
        dmarc: Dmarc { result: dmarc, policy: Policy::Reject, domain: Some(domain) },
        helo: None,
        left_out: 0,
        shown: Vec::new(),
        arc: Chain::default(),
    })
}

fn found(facts: &Facts) -> String {
    match &(Spam { doubt: Doubt::Pass }).check(facts)[..] {
        [] => "nothing".to_owned(),
        [Finding::Unknown(cause)] => format!("unknown {}", cause.as_str()),
        [Finding::Match(found)] => found.evidence.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_scanner_alone_is_enough() {
    let mut facts = facts();
    facts.scans.spam = vec![scanned(SpamScanner::SpamAssassin, 15.2, Opinion::Spam)];
    assert_eq!(found(&facts), "points=15.2/5.0,spamassassin");
    // rspamd adds a header below the points from which on it refuses.
    facts.scans.spam = vec![scanned(SpamScanner::Rspamd, 3.0, Opinion::Spam)];
    assert_eq!(found(&facts), "points=3.0/3.0,rspamd");
}

#[test]
fn signs_that_are_each_too_little_are_enough_together() {
    let mut facts = facts();
    facts.scans.spam = vec![scanned(SpamScanner::SpamAssassin, 3.0, Opinion::Ham)];
    assert_eq!(found(&facts), "nothing");
    facts.authentication = authentication(Outcome::Fail, Outcome::Fail);
    assert_eq!(found(&facts), "points=7.0/5.0,spamassassin,dmarc-reject,spf-fail");
    facts.scans.spam.clear();
    assert_eq!(found(&facts), "nothing");
}

#[test]
fn our_own_domain_that_disowns_the_mail_is_enough() {
    let mut facts = from_outside("x@example.org", "anna@exempelby.se", "From: chef@exempelby.se\nSubject: x");
    facts.authentication = authentication(Outcome::None, Outcome::Fail);
    assert_eq!(found(&facts), "points=5.0/5.0,dmarc-reject,own-domain");
    facts.authentication = authentication(Outcome::Pass, Outcome::Pass);
    assert_eq!(found(&facts), "nothing");
}

#[test]
fn a_list_that_holds_the_chain_explains_a_broken_signature() {
    let mut facts = facts();
    facts.scans.spam = vec![scanned(SpamScanner::SpamAssassin, 3.0, Opinion::Ham)];
    let Fact::Known(mut through_list) = authentication(Outcome::Fail, Outcome::Fail) else { panic!() };
    // Anybody can seal; whose word is taken says the config.
    through_list.arc = Chain { result: Outcome::Pass, vouched_by: None };
    facts.authentication = Fact::Known(through_list.clone());
    assert_eq!(found(&facts), "points=7.0/5.0,spamassassin,dmarc-reject,spf-fail");
    let vouched_by = Some(Domain::new("lists.example.net"));
    through_list.arc = Chain { result: Outcome::Pass, vouched_by: vouched_by.clone() };
    facts.authentication = Fact::Known(through_list.clone());
    assert_eq!(found(&facts), "nothing");
    through_list.arc = Chain { result: Outcome::Fail, vouched_by };
    facts.authentication = Fact::Known(through_list);
    assert_eq!(found(&facts), "points=7.0/5.0,spamassassin,dmarc-reject,spf-fail");
}

#[test]
fn a_host_by_anothers_name_is_one_sign() {
    let mut facts = facts();
    facts.scans.spam = vec![scanned(SpamScanner::SpamAssassin, 4.0, Opinion::Ham)];
    let name = |result| Spf {
        result,
        identity: SpfIdentity::Helo,
        domain: Domain::new("mx.example.net"),
        aligned: false,
    };
    for (spf, helo, expected) in [
        (Outcome::None, Outcome::Fail, "points=5.5/5.0,spamassassin,helo-fail"),
        (Outcome::Fail, Outcome::Fail, "points=5.5/5.0,spamassassin,spf-fail"),
        (Outcome::None, Outcome::SoftFail, "nothing"),
        (Outcome::None, Outcome::TempError, "nothing"),
    ] {
        let Fact::Known(mut known) = authentication(spf, Outcome::None) else { panic!() };
        known.helo = Some(name(helo));
        facts.authentication = Fact::Known(known);
        assert_eq!(found(&facts), expected, "{spf} {helo}");
    }
}

#[test]
fn what_nobody_scanned_is_unknown_and_one_scanner_is_enough() {
    let mut facts = facts();
    facts.scans.spam = vec![silent(SpamScanner::Rspamd, Cause::Deadline)];
    assert_eq!(found(&facts), "unknown deadline");
    facts.scans.spam.push(scanned(SpamScanner::SpamAssassin, 0.0, Opinion::Ham));
    assert_eq!(found(&facts), "nothing");
    facts.scans.spam.clear();
    facts.authentication = Fact::Unavailable(Cause::Dns);
    assert_eq!(found(&facts), "unknown dns");
}

#[test]
fn doubt_passes_unless_the_config_says_otherwise() {
    let mut facts = facts();
    facts.scans.spam = vec![scanned(SpamScanner::Rspamd, 4.5, Opinion::Doubt)];
    assert_eq!(found(&facts), "nothing");
    assert_eq!(Spam { doubt: Doubt::Mark }.check(&facts).len(), 1);
}
