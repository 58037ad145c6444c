//! Expensive mail against the real program: each has its answer, nothing ends the program, no mail that must be held
//! passes because others send it, and what a mail costs grows as its size does.

#[path = "../../benches/costly/mod.rs"]
mod costly;
#[path = "../../benches/gateway/mod.rs"]
mod gateway;

use std::collections::BTreeMap;
use std::time::Duration;

use gateway::process::Usage;
use gateway::victims::{Tally, Until, trial};
use gateway::{Answer, From, Gateway, message, trivial};

use crate::lab::until;

/// Address space of the program where it has little: that of a small host.
const LITTLE: u64 = 4 << 30;

/// Kinds that took the program down, each with octets that a debug build gets through.
const WORST: &[(&str, usize)] = &[
    ("zip-in-zip", 10 << 10),
    ("zip-fdfa", 40 << 10),
    ("zip-control", 20 << 10),
    ("xz-fdfa", 10 << 10),
    ("7z-lzma2", 10 << 10),
    ("xlsx-strings", 20 << 10),
    ("rtf-objects", 10 << 10),
    ("pdf-unicode", 30 << 10),
];

/// Kinds that cost little each and hold much memory, or did.
const HEAVY: &[(&str, usize)] = &[
    ("nested-quoted", 4 << 20),
    ("nested-quoted-files", 2 << 20),
    ("boundary-within", 1 << 20),
    ("names", 200 << 10),
    ("attachments", 100 << 10),
    ("fdfa", 50 << 10),
    ("header-fields", 500 << 10),
    ("zip-names", 20 << 10),
];

fn count(tally: &Tally, answer: Answer) -> usize {
    tally.get(&answer).copied().unwrap_or_default()
}

#[test]
fn forty_of_the_worst_at_once_end_nothing() {
    let made = |(name, octets): &(&str, usize)| message(&(costly::kind(name).make)(*octets));
    let worst: Vec<_> = WORST.iter().map(made).collect();
    let heavy: Vec<_> = HEAVY.iter().map(made).collect();
    let mut gateway = Gateway::start(Some(LITTLE));
    let (attacks, others) = std::thread::scope(|scope| {
        let forty = worst.iter().chain(heavy.iter().cycle().take(40 - worst.len()));
        let attacks: Vec<_> = forty
            .zip(1_u8..)
            .map(|(mail, client)| {
                let gateway = &gateway;
                scope.spawn(move || gateway.deliver(mail, From::Outside(client)))
            })
            .collect();
        let mut others = Tally::new();
        while !attacks.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            *others.entry(gateway.deliver(&trivial(), From::Outside(250))).or_default() += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut answers = Tally::new();
        for attack in attacks {
            *answers.entry(attack.join().unwrap()).or_default() += 1;
        }
        (answers, others)
    });
    assert!(gateway.ended().is_none(), "{:?}:\n{}", gateway.ended(), gateway.said());
    assert_eq!(count(&attacks, Answer::Cut), 0, "{attacks:?}\n{}", gateway.said());
    assert_eq!(others.keys().collect::<Vec<_>>(), [&Answer::Passed], "{others:?}");
    assert_eq!(gateway.deliver(&trivial(), From::Outside(251)), Answer::Passed);
}

#[test]
fn what_must_be_held_does_not_pass_because_others_send() {
    let workbook = costly::workbook(1_000);
    let victim = |number| message(&costly::victim(&workbook, number));
    let gateway = Gateway::start(None);
    assert_eq!(gateway.deliver(&victim(0), From::Inside), Answer::Held, "when nobody else sends");
    for (kind, octets, sessions) in
        [("fdfa", 100 << 10, 8), ("zip-fdfa", 23 << 10, 4), ("office-encrypted", 12 << 10, 6)]
    {
        let attack = message(&(costly::kind(kind).make)(octets));
        let found = trial(&gateway, victim, &vec![attack; sessions], Until::Victims(4));
        assert_eq!(count(&found.victims, Answer::Passed), 0, "{kind}: {found:?}");
        assert_eq!(count(&found.victims, Answer::Cut), 0, "{kind}: {found:?}\n{}", gateway.said());
        assert_eq!(count(&found.attacks, Answer::Cut), 0, "{kind}: {found:?}\n{}", gateway.said());
    }
}

/// MB that a mail may take at the most, the program and its worker included.
const MEGABYTES: u64 = 400;

