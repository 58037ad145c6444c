//! A log in files: the one that is written to, and those that it was before, by other names and perhaps compressed.
//!
//! A file is known by its first octets. One that was renamed has them under its new name; one that was copied and then cut off
//! (`copytruncate`) left them to the copy. So after either way of rotation, and after a restart, the rest of what was being
//! read is looked for among the files beside it, and then those that followed.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

use super::{Place, Stop, TailError, Taken};
use crate::documents::gunzip;
use crate::limits;
use crate::maillog::Reader;
use crate::maillog::stamp::Stamps;
use crate::store::deliveries::{Deliveries, DeliveriesError};
use crate::text;

/// Octets that are read at once.
const CHUNK: usize = 256 << 10;

/// A file of a log, line by line.
pub(super) struct LogFile {
    input: Box<dyn BufRead + Send>,
    /// Octets that were read of it; when it is compressed, of what is in it.
    offset: u64,
    /// Of them, those of a line that has no end yet.
    pending: u64,
    /// The line that has no end yet, as far as it is read.
    line: Vec<u8>,
    reader: Reader,
}

/// Opens a regular file, and nothing that could keep the reader waiting for ever.
fn regular(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

impl LogFile {
    /// Opens a file to read it from there on.
    pub(super) fn open(path: &Path, from: u64) -> io::Result<Self> {
        let mut file = regular(path)?;
        let written = file.metadata()?.modified()?;
        let input: Box<dyn BufRead + Send> = if is_packed(path) {
            let mut inside = BufReader::with_capacity(CHUNK, gunzip(file));
            io::copy(&mut inside.by_ref().take(from), &mut io::sink())?;
            Box::new(inside)
        } else {
            file.seek(SeekFrom::Start(from))?;
            Box::new(BufReader::with_capacity(CHUNK, file))
        };
        let newest = Timestamp::try_from(written).unwrap_or_else(|_| Timestamp::now());
        let reader = Reader::new(Stamps::new(TimeZone::system(), newest));
        Ok(Self { input, offset: from, pending: 0, line: Vec::new(), reader })
    }

    /// Takes the lines of the next part. How many octets it had: none at the end.
    pub(super) fn take(&mut self, deliveries: &mut Deliveries) -> Result<usize, Fault> {
        let chunk = self.input.fill_buf().map_err(Fault::Io)?;
        let octets = chunk.len();
        let mut rest = chunk;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, behind) = rest.split_at_checked(end).unwrap_or_default();
            rest = behind.get(1..).unwrap_or_default();
            let whole = if self.pending == 0 { line } else { extended(&mut self.line, line) };
            take(&mut self.reader, whole, deliveries)?;
            self.line.clear();
            self.pending = 0;
        }
        extended(&mut self.line, rest);
        self.pending += rest.len() as u64;
        self.offset += octets as u64;
        self.input.consume(octets);
        Ok(octets)
    }

    /// The file does not grow any more: a line without an end is one.
    pub(super) fn end(&mut self, deliveries: &mut Deliveries) -> Result<(), Fault> {
        if self.pending > 0 {
            take(&mut self.reader, &self.line, deliveries)?;
            self.line.clear();
            self.pending = 0;
        }
        Ok(())
    }
}

/// Why lines could not be taken.
pub(super) enum Fault {
    Io(io::Error),
    Deliveries(DeliveriesError),
}

impl Fault {
    pub(super) fn of(self, path: &Path) -> TailError {
        match self {
            Self::Io(source) => TailError::Io { path: path.into(), source },
            Self::Deliveries(error) => error.into(),
        }
    }
}

fn take(reader: &mut Reader, line: &[u8], deliveries: &mut Deliveries) -> Result<(), Fault> {
    let line = text::from_bytes(line.strip_suffix(b"\r").unwrap_or(line));
    let line = text::truncate(&line, limits::MAILLOG_LINE_OCTETS);
    deliveries.take(&reader.line(line)).map_err(Fault::Deliveries)
}

/// Adds to a line, up to as many octets as are read of one.
fn extended<'a>(line: &'a mut Vec<u8>, more: &[u8]) -> &'a [u8] {
    let room = limits::MAILLOG_LINE_OCTETS.saturating_sub(line.len());
    line.extend_from_slice(more.get(..room).unwrap_or(more));
    line
}

fn is_packed(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("gz"))
}

