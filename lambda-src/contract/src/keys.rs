//! Keys and prefixes of objects in the buckets of the zones and in the artifact bucket.
//!
//! Functions whose name says `folder` return a prefix with its `/`.

use crate::ledger::Stage;

/// The raw bucket: objects as they arrive.
pub const LANDING: &str = "landing/";
/// The raw bucket: requests to take objects again. The jobs hide names that begin with `_` from their tables.
pub const REPLAY_REQUESTS: &str = "landing/_replay/";
/// The raw bucket: copies of objects that a request names.
pub const REPLAY: &str = "replay/";
/// The raw bucket: how far each source has been read.
pub const STATE: &str = "state/";
/// The raw bucket: the beginning of a bulk result that another invocation continues.
pub const PARKED: &str = "parked/";
/// Any zone: the ledgers.
pub const LEDGER: &str = "_ledger/";
/// The cleaned and the transformed bucket: rows that broke a rule.
pub const QUARANTINE: &str = "quarantine/";
/// The cleaned bucket: the rows of the last snapshot of a table.
pub const SNAPSHOTS: &str = "_state/";
/// The transformed bucket: the lists of the files that COPY reads.
pub const MANIFESTS: &str = "_manifests/";
/// The transformed bucket: the reports of runs.
pub const REPORTS: &str = "reports/";
/// The transformed bucket: the files of marts.
pub const EXPORTS: &str = "exports/";
/// The transformed bucket: the Iceberg tables.
pub const ICEBERG: &str = "iceberg/";

/// Where the objects of a table arrive.
pub fn landing_folder(table: &str) -> String {
    format!("{LANDING}{table}/")
}

/// Where the objects of a database's table arrive.
pub fn landing_object_folder(source: &str, object: &str) -> String {
    format!("{LANDING}{source}/{object}/")
}

/// Where one run of a database's ingest writes the rows of a table.
pub fn ingest_batch_folder(source: &str, object: &str, batch: &str) -> String {
    format!("{}{batch}/", landing_object_folder(source, object))
}

/// The object whose event announces the end of a database's ingest.
pub fn ingest_marker(source: &str) -> String {
    format!("{LANDING}{source}/_ingest.json")
}

pub fn replay_request(id: &str) -> String {
    format!("{REPLAY_REQUESTS}{id}.json")
}

/// Where the copy of an object is that a request names. The batch is a part of it, so that what arrived later sorts later.
pub fn replay_copy(id: &str, batch: &str, key: &str) -> String {
    format!("{REPLAY}{id}/{batch}/{key}")
}

/// What a Lambda remembers of its source.
pub fn source_state(source: &str) -> String {
    format!("{STATE}{source}.json")
}

/// The rows at the watermark of each table of a database.
pub fn ingest_state_folder(source: &str) -> String {
    format!("{STATE}ingest/{source}/")
}

pub fn parked_folder(source: &str) -> String {
    format!("{PARKED}{source}/")
}

/// The folder of a ledger.
pub fn ledger_folder(stage: Stage) -> String {
    format!("{LEDGER}{}/", stage.as_str())
}

/// An entry of the ledgers `clean`, `transform` and `loaded`.
pub fn ledger_entry(stage: Stage, batch: &str) -> String {
    format!("{LEDGER}{}/{batch}.json", stage.as_str())
}

/// What was read of a ledger, put together in one object.
pub fn ledger_index(stage: Stage) -> String {
    format!("{LEDGER}index/{}.json.gz", stage.as_str())
}

/// What was read of a ledger, compacted into several objects, which jobs may delete.
pub fn ledger_index_folder(stage: Stage) -> String {
    format!("{SNAPSHOTS}_ledger/{}/", stage.as_str())
}

pub fn ingest_entries_folder(source: &str) -> String {
    format!("{LEDGER}{}/{source}/", Stage::Ingest.as_str())
}

pub fn ingest_entry(source: &str, batch: &str) -> String {
    format!("{}{batch}.json", ingest_entries_folder(source))
}

/// The entries of the tables of a batch that are in the warehouse.
pub fn load_entries_folder(batch: &str) -> String {
    format!("{LEDGER}{}/{batch}/", Stage::Load.as_str())
}

pub fn load_entry(batch: &str, table: &str) -> String {
    format!("{}{table}.json", load_entries_folder(batch))
}

/// The entries of the marts that were computed after a batch, for one pipeline document.
pub fn mart_entries_folder(batch: &str, document: &str) -> String {
    format!("{LEDGER}{}/{batch}/{document}/", Stage::Marts.as_str())
}

