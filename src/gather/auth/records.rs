//! What domains publish, checked as it stands before the library reads it: the library takes the first of several records
//! that it can read, and passes over what it cannot.

/// The one SPF record among a domain's texts, in good grammar, its version in lower case.
pub(super) fn spf(texts: &[Vec<u8>]) -> Result<Vec<u8>, Wrong> {
    let mut records = texts.iter().filter(|text| {
        // RFC 7208 §4.5: the version is a term of its own.
        let (version, rest) = text.split_at_checked(b"v=spf1".len()).unwrap_or_default();
        version.eq_ignore_ascii_case(b"v=spf1") && (rest.is_empty() || rest.starts_with(b" "))
    });
    let record = records.next().ok_or(Wrong::NoRecord)?;
    if records.next().is_some() {
        return Err(Wrong::Broken);
    }
    let terms = std::str::from_utf8(record).ok().and_then(|record| record.get("v=spf1".len()..));
    let terms = terms.filter(|terms| are_terms(terms)).ok_or(Wrong::Broken)?;
    Ok(format!("v=spf1{terms}").into_bytes())
}

/// Why there is no record to go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// There is none.
    NoRecord,
    /// There are several, or what is there breaks the grammar.
    Broken,
}

/// Whether everything behind the version follows the grammar (RFC 7208 §12), and `redirect` and `exp` stand there once at the
/// most (§6).
fn are_terms(terms: &str) -> bool {
    let (mut redirects, mut explanations) = (0, 0);
    terms.split(' ').filter(|term| !term.is_empty()).all(|term| {
        let name = term.split(['=', ':', '/']).next().unwrap_or_default();
        if let Some(value) = term.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            let of = |modifier: &str| name.eq_ignore_ascii_case(modifier);
            redirects += u8::from(of("redirect"));
            explanations += u8::from(of("exp"));
            let known = of("redirect") || of("exp");
            return redirects <= 1
                && explanations <= 1
                && if known { is_domain_spec(value) } else { is_name(name) && is_macro_string(value) };
        }
        is_mechanism(term.strip_prefix(['+', '-', '?', '~']).unwrap_or(term))
    })
}

fn is_mechanism(term: &str) -> bool {
    let end = term.find([':', '/']).unwrap_or(term.len());
    let (name, rest) = term.split_at(end);
    let value = rest.strip_prefix(':');
    match &*name.to_ascii_lowercase() {
        "all" => rest.is_empty(),
        "include" | "exists" => value.is_some_and(is_domain_spec),
        "ptr" => rest.is_empty() || value.is_some_and(is_domain_spec),
        "a" | "mx" => {
            let spec = value.unwrap_or(rest);
            // A domain may have slashes among its macros; the lengths are what stands last.
            let (domain, lengths) = spec.split_at(lengths_at(spec));
            are_lengths(lengths) && if value.is_some() { is_domain_spec(domain) } else { domain.is_empty() }
        }
        "ip4" => value.is_some_and(|value| is_network::<std::net::Ipv4Addr>(value, 32)),
        "ip6" => value.is_some_and(|value| is_network::<std::net::Ipv6Addr>(value, 128)),
        _ => false,
    }
}

fn is_network<A: std::str::FromStr>(value: &str, longest: u8) -> bool {
    let (address, length) =
        value.split_once('/').map_or((value, None), |(address, rest)| (address, Some(rest)));
    address.parse::<A>().is_ok() && length.is_none_or(|length| is_length(length, longest))
}

/// Where `/24`, `//64` or `/24//64` begins.
fn lengths_at(spec: &str) -> usize {
    let tail = spec.trim_end_matches(|c: char| c.is_ascii_digit() || c == '/');
    let digits = spec.get(tail.len()..).unwrap_or_default();
    digits.find('/').map_or(spec.len(), |at| tail.len() + at)
}

fn are_lengths(text: &str) -> bool {
    let (four, six) = text.split_once("//").map_or((text, None), |(four, six)| (four, Some(six)));
    let four = four.is_empty() || four.strip_prefix('/').is_some_and(|length| is_length(length, 32));
    four && six.is_none_or(|length| is_length(length, 128))
}

fn is_length(text: &str, longest: u8) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits
        && (text == "0" || !text.starts_with('0'))
        && text.parse().is_ok_and(|length: u8| length <= longest)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// A domain that may have macros in it; what it ends with is a name of letters, or a macro.
fn is_domain_spec(text: &str) -> bool {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let top = bare.rsplit_once('.').map(|(_, top)| top).unwrap_or_default();
    let is_top = !top.is_empty()
        && top.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !top.starts_with('-')
        && !top.ends_with('-')
        && !top.bytes().all(|b| b.is_ascii_digit());
    // `c`, `r` and `t` are for explanations (RFC 7208 §7.2).
    is_macro_string(text)
        && macros(text).all(|letter| !"crt".contains(letter))
        && (is_top || text.ends_with('}'))
}

/// The letters of the macros.
fn macros(text: &str) -> impl Iterator<Item = char> {
    text.split("%{").skip(1).filter_map(|rest| rest.chars().next()).map(|letter| letter.to_ascii_lowercase())
}

