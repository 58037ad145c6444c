//! What filter and worker say to each other. A request is a head in JSON and the document's octets; the answer is the
//! reading in JSON and then its texts, as they are. Before each of these stands its length, four octets, the highest
//! first.
//!
//! The filter trusts nothing that comes back: a worker may have been taken over by what it read.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::documents::{Allowance, Reading};
use crate::limits;
use crate::text::utf8;

/// What is known of a document beside its octets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its name.
    pub name: String,
    /// Its declared media type.
    pub media_type: String,
    /// What may be said of it.
    pub allowance: Allowance,
}

/// A document to read.
#[derive(Debug)]
pub struct Request {
    /// What is known of it.
    pub head: Head,
    /// Its octets.
    pub bytes: Vec<u8>,
}

/// The next request; `None` once the filter has closed its end.
pub fn read_request(input: &mut impl Read) -> io::Result<Option<Request>> {
    let Some(head) = read_part(input)? else { return Ok(None) };
    let bytes = read_part(input)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(Some(Request { head: serde_json::from_slice(&head)?, bytes }))
}

fn read_part(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    if let Err(error) = input.read_exact(&mut length) {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let length = u32::from_be_bytes(length);
    let mut part = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
    let read = input.take(u64::from(length)).read_to_end(&mut part)?;
    if read as u64 == u64::from(length) { Ok(Some(part)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Answers a request. The head of the answer is made twice, first for its length: a worker has no room for all of it
/// beside the text.
pub fn write_reading(output: &mut impl Write, reading: &Reading) -> io::Result<()> {
    let mut octets = Octets(0);
    serde_json::to_writer(&mut octets, reading)?;
    output.write_all(&length(octets.0)?)?;
    let mut output = io::BufWriter::with_capacity(limits::WIRE_OCTETS, output);
    serde_json::to_writer(&mut output, reading)?;
    for item in &reading.items {
        output.write_all(&length(item.text.len())?)?;
        output.write_all(item.text.as_bytes())?;
    }
    output.flush()
}

/// Counts what is written.
struct Octets(usize);

impl Write for Octets {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0 += octets.len();
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Asks for a reading.
pub async fn write_request(
    output: &mut (impl AsyncWrite + Unpin),
    head: &Head,
    bytes: &[u8],
) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    // One write wakes the worker once.
    let beginning = [&length(head.len())?[..], &head, &length(bytes.len())?].concat();
    output.write_all(&beginning).await?;
    output.write_all(bytes).await
}

/// The answer to a request that allowed so much.
pub async fn read_reading(input: &mut (impl AsyncRead + Unpin), allowance: Allowance) -> io::Result<Reading> {
    let (mut most, mut left) = (limits::READING_OCTETS, allowance.text);
    let head = read_counted(input, &mut most).await?;
    let mut reading: Reading = if head.len() <= limits::INLINE_OCTETS {
        serde_json::from_slice(&head)?
    } else {
        let parsed = tokio::task::spawn_blocking(move || serde_json::from_slice(&head)).await;
        parsed.map_err(io::Error::other)??
    };
    let mut buffer = Vec::new();
    for item in &mut reading.items {
        item.text = read_text(input, &mut left, &mut buffer).await?;
    }
    Ok(reading)
}

/// The text that comes next, of which there may be so much. Each piece is looked at while it is still in the cache.
async fn read_text(
    input: &mut (impl AsyncRead + Unpin),
    left: &mut usize,
    buffer: &mut Vec<u8>,
) -> io::Result<String> {
    let length = read_length(input, left).await?;
    let mut text = String::with_capacity(length);
    buffer.clear();
    while text.len() + buffer.len() < length {
        let most = (length - text.len() - buffer.len()).min(limits::WIRE_OCTETS);
        buffer.reserve(most);
        if (&mut *input).take(most as u64).read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (whole, _) = buffer.split_at(buffer.len() - begun(buffer));
        text.push_str(utf8(whole).ok_or_else(no_text)?);
        let whole = whole.len();
        buffer.drain(..whole);
    }
    if buffer.is_empty() { Ok(text) } else { Err(no_text()) }
}

/// How many of the last octets begin a character that is not whole.
fn begun(octets: &[u8]) -> usize {
    let last = octets.iter().rev().take(3).position(|octet| *octet >= 0xc0).map_or(0, |back| back + 1);
    let lead = octets.len().checked_sub(last).and_then(|at| octets.get(at)).copied().unwrap_or_default();
    let needed = match lead {
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
        _ => 0,
    };
    if last < needed { last } else { 0 }
}

fn no_text() -> io::Error {
    io::Error::other("a text that is not UTF-8")
}

/// What comes next, of which there may be so much.
async fn read_counted(input: &mut (impl AsyncRead + Unpin), left: &mut usize) -> io::Result<Vec<u8>> {
    let mut part = vec![0; read_length(input, left).await?];
    input.read_exact(&mut part).await?;
    Ok(part)
}

async fn read_length(input: &mut (impl AsyncRead + Unpin), left: &mut usize) -> io::Result<usize> {
    let length = usize::try_from(input.read_u32().await?).map_err(io::Error::other)?;
    *left = left.checked_sub(length).ok_or_else(|| io::Error::other("a reading longer than any can be"))?;
    Ok(length)
}

fn length(octets: usize) -> io::Result<[u8; 4]> {
    u32::try_from(octets).map(u32::to_be_bytes).map_err(io::Error::other)
}
