//! Queries: which records somebody asks for, and whether an address or a text is what they mean.

use std::borrow::Cow;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::Serialize;

use super::deliveries::trace::Final;
use crate::address::{Address, Domain};
use crate::mail::Direction;
use crate::organisation::Organisation;
use crate::record::{Outcome, Record, RecordId, several};

/// What is searched for; every part that is given must hold.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(default)]
pub struct Query {
    /// Not before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The envelope sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<Party>,
    /// One of the envelope recipients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Party>,
    /// Somewhere in the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Needle>,
    /// Somewhere in the name of an attachment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment: Option<Needle>,
    /// What became of the mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Outcome>,
    /// A rule that found something, whether it acted or observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The record itself.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub record: Option<RecordId>,
    /// The MTA's queue id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_id: Option<String>,
    /// Message-ID, with angle brackets or without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Somewhere in what SPF, DKIM and DMARC say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Needle>,
    /// An author, in From.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Party>,
    /// The login with which the client sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The client's address, or its network.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub client: Option<IpNet>,
    /// Which way it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// More octets than these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_above: Option<u64>,
    /// A part of the address of whoever's mail it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Needle>,
    /// A person by any of their addresses, or everybody of a domain: whose mail it is, as [`Party::has`] says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub person: Vec<Party>,
    /// What became of it for a recipient, according to Postfix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Final>,
    /// The node that logged it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Every record is read, whatever index files say.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub scan: bool,
}

/// Who is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    /// `<>`, the null sender.
    Null,
    /// `@exempelby.se`: everybody at this domain, and nobody at those below it.
    Domain(Domain),
    /// One address.
    Address(Address),
}

/// Text that is searched for without regard to case; `å` is found however it is composed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needle {
    text: String,
    folded: String,
}

/// The query's times in milliseconds. A record is as old as its millisecond says.
pub(super) fn times(query: &Query) -> (i64, i64) {
    let since = query.since.map_or(i64::MIN, Timestamp::as_millisecond);
    (since, query.until.map_or(i64::MAX, Timestamp::as_millisecond))
}

impl Party {
    /// The party that `text` names.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.is_empty() || text == "<>" {
            return Ok(Self::Null);
        }
        if text.contains(char::is_control) {
            return Err("no address has control characters");
        }
        match text.strip_prefix('@') {
            Some(domain) if !domain.is_empty() && !domain.contains('@') => {
                Ok(Self::Domain(Domain::new(domain)))
            }
            Some(_) => Err("not a domain; write @exempelby.se"),
            // In angle brackets, an address may begin with the sign of a domain; no MTA delivers to it.
            None => Address::parse(text)
                .filter(|address| !address.as_str().starts_with('@'))
                .map(Self::Address)
                .ok_or("write a whole address, @domain, or <>"),
        }
    }

    /// Whether whoever this names is among those whom that one does.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Domain(domain), Self::Address(address)) => {
                address.domain().is_some_and(|own| own == *domain)
            }
            _ => self == other,
        }
    }

    /// Whether the address in a record is this party's, also with something behind a plus sign. It is the one notion of whose
    /// mail it is: of searches for a person, of legal holds, decisions and extracts.
    pub fn has(&self, text: &str) -> bool {
        self.is(text) || without_plus(&comparable(text)).is_some_and(|base| self.is(&base))
    }

    /// Whether the address in a record is this party's, as it is written.
    pub fn is(&self, text: &str) -> bool {
        match self {
            Self::Null => text == "<>",
            Self::Domain(domain) => {
                text.rsplit_once('@').is_some_and(|(_, own)| own.eq_ignore_ascii_case(domain.as_str()))
            }
            Self::Address(address) => is_address(address, text),
        }
    }
}

/// The parties, each with the other addresses of its mailbox.
pub(super) fn with_aliases(parties: &[Party], organisation: &Organisation) -> Vec<Party> {
    let mut all = parties.to_vec();
    for party in parties {
        let Party::Address(address) = party else { continue };
        for alias in organisation.aliases(address).into_iter().map(Party::Address) {
            if !all.contains(&alias) {
                all.push(alias);
            }
        }
    }
    all
}

/// The address in the text of a record without what stands between a plus sign and the at sign: `anna+anbud@` is
/// anna's. `None` where nothing does.
pub(super) fn without_plus(text: &str) -> Option<String> {
    let (local, domain) = text.rsplit_once('@')?;
    let (base, _) = local.split_once('+').filter(|(base, _)| !base.is_empty())?;
    Some(format!("{base}@{domain}"))
}

/// Whether the text of a record is this address, with needless quotes or without, and however its letters are composed.
pub(super) fn is_address(address: &Address, text: &str) -> bool {
    comparable(text).eq_ignore_ascii_case(address.key())
}