pub fn mart_entry(batch: &str, document: &str, mart: &str) -> String {
    format!("{}{mart}.json", mart_entries_folder(batch, document))
}

/// The entry of a mart whose files were written.
pub fn unload_entry(batch: &str, document: &str, mart: &str) -> String {
    mart_entry(batch, document, &unloaded(mart))
}

/// The name by which the ledger of the marts lists a mart whose files were written.
pub fn unloaded(mart: &str) -> String {
    format!("{mart}.unload")
}

/// The entries of the tables and marts whose last statement failed.
pub fn failures_folder() -> String {
    ledger_folder(Stage::Failed)
}

pub fn failed_load(table: &str) -> String {
    format!("{}{}/{table}.json", failures_folder(), Stage::Load.as_str())
}

pub fn failed_mart(mart: &str) -> String {
    format!("{}{}/{mart}.json", failures_folder(), Stage::Marts.as_str())
}

/// The entry of a mart whose files could not be written.
pub fn failed_unload(mart: &str) -> String {
    failed_mart(&unloaded(mart))
}

pub fn setup_entry(document: &str) -> String {
    format!("{LEDGER}{}/{document}.json", Stage::Setup.as_str())
}

/// The last batch that an Iceberg table has.
pub fn iceberg_mark(table: &str) -> String {
    format!("{LEDGER}iceberg/{table}.json")
}

/// The start of the folders of a table's batches, in the cleaned and in the transformed bucket.
pub fn batches_prefix(table: &str) -> String {
    format!("{table}/batch=")
}

/// The rows of a batch of a table.
pub fn rows_folder(table: &str, batch: &str) -> String {
    format!("{}{batch}/", batches_prefix(table))
}

/// The list of the files of a batch of a table that COPY reads.
pub fn manifest(table: &str, batch: &str) -> String {
    format!("{MANIFESTS}{}{batch}.json", batches_prefix(table))
}

pub fn quarantine_folder(table: &str, batch: &str) -> String {
    format!("{QUARANTINE}{}", rows_folder(table, batch))
}

/// The rows of a table's last snapshots.
pub fn snapshots_folder(table: &str) -> String {
    format!("{SNAPSHOTS}{table}/")
}

/// The rows of a snapshot, to compare the next one with.
pub fn snapshot_folder(table: &str, batch: &str) -> String {
    format!("{SNAPSHOTS}{}", rows_folder(table, batch))
}

pub fn report(batch: &str) -> String {
    format!("{REPORTS}{batch}.json")
}

pub fn export_folder(mart: &str) -> String {
    format!("{EXPORTS}{mart}/")
}

/// The pipeline document in the artifact bucket, by the digest of its bytes.
pub fn document(sha256: &str) -> String {
    format!("config/pipeline-{sha256}.json")
}

/// Whether a text can be a part of a key and of a path: the id of a batch, a run, a request or a document. Letters, digits,
/// `-`, `_` and `.`, not beginning with a dot.
pub fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// The name of an entry directly in a folder, without `.json`; `None` if the key is of something else.
pub fn entry_name<'a>(folder: &str, key: &'a str) -> Option<&'a str> {
    key.strip_prefix(folder)?.strip_suffix(".json").filter(|name| is_id(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_one_part_of_a_path() {
        for id in ["20261120T125030Z-71477f854035", "b1", "sales.unload", "a_b-c"] {
            assert!(is_id(id), "{id}");
        }
        for text in ["", ".", "..", "../x", "a/b", "/etc", "a\\b", "a b", "a\n", "é", "%2e%2e", &"a".repeat(129)] {
            assert!(!is_id(text), "{text}");
        }
    }

    #[test]
    fn entries_are_found_again_by_their_folder() {
        for (folder, key, name) in [
            (ledger_folder(Stage::Clean), ledger_entry(Stage::Clean, "b1"), Some("b1")),
            (load_entries_folder("b1"), load_entry("b1", "orders"), Some("orders")),
            (mart_entries_folder("b1", "d"), unload_entry("b1", "d", "sales"), Some("sales.unload")),
            (ledger_folder(Stage::Load), load_entry("b1", "orders"), None),
            (ledger_folder(Stage::Clean), ledger_index(Stage::Clean), None),
            (REPORTS.to_owned(), report("b1"), Some("b1")),
        ] {
            assert_eq!(entry_name(&folder, &key), name, "{folder} {key}");
        }
    }
}