/// Follows the log at this path.
pub(super) fn follow(
    path: &Path,
    taken: &mut Taken<'_>,
    stop: &Stop,
    works: &mut dyn FnMut(),
) -> Result<(), TailError> {
    loop {
        // The file that is written to, once all that came before is read.
        let Some(mut current) = catch_up(path, taken, stop)? else { return Ok(()) };
        works();
        loop {
            if current.is_cut(path)? {
                break;
            }
            let octets = current.take(path, taken)?;
            if octets > 0 {
                if taken.deliveries.is_full() {
                    taken.store()?;
                }
                if stop.within(std::time::Duration::ZERO) {
                    return taken.store();
                }
                continue;
            }
            if current.was_renamed(path)? {
                // What was written between the look at its end and the one at its name.
                while current.take(path, taken)? > 0 {}
                taken.drained = true;
                break;
            }
            taken.rest()?;
            if stop.within(limits::MAILLOG_LOOK) {
                return taken.store();
            }
        }
        taken.store()?;
    }
}

/// The file that is written to.
struct Current {
    file: LogFile,
    /// The same, to look at its beginning and at what became of it.
    handle: File,
    /// Its first octets.
    head: Vec<u8>,
}

impl Place {
    /// The place is so far in the file that begins so.
    fn put(&mut self, head: &[u8], offset: u64) {
        self.head = text::hex(&Sha256::digest(head));
        self.head_octets = head.len() as u64;
        self.offset = offset;
    }
}

impl Current {
    fn open(path: &Path, from: u64, taken: &mut Taken<'_>) -> io::Result<Self> {
        let handle = regular(path)?;
        let file = LogFile::open(path, from)?;
        let head = head(&handle, from)?;
        if head.is_empty() {
            taken.place.line = Timestamp::now().as_millisecond();
            if taken.is_new() {
                taken.deliveries.read_to(taken.place.line - limits::MAILLOG_DELAY_MS);
            }
        }
        taken.place.put(&head, from);
        Ok(Self { file, handle, head })
    }

    /// Takes what is new, and notes the place of the last whole line.
    fn take(&mut self, path: &Path, taken: &mut Taken<'_>) -> Result<usize, TailError> {
        let octets = self.file.take(&mut taken.deliveries).map_err(|fault| fault.of(path))?;
        if octets > 0 {
            let io = |source| TailError::Io { path: path.into(), source };
            let offset = self.file.offset - self.file.pending;
            if self.head.len() < limits::MAILLOG_HEAD_OCTETS {
                self.head = head(&self.handle, offset).map_err(io)?;
            }
            taken.place.put(&self.head, offset);
            taken.took();
            self.file.reader.not_after(Timestamp::now());
        }
        Ok(octets)
    }

    /// Whether the file was made shorter, or written anew.
    fn is_cut(&self, path: &Path) -> Result<bool, TailError> {
        let io = |source| TailError::Io { path: path.into(), source };
        let octets = self.handle.metadata().map_err(io)?.len();
        Ok(octets < self.file.offset || head(&self.handle, self.head.len() as u64).map_err(io)? != self.head)
    }

    /// Whether another file has the log's name, and is written to. One that is empty is not yet: who writes the log may still
    /// have this one.
    fn was_renamed(&self, path: &Path) -> Result<bool, TailError> {
        let io = |source| TailError::Io { path: path.into(), source };
        let own = self.handle.metadata().map_err(io)?;
        match fs::metadata(path) {
            Ok(other) => Ok((other.dev(), other.ino()) != (own.dev(), own.ino()) && other.len() > 0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io(error)),
        }
    }
}

/// The first octets of a file, those of the first `octets` at the most.
fn head(file: &File, octets: u64) -> io::Result<Vec<u8>> {
    let most = usize::try_from(octets).unwrap_or(usize::MAX).min(limits::MAILLOG_HEAD_OCTETS);
    let mut head = vec![0; most];
    let mut have = 0;
    while let Some(rest) = head.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, have as u64)? {
            0 => break,
            count => have += count,
        }
    }
    head.truncate(have);
    Ok(head)
}

/// Reads all that came after the place in files that are no longer written to. The file that is; none at the stop.
fn catch_up(path: &Path, taken: &mut Taken<'_>, stop: &Stop) -> Result<Option<Current>, TailError> {
    let io = |source| TailError::Io { path: path.into(), source };
    if taken.is_new() {
        return Current::open(path, 0, taken).map(Some).map_err(io);
    }
    loop {
        let (files, mut from) = missed(path, taken)?;
        for file in files.iter().filter(|file| *file != path) {
            if !read_former(file, from, taken, stop)? {
                return Ok(None);
            }
            from = 0;
        }
        if path.try_exists().map_err(io)? {
            return Current::open(path, from, taken).map(Some).map_err(io);
        }
        // Postfix makes its own log when it has something to say. Until then the file may grow that it renamed.
        while !path.try_exists().map_err(io)? {
            taken.rest()?;
            if stop.within(limits::MAILLOG_LOOK) {
                taken.store()?;
                return Ok(None);
            }
        }
    }
}