/// The text of a record's address as addresses are compared, but for the case of ASCII.
pub(super) fn comparable(text: &str) -> Cow<'_, str> {
    let plain = text.bytes().all(|octet| octet.is_ascii() && octet != b'"');
    let key = || Address::parse(text).map(|address| address.key().to_owned());
    if plain { Cow::Borrowed(text) } else { key().map_or(Cow::Borrowed(text), Cow::Owned) }
}

impl std::fmt::Display for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Domain(domain) => write!(f, "@{domain}"),
            Self::Address(address) => f.write_str(address.as_str()),
        }
    }
}

impl Serialize for Party {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Needle {
    /// Text to be looked for.
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), folded: folded(text).into_owned() }
    }

    /// The form in which it is looked for.
    pub(super) fn folded(&self) -> &str {
        &self.folded
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        folded(text).contains(&self.folded)
    }
}

impl Serialize for Needle {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Lower case, and composed.
pub(super) fn folded(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    let lower = text.to_lowercase();
    match composed(&lower) {
        Cow::Borrowed(_) => Cow::Owned(lower),
        Cow::Owned(composed) => Cow::Owned(composed),
    }
}

/// The letters of the Nordic languages as one character each: a Mac writes `å` in a file's name as two.
pub fn composed(text: &str) -> Cow<'_, str> {
    if !text.contains(['\u{300}', '\u{301}', '\u{308}', '\u{30A}']) {
        return Cow::Borrowed(text);
    }
    let letters = [
        ("a\u{30A}", "å"),
        ("a\u{308}", "ä"),
        ("o\u{308}", "ö"),
        ("u\u{308}", "ü"),
        ("e\u{301}", "é"),
        ("a\u{300}", "à"),
        ("A\u{30A}", "Å"),
        ("A\u{308}", "Ä"),
        ("O\u{308}", "Ö"),
        ("U\u{308}", "Ü"),
        ("E\u{301}", "É"),
        ("A\u{300}", "À"),
    ];
    Cow::Owned(letters.iter().fold(text.to_owned(), |text, (two, one)| text.replace(two, one)))
}

#[expect(clippy::ref_option, reason = "serde's way to call it")]
fn as_text<T: std::fmt::Display, S: serde::Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(id) => serializer.collect_str(id),
        None => serializer.serialize_none(),
    }
}

impl Record {
    /// Everybody whose mail it is: envelope sender, recipients, and authors.
    pub fn parties(&self) -> impl Iterator<Item = &str> {
        let envelope = self.recipients.iter().map(String::as_str).chain([self.sender.as_str()]);
        envelope.chain(several(&self.header_from))
    }

    /// Whether it is mail of this party.
    pub fn is_of(&self, party: &Party) -> bool {
        self.parties().any(|text| party.has(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parties() {
        let is = |party: &str, text: &str| Party::parse(party).unwrap().is(text);
        assert!(is("Anna@Exempelby.se", "anna@exempelby.se") && is("åsa@exempelby.se", "Åsa@exempelby.se"));
        assert!(!is("anna@exempelby.se", "johanna@exempelby.se"));
        // Whoever sends chooses how the same address is written.
        for written in ["\"anna\"@exempelby.se", "\"an\\na\"@exempelby.se"] {
            assert!(is("anna@exempelby.se", written) && is(written, "anna@exempelby.se"), "{written}");
        }
        assert!(
            is("åsa@exempelby.se", "A\u{30A}sa@exempelby.se")
                && is("a\u{30A}sa@exempelby.se", "Åsa@exempelby.se")
        );
        assert!(is("@exempelby.se", "anna@Exempelby.se") && !is("@exempelby.se", "anna@skola.exempelby.se"));
        assert!(is("<>", "<>") && !is("<>", "anna@exempelby.se"));
        assert!(Party::parse("@").is_err() && Party::parse("anna@").is_err());
    }

    #[test]
    fn mail_is_whose_address_it_has_also_with_a_plus() {
        let has = |party: &str, text: &str| Party::parse(party).unwrap().has(text);
        assert!(
            has("anna@exempelby.se", "Anna+anbud@exempelby.se")
                && has("anna@exempelby.se", "anna@exempelby.se")
        );
        assert!(has("@exempelby.se", "anna+anbud@exempelby.se"));
        assert!(!has("anna@exempelby.se", "johanna+anna@exempelby.se"));
        assert!(!has("anna@exempelby.se", "+anna@exempelby.se") && !has("<>", "+@exempelby.se"));
        let record = Record { header_from: "x@example.org, anna+a@exempelby.se".into(), ..Record::default() };
        assert!(record.is_of(&Party::parse("anna@exempelby.se").unwrap()));
    }

    #[test]
    fn swedish_letters_are_found_in_any_case_and_composition() {
        for text in ["Ansökan om BYGGLOV", "ansökan", "ANSÖKAN", "Anso\u{308}kan.pdf", "ANSO\u{308}KAN"] {
            assert!(Needle::new("ansökan").is_in(text), "{text}");
            assert!(Needle::new("ANSO\u{308}KAN").is_in(text), "{text}");
        }
        assert!(!Needle::new("ansökan").is_in("ansokan"));
    }
}
