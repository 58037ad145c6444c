//! Every reason not to answer, by what other programs test and by what they get wrong.

use super::*;
use crate::address::Domain;
use crate::facts::authentication::{Authentication, Chain, Dkim, Dmarc, Outcome, Policy, Spf, SpfIdentity};
use crate::facts::testing::from_outside;

const HUMAN: &str =
    "From: Kim <x@example.org>\nTo: registrator@exempelby.se\nSubject: Ansökan\nMessage-ID: <1@example.org>";

fn rule() -> Receipt {
    Receipt { require_authentication: false, heed: vec![Suppress::All, Suppress::AutoReply] }
}

/// The reason for a mail of `x@example.org` with these fields more.
fn reason(more: &str) -> &'static str {
    reason_for("x@example.org", &format!("{HUMAN}\n{more}"))
}

fn reason_for(sender: &str, header: &str) -> &'static str {
    let facts = from_outside(sender, "registrator@exempelby.se", header.trim_end());
    rule().suppression(&facts).map_or("", Suppression::as_str)
}

#[test]
fn a_persons_mail_is_answered() {
    for more in [
        "",
        // RFC 3834 §5: the keyword, whatever its case, and whatever stands around it.
        "Auto-Submitted: no",
        "Auto-Submitted: NO",
        "Auto-Submitted: No",
        "Auto-Submitted: no (typed by a person)",
        "Auto-Submitted: (typed) no",
        "Auto-Submitted: no (a (nested) comment)",
        "Auto-Submitted: no (with \\) a bracket)",
        "Auto-Submitted: no; x=y",
        "Auto-Submitted: no ; x=\"auto-replied\"",
        "Auto-Submitted:\n no",
        "Auto-Submitted: no\n (folded)",
        "Auto-Submitted: no\nAuto-Submitted: no",
        // Whole organisations put these on what people write.
        "X-Auto-Response-Suppress: DR, RN, NRN, OOF",
        "X-Auto-Response-Suppress: None",
        "X-Auto-Response-Suppress: OOF",
        // Not a case of one of ours.
        "Precedence: normal",
        "Precedence: first-class",
        "Precedence: special-delivery",
        "X-POST-MessageClass: 1",
        "Delivered-To: registrator@exempelby.se",
        "In-Reply-To: <receipt.1@exempelby.se>",
        "In-Reply-To: <receipt.00000000000000000000000000000000@example.org>",
        "Content-Type: multipart/mixed; boundary=x",
        // A copy: the mailbox is a service, and need not be named in To.
        "X-Forwarded-Encrypted: i=1; abc@example.org",
    ] {
        assert_eq!(reason(more), "", "{more}");
    }
    for subject in [
        "Autosvar fungerar inte",
        "Fråga om frånvaro",
        "SV: Ansökan",
        "Out of officefrågor",
        "Frånvaro: Lisa 4B",
        "Auto: övergiven bil",
    ] {
        assert_eq!(
            reason_for("x@example.org", &format!("From: x@example.org\nSubject: {subject}")),
            "",
            "{subject}"
        );
    }
    assert_eq!(
        reason_for("x@example.org", "From: x@example.org"),
        "",
        "a mail without Message-ID is a case too"
    );
}

