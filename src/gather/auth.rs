//! Authentication of mail from outside: SPF, DKIM, DMARC and ARC, asked of the DNS about the bytes as they came. Here and
//! below alone `mail_auth` is named.
//!
//! Absent: any failure of the mail. What the DNS does not answer in time is a temporary error, and where nothing at
//! all could be found out the fact is unavailable. Absent, too, is any way for a sender to have less looked at than
//! otherwise: what is too much of the mail is left out by itself. And absent is a mail that waits for a resolver that is
//! known to be away: where a question takes long, the resolver is asked for a name that is nobody's; where it says nothing
//! to that either, no mail asks it for a while. No sender can bring that about, whatever its own name servers do.

mod answers;
mod message;
mod question;
mod records;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mail_auth::MessageAuthenticator;
use mail_auth::hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use mail_auth::hickory_resolver::net::NetError;
use mail_auth::hickory_resolver::proto::rr::RecordType;
use mail_auth::hickory_resolver::system_conf::read_system_conf;
use tokio::time::{Instant, timeout};

use super::breaker::{Breaker, Change};
use crate::config::services::Dns;
use crate::facts::authentication::Authentication;
use crate::facts::{Cause, Facts};
use crate::limits;
use crate::mail::Mail;
use crate::metrics::METRICS;
use question::Question;

/// The resolver in use, made anew when a reload names other servers.
#[derive(Default)]
pub struct Resolver(Mutex<Option<Arc<Current>>>);

/// The resolver that a config names, and how it goes with it.
struct Current {
    dns: Dns,
    resolver: MessageAuthenticator,
    breaker: Breaker,
    probes: AtomicU32,
}

impl Resolver {
    fn of(&self, dns: &Dns) -> Result<Arc<Current>, Cause> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*current
            && known.dns == *dns
        {
            return Ok(known.clone());
        }
        let made = Current::new(dns).map_err(|error| {
            tracing::error!(error, "no DNS resolver; mail passes unauthenticated. Configure [dns]");
            Cause::Dns
        })?;
        let made = Arc::new(made);
        *current = Some(made.clone());
        METRICS.dns_unavailable.set(0);
        Ok(made)
    }
}

impl Current {
    fn new(dns: &Dns) -> Result<Self, String> {
        Ok(Self {
            dns: dns.clone(),
            resolver: resolver(dns)?,
            breaker: Breaker::after(1),
            probes: AtomicU32::new(std::process::id()),
        })
    }

    /// Whether any resolver says anything to a question that no cache can answer: "no such name" is an answer, and so is
    /// a failure that it reports.
    async fn answers(&self) -> bool {
        let number = self.probes.fetch_add(1, Ordering::Relaxed);
        let name = format!("postvakt-{number}.example.");
        let asked = self.resolver.resolver().lookup(name, RecordType::TXT);
        match timeout(limits::DNS_TIME, asked).await {
            Ok(Ok(_) | Err(NetError::Dns(_))) => true,
            Ok(Err(_)) | Err(_) => false,
        }
    }

    /// Whether this mail may ask. While no resolver answers, none may, and one in each pause has it found out how it is, for
    /// which it does not wait.
    fn admits(self: &Arc<Self>) -> bool {
        if !self.breaker.is_open() {
            return true;
        }
        if self.breaker.admits(Instant::now()) {
            let own = self.clone();
            tokio::spawn(async move { own.settle(own.answers().await) });
        }
        false
    }

    /// Takes note of whether a resolver answers.
    fn settle(&self, answers: bool) -> bool {
        match self.breaker.settle(answers, Instant::now()) {
            Change::None => {}
            Change::Opened => {
                METRICS.dns_unavailable.set(1);
                tracing::error!(
                    servers = self.servers(),
                    "no DNS resolver answers; inbound mail passes unauthenticated, and senders get no receipt. Tried again \
                     every 10 s"
                );
            }
            Change::Closed => {
                METRICS.dns_unavailable.set(0);
                tracing::info!(servers = self.servers(), "a DNS resolver answers again");
            }
        }
        answers
    }

    fn servers(&self) -> String {
        let servers: Vec<String> = self.dns.servers.iter().map(ToString::to_string).collect();
        if servers.is_empty() { "those of /etc/resolv.conf".to_owned() } else { servers.join(", ") }
    }

    /// Ends where a question takes long because no resolver answers at all.
    async fn is_away(&self) {
        tokio::time::sleep(limits::DNS_PATIENCE).await;
        if self.settle(self.answers().await) {
            std::future::pending::<()>().await;
        }
    }
}

/// Whether a resolver of this config answers, for `check --probe`.
pub async fn resolver_answers(dns: &Dns) -> Result<bool, String> {
    Ok(Current::new(dns)?.answers().await)
}

/// A resolver with a cache of its own, which keeps each answer, "no such name" too, as long as the DNS allows.
fn resolver(dns: &Dns) -> Result<MessageAuthenticator, String> {
    let (config, mut options) = if dns.servers.is_empty() {
        read_system_conf().map_err(|error| error.to_string())?
    } else {
        let servers = dns.servers.iter().map(|address| {
            let on_port = |mut connection: ConnectionConfig| {
                connection.port = address.port();
                connection
            };
            let connections = vec![on_port(ConnectionConfig::udp()), on_port(ConnectionConfig::tcp())];
            NameServerConfig::new(address.ip(), true, connections)
        });
        (ResolverConfig::from_parts(None, Vec::new(), servers.collect()), ResolverOpts::default())
    };
    options.timeout = limits::DNS_TIME;
    options.attempts = 1;
    options.cache_size = limits::DNS_ANSWERS;
    options.use_hosts_file = ResolveHosts::Never;
    MessageAuthenticator::new(config, options).map_err(|error| error.to_string())
}

/// Asks who vouches for the mail. A panic in the libraries is a fault of ours and ends nothing but the question.
pub async fn authenticate(
    mail: &Arc<Mail>,
    facts: &Facts,
    dns: &Dns,
    resolver: &Resolver,
) -> Result<Authentication, Cause> {
    let current = resolver.of(dns)?;
    if !current.admits() {
        return Err(Cause::Paused);
    }
    let question = Question::of(mail, facts);
    let asked = current.clone();
    let work = async move { question.ask(&asked.resolver).await };
    let task = if mail.message.bytes.len() > limits::INLINE_OCTETS {
        // Hashing a large body takes its time; no connection is to wait for another's.
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || runtime.block_on(work))
    } else {
        tokio::spawn(work)
    };
    let aborting = task.abort_handle();
    let task = async {
        tokio::select! {
            biased;
            answered = task => Some(answered),
            () = current.is_away() => None,
        }
    };
    match timeout(limits::AUTHENTICATION_TIME + Duration::from_secs(1), task).await {
        Ok(None) => {
            aborting.abort();
            Err(Cause::Dns)
        }
        Ok(Some(Ok(result))) => result,
        Ok(Some(Err(_))) => {
            METRICS.panics.inc();
            tracing::error!(queue_id = facts.queue_id, "internal error while authenticating a mail");
            Err(Cause::Fault)
        }
        Err(_) => {
            aborting.abort();
            Err(Cause::Deadline)
        }
    }
}
