//! Encryption of PDF (ISO 32000-2 §7.6): whoever has the user password can read the file, and where that is empty
//! anyone can, whatever the owner's password is.

#![deny(clippy::disallowed_methods)]

use std::borrow::Cow;

use super::file::File;
use super::object::{Dictionary, Object};
use crate::documents::Reason;
use crate::documents::crypto::{self, Aes, Rc4};

/// Why an encrypted file stays closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
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
    /// The file can be read, but not these.
    Locked,
}

/// An opened file's key and what is encrypted how.
pub(super) struct Cipher {
    key: Vec<u8>,
    streams: Method,
    strings: Method,
    files: Method,
    metadata: bool,
}

/// §7.6.4.3.2: what stands in for the end of a password.
const PADDING: [u8; 32] = [
    0x28, 0xBF, 0x4E, 0x5E, 0x4E, 0x75, 0x8A, 0x41, 0x64, 0x00, 0x4E, 0x56, 0xFF, 0xFA, 0x01, 0x08, 0x2E,
    0x2E, 0x00, 0xB6, 0xD0, 0x68, 0x3E, 0x80, 0x2F, 0x0C, 0xA9, 0xFE, 0x64, 0x53, 0x69, 0x7A,
];

impl Cipher {
    /// Opens a file with the empty user password.
    pub(super) fn open(encrypt: &Dictionary, id: &[u8], file: &File<'_>) -> Result<Self, Closed> {
        let number = |key| file.get(encrypt, key).and_then(Object::number);
        let version = number("V").unwrap_or_default();
        let metadata = file.get(encrypt, "EncryptMetadata") != Some(&Object::Boolean(false));
        let method = |key| method_of(encrypt, key, file);
        let (streams, strings) = if version < 4.0 {
            (Method::Rc4, Method::Rc4)
        } else {
            (method("StmF").unwrap_or(Method::Identity), method("StrF").unwrap_or(Method::Identity))
        };
        let files = if version < 4.0 { streams } else { method("EFF").unwrap_or(streams) };
        let standard = file.get(encrypt, "Filter").and_then(Object::name) == Some(b"Standard");
        let key = if standard { key_of(encrypt, id, file, metadata) } else { Err(Closed::Locked) };
        match key {
            Ok(key) => Ok(Self { key, streams, strings, files, metadata }),
            // Only the attachments are encrypted; the rest can be read without any key.
            Err(_) if (streams, strings) == (Method::Identity, Method::Identity) => {
                let files = Method::Locked;
                Ok(Self { key: Vec::new(), streams, strings, files, metadata })
            }
            Err(closed) => Err(closed),
        }
    }

    /// The octets of a stream, in the clear. An error of [`Reason::Format`] is one that stays encrypted.
    pub(super) fn stream<'d>(
        &self,
        number: u32,
        generation: u32,
        dictionary: &Dictionary,
        data: &'d [u8],
    ) -> Result<Cow<'d, [u8]>, Reason> {
        let own_filter = dictionary
            .get("Filter")
            .is_some_and(|filter| filter.items().iter().any(|filter| filter.name() == Some(b"Crypt")));
        let method = match () {
            () if dictionary.is("Type", "XRef") => Method::Identity,
            () if dictionary.is("Type", "Metadata") && !self.metadata => Method::Identity,
            () if dictionary.is("Type", "EmbeddedFile") => self.files,
            // The only one of that name that anybody writes is Identity, for metadata.
            () if own_filter => Method::Identity,
            () => self.streams,
        };
        if method == Method::Locked {
            return Err(Reason::Format);
        }
        Ok(self.decrypt(method, number, generation, data))
    }

    pub(super) fn string<'d>(&self, number: u32, generation: u32, data: &'d [u8]) -> Cow<'d, [u8]> {
        self.decrypt(self.strings, number, generation, data)
    }

    fn decrypt<'d>(&self, method: Method, number: u32, generation: u32, data: &'d [u8]) -> Cow<'d, [u8]> {
        match method {
            Method::Identity | Method::Locked => Cow::Borrowed(data),
            Method::Rc4 => Cow::Owned(Rc4::new(&self.object_key(number, generation, b"")).apply(data)),
            Method::Aes128 => Cow::Owned(aes(&self.object_key(number, generation, b"sAlT"), data)),
            Method::Aes256 => Cow::Owned(aes(&self.key, data)),
        }
    }

    /// §7.6.3.2, algorithm 1.
    fn object_key(&self, number: u32, generation: u32, salt: &[u8]) -> Vec<u8> {
        let (number, generation) = (number.to_le_bytes(), generation.to_le_bytes());
        let low = |bytes: &'_ [u8; 4], count| bytes.iter().copied().take(count).collect::<Vec<u8>>();
        let mut key = crypto::md5(&[&self.key, &low(&number, 3), &low(&generation, 2), salt]);
        key.truncate(self.key.len() + 5);
        key
    }
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

