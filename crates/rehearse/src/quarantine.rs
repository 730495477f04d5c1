//! What a user has to know of rows and files that were not loaded: why, and where they are kept.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use pipectl_contract::keys;
use serde::Deserialize;

use super::report::thousands;

/// How many reasons are shown of a table.
const REASONS: usize = 4;

/// How many rows are read to find them.
const MOST_ROWS: usize = 10_000;

/// A row in quarantine, as the jobs write it.
#[derive(Debug, Deserialize)]
struct Kept {
    #[serde(default)]
    source: String,
    reason: String,
}

/// Tells of the rows of a table that a batch has put into quarantine, in the folder of a bucket.
pub(super) fn describe(bucket: &Path, table: &str, batch: &str, rows: u64) -> String {
    let folder = bucket.join(keys::quarantine_folder(table, batch).trim_end_matches('/'));
    let mut reasons: BTreeMap<(String, String), u64> = BTreeMap::new();
    for row in kept(&folder).take(MOST_ROWS) {
        // `s3://<bucket>/landing/stores/a.csv` → `landing/stores/a.csv`
        let key = row.source.strip_prefix("s3://").and_then(|rest| rest.split_once('/')).map_or("", |(_, key)| key);
        *reasons.entry((row.reason, key.to_owned())).or_default() += 1;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let what = if rows == 1 { "1 row".to_owned() } else { format!("{} rows", thousands(rows)) };
    let mut lines = vec![format!("{what} of `{table}` went to quarantine:")];
    for ((reason, key), count) in reasons.iter().take(REASONS) {
        let from = if key.is_empty() { String::new() } else { format!(" ({key})") };
        lines.push(format!("{}× {reason}{from}", thousands(*count)));
    }
    if reasons.len() > REASONS {
        lines.push(format!("and {} other reasons or files", reasons.len() - REASONS));
    }
    lines.push(format!("they are kept in {}", folder.display()));
    lines.join("\n")
}

fn kept(folder: &Path) -> impl Iterator<Item = Kept> {
    let mut files: Vec<_> = fs_err::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path()).collect();
    files.sort();
    files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .filter_map(|path| fs_err::File::open(path).ok())
        .flat_map(|file| BufReader::new(file).lines().map_while(Result::ok))
        .filter_map(|line| serde_json::from_str(&line).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_and_the_location_is_named() {
        let bucket = tempfile::tempdir().unwrap();
        let file = bucket.path().join("quarantine/stores/batch=b1/part-0.json");
        let row = r#"{"source":"s3://raw/landing/stores/a.csv","reason":"`id` is missing","row":"{}"}"#;
        let other = r#"{"source":"s3://raw/landing/stores/b.csv","reason":"not a day","row":"{}"}"#;
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(&file, format!("{other}\n{row}\n{row}\n")).unwrap();
        let text = describe(bucket.path(), "stores", "b1", 3);
        insta::assert_snapshot!(text.replace(&bucket.path().display().to_string(), "BUCKET"), @"
        3 rows of `stores` went to quarantine:
        2× `id` is missing (landing/stores/a.csv)
        1× not a day (landing/stores/b.csv)
        they are kept in BUCKET/quarantine/stores/batch=b1
        ");
    }
}
