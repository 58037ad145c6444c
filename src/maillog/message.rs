//! What a program of Postfix's says, behind its name.

#![deny(clippy::disallowed_methods)]

use super::{Delivery, Event, Line, Read, Status, Tls, Told, Trust};
use crate::limits;
use crate::text::truncate;

/// Programs that deliver, and whether they do so over the network.
const DELIVERING: [(&str, bool); 9] = [
    ("smtp", true),
    ("lmtp", true),
    ("local", false),
    ("virtual", false),
    ("pipe", false),
    ("error", false),
    ("retry", false),
    ("discard", false),
    ("tlsproxy", true),
];

/// Reads what the program `name` (`postfix/smtp`, `postfix-out/relay/smtp`) says.
pub(super) fn read<'a>(at: i64, name: &'a str, pid: u32, text: &'a str) -> Read<'a> {
    let Some((instance, _)) = name.split_once('/') else { return Read::Other(at) };
    let program = name.rsplit('/').next().unwrap_or_default();
    let told = |told| Read::Told(Line { at, instance, pid, told });
    let over_network = DELIVERING.iter().find_map(|(known, network)| (*known == program).then_some(*network));
    let (id, rest) = match text.split_once(": ") {
        Some((id, rest)) if is_queue_id(id) => (id, rest),
        _ => {
            let tls = over_network.filter(|network| *network).and_then(|_| tls(text));
            return tls.map_or(Read::Other(at), |tls| told(Told::Tls(tls)));
        }
    };
    let event = match (program, over_network) {
        (_, Some(over_network)) if rest.starts_with("to=<") => match delivery(rest, over_network) {
            Some(delivery) => Some(Event::Delivery(Box::new(delivery))),
            None => return Read::Unclear(at),
        },
        ("smtpd", _) if rest.starts_with("client=") => Some(Event::Begun),
        ("pickup", _) if rest.starts_with("uid=") => Some(pickup(rest)),
        ("cleanup", _) => cleanup(rest),
        ("qmgr" | "nqmgr", _) => qmgr(rest),
        ("postsuper", _) => postsuper(rest),
        ("bounce", _) => notified(rest),
        _ => None,
    };
    event.map_or(Read::Other(at), |event| told(Told::Mail { id, event }))
}

/// Whether it is a queue id: hexadecimal, or a long one, which has no vowels and a `z` before the number of the inode.
pub(super) fn is_queue_id(text: &str) -> bool {
    let long = |octet: u8| octet.is_ascii_alphanumeric() && !b"AEIOUaeiou".contains(&octet);
    let short = |octet: u8| octet.is_ascii_digit() || (b'A'..=b'F').contains(&octet);
    (6..=limits::QUEUE_ID_OCTETS).contains(&text.len())
        && (text.bytes().all(short)
            || (text.bytes().all(long) && text.get(10..).is_some_and(|rest| rest.contains('z'))))
}

/// `uid=0 from=<x> orig_id=4jdWYj1n0Qz1SVx5`; a sender may end in anything, but not in what follows its bracket.
fn pickup(rest: &str) -> Event<'_> {
    let origin = rest.rsplit_once("> orig_id=").map(|(_, id)| id).filter(|id| is_queue_id(id));
    origin.map_or(Event::Begun, |from| Event::Requeue { from })
}

fn cleanup(rest: &str) -> Option<Event<'_>> {
    if rest.starts_with("milter-hold: ") || rest.starts_with("hold: ") {
        return Some(Event::MilterHold);
    }
    if rest.starts_with("milter-reject: END-OF-MESSAGE ") || rest.starts_with("milter-discard: ") {
        return Some(Event::Refused);
    }
    (rest.starts_with("message-id=") || rest.starts_with("resent-message-id=")).then_some(Event::Seen)
}

fn qmgr(rest: &str) -> Option<Event<'_>> {
    if rest == "removed" {
        return Some(Event::Removed);
    }
    let rest = rest.strip_prefix("from=<").and_then(behind_address)?;
    match rest.strip_prefix(", ")? {
        "status=expired, returned to sender" | "status=force-expired, returned to sender" => {
            Some(Event::Expired)
        }
        _ => Some(Event::Seen),
    }
}

fn postsuper(rest: &str) -> Option<Event<'_>> {
    Some(match rest {
        "removed" => Event::Removed,
        "requeued" => Event::Requeued,
        "placed on hold" => Event::Held,
        "released from hold" => Event::Released,
        "expired" => Event::ExpiredByCommand,
        _ => return None,
    })
}

/// `sender non-delivery notification: 4jdWYj2YC0z1SVxF`.
fn notified(rest: &str) -> Option<Event<'_>> {
    let (what, id) = rest.strip_prefix("sender ")?.split_once(" notification: ")?;
    is_queue_id(id).then_some(Event::Notified { what: truncate(what, limits::DELIVERY_WORD_OCTETS), id })
}

