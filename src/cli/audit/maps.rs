//! Postfix's lookup tables, read entry by entry: from their source where there is one, so that each has its line, else
//! from what `postmap -s` lists.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::postconf::{Postconf, split};

/// One entry of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// What is looked up; a pattern in some tables.
    pub(super) key: String,
    /// What is found.
    pub(super) value: String,
    /// Where it stands, if in a file with lines.
    pub(super) place: Option<(PathBuf, usize)>,
}

/// Why a table has no entries here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It can only be asked, not listed: LDAP, SQL, programs.
    Unlisted,
    /// It should be readable, and is not.
    Unreadable(String),
}

/// Whether the table has the form of `aliases(5)`, `key: value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `key value`.
    Table,
    /// `key: value`.
    Aliases,
}

/// The entries of the table `type:name`.
pub(super) fn entries(table: &str, form: Form, postconf: &Postconf) -> Result<Vec<Entry>, Trouble> {
    let table = table.strip_prefix("proxy:").unwrap_or(table);
    let Some((kind, name)) = table.split_once(':') else {
        // A bare file name is a table of the default type.
        return entries(&format!("hash:{table}"), form, postconf);
    };
    let braced = |text: &str| Some(text.trim().strip_prefix('{')?.strip_suffix('}')?.trim().to_owned());
    match kind {
        "hash" | "btree" | "lmdb" | "cdb" | "dbm" | "sdbm" => indexed(table, name, form, postconf),
        "texthash" | "cidr" => source(Path::new(name), form),
        "regexp" | "pcre" => patterns(Path::new(name)),
        "static" => {
            let value = braced(name).unwrap_or_else(|| name.to_owned());
            Ok(vec![Entry { key: "*".to_owned(), value, place: None }])
        }
        "inline" => {
            let inside = braced(name).ok_or_else(|| Trouble::Unreadable("no braces".into()))?;
            let entry = |item: &String| {
                let item = braced(item).unwrap_or_else(|| item.clone());
                let (key, value) = item.split_once('=')?;
                Some(Entry { key: key.trim().to_owned(), value: value.trim().to_owned(), place: None })
            };
            split(&inside)
                .iter()
                .map(entry)
                .collect::<Option<_>>()
                .ok_or_else(|| Trouble::Unreadable("an entry without `=`".into()))
        }
        "unionmap" | "pipemap" => {
            let inside = braced(name).ok_or_else(|| Trouble::Unreadable("no braces".into()))?;
            let mut all = Vec::new();
            for table in split(&inside) {
                all.extend(entries(&table, form, postconf)?);
            }
            Ok(all)
        }
        "randmap" => {
            let inside = braced(name).ok_or_else(|| Trouble::Unreadable("no braces".into()))?;
            let entry = |value: String| Entry { key: "*".to_owned(), value, place: None };
            Ok(split(&inside).into_iter().map(entry).collect())
        }
        // Who exists, and nothing else.
        "unix" | "environ" | "fail" | "internal" => Ok(Vec::new()),
        _ => Err(Trouble::Unlisted),
    }
}

/// The source of an indexed table, if it is as old as the index or older; else what the index itself holds: that is
/// what Postfix reads.
fn indexed(table: &str, name: &str, form: Form, postconf: &Postconf) -> Result<Vec<Entry>, Trouble> {
    let listed = listed(table, form, postconf);
    let source = source(Path::new(name), form);
    match (listed, source) {
        (Ok(listed), Ok(source)) => Ok(with_places(listed, &source)),
        (Ok(listed), Err(_)) => Ok(listed),
        // Not made yet, or of a type that this Postfix was built without.
        (Err(_), Ok(source)) => Ok(source),
        (Err(trouble), Err(_)) => Err(trouble),
    }
}

