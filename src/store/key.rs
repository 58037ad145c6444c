//! Keys in files: 32 random octets that only the owner may read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::schema::{OpenError, sync_directory};

/// Reads a key; `None` if there is none. One that others may read is refused: it proves nothing any more. Its owner
/// may read it, and its group where it is root's, as systemd and packages hand keys in.
pub(super) fn read(path: &Path) -> Result<Option<[u8; 32]>, OpenError> {
    let io = |source| OpenError::Io { path: path.into(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let about = file.metadata().map_err(io)?;
    let mode = about.mode() & 0o777;
    let too_much = if about.uid() == 0 { 0o037 } else { 0o077 };
    if mode & too_much != 0 {
        return Err(OpenError::KeyMode { path: path.into(), mode });
    }
    let mut octets = Vec::new();
    file.take(1024).read_to_end(&mut octets).map_err(io)?;
    <[u8; 32]>::try_from(octets.as_slice())
        .map(Some)
        .map_err(|_| OpenError::Key { path: path.into(), octets: octets.len() })
}

/// Makes a key, whole and durable or not at all.
pub(super) fn make(path: &Path) -> Result<[u8; 32], OpenError> {
    let mut key = [0; 32];
    let made = getrandom::fill(&mut key).map_err(io::Error::other).and_then(|()| write_whole(path, &key));
    made.map_err(|source| OpenError::Io { path: path.into(), source })?;
    if let Some(directory) = path.parent() {
        sync_directory(directory)?;
    }
    Ok(key)
}

/// Writes a file that only the owner may read, whole or not at all.
pub(super) fn write_whole(path: &Path, octets: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(octets)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, chown};

    use super::*;

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.key");
        assert_eq!(read(&path).unwrap(), None);
        let key = make(&path).unwrap();
        assert_eq!((read(&path).unwrap(), fs::metadata(&path).unwrap().mode() & 0o777), (Some(key), 0o600));
        let is_read_with = |mode, owner| {
            chown(&path, Some(owner), None).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match read(&path) {
                Ok(read) => read == Some(key),
                Err(OpenError::KeyMode { mode: found, .. }) => found != mode,
                Err(error) => panic!("{error}"),
            }
        };
        let root = rustix::process::geteuid().is_root();
        let own = rustix::process::geteuid().as_raw();
        for (mode, by_user, by_root) in [
            (0o600, true, true),
            (0o400, true, true),
            (0o640, false, true),
            (0o440, false, true),
            (0o660, false, false),
            (0o644, false, false),
            (0o604, false, false),
            (0o777, false, false),
        ] {
            assert_eq!(is_read_with(mode, if root { 65_534 } else { own }), by_user, "{mode:o}");
            if root {
                assert_eq!(is_read_with(mode, 0), by_root, "{mode:o}");
            }
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "too short").unwrap();
        assert!(matches!(read(&path), Err(OpenError::Key { octets: 9, .. })));
    }
}
