//! Where an exported value sends mail: the forms in which Exchange writes recipients, and whom their names stand for.

use std::collections::{BTreeMap, BTreeSet};

use super::table::Row;
use crate::address::Address;

/// Whom a value names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// An address.
    Address(Address),
    /// A recipient of the organisation by a name, which no file resolves.
    Name(String),
    /// The export has the name of a type where the values should be.
    Lost(String),
}

/// Recipients by their names and addresses in small letters.
#[derive(Debug, Default)]
pub(super) struct Recipients(BTreeMap<String, BTreeSet<Address>>);

/// Properties by which other objects name a recipient.
const NAMES: [&str; 13] = [
    "Name",
    "DisplayName",
    "Alias",
    "Identity",
    "Id",
    "DistinguishedName",
    "LegacyExchangeDN",
    "Guid",
    "ExchangeObjectId",
    "ExternalDirectoryObjectId",
    "UserPrincipalName",
    "PrimarySmtpAddress",
    "WindowsEmailAddress",
];

impl Recipients {
    /// Learns a recipient. Mail for a contact goes to its external address.
    pub(super) fn learn(&mut self, row: &Row) {
        let to = ["ExternalEmailAddress", "PrimarySmtpAddress", "WindowsEmailAddress", "UserPrincipalName"];
        let address = to.iter().find_map(|property| address(row.first(&[property])?));
        let Some(address) = address else { return };
        for name in NAMES.iter().flat_map(|property| row.values(property)) {
            self.0.entry(name.to_lowercase()).or_default().insert(address.clone());
        }
    }

    /// Whom the values of a property name.
    pub(super) fn targets(&self, values: &[String]) -> BTreeSet<Target> {
        values.iter().flat_map(|value| pieces(value)).flat_map(|piece| self.target(&piece)).collect()
    }

    fn target(&self, piece: &str) -> Vec<Target> {
        if is_type(piece) {
            return vec![Target::Lost(piece.to_owned())];
        }
        let inner = in_brackets(piece).unwrap_or(piece);
        let bare = inner.split_once(':').filter(|(kind, _)| is_kind(kind)).map_or(inner, |(_, rest)| rest);
        // A canonical name ends with the recipient's own, and a distinguished name begins with it.
        let last = bare.rsplit('/').next().unwrap_or(bare);
        let cn = bare.strip_prefix("CN=").and_then(|rest| rest.split(',').next());
        let display = piece.split('[').next().unwrap_or_default().trim().trim_matches('"');
        let names = [Some(bare), Some(last), cn, Some(display)];
        let known = names.into_iter().flatten().find_map(|name| self.0.get(&name.trim().to_lowercase()));
        let found = address(bare);
        match (known, found) {
            // The name is known and the address is not: the address is what mail goes to.
            (_, Some(found)) if !self.0.contains_key(&bare.to_lowercase()) => vec![Target::Address(found)],
            // A mailbox or contact here may itself stand for an address elsewhere.
            (Some(known), _) => known.iter().cloned().map(Target::Address).collect(),
            (None, Some(found)) => vec![Target::Address(found)],
            (None, None) => vec![Target::Name(piece.to_owned())],
        }
    }
}

/// The address in `smtp:a@b`, `SMTP:a@b` or `a@b`.
fn address(text: &str) -> Option<Address> {
    let bare = text.split_once(':').filter(|(kind, _)| is_kind(kind)).map_or(text, |(_, rest)| rest);
    let bare = bare.trim().trim_matches(['<', '>', '"', '\'']);
    let (local, domain) = bare.rsplit_once('@')?;
    let is_plain = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
    (is_plain(local) && is_plain(domain)).then(|| Address::parse(bare)).flatten()
}

/// The kind of an address that stands before it.
fn is_kind(kind: &str) -> bool {
    ["smtp", "mailto", "ex", "rfc822", "sip", "x500"].contains(&kind.to_ascii_lowercase().as_str())
}

/// What stands in the last brackets: `"Anna" [SMTP:a@b]`, `Anna <a@b>`.
fn in_brackets(piece: &str) -> Option<&str> {
    let between = |open, close| {
        let (_, rest) = piece.rsplit_once(open)?;
        rest.split_once(close).map(|(inside, _)| inside)
    };
    between('[', ']').or_else(|| between('<', '>')).filter(|inside| !inside.is_empty())
}

/// `System.String[]` and its like, which `Export-Csv` writes for a property with several values.
fn is_type(piece: &str) -> bool {
    let begins =
        ["System.", "Microsoft.Exchange.", "Deserialized."].iter().any(|name| piece.starts_with(name));
    begins && !piece.contains('@')
}

/// The recipients in one value: apart by commas, semicolons or lines, unless these stand in quotes or brackets.
fn pieces(value: &str) -> Vec<String> {
    let whole = value.trim().trim_start_matches('{').trim_end_matches('}');
    // A distinguished name has commas of its own.
    if is_type(whole) || whole.starts_with("CN=") || whole.starts_with("/o=") {
        return vec![whole.to_owned()];
    }
    let (mut pieces, mut piece, mut quoted, mut depth) = (Vec::new(), String::new(), false, 0_u32);
    for c in whole.chars() {
        match c {
            '"' => quoted = !quoted,
            '[' | '<' if !quoted => depth += 1,
            ']' | '>' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if matches!(c, ',' | ';' | '\n' | '\r' | '|') && !quoted && depth == 0 {
            pieces.push(std::mem::take(&mut piece));
        } else {
            piece.push(c);
        }
    }
    pieces.push(piece);
    let trimmed = pieces.iter().map(|piece| piece.trim()).filter(|piece| !piece.is_empty());
    trimmed.map(str::to_owned).collect()
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

    #[test]
    fn names_stand_for_the_addresses_of_contacts_and_mailboxes() {
        let mut known = Recipients::default();
        let contacts = "Name,DisplayName,DistinguishedName,LegacyExchangeDN,PrimarySmtpAddress,ExternalEmailAddress\n\
                        Arkiv,Arkiv extern,\"CN=Arkiv,OU=K,DC=exempelby\",/o=X/cn=Recipients/cn=abc-Arkiv,arkiv-extern@exempelby.se,SMTP:arkiv@example.org\n\
                        bo,Bo Ek,,,bo@exempelby.se,\n";
        for row in super::super::table::read("F", contacts.as_bytes()).unwrap().1 {
            known.learn(&row);
        }
        for value in [
            "Arkiv",
            "arkiv extern",
            "exempelby.se/Kontakter/Arkiv",
            "CN=Arkiv,OU=K,DC=exempelby",
            "\"Arkiv extern\" [EX:/o=X/cn=Recipients/cn=abc-Arkiv]",
            "smtp:arkiv-extern@exempelby.se",
        ] {
            assert_eq!(said(&known, value), ["arkiv@example.org"], "{value}");
        }
        assert_eq!(said(&known, "Bo Ek"), ["bo@exempelby.se"]);
        assert_eq!(said(&known, "\"Bo Ek\" [SMTP:bo@example.net]"), ["bo@example.net"]);
    }
}
