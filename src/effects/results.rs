//! Authentication-Results (RFC 8601): ours is written, and what claims to be ours and is not is recognised.

#![deny(clippy::disallowed_methods)]

use std::fmt::Write as _;

use crate::address::Domain;
use crate::facts::authentication::{Authentication, Outcome, Spf, SpfIdentity};
use crate::facts::{Fact, Facts, Field};
use crate::limits;
use crate::mime::tokens::{self, Token};

/// The field's name.
pub(super) const NAME: &str = "Authentication-Results";

/// What the field says; nothing where nothing was checked. Signatures that no longer fit on its line are left out,
/// whole.
pub(super) fn value(facts: &Facts) -> Option<String> {
    let id = &facts.organisation.authserv_id;
    let found = match &facts.authentication {
        Fact::Known(found) => found,
        Fact::Unavailable(cause) => {
            let reason = format!("temperror reason=\"{}\"", cause.as_str());
            return Some(format!("{id}; spf={reason}; dkim={reason}; dmarc={reason}"));
        }
        Fact::NotGathered => return None,
    };
    let mut value = id.clone();
    for result in results(found) {
        if value.len() + 2 + result.len() <= limits::HEADER_VALUE_OCTETS {
            // Writing into a String does not fail.
            let _ = write!(value, "; {result}");
        }
    }
    Some(value)
}

/// One word for each method, for the log; nothing where nothing was checked.
pub(super) fn summary(found: &Fact<Authentication>) -> String {
    let found = match found {
        Fact::Known(found) => found,
        Fact::Unavailable(_) => return "spf=temperror dkim=temperror dmarc=temperror".to_owned(),
        Fact::NotGathered => return String::new(),
    };
    let mut signatures = found.dkim.iter().map(|dkim| dkim.result);
    let first = signatures.next().unwrap_or(Outcome::None);
    let dkim =
        std::iter::once(first).chain(signatures).find(|result| *result == Outcome::Pass).unwrap_or(first);
    format!("spf={} dkim={dkim} dmarc={}", found.spf.result, found.dmarc.result)
}

/// Each method's result, the most telling first.
fn results(found: &Authentication) -> Vec<String> {
    let mut all = vec![spf(&found.spf)];
    // Most names of hosts have no record of their own, which is nothing to tell of.
    all.extend(found.helo.iter().filter(|helo| helo.result != Outcome::None).map(spf));
    let author = found.dmarc.domain.as_ref().map_or("", Domain::as_str);
    let policy = found.dmarc.policy.as_str();
    let from = property("header.from", author);
    all.push(format!("dmarc={} policy.dmarc={policy}{from}", found.dmarc.result));
    let sealer = property("policy.sealer", found.arc.vouched_by.as_ref().map_or("", Domain::as_str));
    all.push(format!("arc={}{sealer}", found.arc.result));
    if found.dkim.is_empty() {
        all.push("dkim=none".to_owned());
    }
    all.extend(found.dkim.iter().map(|dkim| {
        let domain = property("header.d", dkim.domain.as_ref().map_or("", Domain::as_str));
        format!("dkim={}{domain}{}", dkim.result, property("header.s", &dkim.selector))
    }));
    if found.left_out > 0 {
        // RFC 8601 §2.7.1: signed, and not in a way that is acceptable here.
        all.push(format!("dkim=policy reason=\"not looked at: {}\"", found.left_out));
    }
    all
}

fn spf(Spf { result, identity, domain, .. }: &Spf) -> String {
    let identity = match identity {
        SpfIdentity::Helo => "smtp.helo",
        SpfIdentity::MailFrom => "smtp.mailfrom",
    };
    format!("spf={result}{}", property(identity, domain.as_str()))
}

/// ` name=value`, the value quoted where it is not a token (RFC 2045 §5.1); nothing without a value.
fn property(name: &str, value: &str) -> String {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"-._+".contains(&b);
    if value.is_empty() {
        String::new()
    } else if value.bytes().all(token) {
        format!(" {name}={value}")
    } else {
        let plain = |c: &char| (' '..='~').contains(c) && !matches!(c, '"' | '\\');
        format!(" {name}=\"{}\"", value.chars().filter(plain).collect::<String>())
    }
}

/// Whether a field from outside has our authserv-id or none: then it is removed. What others say in
/// their own names stays, and so does everything that ARC seals.
pub(super) fn is_forged(field: &Field, own: &str) -> bool {
    let is = |name: &str| field.name.eq_ignore_ascii_case(name);
    if is(NAME) || is("X-Authentication-Results") {
        return authserv_id(&field.value).is_none_or(|id| is_own(&id, own));
    }
    is("Received-SPF") && receiver(&field.value).is_none_or(|id| is_own(&id, own))
}

/// Whether the name is ours: in any case, with or without the root's dot, with a job's number behind it.
fn is_own(id: &str, own: &str) -> bool {
    let host = id.split('/').next().unwrap_or(id);
    Domain::new(host) == Domain::new(own)
}

/// The authserv-id of Authentication-Results (RFC 8601 §2.2), unquoted; `None` if it is missing.
fn authserv_id(value: &str) -> Option<String> {
    let tokens = tokens::all(value);
    let mut tokens = tokens.iter().filter(|token| !matches!(token, Token::Blank | Token::Comment(_)));
    let id = word(tokens.next()?)?;
    match tokens.next() {
        Some(Token::Word(version)) if version.bytes().all(|b| b.is_ascii_digit()) => {
            tokens.next().is_none_or(|end| *end == Token::Mark(';')).then_some(id)
        }
        end => end.is_none_or(|end| *end == Token::Mark(';')).then_some(id),
    }
}

