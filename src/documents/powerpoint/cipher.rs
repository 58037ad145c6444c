//! Encryption of a presentation (MS-PPT §2.3.7): each persist object has a key of its own. What is encrypted with the
//! password that PowerPoint tries by itself is read.

#![deny(clippy::disallowed_methods)]

use super::ENCRYPTION;
use crate::documents::office_password::{BlockCipher, PRESENTATION_DEFAULT};
use crate::documents::places::{size_at, slice, u16_at, u32_at};

/// The stream in the clear, if it is encrypted with the password that everyone knows.
pub(super) fn decrypt(user: &[u8], stream: &[u8]) -> Option<Vec<u8>> {
    let edit = stream.get(size_at(user, 16)?..)?;
    let objects = objects(stream, size_at(edit, 20)?)?;
    let session = u32_at(edit, 36)?;
    let (_, at) = objects.iter().find(|(id, _)| *id == session)?;
    if u16_at(stream, at + 2)? != ENCRYPTION {
        return None;
    }
    let info = slice(stream, at + 8, size_at(stream, at + 4)?)?;
    let cipher = BlockCipher::long(info.get(4..)?, PRESENTATION_DEFAULT)?;
    let mut clear = stream.to_vec();
    for (id, at) in objects.iter().filter(|(id, _)| *id != session) {
        let mut keys = cipher.block(*id);
        let head = keys.apply(slice(stream, *at, 8)?);
        let content = keys.apply(slice(stream, at + 8, size_at(&head, 4)?)?);
        let object = [head, content].concat();
        clear.get_mut(*at..at + object.len())?.copy_from_slice(&object);
    }
    Some(clear)
}

/// The persist objects: their numbers, and where they are (§2.3.4, §2.3.5).
fn objects(stream: &[u8], directory: usize) -> Option<Vec<(u32, usize)>> {
    let entries = slice(stream, directory.checked_add(8)?, size_at(stream, directory.checked_add(4)?)?)?;
    let mut objects = Vec::new();
    let mut at = 0;
    while let Some(run) = u32_at(entries, at) {
        at += 4;
        for id in (run & 0xF_FFFF..).take(usize::try_from(run >> 20).ok()?) {
            objects.push((id, size_at(entries, at)?));
            at += 4;
        }
    }
    Some(objects)
}
