//! Records with errors, and several of them, mean what the RFCs say and no more: whose records have a typo is not taken for
//! a forger, and whoever may send is answered.

use serde_json::Value;

use super::dns::Dns;
use super::{explained, inserted};

/// The host that the records name.
const CLIENT: &str = "192.0.2.10";
const GOOD: &str = "v=spf1 ip4:192.0.2.10 -all";

/// What is said of a mail from `person@` each of the domains.
fn said(dns: &Dns, domains: &[String]) -> Vec<Value> {
    let config = format!(
        "[authentication]\nauthserv_id = \"mx.exempelby.se\"\n[dns]\nservers = [\"{}\"]\n[smtp]\nsubmit = \"127.0.0.1:9\"\n\
         [rules.spam]\nmode = \"enforce\"\n[rules.receipt]\nmode = \"enforce\"\n\
         [[rules.receipt.mailboxes]]\naddress = \"registrator@exempelby.se\"\n",
        dns.address
    );
    let message = |domain: &String| {
        let text = format!(
            "From: Person <person@{domain}>\nTo: registrator@exempelby.se\nSubject: Bygglov\n\
             Message-ID: <1@{domain}>\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n\nHej!\n"
        );
        text.into_bytes()
    };
    let arguments = ["--client", CLIENT, "--rcpt", "registrator@exempelby.se"];
    // Without `--from` the author is the sender.
    explained(&config, &arguments, &domains.iter().map(message).collect::<Vec<_>>())
}

/// Whether the sender is answered, and why not.
fn receipt(said: &Value) -> (&str, &str) {
    let receipt = &said["receipt"];
    (receipt["outcome"].as_str().unwrap_or(""), receipt["reason"].as_str().unwrap_or(""))
}

#[test]
fn spf_records() {
    let cases: &[(&[&str], &str)] = &[
        (&[GOOD], "pass"),
        (&["v=spf1 ip4:198.51.100.7 -all"], "fail"),
        (&["v=spf1 foo=bar ip4:192.0.2.10 -all"], "pass"),
        (&["google-site-verification=abc", GOOD], "pass"),
        (&["v=spf1 include:good.records.example -all"], "pass"),
        (&["v=spf1 redirect=good.records.example"], "pass"),
        (&["v=spf1 include:%{d2}.good.records.example ?all"], "permerror"),
        (&["v=spf1 exists:%{l}.nobody.records.example -all"], "fail"),
        (&["V=SPF1 ip4:192.0.2.10 -all"], "pass"),
        (&[], "none"),
        (&["v=spf2.0/pra -all", "spf1 -all"], "none"),
        // RFC 7208 §4.5: several are none to go by, whichever comes first.
        (&[GOOD, "v=spf1 -all"], "permerror"),
        (&["v=spf1 -all", GOOD], "permerror"),
        (&[GOOD, GOOD], "permerror"),
        (&["v=spf1 include:two.records.example -all"], "permerror"),
        (&["v=spf1 redirect=two.records.example"], "permerror"),
        (&["v=spf1 a include:broken.records.example ~all"], "permerror"),
        // RFC 7208 §4.6: an error anywhere, also behind what would have matched.
        (&["v=spf1 ipv4:192.0.2.10 -all"], "permerror"),
        (&["v=spf1 ip4:192.0.2.0/33 -all"], "permerror"),
        (&["v=spf1 ip4:192.0.2.10 incude:x.example -all"], "permerror"),
        (&["v=spf1 ip4:192.0.2.10; -all"], "permerror"),
        (&["v=spf1 ip4:192.0.2.10\t-all"], "permerror"),
        (&["v=spf1 ip4: 192.0.2.10 -all"], "permerror"),
        (&["v=spf1 --all"], "permerror"),
        (&["v=spf1 include:localhost -all"], "permerror"),
        (&["v=spf1 redirect=good.records.example redirect=good.records.example"], "permerror"),
        (&["v=spf1 bad:x -all", "another text"], "permerror"),
        (&["v=spf1 include:servfail.records.example -all"], "temperror"),
        (&["v=spf1 include:nothing.records.example -all"], "permerror"),
    ];
    let domains: Vec<String> = (0..cases.len()).map(|number| format!("spf-{number}.example")).collect();
    let mut records = vec![
        ("good.records.example", GOOD),
        ("two.records.example", GOOD),
        ("two.records.example", "v=spf1 -all"),
        ("broken.records.example", "v=spf1 ip4:192.0.2.300 -all"),
    ];
    for (domain, (texts, _)) in domains.iter().zip(cases) {
        records.extend(texts.iter().map(|text| (&**domain, *text)));
    }
    let dns = Dns::start(&records);
    for (said, (texts, spf)) in said(&dns, &domains).iter().zip(cases) {
        let results = inserted(said, "Authentication-Results");
        assert!(results.starts_with(&format!("mx.exempelby.se; spf={spf} ")), "{texts:?}: {results}");
        let forged = said["findings"].to_string().contains("spf-fail");
        assert!(!forged && said["verdict"] == "accepted", "{texts:?}: {said}");
        let expected = match *spf {
            "pass" => "queued",
            _ => "suppressed",
        };
        assert_eq!(receipt(said).0, expected, "{texts:?}: {said}");
    }
}