/// `Untrusted TLS connection established to mx.example.org[192.0.2.1]:25: TLSv1.3 with cipher …`.
fn tls(text: &str) -> Option<Tls<'_>> {
    let (trust, rest) = text.split_once(" TLS connection ")?;
    let trust = Trust::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(trust))?;
    let rest = rest.strip_prefix("established to ").or_else(|| rest.strip_prefix("reused to "))?;
    let (relay, rest) = rest.split_once(": ")?;
    let protocol =
        rest.split(' ').next().filter(|word| word.starts_with("TLSv") || word.starts_with("SSLv"))?;
    Some(Tls { relay, trust, protocol: truncate(protocol, limits::DELIVERY_WORD_OCTETS) })
}

/// `to=<a>, orig_to=<b>, relay=…, delay=…, delays=…, dsn=…, status=sent (…)`.
fn delivery(rest: &str, over_network: bool) -> Option<Delivery<'_>> {
    let (to, rest) = address(rest.strip_prefix("to=<")?)?;
    let mut rest = rest.strip_prefix(", ")?;
    let mut orig_to = "";
    if let Some(behind) = rest.strip_prefix("orig_to=<") {
        let (address, behind) = address(behind)?;
        (orig_to, rest) = (address, behind.strip_prefix(", ")?);
    }
    let (mut relay, mut delay, mut delays, mut dsn, mut tls) = (None, None, None, None, "");
    loop {
        if let Some(behind) = rest.strip_prefix("status=") {
            rest = behind;
            break;
        }
        let (field, behind) = rest.split_once(", ")?;
        rest = behind;
        let (name, value) = field.split_once('=')?;
        match name {
            "relay" => relay = Some(value),
            "delay" => delay = Some(seconds(value)?),
            "delays" => delays = Some(four(value)?),
            "dsn" => dsn = Some(value),
            "tls" => tls = truncate(value, limits::DELIVERY_WORD_OCTETS),
            // `conn_use`, and what newer versions add.
            _ => {}
        }
    }
    let (status, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let text = text.strip_prefix('(').map_or(text, |text| text.strip_suffix(')').unwrap_or(text));
    // An address without quotes, as `info_log_addr_form = internal` writes it, can hold a whole delivery. What then
    // follows it is in the text, in the form in which Postfix alone writes it.
    if text.contains(">, relay=") || text.contains(">, orig_to=<") {
        return None;
    }
    Some(Delivery {
        to: harmless(to, limits::DELIVERY_ADDRESS_OCTETS),
        orig_to: harmless(orig_to, limits::DELIVERY_ADDRESS_OCTETS),
        relay: harmless(relay?, limits::DELIVERY_RELAY_OCTETS),
        delay: delay?,
        delays: delays.unwrap_or_default(),
        dsn: harmless(dsn.unwrap_or_default(), limits::DELIVERY_WORD_OCTETS),
        status: Status::parse(status)?,
        text: harmless(text, limits::DELIVERY_TEXT_OCTETS),
        next: next(text),
        over_network,
        tls,
    })
}

/// The address up to its bracket, and what is behind that. In quotes a bracket is a part of it.
fn address(text: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    let end = text.bytes().position(|octet| {
        let plain = !std::mem::take(&mut escaped);
        match octet {
            b'\\' => escaped = quoted && plain,
            b'"' if plain => quoted = !quoted,
            b'>' => return !quoted,
            _ => {}
        }
        false
    })?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

fn behind_address(text: &str) -> Option<&str> {
    address(text).map(|(_, rest)| rest)
}

/// The queue id in `250 2.0.0 Ok: queued as 4jdWYj1n0Qz1SVx5`, also where a content filter passes it on.
fn next(text: &str) -> Option<&str> {
    let (_, id) = text.rsplit_once("queued as ")?;
    let id = id.trim_end_matches([')', '.']);
    is_queue_id(id).then_some(id)
}

fn seconds(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|octet| octet.is_ascii_digit() || b".e+-".contains(&octet));
    plain.then(|| text.parse().ok())?.filter(|seconds: &f64| seconds.is_finite())
}

fn four(text: &str) -> Option<[f64; 4]> {
    let mut parts = text.split('/').map(seconds);
    let all = [parts.next()??, parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(all)
}

/// Text from strangers, bounded and on one line.
fn harmless(text: &str, octets: usize) -> String {
    let cut = truncate(text, octets);
    let mut out = String::with_capacity(cut.len() + 3);
    if cut.bytes().all(|octet| (b' '..0x7F).contains(&octet)) {
        out.push_str(cut);
    } else {
        out.extend(cut.chars().map(|c| if c.is_control() { '?' } else { c }));
    }
    if cut.len() < text.len() {
        out.push('…');
    }
    out
}