fn is_macro_string(text: &str) -> bool {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        if !before.bytes().all(|b| b.is_ascii_graphic()) {
            return false;
        }
        rest = match after.chars().next() {
            Some('%' | '_' | '-') => after.get(1..).unwrap_or_default(),
            Some('{') => match after.get(1..).and_then(|inner| inner.split_once('}')) {
                Some((inner, behind)) if is_macro(inner) => behind,
                Some(_) | None => return false,
            },
            Some(_) | None => return false,
        };
    }
    rest.bytes().all(|b| b.is_ascii_graphic())
}

fn is_macro(inner: &str) -> bool {
    let Some(rest) = inner.strip_prefix(|c: char| "slodiphcrtv".contains(c.to_ascii_lowercase())) else {
        return false;
    };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = rest.strip_prefix(['r', 'R']).unwrap_or(rest);
    rest.chars().all(|c| ".-+,/_=".contains(c))
}

/// The one DMARC record among the texts, with nothing in it but what is valid and decides anything (RFC 9989 §4.7, §4.10).
/// Several, or one without a policy and without an address for reports, are none.
pub(super) fn dmarc(texts: &[Vec<u8>]) -> Result<Vec<u8>, Wrong> {
    let mut records = texts.iter().filter_map(|text| tags(text));
    let record = records.next().ok_or(Wrong::NoRecord)?;
    if records.next().is_some() {
        return Err(Wrong::NoRecord);
    }
    let mut seen: Vec<&str> = Vec::with_capacity(record.len());
    for (name, _) in &record {
        // RFC 6376 §3.2: a tag that stands there twice spoils the list.
        if seen.contains(&&**name) {
            return Err(Wrong::NoRecord);
        }
        seen.push(name);
    }
    let value =
        |name: &str| record.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.to_ascii_lowercase());
    let valid = |name: &str, words: &[&str]| value(name).filter(|value| words.contains(&&**value));
    let policies = ["none", "quarantine", "reject"];
    let broken = |name: &str| value(name).is_some() && valid(name, &policies).is_none();
    let usable = valid("p", &policies).is_some() && !broken("sp") && !broken("np");
    let reports = || value("rua").is_some_and(|uris| uris.split(',').any(is_report_uri));
    let mut clean = "v=DMARC1".to_owned();
    let mut push = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            clean.extend(["; ", name, "=", &value]);
        }
    };
    if usable {
        for name in ["p", "sp", "np"] {
            push(name, value(name));
        }
    } else if reports() {
        push("p", Some("none".to_owned()));
    } else {
        return Err(Wrong::NoRecord);
    }
    for name in ["adkim", "aspf"] {
        push(name, valid(name, &["r", "s"]));
    }
    push("psd", valid("psd", &["y", "n", "u"]));
    push("t", valid("t", &["y", "n"]));
    Ok(clean.into_bytes())
}

/// The tags of a text that begins as a DMARC record does, each with its name in lower case.
fn tags(text: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(text).ok()?;
    let tag = |tag: &str| {
        let (name, value) = tag.split_once('=')?;
        Some((name.trim_ascii().to_ascii_lowercase(), value.trim_ascii().to_owned()))
    };
    let mut all = text.split(';');
    let (name, value) = tag(all.next()?)?;
    (name == "v" && value == "DMARC1").then(|| all.filter_map(tag).collect())
}

