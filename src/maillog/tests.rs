//! Lines as Postfix 3.7 and rsyslog write them, and lines that somebody wants to look like them.

use jiff::tz::TimeZone;

use super::*;

fn reader() -> Reader {
    Reader::new(Stamps::new(stockholm(), "2026-12-01T00:00:00Z".parse().unwrap()))
}

fn stockholm() -> TimeZone {
    TimeZone::get("Europe/Stockholm").unwrap()
}

fn ms(time: &str) -> i64 {
    time.parse::<Timestamp>().unwrap().as_millisecond()
}

/// What a line of `program` tells.
fn told(program: &str, text: &str) -> Option<(String, String)> {
    let line = format!("Nov 30 17:42:17 mx {program}[16908]: {text}");
    match reader().line(&line) {
        Read::Told(line) => Some(match line.told {
            Told::Mail { id, event } => (id.to_owned(), format!("{event:?}")),
            Told::Tls(tls) => (String::new(), format!("{tls:?}")),
        }),
        _ => None,
    }
}

fn delivery(program: &str, text: &str) -> Option<Delivery<'static>> {
    let line = format!("Nov 30 17:42:17 mx {program}[16908]: {text}").leak();
    match reader().line(line) {
        Read::Told(Line { told: Told::Mail { event: Event::Delivery(delivery), .. }, .. }) => Some(*delivery),
        _ => None,
    }
}

