//! What waits on its way into the warehouse, why, and the two ways on: to retry it, or to skip its batch.

use pipectl_contract::keys;
use pipectl_contract::ledger::{Failed, Loaded, Skipped, Stage, VERSION};
use pipectl_contract::names::Zone;
use serde::Serialize;
use time::UtcDateTime;

use crate::aws::{Aws, S3};
use crate::error::{Error, Result, did_you_mean};
use crate::exit::Exit;
use crate::operations::ledger::written;
use crate::operations::runs::Run;
use crate::spec::Spec;

/// A table or mart that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// `core.orders` or `marts.sales`.
    pub waits: String,
    /// The batch whose load failed.
    pub batch: String,
    /// `transient`, `data`, `permission` or `definition`.
    pub kind: &'static str,
    pub why: String,
    pub hint: String,
}

/// Reads the failures that are not over: their batch is not in the ledger. Tables come before marts.
pub async fn failures(s3: &S3, transformed: &str) -> Result<Vec<(String, Failed)>> {
    let folder = keys::failures_folder();
    let listed: Vec<String> = s3.list(transformed, &folder).await?.into_iter().map(|object| object.key).collect();
    let mut failures = Vec::new();
    for (key, bytes) in s3.get_all(transformed, &listed).await? {
        let Ok(failed) = serde_json::from_slice::<Failed>(&bytes) else { continue };
        let is_load = key == keys::failed_load(&failed.name);
        let over = if is_load {
            s3.exists(transformed, &keys::load_entry(&failed.batch, &failed.name)).await?
        } else {
            let of = keys::mart_entry(&failed.batch, &failed.document, &failed.name);
            s3.exists(transformed, &of).await?
        };
        if !over {
            failures.push((key, failed));
        }
    }
    Ok(failures)
}

/// Describes failures for people.
pub fn waiting(failures: Vec<(String, Failed)>) -> Vec<Waiting> {
    let one = |(key, failed): (String, Failed)| {
        let schema = if key == keys::failed_load(&failed.name) { "core" } else { "marts" };
        Waiting {
            waits: format!("{schema}.{}", failed.name),
            batch: failed.batch,
            kind: failed.kind.as_str(),
            why: one_line(&failed.message),
            hint: failed.hint,
        }
    };
    failures.into_iter().map(one).collect()
}

/// Adds the tables of a run that wait in the warehouse's queue: their own load failed, or that of an earlier batch.
pub fn add_to_run(run: &mut Run, failures: &[(String, Failed)]) {
    for (key, failed) in failures {
        let waits = run.tables.get(&failed.name).is_some_and(|rows| rows.loaded > 0 && !rows.in_warehouse);
        if *key != keys::failed_load(&failed.name) || !waits || run.name < failed.batch {
            continue;
        }
        let why = if run.name == failed.batch {
            format!("its load failed: {}", one_line(&failed.message))
        } else {
            format!("it waits for the batch {}", failed.batch)
        };
        run.stopped.entry(failed.name.clone()).or_insert(why);
    }
}

/// Rejects a table or mart that the pipeline does not have.
pub fn check(spec: &Spec, is_mart: bool, name: &str) -> Result<()> {
    let known: Vec<&str> = if is_mart {
        spec.pipeline.marts.keys().map(String::as_str).collect()
    } else {
        spec.pipeline.tables.keys().map(String::as_str).collect()
    };
    if known.contains(&name) {
        return Ok(());
    }
    let kind = if is_mart { "mart" } else { "table" };
    let error = Error::new(format!("the pipeline has no {kind} `{name}`")).exit(Exit::Usage);
    Err(error.hint(did_you_mean(name, known)))
}

/// Has the loader try again what has failed of a table or mart, and returns it.
pub async fn retry(aws: &Aws, spec: &Spec, is_mart: bool, name: &str) -> Result<Vec<Failed>> {
    let bucket = spec.bucket(Zone::Transformed);
    let of_name =
        if is_mart { vec![keys::failed_mart(name), keys::failed_unload(name)] } else { vec![keys::failed_load(name)] };
    let mut found = failures(&aws.s3, &bucket).await?;
    found.retain(|(key, _)| of_name.contains(key));
    if found.is_empty() {
        let error = Error::new(format!("nothing of `{name}` has failed"));
        return Err(error.hint(format!("see `pipectl status --env {}`", spec.environment_name)));
    }
    let mut retried = Vec::new();
    for (key, failed) in found {
        let failed = Failed { retry: true, ..failed };
        aws.s3.put(&bucket, &key, to_bytes(&failed)?).await?;
        retried.push(failed);
    }
    Ok(retried)
}

/// The failure of the load for which a table waits. Fails if it does not wait for this batch: of a batch that loads, or
/// will load, nothing must be left out.
pub async fn failed_load(aws: &Aws, spec: &Spec, table: &str, batch: &str) -> Result<Failed> {
    let environment = &spec.environment_name;
    let found = failures(&aws.s3, &spec.bucket(Zone::Transformed)).await?;
    let Some((_, failed)) = found.into_iter().find(|(key, _)| *key == keys::failed_load(table)) else {
        return Err(Error::new(format!("no load of `{table}` has failed"))
            .hint(format!("see `pipectl status --env {environment}`")));
    };
    if failed.batch != batch {
        return Err(Error::new(format!("`{table}` does not wait for the batch {batch}"))
            .hint(format!("it waits for {0}: `pipectl skip {table} {0} --env {environment}`", failed.batch)));
    }
    Ok(failed)
}

/// Leaves the batch of a failed load out of its table.
pub async fn skip(aws: &Aws, spec: &Spec, failed: Failed) -> Result<()> {
    let (table, batch) = (failed.name, failed.batch);
    let key = keys::load_entry(&batch, &table);
    let entry = Loaded {
        version: VERSION,
        stage: Stage::Load.as_str().to_owned(),
        batch: batch.clone(),
        table: table.clone(),
        staged: Some(0),
        changed: Some(0),
        deleted: Some(0),
        statement_id: None,
        committed_at: written(UtcDateTime::now()),
        skipped: Some(Skipped { by: aws.caller.clone(), reason: failed.message }),
    };
    if !aws.s3.create(&spec.bucket(Zone::Transformed), &key, to_bytes(&entry)?).await? {
        return Err(Error::new(format!("the batch {batch} of `{table}` was loaded or skipped meanwhile")));
    }
    Ok(())
}

/// Calls the loader, which reads its ledger. Returns `false` in a local environment, where the next rehearsal reads it.
pub async fn wake(aws: &Aws, spec: &Spec) -> Result<bool> {
    if !spec.environment.local {
        aws.signed_calls.invoke(&format!("{}-load", spec.prefix()), "{}").await?;
    }
    Ok(!spec.environment.local)
}

fn to_bytes(entry: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(entry).map_err(|error| Error::new("the entry cannot be written").cause(&error))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