#[test]
fn one_mail_takes_no_more_memory_than_is_said() {
    for (name, octets) in WORST.iter().chain(&HEAVY[..3]) {
        let gateway = Gateway::start(None);
        gateway.deliver(&trivial(), From::Outside(1));
        let mail = message(&(costly::kind(name).make)(*octets));
        let mut most = 0;
        std::thread::scope(|scope| {
            let answer = scope.spawn(|| gateway.deliver(&mail, From::Outside(2)));
            while !answer.is_finished() {
                most = most.max(Usage::of(gateway.pid()).peak_workers);
                std::thread::sleep(Duration::from_millis(2));
            }
            assert_ne!(answer.join().unwrap(), Answer::Cut, "{name}: {}", gateway.said());
        });
        let megabytes = (most + Usage::of(gateway.pid()).peak_own) >> 10;
        assert!(megabytes <= MEGABYTES, "{name}: {megabytes} MB, {} of them its worker's", most >> 10);
    }
}

/// Kinds whose cost is that of walking through what was written, and not of what comes out.
const WALKED: &[&str] = &[
    "nested-quoted",
    "nested-plain",
    "boundaries",
    "closed-parts",
    "boundary-within",
    "multiparts-guessed",
    "name-pieces",
    "parameters",
    "uuencode-begins",
    "base64-junk",
    "quoted-breaks",
    "encoded-open",
    "groups",
    "html-depth",
    "html-unclosed",
    "html-comments",
    "html-scripts",
    "html-link-open",
    "html-entities",
    "pgp-begins",
    "pgp-armour",
    "dashes",
    "password-word",
    "mangled",
    "calendar",
    "pdf-arrays-open",
    "pdf-objects",
    "pdf-contents",
    "smime-indefinite",
    "gzip-members",
    "tnef",
];

/// Processor time below which a figure says nothing.
const NOTHING: Duration = Duration::from_millis(80);

#[test]
fn four_times_the_mail_costs_four_times_as_much() {
    let gateway = Gateway::start(None);
    // A worker that is there already.
    gateway.deliver(&message(&(costly::kind("attachments").make)(1_000)), From::Outside(1));
    let cost = |name: &str, octets: usize| {
        let mail = message(&(costly::kind(name).make)(octets));
        let before = Usage::of(gateway.pid()).cpu;
        assert_ne!(gateway.deliver(&mail, From::Outside(2)), Answer::Cut, "{name}: {}", gateway.said());
        Usage::of(gateway.pid()).cpu.saturating_sub(before)
    };
    let mut steep = BTreeMap::new();
    for name in WALKED {
        let (small, large) = (cost(name, 60 << 10), cost(name, 240 << 10));
        // Quadratic would be sixteen.
        if large > 10 * small.max(NOTHING) {
            steep.insert(name, (small, large));
        }
    }
    assert!(steep.is_empty(), "{steep:?}");
}

#[test]
fn it_stops_whatever_it_works_on() {
    for (name, octets) in [("zip-fdfa", 100 << 10), ("fdfa", 8 << 20), ("office-encrypted", 40 << 10)] {
        let mut gateway = Gateway::start(None);
        let mail = message(&(costly::kind(name).make)(octets));
        let pid = gateway.pid();
        std::thread::scope(|scope| {
            let sessions: Vec<_> = (1..=4_u8)
                .map(|client| {
                    let (gateway, mail) = (&gateway, &mail);
                    scope.spawn(move || gateway.deliver(mail, From::Outside(client)))
                })
                .collect();
            let busy = || (Usage::of(pid).cpu > Duration::from_millis(500)).then_some(());
            until("work", &name, busy);
            gateway.terminate();
            until("its end", &name, || (!gateway::process::runs(pid)).then_some(()));
            drop(sessions);
        });
        let status = gateway.ended().unwrap();
        assert!(status.success(), "{name}: {status}\n{}", gateway.said());
    }
}

#[test]
fn a_worker_has_no_more_address_space_than_its_limit() {
    let gateway = Gateway::start(None);
    gateway.deliver(&message(&(costly::kind("attachments").make)(1_000)), From::Outside(1));
    let workers = gateway::process::workers(gateway.pid());
    assert!(!workers.is_empty());
    for worker in workers {
        let space = gateway::process::status(worker, "VmSize:") << 10;
        assert!(space < postvakt::limits::WORKER_MEMORY_OCTETS, "{space}");
    }
}
