//! The ledgers, read as far as a question needs.

use std::collections::{BTreeMap, BTreeSet};

use pipectl_contract::ledger::{Clean, Stage, Transform};

use crate::aws::S3;
use crate::error::{Error, Result, closest};
use crate::operations::ledger::Ledger;

use super::{Run, failed, run};

/// The names of the buckets with ledgers.
#[derive(Debug, Clone)]
pub struct Buckets {
    pub cleaned: String,
    pub transformed: String,
}

/// The names of all batches, which a listing gives without reading an entry.
struct Names {
    clean: BTreeSet<String>,
    transform: BTreeSet<String>,
    /// Batches that are wholly in the warehouse.
    closed: BTreeSet<String>,
    /// Runs that have left a report and nothing else.
    failed: BTreeSet<String>,
}

struct Reader<'a> {
    clean: Ledger<'a>,
    transform: Ledger<'a>,
    buckets: &'a Buckets,
    names: Names,
}

impl<'a> Reader<'a> {
    async fn open(s3: &'a S3, buckets: &'a Buckets) -> Result<Self> {
        let clean = Ledger { s3, bucket: buckets.cleaned.clone() };
        let transform = Ledger { s3, bucket: buckets.transformed.clone() };
        let mut names = Names {
            clean: clean.names(Stage::Clean).await?,
            transform: transform.names(Stage::Transform).await?,
            closed: transform.names(Stage::Loaded).await?,
            failed: transform.reports().await?,
        };
        names.failed.retain(|batch| !names.clean.contains(batch) && !names.transform.contains(batch));
        Ok(Self { clean, transform, buckets, names })
    }

    /// A run for each of these batches of `transform`, and one for each batch of `clean` that none of them takes and
    /// that is younger than what they take.
    async fn runs(&self, transforms: &[String]) -> Result<Vec<Run>> {
        let transformed: Vec<Transform> = self.transform.entries(Stage::Transform, transforms).await?;
        let first_taken = |entry: &Transform| -> Vec<String> {
            // What a request takes once more was counted when it came first: by a run between it and this one.
            let again = |batch: &String| {
                let mut between = self.names.transform.range(batch.clone()..entry.batch.clone());
                !entry.replays.is_empty() && between.next().is_some()
            };
            entry.inputs.iter().map(|input| input.batch.clone()).filter(|batch| !again(batch)).collect()
        };
        let taken: BTreeSet<String> = transformed.iter().flat_map(&first_taken).collect();
        // Where all of them are replays, what is older than they are was taken by others.
        let oldest = taken.first().or(transforms.iter().min()).cloned().unwrap_or_default();
        let waiting = self.names.clean.iter().filter(|batch| **batch > oldest && !taken.contains(*batch));
        let cleaned: Vec<Clean> = self.clean.entries(Stage::Clean, taken.iter().chain(waiting)).await?;
        let cleaned: BTreeMap<&str, &Clean> = cleaned.iter().map(|entry| (entry.batch.as_str(), entry)).collect();
        let mut runs = Vec::new();
        for entry in &transformed {
            let parts: Vec<&Clean> =
                first_taken(entry).iter().filter_map(|batch| cleaned.get(batch.as_str()).copied()).collect();
            let loaded = self.transform.loaded(&entry.batch).await?;
            let closed = self.names.closed.contains(&entry.batch);
            runs.push(run(self.buckets, &parts, Some(entry), &loaded, closed));
        }
        let waiting = cleaned.values().filter(|entry| !taken.contains(&entry.batch));
        runs.extend(waiting.map(|entry| run(self.buckets, &[entry], None, &BTreeMap::new(), false)));
        Ok(runs)
    }
}

impl Reader<'_> {
    async fn failed(&self, batches: impl Iterator<Item = &String>) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        for batch in batches {
            runs.extend(self.transform.report(batch).await?.map(failed));
        }
        Ok(runs)
    }
}

/// The latest runs, the newest first.
pub async fn latest(s3: &S3, buckets: &Buckets, limit: usize) -> Result<Vec<Run>> {
    let reader = Reader::open(s3, buckets).await?;
    let transforms: Vec<String> = reader.names.transform.iter().rev().take(limit).cloned().collect();
    let mut runs = reader.runs(&transforms).await?;
    runs.extend(reader.failed(reader.names.failed.iter().rev().take(limit)).await?);
    runs.sort_by(|one, other| (&other.at, &other.name).cmp(&(&one.at, &one.name)));
    runs.truncate(limit);
    Ok(runs)
}

/// One run, by the name of any of its batches or the beginning of it.
pub async fn one(s3: &S3, buckets: &Buckets, name: &str) -> Result<Run> {
    let reader = Reader::open(s3, buckets).await?;
    let names = &reader.names;
    let all: BTreeSet<&String> = names.transform.iter().chain(&names.clean).chain(&names.failed).collect();
    let mut found: Vec<&String> = all.iter().copied().filter(|batch| batch.starts_with(name)).collect();
    if found.iter().filter(|batch| names.transform.contains(**batch)).count() == 1 {
        // A run has the name of its batch of `transform`; that of `clean` often begins alike.
        found.retain(|batch| names.transform.contains(*batch));
    }
    let batch = match found.as_slice() {
        [] => {
            let error = Error::new(format!("there is no run `{name}`"));
            return Err(match closest(name, all.iter().map(|batch| batch.as_str())) {
                Some(suggestion) => error.hint(format!("did you mean `{suggestion}`?")),
                None => error.hint("list them: pipectl runs"),
            });
        }
        [only] => (*only).clone(),
        [first, .., last] => {
            return Err(Error::new(format!("`{name}` begins the names of {} runs", found.len()))
                .note(format!("from {first} to {last}"))
                .hint("write more of the name"));
        }
    };
    if names.failed.contains(&batch) {
        let run = reader.failed([&batch].into_iter()).await?.pop();
        return run.ok_or_else(|| Error::new(format!("the report of `{batch}` was deleted")));
    }
    // A batch of `clean` is reported with the batch of `transform` that took it: one of those that came after it.
    let mut after: Vec<String> = names.transform.iter().filter(|transform| **transform >= batch).cloned().collect();
    if !names.transform.contains(&batch) {
        let entries = reader.transform.entries(Stage::Transform, after.iter().take(8)).await?;
        let takes = |entry: &Transform| entry.inputs.iter().any(|input| input.batch == batch);
        after = entries.into_iter().filter(takes).map(|entry| entry.batch).collect();
    }
    after.truncate(1);
    let runs = reader.runs(&after).await?;
    let run = runs.into_iter().find(|run| run.name == batch || run.batches.contains(&batch));
    run.ok_or_else(|| {
        Error::new(format!("the entries of `{batch}` were deleted")).hint("list what is there: pipectl runs")
    })
}
