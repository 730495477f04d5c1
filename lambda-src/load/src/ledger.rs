//! The ledgers in the transformed bucket: what was staged, and what the warehouse has.
//!
//! ```text
//! _ledger/transform/<batch>.json          written by the transform job: tables, paths, rows
//! _ledger/setup/<document>.json           the warehouse is set up for this document
//! _ledger/load/<batch>/<table>.json       a table of a batch is in
//! _ledger/loaded/<batch>.json             all of a batch is in; keeps the look-up of what is pending short
//! _ledger/marts/<batch>/<document>/<mart>.json
//! ```

use std::collections::{BTreeMap, BTreeSet};

use pipeline::s3::Bucket;
use pipeline::{Error, Result, instant};
use serde::Deserialize;
use serde_json::json;

use crate::event::Name;
use crate::plan::{Pending, Staged, View, unloaded};
use crate::statement::Outcome;

#[derive(Debug)]
pub struct Ledger {
    pub transformed: Bucket,
    /// The first 12 digits of the document's sha256.
    pub document: String,
}

#[derive(Deserialize)]
struct Transform {
    tables: BTreeMap<String, Table>,
}

#[derive(Deserialize)]
struct Table {
    path: String,
    rows_out: u64,
}

impl Ledger {
    /// Reads the state of things.
    pub async fn view(&self) -> Result<View> {
        let staged = self.names("_ledger/transform/").await?;
        let loaded = self.names("_ledger/loaded/").await?;
        let mut pending = BTreeMap::new();
        for batch in staged.difference(&loaded) {
            pending.insert(batch.clone(), self.pending(batch).await?);
        }
        let latest = staged.into_iter().next_back();
        let refreshed = match &latest {
            Some(batch) => self.names(&format!("_ledger/marts/{batch}/{}/", self.document)).await?,
            None => BTreeSet::new(),
        };
        let set_up = self.transformed.get(&self.setup_key()).await?.is_some();
        Ok(View { set_up, pending, latest, refreshed, ..View::default() })
    }

    /// Records what a statement did. A record is written once; a second one changes nothing.
    pub async fn record(&self, name: &Name, outcome: &Outcome) -> Result<()> {
        let (key, mut entry) = match name {
            // What they did is seen in the warehouse; the set-up is recorded as a whole.
            Name::Setup { .. } | Name::Inspect { .. } | Name::Migrate { .. } | Name::Complete { .. } => return Ok(()),
            Name::Load { batch, table } => (
                format!("_ledger/load/{batch}/{table}.json"),
                json!({"stage": "load", "batch": batch, "table": table, "staged": outcome.staged, "changed": outcome.changed, "deleted": outcome.deleted}),
            ),
            Name::Mart { batch, mart } => (
                format!("_ledger/marts/{batch}/{}/{mart}.json", self.document),
                json!({"stage": "marts", "batch": batch, "mart": mart, "document": self.document}),
            ),
            Name::Unload { batch, mart } => (
                format!("_ledger/marts/{batch}/{}/{}.json", self.document, unloaded(mart)),
                json!({"stage": "unload", "batch": batch, "mart": mart, "document": self.document, "rows": outcome.rows}),
            ),
        };
        entry["statement_id"] = json!(outcome.id);
        self.write(&key, entry).await
    }

    /// Records that the warehouse is as the document has it, and which columns no table of it names any more.
    pub async fn set_up(&self, unused: &BTreeMap<String, Vec<String>>) -> Result<()> {
        let entry = json!({"stage": "setup", "document": self.document, "unused_columns": unused});
        self.write(&self.setup_key(), entry).await
    }

    /// Marks a batch as wholly loaded.
    pub async fn close(&self, batch: &str) -> Result<()> {
        self.write(&format!("_ledger/loaded/{batch}.json"), json!({"stage": "loaded", "batch": batch})).await
    }

    async fn write(&self, key: &str, mut entry: serde_json::Value) -> Result<()> {
        entry["version"] = json!(1);
        entry["committed_at"] = json!(instant::format(&instant::now()));
        if !self.transformed.put_new(key, entry.to_string().into_bytes()).await? {
            tracing::info!(key, "was recorded before");
        }
        Ok(())
    }

    async fn pending(&self, batch: &str) -> Result<Pending> {
        let key = format!("_ledger/transform/{batch}.json");
        let broken = |cause: String| {
            let error = Error::new(format!("the ledger entry s3://{}/{key} cannot be read", self.transformed.name));
            error.cause(cause).hint("restore an earlier version of the object; the transform job writes it once")
        };
        let bytes = self.transformed.get(&key).await?;
        let bytes = bytes.ok_or_else(|| broken("it is gone".to_owned()))?;
        let entry: Transform = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        let staged = |(name, table): (String, Table)| {
            let staged = Staged { path: table.path, rows: table.rows_out };
            (name, staged)
        };
        Ok(Pending {
            tables: entry.tables.into_iter().map(staged).collect(),
            recorded: self.names(&format!("_ledger/load/{batch}/")).await?,
        })
    }

    /// Lists the entries of a folder by their names, without `.json`.
    async fn names(&self, folder: &str) -> Result<BTreeSet<String>> {
        let keys = self.transformed.list(folder).await?;
        let name = |key: &String| {
            let name = key.strip_prefix(folder)?.strip_suffix(".json")?;
            (!name.contains('/')).then(|| name.to_owned())
        };
        Ok(keys.iter().filter_map(name).collect())
    }

    fn setup_key(&self) -> String {
        format!("_ledger/setup/{}.json", self.document)
    }
}
