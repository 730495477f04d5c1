//! Files that somebody else may have written: read up to a stated size, and only from within the project.

use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};
use crate::quantity::size;

/// Reads a file of at most this many bytes. A larger one, and what is no file (a device, a pipe), is an error that says so.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Before it is opened: to open a named pipe waits for somebody who writes into it.
    let metadata = fs_err::metadata(path)?;
    if !metadata.is_file() {
        let message = format!("`{}` is no regular file", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    read_all(fs_err::File::open(path)?, path, limit, metadata.len())
}

/// The same for a file that a person names on the command line, which may be a pipe: `deploy <(…)`.
pub fn read_given(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = fs_err::File::open(path)?;
    let length = file.metadata()?.len();
    read_all(file, path, limit, length)
}

fn read_all(file: impl Read, path: &Path, limit: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // It may grow while it is read, and a pipe has no length.
    if length <= limit {
        file.take(limit + 1).read_to_end(&mut bytes)?;
    }
    if length > limit || bytes.len() as u64 > limit {
        let message = format!("`{}` is larger than {}, the most that pipectl reads of it", path.display(), size(limit));
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// The path of a file in a folder. Fails if it leads out of the folder: by `..`, as an absolute path, or by a symbolic
/// link. A file that does not exist is no error.
pub fn within(folder: &Path, path: &str) -> Result<PathBuf> {
    let parts = || Path::new(path).components();
    let plain = parts().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
        && parts().any(|part| matches!(part, Component::Normal(_)));
    if !plain || path.contains('\0') {
        return Err(outside(path, "is not a path within the project"));
    }
    let joined = folder.join(path);
    match (fs_err::canonicalize(&joined), fs_err::canonicalize(folder)) {
        (Ok(target), Ok(folder)) if !target.starts_with(&folder) => {
            Err(outside(path, "is a symbolic link out of the project"))
        }
        // A dangling link and a link to itself cannot be read; reading says so.
        _ => Ok(joined),
    }
}

fn outside(path: &str, what: &str) -> Error {
    Error::project(format!("`{path}` {what}"))
        .hint("copy the file into the project, and name it by its path from the project's folder")
}

#[cfg(test)]
mod tests {
    use pipectl_core::limits;

    use super::*;

    #[test]
    fn files_are_read_up_to_a_limit_and_devices_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs_err::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        let error = read(&path, 4).unwrap_err().to_string().replace(&folder.path().display().to_string(), "DIR");
        assert_eq!(error, "`DIR/a.yaml` is larger than 4 B, the most that pipectl reads of it");
        // A sparse file costs no disk, and would cost its length in memory.
        fs_err::File::create(&path).unwrap().set_len(limits::SPEC_BYTES + 1).unwrap();
        assert_eq!(read(&path, limits::SPEC_BYTES).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        #[cfg(unix)]
        {
            let pipe = folder.path().join("pipe.yaml");
            assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
            for path in [Path::new("/dev/zero"), &pipe, folder.path()] {
                assert!(read(path, 4).unwrap_err().to_string().contains("no regular file"));
            }
            assert_eq!(read_given(Path::new("/dev/zero"), 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        }
    }

    #[cfg(unix)]
    #[test]
    fn paths_stay_in_the_folder() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let project = root.path().join("project");
        fs_err::create_dir_all(project.join("sql")).unwrap();
        fs_err::write(root.path().join("secret"), "s").unwrap();
        fs_err::write(project.join("sql/a.sql"), "select 1").unwrap();
        symlink("../../secret", project.join("sql/link.sql")).unwrap();
        symlink("..", project.join("sql/up")).unwrap();
        symlink(root.path(), project.join("out")).unwrap();
        symlink("a.sql", project.join("sql/inner.sql")).unwrap();
        symlink("loop.sql", project.join("sql/loop.sql")).unwrap();
        for path in ["sql/a.sql", "sql/inner.sql", "sql/up/sql/a.sql", "sql/missing.sql"] {
            assert!(within(&project, path).is_ok(), "{path}");
        }
        // What cannot be read is an error where it is read.
        assert!(read(&within(&project, "sql/loop.sql").unwrap(), 9).is_err());
        let absolute = root.path().join("secret").display().to_string();
        for path in ["../secret", "sql/../../secret", "sql/link.sql", "out/secret", &absolute, "", ".", "a\0b"] {
            assert!(within(&project, path).is_err(), "{path}");
        }
    }
}
