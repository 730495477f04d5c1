//! The names of all that a pipeline can have, for the policies of the roles that deploy it.
//!
//! A policy names each exactly, so that a pipeline whose prefix begins with this one's loses nothing. What is called after
//! a source is named by its family, such as `<prefix>-ingest-*`: a source is added without an administrator. No prefix of
//! another pipeline is within a family, because `check` reserves the words (see `names::FAMILIES`).

use pipectl_contract::names::{QUEUES, Zone};
use serde::Serialize;

use super::STACKS;
use crate::spec::Spec;

#[derive(Serialize)]
pub(super) struct Owned {
    /// With the bootstrap stack, which the pipeline's own roles may only read.
    stacks: Vec<String>,
    pipeline_stacks: Vec<String>,
    /// Without the bucket of the artifacts, which belongs to the bootstrap stack.
    buckets: Vec<String>,
    roles: Vec<String>,
    functions: Vec<String>,
    schedules: Vec<String>,
    queues: Vec<String>,
    jobs: Vec<String>,
    connections: Vec<String>,
    crawlers: Vec<String>,
    triggers: Vec<String>,
    rules: Vec<String>,
    alarms: Vec<String>,
}

/// What a pipeline can have, whatever it has today.
pub(super) fn owned(spec: &Spec) -> Owned {
    let prefix = spec.prefix();
    let all = |names: &[&str]| names.iter().map(|name| format!("{prefix}-{name}")).collect::<Vec<_>>();
    let stacks = |names: &mut dyn Iterator<Item = &'static str>| names.map(|name| spec.stack_name(name)).collect();
    let buckets = Zone::ALL.into_iter().filter(|zone| *zone != Zone::Artifacts);
    Owned {
        stacks: stacks(&mut STACKS.into_iter()),
        pipeline_stacks: stacks(&mut STACKS.into_iter().filter(|name| *name != "bootstrap")),
        buckets: buckets.map(|zone| spec.bucket(zone)).collect(),
        roles: all(&[
            "crawler",
            "events-to-glue",
            "glue",
            "load",
            "quicksight",
            "replication",
            "scheduler",
            "warehouse",
            "ingest-*",
            "replicate-*",
        ]),
        functions: all(&["load", "ingest-*"]),
        schedules: all(&["ingest-*"]),
        queues: all(&QUEUES.map(|queue| queue.name)),
        jobs: all(&["clean", "transform", "ingest-*"]),
        connections: all(&["ingest-*"]),
        crawlers: all(&[Zone::Raw.as_str(), Zone::Cleaned.as_str(), Zone::Transformed.as_str()]),
        triggers: all(&["start", "then-transform", "ingest-*"]),
        rules: all(&[
            "call-dropped",
            "call-failed",
            "crawler-failed",
            "job-failed",
            "landing",
            "replication-failed",
            "statement",
            "statement-failed",
            "transformed",
            "failed-*",
        ]),
        alarms: all(&[
            "call-failed-undelivered",
            "failures-waiting",
            "jobs-log",
            "landing-undelivered",
            "load-errors",
            "load-log",
            "load-reports",
            "load-throttles",
            "no-data",
            "statement-undelivered",
            "transformed-undelivered",
            "undelivered-waiting",
            "ingest-*",
        ]),
    }
}
