//! The question about one mail, and what is made of the answers.

use std::net::IpAddr;
use std::sync::Arc;

use mail_auth::arc::Set;
use mail_auth::common::verify::VerifySignature as _;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    ArcOutput, AuthenticatedMessage, DkimOutput, DkimResult, DmarcResult, MessageAuthenticator, SpfOutput,
    SpfResult, dmarc,
};
use tokio::time::{Instant, timeout_at};

use super::answers::Answers;
use super::message::{self, Signed};
use crate::address::{Address, Domain};
use crate::facts::authentication::{
    Authentication, Chain, Dkim, Dmarc, Outcome, Policy, Spf, SpfIdentity, aligned,
};
use crate::facts::{Cause, Facts, results};
use crate::limits;
use crate::mail::Mail;
use crate::organisation::Organisation;
use crate::settings::parse;

/// All that is asked about one mail, owned, so that it can be asked on another thread.
pub(super) struct Question {
    mail: Arc<Mail>,
    organisation: Arc<Organisation>,
    client: Option<IpAddr>,
    host: String,
    helo: String,
    sender: String,
    /// The one domain in From.
    author: Option<Domain>,
    /// The organisation's own domains that are shown beside it.
    shown: Vec<Domain>,
}

impl Question {
    pub(super) fn of(mail: &Arc<Mail>, facts: &Facts) -> Self {
        let organisation = &facts.organisation;
        // What a filter before this one hands on comes from its own address, which says nothing of the sender.
        let client = mail.client.address.filter(|client| !organisation.trusts_filter(*client));
        let author = author(facts);
        Self {
            mail: mail.clone(),
            organisation: organisation.clone(),
            client: client.map(|client| client.to_canonical()),
            host: organisation.authserv_id.clone(),
            helo: mail.client.helo.clone().unwrap_or_default(),
            sender: facts.sender.address().map(|sender| sender.as_str().to_owned()).unwrap_or_default(),
            shown: shown(facts, author.as_ref()),
            author,
        }
    }

    pub(super) async fn ask(&self, resolver: &MessageAuthenticator) -> Result<Authentication, Cause> {
        let start = Instant::now();
        let (early, late) = (start + limits::IDENTIFIERS_TIME, start + limits::AUTHENTICATION_TIME);
        let signed = message::read(&self.mail.message);
        let (keys, policies) = (Answers::of_dkim(resolver), Answers::of_dmarc(resolver));
        let names = self.author.iter().chain(&self.shown).flat_map(policy_names).collect();
        let (spf, helo, dkim, arc, ()) = tokio::join!(
            self.spf(resolver, early),
            self.spf_of_helo(resolver, early),
            verified(resolver, &signed, &keys, early),
            self.chain(resolver, &signed, early),
            policies.look_up(names, late),
        );
        let weighed = Weighed { policies: &policies, sender: self.sender_domain(), spf: &spf, dkim: &dkim };
        let nobody = Dmarc { result: Outcome::None, policy: Policy::None, domain: None };
        let dmarc = if let Some(author) = &self.author {
            weighed.dmarc(resolver, author, late).await
        } else {
            nobody
        };
        let mut shown = Vec::with_capacity(self.shown.len());
        for domain in &self.shown {
            shown.push(weighed.dmarc(resolver, domain, late).await);
        }
        let found = Authentication {
            spf: self.as_spf(&spf),
            helo: helo.map(|helo| self.spf_about(SpfIdentity::Helo, &self.helo, &helo)),
            dkim: if signed.cut { self.unverified(&signed) } else { self.as_dkim(&dkim) },
            left_out: signed.left_out,
            dmarc,
            shown,
            arc,
        };
        let cause = if Instant::now() < early { Cause::Dns } else { Cause::Deadline };
        if nothing_known(&found) { Err(cause) } else { Ok(found) }
    }

    /// The domain of the envelope sender; of a null sender, the name in HELO.
    fn sender_domain(&self) -> &str {
        self.sender.rsplit_once('@').map_or(&*self.helo, |(_, domain)| domain)
    }

    async fn spf(&self, resolver: &MessageAuthenticator, until: Instant) -> SpfOutput {
        match self.client {
            None => SpfOutput::new(String::new()),
            Some(_) if self.sender.is_empty() => self.spf_of_name(resolver, until).await,
            Some(client) => {
                let (local, domain) = self.sender.rsplit_once('@').unwrap_or(("", &self.sender));
                let (sender, helo) =
                    (format!("{}@{domain}", as_labels(local)), self.named().unwrap_or("unknown"));
                let asked = || SpfParameters::verify_mail_from(client, helo, &self.host, &sender);
                spf_about(resolver, asked, until).await
            }
        }
    }

