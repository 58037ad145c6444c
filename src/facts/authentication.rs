//! Authentication: which domains vouch for a mail from outside, by SPF, DKIM, DMARC and ARC.

#![deny(clippy::disallowed_methods)]

use std::fmt;

use crate::address::Domain;
use crate::text::words;

/// What the four methods say of one mail. Each was asked about the message as it came, before any edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// RFC 7208: may this host send for the domain of the envelope sender, or for a null sender, for its own name?
    pub spf: Spf,
    /// RFC 7208 §2.3: may this host go by the name that it gave in HELO? Asked beside MAIL FROM, where there is one.
    pub helo: Option<Spf>,
    /// RFC 6376: one result for each signature that was looked at, in the order of the message.
    pub dkim: Vec<Dkim>,
    /// How many more signatures it has, which say nothing here.
    pub left_out: usize,
    /// RFC 9989: does one of them vouch for the domain in From, and what does that domain wish otherwise?
    pub dmarc: Dmarc,
    /// The same of each of the organisation's own domains that people see the mail come from beside that one: one of
    /// several authors, in another From, in a local part, in Sender.
    pub shown: Vec<Dmarc>,
    /// RFC 8617: the chain of those who passed it on.
    pub arc: Chain,
}

impl Authentication {
    /// Whether the domain in From vouches for the mail. This is what an answer to the sender may rest on.
    pub fn vouched(&self) -> bool {
        self.vouched_for(&self.dmarc)
    }

    /// Whether that domain vouches for the mail: DMARC passes; or where it has no record of use, SPF or a signature of the
    /// domain, one above or one below it does. Where its record could not be had, one of that very domain does, for then
    /// DMARC passes whatever the record says.
    pub fn vouched_for(&self, dmarc: &Dmarc) -> bool {
        let Some(author) = &dmarc.domain else { return false };
        let by = |is: &dyn Fn(&Domain) -> bool| {
            self.spf.result == Outcome::Pass && is(&self.spf.domain)
                || self
                    .dkim
                    .iter()
                    .any(|dkim| dkim.result == Outcome::Pass && dkim.domain.as_ref().is_some_and(is))
        };
        match dmarc.result {
            Outcome::Pass => true,
            Outcome::None | Outcome::PermError => by(&|domain| aligned(domain, author)),
            Outcome::TempError => by(&|domain| domain == author),
            Outcome::Fail | Outcome::SoftFail | Outcome::Neutral => false,
        }
    }

    /// Whether an answer is missing that might have made the domain vouch for the mail. What is of other domains could
    /// not.
    pub fn undecided(&self, dmarc: &Dmarc) -> bool {
        let of = |domain: &Domain| dmarc.domain.as_ref().is_some_and(|author| aligned(domain, author));
        let open = |outcome: Outcome| outcome == Outcome::TempError;
        match dmarc.result {
            Outcome::TempError => true,
            Outcome::None | Outcome::PermError => {
                open(self.spf.result) && of(&self.spf.domain)
                    || self.dkim.iter().any(|dkim| open(dkim.result) && dkim.domain.as_ref().is_some_and(of))
            }
            Outcome::Pass | Outcome::Fail | Outcome::SoftFail | Outcome::Neutral => false,
        }
    }

    /// Whether the domain of the envelope sender vouches for the mail. From may be another's: mail sent by a service has
    /// the service's bounce address, and a forger may put his own name into From and his victim's into the envelope.
    pub fn vouched_sender(&self, sender: &Domain) -> bool {
        let Self { spf, dkim, dmarc, .. } = self;
        let spf =
            spf.result == Outcome::Pass && spf.identity == SpfIdentity::MailFrom && spf.domain == *sender;
        let signed = dkim.iter().any(|dkim| {
            dkim.result == Outcome::Pass && dkim.domain.as_ref().is_some_and(|domain| aligned(domain, sender))
        });
        let dmarc =
            dmarc.result == Outcome::Pass && dmarc.domain.as_ref().is_some_and(|from| aligned(from, sender));
        spf || signed || dmarc
    }

