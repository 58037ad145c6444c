//! Links: where an HTML text leads, beside what it shows.

#![deny(clippy::disallowed_methods)]

use memchr::memchr;

use crate::address::Domain;
use crate::limits;
use crate::mime::piece::{Piece, Role};

/// One link with a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The host that its text shows, where it shows one.
    pub shown: Option<Domain>,
    /// The host that it leads to.
    pub target: Domain,
    /// Whether something stands before the host that could be taken for it: `https://www.example.org@example.net/`.
    pub disguised: bool,
}

/// The links in the HTML texts of a message, as far as the limit goes.
pub(super) fn links(pieces: &[Piece]) -> Vec<Link> {
    let texts = pieces.iter().filter(|piece| piece.role == Role::Text && piece.media_type == "text/html");
    let mut found = Vec::new();
    for piece in texts {
        let html = piece.written();
        found.extend(anchors(&html).take(limits::LINKS - found.len()));
    }
    found
}

/// The anchors of a text, in one walk.
fn anchors(html: &str) -> impl Iterator<Item = Link> {
    let mut rest = html;
    std::iter::from_fn(move || {
        loop {
            rest = rest.get(memchr(b'<', rest.as_bytes())? + 1..)?;
            let Some(tag) = rest.strip_prefix(['a', 'A']) else { continue };
            if !tag.starts_with(|c: char| c.is_ascii_whitespace()) {
                continue;
            }
            let end = tag.find('>').unwrap_or(tag.len());
            let (attributes, after) = tag.split_at(end);
            // What follows is read again: a link may never be closed.
            rest = after;
            let shown = after.get(1..).unwrap_or_default();
            let shown = shown.get(..shown.floor_char_boundary(limits::LINK_TEXT_OCTETS)).unwrap_or(shown);
            let close = shown.to_ascii_lowercase().find("</a").unwrap_or(shown.len());
            if let Some((target, disguised)) = href(attributes).and_then(|href| host(&href)) {
                let shown = shown.get(..close).unwrap_or_default();
                return Some(Link { shown: shown_host(&without_tags(shown)), target, disguised });
            }
        }
    })
}

/// The value of `href`.
fn href(attributes: &str) -> Option<String> {
    let at = attributes.to_ascii_lowercase().find("href")?;
    let value = attributes.get(at + 4..)?.trim_start().strip_prefix('=')?.trim_start();
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value.get(1..)?.split(quote).next()?,
        _ => value.split(|c: char| c.is_ascii_whitespace()).next()?,
    };
    Some(unescaped(value))
}

/// The host of a web address, and whether something that is not it stands before it.
fn host(url: &str) -> Option<(Domain, bool)> {
    let plain: String = url.trim().chars().filter(|c| !c.is_control()).collect();
    let (scheme, rest) = plain.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let authority = rest.trim_start_matches(['/', '\\']).split(['/', '\\', '?', '#']).next()?;
    let (before, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let host = if host.starts_with('[') { host } else { host.split(':').next()? };
    (!host.is_empty()).then(|| (Domain::new(host), before.contains('.')))
}

/// The host that a text shows: a web address or a bare name that begins it.
fn shown_host(text: &str) -> Option<Domain> {
    let first = text.split_whitespace().next()?.trim_matches(|c: char| "()<>[]\"'.,;:".contains(c));
    if let Some((host, _)) = host(first) {
        return Some(host);
    }
    let name = first.split(['/', '?', '#', ':']).next()?;
    let last = name.rsplit('.').next()?;
    let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    let is_name = name.contains('.')
        && name.chars().all(plain)
        && last.chars().count() >= 2
        && last.chars().all(char::is_alphabetic)
        // A file's name is no host, however many of its endings are countries.
        && (name.starts_with("www.") || first.contains('/') || COMMON.contains(&last.to_ascii_lowercase().as_str()));
    is_name.then(|| Domain::new(name))
}

/// Top-level domains that people know as such.
const COMMON: [&str; 12] = ["se", "nu", "com", "org", "net", "eu", "no", "dk", "fi", "de", "info", "gov"];

fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            _ if inside => {}
            _ => text.push(c),
        }
    }
    unescaped(&text)
}

fn unescaped(text: &str) -> String {
    text.replace("&nbsp;", " ")
        .replace("&#46;", ".")
        .replace("&#x2e;", ".")
        .replace("&#47;", "/")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(html: &str) -> Vec<(String, String, bool)> {
        let shown = |link: &Link| link.shown.as_ref().map(ToString::to_string).unwrap_or_default();
        anchors(html).map(|link| (shown(&link), link.target.to_string(), link.disguised)).collect()
    }

    #[test]
    fn what_is_shown_and_where_it_leads() {
        let one = |shown: &str, target: &str| vec![(shown.to_owned(), target.to_owned(), false)];
        assert_eq!(
            of("<a href='https://example.net/x'>www.example.org</a>"),
            one("www.example.org", "example.net")
        );
        assert_eq!(
            of("<A\n class=x HREF=\"http://Example.NET:8080\"><b>https://example.org/a</b></A>"),
            one("example.org", "example.net")
        );
        assert_eq!(of("<a href=https://example.net>Läs mer</a>"), one("", "example.net"));
        assert_eq!(of("<a href='https://example.net'>rapport.pdf</a>"), one("", "example.net"));
        assert_eq!(of("<a href='mailto:x@example.net'>www.example.org</a><abbr href='https://a.se'>"), []);
        assert_eq!(
            of("<a href='https://www.example.org@example.net/'>x</a>"),
            [(String::new(), "example.net".into(), true)]
        );
        assert_eq!(
            of("<a href='https://a.example.net'>öppen <a href='https://b.example.net'>två"),
            [(String::new(), "a.example.net".into(), false), (String::new(), "b.example.net".into(), false)]
        );
    }

    /// With a look at the whole rest for each tag this takes minutes.
    #[test]
    fn a_million_tags_are_one_walk() {
        let html = "<abbr>".repeat(1_000_000) + "<a href='https://example.net'>x</a>";
        assert_eq!(of(&html), [(String::new(), "example.net".into(), false)]);
    }
}
