//! The courier: whatever the server does, each letter goes once, and what is known of it is on the disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use postvakt::config::Smtp;
use postvakt::courier::{self, Means, requests};
use postvakt::metrics::METRICS;
use postvakt::record::{OutboxKind, OutboxRow};
use postvakt::store::outbox::{Change, Event, Listed, State};
use postvakt::store::{Entry, Store};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::lab::sink::{Act, Sink, Stage};

/// A store with a courier at work.
pub(crate) struct Post {
    pub(crate) store: Store,
    stop: watch::Sender<bool>,
    courier: JoinHandle<()>,
    directory: tempfile::TempDir,
}

impl Post {
    fn start(port: u16) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), port)
    }

    fn start_in(directory: tempfile::TempDir, port: u16) -> Self {
        Self::start_with(directory, port, Duration::from_mins(1))
    }

    /// With so much patience with the server: long, so that no busy machine looks like a server that hangs.
    fn start_with(directory: tempfile::TempDir, port: u16, timeout: Duration) -> Self {
        Self::start_claiming(directory, ("gw1", port), timeout, None)
    }

    /// As a node that asks whether it is the one that sends a receipt.
    pub(crate) fn start_claiming(
        directory: tempfile::TempDir,
        (node, port): (&str, u16),
        timeout: Duration,
        claim: Option<courier::Claim>,
    ) -> Self {
        let store = Store::open(directory.path(), node).unwrap();
        let (stop, stopped) = watch::channel(false);
        let smtp = Smtp {
            submit: ([127, 0, 0, 1], port).into(),
            retry: Duration::from_millis(20),
            max_age: Duration::from_hours(1),
            timeout,
        };
        let way: courier::SmtpSettingsSource = Arc::new(move || Some(smtp.clone()));
        requests::prepare(directory.path()).unwrap();
        let courier = tokio::spawn(courier::run(
            store.clone(),
            directory.path().to_owned(),
            Means { way, claim },
            stopped,
        ));
        Self { store, stop, courier, directory }
    }

    pub(crate) async fn write(&self, rows: Vec<OutboxRow>) {
        write(&self.store, rows).await;
    }

    /// The letters, once each of them fits.
    pub(crate) async fn until(&self, fits: impl Fn(&Listed) -> bool) -> Vec<Listed> {
        for _ in 0..6_000 {
            let all = listed(self.directory.path());
            if all.iter().all(&fits) {
                return all;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("waited in vain: {:#?}", listed(self.directory.path()));
    }

    pub(crate) async fn end(self) {
        self.stop.send(true).unwrap();
        self.courier.await.unwrap();
        self.store.close().await;
    }
}

async fn write(store: &Store, rows: Vec<OutboxRow>) {
    let record = crate::store::record("case");
    let entry = Entry { outbox: rows, ..Entry::of(record) };
    store.commit(entry).await.unwrap();
}

fn listed(directory: &Path) -> Vec<Listed> {
    crate::store::listed(directory, Timestamp::now())
}

pub(crate) fn letter(n: u8, recipient: &str) -> OutboxRow {
    let now = Timestamp::now();
    OutboxRow {
        key: [n; 16],
        kind: OutboxKind::Receipt,
        at: now,
        due: now,
        until: now + Duration::from_hours(1),
        mailbox: "registrator@exempelby.se".into(),
        recipient: recipient.into(),
        reference: format!("PV-2026-{n:06}"),
        held: false,
        message: format!("Message-ID: <receipt.{n}@exempelby.se>\r\n\r\n.Hej\r\n"),
    }
}

pub(crate) fn is(state: State) -> impl Fn(&Listed) -> bool {
    move |listed| listed.state == state
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_goes_with_the_null_sender_and_asks_for_no_bounce() {
    let sink = Sink::start(|_| Act::Well);
    let post = Post::start(sink.port);
    post.write((1..=50).map(|n| letter(n, "x@example.org")).collect()).await;
    let sent = post.until(is(State::Sent)).await;
    assert!(sent.iter().all(|listed| listed.attempts == 1 && listed.history.len() == 1));
    assert_eq!(sent[0].history[0].2, "250 2.0.0 Ok: queued as SINK");
    let taken = sink.taken();
    assert_eq!(taken.len(), 50);
    assert_eq!(
        (&*taken[0].mail, &*taken[0].recipient),
        ("MAIL FROM:<>", "RCPT TO:<x@example.org> NOTIFY=NEVER")
    );
    assert!(taken[0].message.ends_with("\r\n\r\n.Hej\r\n"));
    post.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_says_decides() {
    // At which stage what is said, and what becomes of the letter: never, or later.
    for (stage, words, state) in [
        (Stage::Recipient, "550 5.1.1 no such user", State::Failed),
        (Stage::Recipient, "450 4.2.0 not now", State::Sent),
        (Stage::Mail, "550 5.7.1 who are you?", State::Sent),
        (Stage::Mail, "421 4.3.2 closing", State::Sent),
        (Stage::Data, "554 5.5.1 no valid recipients", State::Failed),
        (Stage::Dot, "554 5.6.0 no", State::Failed),
        (Stage::Dot, "451 4.3.0 not now", State::Sent),
        (Stage::Connected, "554 5.7.1 go away", State::Sent),
        (Stage::Hello, "502 5.5.1 what?", State::Sent),
        (Stage::Recipient, "this is no reply", State::Sent),
    ] {
        let times = AtomicUsize::new(0);
        // It says so once.
        let sink = Sink::start(move |at| {
            if at == stage && times.fetch_add(1, Ordering::Relaxed) == 0 {
                Act::Say(words)
            } else {
                Act::Well
            }
        });
        let post = Post::start(sink.port);
        post.write(vec![letter(1, "x@example.org")]).await;
        let ended = post.until(|listed| listed.state != State::Pending).await.remove(0);
        assert_eq!(ended.state, state, "{stage:?} {words}: {ended:?}");
        assert_eq!(sink.taken().len(), usize::from(state == State::Sent), "{stage:?} {words}");
        if state == State::Failed {
            assert_eq!(ended.history[0].2, words);
        }
        post.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_or_drops_costs_no_letter() {
    let mut cases = tokio::task::JoinSet::new();
    for stage in [Stage::Connected, Stage::Hello, Stage::Mail, Stage::Recipient, Stage::Data, Stage::Dot] {
        for act in [Act::Drop, Act::Wait(3 * PATIENCE), Act::TakeAndDrop] {
            cases.spawn(misbehaving_once(stage, act));
        }
    }
    // Waiting is all that they do, so they do it together.
    while let Some(case) = cases.join_next().await {
        case.unwrap();
    }
}

/// With a server that is to hang; a busy machine must not look like one.
const PATIENCE: Duration = Duration::from_secs(5);

async fn misbehaving_once(stage: Stage, act: Act) {
    // A letter that the server took without saying so comes twice, with one Message-ID.
    let twice = stage == Stage::Dot && !matches!(act, Act::Drop);
    let (times, what) = (AtomicUsize::new(0), act.clone());
    let sink = Sink::start(move |at| {
        if at == stage && times.fetch_add(1, Ordering::Relaxed) == 0 { what.clone() } else { Act::Well }
    });
    let post = Post::start_with(tempfile::tempdir().unwrap(), sink.port, PATIENCE);
    post.write(vec![letter(1, "x@example.org")]).await;
    post.until(is(State::Sent)).await;
    let ids: Vec<_> = sink.taken().iter().map(|taken| taken.field("Message-ID").unwrap()).collect();
    assert_eq!(sink.taken().iter().filter(|taken| taken.said).count(), 1);
    assert_eq!(ids, vec!["<receipt.1@exempelby.se>"; if twice { 2 } else { 1 }], "{stage:?} {act:?}");
    post.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_listens_all_wait_together_and_no_try_is_counted() {
    let nobody = crate::lab::free_port();
    let post = Post::start(nobody);
    post.write((1..=5).map(|n| letter(n, "x@example.org")).collect()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(listed(post.directory.path()).iter().all(|listed| listed.history.is_empty()));
    let sink = Sink::start_at(nobody, |_| Act::Well);
    assert!(post.until(is(State::Sent)).await.iter().all(|listed| listed.attempts == 1));
    assert_eq!(sink.taken().len(), 5);
    post.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_or_cannot_be_written_is_given_up() {
    let sink = Sink::start(|_| Act::Well);
    let post = Post::start(sink.port);
    let old = OutboxRow { until: Timestamp::now() - Duration::from_secs(1), ..letter(1, "x@example.org") };
    let rows = vec![
        old,
        letter(2, "x@example.org> SIZE=1"),
        letter(3, "a b@example.org"),
        letter(4, "å@example.org"),
    ];
    post.write(rows).await;
    let all = post.until(|listed| listed.state != State::Pending).await;
    let states: Vec<State> = all.iter().map(|listed| listed.state).collect();
    assert_eq!(states, [State::Failed, State::Failed, State::Failed, State::Sent]);
    assert!(all[0].history[0].2.starts_with("too old"), "{:?}", all[0]);
    let taken = sink.taken().remove(0);
    assert_eq!(
        (&*taken.mail, &*taken.recipient),
        ("MAIL FROM:<> SMTPUTF8", "RCPT TO:<å@example.org> NOTIFY=NEVER")
    );
    post.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_before_the_program_was_killed_does_not_go_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), "gw1").unwrap();
    write(&store, (1..=3).map(|n| letter(n, "x@example.org")).collect()).await;
    // The server said that it took the first two of them; the log heard of one.
    let first = store.outbox().take(Timestamp::now()).unwrap();
    let second = store.outbox().take(Timestamp::now()).unwrap();
    store.mark_sent(0, &first).unwrap();
    store.mark_sent(1, &second).unwrap();
    let event = Event { key: first.key, at: store.now(), change: Change::Sent, reply: "250 Ok".into() };
    store.note(event).await.unwrap();
    store.close().await;
    let sink = Sink::start(|_| Act::Well);
    let post = Post::start_in(directory, sink.port);
    let all = post.until(is(State::Sent)).await;
    assert_eq!(sink.taken().len(), 1, "the third alone is sent");
    for (key, words) in [
        (first.key, "250 Ok"),
        (second.key, "accepted by the server; the program ended before this was recorded"),
    ] {
        let listed = all.iter().find(|listed| listed.stored.row.key == key).unwrap();
        let history: Vec<_> = listed.history.iter().map(|(_, state, words)| (*state, &**words)).collect();
        assert_eq!(history, [(State::Sent, words)]);
    }
    post.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_for_its_mark_a_letter_goes_and_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", directory.path().join("sent")).unwrap();
    let sink = Sink::start(|_| Act::Well);
    let post = Post::start_in(directory, sink.port);
    let before = METRICS.letters_unmarked.get();
    post.write(vec![letter(1, "x@example.org")]).await;
    post.until(is(State::Sent)).await;
    assert_eq!((sink.taken().len(), METRICS.letters_unmarked.get() - before), (1, 1));
    post.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_ask_beside_a_running_program() {
    let sink =
        Sink::start(|stage| if stage == Stage::Recipient { Act::Say("550 5.1.1 no") } else { Act::Well });
    let post = Post::start(sink.port);
    let later = OutboxRow { due: Timestamp::now() + Duration::from_mins(30), ..letter(2, "x@example.org") };
    post.write(vec![letter(1, "x@example.org"), later]).await;
    requests::leave(post.directory.path(), &[2; 16], requests::Request::Cancel).unwrap();
    let states = |all: &[Listed]| all.iter().map(|listed| listed.state).collect::<Vec<_>>();
    let all = post.until(|listed| listed.state != State::Pending).await;
    assert_eq!(states(&all), [State::Failed, State::Cancelled]);
    sink.behave(|_| Act::Well);
    for key in [[1; 16], [2; 16]] {
        requests::leave(post.directory.path(), &key, requests::Request::Retry).unwrap();
    }
    post.until(is(State::Sent)).await;
    let left = || std::fs::read_dir(post.directory.path().join("requests")).unwrap().count();
    while left() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(sink.taken().len(), 2);
    post.end().await;
}
