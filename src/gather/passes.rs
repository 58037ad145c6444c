//! Passes: whether a mail from inside is one that came through before, as when a content filter hands it in again.
//!
//! Contract: recognised is only what has one mark that holds for this message, and whose first record says that it came
//! from the same sender, by the same author, for the same recipients. Whoever is inside may write a field; nobody can
//! write a mark. What is not recognised is judged like any mail.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::address::Address;
use crate::effects::ID;
use crate::facts::pass::{self, Onward, PassKeys, Substance};
use crate::facts::{Facts, Recipient};
use crate::metrics::METRICS;
use crate::record::{Outcome, Record, RecordId};
use crate::store::Store;

/// The records of mail that came through, and the keys of the marks that it got.
pub struct Passes {
    store: Option<Store>,
}

/// The record of a mail when it came for the first time.
#[derive(Debug)]
pub struct FirstPass {
    /// Its id.
    pub id: RecordId,
    /// What it holds.
    pub record: Record,
}

/// Why a mail with a mark is judged like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unrecognised {
    /// The mark is forged, is another message's, or the message was changed.
    Mismatch,
    /// The first mail had another sender or other recipients, or it came too long ago.
    Other,
    /// The log does not answer.
    Unavailable,
}

impl Passes {
    /// Those of a store; without one nothing is recognised.
    pub fn of(store: Option<&Store>) -> Self {
        Self { store: store.cloned() }
    }

    /// The keys of the marks.
    pub fn keys(&self) -> Option<&PassKeys> {
        self.store.as_ref().map(Store::pass_keys)
    }

    /// The first record of a mail that comes through again.
    pub async fn first(&self, facts: &Facts, substance: &Substance) -> Option<FirstPass> {
        if !facts.from_inside {
            return None;
        }
        let mut fields = facts.header.all(ID);
        let (Some(field), None) = (fields.next(), fields.next()) else { return None };
        if !pass::has_mark(field) {
            return None;
        }
        let found = self.recognised(field, facts, substance).await;
        let result = match &found {
            Ok(_) => "recognised",
            Err(Unrecognised::Mismatch) => "mismatch",
            Err(Unrecognised::Other) => "other",
            Err(Unrecognised::Unavailable) => "unavailable",
        };
        METRICS.second_passes.with_label_values(&[result]).inc();
        found.ok()
    }

    async fn recognised(
        &self,
        field: &str,
        facts: &Facts,
        substance: &Substance,
    ) -> Result<FirstPass, Unrecognised> {
        let store = self.store.clone().ok_or(Unrecognised::Mismatch)?;
        let subject = facts.header.subject.as_deref().unwrap_or_default();
        let (id, onward) = store.pass_keys().read(field, substance, subject).ok_or(Unrecognised::Mismatch)?;
        let id: RecordId = id.parse().map_err(|_| Unrecognised::Mismatch)?;
        let wanted = id.clone();
        let found = tokio::task::spawn_blocking(move || store.find_record(&wanted)).await;
        let record = match found {
            Ok(Ok(record)) => record.ok_or(Unrecognised::Other)?,
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot read the record of a mail that comes through again");
                return Err(Unrecognised::Unavailable);
            }
            Err(_) => return Err(Unrecognised::Unavailable),
        };
        if is_same(facts, &record, onward) { Ok(FirstPass { id, record }) } else { Err(Unrecognised::Other) }
    }
}

/// Whether the mail is the one that the record is of, for nobody else than it was then. What an MTA adds where it was
/// missing may be new.
fn is_same(facts: &Facts, first: &Record, onward: Onward) -> bool {
    let let_in = matches!(first.outcome, Outcome::Accepted | Outcome::Marked | Outcome::Held);
    let is = |then: &str, now: &str| then.is_empty() || then == now;
    let message_id = facts.header.message_id.as_deref().unwrap_or_default();
    let_in
        && is(&first.message_id, message_id)
        && is(&first.header_from, &facts.header.author())
        && is_sender(facts, &first.sender)
        && is_for_nobody_else(facts, first, onward)
}

/// The MTA may have written a sender inside anew (`sender_canonical_maps`, `masquerade_domains`).
fn is_sender(facts: &Facts, then: &str) -> bool {
    let inside = |then: &str| Address::parse(then).is_some_and(|then| facts.owns(&then));
    facts.sender.to_string() == then || (facts.sender_inside() && inside(then))
}