#[test]
fn what_says_that_a_program_wrote_it_is_not_answered() {
    for (more, expected) in [
        ("Auto-Submitted: auto-generated", "auto-submitted"),
        ("Auto-Submitted: auto-replied", "auto-submitted"),
        ("Auto-Submitted: AUTO-REPLIED (vacation)", "auto-submitted"),
        ("Auto-Submitted: auto-notified; owner-email=\"x@example.org\"", "auto-submitted"),
        ("Auto-Submitted: auto-forwarded", "auto-submitted"),
        ("Auto-Submitted: yes", "auto-submitted"),
        ("Auto-Submitted: nothing", "auto-submitted"),
        ("Auto-Submitted: no, auto-replied", "auto-submitted"),
        ("Auto-Submitted: (no) auto-replied", "auto-submitted"),
        ("Auto-Submitted: no\nAuto-Submitted: auto-replied", "auto-submitted"),
        ("auto-submitted:\n auto-replied", "auto-submitted"),
        ("X-Auto-Response-Suppress: All", "response-suppress"),
        ("X-Auto-Response-Suppress: all", "response-suppress"),
        ("X-Auto-Response-Suppress: RN, AutoReply", "response-suppress"),
        ("X-Auto-Response-Suppress: DR, RN, OOF, AutoReply", "response-suppress"),
        ("X-Auto-Response-Suppress: DR,AUTOREPLY,RN", "response-suppress"),
        ("X-Auto-Response-Suppress: DR\nX-Auto-Response-Suppress: All", "response-suppress"),
        ("Precedence: bulk", "precedence"),
        ("Precedence: JUNK", "precedence"),
        ("Precedence: list", "precedence"),
        ("Precedence: auto_reply", "precedence"),
        ("X-Precedence: bulk", "precedence"),
        ("List-Id: <nyheter.example.org>", "list"),
        ("List-Help: <mailto:x@example.org>", "list"),
        ("List-Subscribe: <mailto:x@example.org>", "list"),
        ("List-Unsubscribe: <mailto:x@example.org>", "list"),
        ("List-Post: NO", "list"),
        ("List-Owner: <mailto:x@example.org>", "list"),
        ("List-Archive: <https://example.org/>", "list"),
        ("Mailing-List: list nyheter@example.org", "list"),
        ("X-Loop: x@example.org", "loop"),
        ("X-Loop: yes", "loop"),
        ("X-No-Loop: yes", "loop"),
        ("X-OTRS-Loop: yes", "loop"),
        ("X-RT-Loop-Prevention: example.org", "loop"),
        ("X-MC-System: yes", "loop"),
        ("X-Postvakt-Loop: registrator@exempelby.se", "loop"),
        ("X-Autoreply: yes", "machine"),
        ("X-Autorespond: vacation", "machine"),
        ("X-AutoReply-From: x@example.org", "machine"),
        ("X-Mail-Autoreply: yes", "machine"),
        ("X-Autogenerated: Reply", "machine"),
        ("X-FC-MachineGenerated: true", "machine"),
        ("X-POST-MessageClass: 9; Autoresponder", "machine"),
        ("X-Facebook-Notify: comment", "machine"),
        ("X-Amazon-Mail-Relay-Type: notification", "machine"),
        ("Delivered-To: Autoresponder", "machine"),
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=x", "report"),
        ("Content-Type: Multipart/Report; report-type=disposition-notification; boundary=x", "report"),
        ("Content-Type: message/disposition-notification", "report"),
        ("X-Failed-Recipients: y@example.net", "report"),
        ("In-Reply-To: <receipt.00000000000000000000000000000000@exempelby.se>", "reply-to-receipt"),
        (
            "References: <0@example.org> <receipt.0123456789abcdef0123456789abcdef@exempelby.se>",
            "reply-to-receipt",
        ),
        ("In-Reply-To: receipt.0123456789abcdef0123456789abcdef@exempelby.se", "reply-to-receipt"),
        ("In-Reply-To: <RECEIPT.0123456789ABCDEF0123456789ABCDEF@EXEMPELBY.SE>", "reply-to-receipt"),
        ("In-Reply-To: <receipt.0123456789abcdef01234567\n 89abcdef@exempelby.se>", "reply-to-receipt"),
        (
            "In-Reply-To: =?utf-8?Q?=3Creceipt.0123456789abcdef0123456789abcdef=40exempelby.se=3E?=",
            "reply-to-receipt",
        ),
        (
            "In-Reply-To: <0@example.org>\nIn-Reply-To: <receipt.0123456789abcdef0123456789abcdef@exempelby.se>",
            "reply-to-receipt",
        ),
    ] {
        assert_eq!(reason(more), expected, "{more}");
    }
}

#[test]
fn subjects_that_only_programs_write_are_not_answered() {
    for subject in [
        "Autosvar: Ansökan",
        "=?utf-8?Q?SV=3A_Autosvar=3A_Ans=C3=B6kan?=",
        "Automatic reply: Ansökan",
        "Out of Office: Ansökan",
        "Undeliverable: Ansökan",
        "Undelivered Mail Returned to Sender",
        "Frånvaro: Ansökan\nIn-Reply-To: <0@exempelby.se>",
        "Ej på plats: Ansökan\nX-Auto-Response-Suppress: OOF",
        "Delivery Status Notification (Failure)",
        "Mail delivery failed: returning message to sender",
    ] {
        let header = format!("From: x@example.org\nSubject: {subject}");
        assert_eq!(reason_for("x@example.org", &header), "automatic-subject", "{subject}");
    }
}

#[test]
fn senders_that_are_nobody_ourselves_or_programs_are_not_answered() {
    for (sender, from, expected) in [
        ("<>", "x@example.org", "null-sender"),
        ("\"a b\"@example.org", "x@example.org", "odd-sender"),
        ("registrator@exempelby.se", "x@example.org", "own-address"),
        ("REGISTRATOR@Exempelby.SE", "x@example.org", "own-address"),
        ("x@example.org", "anna@exempelby.se", "own-address"),
        ("MAILER-DAEMON@example.org", "x@example.org", "daemon"),
        ("postmaster@example.org", "x@example.org", "daemon"),
        ("no-reply@example.org", "x@example.org", "daemon"),
        ("x@example.org", "NoReply <noreply@example.org>", "daemon"),
        ("nyheter-request@example.org", "x@example.org", "daemon"),
        ("owner-nyheter@example.org", "x@example.org", "daemon"),
        ("fault-requests@example.org", "fault-requests@example.org", ""),
        ("x@example.org", "x@example.org", ""),
    ] {
        assert_eq!(reason_for(sender, &format!("From: {from}")), expected, "{sender} {from}");
    }
}

