//! The folder of a database server's socket.
//!
//! It lies in the system's temporary folder and not in the project: a socket's path may have no more than 107 bytes, and
//! not every file system that holds a project takes one. Whoever made it holds a lock in it; one that nobody holds was
//! left by a run that was killed, and is removed by the next run of any project.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::os_account::Account;
use crate::error::Result;

/// The longest temporary folder in which a socket's path is short enough.
const LONGEST: usize = 60;
const LOCK: &str = "pipectl.lock";
/// A folder this young may not have its lock yet.
const YOUNG: Duration = Duration::from_mins(1);

/// A folder for one socket, closed to other users than the server's: who can reach the socket is trusted.
#[derive(Debug)]
pub struct SocketFolder {
    folder: TempDir,
    /// Given back by the kernel when this process ends, however it ends.
    #[cfg_attr(not(test), expect(dead_code, reason = "held, not read"))]
    lock: File,
}

impl SocketFolder {
    /// Makes a folder whose name begins with `prefix`, for a server that runs as `account`.
    pub fn new(prefix: &str, account: &Account) -> Result<Self> {
        Self::new_in(&parent(), prefix, account)
    }

    fn new_in(parent: &Path, prefix: &str, account: &Account) -> Result<Self> {
        sweep(parent, prefix, YOUNG);
        let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(parent)?;
        let lock: File = fs_err::File::create(folder.path().join(LOCK))?.into_parts().0;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(std::io::Error::from)?;
        account.own(folder.path())?;
        Ok(Self { folder, lock })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves the folder as a run that is killed does.
    #[cfg(test)]
    pub fn abandon(&self) {
        flock(&self.lock, FlockOperation::Unlock).unwrap();
    }
}

fn parent() -> PathBuf {
    let short = std::env::temp_dir();
    if short.as_os_str().len() > LONGEST { PathBuf::from("/tmp") } else { short }
}

/// Removes the folders that nobody holds any more. What cannot be looked at belongs to somebody else.
fn sweep(parent: &Path, prefix: &str, young: Duration) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok) {
        if !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        let age = entry.metadata().and_then(|found| found.modified()).ok().and_then(|at| at.elapsed().ok());
        if age.is_none_or(|age| age < young) {
            continue;
        }
        let held = match File::open(entry.path().join(LOCK)) {
            Ok(lock) => flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err(),
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
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
    fn a_folder_that_nobody_holds_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let new = |prefix| SocketFolder::new_in(place.path(), prefix, &Account::Same).unwrap();
        let (mine, theirs) = (new("pipectl-source-"), new("pipectl-source-"));
        let other = new("other-");
        theirs.abandon();
        other.abandon();
        // One of an earlier version, without a lock.
        std::fs::create_dir(place.path().join("pipectl-source-old")).unwrap();
        sweep(place.path(), "pipectl-source-", YOUNG);
        assert!(theirs.path().exists(), "it is too young");
        sweep(place.path(), "pipectl-source-", Duration::ZERO);
        let mut left: Vec<PathBuf> =
            std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        left.sort();
        let mut wanted = vec![mine.path().to_owned(), other.path().to_owned()];
        wanted.sort();
        assert_eq!(left, wanted);
        drop(mine);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
