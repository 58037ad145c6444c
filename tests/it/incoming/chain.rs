//! Mail that others handed on: chains sealed by an independent implementation (dkimpy), whole and broken, by sealers whose
//! word is taken and by others; and the host that hands it on, by the name that it gives.

use super::dns::Dns;
use super::fault::{Fault, rspamd};
use super::{fields, python};
use crate::lab::{Directory, Lab, until};

const AUTHOR: &str = "medborgare@example.org";
const ANNA: &str = "anna@exempelby.se";
const LIST: &str = "lists.example.net";
const STRANGER: &str = "forger.example.com";
const VOUCHES: &str = "dmarc=pass header.from=example.org";
const DISOWNS: &str = "dmarc=fail header.from=example.org";

/// What becomes of a message on its way.
type Chain<'a> = Box<dyn Fn(&str) -> String + 'a>;

/// Hands the message on: seals it with the one key that all sealers of the test have.
fn sealed(key: &str, by: &str, stated: &str, message: &str) -> String {
    python(&["seal", key, "arc", by, stated], message.as_bytes()) + "\n"
}

#[test]
fn a_chain_is_believed_where_it_holds_and_a_trusted_sealer_vouches() {
    let directory = Directory::new();
    let key = directory.path.join("key");
    let key = key.to_str().unwrap();
    let record = python(&["key", key], b"");
    let dns = Dns::start(&[
        ("_dmarc.example.org", "v=DMARC1; p=reject"),
        ("example.org", "v=spf1 ip4:198.51.100.1 -all"),
        ("arc._domainkey.lists.example.net", &record),
        ("arc._domainkey.forger.example.com", &record),
    ]);
    // Six tenths of spam to the scanner: what the author's domain says of it is what decides.
    let doubtful = Fault::start(rspamd("no action", 9.0));
    let lab = Lab::start(&format!(
        "[authentication]\nauthserv_id = \"mx.exempelby.se\"\ntrusted_sealers = [\"{LIST}\"]\n\
         [dns]\nservers = [\"{}\"]\n[scanners.rspamd]\naddress = \"127.0.0.1:{}\"\n[rules.spam]\n",
        dns.address, doubtful.port
    ));
    let letter = |number: usize| {
        format!(
            "From: <{AUTHOR}>\nTo: <{ANNA}>\nSubject: fraga\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n\
             Message-ID: <{number}@example.org>\n\nHej!\n"
        )
    };
    let by = |sealer: &str, stated: &str, message: &str| sealed(key, sealer, stated, message);
    let believed = format!("arc=pass policy.sealer={LIST}");
    let handed_on = |message: String| by(LIST, &format!("arc=pass; {DISOWNS}"), &message);
    let chains: Vec<(&str, Chain<'_>, &str, &str)> = vec![
        ("no chain", Box::new(str::to_owned), "arc=none", "marked"),
        ("a trusted sealer vouches", Box::new(|m| by(LIST, VOUCHES, m)), &believed, "accepted"),
        ("a trusted sealer saw the forgery", Box::new(|m| by(LIST, DISOWNS, m)), "arc=pass", "marked"),
        ("anybody can seal", Box::new(|m| by(STRANGER, VOUCHES, m)), "arc=pass", "marked"),
        (
            "the text was changed after the seal",
            Box::new(|m| by(LIST, VOUCHES, m).replace("Hej!", "Betala!")),
            "arc=fail",
            "marked",
        ),
        (
            "the statement was changed after the seal",
            Box::new(|m| {
                by(LIST, DISOWNS, m).replace(&format!("{LIST}; {DISOWNS}"), &format!("{LIST}; {VOUCHES}"))
            }),
            "arc=fail",
            "marked",
        ),
        (
            "a trusted sealer hands on what another vouched for",
            Box::new(|m| handed_on(by(STRANGER, VOUCHES, m))),
            "arc=pass",
            "marked",
        ),
        ("two trusted sealers", Box::new(|m| handed_on(by(LIST, VOUCHES, m))), &believed, "accepted"),
        (
            "a stranger after a trusted sealer",
            Box::new(|m| by(STRANGER, &format!("arc=pass; {VOUCHES}"), &by(LIST, VOUCHES, m))),
            "arc=pass",
            "marked",
        ),
    ];
    let mut smtp = lab.outside();
    for (number, (case, chain, arc, verdict)) in chains.iter().enumerate() {
        let message = chain(&letter(number));
        let reply = smtp.send("bounces@lists.example.net", &[ANNA], &message);
        let record = lab.record_of(&reply);
        assert_eq!(record["verdict"], *verdict, "{case}: {record}");
        let delivered = until("the mail", &lab, || {
            let id = format!("<{number}@example.org>");
            lab.postfix.mailbox(ANNA).into_iter().find(|mail| fields(mail, "Message-ID") == [&*id])
        });
        let results = fields(&delivered, "Authentication-Results").remove(0);
        assert!(results.starts_with("mx.exempelby.se; "), "{case}: {results}");
        assert!(
            results.contains("dmarc=fail policy.dmarc=reject header.from=example.org"),
            "{case}: {results}"
        );
        assert!(results.split("; ").any(|result| result == *arc), "{case}: {results}");
        // What is sealed is never taken away, and what forwarders state in their own names stays.
        let seals = message.lines().filter(|line| line.starts_with("ARC-Seal:")).count();
        assert_eq!(fields(&delivered, "ARC-Seal").len(), seals, "{case}");
        assert_eq!(fields(&delivered, "Authentication-Results").len(), 1 + seals, "{case}: {delivered}");
    }
}

