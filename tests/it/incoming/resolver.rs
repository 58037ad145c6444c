//! A resolver that is away: it is told of once, no mail waits for it, and a sender whose own name servers are silent keeps
//! nobody else from being authenticated.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use postvakt::address::{Address, ReversePath};
use postvakt::cli::demo::mta::{Heard, Mta, Session};
use postvakt::facts::transaction::message_from_file;
use postvakt::mail::{Envelope, Recipient};

use super::dns::Dns;
use crate::lab::program::{PROGRAM, Postvakt};
use crate::lab::sink::{Act, Sink};
use crate::lab::{Directory, Ports, free_port, until};

const AWAY: &str = "no DNS resolver answers";

fn started(dns: &Dns) -> (Directory, Ports, Postvakt) {
    let (directory, ports) = (Directory::new(), Ports::reserve());
    fs::create_dir(directory.path.join("run")).unwrap();
    let rules = format!("[authentication]\n[dns]\nservers = [\"{}\"]\n", dns.address);
    let postvakt = Postvakt::start(&directory.path, &ports, &rules);
    (directory, ports, postvakt)
}

/// Mail from outside, by its sender's domain, over a session of its own.
fn deliver(port: u16, domain: &str, queue_id: &str) -> Heard {
    timed(port, domain, queue_id).0
}

/// The same, with the time that the mail took.
fn timed(port: u16, domain: &str, queue_id: &str) -> (Heard, Duration) {
    let session = Session {
        client: Some("192.0.2.1".parse().unwrap()),
        helo: format!("mx.{domain}"),
        ..Session::default()
    };
    let message = format!(
        "From: <kim@{domain}>\nTo: <anna@exempelby.se>\nMessage-ID: <{queue_id}@{domain}>\nSubject: x\n\nHej!\n"
    );
    let to = "anna@exempelby.se";
    let envelope = Envelope {
        sender: ReversePath::from_wire(format!("<kim@{domain}>").as_bytes()),
        smtputf8: false,
        recipients: vec![Recipient {
            raw: format!("<{to}>").into_bytes().into(),
            address: Address::parse(to).unwrap(),
        }],
    };
    let mut mta = Mta::open(TcpStream::connect(("127.0.0.1", port)).unwrap(), &session).unwrap();
    let begun = Instant::now();
    let heard = mta.deliver(&session, &envelope, &message_from_file(message.as_bytes()), queue_id).unwrap();
    (heard, begun.elapsed())
}

/// What the mail's Authentication-Results says.
fn results(heard: &Heard) -> String {
    let edits = heard.edits.iter().map(|edit| format!("{edit:?}"));
    edits.filter(|edit| edit.contains("Authentication-Results")).collect()
}

#[test]
fn a_resolver_that_is_away_is_told_of_once_and_asked_by_one_mail_in_a_while() {
    let dns = Dns::start(&[("example.org", "v=spf1 ip4:192.0.2.1 -all")]);
    let (_directory, ports, postvakt) = started(&dns);
    let vouched = |heard: &Heard| results(heard).contains("spf=pass");
    assert!(vouched(&deliver(ports.milter, "example.org", "FIRST")), "{}", postvakt.log);
    dns.keep_silent(true);
    let before = dns.asked();
    assert!(!vouched(&deliver(ports.milter, "other.example", "SECOND")));
    assert!(dns.asked() > before);
    assert_eq!(postvakt.metric("postvakt_dns_unavailable"), 1);
    // Thirty mails, and at the most the one that tries after a pause asks anything.
    let before = dns.asked();
    for number in 0..30 {
        assert!(!vouched(&deliver(ports.milter, "other.example", &format!("AWAY{number}"))));
    }
    assert!(dns.asked() <= before + 40, "{} questions", dns.asked() - before);
    assert!(
        postvakt.metric("postvakt_facts_unavailable_total{cause=\"paused\",fact=\"authentication\"}") >= 20
    );
    assert_eq!(postvakt.log.text().matches(AWAY).count(), 1, "{}", postvakt.log);
    dns.keep_silent(false);
    until("the resolver is asked again", &postvakt.log, || {
        vouched(&deliver(ports.milter, "example.org", "AGAIN")).then_some(())
    });
    assert_eq!(postvakt.metric("postvakt_dns_unavailable"), 0);
    let log = postvakt.log.text();
    assert_eq!(
        (log.matches(AWAY).count(), log.matches("a DNS resolver answers again").count()),
        (1, 1),
        "{log}"
    );
}