fn is_report_uri(uri: &str) -> bool {
    uri.trim_ascii().split_once(':').is_some_and(|(scheme, rest)| match scheme {
        "mailto" => rest.split_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty()),
        scheme => is_name(scheme) && !rest.is_empty(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: &[&str]) -> Vec<Vec<u8>> {
        all.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    #[test]
    fn spf_records_in_good_grammar() {
        for record in [
            "v=spf1",
            "V=SPF1 -all",
            "v=spf1   ",
            "v=spf1 a mx ptr -all",
            "v=spf1 +a ?mx ~ptr:example.org -ALL",
            "v=spf1 a:example.org/24 mx/24//64 a//64 mx:example.org//0 ~all",
            "v=spf1 ip4:192.0.2.1 ip4:192.0.2.0/24 ip4:0.0.0.0/0 ip6:2001:db8::1 ip6:2001:db8::/32 ip6:::/0 -all",
            "v=spf1 ip6:::ffff:192.0.2.1/128 -all",
            "v=spf1 include:_spf.example.org redirect=example.net",
            "v=spf1 exists:%{ir}.%{v}._spf.%{d2} include:%{i}._ip.%{h}._ehlo.%{d}._spf.example.org ~all",
            "v=spf1 exists:%{l1r+-}._spf.%{d} exp=explain.%{d} redirect=example.org. -all",
            "v=spf1 a:a%%b%_c%-d.example.org a:%{d}/24 -all",
            "v=spf1 foo=bar x-y.z_1=%{s} ip4:192.0.2.10 -all",
            "v=spf1 foo= a:xn--malm-8qa.example.xn--p1ai -all",
            "v=spf1 a:example.o-r-g -all",
        ] {
            let same = record.replace("V=SPF1", "v=spf1").into_bytes();
            assert_eq!(spf(&texts(&[record])), Ok(same), "{record}");
        }
    }

    #[test]
    fn spf_records_with_any_error_are_broken() {
        for terms in [
            "ipv4:192.0.2.10 -all",
            "ip4:192.0.2.0/33 -all",
            "ip4:192.0.2.0/024",
            "ip4:192.0.2.0/",
            "ip4:192.0.2",
            "ip4:192.0.2.256",
            "ip4:192.0.02.1",
            "ip4 192.0.2.1",
            "ip4: 192.0.2.1",
            "ip6:2001:db8::/129",
            "ip6:192.0.2.1",
            "ip6:2001:db8:::1",
            "all. -all",
            "-all:example.org",
            "-all/8",
            "--all",
            "-redirect=example.org",
            "-",
            "include",
            "include:",
            "include:localhost",
            "include:example.123",
            "include:-.example.-",
            "include: example.org",
            "exists",
            "exists:example.org/24 ",
            "incude:example.org",
            "a:example.org/33",
            "a:example.org//129",
            "a:example.org/24/64",
            "a:",
            "mx:/24",
            "a/",
            "mx//",
            "ptr:",
            "a:%{x}.example.org",
            "a:%{d",
            "a:%d.example.org",
            "exists:%{c}.example.org",
            "redirect=",
            "redirect=example.org redirect=example.net",
            "exp=a.example exp=b.example",
            "redirect:example.org",
            "1x=y",
            "a\tmx -all",
            "a\u{a0}mx -all",
            "ip4:192.0.2.1; -all",
            "ip4:192.0.2.1, ip4:192.0.2.2",
            "\"ip4:192.0.2.1\" -all",
            "all mx:example.org:25",
        ] {
            let record = format!("v=spf1 {terms}");
            assert_eq!(spf(&texts(&[&record])), Err(Wrong::Broken), "{terms}");
        }
    }

    #[test]
    fn spf_records_are_told_from_other_texts_and_counted() {
        let good = "v=spf1 -all";
        assert_eq!(spf(&[]), Err(Wrong::NoRecord));
        for other in [
            "google-site-verification=abc",
            "v=spf10 -all",
            "v=spf2.0/pra -all",
            "v=spf1-all",
            " v=spf1 -all",
            "",
        ] {
            assert_eq!(spf(&texts(&[other])), Err(Wrong::NoRecord), "{other}");
            assert_eq!(spf(&texts(&[other, good])), Ok(good.into()), "{other}");
        }
        assert_eq!(spf(&texts(&[good, good])), Err(Wrong::Broken));
        assert_eq!(spf(&texts(&["v=spf1 bad", good])), Err(Wrong::Broken));
    }

    #[test]
    fn dmarc_records_are_read_as_far_as_they_are_valid() {
        for (record, expected) in [
            ("v=DMARC1; p=reject", Some("v=DMARC1; p=reject")),
            ("v=DMARC1;p=REJECT;", Some("v=DMARC1; p=reject")),
            ("V = DMARC1 ; P = Quarantine ; sp=none", Some("v=DMARC1; p=quarantine; sp=none")),
            (
                "v=DMARC1; sp=none; p=reject; adkim=s; aspf=x; pct=none; fo=9",
                Some("v=DMARC1; p=reject; sp=none; adkim=s"),
            ),
            (
                "v=DMARC1; p=reject; np=quarantine; psd=n; t=y",
                Some("v=DMARC1; p=reject; np=quarantine; psd=n; t=y"),
            ),
            ("v=DMARC1; p=reject; rua=nobody; what is this", Some("v=DMARC1; p=reject")),
            ("v=DMARC1; p=foo; rua=mailto:r@example.org", Some("v=DMARC1; p=none")),
            ("v=DMARC1; p=reject; sp=foo; rua=mailto:r@example.org!10m", Some("v=DMARC1; p=none")),
            ("v=DMARC1; rua=https://example.org/r", Some("v=DMARC1; p=none")),
            ("v=DMARC1; p=foo", None),
            ("v=DMARC1; p=reject; np=", None),
            ("v=DMARC1; p=foo; rua=r@example.org", None),
            ("v=DMARC1", None),
            ("v=dmarc1; p=reject", None),
            ("v=DMARC1 p=reject", None),
            ("v=DMARC2; p=reject", None),
            ("p=reject; v=DMARC1", None),
            ("v=DMARC1; p=none; p=reject", None),
            ("dmarc=reject", None),
            ("", None),
        ] {
            let found = dmarc(&texts(&[record])).ok().map(|record| String::from_utf8(record).unwrap());
            assert_eq!(found.as_deref(), expected, "{record}");
        }
        let good = "v=DMARC1; p=reject";
        assert!(dmarc(&texts(&[good, "google-site-verification=abc"])).is_ok());
        assert!(dmarc(&texts(&["v=dmarc1; p=none", good])).is_ok());
        assert_eq!(dmarc(&texts(&[good, "v=DMARC1; p=none"])), Err(Wrong::NoRecord));
    }
}
