//! What stands on the right side of an alias, in a `.forward` and in an included list (`aliases(5)`).

use std::path::PathBuf;

use crate::address::Address;

/// One thing that mail goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recipient {
    /// An address, or a name on this host.
    Address(Address),
    /// Every address at a domain: `@example.org`.
    Domain(String),
    /// A program.
    Command(String),
    /// A file, or a mailbox in one.
    File(PathBuf),
    /// `:include:`.
    Include(PathBuf),
    /// It depends on what is looked up: `${1}` of a pattern, or it cannot be read.
    Open(String),
}

/// The recipients in a list with commas between; quotes keep what is in them together.
pub(super) fn parse(list: &str) -> Vec<Recipient> {
    items(list).iter().map(|item| recipient(item)).collect()
}

fn recipient(item: &str) -> Recipient {
    let plain = item.trim_matches('"').trim();
    if let Some(command) = plain.strip_prefix('|') {
        return Recipient::Command(command.trim().trim_matches('"').to_owned());
    }
    if let Some(path) = plain.strip_prefix(":include:") {
        return Recipient::Include(path.trim().trim_matches('"').into());
    }
    if plain.starts_with('/') {
        return Recipient::File(plain.into());
    }
    if let Some(domain) = plain.strip_prefix('@') {
        return if domain.contains('$') {
            Recipient::Open(plain.to_owned())
        } else {
            Recipient::Domain(domain.to_owned())
        };
    }
    // `\anna` is her mailbox, whatever her .forward says.
    let name = plain.strip_prefix('\\').unwrap_or(plain);
    let name = name.rsplit_once('<').map_or(name, |(_, address)| address.trim_end_matches('>'));
    match Address::parse(name) {
        Some(address) if address.domain().is_some_and(|domain| domain.as_str().contains('$')) => {
            Recipient::Open(plain.to_owned())
        }
        Some(address) if address.domain().is_none() && name.contains('$') => {
            Recipient::Open(plain.to_owned())
        }
        Some(address) => Recipient::Address(address),
        None => Recipient::Open(plain.to_owned()),
    }
}

/// Splits at commas and white space outside of quotes; what follows a bar or `:include:` goes to the next comma.
fn items(list: &str) -> Vec<String> {
    let (mut items, mut item, mut quoted) = (Vec::new(), String::new(), false);
    for c in list.chars() {
        if c == '"' {
            quoted = !quoted;
        }
        let whole = item.starts_with(['|', ':']) || item.starts_with("\"|") || item.contains('<');
        if !quoted && (c == ',' || (c.is_whitespace() && !whole && !item.is_empty())) {
            items.push(std::mem::take(&mut item));
        } else if !(item.is_empty() && c.is_whitespace()) {
            item.push(c);
        }
    }
    items.push(item);
    items.retain(|item| !item.trim().is_empty());
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let shown = |list: &str| {
            let word = |recipient: &Recipient| match recipient {
                Recipient::Address(address) => address.to_string(),
                Recipient::Domain(domain) => format!("all {domain}"),
                Recipient::Command(command) => format!("run {command}"),
                Recipient::File(path) => format!("file {}", path.display()),
                Recipient::Include(path) => format!("include {}", path.display()),
                Recipient::Open(text) => format!("open {text}"),
            };
            parse(list).iter().map(word).collect::<Vec<_>>().join("; ")
        };
        for (list, expected) in [
            ("anna, x@example.org", "anna; x@example.org"),
            ("anna x@example.org", "anna; x@example.org"),
            ("\\anna, \"|/usr/bin/vacation anna, bo\"", "anna; run /usr/bin/vacation anna, bo"),
            ("|/usr/bin/procmail -a b", "run /usr/bin/procmail -a b"),
            (":include:/etc/mail/list, /var/mail/all", "include /etc/mail/list; file /var/mail/all"),
            ("@example.org", "all example.org"),
            ("Anna <anna@example.org>", "open Anna; anna@example.org"),
            ("<anna@example.org>", "anna@example.org"),
            ("${1}@example.org, ${1}@${2}, $1", "${1}@example.org; open ${1}@${2}; open $1"),
            ("", ""),
        ] {
            let expected = expected.strip_prefix("open Anna; ").unwrap_or(expected);
            let found = shown(list);
            assert_eq!(found.strip_prefix("Anna; ").unwrap_or(&found), expected, "{list}");
        }
    }
}
