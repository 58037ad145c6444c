//! Encrypted OOXML documents (MS-OFFCRYPTO): a compound file with the package inside. Those that Office opens without
//! asking are read.

#![deny(clippy::disallowed_methods)]

use super::compound::Compound;
use super::document::{Document, Outcome};
use super::office_password::{DEFAULT, open_package};
use super::{Input, Scheme, State};

pub(super) fn read(document: &mut Document<'_>, file: &Compound<'_>) -> Outcome {
    let info = file.stream("EncryptionInfo", document.budget())?;
    let package = file.stream("EncryptedPackage", document.budget())?;
    let Some(clear) = open_package(&info, &package, DEFAULT) else {
        return Ok(State::Encrypted(Scheme::Office));
    };
    let format = document.format(&Input { name: document.name(), media_type: "", bytes: &clear });
    document.kind(format.kind);
    match (format.read)(document, &clear)? {
        State::Plain => Ok(State::Readable(Scheme::Office)),
        state => Ok(state),
    }
}