#[test]
fn a_host_is_asked_about_by_its_own_name_too() {
    let dns = Dns::start(&[
        ("example.org", "v=spf1 ip4:192.0.2.25 -all"),
        ("mx.example.org", "v=spf1 ip4:192.0.2.25 -all"),
        ("mx.example.net", "v=spf1 ip4:198.51.100.1 -all"),
    ]);
    let scanner = Fault::start(rspamd("no action", 12.0));
    let lab = Lab::start(&format!(
        "[authentication]\nauthserv_id = \"mx.exempelby.se\"\n[dns]\nservers = [\"{}\"]\n\
         [scanners.rspamd]\naddress = \"127.0.0.1:{}\"\n[rules.spam]\n",
        dns.address, scanner.port
    ));
    let mut smtp = lab.outside();
    let cases = [
        // The sender, the name in HELO, what the results say of SPF, and what follows.
        (
            AUTHOR,
            "mx.example.org",
            "spf=pass smtp.mailfrom=example.org; spf=pass smtp.helo=mx.example.org",
            "accepted",
        ),
        (
            AUTHOR,
            "mx.example.net",
            "spf=pass smtp.mailfrom=example.org; spf=fail smtp.helo=mx.example.net",
            "marked",
        ),
        (AUTHOR, "mx.nothing.example", "spf=pass smtp.mailfrom=example.org", "accepted"),
        (AUTHOR, "[192.0.2.25]", "spf=pass smtp.mailfrom=example.org", "accepted"),
        ("", "mx.example.org", "spf=pass smtp.helo=mx.example.org", "accepted"),
        ("", "mx.example.net", "spf=fail smtp.helo=mx.example.net", "marked"),
    ];
    for (number, (sender, helo, spf, verdict)) in cases.into_iter().enumerate() {
        smtp.expect(&format!("EHLO {helo}"), "250");
        let message = format!(
            "From: <{AUTHOR}>\nTo: <{ANNA}>\nSubject: fraga\nMessage-ID: <{number}@example.org>\n\nHej!\n"
        );
        let reply = smtp.send(sender, &[ANNA], &message);
        assert_eq!(lab.record_of(&reply)["verdict"], verdict, "{sender} {helo}");
        let delivered = until("the mail", &lab, || {
            let id = format!("<{number}@example.org>");
            lab.postfix.mailbox(ANNA).into_iter().find(|mail| fields(mail, "Message-ID") == [&*id])
        });
        let results = fields(&delivered, "Authentication-Results").remove(0);
        assert!(
            results.starts_with(&format!("mx.exempelby.se; {spf}; dmarc=")),
            "{sender} {helo}: {results}"
        );
        let tests = fields(&delivered, "X-Spam-Status").join("");
        let sign = if sender.is_empty() { "spf-fail" } else { "helo-fail" };
        assert_eq!(tests.contains(sign), verdict == "marked", "{sender} {helo}: {tests}");
    }
}
