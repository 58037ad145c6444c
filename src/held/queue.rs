//! What the queue helper is asked and answers: the one process that may touch Postfix's queue.
//!
//! A connection carries one request, as a line of JSON, and its answer, another line. Where the answer is text of a mail,
//! that follows in pieces with their lengths; only the empty piece at the end says that it is whole.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits;

/// Where the helper listens, unless said otherwise.
pub const SOCKET: &str = "/run/postvakt-queue.sock";

/// The name of a queue file: letters and digits, so that it is never an option or a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QueueId(String);

impl QueueId {
    /// The id, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=limits::QUEUE_ID_OCTETS).contains(&text.len());
        let plain = text.bytes().all(|octet| octet.is_ascii_alphanumeric());
        (fits && plain).then(|| Self(text.to_owned()))
    }

    /// As Postfix writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for QueueId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a queue id has letters and digits only")
    }
}

impl From<QueueId> for String {
    fn from(id: QueueId) -> Self {
        id.0
    }
}

/// What can be asked. There is nothing else, and nothing that removes a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// All mail on hold.
    List,
    /// The header of one.
    Header {
        /// Which.
        id: QueueId,
    },
    /// The whole message.
    Message {
        /// Which.
        id: QueueId,
    },
    /// Let it go on its way.
    Release {
        /// Which.
        id: QueueId,
    },
    /// Return it to its sender.
    Return {
        /// Which.
        id: QueueId,
    },
}

/// A mail on hold, as Postfix tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its queue id.
    pub id: QueueId,
    /// When Postfix took it.
    pub arrived: Timestamp,
    /// Octets of the message.
    pub size: u64,
    /// Envelope sender; empty for the null sender.
    pub sender: String,
    /// The first envelope recipients.
    pub recipients: Vec<String>,
}

/// How a mail left the hold queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Left {
    /// Into the queue of what is delivered; id and time of arrival stay.
    Released,
    /// Anew through Postfix, with a new id and a new time: it was so old that one delay would have returned it.
    Requeued,
    /// To its sender.
    Returned,
}

impl Left {
    /// Its name in the access log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Requeued => "requeued",
            Self::Returned => "returned",
        }
    }
}

/// What the helper answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// The mail on hold.
    Listed {
        /// The oldest first.
        mails: Vec<Waiting>,
        /// Whether there are more.
        more: bool,
    },
    /// Text of the mail follows.
    Text,
    /// It has left the hold queue.
    Left {
        /// How.
        how: Left,
    },
    /// No mail with that id is on hold.
    NotHeld,
    /// It was not done.
    Failed {
        /// Why.
        why: String,
    },
}

/// Why the queue helper did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says it")]
pub enum QueueError {
    #[error("{}: the queue helper cannot be reached: {source}; is postvakt-queue.socket running?", path.display())]
    Unreachable { path: PathBuf, source: io::Error },
    #[error("{}: the queue helper broke off: {source}", path.display())]
    BrokenOff { path: PathBuf, source: io::Error },
    #[error("{id} is not on hold")]
    NotHeld { id: QueueId },
    #[error("the queue helper: {0}")]
    Failed(String),
}

/// The hold queue.
#[derive(Clone, Debug)]
pub struct Queue {
    path: PathBuf,
}

impl Queue {
    /// By the helper that listens there.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// All mail on hold, the oldest first, and whether there is more than is listed.
    pub fn list(&self) -> Result<(Vec<Waiting>, bool), QueueError> {
        match self.ask(&Request::List)?.0 {
            Answer::Listed { mails, more } => Ok((mails, more)),
            other => Err(unexpected(&other)),
        }
    }

    /// The header of a mail on hold.
    pub fn header(&self, id: &QueueId) -> Result<Vec<u8>, QueueError> {
        self.text(&Request::Header { id: id.clone() }, id, limits::QUEUE_HEADER_OCTETS)
    }

    /// A mail on hold, its lines ended by LF.
    pub fn message(&self, id: &QueueId) -> Result<Vec<u8>, QueueError> {
        self.text(&Request::Message { id: id.clone() }, id, limits::QUEUE_MESSAGE_OCTETS)
    }

    /// Lets a mail go on its way.
    pub fn release(&self, id: &QueueId) -> Result<Left, QueueError> {
        self.leave(&Request::Release { id: id.clone() }, id)
    }

    /// Returns a mail to its sender.
    pub fn give_back(&self, id: &QueueId) -> Result<Left, QueueError> {
        self.leave(&Request::Return { id: id.clone() }, id)
    }

    fn leave(&self, request: &Request, id: &QueueId) -> Result<Left, QueueError> {
        match self.ask(request)?.0 {
            Answer::Left { how } => Ok(how),
            Answer::NotHeld => Err(QueueError::NotHeld { id: id.clone() }),
            other => Err(unexpected(&other)),
        }
    }

