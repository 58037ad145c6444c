//! Hands a command to the process that carries it out: the arguments over its socket, and with them the files that its output
//! and its errors go to.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::limits;

/// Hands it over and waits for its end. Its exit code; `None` where it was broken off.
pub fn hand_over(mut stream: UnixStream, asked: &[u8], files: [BorrowedFd<'_>; 2]) -> io::Result<Option<u8>> {
    if asked.len() > limits::OPERATOR_OCTETS {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the command is too long"));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    // There is space for these two.
    ancillary.push(SendAncillaryMessage::ScmRights(&files));
    let sent = sendmsg(&stream, &[IoSlice::new(asked)], &mut ancillary, SendFlags::NOSIGNAL)?;
    stream.write_all(asked.get(sent..).unwrap_or_default())?;
    stream.shutdown(Shutdown::Write)?;
    let mut code = [0];
    Ok((stream.read(&mut code)? == 1).then_some(code[0]))
}
