//! Mails that cost much: one generator for each kind, the same octets each time, of any size.

#![allow(dead_code, reason = "each user takes its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a generator that cannot run ends"
)]

mod archives;
pub(crate) mod dice;
pub(crate) mod everyday;
pub(crate) mod mail;
mod office;
pub(crate) mod pack;
mod pdf;
mod sealed;
mod structure;
mod texts;

/// A kind of mail.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// What makes it expensive.
    pub(crate) what: &'static str,
    /// A mail of about so many octets.
    pub(crate) make: fn(usize) -> Vec<u8>,
}

impl Kind {
    const fn new(name: &'static str, what: &'static str, make: fn(usize) -> Vec<u8>) -> Self {
        Self { name, what, make }
    }
}

/// All of them.
pub(crate) fn kinds() -> Vec<Kind> {
    [archives::KINDS, texts::KINDS, structure::KINDS, pdf::KINDS, office::KINDS, sealed::KINDS].concat()
}

/// The kind of that name.
pub(crate) fn kind(name: &str) -> Kind {
    let found = kinds().into_iter().find(|kind| kind.name == name);
    found.unwrap_or_else(|| panic!("no kind of mail is called {name}"))
}

/// An outgoing mail that must be held: a workbook of that many rows, each with the number of a person and a diagnosis.
/// The number makes it a message of its own.
pub(crate) fn victim(workbook: &[u8], number: usize) -> Vec<u8> {
    let text = "Hej,\r\nhär kommer listan.\r\n";
    let mail = mail::multipart(&[mail::Part::text(text), mail::Part::file("lista.xlsx", workbook)]);
    let id = format!("Message-ID: <victim-{number}@exempelby.se>");
    let place = mail.windows(11).position(|window| window == b"Message-ID:").unwrap();
    let end = place + mail[place..].iter().position(|octet| *octet == b'\r').unwrap();
    [&mail[..place], id.as_bytes(), &mail[end..]].concat()
}

/// The workbook of such a mail.
pub(crate) fn workbook(rows: usize) -> Vec<u8> {
    office::victims(rows)
}