/// On this host, the MTA may have written mailboxes inside for an alias between the two passes. Who logs in is a person,
/// as through a web mail of this host, and no filter.
fn is_for_nobody_else(facts: &Facts, first: &Record, onward: Onward) -> bool {
    let organisation = &facts.organisation;
    let then: HashSet<Address> = first
        .recipients
        .iter()
        .filter_map(|recipient| Address::parse(recipient))
        .map(|recipient| organisation.identity(&recipient))
        .collect();
    let at_home = |client: IpAddr| client.to_canonical().is_loopback();
    let here = facts.client.auth_user.is_none() && facts.client.address.is_none_or(at_home);
    let is_known = |recipient: &Recipient| {
        let known = (recipient.inside && here) || then.contains(&organisation.identity(&recipient.address));
        known && (recipient.inside || onward == Onward::All)
    };
    facts.recipients.iter().all(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::extract::extract;
    use crate::facts::testing::{mail, organisation};
    use crate::facts::{Needs, testing};

    const HEADER: &str = "From: anna@exempelby.se\nMessage-ID: <1@exempelby.se>\nSubject: Hej";

    fn first() -> Record {
        let facts = testing::from_inside("<anna@exempelby.se>", "x@example.org bo@exempelby.se", HEADER);
        crate::effects::record(&facts, &crate::policy::Decision::default(), "")
    }

    #[test]
    fn the_same_mail_for_nobody_else_is_recognised() {
        let same = |client: &str, sender: &str, recipients: &str, header: &str, onward: Onward| {
            let mail = mail(client, sender, recipients, header);
            is_same(&extract(&mail, &organisation(), Needs::NONE), &first(), onward)
        };
        let (anna, here, relay, all) = ("<anna@exempelby.se>", "127.0.0.1", "10.1.2.3", Onward::All);
        for recipients in
            ["x@example.org bo@exempelby.se", "x@example.org", "bo@exempelby.se", "bo+x@exempelby.se"]
        {
            assert!(same(relay, anna, recipients, HEADER, all), "{recipients}");
        }
        for (recipients, onward) in [
            ("y@example.org", all),
            ("x@example.org y@example.org", all),
            ("cecilia@exempelby.se", all),
            ("x@example.org", Onward::Inside),
        ] {
            assert!(!same(relay, anna, recipients, HEADER, onward), "{recipients}");
        }
        assert!(same(here, anna, "cecilia@exempelby.se", HEADER, all), "an alias was written out");
        assert!(!same(here, anna, "y@example.org", HEADER, all), "an alias that leads outside is new");
        assert!(same(here, anna, "registrator@exempelby.se", HEADER, Onward::Inside), "it was rerouted");
        assert!(!same(relay, anna, "chef@exempelby.se", HEADER, Onward::Inside), "nobody rerouted it to her");
        assert!(
            same(relay, "<a.andersson@exempelby.se>", "x@example.org", HEADER, all),
            "it was written anew"
        );
        for (sender, header) in [
            ("<x@example.org>", HEADER),
            ("<>", HEADER),
            (anna, "From: bo@exempelby.se\nMessage-ID: <1@exempelby.se>"),
            (anna, "From: anna@exempelby.se\nMessage-ID: <2@exempelby.se>"),
            (anna, "From: anna@exempelby.se"),
        ] {
            assert!(!same(here, sender, "x@example.org", header, all), "{sender} {header}");
        }
    }

    #[test]
    fn what_the_mta_added_may_be_new_and_what_was_refused_never_passed() {
        let mail = mail("127.0.0.1", "<anna@exempelby.se>", "x@example.org", HEADER);
        let facts = extract(&mail, &organisation(), Needs::NONE);
        let bare = Record { message_id: String::new(), header_from: String::new(), ..first() };
        assert!(is_same(&facts, &bare, Onward::All));
        for outcome in [Outcome::Rejected, Outcome::Deferred, Outcome::Incomplete] {
            assert!(!is_same(&facts, &Record { outcome, ..first() }, Onward::All), "{outcome:?}");
        }
    }
}
