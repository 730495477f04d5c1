//! The ledgers in the transformed bucket: what was staged, and what the warehouse has.
//!
//! ```text
//! _ledger/transform/<batch>.json          written by the transform job: tables, paths, rows
//! _ledger/setup/<document>.json           the warehouse is set up for this document
//! _ledger/load/<batch>/<table>.json       a table of a batch is in
//! _ledger/loaded/<batch>.json             all of a batch is in; keeps the look-up of what is pending short
//! _ledger/marts/<batch>/<document>/<mart>.json
//! _ledger/failed/load/<table>.json        the last load of the table that failed
//! _ledger/failed/marts/<mart>.json        the last refresh of the mart that failed
//! _manifests/<table>/batch=<batch>.json   the files that COPY reads
//! ```

use std::collections::{BTreeMap, BTreeSet};

use pipectl_contract::keys;
use pipectl_contract::ledger::{Closed, Counts, Failed, Loaded, MartRefreshed, Setup, Stage, Transform, VERSION};
use pipectl_contract::manifest::Manifest;
use pipeline::s3::Bucket;
use pipeline::{Error, Result, instant};
use serde::Serialize;

use crate::event::Name;
use crate::failure::Failure;
use crate::plan::{Pending, Staged, View};
use crate::statement::Outcome;

#[derive(Debug)]
pub struct Ledger {
    pub transformed: Bucket,
    /// The first 12 digits of the document's sha256.
    pub document: String,
}

impl Ledger {
    /// Reads the state of things.
    pub async fn view(&self) -> Result<View> {
        let staged = self.names(&keys::ledger_folder(Stage::Transform)).await?;
        let loaded = self.names(&keys::ledger_folder(Stage::Loaded)).await?;
        let mut pending = BTreeMap::new();
        for batch in staged.difference(&loaded) {
            pending.insert(batch.clone(), self.pending(batch).await?);
        }
        let latest = staged.into_iter().next_back();
        let refreshed = match &latest {
            Some(batch) => self.names(&keys::mart_entries_folder(batch, &self.document)).await?,
            None => BTreeSet::new(),
        };
        let set_up = self.transformed.get(&self.setup_key()).await?.is_some();
        let mut view = View { set_up, pending, latest, refreshed, now: instant::now().secs(), ..View::default() };
        for key in self.transformed.list(&keys::failures_folder()).await? {
            let Some(bytes) = self.transformed.get(&key).await? else { continue };
            // One that cannot be read holds nothing up.
            let Ok(failed) = serde_json::from_slice::<Failed>(&bytes) else { continue };
            if key == keys::failed_load(&failed.name) {
                view.failed_loads.insert(failed.name.clone(), failed);
            } else {
                view.failed_marts.insert(failed.name.clone(), failed);
            }
        }
        Ok(view)
    }

    /// Records that a load or a mart failed, on top of its last failure. Returns the record.
    pub async fn failed(&self, name: &Name, failure: &Failure, last: Option<&Failed>) -> Result<Failed> {
        let (batch, of, key) = match name {
            Name::Load { batch, table } => (batch, table.clone(), keys::failed_load(table)),
            Name::Mart { batch, mart } => (batch, mart.clone(), keys::failed_mart(mart)),
            Name::Unload { batch, mart } => (batch, keys::unloaded(mart), keys::failed_unload(mart)),
            _ => return Err(Error::new("a set-up has no queue")),
        };
        let last = last.filter(|last| last.batch == *batch);
        // An event that comes twice counts once.
        if let Some(last) = last.filter(|last| last.statement_id.is_some() && last.statement_id == failure.id) {
            return Ok(last.clone());
        }
        let attempts = last.map_or(0, |last| last.attempts);
        let failed = Failed {
            version: VERSION,
            stage: Stage::Failed.as_str().to_owned(),
            batch: batch.clone(),
            name: of,
            kind: failure.kind,
            message: failure.message.clone(),
            hint: failure.hint.clone(),
            // What was never submitted has used no token.
            attempts: attempts + u32::from(failure.id.is_some()),
            statement_id: failure.id.clone(),
            document: self.document.clone(),
            failed_at: now(),
            retry: false,
        };
        let bytes = serde_json::to_vec(&failed)
            .map_err(|error| Error::new(format!("the ledger entry {key} cannot be written")).cause(error))?;
        self.transformed.put(&key, bytes).await?;
        Ok(failed)
    }

