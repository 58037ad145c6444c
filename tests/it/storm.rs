//! The storm: thousands of cases while the program is killed at random and the server that takes the receipts refuses,
//! hangs and drops. At the end each case has its receipt, and each one that came twice has its reason.

use std::collections::HashMap;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use postvakt::address::{Address, ReversePath};
use postvakt::cli::demo::mta::{Mta, Session};
use postvakt::facts::transaction::message_from_file;
use postvakt::mail::{Envelope, Recipient};
use postvakt::store::outbox::{Listed, State};

use crate::faults::Random;
use crate::lab::program::Postvakt;
use crate::lab::sink::{Act, Sink, Stage};
use crate::lab::{Directory, Ports, until};

/// Cases; `POSTVAKT_STORM` makes it more or fewer.
const CASES: usize = 5_000;
const CLIENTS: usize = 4;
const MAILBOX: &str = "registrator@exempelby.se";

pub(crate) const RULES: &str = r#"
retry = "1 s"
timeout = "5 s"

[rules.receipt]
mode = "enforce"
delay = "1 s"
require_authentication = false
per_domain = ["100000/h"]
per_mailbox = ["100000/h"]
in_all = ["100000/h"]
[[rules.receipt.mailboxes]]
address = "registrator@exempelby.se"
"#;

#[test]
fn every_case_has_its_receipt_through_kills_and_a_server_that_misbehaves() {
    let cases = std::env::var("POSTVAKT_STORM").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES);
    let mut random = Random::seeded();
    let begun = Instant::now();
    let ports = Ports::reserve();
    let directory = Directory::new();
    std::fs::create_dir(directory.path.join("run")).unwrap();
    let sink = Sink::start_at(ports.reinjection, stormy(random.below(u64::MAX)));
    let mut postvakt = Postvakt::start(&directory.path, &ports, RULES);
    let (next, mut kills) = (AtomicUsize::new(0), Vec::new());
    let clients_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|_| scope.spawn(|| bring(ports.milter, &next, cases))).collect();
        let watch = scope.spawn(|| {
            for client in clients {
                client.join().unwrap();
            }
            clients_done.store(true, Ordering::Relaxed);
        });
        // It goes on while receipts are still being sent.
        while !clients_done.load(Ordering::Relaxed)
            || (sink.taken().len() < cases * 9 / 10 && begun.elapsed() < Duration::from_mins(1))
        {
            thread::sleep(Duration::from_millis(200 + random.below(1_300)));
            let from = Instant::now();
            postvakt.kill();
            postvakt.restart();
            kills.push(Kill { from, to: Instant::now() });
        }
        watch.join().unwrap();
    });
    sink.behave(|_| Act::Well);
    // As long as they become fewer, the machine is only slow.
    let mut waiting = usize::MAX;
    while waiting > 0 {
        waiting = until("fewer letters that wait", &postvakt.log, || {
            let left = postvakt.receipts(&["list", "--state", "pending", "--decision", "test"]).len();
            (left == 0 || left < waiting).then_some(left)
        });
    }
    let listed = crate::store::listed(&directory.path.join("store"), Timestamp::now());
    assert_eq!(listed.len(), cases, "one row for each case");
    for letter in &listed {
        // Whatever came twice was recorded once: nobody sent it knowing that it was sent.
        let sent = letter.history.iter().filter(|(_, state, _)| *state == State::Sent).count();
        assert_eq!((letter.state, sent), (State::Sent, 1), "{letter:?}");
    }
    explain(&sink, &listed, &kills, begun.elapsed());
}

/// From the kill until the program was there again.
struct Kill {
    from: Instant,
    to: Instant,
}

