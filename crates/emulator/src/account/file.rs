//! Atomic writes of files: a temporary file in the same folder is renamed.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Writes a file so that a reader, and a crash, see either the old or the new content.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    // The temporary file removes itself when anything fails, so that a full disk leaves nothing half-written.
    let mut file = tempfile::NamedTempFile::with_prefix_in(".writing-", directory)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    write(path, &serde_json::to_vec(value)?)
}

/// Reads a JSON file; none if it does not exist.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::new(format!("cannot read `{}`", path.display())).cause(&error)),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        Error::new(format!("`{}` is not a state file of this version of pipectl", path.display()))
            .cause(&error)
            .hint("remove the state directory to start with an empty local account")
    })
}
