//! Rehearsals: the deployed pipeline of the local account, run end to end on this machine.
//!
//! ```text
//! open → local_pipeline → run (what happens next) → the emulator: events, lambda, glue, redshift, dms, authorizer
//!                                                 → stand-ins for what is outside of AWS: shopify, databases
//!                                                 → timeline (what happened, step by step)
//!        outcome, ledger, quarantine (results)    → report (text, JSON)
//! arrivals   which file belongs to which source and table
//! sample     generated shop data; the same seed gives the same bytes
//! ```
//!
//! It never reads a project's files, builds a package or calls AWS: [`Parts`] names the programs to use, and the
//! deployed templates define the pipeline.

pub mod arrivals;
mod changed_objects;
pub mod databases;
pub mod iceberg;
mod ledger;
mod local_pipeline;
mod open;
mod outcome;
mod quarantine;
pub mod report;
mod run;
pub mod sample;
mod scratch_folder;
pub mod shopify;
pub mod timeline;

use pipectl_core::{error, exit, quantity, resource, spec, yaml};

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use pipectl_contract::names::Zone;

use crate::error::{Error, Result};
use crate::spec::{Source, Spec};

pub use local_pipeline::LocalPipeline;
pub use open::{Parts, reopen};
pub use report::Report;

use ledger::Ledgers;
use outcome::Counts;
use run::{Run, folder_of};

/// What arrives: the folder of each source, and whether files of no table are left alone.
#[derive(Debug, Clone, Default)]
pub struct Data {
    pub folders: BTreeMap<String, PathBuf>,
    /// Sources whose data is the generated sample.
    pub generated: Vec<String>,
    /// Sources of the user's own whose Lambda runs.
    pub run: BTreeSet<String>,
}

/// Delivers the data, runs the pipeline until nothing is left to do, and reports the result.
pub async fn rehearse(
    pipeline: &mut LocalPipeline,
    spec: &Spec,
    data: &Data,
    status: &(dyn Fn(&str) + Sync),
) -> Result<Report> {
    let mut arrivals = Vec::new();
    for (name, folder) in &data.folders {
        if spec.pipeline.sources.get(name).and_then(Source::files).is_some() {
            arrivals.extend(arrivals::arrivals(&spec.pipeline, name, folder, data.generated.contains(name))?);
        }
    }
    let buckets = pipeline.buckets.clone();
    let (cleaned, transformed) =
        (folder_of(&buckets, &spec.bucket(Zone::Cleaned))?, folder_of(&buckets, &spec.bucket(Zone::Transformed))?);
    let raw = spec.bucket(Zone::Raw);
    folder_of(&buckets, &raw)?;
    let before = (Ledgers::read(cleaned, transformed), Counts::take(&pipeline.warehouse, spec).await?);
    pipeline.authorizer.begin();
    let mut run = Run::new(pipeline, &raw, status);
    run.own.clone_from(&data.run);
    run.all(&arrivals).await?;
    let (mut timeline, dead_end) = (run.timeline, run.dead_end);
    timeline.find_first(pipeline.authorizer.take_denials().iter().map(|denial| Error::from(denial).to_string()));
    status("reading the marts");
    let ledgers = Ledgers::read(cleaned, transformed);
    if !dead_end.is_empty() && !ledgers.not_loaded().is_empty() {
        let text = format!("nothing starts after the last event\n{}", run::explain(&dead_end));
        timeline.find(timeline::Severity::Error, text);
    }
    outcome::report(pipeline, spec, timeline, &before.0, &ledgers, &before.1).await
}
