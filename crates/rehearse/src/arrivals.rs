//! The sources' data: which folder belongs to which source, and which file to which table.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use fs_err as fs;
use pipectl_contract::keys;

use crate::error::{Error, Result, closest, did_you_mean};
use crate::exit::Exit;
use crate::spec::{FileFormat, Pipeline, Source};

use super::Data;

/// A file for the raw zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    pub path: PathBuf,
    /// `landing/<table>/<file>`.
    pub key: String,
}

/// Reads `--data SOURCE=DIR`, repeated, and checks the folders before anything starts.
///
/// A wrong command line is wrong usage; a folder with the wrong files is wrong data.
pub fn given(pipeline: &Pipeline, given: &[String]) -> Result<Data> {
    let mut folders = BTreeMap::new();
    let mut run = BTreeSet::new();
    let mut errors = Vec::new();
    for text in given {
        if pipeline.sources.get(text).and_then(Source::custom).is_some() {
            run.insert(text.clone());
            continue;
        }
        match folder(pipeline, text) {
            Ok((source, _)) if folders.contains_key(&source) => errors.push(
                misuse(format!("`--data {text}`: the source `{source}` is given twice"))
                    .hint("put all of its files into one folder"),
            ),
            Ok((source, folder)) => {
                folders.insert(source, folder);
            }
            Err(error) => errors.push(error),
        }
    }
    for (source, folder) in &folders {
        let checked = match pipeline.sources.get(source) {
            Some(Source::Shopify(_)) => check_shop(pipeline, source, folder),
            Some(Source::Mysql(_) | Source::Postgresql(_)) => super::databases::check(folder),
            Some(Source::Files(_) | Source::Lambda(_)) | None => arrivals(pipeline, source, folder, false).map(drop),
        };
        errors.extend(checked.err());
    }
    Error::all(errors)?;
    Ok(Data { folders, run, ..Data::default() })
}

fn misuse(message: String) -> Error {
    Error::new(message).exit(Exit::Usage)
}

fn wrong_data(message: String) -> Error {
    Error::new(message).exit(Exit::Project)
}

fn folder(pipeline: &Pipeline, text: &str) -> Result<(String, PathBuf)> {
    let Some((source, folder)) = text.split_once('=') else {
        return Err(misuse(format!("`--data {text}` is not SOURCE=DIR")).hint("such as `--data erp=exports/erp`"));
    };
    if !pipeline.sources.contains_key(source) {
        let known = pipeline.sources.keys().map(String::as_str);
        return Err(misuse(format!("`--data {text}`: there is no source `{source}`")).hint(did_you_mean(source, known)));
    }
    let path = PathBuf::from(folder);
    if !path.is_dir() {
        let what = if path.exists() { "is a file, not a folder" } else { "does not exist" };
        return Err(misuse(format!("`--data {text}`: `{folder}` {what}"))
            .hint("name a folder with one file, or one folder of files, for each table"));
    }
    Ok((source.to_owned(), path))
}

/// The files of a `files` source: `DIR/<table>.csv` or `DIR/<table>/*`, named as files of its format are.
///
/// A name that is no table's, or another format's, is an error, unless `lenient`.
pub fn arrivals(pipeline: &Pipeline, source: &str, folder: &Path, lenient: bool) -> Result<Vec<Arrival>> {
    let tables: BTreeSet<&str> =
        pipeline.tables.iter().filter(|(_, table)| table.source == source).map(|(name, _)| name.as_str()).collect();
    let format = pipeline.sources.get(source).and_then(Source::files).map(|files| files.format).unwrap_or_default();
    let (mut arrivals, mut errors) = (Vec::new(), Vec::new());
    for (name, path) in entries(folder)? {
        let table = if path.is_dir() { name.as_str() } else { stem(&name, format).unwrap_or_else(|| bare(&name)) };
        if !tables.contains(table) {
            let ending = name.strip_prefix(bare(&name)).unwrap_or_default();
            let hint = match meant(table, &tables) {
                Some(meant) => format!("is it the data of `{meant}`? then rename it to `{meant}{ending}`"),
                None => "name the file after its table, or move it out of the folder".to_owned(),
            };
            let message = format!("`{}` belongs to no table of the source `{source}`", path.display());
            errors.push(wrong_data(message).note(format!("its tables: {}", list(&tables))).hint(hint));
            continue;
        }
        let files = if path.is_dir() { entries(&path)? } else { vec![(name.clone(), path)] };
        for (file, path) in files.into_iter().filter(|(_, path)| path.is_file()) {
            match stem(&file, format) {
                Some(_) => arrivals.push(Arrival { path, key: format!("{}{file}", keys::landing_folder(table)) }),
                None => errors.push(other_format(&path, source, format)),
            }
        }
    }
    if !lenient {
        Error::all(errors)?;
        if arrivals.is_empty() {
            return Err(wrong_data(format!("`{}` holds no data for the source `{source}`", folder.display()))
                .hint(format!("put a file for at least one of its tables there: {}", list(&tables))));
        }
    }
    Ok(arrivals)
}

