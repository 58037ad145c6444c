//! Encryption of PDF (ISO 32000-2 §7.6): whoever has the user's password or the owner's can read the file, and where
//! one of them is empty anyone can, whatever the other is.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;
use std::collections::HashMap;

use super::File;
use crate::documents::Reason;
use crate::documents::crypto::{self, Aes, Rc4};
use crate::documents::pdf::object::{Dictionary, Object};

/// Why an encrypted file stays closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::documents::pdf) enum Closed {
    /// It needs a password or a certificate.
    Locked,
    /// What it says of its encryption makes no sense.
    Unknown,
}

/// What to do with encrypted octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// They are in the clear.
    Identity,
    Rc4,
    Aes128,
    Aes256,
    /// Nothing here knows it.
    Other,
}

/// An opened file's key and what is encrypted how.
pub(super) struct Cipher {
    /// None where only a password gives it, and the file can be read without.
    key: Option<Vec<u8>>,
    streams: Method,
    strings: Method,
    files: Method,
    metadata: bool,
    /// The crypt filters that a stream may name for itself.
    filters: HashMap<Vec<u8>, Method>,
}

/// What a stream is, as far as its encryption depends on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream<'d> {
    pub(super) number: u32,
    pub(super) generation: u32,
    pub(super) dictionary: &'d Dictionary,
    /// Whether it is an embedded file's.
    pub(super) embedded: bool,
    /// The crypt filter that it names for itself.
    pub(super) own_filter: Option<&'d [u8]>,
}

/// §7.6.4.3.2: what stands in for the end of a password.
const PADDING: [u8; 32] = [
    0x28, 0xBF, 0x4E, 0x5E, 0x4E, 0x75, 0x8A, 0x41, 0x64, 0x00, 0x4E, 0x56, 0xFF, 0xFA, 0x01, 0x08, 0x2E,
    0x2E, 0x00, 0xB6, 0xD0, 0x68, 0x3E, 0x80, 0x2F, 0x0C, 0xA9, 0xFE, 0x64, 0x53, 0x69, 0x7A,
];

impl Cipher {
    /// Opens a file with an empty password.
    pub(super) fn open(encrypt: &Dictionary, id: &[u8], file: &File<'_>) -> Result<Self, Closed> {
        let number = |key| file.get(encrypt, key).and_then(Object::number);
        let version = number("V").unwrap_or_default();
        let metadata = file.get(encrypt, "EncryptMetadata") != Some(&Object::Boolean(false));
        let filters = if version < 4.0 { HashMap::new() } else { filters(encrypt, file) };
        let method = |key, usual| match file.get(encrypt, key).and_then(Object::name) {
            Some(name) if version >= 4.0 => named(&filters, name),
            _ => usual,
        };
        let usual = if version < 4.0 { Method::Rc4 } else { Method::Identity };
        let (streams, strings) = (method("StmF", usual), method("StrF", usual));
        let files = method("EFF", streams);
        let standard = file.get(encrypt, "Filter").and_then(Object::name) == Some(b"Standard");
        let key = if standard { key_of(encrypt, id, file, metadata) } else { Err(Closed::Locked) };
        let key = match key {
            Ok(_) if [streams, strings].contains(&Method::Other) => return Err(Closed::Unknown),
            Ok(key) => Some(key),
            // Only some streams are encrypted, the attachments usually; the rest can be read without any key.
            Err(_) if (streams, strings) == (Method::Identity, Method::Identity) => None,
            Err(closed) => return Err(closed),
        };
        Ok(Self { key, streams, strings, files, metadata, filters })
    }

    /// Whether what is encrypted in the file needs a password.
    pub(super) fn is_locked(&self) -> bool {
        self.key.is_none()
    }

    /// The octets of a stream, in the clear. An error of [`Reason::Format`] is one that stays encrypted.
    pub(super) fn stream<'d>(&self, stream: Stream<'_>, data: &'d [u8]) -> Result<Cow<'d, [u8]>, Reason> {
        let method = match stream.own_filter {
            _ if stream.dictionary.is("Type", "XRef") => Method::Identity,
            Some(name) => named(&self.filters, name),
            None if stream.dictionary.is("Type", "Metadata") && !self.metadata => Method::Identity,
            None if stream.embedded => self.files,
            None => self.streams,
        };
        self.decrypt(method, stream.number, stream.generation, data).ok_or(Reason::Format)
    }

