//! Authentication of mail from outside: SPF, DKIM, DMARC and ARC, asked of the DNS about the bytes as they came. Here and
//! below alone `mail_auth` is named.
//!
//! Absent: any failure of the mail. What the DNS does not answer in time is a temporary error, and where nothing at
//! all could be found out the fact is unavailable. Absent, too, is any way for a sender to have less looked at than
//! otherwise: what is too much of the mail is left out by itself.

mod answers;
mod message;
mod question;
mod records;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mail_auth::MessageAuthenticator;
use mail_auth::hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use mail_auth::hickory_resolver::system_conf::read_system_conf;
use tokio::time::timeout;

use crate::config::services::Dns;
use crate::facts::authentication::Authentication;
use crate::facts::{Cause, Facts};
use crate::limits;
use crate::mail::Mail;
use crate::metrics::METRICS;
use question::Question;

/// The resolver in use, made anew when a reload names other servers.
#[derive(Default)]
pub struct Resolver(Mutex<Option<(Dns, Arc<MessageAuthenticator>)>>);

impl Resolver {
    fn of(&self, dns: &Dns) -> Result<Arc<MessageAuthenticator>, Cause> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((servers, resolver)) = &*current
            && servers == dns
        {
            return Ok(resolver.clone());
        }
        let made = Arc::new(resolver(dns).map_err(|error| {
            tracing::error!(%error, "no DNS resolver; mail passes unauthenticated. Configure [dns]");
            Cause::Dns
        })?);
        *current = Some((dns.clone(), made.clone()));
        Ok(made)
    }
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
    let question = Question::of(mail, facts);
    let resolver = resolver.of(dns)?;
    let work = async move { question.ask(&resolver).await };
    let task = if mail.message.bytes.len() > limits::INLINE_OCTETS {
        // Hashing a large body takes its time; no connection is to wait for another's.
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || runtime.block_on(work))
    } else {
        tokio::spawn(work)
    };
    let aborting = task.abort_handle();
    match timeout(limits::AUTHENTICATION_TIME + Duration::from_secs(1), task).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => {
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
