//! Octets taken one after the other, numbers with their least octet first; nothing can be taken beyond the end.

#![deny(clippy::disallowed_methods)]

/// What is left to take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Octets<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Octets<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// The octets from a place on.
    pub(super) fn at(bytes: &'a [u8], place: usize) -> Option<Self> {
        bytes.get(place..).map(Self::new)
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    /// A length of four octets, as one of this machine.
    pub(super) fn length(&mut self) -> Option<usize> {
        self.u32().and_then(|length| usize::try_from(length).ok())
    }

    /// A string up to its zero octet, which is taken too.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|octet| *octet == 0)?;
        let taken = self.take(end)?;
        self.take(1)?;
        Some(taken)
    }
}
