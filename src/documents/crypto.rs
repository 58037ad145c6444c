//! Ciphers and hashes, as the formats of documents use them to be read with passwords that everyone knows. Nothing of
//! ours is protected by them.

#![deny(clippy::disallowed_methods)]

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256, Block};

pub(super) fn md5(parts: &[&[u8]]) -> Vec<u8> {
    hash::<md5::Md5>(parts)
}

pub(super) fn sha1(parts: &[&[u8]]) -> Vec<u8> {
    hash::<sha1::Sha1>(parts)
}

pub(super) fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    hash::<sha2::Sha256>(parts)
}

pub(super) fn sha384(parts: &[&[u8]]) -> Vec<u8> {
    hash::<sha2::Sha384>(parts)
}

pub(super) fn sha512(parts: &[&[u8]]) -> Vec<u8> {
    hash::<sha2::Sha512>(parts)
}

fn hash<H: sha1::Digest>(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().fold(H::new(), H::chain_update).finalize().to_vec()
}

/// The stream cipher RC4, which is its own inverse; a key without octets changes nothing.
#[derive(Clone, Debug)]
pub(super) struct Rc4 {
    state: [u8; 256],
    i: u8,
    j: u8,
}

impl Rc4 {
    pub(super) fn new(key: &[u8]) -> Self {
        let mut cipher =
            Self { state: std::array::from_fn(|at| u8::try_from(at).unwrap_or_default()), i: 0, j: 0 };
        for (at, key) in (0..=255_u8).zip(key.iter().cycle()) {
            cipher.j = cipher.j.wrapping_add(cipher.at(at)).wrapping_add(*key);
            cipher.state.swap(usize::from(at), usize::from(cipher.j));
        }
        cipher.j = 0;
        cipher
    }

    /// The next octet of the key stream.
    pub(super) fn octet(&mut self) -> u8 {
        self.i = self.i.wrapping_add(1);
        self.j = self.j.wrapping_add(self.at(self.i));
        self.state.swap(usize::from(self.i), usize::from(self.j));
        self.at(self.at(self.i).wrapping_add(self.at(self.j)))
    }

    pub(super) fn apply(&mut self, data: &[u8]) -> Vec<u8> {
        data.iter().map(|octet| octet ^ self.octet()).collect()
    }

    fn at(&self, at: u8) -> u8 {
        self.state.get(usize::from(at)).copied().unwrap_or_default()
    }
}

/// AES with a key of any of its lengths.
pub(super) enum Aes {
    Short(Aes128),
    Middle(Aes192),
    Long(Aes256),
}

impl Aes {
    /// `None` for a key of another length.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128::new_from_slice(key).ok().map(Self::Short),
            24 => Aes192::new_from_slice(key).ok().map(Self::Middle),
            32 => Aes256::new_from_slice(key).ok().map(Self::Long),
            _ => None,
        }
    }

    /// Whole blocks, each for itself; octets beyond the last one are dropped.
    pub(super) fn decrypt(&self, data: &[u8]) -> Vec<u8> {
        self.blocks(data, |cipher, block, _| cipher.decrypt_block(block), &[])
    }

    /// Whole blocks, chained.
    pub(super) fn decrypt_chain(&self, iv: &[u8], data: &[u8]) -> Vec<u8> {
        let decrypt = |cipher: &Self, block: &mut Block, previous: &[u8]| {
            cipher.decrypt_block(block);
            mix(block, previous);
        };
        self.blocks(data, decrypt, iv)
    }

    /// Whole blocks, chained.
    pub(super) fn encrypt_chain(&self, iv: &[u8], data: &[u8]) -> Vec<u8> {
        let mut out: Vec<u8> = Vec::with_capacity(data.len());
        let mut previous = iv.to_vec();
        for chunk in data.as_chunks::<16>().0 {
            let mut block = Block::from(*chunk);
            mix(&mut block, &previous);
            self.encrypt_block(&mut block);
            out.extend_from_slice(&block);
            previous = block.to_vec();
        }
        out
    }

    /// Each block is given with the encrypted block before it.
    fn blocks(&self, data: &[u8], each: impl Fn(&Self, &mut Block, &[u8]), iv: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.len());
        let mut previous = iv;
        for chunk in data.as_chunks::<16>().0 {
            let mut block = Block::from(*chunk);
            each(self, &mut block, previous);
            out.extend_from_slice(&block);
            previous = chunk;
        }
        out
    }

    fn decrypt_block(&self, block: &mut Block) {
        match self {
            Self::Short(cipher) => cipher.decrypt_block(block),
            Self::Middle(cipher) => cipher.decrypt_block(block),
            Self::Long(cipher) => cipher.decrypt_block(block),
        }
    }

    fn encrypt_block(&self, block: &mut Block) {
        match self {
            Self::Short(cipher) => cipher.encrypt_block(block),
            Self::Middle(cipher) => cipher.encrypt_block(block),
            Self::Long(cipher) => cipher.encrypt_block(block),
        }
    }
}

fn mix(block: &mut Block, with: &[u8]) {
    for (octet, other) in block.iter_mut().zip(with) {
        *octet ^= other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rc4_as_published() {
        // RFC 6229 §2: a key of 40 bits.
        let stream: Vec<u8> = Rc4::new(&[1, 2, 3, 4, 5]).apply(&[0; 8]);
        assert_eq!(stream, [0xb2, 0x39, 0x63, 0x05, 0xf0, 0x3d, 0xc0, 0x27]);
    }

    #[test]
    fn aes_as_published() {
        // NIST SP 800-38A, F.2.1 and F.1.1: one block.
        let key =
            [0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c];
        let iv: Vec<u8> = (0..16).collect();
        let clear =
            [0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93, 0x17, 0x2a];
        let cipher = Aes::new(&key).unwrap();
        let encrypted = cipher.encrypt_chain(&iv, &clear);
        assert_eq!(encrypted[..4], [0x76, 0x49, 0xab, 0xac]);
        assert_eq!(cipher.decrypt_chain(&iv, &encrypted), clear);
        assert_eq!(
            cipher.decrypt(&[
                0x3a, 0xd7, 0x7b, 0xb4, 0x0d, 0x7a, 0x36, 0x60, 0xa8, 0x9e, 0xca, 0xf3, 0x24, 0x66, 0xef,
                0x97
            ]),
            clear
        );
        assert!(Aes::new(&[0; 15]).is_none());
    }
}
