//! Beyond the limits: each has its defined answer, and the next mail on the connection is served.

use std::sync::Arc;

use postvakt::limits;
use postvakt::milter::connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::player::{Recorder, next_frame, settings};
use super::script::frame;

/// Octets that an MTA sends.
#[derive(Default)]
pub(super) struct Sent(pub(super) Vec<u8>);

impl Sent {
    /// After negotiation, with an MTA that does without any reply.
    pub(super) fn begun() -> Self {
        Self::default().and(b"O\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff")
    }

    /// After negotiation, with an MTA that waits after each recipient.
    pub(super) fn begun_with_replies_to_rcpt() -> Self {
        Self::default().and(b"O\0\0\0\x06\0\0\x01\xff\0\x1f\x7f\xff")
    }

    pub(super) fn and(mut self, bytes: &[u8]) -> Self {
        self.0.extend(frame(bytes));
        self
    }

    pub(super) fn times(self, times: usize, bytes: &[u8]) -> Self {
        (0..times).fold(self, |sent, _| sent.and(bytes))
    }

    pub(super) fn envelope(self) -> Self {
        self.and(b"M<a@x.test>\0").and(b"R<b@y.test>\0")
    }
}

/// The first letters of what comes back after negotiation, with the code of a reply; and what the handler saw.
async fn played(sent: Sent, in_flight: usize) -> (Vec<String>, Vec<String>) {
    let handler = Arc::new(Recorder::default());
    let (_phase, mut settings) = settings();
    settings.in_flight = Arc::new(Semaphore::new(in_flight));
    let (mta, filter) = tokio::io::duplex(1 << 16);
    let (mut reader, mut writer) = tokio::io::split(mta);
    let mut received = Vec::new();
    let write = async {
        writer.write_all(&sent.0).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let run = connection::run(filter, Arc::clone(&handler), settings);
    let (read, (), ()) = tokio::join!(reader.read_to_end(&mut received), write, run);
    read.unwrap();
    let mut rest = &received[..];
    let mut replies = Vec::new();
    while !rest.is_empty() {
        let reply = next_frame(&mut rest);
        replies.push(String::from_utf8_lossy(&reply[..reply.len().min(10)]).into_owned());
    }
    replies.remove(0);
    (replies, handler.events())
}

/// A piece of a body.
fn piece(octets: usize) -> Vec<u8> {
    let mut piece = vec![b'x'; octets + 1];
    piece[0] = b'B';
    piece
}

const ROOMY: usize = limits::IN_FLIGHT_OCTETS;

/// A mail to so many, and the next.
fn crowd(begun: Sent, count: usize) -> Sent {
    begun.and(b"M<a@x.test>\0").times(count, b"R<b@y.test>\0").and(b"E").envelope().and(b"E")
}

#[tokio::test]
async fn recipients() {
    let beyond = limits::RECIPIENTS + 10_000;
    for (count, reply, event) in
        [(50_000, "c", "judge "), (limits::RECIPIENTS, "c", "judge "), (beyond, "y452 4.5.3", "refused ")]
    {
        let (replies, events) = played(crowd(Sent::begun(), count), ROOMY).await;
        assert_eq!(replies, [reply, "c"]);
        assert!(events[0].starts_with(event) && events[1].starts_with("judge "), "{count}");
        assert_eq!(events[0].matches("<b@y.test>").count(), count.min(limits::RECIPIENTS));
    }
}

#[tokio::test]
async fn recipients_that_are_answered() {
    let (count, accepted) = (limits::RECIPIENTS + 10_000, limits::RECIPIENTS);
    let (replies, events) = played(crowd(Sent::begun_with_replies_to_rcpt(), count), ROOMY).await;
    assert!(replies[..accepted].iter().all(|reply| reply == "c"));
    assert!(replies[accepted..count].iter().all(|reply| reply == "y452 4.5.3"));
    assert_eq!(&replies[count..], ["c", "c", "c"]);
    assert_eq!(events[0].matches("<b@y.test>").count(), accepted);
}

#[tokio::test(start_paused = true)]
async fn no_room_for_so_many_recipients() {
    let begin = Instant::now();
    let (replies, events) = played(crowd(Sent::begun(), 10_000), 200_000).await;
    assert_eq!(begin.elapsed().as_secs(), limits::IN_FLIGHT_TIME.as_secs(), "it waits once");
    assert_eq!(replies, ["y452 4.3.1", "c"]);
    assert_eq!(events, ["refused from=a@x.test", "judge from=a@x.test to=<b@y.test>"]);
}

#[tokio::test]
async fn header_section() {
    let long = [b"LX-Long\0 ", "x".repeat(60_000).as_bytes(), b"\0"].concat();
    for (times, field) in [(limits::HEADER_FIELDS + 1, &b"LX-A\0 v\0"[..]), (20, &long)] {
        let sent = Sent::begun().envelope().times(times, field).and(b"N").and(b"Bbody").and(b"E");
        let sent = sent.envelope().times(10, field).and(b"N").and(b"E");
        let (replies, events) = played(sent, ROOMY).await;
        assert_eq!(replies, ["y552 5.3.4", "c"]);
        assert!(events[0].starts_with("refused ") && events[1].starts_with("judge "), "{events:?}");
    }
}

#[tokio::test]
async fn message_larger_than_is_kept() {
    let piece = piece(65_535);
    let times = limits::MESSAGE_OCTETS / 65_535 + 2;
    let sent = Sent::begun().envelope().and(b"N").times(times, &piece).and(b"E");
    let (replies, events) = played(sent, ROOMY).await;
    assert_eq!(replies, ["c"]);
    let expected = format!(
        "judge from=a@x.test to=<b@y.test> kept={} size={}",
        limits::MESSAGE_OCTETS,
        2 + times * 65_535
    );
    assert_eq!(events, [expected]);
}

#[tokio::test(start_paused = true)]
async fn no_room_among_the_messages_in_flight() {
    let piece = piece(60_000);
    let sent = Sent::begun().envelope().and(b"N").times(5, &piece).and(b"E").envelope().and(b"E");
    let (replies, events) = played(sent, 200_000).await;
    assert_eq!(replies, ["y452 4.3.1", "c"]);
    assert!(events[0].starts_with("refused ") && events[1].starts_with("judge "), "{events:?}");
}

#[tokio::test]
async fn room_is_given_back() {
    let piece = piece(60_000);
    let one = |sent: Sent| sent.envelope().and(b"N").times(5, &piece);
    let sent = (0..5).fold(Sent::begun(), |sent, n| one(sent).and(if n % 2 == 0 { b"E" } else { b"A" }));
    let (replies, events) = played(sent, 1 << 19).await;
    assert_eq!(replies, ["c", "c", "c"]);
    assert_eq!(events.len(), 5);
}
