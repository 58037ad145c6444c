//! `SpamAssassin`'s spamd: `CHECK`, with the Received field that the MTA has not yet written, so that the client's
//! address is known to its tests.

use std::fmt::Write as _;

use tokio::io::AsyncWriteExt as _;

use super::{connect, number, read_answer};
use crate::config::services::Scanner;
use crate::facts::scan::{Opinion, SpamScore};
use crate::facts::{Cause, Facts};
use crate::mail::Mail;

/// Shows the message to spamd.
pub(super) async fn check(mail: &Mail, facts: &Facts, scanner: &Scanner) -> Result<SpamScore, Cause> {
    let mut connection = connect(scanner).await?;
    let trace = trace(mail, facts);
    let length = trace.len() + mail.message.bytes.len();
    let head = format!("CHECK SPAMC/1.5\r\nContent-length: {length}\r\n\r\n{trace}");
    let unreachable = |_| Cause::Unreachable;
    connection.write_all(head.as_bytes()).await.map_err(unreachable)?;
    connection.write_all(&mail.message.bytes).await.map_err(unreachable)?;
    connection.shutdown().await.map_err(unreachable)?;
    read(&read_answer(&mut *connection, None).await?)
}

/// What the MTA writes above the message once it has it.
fn trace(mail: &Mail, facts: &Facts) -> String {
    let plain = |text: &str| text.chars().filter(char::is_ascii_graphic).collect::<String>();
    let mut trace = format!("X-Envelope-From: {}\r\n", plain(&facts.sender.to_string()));
    if let Some(address) = mail.client.address {
        let helo = plain(mail.client.helo.as_deref().unwrap_or("unknown"));
        let name = plain(mail.client.name.as_deref().unwrap_or("unknown"));
        let host = plain(&facts.organisation.authserv_id);
        let queue_id = plain(mail.queue_id.as_deref().unwrap_or("unknown"));
        let date = facts.arrived.strftime("%a, %d %b %Y %H:%M:%S +0000");
        // Writing into a String does not fail.
        let _ = write!(
            trace,
            "Received: from {helo} ({name} [{address}])\r\n\tby {host} (Postfix) with ESMTP id {queue_id};\r\n\t{date}\r\n"
        );
    }
    trace
}

fn read(answer: &[u8]) -> Result<SpamScore, Cause> {
    let answer = String::from_utf8_lossy(answer);
    let mut lines = answer.lines();
    let mut status = lines.next().unwrap_or_default().split(' ');
    let spoken = status.next().is_some_and(|version| version.starts_with("SPAMD/"));
    if !spoken || status.next() != Some("0") {
        return Err(Cause::Protocol);
    }
    lines.find_map(verdict).ok_or(Cause::Protocol)
}

/// `Spam: True ; 15.2 / 5.0`
fn verdict(line: &str) -> Option<SpamScore> {
    let (name, value) = line.split_once(':')?;
    let (word, points) = value.split_once(';')?;
    let (score, required) = points.split_once('/')?;
    let opinion = match word.trim() {
        word if word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("yes") => Opinion::Spam,
        word if word.eq_ignore_ascii_case("false") || word.eq_ignore_ascii_case("no") => Opinion::Ham,
        _ => return None,
    };
    let required = number(required).filter(|required| *required > 0.0)?;
    name.trim().eq_ignore_ascii_case("Spam").then_some(SpamScore { score: number(score)?, required, opinion })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood_or_no_answers() {
        let spam =
            read(b"SPAMD/1.1 0 EX_OK\r\nContent-length: 0\r\nSpam: True ; 15.2 / 5.0\r\n\r\n").unwrap();
        assert_eq!(spam, SpamScore { score: 15.2, required: 5.0, opinion: Opinion::Spam });
        let ham = read(b"SPAMD/1.1 0 EX_OK\r\nNew: x\r\nSpam: False ; -1.0 / 5.0\r\n\r\n").unwrap();
        assert_eq!(ham.opinion, Opinion::Ham);
        for odd in [
            &b""[..],
            b"SPAMD/1.1 0 EX_OK\r\n",
            b"SPAMD/1.1 76 Bad header line\r\n\r\n",
            b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; 15.2",
            b"SPAMD/1.1 0 EX_OK\r\nSpam: Maybe ; 1 / 5\r\n",
            b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; NaN / 5\r\n",
            b"HTTP/1.1 200 OK\r\nSpam: True ; 1 / 5\r\n",
        ] {
            assert_eq!(read(odd), Err(Cause::Protocol), "{}", String::from_utf8_lossy(odd));
        }
    }
}
