//! Authentication of mail from outside: SPF, DKIM, DMARC and ARC, asked of the DNS about the bytes as they came. The
//! only file that names `mail_auth`.
//!
//! Absent: any failure of the mail. What the DNS does not answer in time is a temporary error, and where nothing at
//! all could be found out the fact is unavailable.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mail_auth::arc::Set;
use mail_auth::hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use mail_auth::hickory_resolver::system_conf::read_system_conf;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    ArcOutput, AuthenticatedMessage, DkimOutput, DkimResult, DmarcResult, MessageAuthenticator, SpfOutput,
    SpfResult, dmarc,
};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout, timeout_at};

use crate::address::Domain;
use crate::config::services::Dns;
use crate::facts::authentication::{
    Authentication, Chain, Dkim, Dmarc, Outcome, Policy, Spf, SpfIdentity, aligned,
};
use crate::facts::{Cause, Facts, results};
use crate::limits;
use crate::mail::Mail;
use crate::metrics::METRICS;
use crate::organisation::Organisation;
use crate::settings::parse;

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
            tracing::error!(%error, "no resolver: name one under [dns]; mail passes unauthenticated");
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
    if mail.message.truncated() || too_much_to_verify(facts) {
        return Err(Cause::Limit);
    }
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
            tracing::error!(queue_id = facts.queue_id, "a fault while a mail was authenticated");
            Err(Cause::Fault)
        }
        Err(_) => {
            aborting.abort();
            Err(Cause::Deadline)
        }
    }
}

/// Whether the header section asks for more work than any real one.
fn too_much_to_verify(facts: &Facts) -> bool {
    let begins = |name: &str, prefix: &str| {
        name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    };
    let (mut signatures, mut arc, mut long) = (0, 0, false);
    for field in &facts.header.fields {
        let (is_signature, is_arc) = (begins(&field.name, "DKIM-Signature"), begins(&field.name, "ARC-"));
        signatures += usize::from(is_signature);
        arc += usize::from(is_arc);
        long |= (is_signature || is_arc) && field.value.len() > limits::SIGNATURE_OCTETS;
    }
    signatures > limits::SIGNATURES || arc > limits::ARC_FIELDS || long
}

/// All that is asked about one mail, owned, so that it can be asked on another thread.
struct Question {
    mail: Arc<Mail>,
    organisation: Arc<Organisation>,
    client: Option<IpAddr>,
    host: String,
    helo: String,
    sender: String,
    /// The one domain in From.
    author: Option<Domain>,
}

impl Question {
    fn of(mail: &Arc<Mail>, facts: &Facts) -> Self {
        let organisation = &facts.organisation;
        // What a filter before this one hands on comes from its own address, which says nothing of the sender.
        let client = mail.client.address.filter(|client| !organisation.trusts_filter(*client));
        Self {
            mail: mail.clone(),
            organisation: organisation.clone(),
            client: client.map(|client| client.to_canonical()),
            host: organisation.authserv_id.clone(),
            helo: mail.client.helo.clone().unwrap_or_default(),
            sender: facts.sender.address().map(|sender| sender.as_str().to_owned()).unwrap_or_default(),
            author: author(facts),
        }
    }

    async fn ask(&self, resolver: &MessageAuthenticator) -> Result<Authentication, Cause> {
        let deadline = Instant::now() + limits::AUTHENTICATION_TIME;
        let Some(message) = AuthenticatedMessage::parse(&self.mail.message.bytes) else {
            return Err(Cause::Protocol);
        };
        let (spf, helo, dkim, arc) = tokio::join!(
            timeout_at(deadline, self.spf(resolver)),
            timeout_at(deadline, self.spf_of_helo(resolver)),
            timeout_at(deadline, resolver.verify_dkim(&message)),
            timeout_at(deadline, resolver.verify_arc(&message)),
        );
        let dmarc = match (&spf, &dkim) {
            (Ok(spf), Ok(dkim)) => {
                let domain = self.sender.rsplit_once('@').map_or(&*self.helo, |(_, domain)| domain);
                let parameters = dmarc::verify::DmarcParameters::new(&message, dkim, domain, spf);
                timeout_at(deadline, resolver.verify_dmarc(parameters)).await.ok()
            }
            (_, _) => None,
        };
        let late = spf.is_err() || dkim.is_err() || dmarc.is_none();
        let found = Authentication {
            spf: self.as_spf(spf.ok()),
            helo: self.as_helo(helo),
            dkim: self.as_dkim(dkim.ok(), message.dkim_headers.len()),
            dmarc: self.as_dmarc(dmarc),
            arc: arc
                .map_or(Chain { result: Outcome::TempError, vouched_by: None }, |arc| self.as_chain(&arc)),
        };
        if nothing_known(&found) { Err(if late { Cause::Deadline } else { Cause::Dns }) } else { Ok(found) }
    }

    async fn spf(&self, resolver: &MessageAuthenticator) -> SpfOutput {
        match self.client {
            None => SpfOutput::new(String::new()),
            Some(_) if self.sender.is_empty() => self.spf_of_name(resolver).await,
            Some(client) => {
                let of = SpfParameters::verify_mail_from(client, &self.helo, &self.host, &self.sender);
                resolver.verify_spf(of).await
            }
        }
    }

    /// The name in HELO, which for a null sender is asked about already.
    async fn spf_of_helo(&self, resolver: &MessageAuthenticator) -> Option<SpfOutput> {
        if self.sender.is_empty() { None } else { Some(self.spf_of_name(resolver).await) }
    }

    /// An address, or a name without a dot, has nobody who could say anything about it (RFC 7208 §2.3).
    async fn spf_of_name(&self, resolver: &MessageAuthenticator) -> SpfOutput {
        let named = parse::is_domain(&self.helo) && self.helo.contains('.');
        match self.client.filter(|_| named) {
            None => SpfOutput::new(String::new()),
            Some(client) => {
                resolver.verify_spf(SpfParameters::verify_ehlo(client, &self.helo, &self.host)).await
            }
        }
    }

