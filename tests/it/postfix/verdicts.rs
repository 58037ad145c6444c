//! Verdicts as Postfix carries them out: its own replies, its hold queue, its recipients.

use serde_json::json;

use crate::lab::{Lab, message, queue_id, until};

const ANNA: &str = "anna@exempelby.se";
const CITIZEN: &str = "x@example.org";
const PRIVATE: &str = "privat@example.net";

/// What an Exchange inbox rule leaves when it forwards.
const TRACE: &str = "X-MS-Exchange-Inbox-Rules-Loop: anna@exempelby.se\nAuto-Submitted: auto-generated\n";

fn forwarding(action: &str) -> String {
    format!(
        "[rules.auto-forward]\nmode = \"enforce\"\naction = \"{action}\"\nreroute_to = \"registrator@exempelby.se\"\n"
    )
}

fn custom(when: &str, action: &str) -> String {
    format!("[rules.custom.no-exe]\nwhen = {{ {when} }}\nmode = \"enforce\"\naction = \"{action}\"\n")
}

fn forward(to: &str) -> String {
    message(ANNA, to, "VB: ansökan", TRACE)
}

#[test]
fn a_refused_forward_is_postfix_own_reply_with_the_record() {
    let lab = Lab::start(&forwarding("reject"));
    let mut smtp = lab.inside();
    let reply = smtp.send(ANNA, &[PRIVATE], &forward(PRIVATE));
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    assert!(reply.contains("Automatic forwarding"), "{reply}");
    assert!(!reply.contains(PRIVATE) && !reply.contains(ANNA), "{reply}");
    let record = lab.records(1).remove(0);
    assert!(reply.contains(&format!("[{}]", record["record"].as_str().unwrap())), "{reply}");
    assert_eq!(record["verdict"], "rejected");
    assert!(record["findings"].to_string().contains("auto-forward=certain"), "{record}");
    // The session goes on, and the next mail is judged for itself.
    let reply = smtp.send(ANNA, &[CITIZEN], &message(ANNA, CITIZEN, "svar", ""));
    assert_eq!(lab.record_of(&reply)["verdict"], "accepted");
    lab.delivered(CITIZEN, 1);
    assert!(lab.postfix.mailbox(PRIVATE).is_empty());
}

#[test]
fn a_message_seen_from_outside_is_stopped_on_its_way_out() {
    let lab = Lab::start(&forwarding("reject"));
    let dated = "Message-ID: <ansokan-1@example.org>\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n";
    let text = message(CITIZEN, ANNA, "ansökan", dated);
    let reply = lab.outside().send(CITIZEN, &[ANNA], &text);
    assert_eq!(lab.record_of(&reply)["verdict"], "accepted");
    // The mailbox server sends it on under the mailbox's own name …
    let reply = lab.inside().send(ANNA, &[PRIVATE], &text);
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    // … or under the citizen's: then nobody outside may get a bounce that names the private address.
    let reply = lab.inside().send(CITIZEN, &[PRIVATE], &text);
    assert!(reply.starts_with("250 "), "{reply}");
    let record = lab.record_of(&reply);
    assert_eq!(record["verdict"], "marked");
    assert!(record["findings"].to_string().contains("auto-forward=certain"), "{record}");
    lab.delivered("registrator@exempelby.se", 1);
    // What came for her, and one letter that tells her.
    let told = |mail: &&String| mail.contains("Auto-Submitted: auto-generated");
    assert_eq!(lab.delivered(ANNA, 2).iter().filter(told).count(), 1);
    assert!(lab.postfix.mailbox(PRIVATE).is_empty());
}

#[test]
fn a_held_mail_waits_and_is_released_by_a_person() {
    let lab = Lab::start(&forwarding("hold"));
    let reply = lab.inside().send(ANNA, &[PRIVATE], &forward(PRIVATE));
    let record = lab.record_of(&reply);
    assert_eq!(record["verdict"], "held");
    let id = queue_id(&reply);
    assert_eq!(lab.postfix.held(), [id.as_str()]);
    let waiting = lab.postfix.queue_file(&id);
    assert!(waiting.contains("X-Postvakt-Auto-Forward: certain;"), "{waiting}");
    assert!(lab.postfix.mailbox(PRIVATE).is_empty());

    lab.postfix.release(&id);
    let delivered = lab.delivered(PRIVATE, 1).remove(0);
    let own = format!("X-Postvakt-Id: {}; mac=", record["record"].as_str().unwrap());
    assert!(delivered.contains(&own), "{delivered}");
    assert_eq!(lab.record_of(&reply), record, "a release is no second message");
}

#[test]
fn reroute_and_remove_recipient_change_who_gets_the_mail() {
    for (action, instead) in [("reroute", Some("registrator@exempelby.se")), ("remove-recipient", None)] {
        let lab = Lab::start(&forwarding(action));
        let reply = lab.inside().send(ANNA, &[PRIVATE, "info@exempelby.se"], &forward(PRIVATE));
        assert_eq!(lab.record_of(&reply)["verdict"], "marked", "{action}");
        let kept = lab.delivered("info@exempelby.se", 1).remove(0);
        assert!(kept.contains("X-Postvakt-Auto-Forward: certain;"), "{action}: {kept}");
        if let Some(instead) = instead {
            lab.delivered(instead, 1);
        }
        until("an empty queue", &lab, || lab.postfix.queue().is_empty().then_some(()));
        assert!(lab.postfix.mailbox(PRIVATE).is_empty(), "{action}");
    }
}

