//! Real rspamd, SpamAssassin and ClamAV behind a real Postfix: scored, marked, stopped; gone, and there again.

use std::thread;

use super::daemons::{Daemon, eicar, gtube};
use super::fields;
use crate::lab::{Lab, until};

const CITIZEN: &str = "medborgare@example.org";
const ANNA: &str = "anna@exempelby.se";
const INFO: &str = "info@exempelby.se";

fn letter(subject: &str, body: &str) -> String {
    format!(
        "From: Medborgare <{CITIZEN}>\nTo: <{ANNA}>\nSubject: {subject}\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n\
         Message-ID: <{subject}@example.org>\n\n{body}\n"
    )
}

#[test]
fn real_scanners_score_mark_stop_and_come_back() {
    // They take seconds to start; side by side, and once for all that is to be seen.
    let starting = thread::spawn(Daemon::spamd);
    let starting_too = thread::spawn(Daemon::rspamd);
    let mut clamd = Daemon::clamd();
    let (mut spamd, mut rspamd) = (starting.join().unwrap(), starting_too.join().unwrap());
    let lab = Lab::start(&format!(
        "[dns]\nservers = [\"127.0.0.1:9\"]\n\
         [scanners.rspamd]\naddress = \"127.0.0.1:{}\"\ndeadline = \"30 s\"\n\
         [scanners.spamassassin]\naddress = \"127.0.0.1:{}\"\ndeadline = \"30 s\"\n\
         [scanners.clamav]\naddress = \"127.0.0.1:{}\"\ndeadline = \"30 s\"\nsize_at_most = \"1 MB\"\n\
         [rules.spam]\nmode = \"enforce\"\n[rules.virus]\nmode = \"enforce\"\naction = \"reject\"\n",
        rspamd.port, spamd.port, clamd.port
    ));
    let mut smtp = lab.outside();
    let send = |smtp: &mut crate::lab::client::Smtp, subject: &str, body: &str, to: &str| {
        smtp.send(CITIZEN, &[to], &letter(subject, body))
    };

    let reply = send(&mut smtp, "hej", "En fraga om bygglov.", INFO);
    assert_eq!(lab.record_of(&reply)["verdict"], "accepted", "{reply}");
    let ham = lab.delivered(INFO, 1).remove(0);
    assert!(
        fields(&ham, "X-Spam-Flag").is_empty() && fields(&ham, "X-Postvakt-Spam-Check").is_empty(),
        "{ham}"
    );

    let reply = send(&mut smtp, "spam", &gtube(), ANNA);
    assert_eq!(lab.record_of(&reply)["verdict"], "marked", "{reply}");
    let spam = lab.delivered(ANNA, 1).remove(0);
    let status = &fields(&spam, "X-Spam-Status")[0];
    assert!(status.starts_with("Yes, ") && status.contains("tests=rspamd,spamassassin"), "{status}");
    assert!(fields(&spam, "Subject")[0].ends_with("?= spam"), "{spam}");

    let reply = send(&mut smtp, "virus", &eicar(), ANNA);
    assert!(reply.starts_with("550 5.7.1 ") && !reply.contains("Postvakt.Test-File"), "{reply}");
    let stopped = lab.postvakt.search(&["--rule", "virus"]).remove(0);
    assert_eq!(stopped["verdict"], "rejected");

    // Without ClamAV mail waits at its client; without the others it passes, and says that nobody looked.
    clamd.down();
    let reply = send(&mut smtp, "utan", "Hej.", INFO);
    assert!(reply.starts_with("451 4.7.1 "), "{reply}");
    clamd.up();
    until("ClamAV again", &lab, || send(&mut smtp, "med", "Hej.", INFO).starts_with("250").then_some(()));
    rspamd.down();
    spamd.down();
    for number in 0..6 {
        send(&mut smtp, &format!("nere{number}"), &gtube(), "registrator@exempelby.se");
    }
    let unscanned = lab.delivered("registrator@exempelby.se", 6);
    assert!(
        unscanned
            .iter()
            .all(|mail| fields(mail, "X-Postvakt-Spam-Check")[0].starts_with("not-scanned; reason="))
    );
    assert!(unscanned.iter().all(|mail| fields(mail, "X-Spam-Flag").is_empty()));
    spamd.up();
    rspamd.up();
    // After a pause one mail tries, and then all are scanned again; nobody restarted anything.
    until("scanners again", &lab, || {
        let reply = send(&mut smtp, "igen", &gtube(), ANNA);
        (lab.record_of(&reply)["verdict"] == "marked").then_some(())
    });
}