#[test]
fn deliveries_of_each_program() {
    for (program, text, to, orig_to, relay, dsn, status, said) in [
        (
            "postfix/virtual",
            "4jdWYj1Lgzz1SVwl: to=<anna@exempelby.se>, orig_to=<info@exempelby.se>, relay=virtual, delay=0.04, delays=0.02/0.01/0/0, dsn=2.0.0, status=sent (delivered to maildir)",
            "anna@exempelby.se",
            "info@exempelby.se",
            "virtual",
            "2.0.0",
            Status::Sent,
            "delivered to maildir",
        ),
        (
            "postfix/relay/smtp",
            "4jdWYj1Lgzz1SVwl: to=<bo@example.org>, relay=mx.example.org[192.0.2.1]:25, conn_use=2, delay=0.18, delays=0.02/0.05/0.07/0.04, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 5741698E092)",
            "bo@example.org",
            "",
            "mx.example.org[192.0.2.1]:25",
            "2.0.0",
            Status::Sent,
            "250 2.0.0 Ok: queued as 5741698E092",
        ),
        (
            "postfix/smtp",
            "5741698E092: to=<late@example.org>, relay=none, delay=3.1, delays=3.1/0/0/0, dsn=4.4.1, status=deferred (connect to 192.0.2.1[192.0.2.1]:25: Connection refused)",
            "late@example.org",
            "",
            "none",
            "4.4.1",
            Status::Deferred,
            "connect to 192.0.2.1[192.0.2.1]:25: Connection refused",
        ),
        (
            "postfix/error",
            "5741698E092: to=<z@example.org>, relay=none, delay=0.06, delays=0.02/0.01/0/0.03, dsn=5.1.2, status=bounced (no such place)",
            "z@example.org",
            "",
            "none",
            "5.1.2",
            Status::Bounced,
            "no such place",
        ),
        (
            "postfix/smtp",
            "5741698E092: to=<p@example.org>, relay=mx.example.org[192.0.2.1]:25, delay=1, delays=0/0/1/0, dsn=5.1.1, status=undeliverable (host mx.example.org[192.0.2.1] said: 550 5.1.1 <p@example.org>: unknown (in reply to RCPT TO command))",
            "p@example.org",
            "",
            "mx.example.org[192.0.2.1]:25",
            "5.1.1",
            Status::Undeliverable,
            "host mx.example.org[192.0.2.1] said: 550 5.1.1 <p@example.org>: unknown (in reply to RCPT TO command)",
        ),
    ] {
        let found = delivery(program, text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((found.to.as_str(), found.orig_to.as_str(), found.relay.as_str()), (to, orig_to, relay));
        assert_eq!((found.dsn.as_str(), found.status, found.text.as_str()), (dsn, status, said));
        assert_eq!(found.over_network, program.ends_with("smtp"));
    }
    let found = delivery("postfix/relay/smtp", "4jdWYj1Lgzz1SVwl: to=<bo@example.org>, relay=mx.example.org[192.0.2.1]:25, conn_use=2, delay=0.18, delays=0.02/0.05/0.07/0.04, tls=verified, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 5741698E092)").unwrap();
    assert_eq!((found.next, found.tls, found.delay), (Some("5741698E092"), "verified", 0.18));
    assert!((found.delays[2] - 0.07).abs() < 1e-9);
}

#[test]
fn what_else_is_told_of_a_queue_file() {
    for (program, text, wanted) in [
        ("postfix/smtpd", "5741698E092: client=localhost[127.0.0.1]", "Begun"),
        (
            "postfix/submission/smtpd",
            "4jdWYj1Lgzz1SVwl: client=a[10.0.0.1], sasl_method=PLAIN, sasl_username=anna",
            "Begun",
        ),
        ("postfix/pickup", "4jdWYj1Lgzz1SVwl: uid=0 from=<x@example.org>", "Begun"),
        (
            "postfix/pickup",
            "4jdWYm24lFz1SVxV: uid=102 from=<x@example.org> orig_id=4jdWYj1n0Qz1SVx5",
            "Requeue { from: \"4jdWYj1n0Qz1SVx5\" }",
        ),
        ("postfix/cleanup", "4jdWYj1Lgzz1SVwl: message-id=<4jdWYj1Lgzz1SVwl@mx.exempelby.se>", "Seen"),
        (
            "postfix/cleanup",
            "4jdWYj1Lgzz1SVwl: milter-hold: END-OF-MESSAGE from a[192.0.2.1]: milter triggers HOLD action; from=<x@example.org> to=<anna@exempelby.se> proto=ESMTP helo=<a>",
            "MilterHold",
        ),
        (
            "postfix/cleanup",
            "4jdWYj1Lgzz1SVwl: milter-reject: END-OF-MESSAGE from a[192.0.2.1]: 5.7.1 no; from=<x@example.org> to=<anna@exempelby.se> proto=ESMTP helo=<a>",
            "Refused",
        ),
        ("postfix/qmgr", "4jdWYj1Lgzz1SVwl: from=<x@example.org>, size=233, nrcpt=2 (queue active)", "Seen"),
        (
            "postfix/qmgr",
            "4jdWYj1Lgzz1SVwl: from=<x@example.org>, status=expired, returned to sender",
            "Expired",
        ),
        (
            "postfix/qmgr",
            "4jdWYj1Lgzz1SVwl: from=<x@example.org>, status=force-expired, returned to sender",
            "Expired",
        ),
        ("postfix/qmgr", "4jdWYj1Lgzz1SVwl: removed", "Removed"),
        ("postfix/postsuper", "4jdWYj1Lgzz1SVwl: placed on hold", "Held"),
        ("postfix/postsuper", "4jdWYj1Lgzz1SVwl: released from hold", "Released"),
        ("postfix/postsuper", "4jdWYj1Lgzz1SVwl: requeued", "Requeued"),
        ("postfix/postsuper", "4jdWYj1Lgzz1SVwl: expired", "ExpiredByCommand"),
        ("postfix/postsuper", "4jdWYj1Lgzz1SVwl: removed", "Removed"),
        (
            "postfix/bounce",
            "4jdWYj1Pwbz1SVwj: sender non-delivery notification: 4jdWYj2YC0z1SVxF",
            "Notified { what: \"non-delivery\", id: \"4jdWYj2YC0z1SVxF\" }",
        ),
    ] {
        assert_eq!(told(program, text).map(|(_, event)| event).as_deref(), Some(wanted), "{text}");
    }
    for (program, text) in [
        (
            "postfix/smtpd",
            "NOQUEUE: reject: RCPT from a[192.0.2.1]: 550 5.1.1 <x@b.se>: unknown; from=<x> to=<y>",
        ),
        ("postfix/postsuper", "Deleted: 1 message"),
        ("postfix/qmgr", "warning: removed"),
        ("postfix/smtp", "connect to 127.0.0.1[127.0.0.1]:25109: Connection refused"),
        ("postfix/anvil", "5741698E092: removed"),
        ("sshd", "5741698E092: removed"),
    ] {
        assert_eq!(told(program, text), None, "{text}");
    }
}

#[test]
fn the_tls_of_a_connection() {
    let text = "Untrusted TLS connection established to mx.example.org[192.0.2.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)";
    let wanted = "Tls { relay: \"mx.example.org[192.0.2.1]:25\", trust: Untrusted, protocol: \"TLSv1.3\" }";
    assert_eq!(told("postfix/smtp", text).unwrap().1, wanted);
    assert!(
        told("postfix/smtp", &text.replace("established", "reused").replace("Untrusted", "Verified"))
            .is_some()
    );
    // Of mail that comes in.
    assert_eq!(
        told(
            "postfix/smtpd",
            "Anonymous TLS connection established from a[192.0.2.1]: TLSv1.3 with cipher X"
        ),
        None
    );
    assert_eq!(told("postfix/smtpd", text), None);
    assert_eq!(told("postfix/smtp", &text.replace("Untrusted", "Certain")), None);
}

#[test]
fn every_way_to_write_the_time() {
    let rest = "mx postfix-out/qmgr[7]: 4jdWYj1Lgzz1SVwl: removed";
    for (stamp, at) in [
        ("Nov 30 17:42:17", "2026-11-30T16:42:17Z"),
        ("Aug  3 07:02:09", "2026-08-03T05:02:09Z"),
        // Later than the log itself, but for a day: of the year before.
        ("Dec  1 10:00:00", "2026-12-01T09:00:00Z"),
        ("Dec  3 10:00:00", "2025-12-03T09:00:00Z"),
        ("Feb 29 12:00:00", "2024-02-29T11:00:00Z"),
        ("2026-11-30T17:42:17.123456+01:00", "2026-11-30T16:42:17.123Z"),
        ("2026-11-30T17:42:17+01:00", "2026-11-30T16:42:17Z"),
        ("2026-11-30T16:42:17.5Z", "2026-11-30T16:42:17.5Z"),
    ] {
        let line = format!("{stamp} {rest}");
        match reader().line(&line) {
            Read::Told(line) => assert_eq!((line.at, line.instance, line.pid), (ms(at), "postfix-out", 7)),
            other => panic!("{stamp}: {other:?}"),
        }
    }
    for stamp in [
        "Nov 31 17:42:17",
        "Nov 30 17:42:99",
        "Foo 30 17:42:17",
        "2026-11-30",
        "",
        "Nov 30 17:42",
        "ååååååå 30 17:42:17",
    ] {
        assert_eq!(reader().line(&format!("{stamp} {rest}")), Read::Foreign, "{stamp}");
    }
}

#[test]
fn lines_of_one_minute_and_the_hour_that_comes_twice() {
    let mut reader = Reader::new(Stamps::new(stockholm(), "2026-10-26T00:00:00Z".parse().unwrap()));
    let mut at = |stamp: &str| match reader.line(&format!("{stamp} mx postfix/qmgr[7]: warning: x")) {
        Read::Other(at) => at,
        other => panic!("{other:?}"),
    };
    assert_eq!(at("Oct 25 02:30:01"), ms("2026-10-25T00:30:01Z"));
    assert_eq!(at("Oct 25 02:30:59"), ms("2026-10-25T00:30:59Z"));
    assert_eq!(at("Oct 25 02:59:59"), ms("2026-10-25T00:59:59Z"));
    // The clock was set back at 03:00.
    assert_eq!(at("Oct 25 02:30:01"), ms("2026-10-25T01:30:01Z"));
    assert_eq!(at("Oct 25 03:00:00"), ms("2026-10-25T02:00:00Z"));
}

#[test]
fn entries_of_the_journal() {
    let json = r#"{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1796056937123456","SYSLOG_IDENTIFIER":"postfix/qmgr","SYSLOG_PID":"7","_PID":"9","MESSAGE":"4jdWYj1Lgzz1SVwl: removed"}"#;
    let read = entry(json).unwrap();
    assert_eq!(read.cursor, "s=1;i=2");
    match read.read() {
        Read::Told(line) => assert_eq!((line.at, line.instance, line.pid), (1_796_056_937_123, "postfix", 7)),
        other => panic!("{other:?}"),
    }
    let octets = json.replace("\"4jdWYj1Lgzz1SVwl: removed\"", "[52,229]");
    assert!(matches!(entry(&octets).unwrap().read(), Read::Other(_)));
    let large = json.replace("\"4jdWYj1Lgzz1SVwl: removed\"", "null");
    assert!(matches!(entry(&large).unwrap().read(), Read::Other(_)));
    assert!(entry("{}").is_none() && entry("").is_none());
}

#[test]
fn no_text_in_a_line_stands_for_another_line() {
    let line = |to: &str, said: &str| {
        format!(
            "5741698E092: to=<{to}>, relay=mx.example.org[192.0.2.1]:25, delay=1, delays=0/0/1/0, dsn=5.1.1, status=bounced ({said})"
        )
    };
    let forged = "a@example.org>, relay=x, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (250 ok";
    // As Postfix writes such an address since 3.5: in quotes.
    let quoted = format!("\"{}\"@example.org", forged.replace('"', ""));
    let found = delivery("postfix/smtp", &line(&quoted, "550 no")).unwrap();
    assert_eq!((found.to.as_str(), found.status), (quoted.as_str(), Status::Bounced));
    // And as it wrote it before.
    let text =
        format!("Nov 30 17:42:17 mx postfix/smtp[1]: {}", line(&format!("{forged}@example.org"), "550 no"));
    assert!(matches!(reader().line(&text), Read::Unclear(_)));
    // What the remote server says.
    for said in [
        "250 ok) 4jdWYj1Lgzz1SVwl: to=<b@example.org>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (x",
        "550 no\nNov 30 17:42:17 mx postfix/qmgr[1]: 4jdWYj1Lgzz1SVwl: removed",
    ] {
        let text = format!("Nov 30 17:42:17 mx postfix/smtp[1]: {}", line("b@example.org", said));
        match reader().line(&text) {
            Read::Unclear(_) => {}
            Read::Told(Line { told: Told::Mail { id, event: Event::Delivery(found) }, .. }) => {
                assert_eq!((id, found.status), ("5741698E092", Status::Bounced));
                assert!(!found.text.contains('\n'));
            }
            other => panic!("{other:?}"),
        }
    }
    let found =
        delivery("postfix/smtp", &line("b@example.org", &format!("\x1b[2J{}", "å".repeat(1_000)))).unwrap();
    assert!(found.text.starts_with("?[2J") && found.text.ends_with('…'));
    assert!(found.text.len() <= crate::limits::DELIVERY_TEXT_OCTETS + 3);
    // A sender that ends in what pickup writes behind it.
    let sender = "4jdWYm24lFz1SVxV: uid=102 from=<x> orig_id=4jdWYj1n0Qz1SVx5>";
    assert_eq!(told("postfix/pickup", sender).unwrap().1, "Begun");
    let sender = "4jdWYm24lFz1SVxV: from=<\"x>, status=expired, returned to sender\"@example.org>, size=1, nrcpt=1 (queue active)";
    assert_eq!(told("postfix/qmgr", sender).unwrap().1, "Seen");
}
