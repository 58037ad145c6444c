//! What Postfix delivers: results of authentication, forged fields gone, subjects as people read them, signatures
//! that still hold.

use super::dns::Dns;
use super::fault::{Fault, rspamd};
use super::{fields, python};
use crate::lab::{Directory, Lab};

const CITIZEN: &str = "medborgare@example.org";
const ANNA: &str = "anna@exempelby.se";
const TAG: &str = "[…SPAM?...]";

fn config(dns: &Dns, more: &str) -> String {
    format!(
        "[authentication]\nauthserv_id = \"mx.exempelby.se\"\n[dns]\nservers = [\"{}\"]\n{more}\n\
         [rules.spam]\nmode = \"enforce\"\nheaders_only = [\"info@exempelby.se\"]\n",
        dns.address
    )
}

/// What a message is signed with.
struct Signing {
    directory: Directory,
    record: String,
}

impl Signing {
    fn new() -> Self {
        let directory = Directory::new();
        let record = python(&["key", directory.path.join("key").to_str().unwrap()], b"");
        Self { directory, record }
    }

    fn sign(&self, message: &str) -> String {
        let key = self.directory.path.join("key");
        python(&["sign", key.to_str().unwrap(), "sel", "example.org"], message.as_bytes()) + "\n"
    }

    /// Whether an independent implementation finds the signature good in what was delivered.
    fn holds(&self, delivered: &str) -> bool {
        python(&["verify", &self.record], delivered.as_bytes()) == "True"
    }
}

fn letter(subject: &str) -> String {
    format!(
        "From: Medborgare <{CITIZEN}>\nTo: <{ANNA}>\nSubject: {subject}\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n\
         Message-ID: <{}@example.org>\n\nHej!\n",
        subject.len()
    )
}

