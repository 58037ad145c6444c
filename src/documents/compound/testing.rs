//! Compound files for unit tests: what no program at hand writes.

#![deny(clippy::disallowed_methods)]

use std::collections::BTreeMap;

const END: u32 = 0xFFFF_FFFE;
const TABLE: u32 = 0xFFFF_FFFD;
const NONE: u32 = 0xFFFF_FFFF;

/// A compound file with these streams; storages are where a path says so.
pub(in crate::documents) fn file(streams: &[(&str, &[u8])]) -> Vec<u8> {
    let mut names: BTreeMap<String, Option<&[u8]>> = BTreeMap::new();
    for (path, content) in streams {
        for (at, _) in path.match_indices('/') {
            names.entry(path[..at].to_owned()).or_insert(None);
        }
        names.insert((*path).to_owned(), Some(content));
    }
    let paths: Vec<&String> = names.keys().collect();
    let outer = |path: &str| path.rsplit_once('/').map_or(String::new(), |(outer, _)| outer.to_owned());
    let children = |parent: &str| -> Vec<u32> {
        let inner = paths.iter().enumerate().filter(|(_, path)| outer(path) == parent);
        inner.map(|(at, _)| u32::try_from(at + 1).unwrap()).collect()
    };
    let first = |parent: &str| children(parent).first().copied().unwrap_or(NONE);
    let (mut small, mut small_table) = (Vec::new(), Vec::new());
    let mut directory = entry("Root Entry", 5, NONE, first(""), 0, 0);
    for (path, content) in &names {
        let own = u32::try_from(paths.iter().position(|other| *other == path).unwrap() + 1).unwrap();
        let next = children(&outer(path)).into_iter().find(|sibling| *sibling > own).unwrap_or(NONE);
        let name = path.rsplit('/').next().unwrap();
        let Some(content) = content else {
            directory.extend(entry(name, 1, next, first(path), 0, 0));
            continue;
        };
        assert!(content.len() < 4096, "a test's stream is small");
        let start = if content.is_empty() { END } else { u32::try_from(small.len() / 64).unwrap() };
        directory.extend(entry(name, 2, next, NONE, start, content.len()));
        small.extend_from_slice(content);
        small.resize(small.len().next_multiple_of(64), 0);
        let end = u32::try_from(small.len() / 64).unwrap();
        small_table.extend((start.min(end)..end).map(|at| if at + 1 == end { END } else { at + 1 }));
    }
    assemble(directory, &small, &small_table)
}

/// The table first, then the directory, the small chain and its table.
fn assemble(mut directory: Vec<u8>, small: &[u8], small_table: &[u32]) -> Vec<u8> {
    let sectors = |octets: usize| u32::try_from(octets.div_ceil(512)).unwrap();
    let small_table: Vec<u8> = small_table.iter().flat_map(|number| number.to_le_bytes()).collect();
    let counts = [sectors(directory.len()), sectors(small.len()), sectors(small_table.len())];
    let starts = [1, 1 + counts[0], 1 + counts[0] + counts[1]];
    directory[116..120].copy_from_slice(&starts[1].to_le_bytes());
    directory[120..124].copy_from_slice(&u32::try_from(small.len()).unwrap().to_le_bytes());
    let mut table = vec![TABLE];
    for (start, count) in starts.iter().zip(counts) {
        table.extend((*start..start + count).map(|at| if at + 1 == start + count { END } else { at + 1 }));
    }
    assert!(table.len() <= 128, "a test's file is small");
    table.resize(128, NONE);
    let mut header = vec![0; 512];
    header[..8].copy_from_slice(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    header[30] = 9;
    header[32] = 6;
    header[44] = 1;
    header[48..52].copy_from_slice(&starts[0].to_le_bytes());
    header[60..64].copy_from_slice(&starts[2].to_le_bytes());
    header[68..72].copy_from_slice(&END.to_le_bytes());
    header[80..512].fill(0xFF);
    let table: Vec<u8> = table.iter().flat_map(|number| number.to_le_bytes()).collect();
    let mut file = [header, table].concat();
    for part in [&directory, small, &small_table] {
        file.extend_from_slice(part);
        file.resize(file.len().next_multiple_of(512), 0);
    }
    file
}

fn entry(name: &str, kind: u8, next: u32, child: u32, start: u32, size: usize) -> Vec<u8> {
    let mut entry = vec![0; 128];
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    entry[..name.len()].copy_from_slice(&name);
    entry[64..66].copy_from_slice(&u16::try_from(name.len() + 2).unwrap().to_le_bytes());
    entry[66] = kind;
    for (at, number) in [(68, NONE), (72, next), (76, child), (116, start)] {
        entry[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    entry[120..124].copy_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
    entry
}
