//! Where an exported value sends mail: the forms in which Exchange writes recipients, and whom their names stand for.

use std::collections::{BTreeMap, BTreeSet};

use super::table::Row;
use crate::address::Address;

/// Whom a value names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// An address.
    Address(Address),
    /// A recipient of the organisation by a name, which no file resolves, or a value that can be read in two ways.
    Name(String),
    /// The export has the name of a type where the values should be.
    Lost(String),
}

/// By what an object names a recipient. A display name is none of these: anybody may have it, a guest too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    /// Its legacy distinguished name: `/o=…/cn=…`.
    Legacy,
    Address,
    Name,
}

/// Where mail for a recipient goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    To(Target),
    /// To the members of a group, as they were exported.
    Members(Vec<String>),
}

/// Recipients by their names and addresses in small letters.
#[derive(Debug, Default)]
pub(super) struct Recipients(BTreeMap<(By, String), BTreeSet<Way>>);

const BY_NAME: [&str; 7] =
    ["Name", "Identity", "Id", "DistinguishedName", "Guid", "ExchangeObjectId", "ExternalDirectoryObjectId"];

impl Recipients {
    /// Learns a recipient. Mail for a contact or a guest goes to its external address, mail for a group to its members.
    pub(super) fn learn(&mut self, row: &Row) {
        let to = ["ExternalEmailAddress", "PrimarySmtpAddress", "WindowsEmailAddress"];
        let Some(said) = row.first(&to) else { return };
        let way = if !is_group(row) {
            Way::To(smtp(said).map_or_else(|| Target::Name(said.to_owned()), Target::Address))
        } else if row.values("Members").is_empty() {
            Way::To(Target::Name(format!("group {said}, without members in the files")))
        } else {
            Way::Members(row.values("Members").to_vec())
        };
        let proxies: Vec<&str> =
            row.values("EmailAddresses").iter().flat_map(|value| value.split(SEPARATORS)).collect();
        let old = proxies.iter().filter_map(|proxy| strip_kind(proxy, &["x500"]));
        let legacy = row.values("LegacyExchangeDN").iter().map(String::as_str).chain(old);
        let legacy = legacy.map(|name| (By::Legacy, name.trim().to_lowercase()));
        let own =
            ["PrimarySmtpAddress", "WindowsEmailAddress"].iter().flat_map(|property| row.values(property));
        let addresses = own.map(String::as_str).chain(proxies.iter().copied()).filter_map(smtp);
        let addresses = addresses.map(|address| (By::Address, address.key().to_owned()));
        let names = BY_NAME.iter().flat_map(|property| row.values(property));
        let names = names.map(|name| (By::Name, name.to_lowercase()));
        for key in legacy.chain(addresses).chain(names) {
            self.0.entry(key).or_default().insert(way.clone());
        }
    }

    /// Whom the values of a property name.
    pub(super) fn targets(&self, values: &[String]) -> BTreeSet<Target> {
        let (mut targets, mut seen, mut rest) = (BTreeSet::new(), BTreeSet::new(), values.to_vec());
        while let Some(value) = rest.pop() {
            // A group may be a member of itself by way of others.
            if !seen.insert(value.clone()) {
                continue;
            }
            for way in self.ways(value.trim()) {
                match way {
                    Way::To(target) => {
                        targets.insert(target);
                    }
                    Way::Members(members) => rest.extend(members),
                }
            }
        }
        targets
    }

    /// Whoever writes a rule chooses the display names in it, so every recipient in brackets counts, in quotes too, and a
    /// value that can be read in two ways is listed as a whole.
    fn ways(&self, value: &str) -> Vec<Way> {
        if is_type(value) || is_cut(value) {
            return vec![Way::To(Target::Lost(value.to_owned()))];
        }
        let whole = value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(value);
        // A distinguished name has commas of its own.
        let is_one = begins(whole, "cn=") || begins(whole, "/o=");
        let read = if is_one { Some(vec![whole]) } else { items(whole) };
        let unclear = read.is_none();
        let texts: BTreeSet<&str> = read.unwrap_or_default().into_iter().chain(tagged(whole)).collect();
        let mut ways = Vec::new();
        for text in texts {
            match self.known(text) {
                Some(known) => ways.extend(known),
                None if unclear => {}
                None => ways.push(Way::To(Target::Name(shown(whole, text)))),
            }
        }
        if unclear {
            ways.push(Way::To(Target::Name(whole.to_owned())));
        }
        ways
    }

