//! The actions of rules as Postfix carries them out: held with a notice, other recipients, other header fields.

use crate::lab::{Lab, message};

const ANNA: &str = "anna@exempelby.se";
const CITIZEN: &str = "x@example.org";

fn told(mail: &str) -> bool {
    mail.contains("Auto-Submitted: auto-generated")
}

#[test]
fn a_suspicious_attachment_is_held_and_its_recipient_is_told() {
    let lab = Lab::start("[rules.suspicious-attachment]\nmode = \"enforce\"\naction = \"hold\"\n");
    let program = "MIME-Version: 1.0\nContent-Type: application/octet-stream; name=faktura.exe\n";
    let reply = lab.outside().send(CITIZEN, &[ANNA], &message(CITIZEN, ANNA, "faktura", program));
    let record = lab.record_of(&reply);
    assert_eq!(record["verdict"], "held");
    assert_eq!(lab.postfix.held().len(), 1);
    let notice = lab.delivered(ANNA, 1).remove(0);
    assert!(told(&notice) && notice.contains(CITIZEN), "{notice}");
    assert!(notice.contains(&lab.postfix.held()[0]), "the notice names the queue id: {notice}");
}

#[test]
fn other_recipients_header_fields_and_subject() {
    let rules = r#"[rules.custom.invoices]
when = { direction = "inbound", recipient = '^anna@', subject = '(?i)faktura' }
mode = "enforce"
suspicious = false
subject_tag = "[FAKTURA]"
add_header = { "X-Exempelby-Kontroll" = "faktura", Importance = "high" }
remove_header = ["X-Mailer", "Disposition-Notification-To"]
reroute_to = "registrator@exempelby.se"
bcc = "info@exempelby.se"
notify = ["owner"]
message = { sv = "Fakturor läggs hos registratorn.", en = "Invoices go to the registrar." }
[external_sender]
"#;
    let lab = Lab::start(rules);
    let bo = "postmaster@exempelby.se";
    let fields =
        "X-Mailer: a\nX-Other: kept\nX-MAILER: b\nX-Exempelby-Kontroll: forged\nX-Postvakt-External: no\n";
    let text = message(CITIZEN, ANNA, "Faktura 7", fields);
    let reply = lab.outside().send(CITIZEN, &[ANNA, bo], &text);
    let record = lab.record_of(&reply);
    assert_eq!(record["verdict"], "marked");
    // The log has the recipients that the sender named.
    assert!(record["recipients"].to_string().contains(ANNA), "{record}");
    for mailbox in ["registrator@exempelby.se", "info@exempelby.se", bo] {
        let mail = lab.delivered(mailbox, 1).remove(0);
        assert!(mail.contains("Subject: [FAKTURA] Faktura 7\n"), "{mail}");
        assert!(mail.contains("X-Postvakt-Original-Subject: Faktura 7\n"), "{mail}");
        assert!(
            mail.contains("X-Exempelby-Kontroll: faktura\n") && mail.contains("Importance: high\n"),
            "{mail}"
        );
        assert!(mail.contains("X-Postvakt-External: yes\n") && mail.contains("X-Other: kept\n"), "{mail}");
        for gone in ["X-Mailer", "X-MAILER", "forged", "X-Postvakt-Suspicious", "External: no"] {
            assert!(!mail.contains(gone), "{gone}: {mail}");
        }
    }
    let notice = lab.delivered(ANNA, 1).remove(0);
    assert!(told(&notice), "{notice}");
    // A second one on the same day: she is told no more, and mail that the rule does not fit is only marked as external.
    let reply = lab.outside().send(CITIZEN, &[ANNA], &message(CITIZEN, ANNA, "Faktura 8", ""));
    assert_eq!(lab.record_of(&reply)["verdict"], "marked");
    let forged = message(CITIZEN, ANNA, "Hej", "X-Exempelby-Kontroll: forged\n");
    let reply = lab.outside().send(CITIZEN, &[ANNA], &forged);
    assert_eq!(lab.record_of(&reply)["verdict"], "accepted");
    let both = lab.delivered(ANNA, 2);
    let hello = both.iter().find(|mail| !told(mail)).unwrap();
    assert!(hello.contains("X-Postvakt-External: yes\n") && !hello.contains("forged"), "{hello}");
    lab.delivered("registrator@exempelby.se", 2);
}

#[test]
fn a_rejection_in_the_rules_own_words() {
    let rules = r#"[rules.custom.programs]
when = { direction = "inbound", attachment_name = '(?i)\.exe$', not = { any = [{ sender = '@example\.com$' }, { recipient = '^info@' }] } }
mode = "enforce"
action = "reject"
message = { sv = "Programfiler tas inte emot. Använd https://exempelby.se/filer", en = "Programs are not accepted.", status = "5.7.0" }
notify = ["info@exempelby.se"]
"#;
    let lab = Lab::start(rules);
    let program = "MIME-Version: 1.0\nContent-Type: application/octet-stream; name=faktura.exe\n";
    let text = message(CITIZEN, ANNA, "faktura", program);
    let reply = lab.outside().send(CITIZEN, &[ANNA], &text);
    let words = "550 5.7.0 Programfiler tas inte emot. Anvand https://exempelby.se/filer (Programs are not accepted.) [";
    assert!(reply.starts_with(words), "{reply}");
    assert!(told(&lab.delivered("info@exempelby.se", 1)[0]));
    assert!(lab.postfix.mailbox(ANNA).is_empty());
    for (sender, recipient) in [("y@example.com", ANNA), (CITIZEN, "info@exempelby.se")] {
        let reply = lab.outside().send(sender, &[recipient], &message(sender, recipient, "faktura", program));
        assert_eq!(lab.record_of(&reply)["verdict"], "accepted", "{sender} {recipient}");
    }
}
