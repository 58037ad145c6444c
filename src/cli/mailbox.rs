//! Stored mail: the messages in files, folders and mbox files, one after the other, however many there are.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use crate::limits;

/// A message of which the gateway would keep only a part. What is left out of it here nobody could tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("larger than {} MiB", limits::MESSAGE_OCTETS >> 20)]
pub(super) struct TooLarge;

/// Calls `each` with the name and the octets of every message below `path`: a file of one message, an mbox file, or a
/// folder of such (a Maildir is one). Folders are read in the order of the names in them. Ends with the first error.
pub(super) fn messages(
    path: &Path,
    each: &mut impl FnMut(&str, Result<&[u8], TooLarge>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let in_context = |error: io::Error| anyhow::Error::new(error).context(path.display().to_string());
    if fs::metadata(path).map_err(in_context)?.is_dir() {
        for inner in listed(path).map_err(in_context)? {
            messages(&inner, each)?;
        }
        return Ok(());
    }
    let mut file = BufReader::new(File::open(path).map_err(in_context)?);
    let name = path.display().to_string();
    if file.fill_buf().map_err(in_context)?.starts_with(FROM) {
        return mbox(file, &name, each);
    }
    let mut message = Vec::new();
    file.take(limits::MESSAGE_OCTETS as u64 + 1).read_to_end(&mut message).map_err(in_context)?;
    each(&name, whole(&message))
}

fn whole(message: &[u8]) -> Result<&[u8], TooLarge> {
    if message.len() > limits::MESSAGE_OCTETS { Err(TooLarge) } else { Ok(message) }
}

/// The separator of an mbox file (RFC 4155).
const FROM: &[u8] = b"From ";

/// What is in a folder, in order, without what is hidden and what a Maildir has not yet delivered (`tmp`).
fn listed(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut inner = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !name.as_encoded_bytes().starts_with(b".") && name != "tmp" {
            inner.push(folder.join(name));
        }
    }
    inner.sort();
    Ok(inner)
}

/// The messages of an mbox file, named `file#1` and so on. A separator follows an empty line; a line of a message that
/// looks like one was quoted with `>`, which is taken away again (the mboxrd form).
fn mbox(
    mut file: impl io::BufRead,
    name: &str,
    each: &mut impl FnMut(&str, Result<&[u8], TooLarge>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (mut message, mut part) = (Vec::new(), Vec::new());
    let (mut number, mut after_empty, mut begins, mut separator) = (0_u64, true, true, false);
    loop {
        part.clear();
        // A line may have no end.
        let read = file.by_ref().take(limits::MBOX_PART_OCTETS).read_until(b'\n', &mut part)?;
        let separates = begins && after_empty && part.starts_with(FROM);
        if (read == 0 || separates) && number > 0 {
            // The empty line before a separator is the separator's.
            let own = message.strip_suffix(b"\n").unwrap_or(&message);
            each(&format!("{name}#{number}"), whole(own.strip_suffix(b"\r").unwrap_or(own)))?;
        }
        if read == 0 {
            return Ok(());
        }
        separator = separates || (separator && !begins);
        if separates {
            number += 1;
            message.clear();
        } else if !separator && message.len() <= limits::MESSAGE_OCTETS + LINE_END {
            message.extend_from_slice(if begins { unquoted(&part) } else { &part });
        }
        after_empty = begins && matches!(&*part, b"\n" | b"\r\n");
        begins = part.ends_with(b"\n");
    }
}

/// Octets of the end of a line, at the most.
const LINE_END: usize = 2;

fn unquoted(line: &[u8]) -> &[u8] {
    let depth = line.iter().take_while(|octet| **octet == b'>').count();
    let quoted = line.get(depth..).is_some_and(|rest| rest.starts_with(FROM));
    if quoted { line.strip_prefix(b">").unwrap_or(line) } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut each = |name: &str, message: Result<&[u8], TooLarge>| {
            let name = Path::new(name).strip_prefix(path).unwrap_or(Path::new(name));
            let message = message.map(|message| String::from_utf8_lossy(message).into_owned());
            found.push((name.display().to_string(), message.unwrap_or_else(|large| large.to_string())));
            Ok(())
        };
        messages(path, &mut each).unwrap();
        found
    }

    #[test]
    fn folders_files_and_mbox() {
        let folder = tempfile::tempdir().unwrap();
        for inner in ["cur", "tmp"] {
            fs::create_dir(folder.path().join(inner)).unwrap();
        }
        fs::write(folder.path().join("cur/2"), "Subject: 2\n\nFrom here\n").unwrap();
        fs::write(folder.path().join("cur/1.eml"), "Subject: 1\n").unwrap();
        fs::write(folder.path().join("cur/.hidden"), "Subject: no\n").unwrap();
        fs::write(folder.path().join("tmp/3"), "Subject: no\n").unwrap();
        let mbox = "From x Mon\nSubject: a\n\n>From me\n>>From you\n> From it\nFrom us\n\nFrom y Tue\nSubject: b\n\nb";
        fs::write(folder.path().join("mbox"), mbox).unwrap();
        let expected = [
            ("cur/1.eml", "Subject: 1\n"),
            ("cur/2", "Subject: 2\n\nFrom here\n"),
            ("mbox#1", "Subject: a\n\nFrom me\n>From you\n> From it\nFrom us\n"),
            ("mbox#2", "Subject: b\n\nb"),
        ];
        assert_eq!(found(folder.path()), expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn lines_of_any_length_and_messages_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let part = usize::try_from(limits::MBOX_PART_OCTETS).unwrap();
        let long = "x".repeat(2 * part + 7);
        // No part of a line is taken for a separator, an empty line or a quoted line, and a separator may be long.
        let inner = format!("{}From a\n>From b\n", "x".repeat(part));
        let quoted = format!("{}>From c\n{}\n", "x".repeat(part), "\r".repeat(part));
        let mbox = format!("From {long}\nA: b\n\n{inner}\nFrom {long}\n{quoted}From d\n{long}");
        fs::write(folder.path().join("1"), mbox).unwrap();
        let expected = [
            ("1#1", format!("A: b\n\n{}", inner.replace(">From b", "From b"))),
            ("1#2", format!("{quoted}From d\n{long}")),
        ];
        assert_eq!(found(folder.path()), expected.map(|(name, text)| (name.to_owned(), text)));
        fs::remove_file(folder.path().join("1")).unwrap();
        for (name, begin, end) in [("2", "", ""), ("3", "From x\n", "\nFrom y\nA: c\n")] {
            for more in [0, 1] {
                let message = [
                    begin.as_bytes(),
                    b"A: b\n\n",
                    &vec![b'x'; limits::MESSAGE_OCTETS - 7 + more],
                    b"\n",
                    end.as_bytes(),
                ];
                fs::write(folder.path().join(name), message.concat()).unwrap();
                let lengths: Vec<usize> = found(folder.path()).iter().map(|(_, text)| text.len()).collect();
                let own = if more == 0 { limits::MESSAGE_OCTETS } else { TooLarge.to_string().len() };
                assert_eq!(lengths[0], own, "{name} {more}");
                assert!(begin.is_empty() || lengths[1..] == [4], "{lengths:?}");
            }
            fs::remove_file(folder.path().join(name)).unwrap();
        }
    }

    #[test]
    fn what_is_not_there_is_an_error_with_its_name() {
        let error = messages(Path::new("/nowhere/at/all"), &mut |_, _| Ok(())).unwrap_err();
        assert!(format!("{error:#}").starts_with("/nowhere/at/all: No such file"), "{error:#}");
    }
}