/// What the index holds, each entry with the line of the source that says the same.
fn with_places(mut listed: Vec<Entry>, source: &[Entry]) -> Vec<Entry> {
    // The index keeps the white space of folded lines, and has its keys in lower case.
    let same = |entry: &Entry| {
        (entry.key.to_lowercase(), entry.value.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let mut places = HashMap::new();
    for entry in source {
        places.entry(same(entry)).or_insert(&entry.place);
    }
    for entry in &mut listed {
        entry.place = places.get(&same(entry)).copied().cloned().flatten();
    }
    listed
}

/// `postmap -s`, or `postalias -s`.
fn listed(table: &str, form: Form, postconf: &Postconf) -> Result<Vec<Entry>, Trouble> {
    let program = match form {
        Form::Table => "postmap",
        Form::Aliases => "postalias",
    };
    let unreadable = |what: String| Trouble::Unreadable(format!("{program}: {what}"));
    let output = postconf.command(program).arg("-s").arg(table).output();
    let output = output.map_err(|error| unreadable(error.to_string()))?;
    if !output.status.success() {
        return Err(unreadable(String::from_utf8_lossy(&output.stderr).trim().replace('\n', " ")));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let entry = |line: &str| {
        let (key, value) = match form {
            Form::Table => line.split_once('\t')?,
            Form::Aliases => alias(line)?,
        };
        Some(Entry { key: key.trim().to_owned(), value: value.trim().to_owned(), place: None })
    };
    // postalias writes the keys "@" and "YP_…" for NIS; they lead nowhere.
    let own = |entry: &Entry| entry.key != "@" && !entry.key.starts_with("YP_");
    Ok(text.lines().filter_map(entry).filter(own).collect())
}

/// The source of a table: `postmap(1)`, `aliases(5)`.
pub(super) fn source(path: &Path, form: Form) -> Result<Vec<Entry>, Trouble> {
    let mut entries = Vec::new();
    for (number, line) in logical_lines(path)? {
        let pair = match form {
            Form::Table => line.split_once(char::is_whitespace).unwrap_or((&line, "")),
            Form::Aliases => alias(&line).unwrap_or((&line, "")),
        };
        entries.push(Entry {
            key: pair.0.trim().trim_matches('"').to_owned(),
            value: pair.1.trim().to_owned(),
            place: Some((path.to_owned(), number)),
        });
    }
    Ok(entries)
}

/// `regexp_table(5)`, `pcre_table(5)`: `/pattern/flags value`, between `if` and `endif` too.
fn patterns(path: &Path) -> Result<Vec<Entry>, Trouble> {
    let mut entries = Vec::new();
    for (number, line) in logical_lines(path)? {
        let pattern = line.strip_prefix('!').unwrap_or(&line);
        let Some(delimiter) = pattern.chars().next().filter(|c| !c.is_alphanumeric()) else { continue };
        let mut escaped = false;
        let end = pattern.char_indices().skip(1).find(|(_, c)| {
            let ends = *c == delimiter && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let Some((end, _)) = end else { continue };
        let (key, rest) = pattern.split_at_checked(end + delimiter.len_utf8()).unwrap_or((pattern, ""));
        let value = rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).trim();
        entries.push(Entry {
            key: key.to_owned(),
            value: value.to_owned(),
            place: Some((path.to_owned(), number)),
        });
    }
    Ok(entries)
}

/// `name: value`, the name in quotes or not.
fn alias(line: &str) -> Option<(&str, &str)> {
    let end = match line.strip_prefix('"') {
        Some(rest) => 1 + rest.find('"')? + 1,
        None => 0,
    };
    let colon = end + line.get(end..)?.find(':')?;
    Some((line.get(..colon)?, line.get(colon + 1..)?))
}

/// The lines of a file with their numbers: comments and empty ones left out, what begins with white space joined to
/// the line before.
pub(super) fn logical_lines(path: &Path) -> Result<Vec<(usize, String)>, Trouble> {
    let bytes =
        fs::read(path).map_err(|error| Trouble::Unreadable(format!("{}: {error}", path.display())))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some((_, before)) if line.starts_with([' ', '\t']) => {
                before.push(' ');
                before.push_str(line.trim());
            }
            _ => lines.push((number, line.trim_end().to_owned())),
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str, read: impl Fn(&Path) -> Result<Vec<Entry>, Trouble>) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("map");
        fs::write(&path, text).unwrap();
        let line = |entry: &Entry| entry.place.as_ref().map_or(0, |(_, line)| *line);
        read(&path).unwrap().iter().map(|e| format!("{} {}={}", line(e), e.key, e.value)).collect()
    }

    #[test]
    fn sources() {
        let table = "# comment\nanna@a  x@b,\n   y@b\n\n  # another\nbo@a\tz@b\n";
        assert_eq!(pairs(table, |path| source(path, Form::Table)), ["2 anna@a=x@b, y@b", "6 bo@a=z@b"]);
        let aliases = "root: anna\n\"a:b\": \"|program x:y\"\nlist:\n  :include:/etc/list\n";
        assert_eq!(
            pairs(aliases, |path| source(path, Form::Aliases)),
            ["1 root=anna", "2 a:b=\"|program x:y\"", "3 list=:include:/etc/list"]
        );
        let expressions = "/^(.*)@a\\/b$/i  ${1}@c\nif /x/\n!/y/ z@d\nendif\n";
        assert_eq!(pairs(expressions, patterns), ["1 /^(.*)@a\\/b$/=${1}@c", "3 /y/=z@d"]);
    }
}