#[test]
fn a_rule_of_the_config_acts_on_attachment_names() {
    let program = "MIME-Version: 1.0\nContent-Type: application/octet-stream; name=faktura.EXE\n";
    let when = r#"direction = "inbound", attachment_name = '(?i)\.exe$'"#;
    for (action, verdict, begins) in
        [("mark", "marked", "250 "), ("hold", "held", "250 "), ("reject", "rejected", "550 5.7.1 ")]
    {
        let lab = Lab::start(&custom(when, action));
        let reply = lab.outside().send(CITIZEN, &[ANNA], &message(CITIZEN, ANNA, "faktura", program));
        assert!(reply.starts_with(begins), "{action}: {reply}");
        let record = lab.records(1).remove(0);
        assert_eq!(record["verdict"], verdict);
        assert!(record["findings"].to_string().contains("custom.no-exe="), "{record}");
        assert!(record["attachments"].to_string().contains("faktura.EXE"), "{record}");
        // The other direction is none of its business.
        let reply = lab.inside().send(ANNA, &[CITIZEN], &message(ANNA, CITIZEN, "faktura", program));
        assert_eq!(lab.record_of(&reply)["verdict"], "accepted");
        lab.delivered(CITIZEN, 1);
        match action {
            "mark" => drop(lab.delivered(ANNA, 1)),
            "hold" => assert_eq!(lab.postfix.held().len(), 1),
            _ => assert!(lab.postfix.mailbox(ANNA).is_empty()),
        }
    }
}

#[test]
fn observing_changes_nothing_and_says_what_it_would() {
    let lab = Lab::start("[rules.auto-forward]\nmode = \"observe\"\naction = \"reject\"\n");
    let reply = lab.inside().send(ANNA, &[PRIVATE], &forward(PRIVATE));
    let record = lab.record_of(&reply);
    assert_eq!(record["verdict"], "accepted");
    assert!(record["would"].to_string().contains("auto-forward=would_reject"), "{record}");
    let delivered = lab.delivered(PRIVATE, 1).remove(0);
    assert!(!delivered.contains("X-Postvakt-Auto-Forward"), "{delivered}");
}

#[test]
fn a_bounce_with_the_null_sender_is_never_refused() {
    // The second rule would refuse just that; the bounce waits for a person then, and is not lost.
    for (subject, verdict) in [("^no such subject", "accepted"), ("^Undelivered Mail", "held")] {
        let lab = Lab::start(&custom(&format!("subject = '{subject}'"), "reject"));
        let nobody = "finns-inte@example.org";
        let reply = lab.inside().send(ANNA, &[nobody], &message(ANNA, nobody, "retur", ""));
        assert_eq!(lab.record_of(&reply)["verdict"], "accepted");
        let record = until("the bounce's record", &lab, || lab.postvakt.search(&["--sender", "<>"]).pop());
        assert_eq!((&record["verdict"], &record["sender"]), (&json!(verdict), &json!("<>")));
        assert_eq!(record["recipients"], json!([ANNA]));
        if verdict == "held" {
            lab.postfix.release(record["queue_id"].as_str().unwrap());
        }
        let returned = lab.delivered(ANNA, 1).remove(0);
        assert!(returned.contains("\nSubject: Undelivered Mail Returned to Sender\n"), "{returned}");
        assert!(returned.contains(record["record"].as_str().unwrap()), "{returned}");
    }
}

#[test]
fn forged_fields_are_deleted_or_the_mail_is_rejected() {
    let lab = Lab::start("");
    let forging = |count: usize| {
        let fields: String = (0..count)
            .map(|n| ["X-Spam-Flag: NO\n", "X-Postvakt-Id: forged\n", "X-Spam-Level:\n"][n % 3])
            .collect();
        lab.outside().send(CITIZEN, &[ANNA], &message(CITIZEN, ANNA, "äkta", &fields))
    };
    let most = postvakt::limits::FORGED_FIELDS;
    let reply = forging(most);
    assert_eq!(lab.record_of(&reply)["verdict"], "accepted");
    let delivered = lab.delivered(ANNA, 1).remove(0);
    assert!(!delivered.contains("forged") && !delivered.contains("X-Spam"), "{delivered}");
    for count in [most + 1, 4_900] {
        let reply = forging(count);
        assert!(reply.starts_with("550 5.7.1 Brevhuvudet"), "{reply}\n{lab}");
    }
    let rejected = lab.postvakt.search(&["--verdict", "rejected"]);
    assert_eq!(rejected.len(), 2);
    for record in rejected {
        assert_eq!(record["findings"], json!(["forged-fields=certain"]), "{record}");
    }
    assert_eq!(lab.postvakt.metric("postvakt_limits_exceeded_total{limit=\"forged_fields\"}"), 2);
    assert_eq!(lab.postfix.count(ANNA), 1);
}
