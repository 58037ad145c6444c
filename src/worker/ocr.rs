//! Recognising text in pictures, by programs of others: `tesseract`, and `pdftoppm` that makes pictures of pages. Each runs
//! once for one picture or document, started by this program under a hidden command, which confines itself first and
//! then becomes it ([`super::confine`]).

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use super::pool::Failure;
use super::serve::NOT_CONFINED;
use crate::config::services::Ocr;
use crate::limits;
use crate::metrics::METRICS;

/// The hidden command that makes this program another one.
pub const COMMAND: &str = "become";
/// 127, as shells say it: there is no such program.
const NO_PROGRAM: u8 = 127;

/// Confines this process and makes it that program; gives an exit code only where it cannot.
pub fn run(program: &OsStr, arguments: &[std::ffi::OsString]) -> u8 {
    if let Err(error) = super::confine::confine_program() {
        eprintln!("postvakt: {error}");
        return NOT_CONFINED;
    }
    let error = std::process::Command::new(program).args(arguments).exec();
    eprintln!("postvakt: {}: {error}", program.display());
    NO_PROGRAM
}

/// What was recognised.
#[derive(Debug)]
pub struct Recognised {
    /// The text of the pages, in their order.
    pub text: String,
    /// Whether that is all of it, or there are more pages than are looked at; or what kept it from being read on.
    pub all: Result<bool, Failure>,
}

/// What OCR is done with: `own` is this program.
#[derive(Clone, Copy, Debug)]
pub struct PictureReader<'a> {
    /// This program, which confines itself and becomes the others.
    pub own: &'a Path,
    /// What the config says.
    pub settings: &'a Ocr,
}

impl PictureReader<'_> {
    /// The text of a picture.
    pub async fn picture(&self, picture: &[u8]) -> Recognised {
        match counted(self.tesseract(picture, limits::OCR_TIME).await) {
            Ok(text) => Recognised { text, all: Ok(true) },
            Err(failure) => Recognised { text: String::new(), all: Err(failure) },
        }
    }

    /// The text of the pages of a PDF document.
    pub async fn pages(&self, document: &[u8]) -> Recognised {
        let mut text = String::new();
        let all = self.read_pages(document, &mut text).await;
        Recognised { text, all }
    }

    /// What was read before a fault stays in `text`.
    async fn read_pages(&self, document: &[u8], text: &mut String) -> Result<bool, Failure> {
        let begun = Instant::now();
        let left = || limits::OCR_TIME.saturating_sub(begun.elapsed());
        let size = limits::OCR_PAGE_PIXELS.to_string();
        let last = (limits::OCR_PAGES + 1).to_string();
        let arguments = ["-gray", "-scale-to", &size, "-l", &last, "-"];
        // One octet for each point of a page that is square at the most, and a line before them.
        let most = (limits::OCR_PAGES + 1) * (limits::OCR_PAGE_PIXELS * limits::OCR_PAGE_PIXELS + 64);
        let pictures = counted(self.run(&self.settings.pdftoppm, &arguments, document, most, left()).await)?;
        for (number, page) in graymaps(&pictures).enumerate() {
            if number == limits::OCR_PAGES {
                return Ok(false);
            }
            text.push_str(&counted(self.tesseract(page, left()).await)?);
            text.push('\n');
        }
        Ok(true)
    }

    async fn tesseract(&self, picture: &[u8], patience: Duration) -> Result<String, Failure> {
        let arguments = ["stdin", "stdout", "-l", &self.settings.languages];
        let text = self.run(&self.settings.tesseract, &arguments, picture, limits::OCR_TEXT_OCTETS, patience);
        Ok(String::from_utf8_lossy(&text.await?).into_owned())
    }

    /// What a program makes of its input.
    async fn run(
        &self,
        program: &Path,
        arguments: &[&str],
        input: &[u8],
        most: usize,
        patience: Duration,
    ) -> Result<Vec<u8>, Failure> {
        let mut process = Command::new(self.own)
            .arg0("postvakt")
            .arg(COMMAND)
            .arg(program)
            .args(arguments)
            .env_clear()
            .env("OMP_THREAD_LIMIT", "1")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| unavailable(program, &error))?;
        let (Some(mut to), Some(from)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(unavailable(program, &io::Error::other("a process without pipes")));
        };
        let mut output = Vec::new();
        let write = async {
            // A program that has seen enough closes its end; what ends it is that it has no more to say.
            let _ = to.write_all(input).await;
            drop(to);
            std::future::pending::<io::Result<usize>>().await
        };
        let mut from = from.take(most as u64 + 1);
        let both = async {
            let read = tokio::select! {
                read = from.read_to_end(&mut output) => read?,
                read = write => read?,
            };
            if read > most {
                return Ok(None);
            }
            process.wait().await.map(Some)
        };
        match timeout(patience, both).await {
            Err(_) => Err(Failure::Cpu),
            Ok(Ok(None)) => Err(Failure::Memory),
            Ok(Ok(Some(status))) if status.success() => Ok(output),
            Ok(Ok(Some(status))) => Err(ended(program, status)),
            Ok(Err(error)) => Err(unavailable(program, &error)),
        }
    }
}

fn counted<T>(read: Result<T, Failure>) -> Result<T, Failure> {
    let came = read.as_ref().map_or_else(|failure| failure.as_str(), |_| "read");
    METRICS.ocr.with_label_values(&[came]).inc();
    read
}

fn unavailable(program: &Path, error: &io::Error) -> Failure {
    tracing::error!(program = %program.display(), %error, "the program that recognises text cannot be started");
    Failure::Unavailable
}

/// Why a program failed.
fn ended(program: &Path, status: ExitStatus) -> Failure {
    use std::os::unix::process::ExitStatusExt as _;
    let failure = match (status.code(), status.signal()) {
        (Some(code), _) if code == i32::from(NO_PROGRAM) || code == i32::from(NOT_CONFINED) => {
            Failure::Unavailable
        }
        (_, Some(signal)) if signal == rustix::process::Signal::XCPU.as_raw() => Failure::Cpu,
        _ => Failure::Crash,
    };
    tracing::error!(program = %program.display(), %status, %failure, "the program that recognises text failed");
    failure
}

/// The pictures in a row of them, as `P5`, width, height and 255, and then one octet for each point (PGM).
fn graymaps(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let fields = rest.get(..rest.len().min(64))?;
        let mut ends = fields.iter().enumerate().filter(|(_, octet)| octet.is_ascii_whitespace());
        let header = ends.nth(3)?.0 + 1;
        let words = std::str::from_utf8(rest.get(..header)?).ok()?;
        let mut words = words.split_ascii_whitespace();
        let (magic, width, height) = (words.next()?, words.next()?, words.next()?);
        let points = width.parse::<usize>().ok()?.checked_mul(height.parse().ok()?)?;
        if magic != "P5" {
            return None;
        }
        let (picture, after) = rest.split_at_checked(header.checked_add(points)?)?;
        rest = after;
        Some(picture)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_in_a_row() {
        let row = b"P5\n2 1\n255\nabP5\n1 3\n255\ncdeP5\n9 9\n255\nf";
        let pictures: Vec<&[u8]> = graymaps(row).collect();
        assert_eq!(pictures, [&b"P5\n2 1\n255\nab"[..], b"P5\n1 3\n255\ncde"]);
        for none in [&b""[..], b"P5\n", b"P6\n1 1\n255\nabc", b"P5\n99999999999 99999999999\n255\n"] {
            assert_eq!(graymaps(none).count(), 0, "{none:?}");
        }
    }
}
