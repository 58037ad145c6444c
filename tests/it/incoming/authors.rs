//! Who people see a mail come from: an own address that nobody vouches for is marked in every written form, and the log has
//! the author of every mail.

use super::dns::Dns;
use super::{explained, inserted};

const OUTSIDE: &[&str] =
    &["--client", "192.0.2.10", "--from", "someone@junk.example", "--rcpt", "bo@exempelby.se"];

/// The organisation's own domain and the neighbour's ask that what is not theirs be refused; the forger's own mail passes.
fn config(dns: &Dns) -> String {
    format!(
        "[authentication]\nauthserv_id = \"mx.exempelby.se\"\n[dns]\nservers = [\"{}\"]\n[rules.spam]\nmode = \"enforce\"\n",
        dns.address
    )
}

fn dns() -> Dns {
    Dns::start(&[
        ("exempelby.se", "v=spf1 ip4:203.0.113.5 -all"),
        ("_dmarc.exempelby.se", "v=DMARC1; p=reject"),
        ("junk.example", "v=spf1 ip4:192.0.2.10 -all"),
        ("_dmarc.junk.example", "v=DMARC1; p=reject"),
    ])
}

/// A mail with these fields first.
fn letter(fields: &[u8]) -> Vec<u8> {
    let rest =
        b"\r\nTo: bo@exempelby.se\r\nSubject: Betalning i dag\r\nDate: Tue, 3 Mar 2026 10:00:00 +0100\r\n\
        Message-ID: <1@junk.example>\r\n\r\nHej, kan du ringa mig?\r\n";
    [fields, rest].concat()
}

fn letters(all: &[&[u8]]) -> Vec<Vec<u8>> {
    all.iter().map(|fields| letter(fields)).collect()
}

