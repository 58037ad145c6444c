//! Scanners: each is shown the message as it came, within its own deadline, and is left alone for a while when it
//! fails again and again. All work at once.
//!
//! Absent: a word for a scanner that did not answer. What it did not say is a cause.

mod clamd;
mod rspamd;
mod spamd;

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout};

use super::breaker::{self, Breaker};
use crate::config::services::{self, Endpoint, Scanner};
use crate::facts::scan::{Scans, SpamScan, SpamScanner, SpamScore, VirusScan, upstream};
use crate::facts::{Cause, Fact, Facts, Needs};
use crate::limits;
use crate::mail::{Direction, Mail};
use crate::metrics::METRICS;

/// What is remembered of the scanners between mails: which of them are out of order.
#[derive(Default)]
pub struct Scanners(Mutex<HashMap<Scanner, Arc<Breaker>>>);

impl Scanners {
    fn breaker(&self, scanner: &Scanner) -> Arc<Breaker> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(scanner.clone()).or_default().clone()
    }
}

/// Shows the mail to every scanner that a rule needs.
pub async fn scan(
    mail: &Mail,
    facts: &Facts,
    needs: Needs,
    config: &services::Scanners,
    scanners: &Scanners,
) -> Scans {
    let spam = needs.spam_scan && facts.direction == Direction::Inbound;
    // A question has buffers, and a mail that asks none does without them: what it waits in is moved as it is made.
    let rspamd = async {
        let scanner = config.rspamd.as_ref().filter(|_| spam)?;
        Some(Box::pin(ask("rspamd", mail, scanner, scanners, || rspamd::check(mail, facts, scanner))).await)
    };
    let spamassassin = async {
        let scanner = config.spamassassin.as_ref().filter(|_| spam)?;
        Some(
            Box::pin(ask("spamassassin", mail, scanner, scanners, || spamd::check(mail, facts, scanner)))
                .await,
        )
    };
    let clamav = async {
        let scanner = config.clamav.as_ref().filter(|_| needs.virus_scan)?;
        Some(Box::pin(ask("clamav", mail, scanner, scanners, || clamd::check(mail, scanner))).await)
    };
    let (rspamd, spamassassin, clamav) = tokio::join!(rspamd, spamassassin, clamav);
    let trusted = facts.client.address.is_some_and(|client| facts.organisation.trusts_filter(client));
    let before = upstream(&facts.header).filter(|_| spam && trusted);
    let answers = [
        (SpamScanner::Rspamd, rspamd),
        (SpamScanner::SpamAssassin, spamassassin),
        (SpamScanner::Upstream, before.map(Ok)),
    ];
    Scans {
        spam: answers
            .into_iter()
            .filter_map(|(by, answer): (_, Option<Result<SpamScore, Cause>>)| {
                Some(SpamScan { by, answer: answer? })
            })
            .collect(),
        virus: match clamav {
            Some(Ok(found)) => Fact::Known::<VirusScan>(found),
            Some(Err(cause)) => Fact::Unavailable(cause),
            None => Fact::NotGathered,
        },
    }
}

/// Asks one scanner, unless it is out of order or the message too large for it.
async fn ask<T, F: Future<Output = Result<T, Cause>>>(
    name: &'static str,
    mail: &Mail,
    scanner: &Scanner,
    scanners: &Scanners,
    question: impl FnOnce() -> F,
) -> Result<T, Cause> {
    let started = Instant::now();
    let breaker = scanners.breaker(scanner);
    let answer = if mail.message.truncated() || mail.message.size > scanner.size_at_most {
        Err(Cause::Limit)
    } else if breaker.admits(Instant::now()) {
        let answer = timeout(scanner.deadline, question()).await.unwrap_or(Err(Cause::Deadline));
        let failed = matches!(answer, Err(Cause::Deadline | Cause::Unreachable | Cause::Protocol));
        match breaker.settle(!failed, Instant::now()) {
            breaker::Change::None => {}
            breaker::Change::Opened => {
                tracing::error!(scanner = name, "scanner unavailable; skipped for 10 s");
            }
            breaker::Change::Closed => tracing::info!(scanner = name, "scanner available again"),
        }
        answer
    } else {
        Err(Cause::Paused)
    };
    let word = answer.as_ref().err().map_or("answered", |cause| cause.as_str());
    METRICS.scans.with_label_values(&[name, word]).inc();
    METRICS.stage_seconds.with_label_values(&[name]).observe(started.elapsed().as_secs_f64());
    if let Err(cause) = &answer {
        METRICS.fact_unavailable.with_label_values(&[name, cause.as_str()]).inc();
    }
    answer
}

/// A connection, whatever it runs over.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

async fn connect(scanner: &Scanner) -> Result<Box<dyn Connection>, Cause> {
    let connecting = async {
        Ok::<Box<dyn Connection>, io::Error>(match &scanner.address {
            Endpoint::Inet(address) => Box::new(TcpStream::connect(address).await?),
            Endpoint::Unix(path) => Box::new(UnixStream::connect(path).await?),
        })
    };
    match timeout(limits::SCAN_CONNECT_TIME, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => {
            tracing::warn!(%error, address = %scanner.address, "cannot reach a scanner");
            Err(Cause::Unreachable)
        }
        Err(_) => Err(Cause::Unreachable),
    }
}

/// Everything until the scanner closes the connection, or until `end` where it says so itself.
async fn read_answer(connection: &mut dyn Connection, end: Option<u8>) -> Result<Vec<u8>, Cause> {
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = connection.read(&mut piece).await.map_err(|_| Cause::Protocol)?;
        answer.extend_from_slice(piece.get(..count).unwrap_or_default());
        let ended = end.is_some_and(|end| answer.contains(&end));
        if count == 0 || ended {
            return Ok(answer);
        }
        if answer.len() > limits::SCAN_ANSWER_OCTETS {
            return Err(Cause::Protocol);
        }
    }
}

/// A number that can be reckoned with.
fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}
