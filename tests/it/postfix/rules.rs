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