#[test]
fn the_admin_says_which_words_are_heeded() {
    let facts = from_outside(
        "x@example.org",
        "registrator@exempelby.se",
        &format!("{HUMAN}\nX-Auto-Response-Suppress: OOF, AutoReply"),
    );
    let heeding = |heed: &[Suppress]| Receipt { heed: heed.to_vec(), ..rule() }.suppression(&facts).is_some();
    assert!(heeding(&[Suppress::AutoReply]) && heeding(&[Suppress::OutOfOffice]));
    assert!(!heeding(&[Suppress::All]) && !heeding(&[]));
}

/// What the four methods say: SPF (result, domain, whether From's), a signature, DMARC (result, From's domain).
fn known(
    spf: (Outcome, &str, bool),
    dkim: Option<(Outcome, &str, bool)>,
    dmarc: (Outcome, &str),
) -> Fact<Authentication> {
    let dkim = dkim.map(|(result, domain, aligned)| Dkim {
        result,
        domain: Some(Domain::new(domain)),
        selector: "s".into(),
        aligned,
    });
    Fact::Known(Authentication {
        spf: Spf {
            result: spf.0,
            identity: SpfIdentity::MailFrom,
            domain: Domain::new(spf.1),
            aligned: spf.2,
        },
        dkim: dkim.into_iter().collect(),
        dmarc: Dmarc { result: dmarc.0, policy: Policy::Reject, domain: Some(Domain::new(dmarc.1)) },
        helo: None,
        left_out: 0,
        shown: Vec::new(),
        arc: Chain::default(),
    })
}

#[test]
fn nobody_is_answered_for_whom_nobody_vouches() {
    use Outcome::{Fail, None as Nothing, Pass, SoftFail, TempError};
    let own = "example.org";
    for (sender, authentication, expected) in [
        ("x@example.org", known((Pass, own, true), None, (Pass, own)), ""),
        ("x@example.org", known((Fail, own, true), Some((Pass, own, true)), (Pass, own)), ""),
        (
            "x@mail.example.org",
            known((SoftFail, "mail.example.org", true), Some((Pass, own, true)), (Pass, own)),
            "",
        ),
        // No DMARC record: SPF or a signature of that very domain.
        ("x@example.org", known((Pass, own, true), None, (Nothing, own)), ""),
        ("x@example.org", known((Nothing, own, false), Some((Pass, own, true)), (Nothing, own)), ""),
        // Sent by a service that may: From's domain signs, the service's own domain is in the envelope and passes SPF.
        (
            "anna.bounce@service.example.net",
            known((Pass, "service.example.net", false), Some((Pass, own, true)), (Pass, own)),
            "",
        ),
        // A forged sender: SPF fails, DMARC fails, or there is no DMARC record.
        ("victim@example.org", known((Fail, own, true), None, (Fail, own)), "unauthenticated"),
        ("victim@example.org", known((SoftFail, own, true), None, (Nothing, own)), "unauthenticated"),
        ("victim@example.org", known((Nothing, own, false), None, (Nothing, own)), "unauthenticated"),
        // The forger's own name in From, and DMARC passes for that; the victim's in the envelope.
        (
            "victim@example.org",
            known((Fail, own, false), Some((Pass, "example.net", true)), (Pass, "example.net")),
            "unauthenticated",
        ),
        // The forger's own envelope passes SPF; From is forged.
        ("forger@example.net", known((Pass, "example.net", false), None, (Fail, own)), "unauthenticated"),
        ("forger@example.net", known((Pass, "example.net", false), None, (Nothing, own)), "unauthenticated"),
        ("x@example.org", known((TempError, own, true), None, (Nothing, own)), "authentication-unavailable"),
        ("x@example.org", known((Fail, own, true), None, (TempError, own)), "authentication-unavailable"),
        ("x@example.org", Fact::Unavailable(Cause::Dns), "authentication-unavailable"),
        ("x@example.org", Fact::NotGathered, "authentication-unavailable"),
    ] {
        let mut facts = from_outside(sender, "registrator@exempelby.se", HUMAN);
        facts.authentication = authentication;
        let strict = Receipt { require_authentication: true, ..rule() };
        let words = format!("{sender} {:?}", facts.authentication);
        assert_eq!(strict.suppression(&facts).map_or("", Suppression::as_str), expected, "{words}");
        assert_eq!(rule().suppression(&facts), None, "{words}");
    }
}
