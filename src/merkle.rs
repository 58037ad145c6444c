//! The Merkle tree of RFC 6962 §2.1, kept as its frontier, and the salted commitments that its leaves are made of.
//!
//! A leaf is the hash over one commitment for each field of a record. A field that is masked or deleted is replaced by
//! its commitment: the leaf stays what it was, and the value cannot be guessed, because the salt is gone with it.

#![deny(clippy::disallowed_methods)]

use std::ops::Range;

use sha2::{Digest as _, Sha256};

/// SHA-256.
pub type Hash = [u8; 32];

/// The salt of one record.
pub type Salt = [u8; 16];

/// The salt of one field. It tells nothing about the record's salt, nor about that of another field.
pub fn field_salt(salt: &Salt, field: u8) -> Hash {
    Sha256::new().chain_update(salt).chain_update([field]).finalize().into()
}

/// The commitment to a field's value under the field's salt.
pub fn commitment(field_salt: &Hash, value: &[u8]) -> Hash {
    Sha256::new().chain_update(field_salt).chain_update(value).finalize().into()
}

/// The hash over the commitments to all fields of a record, in their order.
pub fn record_hash(commitments: impl IntoIterator<Item = Hash>) -> Hash {
    commitments.into_iter().fold(Sha256::new(), Sha256::chain_update).finalize().into()
}

/// The hash of the record with these values.
pub fn hash_of(salt: &Salt, values: &[&[u8]]) -> Hash {
    record_hash((0_u8..).zip(values).map(|(field, value)| commitment(&field_salt(salt, field), value)))
}

/// The leaf of the record with that number, from 1: its hash as RFC 6962 hashes a leaf's data. The data begin with the
/// form of the leaf, which says what the hash is over.
pub fn leaf(form: u8, seq: u64, record_hash: &Hash) -> Hash {
    let begun = Sha256::new().chain_update([0, form]);
    begun.chain_update(seq.to_be_bytes()).chain_update(record_hash).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// A tree that grows at its end: how many leaves it has, and the roots of its whole parts, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    frontier: Vec<Hash>,
}

impl Tree {
    /// The tree with that many leaves and that frontier, as [`Tree::octets`] wrote it.
    pub fn read(size: u64, octets: &[u8]) -> Option<Self> {
        let (frontier, rest) = octets.as_chunks::<32>();
        let fits = rest.is_empty() && frontier.len() == size.count_ones() as usize;
        fits.then(|| Self { size, frontier: frontier.to_vec() })
    }

    /// The frontier's hashes, one after the other.
    pub fn octets(&self) -> Vec<u8> {
        self.frontier.concat()
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.frontier.pop() {
                hash = node(&left, &hash);
            }
        }
        self.frontier.push(hash);
        self.size += 1;
    }

    /// Its root (RFC 6962 §2.1).
    pub fn root(&self) -> Hash {
        let mut parts = self.frontier.iter().rev();
        match parts.next() {
            None => Sha256::digest([]).into(),
            Some(last) => parts.fold(*last, |right, left| node(left, &right)),
        }
    }
}

/// The parts of a tree of `size` leaves that hold none of `wanted` (numbers of leaves, from 0, ascending), in order.
/// With the roots of these parts and the wanted leaves, the root of the whole can be computed.
pub fn others(size: u64, wanted: &[u64]) -> Vec<Range<u64>> {
    let mut found = Vec::new();
    if size > 0 {
        collect_others(0..size, wanted, &mut found);
    }
    found
}

fn collect_others(part: Range<u64>, wanted: &[u64], found: &mut Vec<Range<u64>>) {
    let inside = within(wanted, &part);
    if inside.is_empty() {
        found.push(part);
    } else if part.end - part.start > 1 {
        let middle = part.start + half(part.end - part.start);
        collect_others(part.start..middle, inside, found);
        collect_others(middle..part.end, inside, found);
    }
}

/// The root of a tree of `size` leaves of which some are known (number and leaf, ascending), with the roots of the
/// parts that [`others`] names. `None` where there are too few or too many of these.
pub fn root_of(size: u64, known: &[(u64, Hash)], others: &[Hash]) -> Option<Hash> {
    let mut others = others.iter();
    let root = if size == 0 { Tree::default().root() } else { part_root(0..size, known, &mut others)? };
    others.next().is_none().then_some(root)
}