#[test]
fn a_sender_whose_name_servers_are_silent_keeps_nobody_else_from_being_authenticated() {
    let dns = Dns::start(&[("example.org", "v=spf1 ip4:192.0.2.1 -all")]);
    let (_directory, ports, postvakt) = started(&dns);
    let heard = deliver(ports.milter, "silent.example.net", "SILENT");
    assert!(results(&heard).contains("temperror") || results(&heard).is_empty(), "{heard:?}");
    assert_eq!(postvakt.metric("postvakt_dns_unavailable"), 0);
    let heard = deliver(ports.milter, "example.org", "NEXT");
    assert!(results(&heard).contains("spf=pass"), "{heard:?}\n{}", postvakt.log);
    assert!(!postvakt.log.text().contains(AWAY), "{}", postvakt.log);
}

/// A config whose every service is where these ports are.
fn check(directory: &Path, dns: &str, clamd: u16, submit: u16) -> Output {
    let config = directory.join("probe.toml");
    let store = directory.join("store");
    let text = format!(
        "[organisation]\nname = \"Exempelby kommun\"\ndomains = [\"exempelby.se\"]\n[server]\n\
         listen = [\"inet:127.0.0.1:8891\"]\n[store]\ndirectory = \"{}\"\n[smtp]\nsubmit = \"127.0.0.1:{submit}\"\n\
         [authentication]\n[dns]\nservers = [\"{dns}\"]\n[scanners.clamav]\naddress = \"127.0.0.1:{clamd}\"\n\
         [rules.virus]\nmode = \"observe\"\n",
        store.display()
    );
    fs::write(&config, text).unwrap();
    Command::new(PROGRAM).args(["check", "--probe", "--config"]).arg(config).output().unwrap()
}

#[test]
fn check_asks_everything_that_the_config_names() {
    let (directory, dns) = (Directory::new(), Dns::start(&[]));
    let clamd = super::fault::Fault::start(super::fault::Act::Say("PONG\0".to_owned()));
    let submit = free_port();
    let sink = Sink::start_at(submit, |_| Act::Well);
    let output = check(&directory.path, &dns.address, clamd.port, submit);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for key in ["store.directory", "dns.servers", "scanners.clamav", "smtp.submit"] {
        let line = said.lines().find(|line| line.starts_with(&format!("{key}: ")));
        assert!(line.is_some_and(|line| line.ends_with(": ok")), "{key}: {said}");
    }
    assert!(sink.taken().is_empty(), "nothing is sent");
    assert!(!directory.path.join("store").exists(), "and nothing is made");
    dns.keep_silent(true);
    fs::write(directory.path.join("store"), "a file").unwrap();
    let output = check(&directory.path, &dns.address, free_port(), free_port());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    for sentence in [
        "dns.servers: 127.0.0.1:",
        "no answer within 2 s; name a resolver that answers",
        "Connection refused (os error 111); start the scanner, or correct its address",
        "let Postfix listen there: `postvakt postfix-setup --apply`",
        "store.directory: ",
    ] {
        assert!(said.contains(sentence), "{sentence}\n{said}");
    }
}

/// What docs/performance.md says of a resolver that is away: three servers get each mail in turn, so that what else the
/// machine does is the same for all.
#[test]
#[ignore = "a measurement of a minute, which states figures and asserts none"]
fn what_a_resolver_that_is_away_adds() {
    const CLIENTS: usize = 4;
    const MAILS: usize = 300;
    let names = ["answers", "is silent", "refuses"];
    let resolvers = names.map(|name| {
        let mut dns = Dns::start(&[("example.org", "v=spf1 ip4:192.0.2.1 -all")]);
        if name == "refuses" {
            dns.address = format!("127.0.0.1:{}", free_port());
        }
        dns.keep_silent(name == "is silent");
        dns
    });
    let servers = resolvers.each_ref().map(started);
    let times = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (times, servers) = (&times, &servers);
            scope.spawn(move || {
                for number in 0..MAILS {
                    // Each mail is of another sender, so that no cache answers.
                    let (domain, id) = (format!("d{client}x{number}.example"), format!("T{client}X{number}"));
                    let took = servers.each_ref().map(|(_, ports, _)| timed(ports.milter, &domain, &id).1);
                    times.lock().unwrap().push(took.map(|took| took.as_secs_f64() * 1_000.0));
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
    });
    let times = times.into_inner().unwrap();
    let shown = |name: &str, of: &dyn Fn(&[f64; 3]) -> f64| {
        let mut all: Vec<f64> = times.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        let at = |percent: usize| all[(all.len() - 1) * percent / 100];
        println!("{name:24} {:>6} {:>8.1} {:>8.1} {:>8.1}", all.len(), at(50), at(99), at(100));
    };
    println!("{:24} {:>6} {:>8} {:>8} {:>8}", "the resolver, ms", "mails", "p50", "p99", "most");
    for (at, name) in names.into_iter().enumerate() {
        shown(name, &|took| took[at]);
    }
    for (at, name) in names.into_iter().enumerate().skip(1) {
        shown(&format!("{name}, minus answers"), &|took| took[at] - took[0]);
    }
}