/// The files that are to be read from the place on, the oldest first, and from where in the first one.
fn missed(path: &Path, taken: &mut Taken<'_>) -> Result<(Vec<PathBuf>, u64), TailError> {
    let drained = std::mem::take(&mut taken.drained);
    let mut files =
        beside(path, taken.place.line).map_err(|source| TailError::Io { path: path.into(), source })?;
    let known = files.iter().rposition(|file| is_it(file, &taken.place));
    // Nothing was read of it, so that there is nothing by which it is known; these were written to since.
    let is_empty = taken.place.head_octets == 0;
    let from = match known {
        Some(at) if !is_empty => {
            files.drain(..at);
            taken.place.offset
        }
        // It was read to its end, and is gone.
        Some(_) | None if is_empty || drained => 0,
        Some(_) | None => {
            taken.gap()?;
            return Ok((files, 0));
        }
    };
    taken.goes_on();
    Ok((files, from))
}

/// Reads a file that is no longer written to; `false` at the stop.
fn read_former(path: &Path, from: u64, taken: &mut Taken<'_>, stop: &Stop) -> Result<bool, TailError> {
    let io = |source| TailError::Io { path: path.into(), source };
    let mut head = Vec::new();
    let beginning = regular(path).map_err(io)?;
    let most = limits::MAILLOG_HEAD_OCTETS as u64;
    let read = if is_packed(path) {
        gunzip(beginning).take(most).read_to_end(&mut head)
    } else {
        beginning.take(most).read_to_end(&mut head)
    };
    read.map_err(io)?;
    let mut file = LogFile::open(path, from).map_err(io)?;
    while file.take(&mut taken.deliveries).map_err(|fault| fault.of(path))? > 0 {
        taken.place.put(&head, file.offset - file.pending);
        taken.took();
        if taken.deliveries.is_full() {
            taken.store()?;
        }
        if stop.within(std::time::Duration::ZERO) {
            taken.store()?;
            return Ok(false);
        }
    }
    file.end(&mut taken.deliveries).map_err(|fault| fault.of(path))?;
    taken.place.put(&head, file.offset);
    Ok(true)
}

/// The files that were written to after that time and are, or were, the log at this path; it comes last, where it exists.
fn beside(path: &Path, since: i64) -> io::Result<Vec<PathBuf>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let since = Timestamp::from_millisecond(since - limits::MAILLOG_SLACK_MS).unwrap_or(Timestamp::MIN);
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let other = entry.file_name();
        let is_former = other
            .as_encoded_bytes()
            .strip_prefix(name)
            .is_some_and(|rest| rest.first().is_some_and(|octet| b".-".contains(octet)));
        let about: Metadata = match entry.metadata() {
            Ok(about) if is_former && about.is_file() => about,
            Ok(_) => continue,
            // It was renamed since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let written = about.modified()?;
        if Timestamp::try_from(written).is_ok_and(|written| written >= since) {
            found.push((written, entry.path()));
        }
    }
    found.sort();
    let mut files: Vec<PathBuf> = found.into_iter().map(|(_, path)| path).collect();
    if path.try_exists()? {
        files.push(path.to_owned());
    }
    Ok(files)
}

/// Whether that is the file in which the place is.
fn is_it(path: &Path, place: &Place) -> bool {
    let begins = || -> io::Result<bool> {
        let file = regular(path)?;
        let mut octets = Vec::new();
        if is_packed(path) {
            let mut inside = gunzip(file);
            inside.by_ref().take(place.head_octets).read_to_end(&mut octets)?;
            let rest = place.offset.saturating_sub(octets.len() as u64);
            let more = io::copy(&mut inside.take(rest), &mut io::sink())?;
            return Ok(text::hex(&Sha256::digest(&octets)) == place.head && more == rest);
        }
        let size = file.metadata()?.len();
        file.take(place.head_octets).read_to_end(&mut octets)?;
        Ok(size >= place.offset && text::hex(&Sha256::digest(&octets)) == place.head)
    };
    // What cannot be read is not known again: it is told as a gap.
    begins().unwrap_or(false)
}
