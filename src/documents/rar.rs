//! RAR: the files of an archive. Their names are read here, so that they are known also where an archive is damaged,
//! encrypted or a part of several; what is packed is unpacked by a library.

#![deny(clippy::disallowed_methods)]

mod packed;

use super::document::{Document, Outcome};
use super::octets::Octets;
use super::{Reason, Scheme, State};
use crate::limits;
use crate::mime::words;

/// An archive's files, as its headers have them.
struct File<'a> {
    name: String,
    size: u64,
    encrypted: bool,
    /// The content, where it is not packed.
    stored: Option<&'a [u8]>,
}

/// What a block of an archive is.
enum Block<'a> {
    File(File<'a>),
    /// All that follows is encrypted, names too.
    Encrypted,
    Other,
    End,
}

/// Reads the files of an archive.
pub(super) fn read(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    let Listed { files, ended, last } = files(bytes)?;
    let is_packed = |file: &File<'_>| !file.encrypted && file.stored.is_none();
    let (mut unpacked, fault) = if files.iter().any(is_packed) {
        packed::unpack(document.budget(), bytes, last)
    } else {
        Default::default()
    };
    let mut ended = ended.and_then(|encrypted| fault.map_or(Ok(encrypted), Err));
    for (at, file) in files.iter().enumerate() {
        match (file, unpacked.remove(&at)) {
            (File { encrypted: true, .. }, _) => {
                ended = ended.map(|_| true);
                document.unread(&file.name, file.size, State::Encrypted(Scheme::Rar))?;
            }
            (_, Some((content, Ok(())))) => document.inside(&file.name, "", &content)?,
            (File { stored: Some(content), .. }, _) => {
                document.budget().spend(content.len())?;
                document.inside(&file.name, "", content)?;
            }
            (_, Some((content, Err(reason)))) => {
                ended = ended.and(Err(reason));
                document.inside_partly(&file.name, &content, reason)?;
            }
            (_, None) => {
                let reason = ended.err().unwrap_or(Reason::Format);
                ended = Err(reason);
                document.unread(&file.name, file.size, State::Uninspectable(reason))?;
            }
        }
    }
    ended.map(|encrypted| if encrypted { State::Encrypted(Scheme::Rar) } else { State::Plain })
}

/// What the headers of an archive say.
struct Listed<'a> {
    files: Vec<File<'a>>,
    /// Whether what follows is encrypted, or why no more files are known.
    ended: Result<bool, Reason>,
    /// Where the last block begins, of which something may be missing.
    last: usize,
}

fn files(bytes: &[u8]) -> Result<Listed<'_>, Reason> {
    let mut octets = Octets::new(bytes);
    let fifth = bytes.starts_with(b"Rar!\x1a\x07\x01\x00");
    octets.take(if fifth { 8 } else { 7 }).ok_or(Reason::Damaged)?;
    let mut files = Vec::new();
    loop {
        let last = bytes.len() - octets.rest.len();
        let block = if fifth { fifth_block(&mut octets) } else { fourth_block(&mut octets) };
        let ended = match block {
            Some(Block::File(file)) if files.len() <= limits::DOCUMENT_ENTRIES => {
                files.push(file);
                if octets.rest.is_empty() { Ok(false) } else { continue }
            }
            // No more of them are listed.
            Some(Block::File(_)) => Err(Reason::Limit),
            Some(Block::Other) => continue,
            Some(Block::Encrypted) => Ok(true),
            Some(Block::End) => Ok(false),
            None if octets.rest.is_empty() => Ok(false),
            None => Err(Reason::Damaged),
        };
        return Ok(Listed { files, ended, last });
    }
}

/// A block of RAR 5: numbers of seven bits an octet.
fn fifth_block<'a>(octets: &mut Octets<'a>) -> Option<Block<'a>> {
    octets.u32()?;
    let size = usize::try_from(variable(octets)?).ok()?;
    let mut header = Octets::new(octets.take(size)?);
    let kind = variable(&mut header)?;
    let flags = variable(&mut header)?;
    let extra = if flags & 1 != 0 { usize::try_from(variable(&mut header)?).ok()? } else { 0 };
    let data = if flags & 2 != 0 { usize::try_from(variable(&mut header)?).ok()? } else { 0 };
    let content = octets.take(data.min(octets.rest.len()))?;
    match kind {
        2 => fifth_file(header, extra, content).map(Block::File),
        4 => Some(Block::Encrypted),
        5 => Some(Block::End),
        _ => Some(Block::Other),
    }
}

fn fifth_file<'a>(mut header: Octets<'_>, extra: usize, content: &'a [u8]) -> Option<File<'a>> {
    let flags = variable(&mut header)?;
    let size = variable(&mut header)?;
    variable(&mut header)?;
    if flags & 2 != 0 {
        header.u32()?;
    }
    if flags & 4 != 0 {
        header.u32()?;
    }
    let packing = variable(&mut header)?;
    variable(&mut header)?;
    let length = usize::try_from(variable(&mut header)?).ok()?;
    let name = words::text(header.take(length)?).into_owned();
    let mut extra = Octets::new(header.take(extra.min(header.rest.len()))?);
    let mut encrypted = false;
    while let Some(size) = variable(&mut extra).and_then(|size| usize::try_from(size).ok()) {
        let Some(record) = extra.take(size) else { break };
        encrypted |= variable(&mut Octets::new(record)) == Some(1);
    }
    let stored = ((packing >> 7) % 8 == 0).then_some(content);
    Some(File { name, size, encrypted, stored })
}

/// A block of RAR 1.5 to 4.
fn fourth_block<'a>(octets: &mut Octets<'a>) -> Option<Block<'a>> {
    octets.u16()?;
    let kind = octets.u8()?;
    let flags = octets.u16()?;
    let size = usize::from(octets.u16()?).checked_sub(7)?;
    let mut header = Octets::new(octets.take(size)?);
    match kind {
        0x73 if flags & 0x80 != 0 => Some(Block::Encrypted),
        0x74 => {
            let packed = header.u32()?;
            let size = header.u32()?;
            header.take(9)?;
            let method = header.take(2)?.get(1).copied()?;
            let length = usize::from(header.u16()?);
            header.u32()?;
            let high = if flags & 0x100 != 0 { (header.u32()?, header.u32()?) } else { (0, 0) };
            let whole = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
            let name = fourth_name(header.take(length)?, flags & 0x200 != 0);
            let data = usize::try_from(whole(packed, high.0)).ok()?;
            let content = octets.take(data.min(octets.rest.len()))?;
            let stored = (method == 0x30).then_some(content);
            let encrypted = flags & 4 != 0;
            Some(Block::File(File { name, size: whole(size, high.1), encrypted, stored }))
        }
        0x7b => Some(Block::End),
        _ => {
            if flags & 0x8000 != 0 {
                let data = usize::try_from(header.u32()?).ok()?;
                octets.take(data.min(octets.rest.len()))?;
            }
            Some(Block::Other)
        }
    }
}

/// A name in one octet a character; behind a zero, the same in a compressed form of UTF-16, or UTF-8.
fn fourth_name(octets: &[u8], unicode: bool) -> String {
    let end = octets.iter().position(|octet| *octet == 0).unwrap_or(octets.len());
    let (plain, rest) = octets.split_at(end);
    let utf8 = unicode && rest.is_empty();
    if utf8 { words::text(plain).into_owned() } else { super::zip::old_name(plain) }
}

fn variable(octets: &mut Octets<'_>) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let octet = octets.u8()?;
        value |= u64::from(octet & 0x7f).checked_shl(shift)?;
        if octet & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
