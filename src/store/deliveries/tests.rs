//! What is stored of lines, and what is told of mails by them.

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::trace::{Final, Trace, Tracer};
use super::*;
use crate::maillog::stamp::Stamps;
use crate::maillog::{Reader, Status};
use crate::record::Record;

const LONG: &str = "\
2026-11-30T17:00:00+01:00 mx postfix/smtpd[1]: 4jdWYj1Lgzz1SVwl: client=a[192.0.2.1]
2026-11-30T17:00:00+01:00 mx postfix/cleanup[2]: 4jdWYj1Lgzz1SVwl: message-id=<1@example.org>
2026-11-30T17:00:00+01:00 mx postfix/qmgr[3]: 4jdWYj1Lgzz1SVwl: from=<x@example.org>, size=233, nrcpt=2 (queue active)
2026-11-30T17:00:01+01:00 mx postfix/virtual[4]: 4jdWYj1Lgzz1SVwl: to=<anna@exempelby.se>, orig_to=<info@exempelby.se>, relay=virtual, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (delivered to maildir)
2026-11-30T17:00:02+01:00 mx postfix/smtp[5]: Untrusted TLS connection established to mx.example.org[192.0.2.2]:25: TLSv1.3 with cipher X
2026-11-30T17:00:02+01:00 mx postfix/smtp[5]: 4jdWYj1Lgzz1SVwl: to=<bo@example.org>, orig_to=<info@exempelby.se>, relay=mx.example.org[192.0.2.2]:25, delay=2, delays=1/0/0.5/0.5, dsn=4.2.0, status=deferred (host mx.example.org[192.0.2.2] said: 451 later)
2026-11-30T17:10:00+01:00 mx postfix/smtp[6]: Trusted TLS connection established to mx.example.org[192.0.2.2]:25: TLSv1.2 with cipher X
2026-11-30T17:10:02+01:00 mx postfix/smtp[6]: 4jdWYj1Lgzz1SVwl: to=<bo@example.org>, orig_to=<info@exempelby.se>, relay=mx.example.org[192.0.2.2]:25, delay=602, delays=600/0/1/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 5741698E092)
2026-11-30T17:10:02+01:00 mx postfix/qmgr[3]: 4jdWYj1Lgzz1SVwl: removed
";

fn at(time: &str) -> Timestamp {
    format!("2026-11-30T{time}+01:00").parse().unwrap()
}

fn take(deliveries: &mut Deliveries, text: &str) -> Counts {
    let mut reader = Reader::new(Stamps::new(TimeZone::UTC, at("23:59:59")));
    for line in text.lines() {
        deliveries.take(&reader.line(line)).unwrap();
    }
    deliveries.commit::<()>(None).unwrap()
}

fn ingest(directory: &Path, text: &str) -> Counts {
    let mut deliveries = Deliveries::open(directory).unwrap();
    take(&mut deliveries, text)
}

fn told(directory: &Path, queue_id: &str, time: &str) -> Trace {
    let record = Record { time: at(time), queue_id: queue_id.to_owned(), ..Record::default() };
    Tracer::open(directory).unwrap().trace(&record).unwrap().unwrap()
}

/// Everything in the file.
fn dump(directory: &Path) -> Vec<String> {
    let connection = open_to_read(directory).unwrap().unwrap();
    let mut rows = Vec::new();
    for sql in [
        "SELECT format('%s %s %d %d %s %d %s', instance, queue_id, begun, ended, how, whole, origin) FROM queue_file ORDER BY 1",
        "SELECT format('%s %s %s %d %d %d %s %s %s %s', queue_id, recipient, orig_to, first, last, tries, status, relay, tls, next)
         FROM delivery JOIN queue_file ON file = id ORDER BY 1",
        "SELECT format('%s %d %s %s', queue_id, at, what, event.id) FROM event JOIN queue_file ON file = queue_file.id ORDER BY 1",
        "SELECT format('%d %d', begun, ended) FROM gap ORDER BY begun",
    ] {
        let mut statement = connection.prepare(sql).unwrap();
        rows.extend(statement.query_map([], |row| row.get(0)).unwrap().map(Result::<String, _>::unwrap));
    }
    rows
}

