//! A directory that appears whole or not at all.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use fs_err as fs;
use tempfile::TempDir;

use super::Written;
use crate::error::{Error, Result};

/// What a sample holds; `--force` replaces a directory with nothing else in it.
const PARTS: [&str; 2] = ["erp", "shop"];

/// A sample on its way: files in a directory beside the wanted one, which it replaces in the end.
#[derive(Debug)]
pub(super) struct Output {
    target: PathBuf,
    partial: TempDir,
    written: Written,
}

/// A file of rows.
#[derive(Debug)]
pub(super) struct Rows {
    name: &'static str,
    out: BufWriter<fs::File>,
    count: u64,
    bytes: u64,
}

impl Output {
    pub(super) fn begin(target: &Path, force: bool) -> Result<Self> {
        check(target, force)?;
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        fs::create_dir_all(&parent)?;
        let partial = tempfile::Builder::new().prefix(".sample-").tempdir_in(&parent)?;
        pipectl_process::watchdog::remove_when_killed(&fs::canonicalize(partial.path())?);
        Ok(Self { target: target.to_owned(), partial, written: Written::default() })
    }

    pub(super) fn file(&self, name: &'static str) -> Result<Rows> {
        let path = self.partial.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let out = BufWriter::with_capacity(1 << 18, fs::File::create(path)?);
        Ok(Rows { name, out, count: 0, bytes: 0 })
    }

    /// Ends a file. A full disk shows here at the latest.
    pub(super) fn close(&mut self, mut rows: Rows) -> Result<()> {
        rows.out.flush()?;
        self.written.files.push((rows.name.to_owned(), rows.count));
        self.written.bytes += rows.bytes;
        Ok(())
    }

    /// Puts the finished directory in its place.
    pub(super) fn finish(self) -> Result<Written> {
        if self.target.exists() {
            fs::remove_dir_all(&self.target)?;
        }
        let partial = self.partial.keep();
        // It stays closed to other users, as a temporary directory is: people add their own rows.
        fs::rename(&partial, &self.target)?;
        Ok(self.written)
    }
}

/// Refuses a target that holds anything, unless it is an earlier sample that may go.
fn check(target: &Path, force: bool) -> Result<()> {
    let shown = target.display();
    if !target.exists() {
        return Ok(());
    }
    if !target.is_dir() {
        return Err(Error::new(format!("`{shown}` is a file")).hint("name a new directory with `--out`"));
    }
    let names = fs::read_dir(target)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<String>>>()?;
    match names.iter().find(|name| !PARTS.contains(&name.as_str())) {
        None if names.is_empty() || force => Ok(()),
        None => Err(Error::new(format!("`{shown}` holds a sample already"))
            .hint("name a new directory with `--out`, or replace it with `--force`")),
        Some(other) => Err(Error::new(format!("`{shown}` holds `{other}`, which is not part of a sample"))
            .hint("name a new directory with `--out`: `--force` replaces only an earlier sample")),
    }
}

impl Rows {
    /// Says that so many rows were written.
    pub(super) fn count(&mut self, rows: u64) {
        self.count += rows;
    }
}

impl Write for Rows {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.out.write(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
