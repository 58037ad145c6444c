//! Mail that came in by one gateway and leaves by another: what the one remembers, the other one knows.

use super::*;
use crate::lab::{Directory, Lab, message};

const CITIZEN: &str = "x@example.org";
const ANNA: &str = "anna@exempelby.se";
const PRIVATE: &str = "privat@example.net";

fn gateway(cluster: &Cluster, node: &'static str, seen_key: &[u8; 32]) -> Lab {
    cluster.add_node(node);
    let directory = Directory::new();
    let (home, store) = (directory.path.clone(), directory.path.join("store"));
    fs::create_dir(&store).unwrap();
    let key = store.join("seen.key");
    fs::write(&key, seen_key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let password = secret(&home.join("central.password"), &format!("hemligt-{node}\n"));
    let rules = format!(
        "[rules.auto-forward]\nmode = \"enforce\"\n[central]\nurl = \"{}\"\nlogin = \"postvakt_{{node}}\"\n\
         password_file = \"{}\"\n",
        cluster.url(),
        password.display()
    );
    Lab::start_node(directory, node, &rules)
}

fn mail(number: u32) -> String {
    let dated = format!("Message-ID: <{number}@example.org>\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n");
    message(CITIZEN, ANNA, "ansökan", &dated)
}

/// The verdict on the citizen's mail as the mailbox server forwards it by this gateway.
fn forwarded(lab: &Lab, number: u32) -> serde_json::Value {
    let reply = lab.inside().send(CITIZEN, &[PRIVATE], &mail(number));
    lab.record_of(&reply)
}

/// What the log tells of a record.
fn evidence(lab: &Lab, record: &serde_json::Value) -> String {
    let mut show = std::process::Command::new(crate::lab::program::PROGRAM);
    let purpose = "felsökning i testmiljö";
    show.args(["log", "show", record["record"].as_str().unwrap(), "--purpose", purpose, "--config"]);
    crate::lab::run(show.arg(&lab.postvakt.config))
}

#[test]
fn a_forward_by_another_gateway_than_the_mail_came_by_is_recognised() {
    let mut cluster = Cluster::start();
    let (first, second) = (gateway(&cluster, "gw1", &[7; 32]), gateway(&cluster, "gw2", &[7; 32]));
    let comes = |number: u32| {
        let reply = first.outside().send(CITIZEN, &[ANNA], &mail(number));
        assert_eq!(first.record_of(&reply)["verdict"], "accepted");
    };
    comes(1);
    // Some hundred milliseconds later it is known.
    let held = until("the forward to be held", &second, || {
        let record = forwarded(&second, 1);
        (record["verdict"] == "held").then_some(record)
    });
    assert!(evidence(&second, &held).contains("message-id"), "{held}");
    // A gateway that starts anew knows what came before.
    comes(2);
    let memory = "SELECT count(DISTINCT (epoch, seq)) FROM postvakt.memory";
    wait_for(&cluster, memory, "2");
    let third = gateway(&cluster, "gw3", &[7; 32]);
    let held = until("the forward to be held", &third, || {
        let record = forwarded(&third, 2);
        (record["verdict"] == "held").then_some(record)
    });
    assert!(evidence(&third, &held).contains("message-id"), "{held}");
    // While the centre is away, nothing is deferred: a message that another one had cannot be asked for, and all other mail is
    // not asked about.
    comes(3);
    wait_for(&cluster, memory, "3");
    cluster.kill();
    let reply = third.inside().send(ANNA, &["y@example.net"], &message(ANNA, "y@example.net", "svar", ""));
    let record = third.record_of(&reply);
    assert_eq!((&record["verdict"], record["findings"].to_string()), (&"accepted".into(), "[]".into()));
    let reply = third.inside().send(CITIZEN, &[PRIVATE], &mail(3));
    assert!(reply.starts_with("250"), "{reply}");
    drop((first, second, third));
}

#[test]
fn gateways_with_other_keys_do_not_know_and_it_is_told() {
    let cluster = Cluster::start();
    let (first, second) = (gateway(&cluster, "gw1", &[7; 32]), gateway(&cluster, "gw2", &[8; 32]));
    let reply = first.outside().send(CITIZEN, &[ANNA], &mail(1));
    assert!(reply.starts_with("250"), "{reply}");
    wait_for(&cluster, "SELECT count(DISTINCT (epoch, seq)) FROM postvakt.memory", "1");
    assert_ne!(forwarded(&second, 1)["verdict"], "held");
    let keys = "SELECT count(DISTINCT memory) FROM postvakt.node WHERE memory <> ''";
    wait_for(&cluster, keys, "2");
}
