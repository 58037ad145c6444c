//! Answers by which senders have their held mail released: whether a mail is one, and whether it counts.
//!
//! Contract: an answer counts only for the mailbox whose own login handed it in, and which is its envelope sender and its
//! author too. Names in a message and hosts inside are not enough: a colleague can write them. What a program answers by itself
//! never counts. Whether the notice went to that mailbox, and whether it may release anything, the log says.

#![deny(clippy::disallowed_methods)]

use crate::address::Address;
use crate::facts::Facts;
use crate::notice::name::{self, Key};
use crate::notice::{self, NoticeSettings};

/// What a mail is to the notices that may be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// No answer to one.
    Other,
    /// An answer that does not count, and why.
    Ignored(&'static str),
    /// One that counts for this mailbox.
    Counts {
        /// The key of the notice that it answers.
        notice: Key,
        /// Who answers.
        by: Address,
        /// What they wrote themselves.
        text: String,
    },
}

/// What the mail is.
pub fn answer(facts: &Facts, settings: &NoticeSettings) -> Answer {
    let named = |field| facts.header.all(field).flat_map(name::override_keys).last();
    // What is answered stands last in References.
    let Some(notice) = named("In-Reply-To").or_else(|| named("References")) else { return Answer::Other };
    let header = &facts.header;
    if header.auto_submitted
        || header.report
        || header.is_automatic_reply()
        || header.first(notice::LOOP_FIELD).is_some()
    {
        return Answer::Ignored("automatic");
    }
    let Some(login) = facts.client.auth_user.as_deref().and_then(Address::parse) else {
        return Answer::Ignored("no login");
    };
    let Ok(Some(author)) = facts.confirmed_author() else { return Answer::Ignored("author not confirmed") };
    if !facts.owns(&login) || !facts.is_same_mailbox(&login, author) {
        return Answer::Ignored("another mailbox's login");
    }
    let (from, _) = settings.voice(facts.organisation.authority_of(author));
    if !facts.recipients.iter().any(|to| facts.is_same_mailbox(&to.address, from)) {
        return Answer::Ignored("not sent to who wrote the notice");
    }
    Answer::Counts { notice, by: author.clone(), text: facts.own_text() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::facts::testing::{from_inside, from_outside};
    use crate::templates::Texts;

    const KEY: &str = "<override.000000000000000000000000000000ff@exempelby.se>";

    fn settings() -> NoticeSettings {
        NoticeSettings {
            notices_from: Address::parse("postmaster@exempelby.se").unwrap(),
            texts: Texts::default(),
            time_zone: TimeZone::UTC,
            max_age: Duration::from_hours(1),
            authorities: Vec::new(),
        }
    }

    fn read(login: Option<&str>, facts: Facts) -> String {
        let mut facts = facts;
        facts.client.auth_user = login.map(str::to_owned);
        match answer(&facts, &settings()) {
            Answer::Other => "other".to_owned(),
            Answer::Ignored(why) => why.to_owned(),
            Answer::Counts { notice, by, .. } => format!("{} {by}", u128::from_be_bytes(notice)),
        }
    }

    #[test]
    fn only_a_mailbox_that_logged_in_answers_for_itself() {
        const ANNA: &str = "anna@exempelby.se";
        let mail = |sender: &str, header: &str| {
            from_inside(sender, "postmaster@exempelby.se", &format!("In-Reply-To: {KEY}\n{header}"))
        };
        let from = "From: anna@exempelby.se";
        let own = "<anna@exempelby.se>";
        assert_eq!(read(Some(ANNA), mail(own, from)), "255 anna@exempelby.se");
        assert_eq!(read(Some("anna"), mail(own, from)), "255 anna@exempelby.se");
        for (login, facts, why) in [
            (None, mail(own, from), "no login"),
            (Some("bo@exempelby.se"), mail(own, from), "another mailbox's login"),
            (Some("anna@example.org"), mail(own, from), "another mailbox's login"),
            (Some(ANNA), mail(own, "From: bo@exempelby.se"), "author not confirmed"),
            (Some(ANNA), mail("<bo@exempelby.se>", from), "author not confirmed"),
            (Some(ANNA), mail("<>", from), "author not confirmed"),
            (Some(ANNA), mail(own, "From: anna@exempelby.se\nAuto-Submitted: auto-replied"), "automatic"),
            (Some(ANNA), mail(own, "From: anna@exempelby.se\nSubject: Autosvar: ledig"), "automatic"),
            (
                Some(ANNA),
                from_inside(own, "bo@exempelby.se", &format!("In-Reply-To: {KEY}\n{from}")),
                "not sent to who wrote the notice",
            ),
            (
                None,
                from_outside(own, "postmaster@exempelby.se", &format!("In-Reply-To: {KEY}\n{from}")),
                "no login",
            ),
            (Some(ANNA), from_inside(own, "postmaster@exempelby.se", from), "other"),
        ] {
            assert_eq!(read(login, facts), why);
        }
        let threaded = format!("References: <1@example.org> {KEY}\n{from}");
        assert_eq!(
            read(Some(ANNA), from_inside(own, "postmaster@exempelby.se", &threaded)),
            "255 anna@exempelby.se"
        );
    }
}