    /// Records what a statement did. A record is written once; a second one changes nothing.
    pub async fn record(&self, name: &Name, outcome: &Outcome) -> Result<()> {
        match name {
            // Their result is in the warehouse itself; the set-up is recorded as a whole.
            Name::Setup { .. } | Name::Inspect { .. } | Name::Migrate { .. } | Name::Complete { .. } => Ok(()),
            Name::Load { batch, table } => {
                let entry = Loaded {
                    version: VERSION,
                    stage: Stage::Load.as_str().to_owned(),
                    batch: batch.clone(),
                    table: table.clone(),
                    staged: count(outcome.staged),
                    changed: count(outcome.changed),
                    deleted: count(outcome.deleted),
                    statement_id: outcome.id.clone(),
                    committed_at: now(),
                    skipped: None,
                };
                self.write(&keys::load_entry(batch, table), &entry).await
            }
            Name::Mart { batch, mart } => {
                let entry = self.refreshed(Stage::Marts, batch, mart, outcome, None);
                self.write(&keys::mart_entry(batch, &self.document, mart), &entry).await
            }
            Name::Unload { batch, mart } => {
                let entry = self.refreshed(Stage::Unload, batch, mart, outcome, count(outcome.rows));
                self.write(&keys::unload_entry(batch, &self.document, mart), &entry).await
            }
        }
    }

    fn refreshed(&self, stage: Stage, batch: &str, mart: &str, outcome: &Outcome, rows: Option<u64>) -> MartRefreshed {
        MartRefreshed {
            version: VERSION,
            stage: stage.as_str().to_owned(),
            batch: batch.to_owned(),
            mart: mart.to_owned(),
            document: self.document.clone(),
            rows,
            statement_id: outcome.id.clone(),
            committed_at: now(),
        }
    }

    /// Records that the warehouse is as the document has it, and which columns no table of it names any more.
    pub async fn set_up(&self, unused: &BTreeMap<String, Vec<String>>) -> Result<()> {
        let entry = Setup {
            version: VERSION,
            stage: Stage::Setup.as_str().to_owned(),
            document: self.document.clone(),
            unused_columns: unused.clone(),
            committed_at: now(),
        };
        self.write(&self.setup_key(), &entry).await
    }

    /// Marks a batch as wholly loaded.
    pub async fn close(&self, batch: &str) -> Result<()> {
        let stage = Stage::Loaded;
        let entry =
            Closed { version: VERSION, stage: stage.as_str().to_owned(), batch: batch.to_owned(), committed_at: now() };
        self.write(&keys::ledger_entry(stage, batch), &entry).await
    }

    /// Writes the list of the files that COPY reads. Written again, it is the same.
    pub async fn write_manifest(&self, batch: &str, table: &str, manifest: &Manifest) -> Result<()> {
        let key = keys::manifest(table, batch);
        let bytes = serde_json::to_vec(manifest)
            .map_err(|error| Error::new(format!("the manifest {key} cannot be written")).cause(error))?;
        self.transformed.put(&key, bytes).await
    }

    async fn write(&self, key: &str, entry: &impl Serialize) -> Result<()> {
        let bytes = serde_json::to_vec(entry)
            .map_err(|error| Error::new(format!("the ledger entry {key} cannot be written")).cause(error))?;
        if !self.transformed.put_new(key, bytes).await? {
            tracing::info!(key, "was recorded before");
        }
        Ok(())
    }

    async fn pending(&self, batch: &str) -> Result<Pending> {
        let key = keys::ledger_entry(Stage::Transform, batch);
        let broken = |cause: String| {
            let error = Error::new(format!("the ledger entry s3://{}/{key} cannot be read", self.transformed.name));
            error.cause(cause).hint("restore an earlier version of the object; the transform job writes it once")
        };
        let bytes = self.transformed.get(&key).await?;
        let bytes = bytes.ok_or_else(|| broken("it does not exist".to_owned()))?;
        let entry: Transform = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        let staged = |(name, counts): (String, Counts)| {
            // A table without rows has no path.
            let (files, columns) = (counts.files, counts.columns);
            let staged = Staged { path: counts.path.unwrap_or_default(), files, columns, rows: counts.rows_out };
            (name, staged)
        };
        Ok(Pending {
            tables: entry.tables.into_iter().map(staged).collect(),
            recorded: self.names(&keys::load_entries_folder(batch)).await?,
        })
    }

    /// Lists the entries of a folder by their names, without `.json`.
    async fn names(&self, folder: &str) -> Result<BTreeSet<String>> {
        let keys = self.transformed.list(folder).await?;
        Ok(keys.iter().filter_map(|key| Some(keys::entry_name(folder, key)?.to_owned())).collect())
    }

    fn setup_key(&self) -> String {
        keys::setup_entry(&self.document)
    }
}

fn now() -> String {
    instant::format(&instant::now())
}

/// A count of rows; Redshift never reports a negative one here.
fn count(rows: Option<i64>) -> Option<u64> {
    rows.and_then(|rows| u64::try_from(rows).ok())
}
