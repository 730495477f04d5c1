//! Which table a file belongs to, and the key of its object.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pipectl_contract::keys;

use crate::error::{Error, Result, closest, did_you_mean};
use crate::exit::Exit;
use crate::spec::{Csv, FileFormat, Files, Source, Spec, Table};

/// A file, and the table that it is for.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    pub path: PathBuf,
    pub name: &'a str,
    pub table: &'a Table,
    pub files: &'a Files,
}

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    Bzip2,
}

impl Packing {
    /// What its first bytes say.
    pub(super) fn of(start: &[u8]) -> Self {
        if start.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else if start.starts_with(b"BZh") {
            Self::Bzip2
        } else {
            Self::None
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Bzip2 => ".bz2",
        }
    }
}

impl Target<'_> {
    pub(super) fn is_csv(&self) -> bool {
        self.files.format == FileFormat::Csv
    }

    pub(super) fn csv(&self) -> &Csv {
        &self.files.csv
    }

    /// The object's key: the file's name, and a piece of its content's digest. Whatever a name may hold on a disk, the
    /// key has letters, digits and `-`, `_`, `.` only, and does not begin as names do that the jobs leave out.
    pub(super) fn key(&self, sha256: &str, packing: Packing) -> String {
        let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let plain: String = stem(&name)
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
            .take(100)
            .collect();
        let plain = plain.trim_matches(['-', '_', '.']);
        let start = if plain.is_empty() { String::new() } else { format!("{plain}-") };
        let ending = match self.files.format {
            FileFormat::Csv => "csv",
            FileFormat::Jsonl => "jsonl",
            FileFormat::Parquet => "parquet",
        };
        let ending = format!("{ending}{}", packing.ending());
        format!("{}{start}{}.{ending}", keys::landing_folder(self.name), &sha256[..16])
    }
}

/// A file's name without the endings that say how it is written.
fn stem(name: &str) -> &str {
    let bare = [".gz", ".bz2"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    [".parquet", ".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json"]
        .iter()
        .find_map(|end| bare.strip_suffix(end))
        .unwrap_or(bare)
}

/// Finds the table of each file. Fails with everything that is wrong, and before any file is read.
pub fn targets<'a>(spec: &'a Spec, source: &str, paths: &[PathBuf], table: Option<&str>) -> Result<Vec<Target<'a>>> {
    let sources = &spec.pipeline.sources;
    let files = match sources.get(source) {
        Some(Source::Files(files)) => files,
        Some(Source::Shopify(_) | Source::Lambda(_) | Source::Mysql(_) | Source::Postgresql(_)) => {
            return Err(misuse(format!("`{source}` is not a file source, so it accepts no uploads"))
                .hint(did_you_mean(source, names_of_files(spec))));
        }
        None => {
            return Err(
                misuse(format!("there is no source `{source}`")).hint(did_you_mean(source, names_of_files(spec)))
            );
        }
    };
    let tables: BTreeMap<&str, &Table> = spec
        .pipeline
        .tables
        .iter()
        .filter(|(_, table)| table.source == source)
        .map(|(name, table)| (name.as_str(), table))
        .collect();
    let known = || tables.keys().copied();
    if let Some(table) = table.filter(|table| !tables.contains_key(table)) {
        return Err(
            misuse(format!("`{source}` has no table `{table}`")).hint(did_you_mean(table, known().collect::<Vec<_>>()))
        );
    }
    let (mut targets, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        match readable(path).and_then(|()| table_of(path, table, source, &tables)) {
            Ok((name, table)) => targets.push(Target { path: path.clone(), name, table, files }),
            Err(error) => errors.push(error),
        }
    }
    Error::all(errors)?;
    Ok(targets)
}

fn names_of_files(spec: &Spec) -> Vec<&str> {
    let sources = spec.pipeline.sources.iter().filter(|(_, source)| matches!(source, Source::Files(_)));
    sources.map(|(name, _)| name.as_str()).collect()
}

fn misuse(message: String) -> Error {
    Error::new(message).exit(Exit::Usage)
}

fn readable(path: &Path) -> Result<()> {
    let shown = path.display();
    let metadata = fs_err::metadata(path).map_err(|error| {
        let error = match error.kind() {
            std::io::ErrorKind::NotFound => Error::new(format!("`{shown}` does not exist")),
            _ => Error::from(error),
        };
        error.exit(Exit::Usage)
    })?;
    if metadata.is_dir() {
        return Err(misuse(format!("`{shown}` is a folder")).hint(format!("name its files: {shown}/*")));
    }
    if metadata.is_file() {
        return Ok(());
    }
    Err(misuse(format!("`{shown}` is not a regular file")).hint("write it to a file first"))
}

/// The table by its own name, the file's, the folder's, or what the file's name begins with: `visits-2026-11.csv`.
fn table_of<'a>(
    path: &Path,
    given: Option<&str>,
    source: &str,
    tables: &BTreeMap<&'a str, &'a Table>,
) -> Result<(&'a str, &'a Table)> {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let file = stem(&file);
    let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let starts = |table: &&str| file.strip_prefix(*table).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
    let found = given
        .and_then(|given| tables.get_key_value(given))
        .or_else(|| tables.get_key_value(file))
        .or_else(|| tables.get_key_value(folder.as_deref()?))
        .or_else(|| {
            let longest = tables.keys().copied().filter(starts).max_by_key(|table| table.len())?;
            tables.get_key_value(longest)
        });
    if let Some((name, table)) = found {
        return Ok((name, table));
    }
    let known: Vec<&str> = tables.keys().copied().collect();
    let hint = match closest(file, known.iter().copied()) {
        Some(table) => format!("is it for `{table}`? then add `--table {table}`"),
        None => "name the table with `--table`, or name the file after it".to_owned(),
    };
    let tables = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(misuse(format!("`{}` has the name of no table of the source `{source}`", path.display()))
        .note(format!("its tables: {tables}"))
        .hint(hint))
}
