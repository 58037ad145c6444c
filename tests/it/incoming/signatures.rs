//! Signatures and seals that cannot matter change nothing: whatever a forger puts into the header section, SPF and DMARC say
//! the same, and the forged address is marked; and what is right is not lost beside it.

use super::dns::Dns;
use super::{explained, inserted, python};
use crate::lab::Directory;

const CLIENT: &[&str] = &["--client", "192.0.2.10"];

fn config(dns: &Dns) -> String {
    format!(
        "[authentication]\nauthserv_id = \"mx.exempelby.se\"\n[dns]\nservers = [\"{}\"]\n\
         [rules.spam]\nmode = \"enforce\"\n",
        dns.address
    )
}

fn letter(from: &str) -> String {
    format!(
        "From: {from}\nTo: bo@exempelby.se\nSubject: Betala\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n\nHej!\n"
    )
}

/// A signature of that domain, whose body hash is right: without a key nobody can say more.
fn signature(domain: &str, selector: &str) -> String {
    // SHA-256 of "Hej!\r\n".
    let hash = python(&["hash"], b"Hej!\r\n");
    format!(
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s={selector}; h=from; bh={hash}; b=QUJD\n"
    )
}

#[test]
fn what_a_forger_adds_switches_nothing_off() {
    let dns = Dns::start(&[("exempelby.se", "v=spf1 -all"), ("_dmarc.exempelby.se", "v=DMARC1; p=reject")]);
    let servfail = signature("servfail.example.com", "s");
    let silent = signature("silent.example.net", "s");
    let long = format!("DKIM-Signature: v=1; d=example.com; h={}\n", "from:".repeat(2_000));
    let seal =
        format!("ARC-Seal: i=1; a=rsa-sha256; cv=none; d=example.com; s=s; b={}\n", "QUJD".repeat(2_300));
    let added = [
        String::new(),
        servfail.clone(),
        silent.clone(),
        silent.repeat(10),
        servfail.repeat(11),
        long.clone(),
        long.repeat(12) + &servfail,
        seal.clone(),
        "ARC-Seal: i=1; a=rsa-sha256; cv=none; d=servfail.example.com; s=s; b=QUJD\n".to_owned(),
        "ARC-Seal: i=1\n".repeat(200),
        "DKIM-Signature: nonsense\n".repeat(2_000),
        "DKIM-Signature:\n".to_owned(),
        // In our own name, with a key that is not there, or cannot be.
        signature("exempelby.se", "nothing"),
        signature("exempelby.se", &"s".repeat(70)),
        signature("exempelby.se", "a..b"),
        signature("mail.exempelby.se", "s"),
        signature("exempelby.se", "s").replace("h=from", "h=from; l=3"),
        servfail.repeat(9) + &signature("example.org", "nothing") + &seal + &long,
    ];
    let messages: Vec<_> =
        added.iter().map(|added| (added.clone() + &letter("chef@exempelby.se")).into_bytes()).collect();
    let long_name = format!("{}@exempelby.se", "x".repeat(64));
    let senders = [
        "x@example.org",
        "",
        "x@servfail.example.com",
        "chef@exempelby.se",
        "\"a b\\@\"@exempelby.se",
        &long_name,
    ];
    for (number, sender) in senders.iter().enumerate() {
        // Each sender with the plain forgery, and one with them all.
        let messages = if number == 0 { &messages[..] } else { &messages[..2] };
        let said = explained(&config(&dns), &[CLIENT, &["--from", sender]].concat(), messages);
        for (added, said) in added.iter().zip(&said) {
            let case = format!("{sender} {}", added.get(..120).unwrap_or(added));
            let results = inserted(said, "Authentication-Results");
            assert!(
                results.contains("; dmarc=fail policy.dmarc=reject header.from=exempelby.se;"),
                "{case}: {results}"
            );
            let spf = results.split("; ").nth(1).unwrap();
            let expected = match *sender {
                "x@example.org" => "spf=none smtp.mailfrom=example.org",
                "" => "spf=none",
                "x@servfail.example.com" => "spf=temperror smtp.mailfrom=servfail.example.com",
                _ => "spf=fail smtp.mailfrom=exempelby.se",
            };
            assert!(spf.starts_with(expected), "{case}: {results}");
            assert_eq!(inserted(said, "X-Spam-Flag"), "YES", "{case}: {said}");
            assert!(inserted(said, "X-Spam-Status").contains("dmarc-reject,own-domain"), "{case}: {said}");
        }
    }
}

#[test]
fn what_is_left_out_is_told_and_what_is_right_is_not_lost_beside_it() {
    let directory = Directory::new();
    let key = directory.path.join("key");
    let key = key.to_str().unwrap();
    let record = python(&["key", key], b"");
    let dns = Dns::start(&[
        ("exempelby.se", "v=spf1 -all"),
        ("_dmarc.exempelby.se", "v=DMARC1; p=reject"),
        ("sel._domainkey.exempelby.se", &record),
    ]);
    let signed = python(&["sign", key, "sel", "exempelby.se"], letter("chef@exempelby.se").as_bytes()) + "\n";
    let (head, body) = signed.split_once("From: ").unwrap();
    let silent = signature("silent.example.net", "s");
    let servfail = signature("servfail.example.com", "s");
    let cases = [
        (signed.clone(), true, "dkim=pass header.d=exempelby.se header.s=sel"),
        // The keys that came in time count.
        (silent.repeat(9) + &signed, true, "dkim=pass header.d=exempelby.se header.s=sel"),
        (
            format!("{head}{}From: {body}", servfail.repeat(40)),
            true,
            "dkim=policy reason=\"not looked at: 31\"",
        ),
        (servfail.repeat(9) + &signed, true, "dkim=pass header.d=exempelby.se header.s=sel"),
        // Behind ten others it is not looked at: that is for whoever sends such mail to know.
        (servfail.repeat(10) + &signed, false, "dkim=policy reason=\"not looked at: 1\""),
        (signed.replace("Hej!", "Betala!"), false, "dkim=neutral header.d=exempelby.se"),
    ];
    let messages: Vec<_> = cases.iter().map(|(message, ..)| message.clone().into_bytes()).collect();
    let said = explained(&config(&dns), &[CLIENT, &["--from", "x@example.org"]].concat(), &messages);
    for (number, ((_, passes, dkim), said)) in cases.iter().zip(&said).enumerate() {
        let results = inserted(said, "Authentication-Results");
        let dmarc = if *passes { "; dmarc=pass " } else { "; dmarc=fail " };
        assert!(results.contains(dmarc) && results.contains(dkim), "{number}: {results}");
        assert_eq!(inserted(said, "X-Spam-Flag").is_empty(), *passes, "{number}: {said}");
        // An independent library reads it.
        let field = format!("Authentication-Results: {results}");
        assert_eq!(python(&["results"], field.as_bytes()), "mx.exempelby.se", "{results}");
    }
}