#[test]
fn a_mail_with_two_recipients_behind_one_alias() {
    let directory = tempfile::tempdir().unwrap();
    let counts = ingest(directory.path(), LONG);
    assert_eq!(counts, Counts { lines: 9, told: 9, unclear: 0 });
    let trace = told(directory.path(), "4jdWYj1Lgzz1SVwl", "17:00:00");
    let [file] = &trace.files[..] else { panic!("{trace:?}") };
    assert_eq!(
        (file.begun, file.ended, file.how.as_str()),
        (at("17:00:00"), Some(at("17:10:02")), "removed")
    );
    let [anna, bo] = &file.deliveries[..] else { panic!("{file:?}") };
    assert_eq!(
        (anna.status, anna.tls.as_str(), anna.orig_to.as_str()),
        (Status::Sent, "", "info@exempelby.se")
    );
    assert_eq!((bo.status, bo.tries, bo.tls.as_str()), (Status::Sent, 2, "trusted TLSv1.2"));
    assert_eq!((bo.first, bo.last), (at("17:00:02"), at("17:10:02")));
    assert!(trace.gaps.is_empty() && trace.tls_since == Some(at("17:00:02")));
    assert!(trace.has(Final::Delivered) && !trace.has(Final::Deferred) && !trace.has(Final::Bounced));
}

#[test]
fn the_same_lines_twice_change_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut text = LONG.to_owned();
    text.push_str(
        "2026-11-30T17:11:00+01:00 mx postfix/pickup[7]: 4jdWYm24lFz1SVxV: uid=1 from=<x@example.org>
2026-11-30T17:11:01+01:00 mx postfix/smtp[6]: 4jdWYm24lFz1SVxV: to=<c@example.org>, relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, status=deferred (refused)
2026-11-30T17:11:02+01:00 mx postfix/postsuper[9]: 4jdWYm24lFz1SVxV: expired
2026-11-30T17:11:03+01:00 mx postfix/qmgr[3]: 4jdWYm24lFz1SVxV: from=<x@example.org>, status=force-expired, returned to sender
2026-11-30T17:11:03+01:00 mx postfix/bounce[8]: 4jdWYm24lFz1SVxV: sender non-delivery notification: 4jdWYq2ShLz1SVxY
2026-11-30T17:11:03+01:00 mx postfix/qmgr[3]: 4jdWYm24lFz1SVxV: removed
",
    );
    ingest(directory.path(), &text);
    let once = dump(directory.path());
    ingest(directory.path(), &text);
    assert_eq!(dump(directory.path()), once);
    // In parts, and within one transaction.
    let mut deliveries = Deliveries::open(directory.path()).unwrap();
    take(&mut deliveries, &format!("{text}{text}"));
    assert_eq!(dump(directory.path()), once);
    let trace = told(directory.path(), "4jdWYm24lFz1SVxV", "17:11:00");
    assert!(trace.has(Final::Expired) && !trace.has(Final::Deferred), "{trace:?}");
    assert_eq!(trace.files[0].events.len(), 3);
}

#[test]
fn a_short_queue_id_that_is_used_again_is_told_apart_by_time() {
    let directory = tempfile::tempdir().unwrap();
    let mail = |hour: &str, to: &str, end: &str| {
        format!(
            "2026-11-30T{hour}:00:00+01:00 mx postfix/smtpd[1]: 5741698E092: client=a[192.0.2.1]
2026-11-30T{hour}:00:01+01:00 mx postfix/local[1]: 5741698E092: to=<{to}@exempelby.se>, relay=local, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (ok)
{end}"
        )
    };
    let removed = "2026-11-30T10:00:01+01:00 mx postfix/qmgr[3]: 5741698E092: removed\n";
    let text = [mail("10", "a", removed), mail("12", "b", ""), mail("15", "c", "")].concat();
    ingest(directory.path(), &text);
    let of = |time: &str| {
        let trace = told(directory.path(), "5741698E092", time);
        trace
            .files
            .iter()
            .flat_map(|file| &file.deliveries)
            .map(|one| one.recipient.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("09:59:59"), ["a@exempelby.se"]);
    assert_eq!(of("12:00:00"), ["b@exempelby.se"]);
    assert_eq!(of("15:00:00"), ["c@exempelby.se"]);
    // No queue file began then: nothing is guessed.
    assert_eq!(of("13:00:00"), [""; 0]);
    assert_eq!(of("16:00:00"), [""; 0]);
    let once = dump(directory.path());
    ingest(directory.path(), &text);
    assert_eq!(dump(directory.path()), once);
}

#[test]
fn requeued_and_filtered_mail_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    ingest(
        directory.path(),
        "2026-11-30T17:00:00+01:00 mx postfix/smtpd[1]: 4jdWYj1n0Qz1SVx5: client=a[192.0.2.1]
2026-11-30T17:00:01+01:00 mx postfix/smtp[2]: 4jdWYj1n0Qz1SVx5: to=<a@example.org>, relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, status=deferred (refused)
2026-11-30T17:05:00+01:00 mx postfix/postsuper[9]: 4jdWYj1n0Qz1SVx5: requeued
2026-11-30T17:05:01+01:00 mx postfix/pickup[8]: 4jdWYm24lFz1SVxV: uid=102 from=<x@b.se> orig_id=4jdWYj1n0Qz1SVx5
2026-11-30T17:05:02+01:00 mx postfix/smtpd[7]: 5741698E092: client=localhost[127.0.0.1]
2026-11-30T17:05:02+01:00 mx postfix/smtp[2]: 4jdWYm24lFz1SVxV: to=<a@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=2, delays=1/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 5741698E092)
2026-11-30T17:05:02+01:00 mx postfix/qmgr[3]: 4jdWYm24lFz1SVxV: removed
2026-11-30T17:05:04+01:00 mx postfix/smtp[2]: 5741698E092: to=<a@example.org>, relay=mx.example.org[192.0.2.2]:25, delay=2, delays=1/0/0/1, dsn=5.1.1, status=bounced (host said: 550 no)
2026-11-30T17:05:04+01:00 mx postfix/qmgr[3]: 5741698E092: removed
",
    );
    let trace = told(directory.path(), "4jdWYj1n0Qz1SVx5", "17:00:00");
    let links: Vec<_> = trace.files.iter().map(|file| (file.queue_id.as_str(), file.from.clone())).collect();
    assert_eq!(
        links,
        [
            ("4jdWYj1n0Qz1SVx5", None),
            ("4jdWYm24lFz1SVxV", Some(("4jdWYj1n0Qz1SVx5".to_owned(), "requeued"))),
            ("5741698E092", Some(("4jdWYm24lFz1SVxV".to_owned(), "filter"))),
        ]
    );
    assert_eq!(trace.last().map(|one| one.status).collect::<Vec<_>>(), [Status::Bounced]);
    assert!(trace.has(Final::Bounced) && !trace.has(Final::Delivered) && !trace.has(Final::Deferred));
}

