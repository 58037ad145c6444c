//! Values become meanings: text, words from a menu, days, sizes, addresses. Each parser says what is wrong
//! and what would be right.

#![deny(clippy::disallowed_methods)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use jiff::civil::Date;

use super::problem::Fault;
use super::{Kind, Value};
use crate::address::Address;
use crate::limits;

/// Text of one line, not empty.
pub fn text(value: &Value) -> Result<&str, Fault> {
    let Kind::Text(text) = &value.kind else {
        return Err(Fault::new(format!("is {}, not text", value.kind.word()), "write it in quotes"));
    };
    if text.trim().is_empty() {
        return Err(Fault::new("is empty", "write a value, or remove the key if it is optional"));
    }
    if text.chars().any(char::is_control) {
        return Err(Fault::new(
            format!("{} contains a control character", shown(text)),
            "write one line of plain text",
        ));
    }
    Ok(text)
}

/// An absolute path: what the program finds must not depend on where it is started.
pub fn absolute(value: &Value) -> Result<PathBuf, Fault> {
    let given = text(value)?;
    if given.starts_with('/') {
        return Ok(PathBuf::from(given));
    }
    let problem = format!("{} is a relative path", shown(given));
    Err(Fault::new(problem, "write an absolute path, such as \"/var/lib/postvakt\""))
}

/// One of `all`, by its word.
pub fn one_of<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> impl Fn(&Value) -> Result<T, Fault> {
    move |value| {
        let given = text(value)?;
        all.iter().copied().find(|item| word(*item) == given).ok_or_else(|| {
            let words: Vec<&str> = all.iter().map(|item| word(*item)).collect();
            let right = match nearest(given, words.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"? Expected one of: {}", words.join(", ")),
                None => format!("expected one of: {}", words.join(", ")),
            };
            Fault::new(format!("invalid value {}", shown(given)), right)
        })
    }
}

/// `true` or `false`.
pub fn flag(value: &Value) -> Result<bool, Fault> {
    match &value.kind {
        Kind::Flag(flag) => Ok(*flag),
        Kind::Text(_) | Kind::Date(_) | Kind::List(_) | Kind::Table(_) | Kind::Number(_) | Kind::Other(_) => {
            let problem = format!("is {}, not true or false", value.kind.word());
            Err(Fault::new(problem, "write true or false, without quotes"))
        }
    }
}

/// A day.
pub fn date(value: &Value) -> Result<Date, Fault> {
    let right = "write a day without quotes, such as 2027-06-30";
    match &value.kind {
        Kind::Date(date) => Ok(*date),
        Kind::Text(text) => Err(Fault::new(format!("{} is text, not a date", shown(text)), right)),
        Kind::Flag(_) | Kind::List(_) | Kind::Table(_) | Kind::Number(_) | Kind::Other(_) => {
            Err(Fault::new(format!("is {}, not a date", value.kind.word()), right))
        }
    }
}

/// A number of octets with its unit: `10 MB`, `512 KiB`.
pub fn size(value: &Value) -> Result<u64, Fault> {
    if !matches!(value.kind, Kind::Text(_)) {
        return Err(Fault::new(format!("is {}, not a size with a unit", value.kind.word()), SIZE));
    }
    let given = text(value)?;
    size_of(given).ok_or_else(|| Fault::new(format!("{} is not a size", shown(given)), SIZE))
}

/// How a size is written.
pub const SIZE: &str = "write a number and a unit (B, kB, MB, GB, KiB, MiB, GiB), such as \"10 MB\"";

