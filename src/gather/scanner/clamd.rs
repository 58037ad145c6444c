//! ClamAV's clamd: the message over `INSTREAM`, in chunks that each say how long they are.

use tokio::io::AsyncWriteExt as _;

use super::{Connection, connect, read_answer};
use crate::config::services::Scanner;
use crate::facts::Cause;
use crate::facts::scan::VirusScan;
use crate::mail::Mail;

/// Octets of one chunk.
const CHUNK: usize = 64 << 10;
/// Names of suspicions, as ClamAV begins them: nothing of that name is a virus.
const SUSPICIONS: [&str; 2] = ["Heuristics.", "PUA."];

/// Shows the message to clamd.
pub(super) async fn check(mail: &Mail, scanner: &Scanner) -> Result<VirusScan, Cause> {
    let mut connection = connect(scanner).await?;
    // A message that is too large for it is cut off by an answer, and the rest cannot be written any more.
    let written = write(&mut *connection, &mail.message.bytes).await;
    let answer = read_answer(&mut *connection, Some(0)).await?;
    match (read(&answer), written) {
        (Ok(VirusScan::Nothing), Err(_)) => Err(Cause::Protocol),
        (answer, _) => answer,
    }
}

async fn write(connection: &mut dyn Connection, message: &[u8]) -> std::io::Result<()> {
    connection.write_all(b"zINSTREAM\0").await?;
    for chunk in message.chunks(CHUNK) {
        connection.write_all(&u32::try_from(chunk.len()).unwrap_or(u32::MAX).to_be_bytes()).await?;
        connection.write_all(chunk).await?;
    }
    connection.write_all(&[0; 4]).await?;
    connection.flush().await
}

fn read(answer: &[u8]) -> Result<VirusScan, Cause> {
    let answer = std::str::from_utf8(answer).map_err(|_| Cause::Protocol)?;
    let answer = answer.trim_end_matches('\0').trim();
    if answer == "stream: OK" {
        return Ok(VirusScan::Nothing);
    }
    if let Some(name) = answer.strip_prefix("stream: ").and_then(|rest| rest.strip_suffix(" FOUND")) {
        let suspicion = SUSPICIONS.iter().any(|beginning| name.starts_with(beginning));
        let name = name.to_owned();
        return Ok(if suspicion { VirusScan::Heuristic(name) } else { VirusScan::Virus(name) });
    }
    if answer.contains("size limit exceeded") { Err(Cause::Limit) } else { Err(Cause::Protocol) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood_or_no_answers() {
        assert_eq!(read(b"stream: OK\0"), Ok(VirusScan::Nothing));
        assert_eq!(read(b"stream: Eicar-Test FOUND\0"), Ok(VirusScan::Virus("Eicar-Test".into())));
        let heuristic = "Heuristics.Encrypted.Zip";
        assert_eq!(
            read(format!("stream: {heuristic} FOUND\0").as_bytes()),
            Ok(VirusScan::Heuristic(heuristic.into()))
        );
        assert_eq!(read(b"INSTREAM size limit exceeded. ERROR\0"), Err(Cause::Limit));
        for odd in [&b""[..], b"stream: O", b"stream: OK FOUNDLING", b"UNKNOWN COMMAND\0", b"\xFF"] {
            assert_eq!(read(odd), Err(Cause::Protocol), "{odd:?}");
        }
    }
}