    pub(super) fn string<'d>(&self, number: u32, generation: u32, data: &'d [u8]) -> Cow<'d, [u8]> {
        self.decrypt(self.strings, number, generation, data).unwrap_or_default()
    }

    fn decrypt<'d>(
        &self,
        method: Method,
        number: u32,
        generation: u32,
        data: &'d [u8],
    ) -> Option<Cow<'d, [u8]>> {
        if method == Method::Identity {
            return Some(Cow::Borrowed(data));
        }
        let key = self.key.as_deref()?;
        Some(Cow::Owned(match method {
            Method::Rc4 => Rc4::new(&object_key(key, number, generation, b"")).apply(data),
            Method::Aes128 => aes(&object_key(key, number, generation, b"sAlT"), data),
            Method::Aes256 => aes(key, data),
            Method::Identity | Method::Other => return None,
        }))
    }
}

/// §7.6.3.2, algorithm 1.
fn object_key(key: &[u8], number: u32, generation: u32, salt: &[u8]) -> Vec<u8> {
    let (number, generation) = (number.to_le_bytes(), generation.to_le_bytes());
    let low = |bytes: &'_ [u8; 4], count| bytes.iter().copied().take(count).collect::<Vec<u8>>();
    let mut own = crypto::md5(&[key, &low(&number, 3), &low(&generation, 2), salt]);
    own.truncate(key.len() + 5);
    own
}

/// The initialisation vector stands before the data, and a padding after them.
fn aes(key: &[u8], data: &[u8]) -> Vec<u8> {
    let Some((iv, data)) = data.split_at_checked(16) else { return Vec::new() };
    let mut clear = Aes::new(key).map(|cipher| cipher.decrypt_chain(iv, data)).unwrap_or_default();
    if let Some(padding @ 1..=16) = clear.last().copied() {
        clear.truncate(clear.len().saturating_sub(usize::from(padding)));
    }
    clear
}

/// The crypt filters of the file (§7.6.6), and what each does.
fn filters(encrypt: &Dictionary, file: &File<'_>) -> HashMap<Vec<u8>, Method> {
    let filters = file.inner(encrypt, "CF").into_iter().flat_map(|filters| &filters.0);
    let method = |filter| {
        let filter = file.resolve(filter).and_then(Object::dictionary);
        match filter.and_then(|filter| file.get(filter, "CFM")?.name()) {
            Some(b"V2") => Method::Rc4,
            Some(b"AESV2") => Method::Aes128,
            Some(b"AESV3") => Method::Aes256,
            // Without a method, whoever made the file decrypts it in a way of their own.
            _ => Method::Other,
        }
    };
    filters.map(|(name, filter)| (name.clone(), method(filter))).collect()
}

/// Identity needs no entry, and none changes it.
fn named(filters: &HashMap<Vec<u8>, Method>, name: &[u8]) -> Method {
    match name {
        b"Identity" => Method::Identity,
        _ => filters.get(name).copied().unwrap_or(Method::Other),
    }
}