    /// Where mail goes that is for `smtp:a@b`, `a@b`, `EX:/o=…` or a name; none where no file tells.
    fn known(&self, text: &str) -> Option<Vec<Way>> {
        let by = |by: By, name: &str| {
            let ways = self.0.get(&(by, name.trim().to_lowercase()));
            ways.map(|ways| ways.iter().cloned().collect::<Vec<Way>>())
        };
        if let Some(legacy) =
            strip_kind(text, &["ex", "x500"]).or(Some(text).filter(|text| begins(text, "/o=")))
        {
            return by(By::Legacy, legacy);
        }
        match smtp(text) {
            // A mailbox or contact here may itself stand for an address elsewhere.
            Some(address) => Some(
                by(By::Address, address.key()).unwrap_or_else(|| vec![Way::To(Target::Address(address))]),
            ),
            None => by(By::Name, text),
        }
    }
}

/// Whether it is a distribution list or another group.
fn is_group(row: &Row) -> bool {
    let kind = row.first(&["RecipientTypeDetails", "RecipientType"]).unwrap_or_default();
    kind.to_ascii_lowercase().contains("group") || row.has("Members") || row.has("GroupType")
}

/// The address in `smtp:a@b`, `SMTP:a@b` or `a@b`. Quotes, brackets and other kinds of addresses are no plain address.
fn smtp(text: &str) -> Option<Address> {
    let bare = strip_kind(text, &["smtp", "mailto", "rfc822"]).unwrap_or(text).trim();
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"\"<>[]()\\,;:".contains(c);
    (bare.contains('@') && bare.chars().all(is_plain)).then(|| Address::parse(bare)).flatten()
}

/// What stands behind one of these kinds.
fn strip_kind<'a>(text: &'a str, kinds: &[&str]) -> Option<&'a str> {
    let (kind, rest) = text.trim().split_once(':')?;
    kinds.iter().any(|known| kind.eq_ignore_ascii_case(known)).then(|| rest.trim())
}

fn begins(text: &str, with: &str) -> bool {
    text.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with))
}

/// `System.String[]` and its like, which `Export-Csv` writes for a property with several values.
fn is_type(value: &str) -> bool {
    let begins =
        ["System.", "Microsoft.Exchange.", "Deserialized."].iter().any(|name| value.starts_with(name));
    begins && !value.contains('@')
}

/// Whether a list was cut for the screen: `{a@b, c@d...}`.
fn is_cut(value: &str) -> bool {
    let end = value.trim_end_matches('}').trim_end();
    value.starts_with('{') && (end.ends_with("...") || end.ends_with('…'))
}

const SEPARATORS: [char; 5] = [',', ';', '\n', '\r', '|'];

/// What stands in every `[SMTP:…]` and `[EX:…]`, in quotes or not.
fn tagged(value: &str) -> impl Iterator<Item = &str> {
    let insides = value.split('[').skip(1).map(|rest| rest.split(']').next().unwrap_or(rest));
    insides.filter(|inside| strip_kind(inside, &["smtp", "ex", "x500"]).is_some())
}

/// The recipients in one value: `"Name" [KIND:…]`, `Name <a@b>`, `a@b` or a name, each apart by a comma, a semicolon or a
/// line; none where quotes or brackets leave it open what belongs together.
fn items(value: &str) -> Option<Vec<&str>> {
    let (mut items, mut rest) = (Vec::new(), value.trim());
    while !rest.is_empty() {
        let (name, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_at(
                rest.find(|c| SEPARATORS.contains(&c) || "[]<>\"".contains(c)).unwrap_or(rest.len()),
            ),
        };
        let behind = behind.trim_start_matches(' ');
        let (item, behind) = if let Some(inside) = behind.strip_prefix('[') {
            inside.split_once(']').filter(|(item, _)| item.contains(':'))?
        } else if let Some(inside) = behind.strip_prefix('<') {
            inside.split_once('>')?
        } else {
            (name, behind)
        };
        if item.contains(['[', ']', '<', '>', '"']) {
            return None;
        }
        items.extend(Some(item.trim()).filter(|item| !item.is_empty()));
        rest = behind.trim_start_matches(' ');
        if !rest.is_empty() {
            rest = rest.strip_prefix(SEPARATORS)?.trim_start();
        }
    }
    Some(items)
}

