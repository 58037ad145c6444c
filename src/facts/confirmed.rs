//! Whom a mail is from, as far as that is confirmed. Anybody can write any name into the envelope and the header; what is
//! said here an exception may rest on.
//!
//! An address inside is confirmed by where the mail comes from: a client inside, whose senders are the organisation's own
//! concern. An address outside is confirmed by its domain: an envelope sender through SPF, an author through DMARC. Mail that
//! a client inside brings with such an address is confirmed by nobody.

#![deny(clippy::disallowed_methods)]

use super::authentication::{Authentication, Outcome, SpfIdentity};
use super::{Cause, Defect, Fact, Facts};
use crate::address::Address;
use crate::groups::{AddressList, Party};

impl Facts {
    /// The envelope sender, if it is confirmed. An error where the answer of the DNS is missing.
    pub fn confirmed_sender(&self) -> Result<Option<&Address>, Cause> {
        let Some(sender) = self.sender.address() else { return Ok(None) };
        if self.owns(sender) != self.from_inside {
            return Ok(None);
        }
        if self.from_inside {
            return Ok(Some(sender));
        }
        // A signature of the domain would not do: whoever has any signed message of it may send that on under another name
        // of the same domain.
        let Some(authentication) = self.asked()? else { return Ok(None) };
        let spf = &authentication.spf;
        let own =
            spf.identity == SpfIdentity::MailFrom && sender.domain().is_some_and(|own| own == spf.domain);
        if own && spf.result == Outcome::Pass {
            return Ok(Some(sender));
        }
        let is_author = matches!(self.header.from.as_slice(), [author] if author == sender);
        if is_author && self.confirmed_author()?.is_some() {
            Ok(Some(sender))
        } else if own && spf.result == Outcome::TempError {
            Err(Cause::Dns)
        } else {
            Ok(None)
        }
    }

    /// The one author in From, if it is confirmed: inside by an envelope sender of the same mailbox, outside by its domain.
    pub fn confirmed_author(&self) -> Result<Option<&Address>, Cause> {
        let [author] = self.header.from.as_slice() else { return Ok(None) };
        if self.defects.contains(&Defect::OddFrom) || self.header.all("From").count() != 1 {
            return Ok(None);
        }
        if self.owns(author) != self.from_inside {
            return Ok(None);
        }
        if self.from_inside {
            let sender = self.confirmed_sender()?;
            return Ok(sender.filter(|sender| self.is_same_mailbox(sender, author)).and(Some(author)));
        }
        let Some(authentication) = self.asked()? else { return Ok(None) };
        if authentication.dmarc.domain != author.domain() {
            Ok(None)
        } else if authentication.vouched() || authentication.handed_on() {
            Ok(Some(author))
        } else if authentication.undecided(&authentication.dmarc) {
            Err(Cause::Dns)
        } else {
            Ok(None)
        }
    }

    /// What the DNS says of a mail from outside.
    fn asked(&self) -> Result<Option<&Authentication>, Cause> {
        match &self.authentication {
            Fact::Known(authentication) => Ok(Some(authentication)),
            Fact::Unavailable(cause) => Err(*cause),
            Fact::NotGathered => Ok(None),
        }
    }

