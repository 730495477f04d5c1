//! The data of a database: `schema.sql`, `<table>.csv`, and `changes/*.sql` for what happens later.

use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::error::{Error, Result};
use crate::exit::Exit;

/// What is in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Makes the tables.
    pub schema: PathBuf,
    /// The rows of each table at the start, by the table's name.
    pub tables: Vec<(String, PathBuf)>,
    /// What happens later, one file a step, in the order of their names. The pipeline runs after each.
    pub changes: Vec<PathBuf>,
}

impl Folder {
    /// Looks into a folder. Fails with all that is wrong.
    pub fn read(directory: &Path) -> Result<Self> {
        let schema = directory.join("schema.sql");
        let mut errors = Vec::new();
        if !schema.is_file() {
            errors.push(
                wrong(format!("`{}` holds no `schema.sql`", directory.display()))
                    .hint("write the tables' CREATE TABLE statements there, such as a dump without data has them"),
            );
        }
        let mut tables = Vec::new();
        for path in files(directory)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match name.rsplit_once('.') {
                Some((table, "csv")) => tables.push((table.to_owned(), path)),
                _ if name == "schema.sql" || path.is_dir() && name == "changes" => {}
                _ => errors.push(
                    wrong(format!("`{}` is not data of a database", path.display()))
                        .note("a folder for a database holds `schema.sql`, `<table>.csv` and `changes/*.sql`")
                        .hint("rename it, or move it out of the folder"),
                ),
            }
        }
        let mut changes = Vec::new();
        let later = directory.join("changes");
        for path in if later.is_dir() { files(&later)? } else { Vec::new() } {
            if path.extension().is_some_and(|kind| kind == "sql") {
                changes.push(path);
            } else {
                errors.push(
                    wrong(format!("`{}` is not an SQL file", path.display()))
                        .hint("name each step `<number>-<what>.sql`; they happen in the order of their names"),
                );
            }
        }
        Error::all(errors)?;
        Ok(Self { schema, tables, changes })
    }
}

/// Checks the folder of a source before anything starts.
pub fn check(directory: &Path) -> Result<()> {
    Folder::read(directory).map(drop)
}

fn wrong(message: String) -> Error {
    Error::new(message).exit(Exit::Project)
}

/// What is in a folder, in name order, without hidden files.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            crate::arrivals::inside(directory, &entry.path())?;
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
