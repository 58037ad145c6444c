//! The entries of a ZIP: those of its central directory, and those that only their own headers tell of, which some
//! programs read too. Sizes that it claims are bounds for slices, and nothing is allocated by them.

#![deny(clippy::disallowed_methods)]

use std::ops::Range;

use memchr::memmem;

use super::super::octets::Octets;
use crate::limits;
use crate::mime::words;

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
/// The end record and the longest comment.
const END_OCTETS: usize = 22 + 65_535;

/// Whether the end record of an archive may stand at the end of the octets.
pub(crate) fn has_end(bytes: &[u8]) -> bool {
    end_of(bytes).is_some()
}

/// Where the end record is.
fn end_of(bytes: &[u8]) -> Option<usize> {
    let from = bytes.len().saturating_sub(END_OCTETS);
    Some(from + memmem::rfind(bytes.get(from..)?, END)?)
}

/// An archive, opened.
pub(in crate::documents) struct Archive<'a> {
    pub(in crate::documents) entries: Vec<Entry<'a>>,
    pub(in crate::documents) comments: Vec<String>,
    /// Whether it has no whole directory.
    damaged: bool,
    /// Whether its directory is encrypted.
    pub(in crate::documents) masked: bool,
}

/// A file in an archive.
pub(in crate::documents) struct Entry<'a> {
    pub(in crate::documents) name: String,
    /// Octets when unpacked, as it claims.
    pub(in crate::documents) size: u64,
    pub(in crate::documents) packed: &'a [u8],
    pub(super) method: u16,
    pub(super) checksum: u32,
    /// Whether it says that it is encrypted.
    pub(super) encrypted: bool,
    /// With AES, or another cipher that holds.
    pub(super) strong: bool,
}

/// What a header says, in the directory or before the content.
struct Header<'a> {
    flags: u16,
    method: u16,
    checksum: u32,
    packed: u64,
    size: u64,
    name: &'a [u8],
    extra: &'a [u8],
}

impl<'a> Archive<'a> {
    /// Every entry that there is.
    pub(in crate::documents) fn of(bytes: &'a [u8]) -> Self {
        let mut archive = Self { entries: Vec::new(), comments: Vec::new(), damaged: false, masked: false };
        let mut covered: Vec<Range<usize>> = Vec::new();
        match Directory::find(bytes) {
            Some(directory) => {
                archive.comments.extend(comment(directory.comment));
                archive.listed(bytes, &directory, &mut covered);
                covered.push(directory.place);
            }
            None => archive.damaged = true,
        }
        covered.sort_by_key(|range| range.start);
        let mut at = 0;
        covered.push(bytes.len()..bytes.len());
        for range in covered {
            if at < range.start {
                archive.unlisted(bytes.get(at..range.start).unwrap_or_default());
            }
            at = at.max(range.end);
        }
        archive
    }

    /// The archive whose directory stands at the end of octets that begin as something else.
    pub(in crate::documents) fn behind(bytes: &'a [u8]) -> Option<Self> {
        Directory::find(bytes).map(|_| Self::of(bytes))
    }

    /// Whether it is not as a whole archive is.
    pub(in crate::documents) fn is_damaged(&self) -> bool {
        self.damaged
    }

    fn full(&self) -> bool {
        // One more than may be read, so that the reading goes over its limit and says so.
        self.entries.len() > limits::DOCUMENT_ENTRIES
    }

    /// The entries of the directory.
    fn listed(&mut self, bytes: &'a [u8], directory: &Directory<'a>, covered: &mut Vec<Range<usize>>) {
        let mut octets = Octets::new(bytes.get(directory.place.clone()).unwrap_or_default());
        while octets.rest.starts_with(CENTRAL) && !self.full() {
            let Some((header, local, said)) = central(&mut octets) else {
                self.damaged = true;
                return;
            };
            self.comments.extend(comment(said));
            // Bit 13: the local header is masked, and so was the directory before it was decrypted.
            self.masked |= header.flags & 0x2000 != 0;
            let at = usize::try_from(local).ok().and_then(|local| local.checked_add(directory.shift));
            let Some(at) = at.filter(|at| bytes.get(*at..).is_some_and(|local| local.starts_with(LOCAL)))
            else {
                self.damaged = true;
                continue;
            };
            let Some((_, begin)) = local_header(bytes, at) else {
                self.damaged = true;
                continue;
            };
            let end =
                usize::try_from(header.packed).unwrap_or(usize::MAX).saturating_add(begin).min(bytes.len());
            covered.push(at..end);
            self.entries.push(Entry::new(&header, bytes.get(begin..end).unwrap_or_default()));
        }
        // What is in the directory's place and is no entry of it.
        self.damaged |= !octets.rest.is_empty() && !octets.rest.starts_with(b"PK") && !self.full();
    }

    /// Entries between those of the directory.
    fn unlisted(&mut self, gap: &'a [u8]) {
        let mut from = 0;
        while !self.full()
            && let Some(found) = gap.get(from..).and_then(|rest| memmem::find(rest, LOCAL))
        {
            let at = from + found;
            from = at + LOCAL.len();
            let Some((header, begin)) = local_header(gap, at) else { continue };
            if !matches!(header.method, 0 | 8 | 9 | 12 | 14 | 93 | 95 | 98 | 99) {
                continue;
            }
            let claimed = usize::try_from(header.packed).unwrap_or(usize::MAX);
            // Its size may come after it; then it ends with the gap at the latest.
            let told = claimed > 0 || header.flags & 8 == 0;
            let end = if told { begin.saturating_add(claimed).min(gap.len()) } else { gap.len() };
            from = if told { end } else { begin };
            self.entries.push(Entry::new(&header, gap.get(begin..end).unwrap_or_default()));
        }
    }
}