/// The file's key, if an empty password gives it: the user's, or the owner's, which opens the file for everyone too.
fn key_of(encrypt: &Dictionary, id: &[u8], file: &File<'_>, metadata: bool) -> Result<Vec<u8>, Closed> {
    let string = |key| file.get(encrypt, key).and_then(Object::string).ok_or(Closed::Unknown);
    let number = |key| file.get(encrypt, key).and_then(Object::number);
    let revision = number("R").ok_or(Closed::Unknown)?;
    let (user, owner) = (string("U")?, string("O")?);
    if revision >= 5.0 {
        let hardened = revision >= 6.0;
        return match long_key(user, string("UE")?, b"", hardened) {
            Err(Closed::Locked) => {
                long_key(owner, string("OE")?, user.get(..48).ok_or(Closed::Unknown)?, hardened)
            }
            key => key,
        };
    }
    let octets = match number("Length") {
        _ if revision < 3.0 => 5,
        Some(bits) if (40.0..=128.0).contains(&bits) => [5_usize, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
            .into_iter()
            .find(|octets| u32::try_from(octets * 8).is_ok_and(|size| f64::from(size) >= bits))
            .unwrap_or(16),
        // Some write octets for bits; with AES it is always 16.
        _ => {
            if number("V") == Some(4.0) {
                16
            } else {
                5
            }
        }
    };
    let permissions = number("P").ok_or(Closed::Unknown)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "32 bits, with or without sign, as programs write them"
    )]
    let permissions = (permissions as i64).to_le_bytes();
    let unencrypted: &[u8] = if revision >= 4.0 && !metadata { &[0xFF; 4] } else { &[] };
    let permissions = permissions.get(..4).unwrap_or_default();
    let owner = owner.get(..32).unwrap_or(owner);
    let repeated = revision >= 3.0;
    let short = |password: &[u8]| {
        let key = short_key(&[password, owner, permissions, id, unencrypted], octets, repeated);
        let proves = if repeated {
            let proof = rounds(0..20, &key, &crypto::md5(&[&PADDING, id]));
            user.get(..16) == Some(&*proof)
        } else {
            user.get(..32) == Some(&*Rc4::new(&key).apply(&PADDING))
        };
        proves.then_some(key)
    };
    let of_owner = || {
        // §7.6.4.4.4, algorithm 7: the owner's password gives the user's.
        let key = short_key(&[&PADDING], octets, repeated);
        let last = if repeated { 20 } else { 1 };
        short(&rounds((0..last).rev(), &key, owner))
    };
    short(&PADDING).or_else(of_owner).ok_or(Closed::Locked)
}

/// §7.6.4.3.2, algorithm 2: a password of 32 octets and what is hashed with it.
fn short_key(parts: &[&[u8]], octets: usize, repeated: bool) -> Vec<u8> {
    let mut key = crypto::md5(parts);
    key.truncate(octets);
    for _ in 0..if repeated { 50 } else { 0 } {
        key = crypto::md5(&[&key]);
        key.truncate(octets);
    }
    key
}

/// Encrypts with the key, each of whose octets is changed by the number of the round.
fn rounds(numbers: impl Iterator<Item = u8>, key: &[u8], data: &[u8]) -> Vec<u8> {
    numbers.fold(data.to_vec(), |data, round| {
        let round_key: Vec<u8> = key.iter().map(|octet| octet ^ round).collect();
        Rc4::new(&round_key).apply(&data)
    })
}

/// §7.6.4.3.3, algorithm 2.A, for the empty password; the owner's is hashed with what proves the user's.
fn long_key(proofs: &[u8], encrypted: &[u8], user: &[u8], hardened: bool) -> Result<Vec<u8>, Closed> {
    let (proof, rest) = proofs.split_at_checked(32).ok_or(Closed::Unknown)?;
    let (validation, rest) = rest.split_at_checked(8).ok_or(Closed::Unknown)?;
    let key_salt = rest.get(..8).ok_or(Closed::Unknown)?;
    let hash = |salt: &[u8]| {
        if hardened { hardened_hash(salt, user) } else { crypto::sha256(&[salt, user]) }
    };
    if hash(validation) != proof {
        return Err(Closed::Locked);
    }
    let cipher = Aes::new(&hash(key_salt)).ok_or(Closed::Unknown)?;
    Ok(cipher.decrypt_chain(&[0; 16], encrypted.get(..32).ok_or(Closed::Unknown)?))
}

/// §7.6.4.3.4, algorithm 2.B, for the empty password.
fn hardened_hash(salt: &[u8], user: &[u8]) -> Vec<u8> {
    let mut key = crypto::sha256(&[salt, user]);
    for round in 0_usize.. {
        let (Some(aes_key), Some(iv)) = (key.get(..16), key.get(16..32)) else { break };
        let encrypted =
            Aes::new(aes_key).map(|cipher| cipher.encrypt_chain(iv, &[&key, user].concat().repeat(64)));
        let encrypted = encrypted.unwrap_or_default();
        let sum: u32 = encrypted.iter().take(16).map(|octet| u32::from(*octet)).sum();
        let last = encrypted.last().copied().unwrap_or_default();
        key = match sum % 3 {
            0 => crypto::sha256(&[&encrypted]),
            1 => crypto::sha384(&[&encrypted]),
            _ => crypto::sha512(&[&encrypted]),
        };
        if round >= 63 && usize::from(last) + 32 <= round + 1 {
            break;
        }
    }
    key.truncate(32);
    key
}
