//! The password that Microsoft Office tries by itself, and the ciphers of its formats under a password (MS-OFFCRYPTO).

#![deny(clippy::disallowed_methods)]

use super::crypto::{self, Aes, Rc4};
use super::places::{size_at, slice, to_utf16, u16_at, u32_at};
use crate::mime::transfer::{self, Encoding};

/// Excel opens whatever is encrypted with it without asking; so does everybody who knows that.
pub(super) const DEFAULT: &str = "VelvetSweatshop";

/// What PowerPoint tries.
pub(super) const PRESENTATION_DEFAULT: &str = "/01Hannes Ruescher/01";

/// RC4 with keys for blocks, as old formats have it.
pub(super) enum BlockCipher {
    /// §2.3.6: the hash of password and salt.
    Short { hash: Vec<u8> },
    /// §2.3.5: CryptoAPI's.
    Long { hash: Vec<u8>, octets: usize },
}

impl BlockCipher {
    /// The cipher that a header of RC4 describes, if the password is right.
    pub(super) fn short(header: &[u8], password: &str) -> Option<Self> {
        let salt = slice(header, 0, 16)?;
        let verifier = slice(header, 16, 16)?;
        let proof = slice(header, 32, 16)?;
        let password = crypto::md5(&[&to_utf16(password)]);
        let half = password.get(..5)?;
        let repeated = [half, salt].concat().repeat(16);
        let hash = crypto::md5(&[&repeated]).get(..5)?.to_vec();
        let cipher = Self::Short { hash };
        let mut stream = cipher.block(0);
        let verifier = stream.apply(verifier);
        (crypto::md5(&[&verifier]) == stream.apply(proof)).then_some(cipher)
    }

    /// The cipher that an encryption header of CryptoAPI with its verifier describes (§2.3.5.1), if it is RC4 and the
    /// password is right.
    pub(super) fn long(info: &[u8], password: &str) -> Option<Self> {
        const RC4: u32 = 0x6801;
        let header = slice(info, 8, size_at(info, 4)?)?;
        if u32_at(header, 8)? != RC4 {
            return None;
        }
        let bits = match size_at(header, 16)? {
            0 => 40,
            bits => bits,
        };
        let verifier = info.get(8 + header.len()..)?;
        let salt = slice(verifier, 4, 16)?;
        let hash = crypto::sha1(&[salt, &to_utf16(password)]);
        let cipher = Self::Long { hash, octets: (bits / 8).min(20) };
        let mut stream = cipher.block(0);
        let secret = stream.apply(slice(verifier, 20, 16)?);
        let proof = stream.apply(slice(verifier, 40, 20)?);
        (crypto::sha1(&[&secret]) == proof).then_some(cipher)
    }

    /// The key stream of one block.
    pub(super) fn block(&self, number: u32) -> Rc4 {
        let number = number.to_le_bytes();
        match self {
            Self::Short { hash } => Rc4::new(&crypto::md5(&[hash, &number])),
            Self::Long { hash, octets } => {
                let mut key = crypto::sha1(&[hash, &number]);
                key.truncate(*octets);
                // Forty bits are written as a key of 128 whose other bits are zero.
                if *octets == 5 {
                    key.resize(16, 0);
                }
                Rc4::new(&key)
            }
        }
    }
}

/// The package in an encrypted OOXML document (§2.3.4), if the password is right; `Err` if nobody can say.
pub(super) fn open_package(info: &[u8], package: &[u8], password: &str) -> Option<Vec<u8>> {
    let size = size_at(package, 0)?;
    let data = package.get(8..)?;
    let mut clear = match (u16_at(info, 0)?, u16_at(info, 2)?) {
        (4, 4) => agile(std::str::from_utf8(info.get(8..)?).ok()?, data, password)?,
        (2..=4, 2) => standard(info.get(4..)?, data, password)?,
        _ => return None,
    };
    clear.truncate(size);
    Some(clear)
}

