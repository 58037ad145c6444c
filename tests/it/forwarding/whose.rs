//! Whose forward it is: colleagues, lists, groups, tags and routes. Nothing leaves, nothing is stopped that is no forward,
//! and nobody but the forwarder reads where the mail was to go.

use super::{CITIZEN, PRIVATE, RULES, Town, notices};
use crate::lab::mta::Postfix;
use crate::lab::{Directory, Lab, message, queue_id, until};

const SCRIPT: &str = "require [\"copy\"];\nredirect :copy \"privat@example.net\";\n";
const BODIL: &str = "bodil@exempelby.se";

/// Whether any of the messages tells of the private mailbox.
fn tell(messages: &[String]) -> bool {
    messages.iter().any(|message| message.contains(PRIVATE))
}

#[test]
fn answers_of_colleagues_and_posts_of_an_own_list_that_a_member_redirects() {
    let rules = "[rules.auto-forward]\nmode = \"enforce\"\naction = \"reject\"\n";
    let town = Town::start_with(rules, &[("anna", SCRIPT)], "", |_| Vec::new());
    // A colleague's answer, as Exchange marks what people write.
    let header =
        "Message-ID: <2@exempelby.se>\nIn-Reply-To: <1@exempelby.se>\nX-Auto-Response-Suppress: All\n";
    let answer = message(BODIL, "anna@exempelby.se", "SV: Sjukskrivning", header);
    let reply = town.lab.inside().send(BODIL, &["anna@exempelby.se"], &answer);
    assert_eq!(town.lab.record_of(&reply)["verdict"], "accepted");
    // A copy and a notice stay; the answer and the notice are held on their way out, although forwards are refused: the
    // bounce would go to the colleague.
    let copies = town.store.mailbox("anna", 2);
    assert_eq!(notices(&copies), 1, "{copies:#?}");
    assert!(tell(&copies));
    let held = town.held(2);
    assert!(held.iter().any(|record| record["sender"] == BODIL), "{held:#?}");
    // A post to a list of our own comes from outside; the list hands it out to its members, inside and outside.
    let list = "kulturnytt@exempelby.se";
    let post = "Message-ID: <3@example.org>\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n";
    let reply = town.lab.outside().send(CITIZEN, &[list], &message(CITIZEN, list, "program", post));
    assert_eq!(town.lab.record_of(&reply)["verdict"], "accepted");
    let fields = format!("{post}List-Id: Kulturnytt <kulturnytt.exempelby.se>\nPrecedence: list\n");
    let bounces = "kulturnytt-bounces@exempelby.se";
    let members = ["anna@exempelby.se", "y@example.org"];
    let reply = town.lab.inside().send(bounces, &members, &message(CITIZEN, list, "program", &fields));
    assert_eq!(town.lab.record_of(&reply)["verdict"], "accepted");
    assert_eq!(town.lab.delivered("y@example.org", 1).len(), 1);
    // What a member's script sends on has the list's envelope sender. She was told today.
    let held = town.held(3);
    assert!(held.iter().any(|record| record["sender"] == bounces), "{held:#?}");
    assert_eq!(notices(&town.store.mailbox("anna", 3)), 1);
    until("the queue of the gateway", &town.lab, || (town.lab.postfix.queue().len() == 3).then_some(()));
    assert!(!tell(&town.store.mailbox("bodil", 0)), "a colleague is told nothing");
}

#[test]
fn members_of_a_group_and_who_reads_a_shared_mailbox() {
    let aliases = "info@exempelby.se anna@exempelby.se, bo@exempelby.se\n\
                   grupp@exempelby.se games@lokal.exempelby.se, bo@exempelby.se\n\
                   protokoll@exempelby.se news@lokal.exempelby.se, bo@exempelby.se\n";
    let town = Town::start(&[("anna", SCRIPT)], aliases);
    // A member's script names the member.
    town.citizen_writes("info@exempelby.se", 1);
    let anna = town.store.mailbox("anna", 2);
    assert!(notices(&anna) == 1 && tell(&anna), "{anna:#?}");
    town.held(2);
    // A member's procmail sends under the member's name.
    town.citizen_writes("protokoll@exempelby.se", 2);
    let news = town.store.mailbox("news", 1);
    assert!(notices(&news) == 1 && tell(&news), "{news:#?}");
    town.held(3);
    // A member's `.forward` tells nothing of the member: the group is told, and not where the mail was to go.
    town.citizen_writes("grupp@exempelby.se", 3);
    let bo = town.store.mailbox("bo", 4);
    assert!(notices(&bo) == 1 && !tell(&bo), "{bo:#?}");
    assert!(bo.iter().any(|message| message.contains("e-posten till grupp@exempelby.se")), "{bo:#?}");
    // The notice is stopped where the `.forward` sends it on.
    town.held(5);
}

#[test]
fn tagged_addresses_and_the_exception_of_their_mailbox() {
    let rules = format!(
        "{RULES}[[rules.auto-forward.exceptions]]\nmailbox = \"anna@exempelby.se\"\nto = \"arkiv@example.com\"\n\
         decision = \"KS 2026/123\"\napproved_by = \"kommundirektoren@exempelby.se\"\nuntil = 2099-12-31\n"
    );
    let script = format!("{SCRIPT}redirect :copy \"arkiv@example.com\";\n");
    let town = Town::start_with(&rules, &[("anna", &script)], "", |_| Vec::new());
    town.citizen_writes("anna+upphandling@exempelby.se", 1);
    // The letter and its notice. Both may go to the archive, and neither to the private mailbox.
    let anna = town.store.mailbox("anna", 2);
    assert!(notices(&anna) == 1 && tell(&anna), "{anna:#?}");
    town.lab.delivered("arkiv@example.com", 2);
    town.held(2);
}