fn part_root(
    part: Range<u64>,
    known: &[(u64, Hash)],
    others: &mut std::slice::Iter<'_, Hash>,
) -> Option<Hash> {
    let from = known.partition_point(|(at, _)| *at < part.start);
    let to = known.partition_point(|(at, _)| *at < part.end);
    let inside = known.get(from..to)?;
    match inside {
        [] => others.next().copied(),
        [(_, leaf)] if part.end - part.start == 1 => Some(*leaf),
        _ if part.end - part.start == 1 => None,
        _ => {
            let middle = part.start + half(part.end - part.start);
            let left = part_root(part.start..middle, inside, others)?;
            Some(node(&left, &part_root(middle..part.end, inside, others)?))
        }
    }
}

/// The largest power of two below `size`.
fn half(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

fn within<'a>(wanted: &'a [u64], part: &Range<u64>) -> &'a [u64] {
    let from = wanted.partition_point(|at| *at < part.start);
    let to = wanted.partition_point(|at| *at < part.end);
    wanted.get(from..to).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::hex;

    fn rfc_leaf(data: &[u8]) -> Hash {
        Sha256::new().chain_update([0]).chain_update(data).finalize().into()
    }

    fn tree(leaves: &[Hash]) -> Tree {
        let mut tree = Tree::default();
        for leaf in leaves {
            tree.push(*leaf);
        }
        tree
    }

    /// The definition, word for word.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(usize::try_from(half(leaves.len() as u64)).unwrap());
                node(&defined(left), &defined(right))
            }
        }
    }

    #[test]
    fn roots_are_those_of_the_published_vectors() {
        // The inputs and roots of Certificate Transparency's own tests.
        let inputs: [&[u8]; 8] = [
            b"",
            b"\0",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let leaves: Vec<Hash> = inputs.iter().map(|input| rfc_leaf(input)).collect();
        for (size, root) in [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
            (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
            (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
            (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
        ] {
            assert_eq!(hex(&tree(&leaves[..size]).root()), root, "{size}");
        }
    }

    #[test]
    fn a_tree_is_what_its_definition_says_and_comes_back() {
        let leaves: Vec<Hash> = (0_u8..70).map(|n| rfc_leaf(&[n])).collect();
        for size in 0..leaves.len() {
            let grown = tree(&leaves[..size]);
            assert_eq!(grown.root(), defined(&leaves[..size]), "{size}");
            assert_eq!(Tree::read(grown.size(), &grown.octets()), Some(grown));
        }
        assert_eq!(Tree::read(3, &[0; 32]), None);
    }

    #[test]
    fn some_leaves_and_the_rest_as_hashes_make_the_root() {
        let leaves: Vec<Hash> = (0_u8..70).map(|n| rfc_leaf(&[n])).collect();
        for size in [1_u64, 2, 3, 8, 13, 64, 70] {
            for wanted in [vec![], vec![0], vec![size - 1], vec![0, size / 2, size - 1], (0..size).collect()]
            {
                let mut wanted: Vec<u64> = wanted;
                wanted.dedup();
                let at = |n: u64| usize::try_from(n).unwrap();
                let others: Vec<Hash> = others(size, &wanted)
                    .into_iter()
                    .map(|part| tree(&leaves[at(part.start)..at(part.end)]).root())
                    .collect();
                let mut known: Vec<(u64, Hash)> = wanted.iter().map(|n| (*n, leaves[at(*n)])).collect();
                let root = tree(&leaves[..at(size)]).root();
                assert_eq!(root_of(size, &known, &others), Some(root), "{wanted:?} of {size}");
                if let Some((_, leaf)) = known.first_mut() {
                    leaf[0] ^= 1;
                    assert_ne!(root_of(size, &known, &others), Some(root));
                }
                let more = [&others[..], &[[0; 32]]].concat();
                assert_eq!(root_of(size, &known, &more), None);
            }
        }
    }

    #[test]
    fn a_leaf_stands_with_a_field_that_is_masked() {
        let salt = [7; 16];
        let values: [&[u8]; 3] = ["a@exempelby.se".as_bytes(), "Ärende".as_bytes(), b""];
        let whole = hash_of(&salt, &values);
        let commitments =
            (0_u8..).zip(values).map(|(field, value)| commitment(&field_salt(&salt, field), value));
        assert_eq!(record_hash(commitments), whole);
        assert_ne!(hash_of(&[8; 16], &values), whole);
        assert_ne!(hash_of(&salt, &[values[1], values[0], values[2]]), whole);
        assert_ne!(leaf(1, 1, &whole), leaf(1, 2, &whole));
        assert_ne!(leaf(1, 1, &whole), leaf(2, 1, &whole));
    }
}
