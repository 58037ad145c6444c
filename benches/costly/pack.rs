//! Archives and packers: ZIP and tar written here, so that they may be as no program writes them; what else there is,
//! by the programs that people have.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// An entry of a ZIP.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    name: Vec<u8>,
    method: u16,
    flags: u16,
    size: u32,
    crc: u32,
    /// The same for all names that it has.
    packed: Arc<[u8]>,
}

impl Entry {
    pub(crate) fn stored(name: impl Into<Vec<u8>>, content: &[u8]) -> Self {
        Self::new(name, STORED, content, content.to_vec())
    }

    pub(crate) fn deflated(name: impl Into<Vec<u8>>, content: &[u8]) -> Self {
        Self::new(name, DEFLATED, content, deflated(content))
    }

    /// One whose packed octets are these, whatever comes out.
    pub(crate) fn raw(name: impl Into<Vec<u8>>, packed: Vec<u8>) -> Self {
        Self { name: name.into(), method: DEFLATED, flags: 0, size: 10, crc: 0, packed: packed.into() }
    }

    fn new(name: impl Into<Vec<u8>>, method: u16, content: &[u8], packed: Vec<u8>) -> Self {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let size = u32::try_from(content.len()).unwrap();
        Self { name: name.into(), method, flags: 0, size, crc: crc.sum(), packed: packed.into() }
    }

    /// The same, called encrypted.
    pub(crate) fn encrypted(self) -> Self {
        Self { flags: self.flags | 1, ..self }
    }

    fn header(&self, central: Option<u32>) -> Vec<u8> {
        let mut out = if central.is_some() { b"PK\x01\x02\x14\0".to_vec() } else { b"PK\x03\x04".to_vec() };
        out.extend(20_u16.to_le_bytes());
        out.extend(self.flags.to_le_bytes());
        out.extend(self.method.to_le_bytes());
        out.extend([0; 4]);
        out.extend(self.crc.to_le_bytes());
        out.extend(u32::try_from(self.packed.len()).unwrap().to_le_bytes());
        out.extend(self.size.to_le_bytes());
        out.extend(u16::try_from(self.name.len()).unwrap().to_le_bytes());
        out.extend([0; 2]);
        if let Some(offset) = central {
            out.extend([0; 10]);
            out.extend(offset.to_le_bytes());
        }
        out.extend_from_slice(&self.name);
        out
    }
}

/// An archive of these entries.
pub(crate) fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut out, mut places) = (Vec::new(), Vec::new());
    for entry in entries {
        places.push((entry, out.len()));
        out.extend(entry.header(None));
        out.extend_from_slice(&entry.packed);
    }
    closed(out, &places)
}

/// An archive that names one entry many times, each time by another name.
pub(crate) fn overlapping(entry: &Entry, times: usize) -> Vec<u8> {
    let mut out = entry.header(None);
    out.extend_from_slice(&entry.packed);
    let named: Vec<Entry> = (0..times)
        .map(|number| {
            let ending = String::from_utf8_lossy(&entry.name).into_owned();
            Entry { name: format!("{number}-{ending}").into_bytes(), ..entry.clone() }
        })
        .collect();
    closed(out, &named.iter().map(|entry| (entry, 0)).collect::<Vec<_>>())
}

fn closed(mut out: Vec<u8>, places: &[(&Entry, usize)]) -> Vec<u8> {
    let begin = out.len();
    for (entry, at) in places {
        out.extend(entry.header(Some(u32::try_from(*at).unwrap())));
    }
    let length = out.len() - begin;
    out.extend(b"PK\x05\x06\0\0\0\0");
    let count = u16::try_from(places.len()).unwrap_or(u16::MAX).to_le_bytes();
    out.extend(count);
    out.extend(count);
    out.extend(u32::try_from(length).unwrap().to_le_bytes());
    out.extend(u32::try_from(begin).unwrap().to_le_bytes());
    out.extend([0; 2]);
    out
}

pub(crate) fn deflated(content: &[u8]) -> Vec<u8> {
    let mut out = DeflateEncoder::new(Vec::new(), Compression::best());
    out.write_all(content).unwrap();
    out.finish().unwrap()
}

pub(crate) fn zlib(content: &[u8]) -> Vec<u8> {
    let mut out = ZlibEncoder::new(Vec::new(), Compression::best());
    out.write_all(content).unwrap();
    out.finish().unwrap()
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    out.write_all(content).unwrap();
    out.finish().unwrap()
}

/// Tar, with GNU's long names where they are long.
pub(crate) fn tar<'a>(files: impl IntoIterator<Item = (String, &'a [u8])>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in files {
        if name.len() > 99 {
            block(&mut out, "././@LongLink", b'L', name.as_bytes());
        }
        block(&mut out, &name[..name.floor_char_boundary(99)], b'0', content);
    }
    out.resize(out.len() + 1_024, 0);
    out
}

fn block(out: &mut Vec<u8>, name: &str, kind: u8, content: &[u8]) {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[148..156].fill(b' ');
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar  \0");
    let sum: u32 = header.iter().map(|octet| u32::from(*octet)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out.extend(header);
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(512), 0);
}

/// RAR 5 with stored files.
pub(crate) fn rar<'a>(files: impl IntoIterator<Item = (String, &'a [u8])>) -> Vec<u8> {
    let mut out = b"Rar!\x1a\x07\x01\x00".to_vec();
    for (name, content) in files {
        let mut header = vec![2, 2];
        header.extend(variable(content.len()));
        header.push(0);
        header.extend(variable(content.len()));
        header.extend([0, 0, 0]);
        header.extend(variable(name.len()));
        header.extend(name.bytes());
        out.extend([0; 4]);
        out.extend(variable(header.len()));
        out.extend(header);
        out.extend_from_slice(content);
    }
    out
}

fn variable(number: usize) -> Vec<u8> {
    let (mut rest, mut out) = (number, Vec::new());
    loop {
        let low = u8::try_from(rest & 0x7f).unwrap();
        rest >>= 7;
        out.push(if rest == 0 { low } else { low | 0x80 });
        if rest == 0 {
            return out;
        }
    }
}

/// What `xz`, `bzip2` and the like make of it.
pub(crate) fn piped(program: &str, arguments: &[&str], content: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error} (apt-get install xz-utils bzip2)"));
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(content).unwrap());
        let mut out = Vec::new();
        output.read_to_end(&mut out).unwrap();
        assert!(child.wait().unwrap().success(), "{program} {arguments:?}");
        out
    })
}

pub(crate) fn xz(content: &[u8]) -> Vec<u8> {
    piped("xz", &["-T1", "-6", "-c"], content)
}

pub(crate) fn bzip2(content: &[u8]) -> Vec<u8> {
    piped("bzip2", &["-9", "-c"], content)
}

/// 7z of these files, with this method (`LZMA`, `LZMA2`, `BZip2`, `PPMd`, `Deflate`, `Copy`).
pub(crate) fn seven_zip(method: &str, files: &[(String, &[u8])]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(directory.path().join(name), content).unwrap();
    }
    let status = Command::new("7z")
        .args(["a", "-bso0", "-bsp0", "-mx=5", "-mmt=1", &format!("-m0={method}"), "out.7z", "."])
        .current_dir(directory.path())
        .status()
        .unwrap_or_else(|error| panic!("7z: {error} (apt-get install p7zip-full)"));
    assert!(status.success(), "7z with {method}");
    std::fs::read(directory.path().join("out.7z")).unwrap()
}