#[test]
fn a_route_in_a_recipient_leads_outside_and_is_seen() {
    let script = "require [\"copy\"];\nredirect :copy \"privat%example.net@exempelby.se\";\n";
    // As Postfix is without a word in main.cf, where the domain is the gateway's own.
    let settings = |port| {
        let settings = [
            "mydestination = exempelby.se",
            "relay_domains =",
            "local_recipient_maps =",
            &format!("local_transport = smtp:[127.0.0.1]:{port}"),
            "transport_maps =",
            "allow_percent_hack = yes",
            "swap_bangpath = yes",
        ];
        settings.map(str::to_owned).to_vec()
    };
    let town = Town::start_with(RULES, &[("anna", script)], "", settings);
    town.citizen_writes("anna@exempelby.se", 1);
    let anna = town.store.mailbox("anna", 2);
    assert_eq!(notices(&anna), 1, "{anna:#?}");
    let held = town.held(2);
    assert!(held.iter().all(|record| record["direction"] == "outbound"), "{held:#?}");
    for routed in ["example.net!privat", "privat%example.net", "\"privat@example.net\"@exempelby.se"] {
        let text =
            message(CITIZEN, "anna@exempelby.se", "ansökan", "X-Sieve-Redirected-From: anna@exempelby.se\n");
        let reply = town.lab.inside().send(CITIZEN, &[routed], &text);
        let record = town.lab.record_of(&reply);
        assert_eq!(
            (&record["verdict"], &record["direction"]),
            (&"held".into(), &"outbound".into()),
            "{routed}"
        );
    }
    // It is no empty word: what a person lets go is where the route leads.
    let citizens = held.iter().find(|record| record["sender"] == CITIZEN).unwrap();
    town.lab.postfix.release(citizens["queue_id"].as_str().unwrap());
    town.lab.delivered(PRIVATE, 1);
}

#[test]
fn what_was_changed_on_its_way_is_the_same_message() {
    // XCLIENT changes the client's address, and not whether Postfix adds what is missing.
    let as_from_outside = |postfix: &Postfix| postfix.set(&["local_header_rewrite_clients =".to_owned()]);
    let (lab, ()) = Lab::start_with(Directory::new(), RULES, as_from_outside);
    let (anna, monday) = ("anna@exempelby.se", "Date: Mon, 02 Mar 2026 10:00:00 +0100\n");
    let id = |number: u32| format!("Message-ID: <{number}@example.org>\n");
    let came = |number: u32, date: &str| {
        let text = message(CITIZEN, anna, "ansökan", &format!("{}{date}", id(number)));
        let reply = lab.outside().send(CITIZEN, &[anna], &text);
        assert_eq!(lab.record_of(&reply)["verdict"], "accepted");
    };
    let leaves = |sender: &str, from: &str, number: u32, date: &str, subject: &str| {
        let text = message(from, anna, subject, &format!("{}{date}", id(number)));
        let reply = lab.inside().send(sender, &[PRIVATE], &text);
        assert_eq!(lab.record_of(&reply)["verdict"], "held", "{from} {date}");
        queue_id(&reply)
    };
    came(1, monday);
    leaves(anna, CITIZEN, 1, "Date: Mon, 02 Mar 2026 09:00:00 +0000\n", "annat");
    leaves(anna, CITIZEN, 1, "Date: Tue, 03 Mar 2026 09:00:00 +0100\n", "annat");
    leaves(CITIZEN, CITIZEN, 1, "Date: 2 Mar 2026 10:00:00 +0100 (CET)\n", "annat");
    leaves(anna, anna, 1, monday, "annat");
    came(2, "");
    leaves(anna, CITIZEN, 2, monday, "annat");
    leaves(anna, anna, 2, monday, "annat");
    assert_eq!(lab.postfix.count(PRIVATE), 0);
    // Whoever wrote it anew has nothing to do with the citizen's.
    let text = message(anna, "y@example.org", "annat", "Message-ID: <3@exempelby.se>\n");
    let reply = lab.inside().send(anna, &["y@example.org"], &text);
    assert_eq!(lab.record_of(&reply)["verdict"], "accepted");
}

#[test]
fn a_newsletter_goes_on_when_a_reader_sends_a_copy_back() {
    let lab = Lab::start(RULES);
    let letter = message(
        "info@exempelby.se",
        "nyhetsbrev@exempelby.se",
        "Nyhetsbrev",
        "Message-ID: <1@utskick.example>\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n",
    );
    let send = |sender: &str, to: &str| {
        let reply = lab.inside().send(sender, &[to], &letter);
        lab.record_of(&reply)["verdict"].clone()
    };
    assert_eq!(send("nyhetsbrev-bounces@exempelby.se", "x@example.org"), "accepted");
    let reply = lab.outside().send(CITIZEN, &["anna@exempelby.se"], &letter);
    assert_eq!(lab.record_of(&reply)["verdict"], "accepted");
    assert_eq!(send("nyhetsbrev-bounces@exempelby.se", "y@example.org"), "accepted");
    assert_eq!(send("info@exempelby.se", "arkiv@example.com"), "accepted");
    // Whoever got the copy sends it on.
    assert_eq!(send("anna@exempelby.se", PRIVATE), "held");
}