/// §2.3.4.7.
fn standard(info: &[u8], data: &[u8], password: &str) -> Option<Vec<u8>> {
    let header = slice(info, 8, size_at(info, 4)?)?;
    let octets = size_at(header, 16)? / 8;
    let verifier = info.get(8 + header.len()..)?;
    let mut hash = crypto::sha1(&[slice(verifier, 4, 16)?, &to_utf16(password)]);
    for round in 0..50_000_u32 {
        hash = crypto::sha1(&[&round.to_le_bytes(), &hash]);
    }
    hash = crypto::sha1(&[&hash, &[0; 4]]);
    let half = |fill: u8| {
        let mut block = [fill; 64];
        for (octet, other) in block.iter_mut().zip(&hash) {
            *octet ^= other;
        }
        crypto::sha1(&[&block])
    };
    let key = [half(0x36), half(0x5C)].concat();
    let cipher = Aes::new(key.get(..octets)?)?;
    let secret = cipher.decrypt(slice(verifier, 20, 16)?);
    let proof = cipher.decrypt(slice(verifier, 40, 32)?);
    (Some(&*crypto::sha1(&[&secret])) == proof.get(..20)).then(|| cipher.decrypt(data))
}

/// §2.3.4.10 and the following.
fn agile(xml: &str, data: &[u8], password: &str) -> Option<Vec<u8>> {
    /// A document that asks for more rounds is not one that Office tries its own password on in passing.
    const ROUNDS: u32 = 1_000_000;
    const SEGMENT: usize = 4096;
    let of_data = xml.split("<keyData").nth(1)?;
    let of_key = xml.split("encryptedKey ").nth(1)?;
    let key_hash = Hash::named(attribute(of_key, "hashAlgorithm")?)?;
    let salt = octets(of_key, "saltValue")?;
    let rounds: u32 = attribute(of_key, "spinCount")?.parse().ok().filter(|rounds| *rounds <= ROUNDS)?;
    let length = attribute(of_key, "keyBits")?.parse::<usize>().ok()? / 8;
    let mut hash = key_hash.of(&[&salt, &to_utf16(password)]);
    for round in 0..rounds {
        hash = key_hash.of(&[&round.to_le_bytes(), &hash]);
    }
    let opened = |purpose: &[u8], name: &str| {
        let mut key = key_hash.of(&[&hash, purpose]);
        key.resize(length, 0x36);
        Some(Aes::new(&key)?.decrypt_chain(&salt, &octets(of_key, name)?))
    };
    let secret = opened(&[0xFE, 0xA7, 0xD2, 0x76, 0x3B, 0x4B, 0x9E, 0x79], "encryptedVerifierHashInput")?;
    let proof = opened(&[0xD7, 0xAA, 0x0F, 0x6D, 0x30, 0x61, 0x34, 0x4E], "encryptedVerifierHashValue")?;
    let secret = secret.get(..salt.len()).unwrap_or(&secret);
    let expected = key_hash.of(&[secret]);
    if proof.get(..expected.len()) != Some(&*expected) {
        return None;
    }
    let key = opened(&[0x14, 0x6E, 0x0B, 0xE7, 0xAB, 0xAC, 0xD0, 0xD6], "encryptedKeyValue")?;
    let cipher = Aes::new(key.get(..length)?)?;
    let data_hash = Hash::named(attribute(of_data, "hashAlgorithm")?)?;
    let data_salt = octets(of_data, "saltValue")?;
    let segments = data.chunks(SEGMENT).zip(0_u32..).flat_map(|(segment, number)| {
        let mut iv = data_hash.of(&[&data_salt, &number.to_le_bytes()]);
        iv.resize(16, 0x36);
        cipher.decrypt_chain(&iv, segment)
    });
    Some(segments.collect())
}

/// The hashes of agile encryption.
#[derive(Clone, Copy)]
enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn named(name: &str) -> Option<Self> {
        match name {
            "SHA1" | "SHA-1" => Some(Self::Sha1),
            "SHA256" | "SHA-256" => Some(Self::Sha256),
            "SHA384" | "SHA-384" => Some(Self::Sha384),
            "SHA512" | "SHA-512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn of(self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha1 => crypto::sha1(parts),
            Self::Sha256 => crypto::sha256(parts),
            Self::Sha384 => crypto::sha384(parts),
            Self::Sha512 => crypto::sha512(parts),
        }
    }
}

/// The value of the first attribute of that name.
fn attribute<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    xml.split(&format!("{name}=\"")).nth(1)?.split('"').next()
}

fn octets(xml: &str, name: &str) -> Option<Vec<u8>> {
    let value = attribute(xml, name)?;
    Some(transfer::decode(Encoding::Base64, value.as_bytes()).0.into_owned())
}
