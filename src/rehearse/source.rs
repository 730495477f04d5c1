//! The sources' data: which folder belongs to which source, and which file to which table.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use fs_err as fs;

use crate::error::{Error, Result, did_you_mean};
use crate::spec::{Pipeline, Source};

/// A file for the raw zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    pub path: PathBuf,
    /// `landing/<table>/<file>`.
    pub key: String,
}

const ENDINGS: [&str; 4] = [".csv", ".csv.gz", ".jsonl", ".jsonl.gz"];

/// Reads `--data SOURCE=DIR`, repeated.
pub fn folders(pipeline: &Pipeline, given: &[String]) -> Result<BTreeMap<String, PathBuf>> {
    let mut folders = BTreeMap::new();
    for text in given {
        let misuse = |message: String| Error::new(message).exit(crate::exit::Exit::Usage);
        let Some((source, folder)) = text.split_once('=') else {
            return Err(misuse(format!("`--data {text}` is not SOURCE=DIR")).hint("such as `--data erp=exports/erp`"));
        };
        if !pipeline.sources.contains_key(source) {
            let known = pipeline.sources.keys().map(String::as_str);
            return Err(
                misuse(format!("`--data {text}`: there is no source `{source}`")).hint(did_you_mean(source, known))
            );
        }
        if !Path::new(folder).is_dir() {
            return Err(misuse(format!("`--data {text}`: `{folder}` is no folder"))
                .hint("name a folder with one file, or one folder of files, for each table"));
        }
        folders.insert(source.to_owned(), PathBuf::from(folder));
    }
    Ok(folders)
}

/// The files of a `files` source: `DIR/<table>.csv` or `DIR/<table>/*`.
///
/// A name that is no table's is an error, unless `lenient`.
pub fn arrivals(pipeline: &Pipeline, source: &str, folder: &Path, lenient: bool) -> Result<Vec<Arrival>> {
    let tables: BTreeSet<&str> =
        pipeline.tables.iter().filter(|(_, table)| table.source == source).map(|(name, _)| name.as_str()).collect();
    let (mut arrivals, mut errors) = (Vec::new(), Vec::new());
    for (name, path) in entries(folder)? {
        let table = if path.is_dir() { name.as_str() } else { stem(&name).unwrap_or(&name) };
        if !tables.contains(table) {
            let hint = did_you_mean(table, tables.iter().copied());
            let message = format!("`{}` belongs to no table of the source `{source}`", path.display());
            errors.push(Error::new(message).hint(hint).note(format!("its tables: {}", list(&tables))));
        } else if path.is_dir() {
            let files = entries(&path)?.into_iter().filter(|(_, path)| path.is_file());
            arrivals.extend(files.map(|(file, path)| Arrival { path, key: format!("landing/{table}/{file}") }));
        } else if stem(&name).is_none() {
            let message = format!("`{}` is neither CSV nor JSONL", path.display());
            errors.push(Error::new(message).hint(format!("name it with one of the endings {}", ENDINGS.join(", "))));
        } else {
            arrivals.push(Arrival { path, key: format!("landing/{table}/{name}") });
        }
    }
    if !lenient {
        Error::all(errors)?;
        if arrivals.is_empty() {
            return Err(Error::new(format!("`{}` holds no data", folder.display()))
                .hint(format!("put one file a table there: {}", list(&tables))));
        }
    }
    Ok(arrivals)
}

/// Checks that a folder holds at least one of the files that a Shopify source serves.
pub fn check_shop(pipeline: &Pipeline, source: &str, folder: &Path) -> Result<()> {
    let objects: BTreeSet<&str> = pipeline
        .tables
        .values()
        .filter_map(|table| table.source.strip_prefix(source)?.strip_prefix('.'))
        .map(|object| object.split('.').next().unwrap_or(object))
        .collect();
    if objects.iter().any(|object| folder.join(format!("{object}.jsonl")).is_file()) {
        return Ok(());
    }
    let files: Vec<String> = objects.iter().map(|object| format!("{object}.jsonl")).collect();
    Err(Error::new(format!("`{}` holds none of the files {}", folder.display(), files.join(", ")))
        .hint("put results of Shopify's bulk operations there, or make some with `pipectl sample`"))
}

/// Whether a source is read by the Shopify Lambda.
pub fn is_shopify(source: &Source) -> bool {
    matches!(source, Source::Shopify(_))
}

fn list(tables: &BTreeSet<&str>) -> String {
    tables.iter().copied().collect::<Vec<_>>().join(", ")
}

fn stem(name: &str) -> Option<&str> {
    ENDINGS.iter().find_map(|ending| name.strip_suffix(ending))
}

/// What is in a folder, in name order, without hidden files.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            entries.push((name, entry.path()));
        }
    }
    entries.sort();
    Ok(entries)
}

/// A client for the local account's S3.
pub(super) fn client(endpoint: &str, region: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .force_path_style(true)
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new("upload", "rehearsal", None, None, "the rehearsal"))
        .build();
    Client::from_conf(config)
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
