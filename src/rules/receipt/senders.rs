//! Which senders get no receipt, by address: the null sender, ourselves, and programs (RFC 5230 §4.6).

#![deny(clippy::disallowed_methods)]

use crate::address::Address;
use crate::facts::Facts;
use crate::notice;

use super::Suppression;

/// Local parts of programs. A postmaster may be a person, and then one who can do without a receipt.
const PROGRAMS: [&str; 16] = [
    "abuse",
    "anonymous",
    "autoreply",
    "autosvar",
    "bounce",
    "bounces",
    "daemon",
    "listproc",
    "listserv",
    "mailer",
    "mailer-daemon",
    "mailman",
    "majordomo",
    "nobody",
    "postmaster",
    "root",
];

/// Said in many ways, with and without dots, dashes and lines between; in Swedish too.
const NO_REPLY: [&str; 8] =
    ["noreply", "donotreply", "dontreply", "neverreply", "nepasrepondre", "svaraej", "svarainte", "ejsvar"];

/// Why the mail's sender is not answered.
pub(super) fn suppression(facts: &Facts) -> Option<Suppression> {
    let Some(sender) = facts.sender.address() else { return Some(Suppression::NullSender) };
    if !can_be_written_to(sender) {
        return Some(Suppression::OddSender);
    }
    let header = &facts.header;
    let people = || std::iter::once(sender).chain(&header.from).chain(&header.sender);
    if people().any(|address| facts.owns(address)) {
        return Some(Suppression::OwnAddress);
    }
    people().chain(&header.reply_to).any(|address| is_program(address.local())).then_some(Suppression::Daemon)
}

/// Whether the address can stand in RCPT and in To as it is: it has a domain, and nothing in it ends the path.
fn can_be_written_to(address: &Address) -> bool {
    let odd = |c: char| {
        c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\\' | ',' | ';' | '(' | ')')
    };
    address.domain().is_some_and(|domain| !domain.as_str().is_empty())
        && !address.as_str().contains(odd)
        && address.as_str().matches('@').count() == 1
        && address.as_str().len() <= notice::ADDRESS_OCTETS
}

/// Whether the local part is a program's.
fn is_program(local: &str) -> bool {
    let local = local.to_lowercase();
    // prvs=1234abcdef=anna is anna (BATV).
    let local = match local.strip_prefix("prvs=").and_then(|rest| rest.split_once('=')) {
        Some((_, local)) => local,
        None => &local,
    };
    // bounces+123-anna=example.org is a mailbox of `bounces`.
    let base = local.split('+').next().unwrap_or(local);
    let plain: String = base.chars().filter(|c| !matches!(c, '-' | '_' | '.')).collect();
    PROGRAMS.contains(&base)
        || NO_REPLY.iter().any(|word| plain.starts_with(word))
        || ["owner-", "bounce-", "bounces-", "mailer-daemon-"].iter().any(|begin| base.starts_with(begin))
        || ["-request", "-owner", "-bounces", "-noreply", "-no-reply", ".noreply", "_noreply"]
            .iter()
            .any(|end| base.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_their_names_and_people_are_not_taken_for_them() {
        for program in [
            "MAILER-DAEMON",
            "postmaster",
            "Postmaster",
            "listserv",
            "majordomo",
            "nyheter-request",
            "owner-nyheter",
            "nyheter-owner",
            "noreply",
            "no-reply",
            "No_Reply",
            "no.reply",
            "noreply-konto",
            "do-not-reply",
            "DoNotReply",
            "ingen-noreply",
            "svara-ej",
            "svara_inte",
            "bounces+123-anna=example.org",
            "bounce-77",
            "prvs=0123abcdef=noreply",
            "root",
            "abuse",
            "mailman",
            "nyheter-bounces",
        ] {
            assert!(is_program(program), "{program}");
        }
        for person in [
            "anna",
            "fault-requests",
            "requests",
            "owner",
            "request",
            "rooth",
            "norelius",
            "daemonia",
            "abusewski",
            "post.mastersson",
            "prvs=0123abcdef=anna",
            "anna+noreply",
            "bouncer",
            "mailerdaemonfan",
            "maildaemon",
        ] {
            assert!(!is_program(person), "{person}");
        }
    }

    #[test]
    fn an_address_that_could_end_a_line_is_not_written_to() {
        for (text, can) in [
            ("x@example.org", true),
            ("år@example.org", true),
            ("o'brien+a=b@example.org", true),
            ("postmaster", false),
            ("\"a b\"@example.org", false),
            ("a@b@example.org", false),
            ("x@example.org>\r\nRCPT TO:<y@example.org", false),
            ("x\u{0}@example.org", false),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(can_be_written_to(&address), can, "{text}");
        }
    }
}