    fn as_spf(&self, output: Option<SpfOutput>) -> Spf {
        let (identity, domain) = match self.sender.rsplit_once('@') {
            Some((_, domain)) => (SpfIdentity::MailFrom, domain),
            None => (SpfIdentity::Helo, &*self.helo),
        };
        self.spf_about(identity, domain, output)
    }

    fn as_helo(&self, output: Result<Option<SpfOutput>, Elapsed>) -> Option<Spf> {
        let output = output.map_or(Some(None), |output| output.map(Some))?;
        Some(self.spf_about(SpfIdentity::Helo, &self.helo, output))
    }

    fn spf_about(&self, identity: SpfIdentity, domain: &str, output: Option<SpfOutput>) -> Spf {
        let domain = Domain::new(domain);
        let result = output.map_or(Outcome::TempError, |output| match output.result() {
            SpfResult::Pass => Outcome::Pass,
            SpfResult::Fail => Outcome::Fail,
            SpfResult::SoftFail => Outcome::SoftFail,
            SpfResult::Neutral => Outcome::Neutral,
            SpfResult::TempError => Outcome::TempError,
            SpfResult::PermError => Outcome::PermError,
            SpfResult::None => Outcome::None,
        });
        Spf { result, identity, aligned: self.aligns(&domain), domain }
    }

    /// The chain, and what those in it say whose word is taken. Of them the newest is asked first; whoever stands before
    /// one who is not trusted says nothing, for that one may have made his words up.
    fn as_chain(&self, arc: &ArcOutput<'_>) -> Chain {
        let result = match arc.result() {
            DkimResult::Pass => Outcome::Pass,
            DkimResult::None => Outcome::None,
            DkimResult::TempError(_) => Outcome::TempError,
            // A chain holds or fails (RFC 8617 §4.4); there is no third.
            DkimResult::Neutral(_) | DkimResult::Fail(_) | DkimResult::PermError(_) => Outcome::Fail,
        };
        let domain = |set: &Set<'_>| Domain::new(&set.seal.header.d);
        let believed =
            arc.sets().iter().rev().take_while(|set| self.organisation.trusts_sealer(&domain(set)));
        let vouches = |set: &&Set<'_>| {
            let stated = String::from_utf8_lossy(set.results.value);
            self.author.as_ref().is_some_and(|author| results::vouches(&stated, author))
        };
        let vouched_by = believed.filter(|_| result == Outcome::Pass).find(vouches).map(domain);
        Chain { result, vouched_by }
    }

    /// Without an answer, as many temporary errors as there are signatures.
    fn as_dkim(&self, outputs: Option<Vec<DkimOutput<'_>>>, signatures: usize) -> Vec<Dkim> {
        let unknown =
            || Dkim { result: Outcome::TempError, domain: None, selector: String::new(), aligned: false };
        let Some(outputs) = outputs else { return (0..signatures).map(|_| unknown()).collect() };
        let read = |output: &DkimOutput<'_>| {
            let domain = output.signature().map(|signature| Domain::new(&signature.d));
            Dkim {
                result: of_dkim(output.result()),
                selector: output.signature().map(|signature| signature.s.clone()).unwrap_or_default(),
                aligned: domain.as_ref().is_some_and(|domain| self.aligns(domain)),
                domain,
            }
        };
        outputs.iter().map(read).collect()
    }

    fn as_dmarc(&self, output: Option<mail_auth::DmarcOutput>) -> Dmarc {
        let Some(output) = output else {
            return Dmarc { result: Outcome::TempError, policy: Policy::None, domain: self.author.clone() };
        };
        let result = match output.result() {
            DmarcResult::Pass => Outcome::Pass,
            DmarcResult::Fail(_) => Outcome::Fail,
            DmarcResult::TempError(_) => Outcome::TempError,
            DmarcResult::PermError(_) => Outcome::PermError,
            DmarcResult::None => Outcome::None,
        };
        let policy = match output.policy() {
            dmarc::Policy::None | dmarc::Policy::Unspecified => Policy::None,
            dmarc::Policy::Quarantine => Policy::Quarantine,
            dmarc::Policy::Reject => Policy::Reject,
        };
        let domain = (!output.domain().is_empty()).then(|| Domain::new(output.domain()));
        Dmarc { result, policy, domain }
    }

    fn aligns(&self, domain: &Domain) -> bool {
        self.author.as_ref().is_some_and(|author| aligned(author, domain))
    }
}

/// The domain in From; several domains vouch for nothing (RFC 9989 §5.3.1).
fn author(facts: &Facts) -> Option<Domain> {
    let mut domains = facts.header.from.iter().filter_map(crate::address::Address::domain);
    let first = domains.next()?;
    domains.all(|other| other == first).then_some(first)
}

fn of_dkim(result: &DkimResult) -> Outcome {
    match result {
        DkimResult::Pass => Outcome::Pass,
        DkimResult::Neutral(_) => Outcome::Neutral,
        DkimResult::Fail(_) => Outcome::Fail,
        DkimResult::PermError(_) => Outcome::PermError,
        DkimResult::TempError(_) => Outcome::TempError,
        DkimResult::None => Outcome::None,
    }
}

/// Whether the DNS was of no help in anything.
fn nothing_known(found: &Authentication) -> bool {
    let temporary = |outcome: Outcome| outcome == Outcome::TempError;
    temporary(found.dmarc.result)
        && (temporary(found.spf.result) || found.spf.result == Outcome::None)
        && found.dkim.iter().all(|dkim| temporary(dkim.result))
}
