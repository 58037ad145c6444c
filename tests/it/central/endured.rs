//! Three gateways with a Postfix each, and a centre that is killed, restored from an older dump, replaced by its standby, and
//! refuses one of them for a while: not one mail waits for any of it, and in the end the centre has what the gateways have.

use super::shipped::{SIZES, assert_whole};
use super::*;
use crate::lab::{Directory, Lab, message};

const CITIZEN: &str = "x@example.org";
const REGISTRATOR: &str = "registrator@exempelby.se";
const NODES: [&str; 3] = ["gw1", "gw2", "gw3"];

struct Gateway {
    node: &'static str,
    lab: Lab,
}

impl Gateway {
    fn start(node: &'static str, urls: &str) -> Self {
        let directory = Directory::new();
        let password = secret(&directory.path.join("central.password"), &format!("hemligt-{node}\n"));
        let rules = format!(
            "[central]\nurl = \"postgresql://{urls}/postvakt\"\nlogin = \"postvakt_{{node}}\"\npassword_file = \"{}\"\n\
             [rules.receipt]\nmode = \"enforce\"\ndelay = \"2 s\"\nrequire_authentication = false\n\
             [[rules.receipt.mailboxes]]\naddress = \"{REGISTRATOR}\"\nname = \"Registrator\"\n",
            password.display()
        );
        let (lab, ()) = Lab::start_node(node, directory, &rules, |_| ());
        Self { node, lab }
    }

    /// Mail to somebody without receipts, over one connection.
    fn mail(&self, count: usize, phase: &str) {
        let mut session = self.lab.outside();
        for n in 0..count {
            let header = format!("Message-ID: <{phase}.{n}.{}@example.org>\n", self.node);
            let message = message(CITIZEN, "anna@exempelby.se", &format!("{phase} {n}"), &header);
            let reply = session.send(CITIZEN, &["anna@exempelby.se"], &message);
            assert!(reply.starts_with("250"), "{} {phase} {n}: {reply}", self.node);
        }
    }
}

/// A case that the sender's server gives to two gateways, since it got no answer from the first one: one of them sends a receipt.
fn case(gateways: &[Gateway], those: [usize; 2], number: usize, centre: &Cluster) {
    for at in those {
        let header =
            format!("Message-ID: <case.{number}@example.org>\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n");
        let message = message(CITIZEN, REGISTRATOR, &format!("ärende {number}"), &header);
        let reply = gateways[at].lab.outside().send(CITIZEN, &[REGISTRATOR], &message);
        assert!(reply.starts_with("250"), "{reply}");
    }
    let count = |state: &str| {
        let letters = gateways.iter().flat_map(|gateway| gateway.lab.postvakt.receipts(&["list"]));
        letters.filter(|letter| letter["state"] == state).count()
    };
    until("the receipts to be settled", centre, || {
        (count("sent") + count("cancelled") == 2 * number).then_some(())
    });
    assert_eq!((count("sent"), count("cancelled")), (number, number));
    until("the receipts to arrive", centre, || {
        let delivered: usize = gateways.iter().map(|gateway| gateway.lab.postfix.count(CITIZEN)).sum();
        (delivered == number).then_some(())
    });
}

/// How many leaves there have to be, from the gateways themselves.
fn records(gateways: &[Gateway]) -> usize {
    gateways.iter().map(|gateway| gateway.lab.postvakt.search(&[]).len()).sum()
}

fn endure(mails: usize) {
    let kills = if mails > 1_000 { 5 } else { 2 };
    // Three gateways, in each of these phases and the three that follow.
    let part = mails / (3 * (kills + 3));
    let mut primary = Cluster::start();
    for node in NODES {
        primary.add_node(node);
    }
    let standby = primary.standby();
    let urls = format!("127.0.0.1:{},127.0.0.1:{}", primary.port, standby.port);
    let gateways: Vec<Gateway> = NODES.iter().map(|node| Gateway::start(node, &urls)).collect();
    let all = |phase: &str, meanwhile: &mut dyn FnMut()| {
        std::thread::scope(|scope| {
            let work: Vec<_> =
                gateways.iter().map(|gateway| scope.spawn(move || gateway.mail(part, phase))).collect();
            meanwhile();
            for work in work {
                work.join().unwrap();
            }
        });
    };
    // Killed while mail comes.
    for kill in 0..kills {
        all(&format!("kill{kill}"), &mut || {
            primary.kill();
            primary.up();
        });
    }
    case(&gateways, [0, 1], 1, &primary);
    // Restored from an older dump.
    let dump = primary.home.join("dump");
    primary.dump(&dump);
    all("dumped", &mut || ());
    wait_for(&primary, SIZES, &records(&gateways).to_string());
    primary.restore(&dump);
    // One of them is refused for a while.
    primary.sql("ALTER ROLE postvakt_gw3 NOLOGIN");
    primary.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postvakt_gw3'");
    all("refused", &mut || ());
    primary.sql("ALTER ROLE postvakt_gw3 LOGIN");
    wait_for(&primary, SIZES, &records(&gateways).to_string());
    case(&gateways, [1, 2], 2, &primary);
    // The standby takes over. What it had not got yet is sent to it.
    all("failover", &mut || {
        primary.kill();
        standby.psql("postgres", "SELECT pg_promote()");
    });
    case(&gateways, [2, 0], 3, &standby);
    let wanted = records(&gateways);
    assert!(wanted >= part * 3 * (kills + 3) + 6);
    wait_for(&standby, SIZES, &wanted.to_string());
    assert_whole(&standby);
}

#[test]
fn three_gateways_and_a_centre_that_fails_in_every_way() {
    endure(600);
}

/// `cargo test --test it -- --ignored endured::a_hundred_thousand_mails` takes some ten minutes.
#[test]
#[ignore = "it takes ten minutes; docs/testing.md names it"]
fn a_hundred_thousand_mails() {
    endure(100_000);
}