    /// The name in HELO, which for a null sender is asked about already.
    async fn spf_of_helo(&self, resolver: &MessageAuthenticator, until: Instant) -> Option<SpfOutput> {
        if self.sender.is_empty() { None } else { Some(self.spf_of_name(resolver, until).await) }
    }

    async fn spf_of_name(&self, resolver: &MessageAuthenticator, until: Instant) -> SpfOutput {
        match self.client.zip(self.named()) {
            None => SpfOutput::new(String::new()),
            Some((client, helo)) => {
                spf_about(resolver, || SpfParameters::verify_ehlo(client, helo, &self.host), until).await
            }
        }
    }

    /// The name in HELO. An address, or a name without a dot, has nobody who could say anything about it (RFC 7208 §2.3).
    fn named(&self) -> Option<&str> {
        Some(&*self.helo).filter(|helo| parse::is_domain(helo) && helo.contains('.'))
    }

    fn as_spf(&self, output: &SpfOutput) -> Spf {
        let identity = if self.sender.contains('@') { SpfIdentity::MailFrom } else { SpfIdentity::Helo };
        self.spf_about(identity, self.sender_domain(), output)
    }

    fn spf_about(&self, identity: SpfIdentity, domain: &str, output: &SpfOutput) -> Spf {
        let domain = Domain::new(domain);
        let result = match output.result() {
            SpfResult::Pass => Outcome::Pass,
            SpfResult::Fail => Outcome::Fail,
            SpfResult::SoftFail => Outcome::SoftFail,
            SpfResult::Neutral => Outcome::Neutral,
            SpfResult::TempError => Outcome::TempError,
            SpfResult::PermError => Outcome::PermError,
            SpfResult::None => Outcome::None,
        };
        Spf { result, identity, aligned: self.aligns(&domain), domain }
    }

    /// The chain. One that is longer than any real one, or covers more than is here, does not hold.
    async fn chain(&self, resolver: &MessageAuthenticator, signed: &Signed<'_>, until: Instant) -> Chain {
        let sealed = !signed.message.as_headers.is_empty();
        if signed.endless || signed.cut && sealed {
            return Chain { result: Outcome::Fail, vouched_by: None };
        }
        match timeout_at(until, resolver.verify_arc(&signed.message)).await {
            Ok(arc) => self.as_chain(&arc),
            Err(_) => Chain { result: Outcome::TempError, vouched_by: None },
        }
    }

    /// What those in the chain say whose word is taken. Of them the newest is asked first; whoever stands before one who
    /// is not trusted says nothing, for that one may have made his words up.
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

    fn as_dkim(&self, outputs: &[DkimOutput<'_>]) -> Vec<Dkim> {
        outputs.iter().map(|output| self.dkim(of_dkim(output.result()), output.signature())).collect()
    }

    /// Signatures of which nobody can say anything.
    fn unverified(&self, signed: &Signed<'_>) -> Vec<Dkim> {
        let signatures = signed.message.dkim_headers.iter();
        signatures.map(|signature| self.dkim(Outcome::Neutral, Some(&signature.header))).collect()
    }

    fn dkim(&self, result: Outcome, signature: Option<&mail_auth::dkim::Signature>) -> Dkim {
        let domain = signature.map(|signature| Domain::new(&signature.d));
        Dkim {
            result,
            selector: signature.map(|signature| signature.s.clone()).unwrap_or_default(),
            aligned: domain.as_ref().is_some_and(|domain| self.aligns(domain)),
            domain,
        }
    }

    fn aligns(&self, domain: &Domain) -> bool {
        self.author.as_ref().is_some_and(|author| aligned(author, domain))
    }
}

/// What DMARC rests on.
struct Weighed<'w> {
    policies: &'w Answers<'w>,
    sender: &'w str,
    spf: &'w SpfOutput,
    dkim: &'w [DkimOutput<'w>],
}

impl Weighed<'_> {
    /// What it says with that domain as the author's.
    async fn dmarc(&self, resolver: &MessageAuthenticator, author: &Domain, until: Instant) -> Dmarc {
        let from = AuthenticatedMessage { from: vec![format!("x@{author}")], ..Default::default() };
        let ask = async {
            loop {
                let found = DmarcParameters::new(&from, self.dkim, self.sender, self.spf);
                let output = resolver.verify_dmarc(self.policies.with(found)).await;
                if !self.policies.correct().await {
                    return output;
                }
            }
        };
        as_dmarc(author, timeout_at(until, ask).await.ok())
    }
}

