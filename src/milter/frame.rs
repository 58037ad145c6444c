//! Frames: a length, a command byte and its payload.

#![deny(clippy::disallowed_methods)]

use std::fmt;

use thiserror::Error;

use crate::limits;

/// Octets of the length that precedes each frame.
pub const PREFIX: usize = 4;

/// One frame, borrowed from the read buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The command byte.
    pub command: u8,
    /// What follows it.
    pub payload: &'a [u8],
}

/// What is no frame. Nothing that follows it can be read, so it ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Not even a command byte.
    #[error("frame of length 0")]
    Empty,
    /// More than [`limits::FRAME_OCTETS`].
    #[error("frame of {length} bytes, more than the maximum of {max}{hint}", max = limits::FRAME_OCTETS)]
    TooLong {
        /// The announced length.
        length: u32,
        /// What else the peer may be speaking.
        hint: Hint,
    },
}

/// What protocol the four octets of an impossible length belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// A request line.
    Http,
    /// A client hello.
    Tls,
    /// A command of a mail client.
    Smtp,
    /// Not known.
    None,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http => f.write_str("; the client speaks HTTP"),
            Self::Tls => f.write_str("; the client speaks TLS"),
            Self::Smtp => f.write_str("; the client speaks SMTP"),
            Self::None => Ok(()),
        }
    }
}

/// The first frame in `buffer` and its octets in all; `None` until it is complete.
pub fn decode(buffer: &[u8]) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    let Some((prefix, rest)) = buffer.split_first_chunk::<PREFIX>() else { return Ok(None) };
    let length = checked_length(*prefix)?;
    let frame = rest.get(..length).and_then(<[u8]>::split_first);
    Ok(frame.map(|(&command, payload)| (Frame { command, payload }, PREFIX + length)))
}

/// Octets that the incomplete frame in `buffer` still lacks, as far as its length is known.
pub fn missing(buffer: &[u8]) -> usize {
    buffer
        .first_chunk::<PREFIX>()
        .and_then(|prefix| checked_length(*prefix).ok())
        .map_or(PREFIX, |length| PREFIX + length)
        .saturating_sub(buffer.len())
}

/// Writes a frame: its length is known once `payload` has written.
pub fn encode(out: &mut Vec<u8>, command: u8, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, command]);
    payload(out);
    let length = u32::try_from(out.len() - start - PREFIX).unwrap_or(u32::MAX);
    if let Some(prefix) = out.get_mut(start..start + PREFIX) {
        prefix.copy_from_slice(&length.to_be_bytes());
    }
}

fn checked_length(prefix: [u8; PREFIX]) -> Result<usize, FrameError> {
    let length = u32::from_be_bytes(prefix);
    match usize::try_from(length) {
        Ok(0) => Err(FrameError::Empty),
        Ok(octets) if octets <= limits::FRAME_OCTETS => Ok(octets),
        _ => Err(FrameError::TooLong { length, hint: hint(prefix) }),
    }
}

fn hint(prefix: [u8; PREFIX]) -> Hint {
    match &prefix {
        b"GET " | b"POST" | b"HEAD" | b"PUT " | b"OPTI" | b"CONN" | b"PRI " => Hint::Http,
        [0x16, 0x03, ..] => Hint::Tls,
        b"EHLO" | b"HELO" | b"QUIT" | b"STAR" => Hint::Smtp,
        _ => Hint::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_when_it_is_complete() {
        let wire = b"\0\0\0\x03Lab\0";
        for cut in 0..7 {
            assert_eq!(decode(&wire[..cut]), Ok(None));
        }
        assert_eq!(decode(wire), Ok(Some((Frame { command: b'L', payload: b"ab" }, 7))));
        assert_eq!((missing(b"\0\0"), missing(&wire[..5])), (2, 2));
    }

    #[test]
    fn lengths_that_cannot_be() {
        assert_eq!(decode(&[0; 4]), Err(FrameError::Empty));
        for length in [65_537, 0x8000_0001, u32::MAX] {
            let error = decode(&length.to_be_bytes()).unwrap_err();
            assert_eq!(error, FrameError::TooLong { length, hint: Hint::None });
        }
        assert_eq!(decode(&65_536_u32.to_be_bytes()), Ok(None));
    }

    #[test]
    fn other_protocols_are_named() {
        for (bytes, name) in
            [(b"GET / HTTP/1.1", "HTTP"), (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03abc", "TLS")]
        {
            assert!(decode(bytes).unwrap_err().to_string().contains(name));
        }
    }

    #[test]
    fn encoding_counts_the_command() {
        let mut out = Vec::new();
        encode(&mut out, b'q', |out| out.extend_from_slice(b"why\0"));
        assert_eq!(out, b"\0\0\0\x05qwhy\0");
    }
}