/// Header sections that show an address of ours.
const FORGED: &[&[u8]] = &[
    b"From: chef@exempelby.se",
    b"From: Chef <chef@exempelby.se>",
    b"from : CHEF@EXEMPELBY.SE",
    b"From: chef@exempelby.se.",
    b"From: Chef <chef@exempelby.se..>",
    b"From: chef@.exempelby.se",
    b"From: chef@@exempelby.se",
    b"From: \"chef\"@exempelby.se",
    b"From: \"stora chefen\"@exempelby.se",
    b"From: <\"stora chefen\"@exempelby.se>",
    b"From: chef@(x)exempelby.se",
    b"From: chef(x)@exempelby.se",
    b"From: (x) chef (y) @ (z) exempelby.se (w)",
    b"From: chef@exempelby (x) . (y) se",
    b"From: chef @ exempelby . se",
    b"From: Chef <chef@ exempelby. se>",
    b"From: Chef\r\n <chef@\r\n exempelby.se>",
    b"From:\r\n\tchef@exempelby.se",
    b"From: Chef <chef@exempelby.se",
    b"From: Chef chef@exempelby.se>",
    b"From: Chef chef@exempelby.se",
    b"From: \"Chef <chef@exempelby.se>",
    b"From: \"Chef\" \" <chef@exempelby.se>",
    b"From: (Chef <chef@exempelby.se>",
    b"From: <<chef@exempelby.se>>",
    b"From: \"Chef <chef@exempelby.se>\"",
    b"From: \"chef@exempelby.se\"",
    b"From: 'chef@exempelby.se'",
    b"From: (chef@exempelby.se)",
    b"From: <mailto:chef@exempelby.se>",
    b"From: mailto:chef@exempelby.se",
    b"From: <@junk.example:chef@exempelby.se>",
    b"From: <@exempelby.se>",
    b"From: chef@exempelby.se/x",
    b"From: chef@exempelby.se\\",
    b"From: chef@\"exempelby.se\"",
    b"From: Ledning: chef@exempelby.se;",
    b"From: Ledning: x@junk.example, chef@exempelby.se;",
    b"From: chef@exempelby.se: x@junk.example;",
    b"From: chef@exempelby.se:;",
    b"From: chef@exempelby.se, x@junk.example",
    b"From: x@junk.example, chef@exempelby.se",
    b"From: chef@exempelby.se; x@junk.example",
    b"From: chef@exempelby.se x@junk.example",
    b"From: <chef@exempelby.se> <x@junk.example>",
    b"From: <x@junk.example><chef@exempelby.se>",
    b"From: <x@junk.example> chef@exempelby.se",
    b"From: <chef@exempelby.se, x@junk.example>",
    b"From: chef@exempelby.se\r\nFrom: x@junk.example",
    b"From: x@junk.example\r\nFROM: chef@exempelby.se",
    b"From:\r\nFrom: chef@exempelby.se",
    b"From: chef@exempelby.se@junk.example",
    b"From: Chef <chef@exempelby.se@junk.example>",
    b"From: chef@exempelby.se(x)@junk.example",
    b"From: \"chef@exempelby.se\"@junk.example",
    b"From: \"chef@exempelby.se \" @junk.example",
    b"From: <\"Chef <chef@exempelby.se>\"@junk.example>",
    b"From: chef@exempelby.se\0",
    b"From: chef@exempelby.se\0@junk.example",
    b"From: Chef <chef@exempelby.se\0@junk.example>",
    b"From: <chef@exempelby.se>\0<x@junk.example>",
    b"From: =?utf-8?q?chef=40exempelby.se?=",
    b"From: =?utf-8?b?Y2hlZkBleGVtcGVsYnkuc2U=?=",
    b"From: =?utf-8?q?chef=40?= =?utf-8?q?exempelby.se?=",
    b"From: =?utf-8?q?Chef_=3Cchef=40exempelby.se=3E?=",
    b"From: \"=?utf-8?q?chef=40exempelby.se?=\"",
    b"From: Chef <=?utf-8?Q?chef=40exempelby=2Ese?=>",
    b"From: <=?us-ascii?b?Y2hlZkBleGVtcGVsYnkuc2U=?=>",
    b"From: =?utf-8?q?chef?=@exempelby.se",
    b"From: chef@=?utf-8?q?exempelby.se?=",
    b"From: chef@exempel=?utf-8?q?by?=.se",
    b"From: =?utf-8?q?chef?=\r\n =?utf-8?q?en?=@exempelby.se",
    b"From: =?utf-16be?b?AGMAaABlAGYAQABlAHgAZQBtAHAAZQBsAGIAeQAuAHMAZQ==?=",
    // Mailsploit: the decoded local part is an address, and what comes behind it is cut off when it is shown.
    b"From: =?utf-8?b?Y2hlZkBleGVtcGVsYnkuc2U=?=@junk.example",
    b"From: =?utf-8?b?Y2hlZkBleGVtcGVsYnkuc2U=?==?utf-8?Q?=00?==?utf-8?b?Y2hlZkBleGVtcGVsYnkuc2U=?=@junk.example",
    b"From: =?utf-8?b?Y2hlZkBleGVtcGVsYnkuc2U=?==?utf-8?Q?=0A=00?=@junk.example",
    b"From: <=?utf-8?q?chef=40exempelby.se=0A?=@junk.example>",
    b"From: \"=?utf-8?q?chef=40exempelby.se?=\"@junk.example",
    b"From: chef=?utf-8?q?=40exempelby.se?=@junk.example",
    "From: chef@exempelby\u{ff0e}se".as_bytes(),
    "From: chef@exempelby\u{3002}se".as_bytes(),
    "From: chef\u{ff20}exempelby.se".as_bytes(),
    "From: chef@exempel\u{ad}by.se".as_bytes(),
    "From: <chef@\u{200b}exempelby.se>".as_bytes(),
    "From: chef@\u{ff25}\u{ff38}\u{ff25}mpelby.se".as_bytes(),
    "From: chef@exempelby.se\u{a0}".as_bytes(),
    "From: f\u{f6}rvaltningschefen@exempelby.se".as_bytes(),
    b"From: f\xf6rvaltningschefen@exempelby.se",
    b"From: \xff\xfe <chef@exempelby.se>",
    b"From: x@junk.example\r\nSender: chef@exempelby.se",
    b"From: x@junk.example\r\nSender: x@junk.example\r\nsender: Chef <=?utf-8?q?chef=40exempelby.se?=>",
    b"Sender: Chef <chef@exempelby.se>\r\nFrom: X <x@junk.example>",
];

#[test]
fn an_own_address_that_nobody_vouches_for_is_marked_in_every_form() {
    let dns = dns();
    let mut messages = letters(FORGED);
    // Behind what is longer than any real field, and behind very many authors.
    messages.push(letter(format!("From: ({}) chef@exempelby.se", "x".repeat(100_000)).as_bytes()));
    messages.push(letter(format!("From: \"{}\" <chef@exempelby.se>", " ".repeat(100_000)).as_bytes()));
    messages.push(letter(format!("From: {}chef@exempelby.se", "x@junk.example, ".repeat(900)).as_bytes()));
    messages.push(letter(format!("{}From: chef@exempelby.se", "X-A: b\r\n".repeat(4_000)).as_bytes()));
    for (said, message) in explained(&config(&dns), OUTSIDE, &messages).iter().zip(&messages) {
        let case = String::from_utf8_lossy(&message[..message.len().min(160)]).into_owned();
        assert_eq!(said["verdict"], "marked", "{case}\n{said}");
        let status = inserted(said, "X-Spam-Status");
        assert!(status.contains("dmarc-reject,own-domain"), "{case}\n{status}");
    }
}

