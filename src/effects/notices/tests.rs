//! What is written, to whom, and under which key.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::*;
use crate::facts::testing::{from_inside, from_outside};
use crate::policy::Mode;
use crate::policy::receipts::Mailbox;
use crate::settings::files::NamedFile;
use crate::templates::{Occasion, Texts};

fn settings() -> NoticeSettings {
    NoticeSettings {
        notices_from: Address::parse("postmaster@exempelby.se").unwrap(),
        texts: Texts::default(),
        time_zone: TimeZone::get("Europe/Stockholm").unwrap(),
        max_age: Duration::from_hours(72),
        authorities: Vec::new(),
    }
}

fn notice(to: &str, once: &str) -> Step {
    Step::Notify(Notice {
        occasion: Occasion::ForwardStopped,
        to: Address::parse(to).unwrap(),
        once: once.to_owned(),
        fields: vec![
            ("target", "anna@example.net\r\nBcc: x@example.net".to_owned()),
            ("action", "held".to_owned()),
            ("reroute_to", String::new()),
        ],
        answerable: false,
    })
}

fn outgoing_of(steps: Vec<Step>, settings: &NoticeSettings) -> Outgoing {
    let facts = from_inside("anna@exempelby.se", "anna@example.net", "From: anna@exempelby.se");
    outgoing(&facts, &Decision { steps, ..Decision::default() }, settings, false)
}

#[test]
fn a_notice_is_one_letter_to_someone_inside() {
    let once = "anna@exempelby.se anna@example.net 2026-03-02";
    let Outgoing { rows, faults } = outgoing_of(vec![notice("anna@exempelby.se", once)], &settings());
    assert_eq!((rows.len(), faults), (1, Vec::new()));
    let row = &rows[0];
    assert_eq!((row.kind, &*row.recipient, row.due), (OutboxKind::Notice, "anna@exempelby.se", row.at));
    assert!(row.reference.starts_with("PN-2026-") && row.reference.len() == 14, "{}", row.reference);
    for line in ["Auto-Submitted: auto-generated", "X-Auto-Response-Suppress: All", "To: <anna@exempelby.se>"]
    {
        assert!(row.message.contains(&format!("\r\n{line}\r\n")), "{}", row.message);
    }
    let (header, body) = row.message.split_once("\r\n\r\n").unwrap();
    assert!(!header.contains("Bcc") && !header.contains("In-Reply-To"), "{header}");
    assert!(body.contains("anna@example.net  Bcc: x@example.net"), "{body}");
    let again = outgoing_of(vec![notice("anna@exempelby.se", once)], &settings());
    assert_eq!(again.rows[0].key, row.key);
    let other = outgoing_of(vec![notice("anna@exempelby.se", "another day")], &settings());
    assert_ne!(other.rows[0].key, row.key);
}

#[test]
fn nobody_outside_gets_a_notice() {
    let Outgoing { rows, faults } = outgoing_of(vec![notice("anna@example.net", "")], &settings());
    assert_eq!((rows.len(), faults.len()), (0, 1));
}

#[test]
fn a_letter_about_mail_that_leaves_little_has_no_subject() {
    let facts = from_inside("anna@exempelby.se", "anna@example.net", "From: anna@exempelby.se");
    let to = Address::parse("anna@exempelby.se").unwrap();
    let fields = vec![("subject", "Anmälan".to_owned()), ("action", "held".to_owned())];
    let notice =
        Notice { occasion: Occasion::LargeAttachment, to, once: "1".into(), fields, answerable: false };
    let decision = Decision { steps: vec![Step::Notify(notice)], ..Decision::default() };
    let message = |less| outgoing(&facts, &decision, &settings(), less).rows.remove(0).message;
    assert!(message(false).contains("Anm=C3=A4lan") && !message(true).contains("Anm=C3=A4lan"));
}

#[test]
fn a_text_that_fails_on_a_mail_is_replaced_by_ours() {
    let mut own = settings();
    let text = "Subject: a\n\n{{ 1 // (target|length - 43) }}{{ mailbox }}\n".to_owned();
    let file = NamedFile { name: "own.txt".to_owned(), text };
    own.texts.set(crate::templates::Template::parse(Occasion::ForwardStopped, &file).unwrap());
    let target = Step::Notify(match notice("anna@exempelby.se", "") {
        Step::Notify(notice) => {
            Notice { fields: vec![("target", "a".repeat(43)), ("action", "held".to_owned())], ..notice }
        }
        _ => unreachable!(),
    });
    let Outgoing { rows, faults } = outgoing_of(vec![target], &own);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(rows[0].message.contains("\r\nSubject: Vidarebefordran"), "{}", rows[0].message);
}

#[test]
fn a_notice_speaks_in_the_name_of_the_readers_authority() {
    let mut facts = from_inside("anna@exempelby.se", "anna@example.net", "From: anna@exempelby.se");
    let mut own = crate::organisation::Organisation::clone(&facts.organisation);
    let number = own.authorities.add("Socialnämnden".to_owned());
    own.authorities.give_address(number, Address::parse("anna@exempelby.se").unwrap()).unwrap();
    facts.organisation = std::sync::Arc::new(own);
    let from = Address::parse("sn@exempelby.se").unwrap();
    let voice = crate::notice::Voice { from, texts: Texts::default() };
    let settings = NoticeSettings { authorities: vec![voice], ..settings() };
    let steps = ["anna@exempelby.se", "bo@exempelby.se"].map(|to| notice(to, to)).to_vec();
    let Outgoing { rows, .. } =
        outgoing(&facts, &Decision { steps, ..Decision::default() }, &settings, false);
    let from: Vec<&str> = rows.iter().map(|row| &*row.mailbox).collect();
    assert_eq!(from, ["sn@exempelby.se", "postmaster@exempelby.se"]);
    assert!(
        rows[0].message.contains("Socialn=C3=A4mnden") && !rows[1].message.contains("Socialn=C3=A4mnden")
    );
}

#[test]
fn a_receipt_has_the_name_of_the_mailboxs_authority_unless_the_mailbox_has_one() {
    let receiver = "soc@exempelby.se";
    let mut facts = from_outside("kim@example.org", receiver, "From: kim@example.org");
    let mut own = crate::organisation::Organisation::clone(&facts.organisation);
    let number = own.authorities.add("Board".to_owned());
    own.authorities.give_address(number, Address::parse(receiver).unwrap()).unwrap();
    facts.organisation = std::sync::Arc::new(own);
    let letter = |address: &str, name: Option<&str>| {
        let mailbox = Mailbox {
            address: Address::parse(address).unwrap(),
            name: name.map(str::to_owned),
            template: Template::shipped(Occasion::Receipt),
        };
        let receipt = Receipt {
            mailbox: std::sync::Arc::new(mailbox),
            mode: Mode::Enforce,
            suppression: None,
            waits: false,
            key: [1; 16],
            reference: "PV-2026-7K3M9Q".to_owned(),
            delay: Duration::ZERO,
            echo_subject: false,
            repeated: false,
        };
        let decision = Decision { receipts: vec![receipt], ..Decision::default() };
        outgoing(&facts, &decision, &settings(), false).rows.remove(0).message
    };
    let from = |message: &str| message.lines().find(|line| line.starts_with("From: ")).unwrap().to_owned();
    assert!(from(&letter(receiver, None)).contains("Board <soc@exempelby.se>"));
    assert!(from(&letter(receiver, Some("Desk"))).contains("Desk <soc@exempelby.se>"));
    assert!(!letter("registrator@exempelby.se", None).contains("Board"));
}
