//! Folders and files that only the user of pipectl may read.

use std::io;
use std::path::Path;

/// Lets every file and folder that this process makes from now on be its user's alone. Children inherit it.
pub fn begin() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// Makes a folder that only its owner may enter, and closes one that exists.
///
/// The mode is set explicitly: a folder of an earlier version is open.
pub fn folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
    }
    #[cfg(not(unix))]
    std::fs::create_dir_all(path)
}

/// Closes all that is in a folder of this user, whatever the mode of the folder itself.
pub fn close_all(path: &Path) {
    #[cfg(unix)]
    close_content(path);
}

/// Closes a folder that an earlier version left open, with all that is in it. A missing one is left alone.
pub fn close(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(()) };
        if !found.is_dir() || !is_open(found.mode()) || found.uid() != rustix::process::geteuid().as_raw() {
            return Ok(());
        }
        // First, so that nobody enters it while the rest is closed.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
        close_content(path);
    }
    Ok(())
}

/// Whether others than the owner may do anything.
#[cfg(unix)]
fn is_open(mode: u32) -> bool {
    mode & 0o077 != 0
}

/// Closes what is in a folder. What cannot be closed is behind a closed folder all the same.
#[cfg(unix)]
fn close_content(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, Ok(found)) = (entry.path(), entry.metadata()) else { continue };
        if found.is_symlink() {
            continue;
        }
        let mode = found.permissions().mode();
        if is_open(mode) {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode & 0o700)).ok();
        }
        if found.is_dir() {
            close_content(&path);
        }
    }
}

/// Creates a file that only its owner may read, and writes it.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn created_files_are_private_to_the_owner() {
        let directory = tempfile::tempdir().unwrap();
        let (made, file) = (directory.path().join("a/b"), directory.path().join("a/b/rows"));
        folder(&made).unwrap();
        write(&file, b"1").unwrap();
        assert_eq!((mode(&made), mode(made.parent().unwrap()), mode(&file)), (0o700, 0o700, 0o600));
        assert!(write(&file, b"2").is_err(), "what is there is not opened: somebody else may have made it");
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o755)).unwrap();
        folder(&made).unwrap();
        assert_eq!(mode(&made), 0o700);
    }

    #[test]
    fn a_readable_folder_of_an_earlier_version_is_made_private() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        std::fs::create_dir_all(state.join("local/s3")).unwrap();
        std::fs::write(state.join("local/s3/rows.parquet"), "1").unwrap();
        std::fs::write(state.join("bootstrap"), "#!/bin/sh").unwrap();
        std::os::unix::fs::symlink("/", state.join("local/root")).unwrap();
        for (path, open) in [("", 0o755), ("local", 0o775), ("local/s3/rows.parquet", 0o644), ("bootstrap", 0o755)] {
            std::fs::set_permissions(state.join(path), std::fs::Permissions::from_mode(open)).unwrap();
        }
        let root = mode(Path::new("/"));
        close(&state).unwrap();
        for (path, closed) in
            [("", 0o700), ("local", 0o700), ("local/s3", 0o700), ("local/s3/rows.parquet", 0o600), ("bootstrap", 0o700)]
        {
            assert_eq!(mode(&state.join(path)), closed, "{path}");
        }
        assert_eq!(mode(Path::new("/")), root, "links are not followed");
        close(&state.join("missing")).unwrap();
    }
}