/// Counts what came, and finds the reason of what came twice.
fn explain(sink: &Sink, listed: &[Listed], kills: &[Kill], time: Duration) {
    let cases = listed.len();
    let mut times: HashMap<String, (Vec<Instant>, usize)> = HashMap::new();
    for taken in sink.taken() {
        let (said, unsaid) = times.entry(taken.field("In-Reply-To").unwrap()).or_default();
        if taken.said { said.push(taken.at) } else { *unsaid += 1 }
    }
    let missing: Vec<usize> = (0..cases).filter(|case| !times.contains_key(&message_id(*case))).collect();
    assert!(missing.is_empty(), "without receipt: {missing:?}");
    assert_eq!(times.len(), cases, "nobody else is answered");
    let dropped: usize =
        times.values().map(|(said, unsaid)| if said.is_empty() { unsaid - 1 } else { *unsaid }).sum();
    // What the server said so late, on a busy machine, that nobody listened any more.
    let late = |id: &String| {
        let unheard = |(_, state, words): &(_, State, String)| {
            *state == State::Pending && words == "timeout while waiting for a reply"
        };
        let own = |letter: &&Listed| letter.stored.row.message.contains(&format!("In-Reply-To: {id}\r\n"));
        listed.iter().find(own).is_some_and(|letter| letter.history.iter().any(unheard))
    };
    // Else a letter that the server said it took comes again only if a kill was quicker than its mark. What a dead
    // program had sent may lie a moment at the server.
    let repeated = times.iter().flat_map(|(id, (said, _))| said.windows(2).map(move |pair| (id, pair)));
    let by_kill: Vec<Duration> = repeated
        .filter_map(|(id, pair)| {
            let between = |kill: &&Kill| kill.from < pair[1] && pair[0] < kill.to + Duration::from_secs(1);
            let kill = kills.iter().find(between);
            assert!(kill.is_some() || late(id), "{id} came twice, and no kill between");
            kill.map(|kill| kill.from.saturating_duration_since(pair[0]))
        })
        .collect();
    println!(
        "{cases} cases in {time:?}, {} kills: each has its receipt; {dropped} came again because the server took them \
         and said nothing, {} because a kill came so soon after the server had them: {by_kill:?}",
        kills.len(),
        by_kill.len()
    );
    assert!(by_kill.len() <= kills.len(), "{} came twice: their marks are late", by_kill.len());
}

/// What the server does: at each stage mostly well, and at times for a while nothing at all.
fn stormy(seed: u64) -> impl Fn(Stage) -> Act + Send + Sync {
    let (count, begun) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    move |stage| {
        let n = count.fetch_add(1, Ordering::Relaxed) as u64;
        // A stretch of half a second in every four in which nobody is let in.
        if stage == Stage::Connected && begun.elapsed().as_millis() % 4_000 < 500 {
            return Act::Say("421 4.3.2 not now");
        }
        let dice = (n ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54;
        match (stage, dice) {
            (Stage::Dot, 0..10) => Act::TakeAndDrop,
            (Stage::Dot, 10..12) | (Stage::Mail | Stage::Data, 0..1) => Act::Wait(Duration::from_secs(6)),
            (Stage::Dot, 12..30) => Act::Drop,
            (Stage::Dot | Stage::Recipient, 30..50) => Act::Say("451 4.3.0 not now"),
            (_, 3..8) if stage != Stage::Dot => Act::Drop,
            _ => Act::Well,
        }
    }
}

fn message_id(case: usize) -> String {
    format!("<storm-{case}@example.org>")
}

/// A client that brings cases, each again until it is taken.
fn bring(port: u16, next: &AtomicUsize, cases: usize) {
    let (session, mut open) = (session(), None);
    loop {
        let case = next.fetch_add(1, Ordering::Relaxed);
        if case >= cases {
            return;
        }
        while !take(&mut open, port, &session, case) {
            open = None;
            thread::sleep(Duration::from_millis(20));
        }
    }
}

pub(crate) fn session() -> Session {
    Session { client: Some([192, 0, 2, 1].into()), helo: "mx.example.org".into(), ..Session::default() }
}

/// Brings a case over the open connection, or over a new one; whether it was taken.
pub(crate) fn take(open: &mut Option<Mta<TcpStream>>, port: u16, session: &Session, case: usize) -> bool {
    if open.is_none() {
        let stream = TcpStream::connect(("127.0.0.1", port)).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            Mta::open(stream, session)
        });
        *open = stream.ok();
    }
    let Some(mta) = open else { return false };
    let envelope = Envelope {
        sender: ReversePath::from_wire(format!("<person{case}@example.org>").as_bytes()),
        smtputf8: false,
        recipients: vec![Recipient {
            raw: format!("<{MAILBOX}>").into_bytes().into(),
            address: Address::parse(MAILBOX).unwrap(),
        }],
    };
    let text = format!(
        "From: <person{case}@example.org>\nTo: <{MAILBOX}>\nSubject: {case}\nMessage-ID: {}\n\nHej!\n",
        message_id(case)
    );
    let heard =
        mta.deliver(session, &envelope, &message_from_file(text.as_bytes()), &format!("STORM{case:06}"));
    heard.is_ok_and(|heard| heard.reply.is_none())
}
