//! A message that comes in by one gateway and leaves by another: both with a real Postfix, and the centre between them.

use std::fs;

use serde_json::Value;

use super::*;
use crate::lab::mailstore::MailStore;
use crate::lab::{Directory, Lab, message};

const CITIZEN: &str = "x@example.org";
const ANNA: &str = "anna@exempelby.se";
const PRIVATE: &str = "privat@example.net";
const KEYS: &str = "postvakt_central_memory_keys_total";

/// A gateway that writes to the centre. Its key is that of all nodes.
fn gateway<T>(
    cluster: &Cluster,
    node: &'static str,
    key: u8,
    prepare: impl FnOnce(&Path, &crate::lab::mta::Postfix) -> T,
) -> (Lab, T) {
    let directory = Directory::new();
    let home = directory.path.clone();
    fs::create_dir(home.join("store")).unwrap();
    fs::write(home.join("store/seen.key"), [key; 32]).unwrap();
    fs::set_permissions(home.join("store/seen.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let password = secret(&home.join("central.password"), &format!("hemligt-{node}\n"));
    let rules = format!(
        "[central]\nurl = \"{}\"\nlogin = \"postvakt_{{node}}\"\npassword_file = \"{}\"\n\
         [rules.auto-forward]\nmode = \"enforce\"\n",
        cluster.url(),
        password.display()
    );
    cluster.add_node(node);
    Lab::start_node(node, directory, &rules, |postfix| prepare(&home, postfix))
}

/// A citizen's mail to Anna, which comes in by the first gateway.
fn comes_in(lab: &Lab, number: u32) -> String {
    let dated = format!("Message-ID: <{number}@example.org>\nDate: Mon, 02 Mar 2026 10:00:0{number} +0100\n");
    let message = message(CITIZEN, ANNA, &format!("ansökan {number}"), &dated);
    let reply = lab.outside().send(CITIZEN, &[ANNA], &message);
    assert!(reply.starts_with("250"), "{reply}");
    message
}

/// The record of what leaves for the private mailbox by the second one, as from Anna.
fn leaves(lab: &Lab, message: &str) -> Value {
    lab.record_of(&lab.inside().send(ANNA, &[PRIVATE], message))
}

fn finding(record: &Value) -> String {
    record["findings"].to_string()
}

#[test]
fn what_came_in_by_one_gateway_is_recognised_when_it_leaves_by_another() {
    let mut cluster = Cluster::start();
    let (one, ()) = gateway(&cluster, "gw1", 7, |_, _| ());
    let (two, ()) = gateway(&cluster, "gw2", 7, |_, _| ());
    let (stranger, ()) = gateway(&cluster, "gw3", 8, |_, _| ());
    let learned = |lab: &Lab, more: u64| {
        until("the keys of another node", lab, || (lab.postvakt.metric(KEYS) >= more).then_some(()));
    };
    // A message that no gateway has seen costs no question.
    let own = message(ANNA, PRIVATE, "mitt eget", "Message-ID: <eget@exempelby.se>\n");
    assert_eq!(finding(&leaves(&two, &own)), "[]");
    assert_eq!(two.postvakt.metric("postvakt_recalls_total{result=\"answered\"}"), 0);
    let first = comes_in(&one, 1);
    learned(&two, 1);
    let known = leaves(&two, &first);
    assert_eq!((finding(&known).as_str(), &known["verdict"]), ("[\"auto-forward=certain\"]", &"held".into()));
    assert!(two.postvakt.metric("postvakt_recalls_total{result=\"answered\"}") > 0);
    // Who has the password of a gateway cannot ask for what it was told of.
    let followed = "postvakt.follow_memory('{}', '{}', '{}', 0) m";
    let count = |from: &str| cluster.as_node("gw3", &format!("SELECT count(*) > 0 FROM {from}")).unwrap();
    assert_eq!(count(followed), "t");
    assert_eq!(count(&format!("{followed}, LATERAL postvakt.recall(m.hash, 0)")), "f");
    // As an attachment.
    let attached = format!(
        "From: <{ANNA}>\nTo: <{PRIVATE}>\nSubject: VB\nMessage-ID: <vb@exempelby.se>\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n{first}\n--b--\n"
    );
    let within = leaves(&two, &attached);
    let without = leaves(&stranger, &attached);
    assert_ne!(finding(&within), finding(&without), "the memory told nothing: {within}");
    // Who has another key is told so, and knows nothing of theirs.
    for (lab, others) in [(&stranger, "gw1 gw2"), (&one, "gw3")] {
        until("the other key", lab, || {
            let text = lab.postvakt.log.text();
            (text.contains("have another seen.key") && text.contains(others)).then_some(())
        });
    }
    // While the centre is away nothing waits, nothing is deferred, and nobody says that it is no forward.
    cluster.kill();
    until("a late memory", &two, || {
        let again = leaves(&two, &message(ANNA, PRIVATE, "nytt", "Message-ID: <nytt@exempelby.se>\n"));
        assert_eq!(again["verdict"], "accepted", "{again}");
        (two.postvakt.metric("postvakt_recalls_total{result=\"unreachable\"}") > 0).then_some(())
    });
    assert!(two.postvakt.metric("postvakt_facts_unavailable_total{cause=\"unreachable\",fact=\"seen\"}") > 0);
    let second = comes_in(&one, 2);
    // Back again: what came meanwhile is known.
    let before = two.postvakt.metric(KEYS);
    cluster.up();
    learned(&two, before + 1);
    assert_eq!(finding(&leaves(&two, &second)), "[\"auto-forward=certain\"]");
}

#[test]
fn a_mailbox_server_behind_two_gateways_forwards_nothing() {
    let cluster = Cluster::start();
    let (out, ()) = gateway(&cluster, "gw2", 7, |_, _| ());
    let script = "require [\"copy\"];\nredirect :copy \"privat@example.net\";\n";
    let (inward, store) = gateway(&cluster, "gw1", 7, |home, postfix| {
        // What it sends goes by the other gateway.
        let store = MailStore::start(home, out.postfix.ports.smtp, &[("anna", script)], "");
        postfix.amend(
            &format!(
                "virtual_mailbox_domains =\nrelay_domains = exempelby.se\n\
                 transport_maps = inline:{{ {{exempelby.se = smtp:[127.0.0.1]:{}}} }}\n",
                store.port
            ),
            "smtp unix - - n - - smtp\n",
        );
        store
    });
    comes_in(&inward, 1);
    assert_eq!(store.mailbox("anna", 1).len(), 1);
    let held = until("what is forwarded to be held", &out, || {
        let held = out.postvakt.search(&["--verdict", "held"]);
        (!held.is_empty()).then_some(held)
    });
    assert_eq!(finding(&held[0]), "[\"auto-forward=certain\"]");
    assert_eq!(out.postfix.count(PRIVATE), 0);
}