    /// Whether the DNS gave no answer that might have made that domain vouch for the mail.
    pub fn undecided_sender(&self, sender: &Domain) -> bool {
        let open = |outcome: Outcome| outcome == Outcome::TempError;
        let of = |domain: Option<&Domain>| domain.is_some_and(|domain| aligned(domain, sender));
        open(self.spf.result) && self.spf.domain == *sender
            || self.dkim.iter().any(|dkim| open(dkim.result) && of(dkim.domain.as_ref()))
            || open(self.dmarc.result) && of(self.dmarc.domain.as_ref())
    }

    /// Whether SPF passes for the domain in From, one above or one below it.
    pub fn spf_aligned(&self) -> bool {
        self.spf.result == Outcome::Pass && self.spf.aligned
    }

    /// Whether a signature of the domain in From, one above or one below it, is good.
    pub fn dkim_aligned(&self) -> bool {
        self.dkim.iter().any(|dkim| dkim.result == Outcome::Pass && dkim.aligned)
    }

    /// What the domain in From, or one of ours that is shown beside it, asks to be done with such mail, where DMARC fails
    /// for it: the strictest of them.
    pub fn disowned(&self) -> Policy {
        let failed =
            std::iter::once(&self.dmarc).chain(&self.shown).filter(|dmarc| dmarc.result == Outcome::Fail);
        failed.map(|dmarc| dmarc.policy).max().unwrap_or_default()
    }

    /// Whether somebody who is believed says that the domain in From vouched for the mail when it came there: then it is
    /// no wonder that it no longer does.
    pub fn handed_on(&self) -> bool {
        self.arc.result == Outcome::Pass && self.arc.vouched_by.is_some()
    }
}

/// What ARC says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Whether the seals hold. Anybody can seal, so that alone is no reason to believe anything.
    pub result: Outcome,
    /// A sealer whom the organisation trusts, and who states in the chain that the domain in From vouched for the mail as
    /// it came there. None where another than trusted ones sealed it after that.
    pub vouched_by: Option<Domain>,
}

/// What SPF says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spf {
    /// Whether the host may.
    pub result: Outcome,
    /// By which name the domain was known.
    pub identity: SpfIdentity,
    /// The domain that was asked.
    pub domain: Domain,
    /// Whether it is that of From, one above or one below it.
    pub aligned: bool,
}

/// Where the domain that SPF asks was found (RFC 7208 §2.3, §2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpfIdentity {
    /// In HELO.
    Helo,
    /// In MAIL FROM.
    MailFrom,
}

/// What one DKIM signature is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dkim {
    /// Whether it holds.
    pub result: Outcome,
    /// The signing domain; absent where the signature could not be read.
    pub domain: Option<Domain>,
    /// The selector of its key; empty where the signature could not be read.
    pub selector: String,
    /// Whether the domain is that of From, one above or one below it.
    pub aligned: bool,
}

/// What DMARC says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dmarc {
    /// Whether SPF or DKIM vouch for the domain in From; `None` where it has no DMARC record.
    pub result: Outcome,
    /// What the domain asks for mail that fails.
    pub policy: Policy,
    /// The domain in From; absent if there is none, or several.
    pub domain: Option<Domain>,
}

words! {
    /// What a domain asks for mail that fails DMARC.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Policy {
        /// Nothing, or it has no policy.
        #[default]
        None = "none",
        /// To be taken for suspicious.
        Quarantine = "quarantine",
        /// To be refused. No mail is refused for it here.
        Reject = "reject",
    }
}

