//! LZMA: 7z archives, and xz files; the only file that names the libraries that unpack it.

#![deny(clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::io::{Cursor, Read};

use lzma_rust2::XzReader;
use sevenz_rust2::{Archive, ArchiveEntry, BlockDecoder, EncoderMethod, Error, Password};

use super::document::{Document, Outcome};
use super::{Reason, Scheme, State, inflate};
use crate::limits;

/// Reads what is inside an xz file.
pub(super) fn xz(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    let memory = u32::try_from(limits::DOCUMENT_DICTIONARY_KB).unwrap_or(u32::MAX);
    let (inside, ended) = document.budget().unpack(XzReader::new_mem_limit(bytes, true, memory));
    inflate::unpacked(document, &inside)?;
    ended.map(|()| State::Plain)
}

/// Reads the files of a 7z archive; those that are encrypted still have their names.
pub(super) fn seven_zip(document: &mut Document<'_>, bytes: &[u8]) -> Outcome {
    let mut source = Cursor::new(bytes);
    let opened =
        Archive::read_with_memory_limit(&mut source, &Password::empty(), limits::DOCUMENT_DICTIONARY_KB);
    let archive = match opened {
        Ok(archive) => archive,
        // Its names are encrypted too.
        Err(Error::UnsupportedCompressionMethod(method)) if method.contains("AES") => {
            return Ok(State::Encrypted(Scheme::SevenZip));
        }
        Err(error) => return Err(reason(&error)),
    };
    let mut fault = None;
    let (mut plain, mut encrypted) = (false, false);
    for number in 0..archive.blocks.len() {
        if is_encrypted(&archive, number) {
            encrypted = true;
            list(document, &archive, number, State::Encrypted(Scheme::SevenZip))?;
            continue;
        }
        plain = true;
        if let Err(found) = block(document, &archive, number, &mut source) {
            fault = fault.or(Some(found));
        }
    }
    for (file, block) in archive.files.iter().zip(&archive.stream_map.file_block_index) {
        if block.is_none() {
            document.text(&file.name)?;
            document.text("\n")?;
        }
    }
    match fault {
        Some(fault) => Err(fault),
        None if encrypted && !plain => Ok(State::Encrypted(Scheme::SevenZip)),
        None => Ok(State::Plain),
    }
}

/// The files of one block, which are packed together.
fn block(
    document: &mut Document<'_>,
    archive: &Archive,
    number: usize,
    source: &mut Cursor<&[u8]>,
) -> Result<(), Reason> {
    let mut read = BTreeSet::new();
    let mut stopped = None;
    let password = Password::empty();
    let decoder = BlockDecoder::new_with_memory_limit(
        1,
        limits::DOCUMENT_DICTIONARY_KB,
        number,
        archive,
        &password,
        source,
    );
    let ended = decoder.for_each_entries(&mut |file: &ArchiveEntry, content: &mut dyn Read| {
        let (inside, ended) = document.budget().unpack(content);
        read.insert(file.name.clone());
        let entered = document.inside(&file.name, "", &inside);
        stopped = entered.and(ended).err();
        Ok(stopped.is_none())
    });
    let fault = stopped.or_else(|| ended.err().map(|error| reason(&error)));
    let Some(fault) = fault else { return Ok(()) };
    // The names of what was not reached are known all the same.
    for file in files(archive, number).filter(|file| !read.contains(&file.name)) {
        document.unread(&file.name, file.size, State::Uninspectable(fault))?;
    }
    Err(fault)
}

fn list(document: &mut Document<'_>, archive: &Archive, number: usize, state: State) -> Result<(), Reason> {
    files(archive, number).try_for_each(|file| document.unread(&file.name, file.size, state))
}

fn files(archive: &Archive, number: usize) -> impl Iterator<Item = &ArchiveEntry> {
    let blocks = &archive.stream_map.file_block_index;
    archive.files.iter().zip(blocks).filter(move |(_, block)| **block == Some(number)).map(|(file, _)| file)
}

fn is_encrypted(archive: &Archive, number: usize) -> bool {
    let coders = archive.blocks.get(number).map_or(&[][..], |block| &block.coders);
    coders.iter().any(|coder| coder.encoder_method_id() == EncoderMethod::ID_AES256_SHA256)
}

fn reason(error: &Error) -> Reason {
    match error {
        Error::UnsupportedCompressionMethod(_) | Error::Unsupported(_) | Error::ExternalUnsupported => {
            Reason::Format
        }
        Error::MaxMemLimited { .. } => Reason::Limit,
        _ => Reason::Damaged,
    }
}
