//! The folder of a database server's socket.
//!
//! It is in the system's temporary folder and not in the project: a socket's path may have no more than 107 bytes, and
//! not every file system that holds a project takes one.

use std::path::{Path, PathBuf};

use pipectl_process::TemporaryFolder;

use super::os_account::Account;
use crate::error::Result;

/// A folder of mode 0700 for one socket. It belongs to the server's account.
#[derive(Debug)]
pub struct SocketFolder {
    folder: TemporaryFolder,
}

impl SocketFolder {
    /// Makes a folder whose name begins with `prefix`, for a server that runs as `account`.
    pub fn new(prefix: &str, account: &Account) -> Result<Self> {
        let folder = TemporaryFolder::new(prefix)?;
        account.own(folder.path())?;
        Ok(Self { folder })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of mode 0600 for the user of pipectl, such as one with a password.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path().join(name);
        pipectl_process::private::write(&path, text.as_bytes())?;
        Ok(path)
    }
}
