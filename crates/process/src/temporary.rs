//! A folder in the system's temporary folder, for one run.
//!
//! Its creator holds a lock in it. A folder without a lock was left by a run that was killed together with its
//! watchdog, and is removed by the next run of any project.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use tempfile::TempDir;

use crate::watchdog;

/// The longest temporary folder in which the path of a socket is short enough: it may have 107 bytes.
const LONGEST: usize = 60;
const LOCK: &str = "pipectl.lock";
/// A folder this young may not have its lock yet.
const YOUNG: Duration = Duration::from_mins(1);

/// A folder that only its owner may enter. It is removed when this is dropped, and when pipectl is killed.
#[derive(Debug)]
pub struct TemporaryFolder {
    folder: TempDir,
    /// Released by the kernel when this process ends, however it ends.
    lock: File,
}

impl TemporaryFolder {
    /// Makes a folder whose name begins with `prefix`.
    pub fn new(prefix: &str) -> io::Result<Self> {
        Self::new_in(&parent(), prefix)
    }

    fn new_in(parent: &Path, prefix: &str) -> io::Result<Self> {
        remove_stale(parent, prefix, YOUNG);
        let mode = std::fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix(prefix).permissions(mode.clone()).tempdir_in(parent)?;
        // Whatever the umask has left of it.
        std::fs::set_permissions(folder.path(), mode)?;
        watchdog::remove_when_killed(folder.path());
        let lock = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.path().join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { folder, lock })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves the folder as a run that is killed does: for tests.
    pub fn abandon(&self) {
        flock(&self.lock, FlockOperation::Unlock).ok();
    }
}

fn parent() -> PathBuf {
    let short = std::env::temp_dir();
    if short.as_os_str().len() > LONGEST { PathBuf::from("/tmp") } else { short }
}

/// Removes the folders that nobody holds any more. Those of other users are left alone, unless this is root.
fn remove_stale(parent: &Path, prefix: &str, young: Duration) {
    let user = rustix::process::geteuid();
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        let Ok(found) = entry.metadata() else { continue };
        if !found.is_dir() || !(user.is_root() || found.uid() == user.as_raw()) {
            continue;
        }
        let age = found.modified().ok().and_then(|at| at.elapsed().ok());
        if age.is_none_or(|age| age < young) {
            continue;
        }
        // Somebody else may have put a pipe or a link there.
        let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let held = match OpenOptions::new().read(true).custom_flags(flags).open(entry.path().join(LOCK)) {
            Ok(lock) => flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err(),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        if !held {
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unlocked_folder_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let new = |prefix| TemporaryFolder::new_in(directory.path(), prefix).unwrap();
        let (mine, theirs) = (new("pipectl-source-"), new("pipectl-source-"));
        let other = new("other-");
        theirs.abandon();
        other.abandon();
        // One of an earlier version, without a lock.
        std::fs::create_dir(directory.path().join("pipectl-source-old")).unwrap();
        remove_stale(directory.path(), "pipectl-source-", YOUNG);
        assert!(theirs.path().exists(), "it is too young");
        remove_stale(directory.path(), "pipectl-source-", Duration::ZERO);
        let mut left: Vec<PathBuf> =
            std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        left.sort();
        let mut expected = vec![mine.path().to_owned(), other.path().to_owned()];
        expected.sort();
        assert_eq!(left, expected);
        drop(mine);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn it_is_private_with_any_umask() {
        let directory = tempfile::tempdir().unwrap();
        let folder = TemporaryFolder::new_in(directory.path(), "pipectl-").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(mode(&folder.path().join(LOCK)), 0o600);
    }

    #[test]
    fn a_pipe_instead_of_the_lock_blocks_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let trap = directory.path().join("pipectl-trap");
        std::fs::create_dir(&trap).unwrap();
        let made = std::process::Command::new("mkfifo").arg(trap.join(LOCK)).status().unwrap();
        assert!(made.success());
        remove_stale(directory.path(), "pipectl-", Duration::ZERO);
    }
}