#[test]
fn what_is_not_forged_is_not_marked() {
    let dns = dns();
    let fields: &[&[u8]] = &[
        b"From: someone@junk.example",
        b"From: A <someone@junk.example>, B <other@junk.example>",
        b"From: A <someone@junk.example>, B <person@example.net>\r\nSender: someone@junk.example",
        b"From: undisclosed-recipients:;",
        b"From: Kund",
        b"From:",
        b"X-From: chef@exempelby.se\r\nFrom: someone@junk.example",
        b"From: someone@junk.example\r\nReply-To: chef@exempelby.se",
        b"From: someone@junk.example\r\nResent-From: chef@exempelby.se",
        // Lists that rewrite From, and bounce addresses with the recipient in them.
        b"From: Chef via Lista <lista@junk.example>\r\nSender: lista-bounces@junk.example",
        b"From: chef=40exempelby.se@junk.example",
        b"From: chef=exempelby.se@junk.example",
        b"From: bounce+chef=exempelby.se@junk.example",
        b"From: exempelby.se@junk.example",
        b"From: chef@exempelby.se.junk.example",
        b"From: chef@xexempelby.se",
        b"From: chef@skola.exempelby.se.example",
        b"From: \"chef\" <someone@junk.example>",
    ];
    for (said, fields) in explained(&config(&dns), OUTSIDE, &letters(fields)).iter().zip(fields) {
        let case = String::from_utf8_lossy(fields).into_owned();
        assert_eq!(said["verdict"], "accepted", "{case}\n{said}");
        assert_eq!(inserted(said, "X-Spam-Flag"), "", "{case}");
    }
    // Inside, and where our own domain says that the host may: the same forms are ordinary.
    let spf = "v=spf1 ip4:192.0.2.10 -all";
    dns.set("exempelby.se", spf);
    let own = ["--client", "192.0.2.10", "--from", "chef@exempelby.se", "--rcpt", "bo@exempelby.se"];
    let inside = ["--client", "10.0.0.5", "--from", "chef@exempelby.se", "--rcpt", "bo@exempelby.se"];
    for arguments in [own, inside] {
        for (said, fields) in explained(&config(&dns), &arguments, &letters(FORGED)).iter().zip(FORGED) {
            let case = String::from_utf8_lossy(fields).into_owned();
            assert!(!inserted(said, "X-Spam-Status").contains("own-domain"), "{case}\n{said}");
            assert_eq!(said["verdict"], "accepted", "{case}\n{said}");
        }
    }
}

#[test]
fn the_log_has_the_author_of_every_mail() {
    let dns = dns();
    let table: &[(&[u8], &str)] = &[
        (b"From: Anna Berg <anna.berg@example.org>", "anna.berg@example.org"),
        (b"From: \"john smith\"@example.org", "\"john smith\"@example.org"),
        (b"From: person@(hemma)example.org", "person@example.org"),
        (b"From: Anna <anna@exempelby.se> <x@junk.example>", "anna@exempelby.se, x@junk.example"),
        (b"From: =?utf-8?B?Ikt1bmQiIDxwZXJzb25AZXhhbXBsZS5vcmc+?=", "person@example.org"),
        (b"From: \"Kund <person@example.org>", "person@example.org"),
        (b"From: a@example.org\r\nFrom: b@example.org", "a@example.org, b@example.org"),
        (b"From: =?utf-8?b?YUBleGFtcGxlLm9yZw==?==?utf-8?q?=00?=@example.net", "a@example.org@example.net"),
        // Without an address, what people see there.
        (b"From: =?utf-8?q?=C3=85sa?= Berg", "\u{c5}sa Berg"),
        (b"From: undisclosed-recipients:;", "undisclosed-recipients:;"),
        (b"From: Kommunen", "Kommunen"),
        (b"From: \xc5sa", "\u{c5}sa"),
        (b"From:", ""),
        (b"X-Other: x", ""),
    ];
    let fields: Vec<&[u8]> = table.iter().map(|(fields, _)| *fields).collect();
    for (said, (fields, expected)) in explained(&config(&dns), OUTSIDE, &letters(&fields)).iter().zip(table) {
        assert_eq!(said["facts"]["header_from"], *expected, "{}", String::from_utf8_lossy(fields));
    }
}
