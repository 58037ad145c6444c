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
    let mut part = vec![0; usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?];
    input.read_exact(&mut part)?;
    Ok(Some(part))
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
    output.write_all(&length(head.len())?).await?;
    output.write_all(&head).await?;
    output.write_all(&length(bytes.len())?).await?;
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
    for item in &mut reading.items {
        let text = read_counted(input, &mut left).await?;
        item.text = String::from_utf8(text).map_err(io::Error::other)?;
    }
    Ok(reading)
}

/// What comes next, of which there may be so much.
async fn read_counted(input: &mut (impl AsyncRead + Unpin), left: &mut usize) -> io::Result<Vec<u8>> {
    let length = usize::try_from(input.read_u32().await?).map_err(io::Error::other)?;
    *left = left.checked_sub(length).ok_or_else(|| io::Error::other("a reading longer than any can be"))?;
    let mut part = vec![0; length];
    input.read_exact(&mut part).await?;
    Ok(part)
}

fn length(octets: usize) -> io::Result<[u8; 4]> {
    u32::try_from(octets).map(u32::to_be_bytes).map_err(io::Error::other)
}