/// Who received it, as Received-SPF says (RFC 7208 §9.1): by `receiver=`, else at the beginning of the comment.
fn receiver(value: &str) -> Option<String> {
    let lower = value.to_ascii_lowercase();
    if let Some((_, rest)) = lower.split_once("receiver=") {
        return word(tokens::all(rest).first()?);
    }
    let comment = lower.split_once('(')?.1;
    let (host, _) = comment.split_once(':')?;
    word(tokens::all(host.trim()).first()?)
}

/// What a token (RFC 2045 §5.1) or a quoted string says.
fn word(token: &Token<'_>) -> Option<String> {
    match token {
        Token::Word(word) if word.is_ascii() && !word.contains(['[', ']', '?', '=', '\\']) => {
            Some((*word).to_owned())
        }
        Token::Quoted(quoted) => Some(tokens::unquoted(quoted).trim().to_owned()).filter(|id| !id.is_empty()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forged(name: &str, value: &str) -> bool {
        is_forged(&Field { name: name.into(), value: value.into() }, "mx.exempelby.se")
    }

    #[test]
    fn what_is_said_in_our_name_is_forged() {
        for value in [
            "mx.exempelby.se; spf=pass",
            "MX.Exempelby.SE; spf=pass",
            "mx.exempelby.se.; spf=pass",
            "mx.exempelby.se",
            "mx.exempelby.se 1; spf=pass",
            "mx.exempelby.se/4711; spf=pass",
            "(a (nested) comment) mx.exempelby.se (\\) another); spf=pass",
            "\"mx.exempelby.se\"; spf=pass",
            "\"mx.\\exempelby.se\" 1; none",
            "(a \\( b) \"mx.exempelby.se\" (c) 1 (d); none",
        ] {
            assert!(forged("Authentication-Results", value), "{value}");
            assert!(forged("x-authentication-RESULTS", value), "{value}");
        }
    }

    #[test]
    fn what_nobody_says_is_forged() {
        for value in [
            "",
            ";",
            "; spf=pass",
            "(open mx.example.org; spf=pass",
            "\"open",
            ") mx.example.org; spf=pass",
            "mx.example.org (open; spf=pass",
            "mx.example.org 1 2; spf=pass",
            "spf=pass; dkim=pass",
            "a b; c",
        ] {
            assert!(forged("Authentication-Results", value), "{value}");
        }
    }

    #[test]
    fn what_others_say_in_their_own_name_stays() {
        assert!(!forged("Authentication-Results", "mx.example.org; spf=pass smtp.mailfrom=example.org"));
        assert!(!forged("Authentication-Results", "mx.exempelby.se.example.org 1; none"));
        assert!(!forged("ARC-Authentication-Results", "i=1; mx.exempelby.se; spf=pass"));
        assert!(!forged("Subject", "mx.exempelby.se; spf=pass"));
    }

    #[test]
    fn received_spf_follows_the_same_rule() {
        assert!(forged(
            "Received-SPF",
            "pass (mx.exempelby.se: domain of a@b designates) client-ip=192.0.2.1;"
        ));
        assert!(forged("Received-SPF", "pass receiver=MX.exempelby.se; client-ip=192.0.2.1"));
        assert!(forged("Received-SPF", "pass"));
        assert!(!forged("Received-SPF", "pass (mx.example.org: domain of a@b) receiver=mx.example.org;"));
    }

    #[test]
    fn the_log_has_one_word_for_each_method() {
        let signature = |result| crate::facts::authentication::Dkim {
            result,
            domain: None,
            selector: String::new(),
            aligned: false,
        };
        let said = |results: &[Outcome]| {
            let spf = Spf {
                result: Outcome::SoftFail,
                identity: SpfIdentity::MailFrom,
                domain: Domain::new("example.org"),
                aligned: true,
            };
            summary(&Fact::Known(Authentication {
                spf,
                helo: None,
                dkim: results.iter().copied().map(signature).collect(),
                left_out: 0,
                dmarc: crate::facts::authentication::Dmarc {
                    result: Outcome::None,
                    policy: crate::facts::authentication::Policy::default(),
                    domain: None,
                },
                shown: Vec::new(),
                arc: crate::facts::authentication::Chain::default(),
            }))
        };
        assert_eq!(said(&[]), "spf=softfail dkim=none dmarc=none");
        assert_eq!(
            said(&[Outcome::Fail, Outcome::Pass]),
            "spf=softfail dkim=pass dmarc=none",
            "one is enough"
        );
        assert_eq!(said(&[Outcome::TempError, Outcome::Fail]), "spf=softfail dkim=temperror dmarc=none");
        assert_eq!(summary(&Fact::NotGathered), "");
        assert!(summary(&Fact::Unavailable(crate::facts::Cause::Dns)).contains("dmarc=temperror"));
    }

    #[test]
    fn odd_values_are_quoted() {
        assert_eq!(property("header.d", "example.org"), " header.d=example.org");
        assert_eq!(property("header.d", "a;\"b\u{e5}"), " header.d=\"a;b\"");
        assert_eq!(property("header.d", ""), "");
    }
}
