//! The state of an environment: its stacks, replications, waiting tables and dead-letter queues.

use serde::Serialize;

use pipectl_contract::names::Zone;

use super::redrive;
use super::waiting::{self, Waiting};
use crate::aws::Aws;
use crate::aws::dms::{self, Progress};
use crate::deploy::replication;
use crate::error::Result;
use crate::render::RenderedStack;
use crate::spec::Spec;

/// A stack of the environment.
#[derive(Debug, Serialize)]
pub struct StackRow {
    pub stack: String,
    /// CloudFormation's word for it; null where the stack does not exist.
    pub state: Option<String>,
    pub changed_at: Option<String>,
}

/// A dead-letter queue, and how many messages wait in it.
#[derive(Debug, Serialize)]
pub struct Queue {
    pub queue: String,
    pub waiting: u64,
}

/// A replication of DMS, which follows a database.
#[derive(Debug, Serialize)]
pub struct Replication {
    #[serde(rename = "replication")]
    pub name: String,
    /// DMS's word for it.
    pub state: String,
    /// Why it does not run, if it does not.
    pub why: Vec<String>,
    /// Null before it has started.
    pub progress: Option<Progress>,
}

/// The state of an environment.
#[derive(Debug, Serialize)]
pub struct Status {
    pub stacks: Vec<StackRow>,
    pub replications: Vec<Replication>,
    /// Tables and marts whose load failed, and that wait.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
    pub queues: Vec<Queue>,
}

/// Reads the state of an environment.
pub async fn status(aws: &Aws, spec: &Spec, stacks: &[RenderedStack]) -> Result<Status> {
    let (mut rows, mut replications) = (Vec::new(), Vec::new());
    for stack in stacks {
        let found = aws.cloudformation.stack(&stack.stack_name).await?;
        if found.is_some() && replication::declares(stack) {
            let of_stack = replication::replications(aws, &stack.stack_name).await?;
            replications.extend(of_stack.into_iter().map(Replication::from));
        }
        rows.push(StackRow {
            stack: stack.stack_name.clone(),
            state: found.as_ref().map(|found| found.status.to_string()),
            changed_at: found.and_then(|found| found.updated.or(found.created)),
        });
    }
    let queues = redrive::lengths(&aws.signed_calls, &spec.prefix()).await?;
    let queues = queues.into_iter().map(|(queue, waiting)| Queue { queue, waiting }).collect();
    let failures = match waiting::failures(&aws.s3, &spec.bucket(Zone::Transformed)).await {
        // The bucket exists once the pipeline is deployed.
        Err(_) if rows.iter().any(|row| row.state.is_none()) => Vec::new(),
        failures => failures?,
    };
    Ok(Status { stacks: rows, replications, waiting: waiting::waiting(failures), queues })
}

impl From<dms::Replication> for Replication {
    fn from(found: dms::Replication) -> Self {
        let why =
            if found.at_rest() { [found.failures, Vec::from_iter(found.stop_reason)].concat() } else { Vec::new() };
        Self { name: found.name, state: found.status, why, progress: found.progress }
    }
}
