//! Who a receipt is counted for: the mailbox behind an address that a program writes anew for every mail.
//!
//! A tag, a number or a hash in an address is no new sender. What is left of an address when they are taken away must
//! still tell people apart: an address of nothing else stays as it is.

#![deny(clippy::disallowed_methods)]

use crate::address::{Address, Domain};

/// What stands in the place of a number or a hash.
const VARIES: &str = "#";
/// Between the parts of a local part.
const SEPARATORS: [char; 7] = ['-', '_', '.', '=', '/', '#', '~'];
/// Words that a number is written to without anything between; people write theirs to a name.
const NUMBERED: &[&str] = &[
    "ticket",
    "case",
    "request",
    "issue",
    "incident",
    "inc",
    "ref",
    "id",
    "no",
    "nr",
    "msg",
    "message",
    "reply",
    "bounce",
    "return",
    "conversation",
    "thread",
    "task",
    "arende",
    "ärende",
    "sak",
    "uppgift",
    "svar",
    "felanmalan",
];
/// Forms that stand in one another are taken apart so many times.
const DEPTH: usize = 4;

/// Whom to count a receipt for, when it goes to `sender` and the author is `author`: one or two names. Who sends for
/// many authors of other domains, by addresses that vary, is told apart by them.
pub fn counted(sender: &Address, author: Option<&Address>) -> Vec<String> {
    let name = folded(sender);
    let Some(author) = author.filter(|author| author.key() != sender.key()) else { return vec![name] };
    let by_author = folded(author);
    let varies = name != sender.key() && author.domain() != sender.domain();
    if varies || name == by_author { vec![by_author] } else { vec![name, by_author] }
}

/// The domain of a name that [`counted`] gave.
pub fn domain(name: &str) -> Domain {
    Domain::new(name.rsplit_once('@').map_or("", |(_, domain)| domain))
}

/// The address without what varies in it.
fn folded(address: &Address) -> String {
    let (mut local, mut domain) = match address.key().rsplit_once('@') {
        Some((local, domain)) => (local.to_owned(), domain.to_owned()),
        None => (address.key().to_owned(), String::new()),
    };
    for _ in 0..DEPTH {
        if let Some((original, at)) = rewritten(&local) {
            (local, domain) = (original.to_owned(), Domain::new(at).to_string());
        } else if let Some(inner) = signed(&local) {
            local = inner.to_owned();
        } else {
            break;
        }
    }
    // A tag (RFC 5233); a separator at the beginning starts no tag.
    let untagged = match local.split_once('+') {
        Some((mailbox, _)) if !mailbox.is_empty() => mailbox,
        _ => &local,
    };
    format!("{}@{domain}", without_numbers(untagged))
}

/// BATV and its kin: `prvs=hash=local`, `prvs=local=hash`, `prvs=local/hash`, `btv1==hash==local`,
/// `msprvs1=hash=local`.
fn signed(local: &str) -> Option<&str> {
    let (scheme, rest) = local.split_once('=')?;
    match scheme {
        "prvs" | "prvs1" | "msprvs1" => {}
        "btv1" => return rest.strip_prefix('=')?.split_once("==").map(|(_, local)| local),
        _ => return None,
    }
    let Some((first, second)) = rest.split_once('=') else {
        return rest.rsplit_once('/').map(|(local, _)| local);
    };
    // The hash stands first in the draft, and last where a program read an older one.
    Some(if is_hash(second) && !is_hash(first) { first } else { second })
}

/// Sender Rewriting Scheme: who wrote before a forwarder sent it on: `SRS0=hash=day=domain=local`,
/// `SRS1=hash=forwarder==hash=day=domain=local`, and `mailbox+SRS=hash=day=domain=local` of Exchange Online.
fn rewritten(local: &str) -> Option<(&str, &str)> {
    let begins = |scheme: &str| local.strip_prefix(scheme)?.strip_prefix(['=', '+', '-']);
    let rest = match (begins("srs0"), begins("srs1")) {
        (Some(rest), _) => rest,
        (None, Some(rest)) => {
            rest.split_once("==").or_else(|| rest.split_once("=+")).or_else(|| rest.split_once("=-"))?.1
        }
        (None, None) => local.split_once("+srs=")?.1,
    };
    let mut parts = rest.splitn(4, '=');
    let (_hash, _day, domain, local) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (!domain.is_empty() && !local.is_empty()).then_some((local, domain))
}

