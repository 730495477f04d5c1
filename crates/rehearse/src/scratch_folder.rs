//! The folder for what a rehearsal needs only while it runs: Spark's scratch files, the results of stand-ins.
//!
//! It is beside the local account that the rehearsal has locked, so no other rehearsal uses it. A rehearsal that is
//! killed leaves it to its watchdog, or else to the next rehearsal, which begins by removing it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;

use crate::error::Result;

/// How often a removal is tried, and the pause between: a JVM that was just killed may still write for a moment.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// The folder, removed with all that is in it when this is dropped.
#[derive(Debug)]
pub struct Work {
    folder: PathBuf,
}

impl Work {
    /// Creates the folder again.
    pub fn begin(folder: PathBuf) -> Result<Self> {
        remove(&folder)?;
        fs::create_dir_all(&folder)?;
        // Java and Python run in other folders than pipectl's.
        let folder = fs::canonicalize(folder)?;
        pipectl_process::watchdog::remove_when_killed(&folder);
        Ok(Self { folder })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next rehearsal, which says so if it cannot either.
        let _ = remove(&self.folder);
    }
}

fn remove(folder: &Path) -> std::io::Result<()> {
    let mut tries = 0;
    loop {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !folder.exists() => return Ok(()),
            Err(_) if tries < TRIES => tries += 1,
            done => return done,
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_rehearsal_removes_files_of_a_killed_one() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("local/work");
        let killed = std::mem::ManuallyDrop::new(Work::begin(folder.clone()).unwrap());
        fs::create_dir_all(killed.folder().join("blockmgr-1/0a")).unwrap();
        fs::write(killed.folder().join("blockmgr-1/0a/shuffle"), "rows").unwrap();

        let next = Work::begin(folder.clone()).unwrap();
        assert_eq!(fs::read_dir(next.folder()).unwrap().count(), 0);
        fs::write(next.folder().join("liblz4-java.so"), "code").unwrap();
        drop(next);
        assert!(!folder.exists());
        assert!(folder.parent().unwrap().exists());
    }
}
