//! Taking objects through the pipeline once more: which they are, where their bytes are now, and the request that the
//! jobs find.
//!
//! The request is one object below `landing/`, written last. It starts the pipeline as every object there does, and the
//! jobs find it in their own listing; the ledger entry of the run that took it has its id. So a crash at any point loses
//! nothing, and nothing is taken twice.

mod find;
mod restore;
mod run;
mod summary;

use std::collections::{BTreeMap, BTreeSet};

use pipectl_contract::keys;
use pipectl_contract::ledger::Clean;
use pipectl_contract::replay::{Input, Request, VERSION};
use time::UtcDateTime;

use crate::aws::s3::Object;
use crate::digest::sha256;
use crate::error::{Error, Result, did_you_mean};
use crate::exit::Exit;
use crate::operations::ledger;
use crate::spec::{Load, Spec, Table};

use find::find;
pub use find::{ItemLocation, Zones};
pub use pipectl_contract::replay::Origin;
pub use restore::{RESTORED_DAYS, Tier, restore, to_restore};
pub use run::Replay;
pub use summary::TableSummary;

/// What to replay.
#[derive(Debug, Clone)]
pub struct Selection {
    pub from: Origin,
    pub since: UtcDateTime,
    pub tables: BTreeSet<String>,
    /// The batches of the job `clean`, oldest first.
    pub batches: Vec<String>,
    pub items: Vec<Item>,
}

/// What must be there before the jobs can begin: an object of the raw zone, or the folder of a cleaned table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub table: String,
    pub batch: String,
    /// The object's key, or the folder with its `/`.
    pub key: String,
    /// Of an object.
    pub etag: String,
    pub size: u64,
    pub rows: u64,
}

/// The tables that can take part: those asked for, else all. Tables that keep every row they are given would have them
/// twice; they are answered apart.
pub fn tables(spec: &Spec, asked: &[String]) -> Result<(BTreeSet<String>, Vec<String>)> {
    let tables = &spec.pipeline.tables;
    let doubles = |table: &Table| table.load == Load::Append && table.key.is_empty();
    let mut errors = Vec::new();
    for name in asked {
        match tables.get(name) {
            None => errors.push(
                Error::new(format!("there is no table `{name}`"))
                    .hint(did_you_mean(name, tables.keys().map(String::as_str)))
                    .exit(Exit::Usage),
            ),
            Some(table) if table.transform.is_some() => errors.push(
                Error::new(format!("table `{name}` is made by SQL from others, and follows them by itself"))
                    .hint("name the tables that it reads")
                    .exit(Exit::Usage),
            ),
            Some(table) if doubles(table) => errors.push(
                Error::new(format!("table `{name}` appends and has no key: its rows would be duplicated"))
                    .hint(format!("give `tables.{name}` a `key`, and deploy"))
                    .exit(Exit::Usage),
            ),
            Some(_) => {}
        }
    }
    Error::all(errors)?;
    // What SQL makes follows from what it reads.
    let takes_part = |name: &&String| tables[*name].transform.is_none() && (asked.is_empty() || asked.contains(name));
    let names = tables.keys().filter(takes_part).cloned();
    let (left_out, taking): (Vec<String>, Vec<String>) = names.partition(|name| doubles(&tables[name]));
    Ok((taking.into_iter().collect(), left_out))
}