words! {
    /// The result of one method, in the words of RFC 8601 §2.7.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub enum Outcome {
        /// Nothing to be checked: no record, no signature.
        #[default]
        None = "none",
        /// It holds.
        Pass = "pass",
        /// It does not.
        Fail = "fail",
        /// The host is probably not allowed.
        SoftFail = "softfail",
        /// The domain says neither; or a signature cannot be judged.
        Neutral = "neutral",
        /// The DNS gave no answer. Another time it may.
        TempError = "temperror",
        /// What the domain published cannot be used.
        PermError = "permerror",
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether two domains may vouch for one another: they are the same, or one stands below the other.
pub fn aligned(one: &Domain, other: &Domain) -> bool {
    let below = |lower: &Domain, upper: &Domain| {
        lower.as_str().strip_suffix(upper.as_str()).is_some_and(|rest| rest.ends_with('.'))
            && upper.as_str().contains('.')
    };
    one == other || below(one, other) || below(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authentication(dmarc: Outcome, spf: Outcome, domain: &str) -> Authentication {
        let author = Domain::new("example.org");
        let domain = Domain::new(domain);
        Authentication {
            spf: Spf {
                result: spf,
                identity: SpfIdentity::MailFrom,
                aligned: aligned(&domain, &author),
                domain,
            },
            dkim: Vec::new(),
            left_out: 0,
            dmarc: Dmarc { result: dmarc, policy: Policy::Reject, domain: Some(author) },
            shown: Vec::new(),
            helo: None,
            arc: Chain::default(),
        }
    }

    #[test]
    fn a_domain_vouches_by_dmarc_and_without_a_record_by_spf() {
        use Outcome::{Fail, None, Pass, PermError, TempError};
        for (dmarc, spf, domain, vouched) in [
            (Pass, Fail, "example.net", true),
            (None, Pass, "mail.example.org", true),
            (None, Pass, "example.net", false),
            (PermError, Pass, "example.org", true),
            (PermError, Fail, "example.org", false),
            (Fail, Pass, "example.org", false),
            (TempError, Pass, "example.org", true),
            // A strict policy would not let one domain vouch for another.
            (TempError, Pass, "mail.example.org", false),
        ] {
            let found = authentication(dmarc, spf, domain);
            assert_eq!(found.vouched(), vouched, "{dmarc} {spf} {domain}");
        }
        assert_eq!(authentication(Fail, Pass, "example.net").disowned(), Policy::Reject);
        assert_eq!(authentication(Pass, Pass, "example.org").disowned(), Policy::None);
    }

    #[test]
    fn only_what_could_have_vouched_leaves_it_undecided() {
        use Outcome::{Fail, None, TempError};
        for (dmarc, spf, domain, undecided) in [
            (TempError, Fail, "example.net", true),
            (None, TempError, "example.org", true),
            (None, TempError, "example.net", false),
            (Fail, TempError, "example.org", false),
        ] {
            let mut found = authentication(dmarc, spf, domain);
            assert_eq!(found.undecided(&found.dmarc), undecided, "{dmarc} {spf} {domain}");
            found.dkim.push(Dkim {
                result: TempError,
                domain: Some(Domain::new("example.com")),
                selector: String::new(),
                aligned: false,
            });
            assert_eq!(found.undecided(&found.dmarc), undecided, "and a signature of {domain}");
        }
    }

    #[test]
    fn the_strictest_of_our_own_domains_counts() {
        let mut found = authentication(Outcome::None, Outcome::Pass, "example.org");
        let own = |result, policy| Dmarc { result, policy, domain: Some(Domain::new("exempelby.se")) };
        found.shown = vec![own(Outcome::Fail, Policy::Quarantine), own(Outcome::Pass, Policy::Reject)];
        assert_eq!(found.disowned(), Policy::Quarantine);
        assert!(!found.vouched_for(&found.shown[0]) && found.vouched_for(&found.shown[1]));
    }

    #[test]
    fn domains_align_with_those_above_and_below() {
        let all = |one: &str, other: &str| aligned(&Domain::new(one), &Domain::new(other));
        assert!(all("example.org", "Example.ORG") && all("mail.example.org", "example.org"));
        assert!(all("example.org", "mail.example.org"));
        assert!(!all("badexample.org", "example.org") && !all("example.org", "org"));
    }
}
