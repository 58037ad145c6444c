//! The bare responder: the least that a server of the protocol can do. It takes every no-reply bit, counts frames
//! without looking into them, and continues at the end of each message. What it does is what sockets cost.

#![allow(dead_code, reason = "each benchmark uses its part")]

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

use crate::load::Address;

/// Octets read at once.
const BUFFER_OCTETS: usize = 64 << 10;
/// Version 6, no actions, every no-reply bit.
const NEGOTIATED: &[u8] = b"\0\0\0\x0dO\0\0\0\x06\0\0\0\0\0\x0f\xf0\x80";
const CONTINUE: &[u8] = b"\0\0\0\x01c";

static FRAMES: AtomicU64 = AtomicU64::new(0);

/// Serves until the process ends.
pub(crate) async fn serve(address: Address) -> Result<()> {
    match address {
        Address::Unix(path) => {
            let listener = UnixListener::bind(path)?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(respond(stream));
            }
        }
        Address::Inet(address) => {
            let listener = TcpListener::bind(address).await?;
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                tokio::spawn(respond(stream));
            }
        }
    }
}

/// One connection, to its end; how it ends is the peer's affair.
async fn respond(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut buffer = vec![0; BUFFER_OCTETS];
    let mut filled = 0;
    let mut skip = 0;
    let mut replies = Vec::new();
    loop {
        let Ok(count @ 1..) = stream.read(buffer.get_mut(filled..).unwrap_or_default()).await else { return };
        filled += count;
        let used = count_frames(buffer.get(..filled).unwrap_or_default(), &mut skip, &mut replies);
        buffer.copy_within(used..filled, 0);
        filled -= used;
        if !replies.is_empty() {
            if stream.write_all(&replies).await.is_err() {
                return;
            }
            replies.clear();
        }
    }
}

/// Walks over whole frames; `skip` is what is still to come of the one before. Returns the octets that are done with.
fn count_frames(octets: &[u8], skip: &mut usize, replies: &mut Vec<u8>) -> usize {
    let mut at = (*skip).min(octets.len());
    *skip -= at;
    let mut frames = 0;
    while let Some((&[a, b, c, d, command], _)) = octets.get(at..).and_then(|rest| rest.split_first_chunk()) {
        let end = at + 4 + u32::from_be_bytes([a, b, c, d]) as usize;
        frames += 1;
        match command {
            b'O' => replies.extend_from_slice(NEGOTIATED),
            b'E' => replies.extend_from_slice(CONTINUE),
            _ => {}
        }
        at = end.min(octets.len());
        *skip = end - at;
    }
    FRAMES.fetch_add(frames, Ordering::Relaxed);
    at
}