/// Chooses from the entries of the job `clean`, which must be those since the time that was asked for.
///
/// Fails if an entry names an object outside the prefix in which the pipeline keeps such objects: a replay would copy
/// whatever the entry names.
fn selection(from: Origin, since: UtcDateTime, tables: &BTreeSet<String>, entries: &[Clean]) -> Result<Selection> {
    let mut items: Vec<Item> = Vec::new();
    for entry in entries {
        let found: Vec<Item> = match from {
            Origin::Raw => entry
                .inputs
                .iter()
                // A copy of an earlier replay adds nothing to the object that it was made of.
                .filter(|input| {
                    input.duplicate_of.is_none() && input.replay_of.is_none() && tables.contains(&input.table)
                })
                .map(|input| Item {
                    table: input.table.clone(),
                    batch: entry.batch.clone(),
                    key: input.key.clone(),
                    etag: input.etag.clone(),
                    size: input.size,
                    rows: 0,
                })
                .collect(),
            Origin::Cleaned => entry
                .tables
                .iter()
                .filter(|(name, counts)| counts.rows_out > 0 && tables.contains(*name))
                .filter_map(|(name, counts)| {
                    let key = counts.path.as_deref()?.strip_prefix("s3://")?.split_once('/')?.1.to_owned();
                    Some(Item {
                        table: name.clone(),
                        batch: entry.batch.clone(),
                        key: if key.ends_with('/') { key } else { key + "/" },
                        etag: String::new(),
                        size: 0,
                        rows: counts.rows_out,
                    })
                })
                .collect(),
        };
        for item in found {
            let start = match from {
                Origin::Raw => keys::LANDING.to_owned(),
                Origin::Cleaned => keys::batches_prefix(&item.table),
            };
            let sound = item.key.starts_with(&start) && !item.key.split('/').any(|part| part == ".." || part == ".");
            if !sound || !keys::is_id(&item.batch) {
                let message =
                    format!("the ledger entry `{}` names an object that is none of the pipeline's", item.batch);
                return Err(Error::new(message)
                    .note(format!("`{}` is not below `{start}`", item.key))
                    .hint("the entry was changed: restore an earlier version of the object"));
            }
            let again = |other: &Item| other.key == item.key && other.etag == item.etag;
            if !items.iter().any(again) {
                items.push(item);
            }
        }
    }
    let batches: BTreeSet<String> = items.iter().map(|item| item.batch.clone()).collect();
    let tables = items.iter().map(|item| item.table.clone()).collect();
    Ok(Selection { from, since, tables, batches: batches.into_iter().collect(), items })
}

/// Makes the request. Its id is made from the time and from what it asks for.
fn request(selection: &Selection, now: UtcDateTime) -> Request {
    let marks: Vec<String> =
        selection.items.iter().map(|item| format!("{} {} {}", item.batch, item.key, item.etag)).collect();
    let id = format!("{}-{}", ledger::stamp(now), &sha256(marks.join("\n"))[..12]);
    let inputs = selection.items.iter().filter(|_| selection.from == Origin::Raw).map(|item| Input {
        table: item.table.clone(),
        batch: item.batch.clone(),
        key: keys::replay_copy(&id, &item.batch, &item.key),
        of: item.key.clone(),
        etag: item.etag.clone(),
        size: item.size,
    });
    Request {
        version: VERSION,
        from: selection.from,
        since: ledger::written(selection.since),
        requested_at: ledger::written(now),
        tables: selection.tables.clone(),
        batches: selection.batches.clone(),
        inputs: inputs.collect(),
        id,
    }
}

/// Groups locations by table.
fn by_table(locations: &[(Item, ItemLocation)]) -> BTreeMap<&str, Vec<&(Item, ItemLocation)>> {
    let mut tables: BTreeMap<&str, Vec<&(Item, ItemLocation)>> = BTreeMap::new();
    for location in locations {
        tables.entry(&location.0.table).or_default().push(location);
    }
    tables
}

/// The archived objects that cannot be read now, and whether each is being restored.
fn archived(locations: &[(Item, ItemLocation)]) -> Vec<(&Object, bool)> {
    locations
        .iter()
        .flat_map(|(_, location)| match location {
            ItemLocation::Archive { objects } => objects.as_slice(),
            _ => &[],
        })
        .filter_map(|(object, readable)| match readable {
            crate::aws::s3::Readable::Yes => None,
            crate::aws::s3::Readable::Archived => Some((object, false)),
            crate::aws::s3::Readable::Soon => Some((object, true)),
        })
        .collect()
}

#[cfg(test)]
mod tests;