/// A recipient that no file resolves, with its display name where the value has no other.
fn shown(whole: &str, text: &str) -> String {
    if whole.matches('[').count() == 1 { whole.to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(recipients: &Recipients, value: &str) -> Vec<String> {
        let targets = recipients.targets(&[value.to_owned()]);
        let shown = targets.into_iter().map(|target| match target {
            Target::Address(address) => address.to_string(),
            Target::Name(name) => format!("? {name}"),
            Target::Lost(name) => format!("! {name}"),
        });
        shown.collect()
    }

    #[test]
    fn every_form_of_a_recipient_is_read() {
        let nobody = Recipients::default();
        for (value, expected) in [
            ("smtp:anna@example.org", &["anna@example.org"][..]),
            ("SMTP:anna@example.org", &["anna@example.org"]),
            ("anna@example.org", &["anna@example.org"]),
            ("[SMTP:anna@example.org]", &["anna@example.org"]),
            ("\"Ek, Anna\" [SMTP:anna@example.org]", &["anna@example.org"]),
            ("Anna Ek <anna@example.org>", &["anna@example.org"]),
            ("\"anna@exempelby.se\" [SMTP:privat@example.org]", &["privat@example.org"]),
            (
                "\"A\" [SMTP:a@example.org], \"B; C\" [SMTP:b@example.org]",
                &["a@example.org", "b@example.org"],
            ),
            ("{a@example.org, b@example.org}", &["a@example.org", "b@example.org"]),
            ("a@example.org;b@example.org", &["a@example.org", "b@example.org"]),
            ("a@example.org\nb@example.org", &["a@example.org", "b@example.org"]),
            ("Arkiv extern", &["? Arkiv extern"]),
            (
                "\"Bo\" [EX:/o=ExchangeLabs/cn=Recipients/cn=abc-Bo]",
                &["? \"Bo\" [EX:/o=ExchangeLabs/cn=Recipients/cn=abc-Bo]"],
            ),
            ("System.String[]", &["! System.String[]"]),
            (
                "Microsoft.Exchange.Data.MultiValuedProperty`1[Microsoft.Exchange.Data.SmtpAddress]",
                &["! Microsoft.Exchange.Data.MultiValuedProperty`1[Microsoft.Exchange.Data.SmtpAddress]"],
            ),
            ("", &[]),
        ] {
            assert_eq!(said(&nobody, value), expected, "{value}");
        }
    }

    fn known(rows: &str) -> Recipients {
        let mut known = Recipients::default();
        for row in super::super::table::read("F", rows.as_bytes()).unwrap().1 {
            known.learn(&row);
        }
        known
    }

    #[test]
    fn names_stand_for_the_addresses_of_contacts_and_mailboxes() {
        let known = known(
            "Name,DisplayName,Identity,DistinguishedName,LegacyExchangeDN,PrimarySmtpAddress,ExternalEmailAddress,EmailAddresses\n\
             Arkiv,Arkiv extern,exempelby.se/Kontakter/Arkiv,\"CN=Arkiv,OU=K,DC=exempelby\",/o=X/cn=Recipients/cn=abc-Arkiv,arkiv-extern@exempelby.se,SMTP:arkiv@example.org,\"SMTP:arkiv-extern@exempelby.se,smtp:gammalt@exempelby.se,X500:/o=Gammal/cn=arkiv\"\n\
             bo,Bo Ek,,,,bo@exempelby.se,,\n\
             Trasig,,,,,trasig@exempelby.se,fax:123,\n",
        );
        for value in [
            "Arkiv",
            "arkiv",
            "exempelby.se/Kontakter/Arkiv",
            "CN=Arkiv,OU=K,DC=exempelby",
            "\"Arkiv extern\" [EX:/o=X/cn=Recipients/cn=abc-Arkiv]",
            "\"Bo Ek\" [EX:/O=GAMMAL/cn=arkiv]",
            "/o=X/cn=Recipients/cn=abc-Arkiv",
            "smtp:arkiv-extern@exempelby.se",
            "gammalt@exempelby.se",
        ] {
            assert_eq!(said(&known, value), ["arkiv@example.org"], "{value}");
        }
        assert_eq!(said(&known, "bo"), ["bo@exempelby.se"]);
        assert_eq!(said(&known, "\"Bo Ek\" [SMTP:bo@example.net]"), ["bo@example.net"]);
        // The contact's own address is inside, and mail to it goes to a fax.
        assert_eq!(said(&known, "trasig@exempelby.se"), ["? fax:123"]);
    }

    #[test]
    fn a_display_name_stands_for_nobody() {
        let known = known(
            "Name,DisplayName,Identity,DistinguishedName,LegacyExchangeDN,PrimarySmtpAddress\n\
             bo,Bo Ek,exempelby.se/Users/bo,\"CN=bo,OU=Users,DC=exempelby\",/o=X/cn=bo,bo@exempelby.se\n",
        );
        for value in [
            "\"Bo Ek\" [EX:/o=X/ou=g/cn=Recipients/cn=abc-Evil]",
            "\"bo\" [EX:/o=X/cn=abc-Evil]",
            "\"bo@exempelby.se\" [EX:/o=X/cn=bo2]",
            "Bo Ek",
            "exempelby.se/Gäster/bo",
            "CN=bo,OU=Guests,DC=exempelby",
            "CN=bo,OU=Users,DC=exempelby;CN=Evil,OU=Users,DC=exempelby",
            "[EX:bo@exempelby.se]",
            "[EX:bo]",
        ] {
            assert_eq!(said(&known, value), [format!("? {value}")], "{value}");
        }
        assert_eq!(said(&known, "\"Någon\" [EX:/o=X/cn=bo]"), ["bo@exempelby.se"]);
    }

    #[test]
    fn no_display_name_hides_a_recipient_beside_it() {
        let nobody = Recipients::default();
        let evil = "evil@example.org";
        for value in [
            "\"Arkiv \"\" [SMTP:evil@example.org],\"Bo\" [SMTP:bo@exempelby.se]",
            "\"Arkiv \"\"\" [SMTP:evil@example.org],\"Bo\" [SMTP:bo@exempelby.se]",
            "\"Bo\" [SMTP:evil@example.org] [SMTP:bo@exempelby.se]",
            "\"[bo@exempelby.se\" [SMTP:evil@example.org],\"]\" [SMTP:bo@exempelby.se]",
            // Two names that together turn what is quoted inside out.
            "\"x\" [SMTP:bo@exempelby.se], \" [SMTP:evil@example.org],\" [SMTP:bo@exempelby.se],\"y\" [SMTP:bo@exempelby.se]",
        ] {
            assert!(
                said(&nobody, value).iter().any(|found| found == evil),
                "{value}: {:?}",
                said(&nobody, value)
            );
        }
        for value in [
            "\"x\" [SMTP:\"[bo@exempelby.se]\"@example.org]",
            "smtp:\"<bo@exempelby.se>\"@example.org",
            "\"<bo@exempelby.se>\"@example.org",
            "[bo@exempelby.se]@example.org",
            "Bo <evil@example.org> / bo@exempelby.se",
            "bo@exempelby.se evil@example.org",
            "\"Bo [SMTP:bo@exempelby.se]",
            "fax:bo@exempelby.se",
            "@example.org:bo@exempelby.se",
        ] {
            let found = said(&nobody, value);
            assert!(found.contains(&format!("? {value}")), "{value}: {found:?}");
        }
        assert_eq!(said(&nobody, "{bo@exempelby.se...}"), ["! {bo@exempelby.se...}"]);
    }

    #[test]
    fn a_group_stands_for_its_members() {
        let known = known(
            "Name,PrimarySmtpAddress,RecipientTypeDetails,Members\n\
             Alla,alla@exempelby.se,MailUniversalDistributionGroup,\"arkiv@example.org, bo@exempelby.se, grupp@exempelby.se\"\n\
             grupp,grupp@exempelby.se,MailUniversalDistributionGroup,\"alla@exempelby.se, cia@example.net\"\n\
             tom,tom@exempelby.se,MailUniversalDistributionGroup,\n",
        );
        for value in ["\"Bo\" [SMTP:alla@exempelby.se]", "Alla", "grupp"] {
            assert_eq!(
                said(&known, value),
                ["arkiv@example.org", "bo@exempelby.se", "cia@example.net"],
                "{value}"
            );
        }
        assert_eq!(said(&known, "tom"), ["? group tom@exempelby.se, without members in the files"]);
    }
}