#[test]
fn a_remote_server_that_names_a_queue_id_of_ours_links_nothing() {
    let directory = tempfile::tempdir().unwrap();
    ingest(
        directory.path(),
        "2026-11-30T17:05:01+01:00 mx postfix/smtpd[7]: 5741698E092: client=b[192.0.2.9]
2026-11-30T17:05:02+01:00 mx postfix/smtpd[7]: 4jdWYm24lFz1SVxV: client=a[192.0.2.1]
2026-11-30T17:05:02+01:00 mx postfix/smtp[2]: 4jdWYm24lFz1SVxV: to=<a@example.org>, relay=mx.example.org[192.0.2.2]:25, delay=2, delays=1/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 5741698E092)
",
    );
    assert_eq!(told(directory.path(), "4jdWYm24lFz1SVxV", "17:05:02").files.len(), 1);
}

#[test]
fn without_a_line_about_tls_there_is_none_only_where_it_would_have_been_read() {
    let directory = tempfile::tempdir().unwrap();
    let line = |time: &str, id: &str, delays: &str| {
        format!(
            "2026-11-30T{time}+01:00 mx postfix/smtp[5]: {id}: to=<b@example.org>, relay=mx.example.org[192.0.2.2]:25, delay=9, delays={delays}, dsn=2.0.0, status=sent (250 ok)\n"
        )
    };
    let tls = "2026-11-30T17:01:00+01:00 mx postfix/smtp[5]: Untrusted TLS connection established to mx.example.org[192.0.2.2]:25: TLSv1.3 with cipher X\n";
    let text = [
        // Its connection began before the first line that was read.
        line("17:00:00", "4jdWYj1Lgzz1SVwB", "0/0/5/4"),
        line("17:00:20", "4jdWYj1Lgzz1SVwC", "0/0/5/4"),
        tls.to_owned(),
        line("17:01:01", "4jdWYj1Lgzz1SVwD", "0/0/1/0"),
        // A second connection of the same process, to the same host.
        line("17:02:00", "4jdWYj1Lgzz1SVwF", "0/0/1/0"),
    ];
    ingest(directory.path(), &text.concat());
    let of = |id: &str| told(directory.path(), id, "16:59:00").files[0].deliveries[0].tls.clone();
    assert_eq!(of("4jdWYj1Lgzz1SVwB"), "unknown");
    assert_eq!(of("4jdWYj1Lgzz1SVwC"), "none");
    assert_eq!(of("4jdWYj1Lgzz1SVwD"), "untrusted TLSv1.3");
    assert_eq!(of("4jdWYj1Lgzz1SVwF"), "none");
}