/// The method of the crypt filter that is named under `key`.
fn method_of(encrypt: &Dictionary, key: &str, file: &File<'_>) -> Option<Method> {
    let name = file.get(encrypt, key)?.name()?;
    let filters = file.inner(encrypt, "CF");
    let filter = filters.and_then(|filters| file.resolve(filters.0.get(name)?)?.dictionary());
    match filter.and_then(|filter| file.get(filter, "CFM")?.name()) {
        Some(b"V2") => Some(Method::Rc4),
        Some(b"AESV2") => Some(Method::Aes128),
        Some(b"AESV3") => Some(Method::Aes256),
        _ => Some(Method::Identity),
    }
}

/// The file's key, if the empty user password gives it.
fn key_of(encrypt: &Dictionary, id: &[u8], file: &File<'_>, metadata: bool) -> Result<Vec<u8>, Closed> {
    let string = |key| file.get(encrypt, key).and_then(Object::string).ok_or(Closed::Unknown);
    let number = |key| file.get(encrypt, key).and_then(Object::number);
    let revision = number("R").ok_or(Closed::Unknown)?;
    let user = string("U")?;
    if revision >= 5.0 {
        return long_key(user, string("UE")?, revision >= 6.0);
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
    let owner = string("O")?;
    let owner = owner.get(..32).unwrap_or(owner);
    let mut key = crypto::md5(&[&PADDING, owner, permissions, id, unencrypted]);
    key.truncate(octets);
    if revision >= 3.0 {
        for _ in 0..50 {
            key = crypto::md5(&[&key]);
            key.truncate(octets);
        }
    }
    let proves = if revision >= 3.0 {
        let mut proof = Rc4::new(&key).apply(&crypto::md5(&[&PADDING, id]));
        for round in 1..20 {
            let round_key: Vec<u8> = key.iter().map(|octet| octet ^ round).collect();
            proof = Rc4::new(&round_key).apply(&proof);
        }
        user.get(..16) == Some(&*proof)
    } else {
        user.get(..32) == Some(&*Rc4::new(&key).apply(&PADDING))
    };
    if proves { Ok(key) } else { Err(Closed::Locked) }
}

/// §7.6.4.3.3, algorithm 2.A.
fn long_key(user: &[u8], encrypted: &[u8], hardened: bool) -> Result<Vec<u8>, Closed> {
    let (proof, rest) = user.split_at_checked(32).ok_or(Closed::Unknown)?;
    let (validation, rest) = rest.split_at_checked(8).ok_or(Closed::Unknown)?;
    let key_salt = rest.get(..8).ok_or(Closed::Unknown)?;
    let hash = |salt: &[u8]| if hardened { hardened_hash(salt) } else { crypto::sha256(&[salt]) };
    if hash(validation) != proof {
        return Err(Closed::Locked);
    }
    let cipher = Aes::new(&hash(key_salt)).ok_or(Closed::Unknown)?;
    Ok(cipher.decrypt_chain(&[0; 16], encrypted.get(..32).ok_or(Closed::Unknown)?))
}

/// §7.6.4.3.4, algorithm 2.B, for the empty password.
fn hardened_hash(salt: &[u8]) -> Vec<u8> {
    let mut key = crypto::sha256(&[salt]);
    for round in 0_usize.. {
        let (Some(aes_key), Some(iv)) = (key.get(..16), key.get(16..32)) else { break };
        let encrypted = Aes::new(aes_key).map(|cipher| cipher.encrypt_chain(iv, &key.repeat(64)));
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
