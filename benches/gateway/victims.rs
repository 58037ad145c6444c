//! Mail that must not pass, sent again and again while others send what is expensive.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postvakt::mail::Message;

use super::{Answer, From, Gateway};

/// How often each answer came.
pub(crate) type Tally = BTreeMap<Answer, usize>;

/// What came of a trial.
#[derive(Debug, Default)]
pub(crate) struct Trial {
    pub(crate) victims: Tally,
    pub(crate) attacks: Tally,
    /// How long each victim took.
    pub(crate) times: Vec<Duration>,
}

/// What ends a trial.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    Time(Duration),
    Victims(usize),
}

/// Sends victims from inside, one after the other and each a message of its own, while as many sessions as there are
/// `attacks` send theirs from outside again and again.
pub(crate) fn trial(
    gateway: &Gateway,
    victim: impl Fn(usize) -> Message,
    attacks: &[Message],
    until: Until,
) -> Trial {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sessions: Vec<_> = attacks
            .iter()
            .zip((1..=200_u8).cycle())
            .map(|(attack, client)| {
                let over = &over;
                scope.spawn(move || {
                    let mut tally = Tally::new();
                    while !over.load(Ordering::Relaxed) {
                        *tally.entry(gateway.deliver(attack, From::Outside(client))).or_default() += 1;
                    }
                    tally
                })
            })
            .collect();
        let mut trial = Trial::default();
        let started = Instant::now();
        loop {
            let message = victim(trial.times.len());
            let sent = Instant::now();
            *trial.victims.entry(gateway.deliver(&message, From::Inside)).or_default() += 1;
            trial.times.push(sent.elapsed());
            let done = match until {
                Until::Time(time) => started.elapsed() >= time,
                Until::Victims(count) => trial.times.len() >= count,
            };
            if done {
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
        for session in sessions {
            for (answer, count) in session.join().unwrap_or_default() {
                *trial.attacks.entry(answer).or_default() += count;
            }
        }
        trial
    })
}

/// `3 held, 1 deferred`.
pub(crate) fn shown(tally: &Tally) -> String {
    let counts: Vec<_> = tally.iter().map(|(answer, count)| format!("{count} {}", answer.as_str())).collect();
    if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
}