#[test]
fn gaps_are_told_where_the_answer_could_be_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let mut deliveries = Deliveries::open(directory.path()).unwrap();
    let begin = "2026-11-30T10:00:00+01:00 mx postfix/smtpd[1]: 4jdWYj1Lgzz1SVwl: client=a[192.0.2.1]\n";
    let end = "2026-11-30T12:00:00+01:00 mx postfix/qmgr[3]: 4jdWYj1Lgzz1SVwl: removed\n";
    take(&mut deliveries, begin);
    let open = told(directory.path(), "4jdWYj1Lgzz1SVwl", "09:59:59");
    assert_eq!(open.gaps, [(Some(at("10:00:00")), None)]);
    deliveries.gap();
    take(&mut deliveries, end);
    let gap = [(Some(at("10:00:00")), Some(at("12:00:00")))];
    assert_eq!(told(directory.path(), "4jdWYj1Lgzz1SVwl", "09:59:59").gaps, gap);
    // A mail of which nothing was read, before and within it.
    assert_eq!(told(directory.path(), "4jdWYj1Lgzz1SVwX", "11:00:00").gaps.len(), 2);
    assert_eq!(told(directory.path(), "4jdWYj1Lgzz1SVwX", "13:00:00").gaps, [(Some(at("12:00:00")), None)]);
    // The missing part is found.
    let mut found = Deliveries::open(directory.path()).unwrap();
    take(&mut found, &format!("{begin}{end}"));
    assert_eq!(told(directory.path(), "4jdWYj1Lgzz1SVwl", "09:59:59").gaps, []);
    let tracer = Tracer::open(directory.path()).unwrap();
    assert_eq!(tracer.gaps(at("09:00:00"), at("11:00:00")).unwrap(), [(None, Some(at("10:00:00")))]);
}

#[test]
fn an_older_file_that_is_read_later_has_the_beginning() {
    let directory = tempfile::tempdir().unwrap();
    let (first, rest) = LONG.split_at(LONG.match_indices('\n').nth(4).unwrap().0 + 1);
    ingest(directory.path(), rest);
    ingest(directory.path(), first);
    let late = dump(directory.path());
    let other = tempfile::tempdir().unwrap();
    ingest(other.path(), LONG);
    let of_files =
        |rows: &[String]| rows.iter().filter(|row| row.contains("postfix ")).cloned().collect::<Vec<_>>();
    assert_eq!(of_files(&late), of_files(&dump(other.path())));
    assert_eq!(told(directory.path(), "4jdWYj1Lgzz1SVwl", "17:00:00").files[0].deliveries.len(), 2);
}

#[test]
fn the_place_is_stored_with_what_was_read() {
    let directory = tempfile::tempdir().unwrap();
    let mut deliveries = Deliveries::open(directory.path()).unwrap();
    assert_eq!(deliveries.place::<(String, u64)>().unwrap(), None);
    deliveries.commit(Some(&("mail.log", 7))).unwrap();
    drop(deliveries);
    let deliveries = Deliveries::open(directory.path()).unwrap();
    assert_eq!(deliveries.place().unwrap(), Some(("mail.log".to_owned(), 7)));
    // Of another version: as if there were none.
    assert_eq!(deliveries.place::<u64>().unwrap(), None);
}

#[test]
fn deliveries_go_with_their_record() {
    let directory = tempfile::tempdir().unwrap();
    let other = LONG.replace("4jdWYj1Lgzz1SVwl", "4jdWYj1LgzzB").replace("2026-11-30", "2026-11-20");
    ingest(directory.path(), &format!("{other}{LONG}"));
    let one = |each: &mut dyn FnMut(&str, i64) -> rusqlite::Result<()>| -> Result<(), DeliveriesError> {
        each("4jdWYj1Lgzz1SVwl", at("17:00:00").as_millisecond()).unwrap();
        Ok(())
    };
    retention::take(directory.path(), one, None).unwrap();
    let rows = dump(directory.path()).join("\n");
    assert!(!rows.contains("4jdWYj1Lgzz1SVwl") && rows.contains("4jdWYj1LgzzB"), "{rows}");
    let octets = |name: &str| fs::read(directory.path().join(name)).unwrap_or_default();
    for name in [FILE, "delivery.db-wal"] {
        let text = String::from_utf8_lossy(&octets(name)).into_owned();
        assert!(!text.contains("4jdWYj1Lgzz1SVwl"), "{name}");
    }
    let none = |_: &mut dyn FnMut(&str, i64) -> rusqlite::Result<()>| Ok::<(), DeliveriesError>(());
    retention::take(directory.path(), none, Some("2026-11-25T00:00:00Z".parse().unwrap())).unwrap();
    assert!(!dump(directory.path()).join("\n").contains("anna@exempelby.se"));
}