    /// Whether the party is on the list. An error where only a directory could say, and did not.
    pub fn is_listed(&self, list: &AddressList, party: &Party<'_>) -> Result<bool, Cause> {
        if list.has(party) {
            return Ok(true);
        }
        let mut answer = Ok(false);
        for name in list.directories() {
            match self.groups.get(name) {
                Some(Fact::Known(members)) if members.has(party) => return Ok(true),
                Some(Fact::Known(_)) => {}
                Some(Fact::Unavailable(cause)) => answer = Err(*cause),
                Some(Fact::NotGathered) | None => answer = Err(Cause::Skipped),
            }
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use crate::address::Domain;
    use crate::facts::authentication::{Chain, Dkim, Dmarc, Policy, Spf};
    use crate::facts::testing::{from_inside, from_outside};

    use super::*;

    fn name(found: Result<Option<&Address>, Cause>) -> String {
        match found {
            Ok(found) => found.map_or("nobody".to_owned(), ToString::to_string),
            Err(cause) => cause.as_str().to_owned(),
        }
    }

    #[test]
    fn inside_the_network_confirms_and_an_author_needs_the_envelope_too() {
        for (sender, from, of_sender, of_author) in [
            ("<anna@exempelby.se>", "anna@exempelby.se", "anna@exempelby.se", "anna@exempelby.se"),
            ("<anna+x@exempelby.se>", "Anna@exempelby.se", "anna+x@exempelby.se", "Anna@exempelby.se"),
            // Whoever may submit writes a colleague's name into From.
            ("<anna@exempelby.se>", "hr@exempelby.se", "anna@exempelby.se", "nobody"),
            ("<anna@exempelby.se>", "anna@exempelby.se, hr@exempelby.se", "anna@exempelby.se", "nobody"),
            // A forward that keeps the sender.
            ("<x@example.org>", "x@example.org", "nobody", "nobody"),
            ("<>", "anna@exempelby.se", "nobody", "nobody"),
        ] {
            let facts = from_inside(sender, "x@example.net", &format!("From: {from}"));
            assert_eq!(name(facts.confirmed_sender()), of_sender, "{sender} {from}");
            assert_eq!(name(facts.confirmed_author()), of_author, "{sender} {from}");
        }
        let twice = "From: anna@exempelby.se\nFrom: hr@exempelby.se";
        let facts = from_inside("<anna@exempelby.se>", "x@example.net", twice);
        assert_eq!(name(facts.confirmed_author()), "nobody");
    }

    fn asked(spf: Outcome, dmarc: Outcome) -> Fact<Authentication> {
        Fact::Known(Authentication {
            spf: Spf {
                result: spf,
                identity: SpfIdentity::MailFrom,
                domain: Domain::new("example.org"),
                aligned: true,
            },
            helo: None,
            dkim: Vec::new(),
            left_out: 0,
            dmarc: Dmarc { result: dmarc, policy: Policy::None, domain: Some(Domain::new("example.org")) },
            shown: Vec::new(),
            arc: Chain::default(),
        })
    }

    #[test]
    fn outside_the_domain_confirms_and_nobody_else() {
        use Outcome::{Fail, None, Pass, TempError};
        let mut facts = from_outside("<x@example.org>", "anna@exempelby.se", "From: y@example.org");
        for (authentication, sender, author) in [
            (asked(Pass, Pass), "x@example.org", "y@example.org"),
            (asked(Fail, Fail), "nobody", "nobody"),
            (asked(Pass, Fail), "x@example.org", "nobody"),
            (asked(Fail, None), "nobody", "nobody"),
            (asked(TempError, None), "dns", "dns"),
            (Fact::Unavailable(Cause::Deadline), "deadline", "deadline"),
            (Fact::NotGathered, "nobody", "nobody"),
        ] {
            facts.authentication = authentication;
            assert_eq!(name(facts.confirmed_sender()), sender, "{:?}", facts.authentication);
            assert_eq!(name(facts.confirmed_author()), author, "{:?}", facts.authentication);
        }
        // Signed by the domain, and sent on by somebody else under another name of it.
        let signed = |from: &str| {
            let mut facts = from_outside("<kim@example.org>", "anna@exempelby.se", &format!("From: {from}"));
            facts.authentication = asked(Fail, Pass);
            if let Fact::Known(authentication) = &mut facts.authentication {
                authentication.dkim.push(Dkim {
                    result: Pass,
                    domain: Some(Domain::new("example.org")),
                    selector: "s".into(),
                    aligned: true,
                });
            }
            name(facts.confirmed_sender())
        };
        assert_eq!(signed("mallory@example.org"), "nobody");
        assert_eq!(signed("kim@example.org"), "kim@example.org");
        // A name of ours from outside is confirmed by nothing.
        let mut facts = from_outside("<anna@exempelby.se>", "bo@exempelby.se", "From: anna@exempelby.se");
        facts.authentication = asked(Pass, Pass);
        assert_eq!(name(facts.confirmed_sender()), "nobody");
        assert_eq!(name(facts.confirmed_author()), "nobody");
        // Nor is one of ours in From, beside a sender who is confirmed or not.
        for spf in [Pass, Fail] {
            let mut facts = from_outside("<x@example.org>", "bo@exempelby.se", "From: anna@exempelby.se");
            facts.authentication = asked(spf, Pass);
            assert_eq!(name(facts.confirmed_author()), "nobody");
            assert_eq!(name(facts.confirmed_sender()), if spf == Pass { "x@example.org" } else { "nobody" });
        }
        // The domain in From is not the author's.
        let mut facts = from_outside("<x@example.org>", "bo@exempelby.se", "From: x@example.com");
        facts.authentication = asked(Pass, Pass);
        assert_eq!(name(facts.confirmed_author()), "nobody");
    }
}