    fn text(&self, request: &Request, id: &QueueId, most: usize) -> Result<Vec<u8>, QueueError> {
        match self.ask(request)? {
            (Answer::Text, mut rest) => read_text(&mut rest, most).map_err(|source| self.broken_off(source)),
            (Answer::NotHeld, _) => Err(QueueError::NotHeld { id: id.clone() }),
            (other, _) => Err(unexpected(&other)),
        }
    }

    fn ask(&self, request: &Request) -> Result<(Answer, BufReader<UnixStream>), QueueError> {
        let mut stream = UnixStream::connect(&self.path)
            .map_err(|source| QueueError::Unreachable { path: self.path.clone(), source })?;
        let asked = || {
            patient(&stream, limits::QUEUE_HELPER_TIME)?;
            write_line(&mut stream, request)?;
            let mut stream = BufReader::new(stream);
            let line = read_line(&mut stream, limits::QUEUE_ANSWER_OCTETS)?;
            Ok((serde_json::from_slice(&line)?, stream))
        };
        asked().map_err(|source| self.broken_off(source))
    }

    fn broken_off(&self, source: io::Error) -> QueueError {
        QueueError::BrokenOff { path: self.path.clone(), source }
    }
}

fn unexpected(answer: &Answer) -> QueueError {
    QueueError::Failed(match answer {
        Answer::Failed { why } => why.clone(),
        other => format!("an answer to another question: {other:?}"),
    })
}

/// Lets no read or write of the stream last for longer.
pub fn patient(stream: &UnixStream, time: Duration) -> io::Result<()> {
    stream.set_read_timeout(Some(time))?;
    stream.set_write_timeout(Some(time))
}

/// Writes a value as a line of JSON.
pub fn write_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    out.write_all(&line)
}

/// Reads a line that has at most so many octets.
pub fn read_line(from: &mut impl BufRead, most: usize) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    from.take(most as u64).read_until(b'\n', &mut line)?;
    match line.pop() {
        Some(b'\n') => Ok(line),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "no whole line")),
    }
}

/// Writes text in pieces with their lengths, and the empty one behind them.
pub fn write_text(out: &mut impl Write, from: &mut impl Read) -> io::Result<()> {
    let mut piece = vec![0; limits::QUEUE_PIECE_OCTETS];
    loop {
        let octets = from.read(&mut piece)?;
        let Some(read) = piece.get(..octets).filter(|read| !read.is_empty()) else { return Ok(()) };
        out.write_all(&u32::try_from(read.len()).unwrap_or(u32::MAX).to_be_bytes())?;
        out.write_all(read)?;
    }
}

/// Says that the text is whole.
pub fn end_text(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&0_u32.to_be_bytes())
}

fn read_text(from: &mut impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    loop {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let length = u64::from(u32::from_be_bytes(length));
        if length == 0 {
            return Ok(text);
        }
        if text.len() as u64 + length > most as u64 {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("it has more than {most} bytes"),
            ));
        }
        if from.take(length).read_to_end(&mut text)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_id_is_no_option_and_no_path() {
        for id in ["4F1234", "4fKq9z1Bv2zXy", "A"] {
            assert_eq!(QueueId::parse(id).unwrap().as_str(), id);
        }
        let long = "A".repeat(limits::QUEUE_ID_OCTETS + 1);
        for id in ["", "-H", "ALL;", "../x", "a/b", "a b", "4F12\n", "4F12*", "å", "a.b", &long] {
            assert_eq!(QueueId::parse(id), None, "{id:?}");
        }
    }

    #[test]
    fn what_is_asked_is_one_of_five_things() {
        for text in [
            r#"{"do":"list"}"#,
            r#"{"do":"header","id":"4F1"}"#,
            r#"{"do":"message","id":"4F1"}"#,
            r#"{"do":"release","id":"4F1"}"#,
            r#"{"do":"return","id":"4F1"}"#,
        ] {
            let request: Request = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&request).unwrap(), text);
        }
        for text in [
            r#"{"do":"delete","id":"4F1"}"#,
            r#"{"do":"release","id":"ALL -d"}"#,
            r#"{"do":"release"}"#,
            r#"{"do":"release","id":"4F1","queue":"active"}"#,
            r#"{"id":"4F1"}"#,
            "[]",
        ] {
            assert!(serde_json::from_str::<Request>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn text_that_breaks_off_is_not_taken_for_whole() {
        let mut sent = Vec::new();
        let text = b"Subject: x\n\nHej\n".repeat(9_000);
        write_text(&mut sent, &mut &text[..]).unwrap();
        assert!(read_text(&mut &sent[..], usize::MAX).is_err());
        end_text(&mut sent).unwrap();
        assert_eq!(read_text(&mut &sent[..], text.len()).unwrap(), text);
        assert!(read_text(&mut &sent[..], text.len() - 1).is_err());
        for end in [0, 3, 4, 100, sent.len() - 5, sent.len() - 1] {
            assert!(read_text(&mut &sent[..end], usize::MAX).is_err(), "{end}");
        }
    }
}