/// Where the central directory is.
struct Directory<'a> {
    place: Range<usize>,
    /// What stands before the archive, which its offsets do not count.
    shift: usize,
    comment: &'a [u8],
}

impl<'a> Directory<'a> {
    fn find(bytes: &'a [u8]) -> Option<Self> {
        let end = end_of(bytes)?;
        let mut octets = Octets::at(bytes, end + 12)?;
        let (mut size, mut offset) = (u64::from(octets.u32()?), u64::from(octets.u32()?));
        let length = usize::from(octets.u16()?);
        let comment = octets.take(length.min(octets.rest.len()))?;
        let mut stop = end;
        if (size == u64::from(u32::MAX) || offset == u64::from(u32::MAX))
            && let Some((at, large_size, large_offset)) = large(bytes, end)
        {
            (stop, size, offset) = (at, large_size, large_offset);
        }
        let size = usize::try_from(size).ok()?;
        let offset = usize::try_from(offset).ok()?;
        let starts = |at: usize| bytes.get(at..).is_some_and(|rest| rest.starts_with(CENTRAL));
        let begin = stop.checked_sub(size).filter(|begin| starts(*begin) || size == 0);
        let begin = begin.or_else(|| Some(offset).filter(|offset| starts(*offset)))?;
        Some(Self { place: begin..stop.max(begin), shift: begin.saturating_sub(offset), comment })
    }
}

/// The end record of large archives (ZIP64): where it is, the directory's size and offset.
fn large(bytes: &[u8], end: usize) -> Option<(usize, u64, u64)> {
    let mut locator = Octets::at(bytes, end.checked_sub(20)?)?;
    if locator.take(4)? != b"PK\x06\x07" {
        return None;
    }
    locator.u32()?;
    let at = usize::try_from(locator.u64()?).ok()?;
    let mut record = Octets::at(bytes, at)?;
    (record.take(4)? == b"PK\x06\x06").then_some(())?;
    record.take(36)?;
    Some((at, record.u64()?, record.u64()?))
}

/// An entry of the directory, where its local header is, and its comment.
fn central<'a>(octets: &mut Octets<'a>) -> Option<(Header<'a>, u64, &'a [u8])> {
    octets.take(8)?;
    let flags = octets.u16()?;
    let method = octets.u16()?;
    octets.take(4)?;
    let checksum = octets.u32()?;
    let (mut packed, mut size) = (u64::from(octets.u32()?), u64::from(octets.u32()?));
    let lengths = (octets.u16()?, octets.u16()?, octets.u16()?);
    octets.take(8)?;
    let mut local = u64::from(octets.u32()?);
    let name = octets.take(lengths.0.into())?;
    let extra = octets.take(lengths.1.into())?;
    let comment = octets.take(lengths.2.into())?;
    if let Some(mut large) = field(extra, 1).map(Octets::new) {
        for value in [&mut size, &mut packed, &mut local] {
            if *value == u64::from(u32::MAX) {
                *value = large.u64()?;
            }
        }
    }
    Some((Header { flags, method, checksum, packed, size, name, extra }, local, comment))
}

/// The header before the content, and where the content begins.
fn local_header(bytes: &[u8], at: usize) -> Option<(Header<'_>, usize)> {
    let mut octets = Octets::at(bytes, at)?;
    octets.take(6)?;
    let flags = octets.u16()?;
    let method = octets.u16()?;
    octets.take(4)?;
    let checksum = octets.u32()?;
    let (packed, size) = (u64::from(octets.u32()?), u64::from(octets.u32()?));
    let lengths = (octets.u16()?, octets.u16()?);
    let name = octets.take(lengths.0.into())?;
    let extra = octets.take(lengths.1.into())?;
    let begin = bytes.len() - octets.rest.len();
    Some((Header { flags, method, checksum, packed, size, name, extra }, begin))
}

/// An extra field of a header.
fn field(extra: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut octets = Octets::new(extra);
    loop {
        let (id, length) = (octets.u16()?, octets.u16()?);
        let content = octets.take(length.into())?;
        if id == wanted {
            return Some(content);
        }
    }
}

impl<'a> Entry<'a> {
    fn new(header: &Header<'_>, packed: &'a [u8]) -> Self {
        let aes = header.method == 99 || field(header.extra, 0x9901).is_some();
        let strong = aes || header.flags & 0x40 != 0 || field(header.extra, 0x0017).is_some();
        Self {
            name: name(header),
            size: header.size,
            packed,
            method: header.method,
            checksum: header.checksum,
            encrypted: header.flags & 1 != 0 || aes,
            strong,
        }
    }
}

/// A name in UTF-8 by its flag, by a field of its own (Info-ZIP), or because it is; else as MS-DOS wrote it.
fn name(header: &Header<'_>) -> String {
    let utf8 = field(header.extra, 0x7075).and_then(|unicode| unicode.get(5..));
    let name = utf8.and_then(|name| std::str::from_utf8(name).ok()).or(std::str::from_utf8(header.name).ok());
    name.map_or_else(|| old_name(header.name), |name| words::clean(name).into_owned())
}

/// A name in the charset of MS-DOS.
pub(in crate::documents) fn old_name(octets: &[u8]) -> String {
    const UPPER: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
    let upper: Vec<char> = UPPER.chars().collect();
    let read = |octet: &u8| match octet {
        0..=127 => char::from(*octet),
        _ => upper.get(usize::from(*octet) - 128).copied().unwrap_or(char::REPLACEMENT_CHARACTER),
    };
    words::clean(&octets.iter().map(read).collect::<String>()).into_owned()
}

fn comment(octets: &[u8]) -> Option<String> {
    (!octets.is_empty()).then(|| words::text(octets).into_owned())
}
