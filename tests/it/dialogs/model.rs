//! A reference automaton: what an MTA waits for, for any flags and any order of events.
//!
//! Random streams, mostly such as MTAs send, partly such as they never would. Each reply must be one that the MTA
//! waits for, none may lack, each MAIL must leave exactly one event behind, and what was refused in silence is refused
//! at the end.

use std::sync::Arc;

use postvakt::milter::connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::player::{Recorder, next_frame, settings};
use super::script::{Scripted, frame};

/// `SplitMix64`: a test that fails does so again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bits(&mut self, mask: u32) -> u32 {
        u32::try_from(self.next() & u64::from(mask)).unwrap()
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a [u8]]) -> &'a [u8] {
        from[self.below(from.len())]
    }
}

const ANY: [&[u8]; 22] = [
    b"D",
    b"DMi\0A1\0",
    b"DR{rcpt_mailer}\0error\0",
    b"DLi\0A1\0",
    b"Cx\x004\0\x19192.0.2.1\0",
    b"Hx.test\0",
    b"M<a@x.test>\0",
    b"M\0",
    b"R<b@y.test>\0",
    b"R<>\0",
    b"T",
    b"LSubject\0 x\0",
    b"LX-A\0\0",
    b"N",
    b"Bbody\r\n",
    b"B",
    b"E",
    b"Elast\r\n",
    b"A",
    b"UFOO\0",
    b"U",
    b"K",
];

/// One mail as MTAs send it, sometimes cut short.
fn mail(random: &mut Random) -> Vec<&'static [u8]> {
    let mut events: Vec<&[u8]> = vec![b"DMi\0A1\0", b"M<a@x.test>\0"];
    for _ in 0..random.below(4) {
        events.extend([&b"DR"[..], b"R<b@y.test>\0"]);
    }
    events.extend([&b"DT"[..], b"T"]);
    for _ in 0..random.below(5) {
        events.extend([&b"DLi\0A1\0"[..], b"LSubject\0 x\0"]);
    }
    events.push(b"N");
    events.extend(std::iter::repeat_n(&b"Bbody\r\n"[..], random.below(3)));
    events.push(random.pick(&[b"E", b"Elast\r\n"]));
    if random.below(4) == 0 {
        events.truncate(random.below(events.len()));
    }
    if random.below(3) > 0 {
        events.push(b"A");
    }
    events
}

/// The reference: whether the reply to this command is waited for, by the flags of protocol that were agreed on.
fn is_answered(command: u8, protocol: u32) -> bool {
    let flag = match command {
        b'C' => 0x1000,
        b'H' => 0x2000,
        b'M' => 0x4000,
        b'R' => 0x8000,
        b'T' => 0x1_0000,
        b'U' => 0x2_0000,
        b'N' => 0x4_0000,
        b'B' => 0x8_0000,
        b'L' => 0x80,
        b'E' => 0,
        b'D' | b'A' | b'K' | b'Q' => return false,
        other => panic!("{other}"),
    };
    protocol & flag == 0
}

fn is_final(reply: &[u8]) -> bool {
    match reply.first() {
        Some(b'c') => reply.len() == 1,
        Some(b'y') => matches!(&reply[1..5], b"451 " | b"550 "),
        Some(b'i' | b'q' | b'-') => false,
        _ => panic!("no reply: {}", reply.escape_ascii()),
    }
}

fn answers(random: &mut Random) -> Vec<Scripted> {
    use postvakt::answer::{Answer, Edit};
    (0..100)
        .map(|_| {
            let edit = match random.below(4) {
                0 => return Scripted::Answer(Answer::pass()),
                1 => Edit::InsertHeader { index: 1, name: "X-A".into(), value: "v".into() },
                2 => Edit::RemoveRecipient { raw: b"<b@y.test>".to_vec() },
                _ => Edit::Quarantine { reason: "why".into() },
            };
            Scripted::Answer(Answer { edits: vec![edit; 2], refusal: None })
        })
        .collect()
}

/// Sends the events in pieces of random size; returns the agreed flags and the further frames that came back.
async fn play(events: &[&[u8]], random: &mut Random, handler: &Arc<Recorder>) -> (u32, Vec<Vec<u8>>) {
    let [version, actions, protocol] = match random.below(4) {
        0 => [2, 0x3f, 0x7f],
        1 => [6, 0, 0],
        2 => [6, 0x1ff, 0x1f_ffff],
        _ => [6, random.bits(0x1ff), random.bits(0x1f_ffff)],
    };
    let offer: Vec<u8> = [version, actions, protocol].iter().flat_map(|n: &u32| n.to_be_bytes()).collect();
    let mut sent = frame(&[&b"O"[..], &offer].concat());
    sent.extend(events.iter().flat_map(|event| frame(event)));
    let (_phase, settings) = settings();
    let (mta, filter) = tokio::io::duplex(1 + random.below(5_000));
    let (mut reader, mut writer) = tokio::io::split(mta);
    let mut received = Vec::new();
    let write = async {
        for piece in sent.chunks(1 + random.below(300)) {
            writer.write_all(piece).await.unwrap();
        }
        writer.shutdown().await.unwrap();
    };
    let run = connection::run(filter, Arc::clone(handler), settings);
    let (read, (), ()) = tokio::join!(reader.read_to_end(&mut received), write, run);
    read.unwrap();
    let mut rest = &received[..];
    let agreed = next_frame(&mut rest);
    let agreed = u32::from_be_bytes(agreed[9..13].try_into().unwrap());
    assert_eq!(agreed & !protocol, 0, "more than was offered");
    let mut frames = Vec::new();
    while !rest.is_empty() {
        frames.push(next_frame(&mut rest).to_vec());
    }
    (agreed, frames)
}

#[tokio::test]
async fn every_reply_is_waited_for_and_none_lacks() {
    for seed in 0..1_500 {
        let mut random = Random(seed);
        let mut events = Vec::new();
        for _ in 0..=random.below(12) {
            if random.below(3) == 0 {
                events.extend((0..random.below(12)).map(|_| random.pick(&ANY)));
            } else {
                events.extend(mail(&mut random));
            }
        }
        let handler = Arc::new(Recorder {
            answers: std::sync::Mutex::new(answers(&mut random).into()),
            ..Recorder::default()
        });
        let (agreed, frames) = play(&events, &mut random, &handler).await;
        let mut replies = frames.iter();
        let (mut told_of, mut doomed) = (false, false);
        for event in &events {
            match event[0] {
                b'D' => told_of = event.starts_with(b"DR{rcpt_mailer}"),
                b'M' => doomed = false,
                b'R' if !is_answered(b'R', agreed) && !told_of => doomed |= *event == b"R<>\0",
                _ => {}
            }
            if !is_answered(event[0], agreed) {
                continue;
            }
            loop {
                let reply = replies
                    .next()
                    .unwrap_or_else(|| panic!("seed {seed}: no reply to {}", event.escape_ascii()));
                if is_final(reply) {
                    assert!(event[0] != b'E' || !doomed || reply[0] == b'y', "seed {seed}: accepted");
                    break;
                }
                assert_eq!(event[0], b'E', "seed {seed}: an edit outside the end of a message");
            }
        }
        assert_eq!(replies.next(), None, "seed {seed}: a reply that nobody waits for");
        let mails = events.iter().filter(|event| event[0] == b'M').count();
        assert_eq!(handler.events().len(), mails, "seed {seed}: each mail leaves one event");
    }
}
