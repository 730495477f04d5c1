//! One process at a time: the lock file of an account.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, Result};

const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Takes the lock, waiting a while for another process to end. Fails with the holder's process id.
///
/// The lock belongs to the open file, so the system frees it when the process ends, however it ends.
pub(crate) fn take(directory: &Path) -> Result<File> {
    take_within(directory, PATIENCE)
}

pub(crate) fn take_within(directory: &Path, patience: Duration) -> Result<File> {
    let path = directory.join("lock");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(|error| Error::new(format!("cannot open the lock `{}`", path.display())).cause(&error))?;
    let start = Instant::now();
    while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if start.elapsed() >= patience {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            let who = if holder.is_empty() { "another process".to_owned() } else { format!("process {holder}") };
            return Err(Error::new(format!("the local account in `{}` is in use by {who}", directory.display())).hint(
                format!("wait for it to end, or end it with `kill {}`", if holder.is_empty() { "PID" } else { holder }),
            ));
        }
        std::thread::sleep(PAUSE);
    }
    // Only a note for processes that wait: the lock itself does not depend on it.
    let _ = file.set_len(0);
    let _ = file.rewind();
    let _ = write!(file, "{}", std::process::id());
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_error_names_the_holder() {
        let directory = tempfile::tempdir().unwrap();
        let first = take(directory.path()).unwrap();
        let error = take_within(directory.path(), Duration::from_millis(1)).unwrap_err().to_string();
        assert!(error.contains(&format!("in use by process {}", std::process::id())), "{error}");
        drop(first);
        assert!(take_within(directory.path(), Duration::from_millis(1)).is_ok());
    }
}