/// The local part with a mark for each number and each hash; as it is where nothing else would be left.
fn without_numbers(local: &str) -> String {
    let mut out = String::with_capacity(local.len());
    let mut rest = local;
    let mut names = false;
    loop {
        let end = rest.find(SEPARATORS).unwrap_or(rest.len());
        let (part, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if part.is_empty() {
            // Two separators, or one at an end.
        } else if part.bytes().all(|b| b.is_ascii_digit()) || is_hash(part) {
            out.push_str(VARIES);
        } else if let Some(word) = numbered(part) {
            names = true;
            out.push_str(word);
            out.push_str(VARIES);
        } else {
            names = true;
            out.push_str(part);
        }
        let mut after = after.chars();
        match after.next() {
            Some(separator) => out.push(separator),
            None => break,
        }
        rest = after.as_str();
    }
    if names { out } else { local.to_owned() }
}

/// The word of `ticket401`.
fn numbered(part: &str) -> Option<&str> {
    let word = part.trim_end_matches(|c: char| c.is_ascii_digit());
    (word.len() < part.len() && NUMBERED.contains(&word)).then_some(word)
}

/// Whether a program made it up: hexadecimal digits of both kinds, or letters and digits that alternate as nobody
/// writes them.
fn is_hash(part: &str) -> bool {
    let digit = |b: u8| b.is_ascii_digit();
    let bytes = part.as_bytes();
    let turns = bytes.windows(2).filter(|pair| matches!(pair, [a, b] if digit(*a) != digit(*b))).count();
    let hexadecimal = bytes.iter().all(u8::is_ascii_hexdigit);
    turns > 0 && (hexadecimal && bytes.len() >= 4 || bytes.len() >= 8 && turns >= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sender: &str, author: &str) -> Vec<String> {
        counted(&Address::parse(sender).unwrap(), Address::parse(author).as_ref())
    }

    #[test]
    fn one_program_is_one_sender() {
        for (written, name) in [
            ("support@crm.example", "support@crm.example"),
            ("Support@CRM.example", "support@crm.example"),
            ("support+id401@crm.example", "support@crm.example"),
            ("support+a+b@crm.example", "support@crm.example"),
            ("+support@crm.example", "+support@crm.example"),
            ("ticket-401@crm.example", "ticket-#@crm.example"),
            ("ticket401@crm.example", "ticket#@crm.example"),
            ("ärende.2026-12345@crm.example", "ärende.#-#@crm.example"),
            ("case_8812_reply@crm.example", "case_#_reply@crm.example"),
            ("reply-a8f3c2e19b@crm.example", "reply-#@crm.example"),
            ("conv-1f0b2c3d-9e8f-4a5b-8c7d-001122334455@crm.example", "conv-#-#-#-#-#@crm.example"),
            ("msg.x7kq92mz4p.v1@crm.example", "msg.#.v1@crm.example"),
            ("prvs=4015abcdef=support@crm.example", "support@crm.example"),
            ("prvs=support=4015abcdef@crm.example", "support@crm.example"),
            ("prvs=support/4015abcdef@crm.example", "support@crm.example"),
            ("btv1==401abc==support@crm.example", "support@crm.example"),
            ("msprvs1=20026a1b2c3d=bounces-401@crm.example", "bounces-#@crm.example"),
            (
                "kontakt-401-registrator=exempelby.se@crm.example",
                "kontakt-#-registrator=exempelby.se@crm.example",
            ),
            ("SRS0=ab12=X7=example.org=kim@fwd.example", "kim@example.org"),
            ("SRS0+ab12=X7=example.org=kim@fwd.example", "kim@example.org"),
            ("SRS1=ab12=fwd.example==cd34=X7=example.org=kim@far.example", "kim@example.org"),
            ("eva+SRS=ab12=X7=example.org=kim@tenant.example", "kim@example.org"),
            ("bounces+SRS=ab12=X7@tenant.example", "bounces@tenant.example"),
            ("SRS0=ab12=X7=example.org=prvs=4015abcdef=kim@fwd.example", "kim@example.org"),
            ("SRS0=ab12=X7=example.org=ticket-12@fwd.example", "ticket-#@example.org"),
        ] {
            assert_eq!(of(written, written), [name], "{written}");
        }
    }

    #[test]
    fn different_people_stay_different() {
        for people in [
            ["anna.berg@example.org", "bo.ek@example.org"],
            ["lisa1234@example.org", "kalle9876@example.org"],
            ["anna82@example.org", "anna91@example.org"],
            ["0701234567@example.org", "0707654321@example.org"],
            ["k4rl1nx9y8@example.org", "b3rt1lx9y8@example.org"],
            ["a1b2c3@example.org", "d4e5f6@example.org"],
            ["anna@example.org", "anna@example.net"],
            ["SRS0=a=b=example.org=kim@fwd.example", "SRS0=a=b=example.org=bo@fwd.example"],
            ["anna-lena@example.org", "anna-karin@example.org"],
            ["prvs=0123abcdef=anna@example.org", "prvs=0123abcdef=bo@example.org"],
        ] {
            let [one, other] = people.map(|person| of(person, person));
            assert_ne!(one, other, "{people:?}");
        }
    }

    #[test]
    fn the_author_counts_too() {
        for (sender, author, names) in [
            ("x7@crm.example", "support@crm.example", &["x7@crm.example", "support@crm.example"][..]),
            ("prvs=0123abcdef=kim@example.org", "kim@example.org", &["kim@example.org"]),
            // A service that writes for many: its own addresses vary, and say nothing of them.
            ("m-401@service.example", "kim@example.org", &["kim@example.org"]),
            ("m-402@service.example", "bo@example.net", &["bo@example.net"]),
            ("post@service.example", "kim@example.org", &["post@service.example", "kim@example.org"]),
        ] {
            assert_eq!(of(sender, author), names, "{sender} {author}");
        }
        assert_eq!(of("kim@example.org", ""), ["kim@example.org"]);
        assert_eq!(domain("kim@example.org"), Domain::new("example.org"));
    }

    #[test]
    fn no_address_is_too_odd() {
        for odd in [
            "=",
            "srs0=",
            "srs0====@x",
            "prvs=@x",
            "prvs==@x",
            "btv1==@x",
            "+@x",
            "+srs=@x",
            "-@x",
            "@",
            "--1--@x",
            "å=1/2@x",
        ] {
            if let Some(address) = Address::parse(odd) {
                assert!(!counted(&address, None).is_empty());
            }
        }
    }
}
