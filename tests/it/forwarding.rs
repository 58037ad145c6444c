//! Automatic forwarding as it happens: a gateway with the filter, a mailbox server behind it, and each mechanism that
//! such a server has. The citizen's mail comes in, a copy stays inside, and nothing leaves.

mod whose;

use crate::lab::mailstore::MailStore;
use crate::lab::{Directory, Lab, message, queue_id, until};

const CITIZEN: &str = "x@example.org";
const PRIVATE: &str = "privat@example.net";
const RULES: &str = "[rules.auto-forward]\nmode = \"enforce\"\n";

/// Both servers. The mailbox server stops first.
struct Town {
    store: MailStore,
    lab: Lab,
}

impl Town {
    fn start(scripts: &[(&str, &str)], aliases: &str) -> Self {
        Self::start_with(RULES, scripts, aliases, |_| Vec::new())
    }

    /// As [`Town::start`], with other rules, and settings of the gateway's Postfix from the port of the mailbox server.
    fn start_with(
        rules: &str,
        scripts: &[(&str, &str)],
        aliases: &str,
        settings: impl FnOnce(u16) -> Vec<String>,
    ) -> Self {
        let directory = Directory::new();
        let home = directory.path.clone();
        let lab = Lab::start_with(directory, rules, |postfix| {
            let store = MailStore::start(&home, postfix.ports.smtp, scripts, aliases);
            // Later lines of main.cf hold.
            postfix.amend(
                &format!(
                    "virtual_mailbox_domains =\nrelay_domains = exempelby.se\n\
                     transport_maps = inline:{{ {{exempelby.se = smtp:[127.0.0.1]:{}}} }}\n",
                    store.port
                ),
                "smtp unix - - n - - smtp\n",
            );
            let settings = settings(store.port);
            if !settings.is_empty() {
                postfix.set(&settings);
            }
            store
        });
        let (lab, store) = lab;
        Self { store, lab }
    }

    /// A citizen's mail to somebody inside.
    fn citizen_writes(&self, to: &str, number: u32) -> String {
        let dated =
            format!("Message-ID: <{number}@example.org>\nDate: Mon, 02 Mar 2026 10:00:0{number} +0100\n");
        let reply = self.lab.outside().send(CITIZEN, &[to], &message(CITIZEN, to, "ansökan", &dated));
        assert_eq!(self.lab.record_of(&reply)["verdict"], "accepted");
        queue_id(&reply)
    }

    /// The records of mail that was held, once there are that many; nothing has left for the private mailbox.
    fn held(&self, count: usize) -> Vec<serde_json::Value> {
        let held = until(&format!("{count} held"), &self.lab, || {
            let held = self.lab.postvakt.search(&["--verdict", "held"]);
            (held.len() >= count).then_some(held)
        });
        assert_eq!(held.len(), count, "{held:#?}");
        assert_eq!(self.lab.postfix.count(PRIVATE), 0);
        for record in &held {
            assert_eq!(record["findings"].to_string(), "[\"auto-forward=certain\"]", "{record}");
        }
        held
    }
}

fn notices(messages: &[String]) -> usize {
    messages.iter().filter(|message| message.contains("X-Postvakt-Loop:")).count()
}

#[test]
fn pigeonhole_redirects_and_its_owner_is_told_once() {
    let script = "require [\"copy\"];\nredirect :copy \"privat@example.net\";\n";
    let town = Town::start(&[("anna", script)], "");
    town.citizen_writes("anna@exempelby.se", 1);
    // The citizen's mail, and the notice, which the same script redirects: that is stopped, and gives no other.
    let copies = town.store.mailbox("anna", 2);
    assert_eq!(notices(&copies), 1, "{copies:#?}");
    town.held(2);
    town.citizen_writes("anna@exempelby.se", 2);
    let copies = town.store.mailbox("anna", 3);
    town.held(3);
    assert_eq!((copies.len(), notices(&copies)), (3, 1), "{copies:#?}");
    until("three on hold", &town.lab, || (town.lab.postfix.held().len() == 3).then_some(()));
}

#[test]
fn aliases_dot_forward_and_procmail() {
    let aliases = "anna@exempelby.se anna@exempelby.se, privat@example.net\n\
                   punkt@exempelby.se games@lokal.exempelby.se\nproc@exempelby.se news@lokal.exempelby.se\n";
    let town = Town::start(&[], aliases);
    // Of each a copy and a notice stay inside; what was to leave is held, and the notice where it is sent on too.
    town.citizen_writes("anna@exempelby.se", 1);
    assert_eq!(notices(&town.store.mailbox("anna", 2)), 1);
    town.held(2);
    town.citizen_writes("punkt@exempelby.se", 2);
    assert_eq!(notices(&town.store.spool("games", 2)), 1);
    town.held(4);
    town.citizen_writes("proc@exempelby.se", 3);
    // The recipe sends under its owner's name, and the owner is told.
    assert_eq!(notices(&town.store.spool("news", 1)), 0);
    assert_eq!(notices(&town.store.mailbox("news", 1)), 1);
    town.held(5);
}

#[test]
fn vacation_and_what_a_person_forwards_pass() {
    let script =
        "require [\"vacation\"];\nvacation :days 1 :addresses \"anna@exempelby.se\" \"Jag är ledig.\";\n";
    let town = Town::start(&[("anna", script)], "");
    town.citizen_writes("anna@exempelby.se", 1);
    assert_eq!(town.store.mailbox("anna", 1).len(), 1);
    let replies = town.lab.delivered(CITIZEN, 1);
    assert!(replies[0].contains("Auto-Submitted: auto-replied"), "{replies:?}");
    let forward = "Message-ID: <2@exempelby.se>\nIn-Reply-To: <1@example.org>\nX-Forwarded-Message-Id: <1@example.org>\n";
    let text = message("anna@exempelby.se", "arkiv@example.com", "Fwd: ansökan", forward);
    let reply = town.lab.inside().send("anna@exempelby.se", &["arkiv@example.com"], &text);
    assert_eq!(town.lab.record_of(&reply)["verdict"], "accepted");
    town.lab.delivered("arkiv@example.com", 1);
    assert!(town.lab.postvakt.search(&["--verdict", "held"]).is_empty());
}

#[test]
fn what_came_in_is_known_after_a_kill() {
    let mut lab = Lab::start(RULES);
    let dated = "Message-ID: <1@example.org>\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n";
    let text = message(CITIZEN, "anna@exempelby.se", "ansökan", dated);
    let reply = lab.outside().send(CITIZEN, &["anna@exempelby.se"], &text);
    assert_eq!(lab.record_of(&reply)["verdict"], "accepted");
    lab.postvakt.kill();
    lab.postvakt.restart();
    // Its Message-ID is new, and no field tells.
    let text = text.replace("<1@example.org>", "<2@mail.exempelby.se>");
    let reply = lab.inside().send(CITIZEN, &[PRIVATE], &text);
    let record = lab.record_of(&reply);
    assert_eq!(record["verdict"], "held", "{record}");
    assert_eq!(lab.postfix.count(PRIVATE), 0);
}
