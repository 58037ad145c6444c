//! Pages: what a segment holds, in pieces of 4 KiB that each carry a checksum, so that a look-up reads a few of them and
//! still believes nothing that has changed on the disk.
//!
//! The checksum covers the page's number and the segment's first record too: a page that stands in another's place is
//! no page of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use crc32fast::Hasher;

/// Bytes of a page on the disk; the last one of a segment may have fewer.
const PAGE: usize = 4_096;
/// Bytes of the checksum at a page's end.
const SUM: usize = 4;
/// Bytes of content in a full page.
const CONTENT: usize = PAGE - SUM;

/// The content as pages.
pub(super) fn encode(first: i64, content: &[u8]) -> Vec<u8> {
    let mut pages = Vec::with_capacity(content.len() + content.len() / CONTENT * SUM + SUM);
    for (number, content) in (0..).zip(content.chunks(CONTENT)) {
        pages.extend(content);
        pages.extend(sum(first, number, content).to_le_bytes());
    }
    pages
}

/// How many bytes so much content takes on the disk.
pub(super) fn octets(content: u64) -> u64 {
    content + content.div_ceil(CONTENT as u64) * SUM as u64
}

/// The pages of one segment in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pages {
    /// The segment's first record.
    pub(super) first: i64,
    /// Where the first page begins in the file.
    pub(super) at: u64,
    /// Bytes of content in all of them.
    pub(super) content: u64,
}

impl Pages {
    /// A part of the content; an error of the kind `InvalidData` where a page that has it is not as it was written.
    pub(super) fn read(self, file: &File, from: u64, count: u64) -> io::Result<Vec<u8>> {
        let end = from.checked_add(count).filter(|end| *end <= self.content).ok_or_else(damaged)?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let page = CONTENT as u64;
        let (begin, last) = (from / page, (end - 1) / page);
        let held = octets(((last + 1) * page).min(self.content)) - begin * PAGE as u64;
        let mut read = vec![0; usize::try_from(held).map_err(|_| damaged())?];
        file.read_exact_at(&mut read, self.at + begin * PAGE as u64)?;
        let skipped = usize::try_from(from - begin * page).map_err(|_| damaged())?;
        let wanted = usize::try_from(count).map_err(|_| damaged())?;
        let mut content = Vec::with_capacity(read.len());
        for (number, page) in (begin..).zip(read.chunks(PAGE)) {
            let (bytes, stored) = page.split_last_chunk::<SUM>().ok_or_else(damaged)?;
            if sum(self.first, number, bytes) != u32::from_le_bytes(*stored) {
                return Err(damaged());
            }
            content.extend(bytes);
        }
        content.drain(..skipped);
        content.truncate(wanted);
        Ok(content)
    }
}

/// The checksum of a page.
fn sum(first: i64, number: u64, content: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&first.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(content);
    hasher.finalize()
}

pub(super) fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the index file is damaged")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn written(first: i64, content: &[u8]) -> (File, Vec<u8>) {
        let pages = encode(first, content);
        assert_eq!(pages.len() as u64, octets(content.len() as u64));
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&pages).unwrap();
        (file, pages)
    }

    #[test]
    fn every_part_is_read_as_it_was_written() {
        for length in [0, 1, CONTENT - 1, CONTENT, CONTENT + 1, 3 * CONTENT, 3 * CONTENT + 5] {
            let content: Vec<u8> = (0..length).map(|n| u8::try_from(n * 31 % 251).unwrap()).collect();
            let (file, _) = written(7, &content);
            let pages = Pages { first: 7, at: 0, content: length as u64 };
            for from in [0, 1, CONTENT - 1, CONTENT, 2 * CONTENT].into_iter().filter(|from| *from <= length) {
                for end in [from, from + 1, from + CONTENT, length]
                    .into_iter()
                    .filter(|end| (from..=length).contains(end))
                {
                    let read = pages.read(&file, from as u64, (end - from) as u64).unwrap();
                    assert_eq!(read, content[from..end], "{from}..{end} of {length}");
                }
            }
            assert!(pages.read(&file, length as u64, 1).is_err());
            assert!(pages.read(&file, u64::MAX, 2).is_err());
        }
    }

    #[test]
    fn a_bit_that_has_changed_a_page_of_another_place_and_one_that_is_cut_off_are_seen() {
        let content: Vec<u8> = (0..3 * CONTENT).map(|n| u8::try_from(n % 7).unwrap()).collect();
        let (file, pages) = written(1, &content);
        let whole = Pages { first: 1, at: 0, content: content.len() as u64 };
        let read = |file: &File| whole.read(file, 0, whole.content);
        assert!(read(&file).is_ok());
        for at in [0, CONTENT, PAGE - 1, PAGE, 2 * PAGE + 9, 3 * PAGE - 1] {
            let mut changed = pages.clone();
            changed[at] ^= 1;
            file.write_all_at(&changed, 0).unwrap();
            assert_eq!(read(&file).unwrap_err().kind(), io::ErrorKind::InvalidData, "at {at}");
        }
        let (one, two) = (&pages[..PAGE], &pages[PAGE..2 * PAGE]);
        file.write_all_at(&[two, one].concat(), 0).unwrap();
        assert_eq!(read(&file).unwrap_err().kind(), io::ErrorKind::InvalidData);
        file.write_all_at(&pages, 0).unwrap();
        assert!(Pages { first: 2, ..whole }.read(&file, 0, 1).is_err(), "of another segment");
        file.set_len(pages.len() as u64 - 1).unwrap();
        assert_eq!(read(&file).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
