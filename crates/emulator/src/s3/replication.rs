//! Replication between buckets, as the templates ask for it.

use std::fs;
use std::io;

use serde_json::Value;

use super::store::{Store, StoreError};
use crate::resource::{property, text};

/// A rule of a bucket: what is copied, and where to.
struct Rule {
    prefix: String,
    destination: String,
}

fn rules(store: &Store, bucket: &str) -> Vec<Rule> {
    let configuration = store.configuration(bucket);
    let rules = property(&configuration.properties, "ReplicationConfiguration/Rules").and_then(Value::as_array);
    let of = |rule: &Value| {
        if text(rule, "Status") != Some("Enabled") {
            return None;
        }
        let prefix = text(rule, "Filter/Prefix").or(text(rule, "Filter/And/Prefix")).or(text(rule, "Prefix"));
        let destination = text(rule, "Destination/Bucket")?.rsplit(':').next()?.to_owned();
        Some(Rule { prefix: prefix.unwrap_or_default().to_owned(), destination })
    };
    rules.map(|rules| rules.iter().filter_map(of).collect()).unwrap_or_default()
}

/// Copies an object that was just written to where the rules of its bucket send it, beside the request.
pub(super) fn replicate(store: &std::sync::Arc<Store>, bucket: &str, key: &str) {
    let targets: Vec<String> = rules(store, bucket)
        .into_iter()
        .filter(|rule| key.starts_with(&rule.prefix))
        .map(|rule| rule.destination)
        .collect();
    if targets.is_empty() {
        return;
    }
    let (store, bucket, key) = (std::sync::Arc::clone(store), bucket.to_owned(), key.to_owned());
    tokio::task::spawn_blocking(move || {
        for target in targets {
            // What fails here is tried once more when the account is closed, where it is also reported.
            let _ = copy(&store, &bucket, &key, &target);
        }
    });
}

/// Copies all objects that the rules select and that have no copy yet.
pub(super) fn replicate_all(store: &Store) -> io::Result<()> {
    for (bucket, _) in store.buckets()? {
        for rule in rules(store, &bucket) {
            for key in store.list(&bucket, &rule.prefix, false).map_err(into_io)? {
                copy(store, &bucket, &key, &rule.destination).map_err(into_io)?;
            }
        }
    }
    Ok(())
}

fn into_io(error: StoreError) -> io::Error {
    match error {
        StoreError::Io(error) => error,
        error => io::Error::other(error.to_string()),
    }
}

fn copy(store: &Store, bucket: &str, key: &str, target: &str) -> Result<(), StoreError> {
    let source = match store.object(bucket, key) {
        // Deleted in between: deletions are not replicated, and neither is what is gone.
        Err(StoreError::NoSuchKey) => return Ok(()),
        source => source?,
    };
    if store.object(target, key).is_ok_and(|known| known.sidecar.etag == source.sidecar.etag) {
        return Ok(());
    }
    let file = store.temporary()?;
    fs::copy(&source.path, file.path())?;
    store.put(target, key, file, source.sidecar, false)?;
    Ok(())
}