/// The octets that the text says.
pub fn size_of(given: &str) -> Option<u64> {
    let digits = given.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match given.get(digits.len()..).unwrap_or_default().trim() {
        "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// A time span with its unit: `30 s`, `5 min`, `2 h`, `3 d`, `2 y`; at least a second.
pub fn duration(value: &Value) -> Result<Duration, Fault> {
    span(value, 1)
}

/// Seconds of a day.
const DAY: u64 = 86_400;

/// A time span of at least so many seconds.
fn span(value: &Value, least: u64) -> Result<Duration, Fault> {
    let right = "write a number and a unit (s, min, h, d, mo, y), such as \"30 s\"";
    if !matches!(value.kind, Kind::Text(_)) {
        return Err(Fault::new(format!("is {}, not a time span with a unit", value.kind.word()), right));
    }
    let given = text(value)?;
    let wrong = || Fault::new(format!("{} is not a time span", shown(given)), right);
    let digits = given.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number = digits.parse::<u64>().map_err(|_| wrong())?;
    let seconds = match given.get(digits.len()..).unwrap_or_default().trim() {
        "s" => Some(number),
        "min" => number.checked_mul(60),
        "h" => number.checked_mul(3_600),
        "d" => number.checked_mul(DAY),
        // Rounded up to whole days, so that nothing that is to be kept for months or years is deleted a day too early.
        "mo" => number.checked_mul(1_461).and_then(|parts| parts.div_ceil(48).checked_mul(DAY)),
        "y" => number.checked_mul(1_461).and_then(|quarters| quarters.div_ceil(4).checked_mul(DAY)),
        _ => return Err(wrong()),
    };
    seconds.filter(|seconds| *seconds >= least).map(Duration::from_secs).ok_or_else(wrong)
}

/// A time span that is at most this long.
pub fn duration_up_to(most: Duration) -> impl Fn(&Value) -> Result<Duration, Fault> {
    span_up_to(1, most)
}

/// The same, or none at all: `0 d`.
pub fn duration_or_none_up_to(most: Duration) -> impl Fn(&Value) -> Result<Duration, Fault> {
    span_up_to(0, most)
}

fn span_up_to(least: u64, most: Duration) -> impl Fn(&Value) -> Result<Duration, Fault> {
    move |value| {
        let given = span(value, least)?;
        if given <= most {
            return Ok(given);
        }
        let most = most.as_secs();
        Err(Fault::new(
            format!("{} s exceeds the maximum of {most} s", given.as_secs()),
            format!("write at most \"{most} s\""),
        ))
    }
}

/// A whole number from `least` to `most`.
pub fn number(least: u32, most: u32) -> impl Fn(&Value) -> Result<u32, Fault> {
    move |value| {
        let right = format!("write a number from {least} to {most}, without quotes");
        let Kind::Number(number) = value.kind else {
            return Err(Fault::new(format!("is {}, not a whole number", value.kind.word()), right));
        };
        let fits = u32::try_from(number).ok().filter(|number| (least..=most).contains(number));
        fits.ok_or_else(|| Fault::new(format!("{number} is out of range"), right))
    }
}

/// A network, as address/length.
pub fn network(value: &Value) -> Result<IpNet, Fault> {
    let given = text(value)?;
    let shown = shown(given);
    if let Ok(address) = given.parse::<IpAddr>() {
        return Err(Fault::new(
            format!("{shown} is an address, not a network"),
            format!("write {}", IpNet::from(address)),
        ));
    }
    match given.parse::<IpNet>() {
        Ok(network) if network.addr() == network.network() => Ok(network),
        Ok(network) => Err(Fault::new(
            format!("{shown} is an address, not a network"),
            format!(
                "write {} for the network, or {} for the address",
                network.trunc(),
                IpNet::from(network.addr())
            ),
        )),
        Err(_) => Err(Fault::new(
            format!("{shown} is not a network"),
            "write address/length, such as 10.0.0.0/8 or 2001:db8::/32",
        )),
    }
}

/// A mailbox with its domain.
pub fn address(value: &Value) -> Result<Address, Fault> {
    mailbox(text(value)?, false)
}

/// A mailbox with its domain, where `@domain` stands for all of a domain.
pub fn address_beside_domain(value: &Value) -> Result<Address, Fault> {
    mailbox(text(value)?, true)
}

/// A mailbox with its domain, as it stands in a value or on a line of a file. The flag says whether `@domain` may stand
/// there too.
pub fn mailbox(given: &str, domain_may_stand_alone: bool) -> Result<Address, Fault> {
    if let Some((local, domain)) = given.rsplit_once('@')
        && local.contains('*')
    {
        let right = if domain_may_stand_alone {
            format!("write \"@{domain}\" for every mailbox of the domain, or name each mailbox")
        } else {
            "name each mailbox".to_owned()
        };
        return Err(Fault::new(format!("{} has a wildcard, which would match nothing", shown(given)), right));
    }
    let right = "write it as anna@exempelby.se";
    let wrong = || Fault::new(format!("{} is not a mail address", shown(given)), right);
    if given.contains(char::is_whitespace) || given.contains(['<', '>', ',', ';']) || given.starts_with('@') {
        return Err(wrong());
    }
    Address::parse(given)
        .filter(|address| address.domain().is_some_and(|d| is_domain(d.as_str())))
        .ok_or_else(wrong)
}

/// What is said about a network that has every address, where that would be trust in everybody.
pub fn whole_internet(network: &IpNet, so: &str, right: &str) -> Option<Fault> {
    (network.prefix_len() == 0)
        .then(|| Fault::new(format!("{network} is the whole internet, so {so}"), right))
}

/// Whether the name, in ASCII, can be that of a mail domain (RFC 1035 §2.3.1; underscores are seen and allowed).
pub fn is_domain(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// `IP:port`; `localhost` is 127.0.0.1, and no other name is looked up. `example` is one that fits the key.
pub fn socket(value: &Value, example: &str) -> Result<SocketAddr, Fault> {
    let given = text(value)?;
    socket_address(given).map_err(|problem| {
        let right = format!("write an IP address and a port, such as {example}");
        Fault::new(format!("{} {problem}", shown(given)), right)
    })
}

/// The address that `host:port` names; the error says what is wrong with it.
pub fn socket_address(given: &str) -> Result<SocketAddr, &'static str> {
    if let Ok(address) = given.parse() {
        return Ok(address);
    }
    match given.rsplit_once(':') {
        Some(("localhost", port)) => match port.parse() {
            Ok(port) => Ok((Ipv4Addr::LOCALHOST, port).into()),
            Err(_) => Err("has no port from 1 to 65535"),
        },
        Some((host, _)) if host.contains(':') && !host.starts_with('[') => Err("is IPv6 without brackets"),
        Some((host, _)) if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() => {
            Err("has no port from 1 to 65535")
        }
        Some(_) => Err("has a host name, which Postvakt does not resolve"),
        None => Err("has no port"),
    }
}

/// A value as a message shows it: quoted, on one line, cut.
pub fn shown(given: &str) -> String {
    let cut = crate::text::truncate(given, limits::CONFIG_SHOWN_OCTETS);
    let dots = if cut.len() < given.len() { "…" } else { "" };
    let plain: String = cut.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
    format!("\"{plain}{dots}\"")
}

/// A key as a message shows it: as it is where TOML needs no quotes, else quoted.
pub fn shown_key(key: &str) -> String {
    let bare = !key.is_empty()
        && key.len() <= limits::CONFIG_SHOWN_OCTETS
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if bare { key.to_owned() } else { shown(key) }
}

/// The word that was meant, if one is near.
pub fn nearest<'w>(given: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    if given.len() > limits::CONFIG_SHOWN_OCTETS {
        return None;
    }
    let simple = |word: &str| word.to_lowercase().replace('_', "-");
    let given = simple(given);
    let far = given.chars().count() / 3 + 1;
    // A beginning of the right word is near it, however long the rest.
    let distance = |word: &str| match simple(word) {
        word if given.len() > 3 && word.starts_with(&given) => 0,
        word => strsim::damerau_levenshtein(&given, &word),
    };
    words
        .into_iter()
        .map(|word| (distance(word), word))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}
