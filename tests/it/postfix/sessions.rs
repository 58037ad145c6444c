//! Sessions as clients really hold them: several mails, second thoughts, sudden ends.

use crate::lab::{Lab, message};

const FROM: &str = "x@example.org";
const TO: &str = "anna@exempelby.se";

#[test]
fn several_messages_in_one_session_have_a_record_each() {
    let lab = Lab::start("");
    let mut smtp = lab.outside();
    let replies: Vec<_> = (0..5)
        .map(|number| smtp.send(FROM, &[TO], &message(FROM, TO, &format!("nummer {number}"), "")))
        .collect();
    for (number, reply) in replies.iter().enumerate() {
        assert_eq!(lab.record_of(reply)["subject"], format!("nummer {number}"));
    }
    lab.delivered(TO, 5);
    lab.records(5);
}

#[test]
fn what_was_begun_and_left_is_recorded_as_incomplete() {
    let lab = Lab::start("");
    let mut smtp = lab.outside();
    // RSET
    smtp.expect("MAIL FROM:<y@example.org>", "250");
    smtp.expect("RCPT TO:<info@exempelby.se>", "250");
    smtp.expect("RSET", "250");
    // A second EHLO
    smtp.expect("MAIL FROM:<y@example.org>", "250");
    smtp.expect("EHLO mx2.example.org", "250");
    // A recipient that Postfix refuses, and nobody else
    smtp.expect("MAIL FROM:<y@example.org>", "250");
    smtp.expect("RCPT TO:<finns-inte@exempelby.se>", "550");
    smtp.expect("RSET", "250");
    // One that it refuses, and one that it takes; nothing is left of what came before.
    smtp.expect("MAIL FROM:<x@example.org>", "250");
    smtp.expect("RCPT TO:<finns-inte@exempelby.se>", "550");
    smtp.expect("RCPT TO:<anna@exempelby.se>", "250");
    smtp.expect("DATA", "354");
    let reply = smtp.content(&message(FROM, TO, "till slut", ""));
    let record = lab.record_of(&reply);
    assert_eq!(record["recipients"], serde_json::json!([TO]));
    assert_eq!(record["sender"], FROM);
    assert_eq!(record["helo"], "mx2.example.org");
    // The client is gone in the middle of the message.
    smtp.expect("MAIL FROM:<y@example.org>", "250");
    smtp.expect("RCPT TO:<anna@exempelby.se>", "250");
    smtp.expect("DATA", "354");
    smtp.write(b"Subject: halv\r\n\r\nHej");
    smtp.vanish();

    let records = lab.records(5);
    let unfinished: Vec<_> = records.iter().filter(|record| record["verdict"] == "incomplete").collect();
    assert_eq!(unfinished.len(), 4, "{records:#?}");
    assert!(unfinished.iter().all(|record| record["sender"] == "y@example.org"), "{unfinished:#?}");
    assert_eq!(lab.postvakt.search(&["--verdict", "accepted"]).len(), 1);
    assert_eq!(lab.delivered(TO, 1).len(), 1);
}

#[test]
fn a_large_mail_to_many_passes_whole() {
    let lab = Lab::start("");
    let line = "Det här är en rad av ett långt brev, och den är lång nog.\n";
    let text = message(FROM, TO, "stort", "") + &line.repeat((2 << 20) / line.len());
    let to = [TO, "info@exempelby.se", "registrator@exempelby.se", "postmaster@exempelby.se"];
    let reply = lab.outside().send(FROM, &to, &text);
    let record = lab.record_of(&reply);
    assert_eq!(record["recipients"], serde_json::json!(to));
    assert!(record["size"].as_u64().unwrap() > 2 << 20, "{}", record["size"]);
    for address in to {
        let delivered = lab.delivered(address, 1).remove(0);
        assert_eq!(delivered.matches(line).count(), (2 << 20) / line.len());
    }
}