#[test]
fn dmarc_records() {
    let rua = "rua=mailto:rapport@example.org";
    let foo = format!("v=DMARC1; p=foo; {rua}");
    let sub = format!("v=DMARC1; p=reject; sp=foo; {rua}");
    let only = format!("v=DMARC1; {rua}");
    let cases: &[(&[&str], &str, &str)] = &[
        // What it says where SPF passes for the domain, and where it fails.
        (&["v=DMARC1; p=reject"], "pass", "fail policy.dmarc=reject"),
        (&["v=DMARC1; p=reject", "google-site-verification=abc"], "pass", "fail policy.dmarc=reject"),
        (&["v=DMARC1; p=quarantine; adkim=x; pct=none; fo=9; what"], "pass", "fail policy.dmarc=quarantine"),
        (&["v = DMARC1 ; P=Reject ;"], "pass", "fail policy.dmarc=reject"),
        (&["v=DMARC1; p=reject", "v=dmarc1; p=none"], "pass", "fail policy.dmarc=reject"),
        (&[&foo], "pass", "fail policy.dmarc=none"),
        (&[&sub], "pass", "fail policy.dmarc=none"),
        (&[&only], "pass", "fail policy.dmarc=none"),
        (&[], "none", "none policy.dmarc=none"),
        (&["v=DMARC1; p=reject", "v=DMARC1; p=none"], "none", "none policy.dmarc=none"),
        (&["v=DMARC1; p=none", "v=DMARC1; p=reject"], "none", "none policy.dmarc=none"),
        (&["v=dmarc1; p=reject"], "none", "none policy.dmarc=none"),
        (&["v=DMARC1 p=reject"], "none", "none policy.dmarc=none"),
        (&["v=DMARC1; p=foo"], "none", "none policy.dmarc=none"),
        (&["p=reject; v=DMARC1"], "none", "none policy.dmarc=none"),
        (&["v=DMARC1"], "none", "none policy.dmarc=none"),
        (&["v=DMARC1; p=none; p=reject"], "none", "none policy.dmarc=none"),
    ];
    let domains: Vec<(String, String)> = (0..cases.len())
        .map(|number| (format!("good-{number}.example"), format!("bad-{number}.example")))
        .collect();
    let mut records: Vec<(String, &str)> = Vec::new();
    for ((good, bad), (texts, ..)) in domains.iter().zip(cases) {
        records.push((good.clone(), GOOD));
        records.push((bad.clone(), "v=spf1 -all"));
        for text in *texts {
            records.extend([good, bad].map(|domain| (format!("_dmarc.{domain}"), *text)));
        }
    }
    let records: Vec<(&str, &str)> = records.iter().map(|(name, text)| (&**name, *text)).collect();
    let dns = Dns::start(&records);
    let (good, bad): (Vec<_>, Vec<_>) = domains.into_iter().unzip();
    for (said, (texts, passing, _)) in said(&dns, &good).iter().zip(cases) {
        let results = inserted(said, "Authentication-Results");
        assert!(results.contains(&format!("; dmarc={passing} ")), "{texts:?}: {results}");
        assert_eq!(receipt(said), ("queued", ""), "SPF passes; {texts:?}: {said}");
    }
    for (said, (texts, _, failing)) in said(&dns, &bad).iter().zip(cases) {
        let results = inserted(said, "Authentication-Results");
        assert!(results.contains(&format!("; dmarc={failing} ")), "{texts:?}: {results}");
        assert_eq!(receipt(said).0, "suppressed", "{texts:?}: {said}");
    }
}