/// A file whose name is not one of the source's format.
fn other_format(path: &Path, source: &str, format: FileFormat) -> Error {
    let (reads, key) = spoken(format);
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let error = wrong_data(format!(
        "`{}`: the source `{source}` takes {reads}, and this is not one by its name",
        path.display()
    ));
    let other = FORMATS.into_iter().find(|other| *other != format && stem(&name, *other).is_some());
    let endings = endings(format).join(", ");
    match other {
        _ if SHEETS.iter().any(|ending| name.ends_with(ending)) => {
            let source = if format == FileFormat::Csv { "" } else { ", for a source with `format: csv`" };
            error.hint(format!("save the workbook as CSV{source}"))
        }
        Some(other) => error.hint(format!(
            "say `format: {}` in the source in place of `{key}`, or name the file with one of the endings {endings}",
            spoken(other).1
        )),
        None => error.hint(format!("name the file with one of the endings {endings}, or move it out of the folder")),
    }
}

/// The endings of spreadsheets.
const SHEETS: [&str; 3] = [".xlsx", ".xls", ".ods"];

const FORMATS: [FileFormat; 3] = [FileFormat::Csv, FileFormat::Jsonl, FileFormat::Parquet];

/// A format in words, and in the spec.
fn spoken(format: FileFormat) -> (&'static str, &'static str) {
    match format {
        FileFormat::Csv => ("CSV", "csv"),
        FileFormat::Jsonl => ("JSON lines", "jsonl"),
        FileFormat::Parquet => ("Parquet", "parquet"),
    }
}

/// How the names of a format's files end; of texts also with `.gz` or `.bz2` behind it.
fn endings(format: FileFormat) -> &'static [&'static str] {
    match format {
        FileFormat::Csv => &[".csv", ".tsv", ".txt"],
        FileFormat::Jsonl => &[".jsonl", ".ndjson", ".json"],
        FileFormat::Parquet => &[".parquet"],
    }
}

/// The table whose name a file's name holds (`raw_stores`), or is near to.
fn meant<'a>(name: &str, tables: &BTreeSet<&'a str>) -> Option<&'a str> {
    let held =
        tables.iter().copied().filter(|table| name.to_lowercase().contains(table)).max_by_key(|table| table.len());
    held.or_else(|| closest(name, tables.iter().copied()))
}

/// Checks that a folder holds at least one of the files that a Shopify source serves.
pub fn check_shop(pipeline: &Pipeline, source: &str, folder: &Path) -> Result<()> {
    let objects: BTreeSet<&str> = pipeline
        .tables
        .values()
        .filter_map(|table| table.source.strip_prefix(source)?.strip_prefix('.'))
        .map(|object| object.split('.').next().unwrap_or(object))
        .collect();
    entries(folder)?;
    if objects.iter().any(|object| folder.join(format!("{object}.jsonl")).is_file()) {
        return super::shopify::check(folder);
    }
    let files: Vec<String> = objects.iter().map(|object| format!("{object}.jsonl")).collect();
    Err(wrong_data(format!("`{}` holds none of the files {}", folder.display(), files.join(", ")))
        .hint("put results of Shopify's bulk operations there, or make some with `pipectl sample`"))
}

fn list(tables: &BTreeSet<&str>) -> String {
    tables.iter().copied().collect::<Vec<_>>().join(", ")
}

/// A file's name up to its first dot.
fn bare(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// A file's name without the endings of its format; none if it has none of them.
fn stem(name: &str, format: FileFormat) -> Option<&str> {
    let packed = if format == FileFormat::Parquet { &[][..] } else { &[".gz", ".bz2"] };
    let plain = packed.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    endings(format).iter().find_map(|ending| {
        // Windows writes `.CSV` as well.
        let (stem, end) = plain.split_at_checked(plain.len().checked_sub(ending.len())?)?;
        end.eq_ignore_ascii_case(ending).then_some(stem)
    })
}

/// What is in a folder, in name order, without hidden files.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            inside(folder, &entry.path())?;
            entries.push((name, entry.path()));
        }
    }
    entries.sort();
    Ok(entries)
}

/// Fails if an entry of a folder is a symbolic link out of it: a folder of data comes with a pull request, and the file
/// behind the link would be read, copied and shown.
pub(super) fn inside(folder: &Path, path: &Path) -> Result<()> {
    match (fs::canonicalize(folder), fs::canonicalize(path)) {
        (Ok(folder), Ok(target)) if !target.starts_with(&folder) => {
            Err(wrong_data(format!("`{}` is a symbolic link out of its folder", path.display()))
                .hint("put the file itself there, or give `--data` the folder in which it is"))
        }
        // A dangling link is an error where it is read.
        _ => Ok(()),
    }
}

/// Puts a file into the raw zone.
pub(super) async fn put(client: &Client, bucket: &str, arrival: &Arrival) -> Result<()> {
    let failed = |why: String| {
        Error::new(format!("cannot put `{}` to s3://{bucket}/{}", arrival.path.display(), arrival.key)).note(why)
    };
    let body = ByteStream::from_path(&arrival.path).await.map_err(|error| failed(error.to_string()))?;
    let request = client.put_object().bucket(bucket).key(&arrival.key).body(body);
    request.send().await.map_err(|error| failed(DisplayErrorContext(&error).to_string()))?;
    Ok(())
}