/// The domain in From; several domains vouch for nothing (RFC 9989 §5.3.1).
fn author(facts: &Facts) -> Option<Domain> {
    let mut domains = facts.header.from.iter().filter_map(Address::domain);
    let first = domains.next()?;
    domains.all(|other| other == first).then_some(first)
}

/// The organisation's own domains that people see the mail come from, beside the author's.
fn shown(facts: &Facts, author: Option<&Domain>) -> Vec<Domain> {
    let mut own = Vec::new();
    for address in facts.header.shown() {
        let Some(domain) = address.domain().filter(|_| facts.owns(&address)) else { continue };
        if Some(&domain) != author && !own.contains(&domain) && own.len() < limits::OWN_DOMAINS_SHOWN {
            own.push(domain);
        }
    }
    own
}

/// Asks SPF until nothing that it rests on is worth less than the library takes it for.
async fn spf_about<'x>(
    resolver: &MessageAuthenticator,
    question: impl Fn() -> SpfParameters<'x>,
    until: Instant,
) -> SpfOutput {
    let records = Answers::of_spf(resolver);
    let ask = async {
        loop {
            let output = resolver.verify_spf(records.with(question())).await;
            if !records.correct().await {
                return output;
            }
        }
    };
    let late = |_| SpfOutput::new(String::new()).with_result(SpfResult::TempError);
    timeout_at(until, ask).await.unwrap_or_else(late)
}

/// The local part as names can have it, where SPF puts it into one (RFC 7208 §7): a name that cannot be asked for would read
/// as trouble of the DNS.
fn as_labels(local: &str) -> String {
    let label = |label: &str| -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_=+".contains(c) { c } else { '-' };
        label.chars().take(limits::LABEL_OCTETS).map(plain).collect()
    };
    local.split('.').filter(|part| !part.is_empty()).map(label).collect::<Vec<_>>().join(".")
}

/// Verifies the signatures with the keys that come in time.
async fn verified<'m>(
    resolver: &'m MessageAuthenticator,
    signed: &'m Signed<'m>,
    keys: &'m Answers<'m>,
    until: Instant,
) -> Vec<DkimOutput<'m>> {
    if signed.cut {
        return Vec::new();
    }
    let names = signed.message.dkim_headers.iter().map(|signature| signature.header.domain_key()).collect();
    keys.look_up(names, until).await;
    resolver.verify_dkim(keys.with(&signed.message)).await
}

/// Where the policy of that domain may stand (RFC 9989 §4.10): there, and at the last seven labels and fewer.
fn policy_names(domain: &Domain) -> Vec<String> {
    let labels: Vec<&str> = domain.as_str().split('.').collect();
    if labels.len() < 2 {
        return Vec::new();
    }
    let shorter = (1..labels.len().min(8)).rev();
    let tails = std::iter::once(labels.len()).chain(shorter);
    tails
        .filter_map(|count| Some(format!("_dmarc.{}.", labels.get(labels.len() - count..)?.join("."))))
        .collect()
}

fn as_dmarc(author: &Domain, output: Option<mail_auth::DmarcOutput>) -> Dmarc {
    let domain = Some(author.clone());
    let Some(output) = output else {
        return Dmarc { result: Outcome::TempError, policy: Policy::None, domain };
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
    Dmarc { result, policy, domain }
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
        && found.shown.iter().all(|shown| temporary(shown.result))
        && (temporary(found.spf.result) || found.spf.result == Outcome::None)
        && found.dkim.iter().all(|dkim| temporary(dkim.result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_looked_for_upwards_and_not_at_every_label() {
        let names = |domain| policy_names(&Domain::new(domain));
        assert_eq!(
            names("mail.example.org"),
            ["_dmarc.mail.example.org.", "_dmarc.example.org.", "_dmarc.org."]
        );
        assert_eq!(names("org"), [""; 0]);
        let long = names("1.2.3.4.5.6.7.8.9.example.org");
        assert_eq!(long.first().unwrap(), "_dmarc.1.2.3.4.5.6.7.8.9.example.org.");
        assert_eq!(long.get(1).unwrap(), "_dmarc.5.6.7.8.9.example.org.");
        assert_eq!(long.len(), 8);
    }

    #[test]
    fn a_local_part_fits_into_a_name() {
        for (local, labels) in [
            ("anna", "anna"),
            ("anna.berg+x=y", "anna.berg+x=y"),
            ("\"a b\"..\\@c", "-a-b-.--c"),
            ("..", ""),
            ("år", "-r"),
        ] {
            assert_eq!(as_labels(local), labels, "{local}");
        }
        assert_eq!(as_labels(&"a".repeat(70)).len(), limits::LABEL_OCTETS);
    }
}
