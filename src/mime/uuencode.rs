//! Uuencode: files in the text of old mail, between a line `begin 644 name` and a line `end`.

#![deny(clippy::disallowed_methods)]

use memchr::memmem;

use super::lines;

/// A file in the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File<'a> {
    pub(super) name: &'a [u8],
    /// Its lines, from the one after `begin` to `end`.
    pub(super) lines: &'a [u8],
}

/// The files in a text.
pub(super) fn files(text: &[u8]) -> impl Iterator<Item = File<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + memmem::find(text.get(from..)?, b"begin ")?;
            from = lines::end(text, at);
            let first = at == 0 || text.get(at - 1) == Some(&b'\n');
            let Some(name) = text.get(at..from).filter(|_| first).and_then(name) else { continue };
            let Some(end) = end(text, from) else { continue };
            let lines = text.get(from..end).unwrap_or_default();
            from = end;
            return Some(File { name, lines });
        }
    })
}

/// The octets of a file, and whether a line was broken.
pub(super) fn decode(text: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut broken = false;
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line == b"end" {
            break;
        }
        let Some((length, digits)) = line.split_first() else { continue };
        let Some(length) = digit(*length) else {
            broken |= !line.starts_with(b"begin ");
            continue;
        };
        let at = out.len();
        for group in digits.chunks(4) {
            let mut value = 0_u32;
            for place in 0..4 {
                // Some programs leave blanks at the end of a line out.
                let octet = group.get(place).copied().unwrap_or(b' ');
                broken |= digit(octet).is_none();
                value = value << 6 | digit(octet).unwrap_or(0);
            }
            out.extend_from_slice(value.to_be_bytes().get(1..).unwrap_or_default());
        }
        broken |= out.len() < at + length as usize;
        out.truncate(at + length as usize);
    }
    (out, broken)
}

/// The value of a digit; a blank and a grave accent are both zero.
fn digit(octet: u8) -> Option<u32> {
    (b' '..=b'`').contains(&octet).then(|| u32::from(octet - b' ') & 63)
}

/// The name in a line `begin 644 name`.
fn name(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"begin ")?;
    let blank = rest.iter().position(|byte| *byte == b' ')?;
    let (mode, name) = rest.split_at(blank);
    let mode_is_octal = (3..=4).contains(&mode.len()) && mode.iter().all(|byte| (b'0'..=b'7').contains(byte));
    let name = name.trim_ascii();
    (mode_is_octal && !name.is_empty()).then_some(name)
}

/// Where the lines of a file end: after its `end`, or before the first line that cannot be one of it.
fn end(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at < text.len() {
        let next = lines::end(text, at);
        let line = text.get(at..next).unwrap_or_default().trim_ascii_end();
        if line == b"end" {
            return Some(next);
        }
        let fits = match line.split_first() {
            None => true,
            Some((length, digits)) => {
                digit(*length).is_some_and(|length| digits.len() <= (length as usize).div_ceil(3) * 4 + 4)
                    && digits.iter().all(|octet| digit(*octet).is_some())
            }
        };
        if !fits {
            break;
        }
        at = next;
    }
    (at > from).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_a_text() {
        let text =
            b"Hej\nbegin 644 a b.txt\n#:&5J\n`\nend\nbegin here\nbegin 644 none\nonly text, too long to be\n";
        let found: Vec<_> = files(text).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, b"a b.txt");
        assert_eq!(decode(found[0].lines), (b"hej".to_vec(), false));
    }

    #[test]
    fn broken_lines_are_read_as_far_as_they_go() {
        assert_eq!(decode(b"#:&5J\n#\xe5&5J\nend\n"), (b"hej\0ej".to_vec(), true));
        assert_eq!(decode(b"%:&5J\nend\n"), (b"hej".to_vec(), true));
    }
}