#[test]
fn results_are_ours_alone_forged_fields_go_and_the_signature_still_holds() {
    let signing = Signing::new();
    let dns = Dns::start(&[
        ("example.org", "v=spf1 ip4:192.0.2.25 -all"),
        ("_dmarc.example.org", "v=DMARC1; p=reject"),
        ("sel._domainkey.example.org", &signing.record),
    ]);
    let spam = Fault::start(rspamd("add header", 7.5));
    let scanners = format!("[scanners.rspamd]\naddress = \"127.0.0.1:{}\"", spam.port);
    let lab = Lab::start(&config(&dns, &scanners));
    let forged = "Authentication-Results: mx.exempelby.se; dmarc=pass header.from=example.org
Authentication-Results: MX.EXEMPELBY.SE.; spf=pass
AUTHENTICATION-RESULTS: (unparseable; mx.exempelby.se
Authentication-Results: mx.example.net; spf=pass smtp.mailfrom=example.org
Authentication-Results: \"mx.exempelby.se/4711\" 1; dkim=pass
Received-SPF: pass (mx.exempelby.se: domain of x@example.org) client-ip=192.0.2.1
X-Spam-Flag: NO
x-spam-FLAG: NO
X-Spam-Flag: NO
X-Spam-Status: No, score=-5
X-Postvakt-Id: gw1-1-000000000001
X-POSTVAKT-ID: gw1-1-000000000002
";
    let message = format!("{forged}{}", signing.sign(&letter("Faktura")));
    let mut smtp = lab.outside();
    // The mailbox that wants no tag gets header fields alone, and the message is otherwise as it was.
    let reply = smtp.send(CITIZEN, &["info@exempelby.se"], &message);
    let record = lab.record_of(&reply);
    assert_eq!(
        (&record["verdict"], &record["authentication"]),
        (&"marked".into(), &"spf=pass dkim=pass dmarc=pass".into())
    );
    let own = lab.inside().send(ANNA, &["x@example.org"], &letter("Lunch"));
    assert_eq!(lab.record_of(&own)["authentication"], "", "nothing is checked of mail from inside");
    let delivered = lab.delivered("info@exempelby.se", 1).remove(0);
    let results = fields(&delivered, "Authentication-Results");
    assert_eq!(results.len(), 2, "{delivered}");
    assert!(
        results[0].starts_with("mx.exempelby.se; spf=pass smtp.mailfrom=example.org; dmarc=pass"),
        "{results:?}"
    );
    assert!(results[0].contains("dkim=pass header.d=example.org header.s=sel"), "{results:?}");
    assert!(results[1].starts_with("mx.example.net; spf=pass"), "{results:?}");
    assert_eq!(fields(&delivered, "Received-SPF"), Vec::<String>::new());
    assert_eq!(fields(&delivered, "X-Spam-Flag"), ["YES"]);
    assert!(
        fields(&delivered, "X-Spam-Status")[0].starts_with("Yes, score=7.5 required=7.5 tests=rspamd"),
        "{delivered}"
    );
    assert_eq!(fields(&delivered, "X-Spam-Level"), ["*******"]);
    assert_eq!(fields(&delivered, "X-Postvakt-Id").len(), 1, "{delivered}");
    assert_eq!(fields(&delivered, "Subject"), ["Faktura"]);
    assert!(signing.holds(&delivered), "{delivered}");

    // With a tag the signature no longer holds, and the results say that it did.
    let reply = smtp.send(CITIZEN, &[ANNA], &message);
    assert_eq!(lab.record_of(&reply)["verdict"], "marked");
    let tagged = lab.delivered(ANNA, 1).remove(0);
    assert!(!signing.holds(&tagged));
    assert!(
        fields(&tagged, "Authentication-Results")[0].contains("dkim=pass header.d=example.org"),
        "{tagged}"
    );
    assert_eq!(fields(&tagged, "X-Postvakt-Original-Subject"), ["Faktura"]);
    // Whoever seals what leaves here seals that too: the chain holds, and has what was true before the tag.
    let key = signing.directory.path.join("key");
    let sealed =
        python(&["seal", key.to_str().unwrap(), "sel", "mx.exempelby.se", ""], tagged.as_bytes()) + "\n";
    assert_eq!(python(&["chain", &signing.record], sealed.as_bytes()), "pass");
    assert!(
        fields(&sealed, "ARC-Authentication-Results")[0].contains("dkim=pass header.d=example.org"),
        "{sealed}"
    );

    // What is known need not be asked again.
    let asked = dns.asked();
    smtp.send(CITIZEN, &["registrator@exempelby.se"], &message);
    lab.delivered("registrator@exempelby.se", 1);
    assert_eq!(dns.asked(), asked, "the resolver's cache answers");
}

#[test]
fn trouble_with_the_dns_is_no_failure_of_the_mail() {
    let dns = Dns::start(&[("servfail.example.com", ""), ("silent.example.net", "")]);
    let lab = Lab::start(&config(&dns, ""));
    let mut smtp = lab.outside();
    for (sender, expected) in [
        ("x@servfail.example.com", "spf=temperror"),
        ("x@silent.example.net", "spf=temperror"),
        ("x@nothing.example.org", "spf=none"),
    ] {
        let message = format!("From: <{sender}>\nTo: <{ANNA}>\nSubject: fraga\n\nHej!\n");
        let reply = smtp.send(sender, &[ANNA], &message);
        assert_eq!(lab.record_of(&reply)["verdict"], "accepted", "{sender}");
        let delivered = crate::lab::until("the mail", &lab, || {
            lab.postfix.mailbox(ANNA).into_iter().find(|mail| fields(mail, "From")[0].contains(sender))
        });
        let results = fields(&delivered, "Authentication-Results");
        assert!(results.len() == 1 && results[0].contains(expected), "{sender}: {results:?}");
        let check = fields(&delivered, "X-Postvakt-Spam-Check");
        assert_eq!(check.is_empty(), expected == "spf=none", "{sender}: {check:?}");
    }
}

#[test]
fn people_read_the_tag_one_space_and_their_subject() {
    let dns = Dns::start(&[]);
    let spam = Fault::start(rspamd("reject", 20.0));
    let scanners = format!("[scanners.rspamd]\naddress = \"127.0.0.1:{}\"", spam.port);
    let lab = Lab::start(&config(&dns, &scanners));
    let mut smtp = lab.outside();
    let long = "lång rubrik med många ord ".repeat(60);
    let cases: Vec<(String, Option<String>)> = [
        ("Subject: Faktura", Some("Faktura")),
        ("Subject: =?UTF-8?B?w4RyZW5kZSBvbSBieWdnbG92?=", Some("Ärende om bygglov")),
        ("Subject: =?ISO-8859-1?Q?=C5=E4=F6_r=E4kning?= nu", Some("Åäö räkning nu")),
        ("Subject: =?UTF-8?Q?f=C3=B6r?=\n =?UTF-8?Q?sta_och_andra?=", Some("första och andra")),
        ("Subject: en rad\n och en till", Some("en rad och en till")),
        ("SUBJECT: stora bokstaver", Some("stora bokstaver")),
        ("X-Other: inget amne", None),
        ("Subject: första\nSubject: andra", None),
        ("Subject: […SPAM?...] redan", None),
        ("Subject: =?UTF-8?Q?SV:_[=E2=80=A6SPAM=3F...]_redan?=", None),
    ]
    .into_iter()
    .map(|(header, read)| (header.to_owned(), read.map(str::to_owned)))
    .chain([
        (format!("Subject: =?UTF-8?B?{}?=", "QUJD".repeat(15)), Some("ABC".repeat(15))),
        (format!("Subject: {long}"), None),
    ])
    .collect();
    for (number, (header, read)) in cases.iter().enumerate() {
        let message = format!("From: <{CITIZEN}>\nTo: <{ANNA}>\n{header}\nX-Number: {number}.\n\nHej!\n");
        let before = python(&["subject"], message.as_bytes());
        let reply = smtp.send(CITIZEN, &[ANNA], &message);
        assert!(reply.starts_with("250 "), "{header}: {reply}");
        let delivered = crate::lab::until("the mail", &lab, || {
            lab.postfix
                .mailbox(ANNA)
                .into_iter()
                .find(|mail| fields(mail, "X-Number") == [format!("{number}.")])
        });
        let after = python(&["subject"], delivered.as_bytes());
        let expected = match read {
            Some(read) => format!("{TAG} {read}"),
            None if before.contains(TAG) => before,
            None if before.is_empty() => TAG.to_owned(),
            None => format!("{TAG} {before}"),
        };
        // Python shows the octets of a raw subject in its own way; ours is compared by its beginning.
        if header.is_ascii() {
            assert_eq!(after, expected, "{header}\n{delivered}");
        } else {
            assert!(after.starts_with(TAG), "{header}: {after}");
        }
        assert!(delivered.lines().all(|line| line.len() <= 998), "{delivered}");
        let subjects = fields(&delivered, "Subject").len();
        assert_eq!(subjects, header.to_lowercase().matches("subject:").count().max(1), "{delivered}");
    }
}
