//! From a zip to a directory with a `bootstrap`.

use std::path::{Path, PathBuf};

use fs_err as fs;
use zip::ZipArchive;

use crate::digest::sha256;
use crate::error::{Error, Result};

/// Extracts a function's zip under `root`, once for the same bytes, and returns the directory.
pub fn extract(archive: &Path, root: &Path) -> Result<PathBuf> {
    let shown = archive.display();
    let bytes = fs::read(archive)?;
    let directory = root.join(&sha256(&bytes)[..24]);
    if directory.join("bootstrap").is_file() {
        return Ok(directory);
    }
    fs::create_dir_all(root)?;
    let partial = tempfile::Builder::new().prefix(".function-").tempdir_in(root)?;
    pipectl_process::watchdog::remove_when_killed(partial.path());
    let broken = |error: zip::result::ZipError| {
        Error::new(format!("cannot read the zip `{shown}`"))
            .cause(&error)
            .hint("build it again with `pipectl package`, then `pipectl deploy`")
    };
    let mut zip = ZipArchive::new(std::io::Cursor::new(bytes)).map_err(broken)?;
    zip.extract(partial.path()).map_err(broken)?;
    if !partial.path().join("bootstrap").is_file() {
        return Err(Error::new(format!("the zip `{shown}` holds no file `bootstrap`")).hint(
            "`provided.al2023` starts the file `bootstrap` at the top of the zip: build it with `pipectl package`",
        ));
    }
    // The zip has Lambda's modes, which are open.
    pipectl_process::private::close_all(partial.path());
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::rename(partial.keep(), &directory)?;
    Ok(directory)
}
