//! Lets CloudFormation compare the account with what it has deployed: all stacks at once. Changes nothing.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::PARALLEL;
use super::patience::Patience;
use super::stop::Stop;
use crate::aws::Aws;
use crate::aws::cloudformation::Detection;
use crate::error::{Error, Result};
use crate::plan::AccountRegion;
use crate::plan::deployed::StackState;
use crate::plan::drift::{Drift, StackDrift};
use crate::render::RenderedStack;
use crate::spec::Spec;

/// Detects the drift of all stacks. `ended` hears the name of each stack that is done, and how many are not.
pub async fn detect(
    aws: &Aws,
    spec: &Spec,
    stacks: Vec<RenderedStack>,
    stop: &Stop,
    ended: &mut dyn FnMut(&str, usize),
) -> Result<Drift> {
    let account_region = AccountRegion { account: aws.account.clone(), region: aws.region.clone() };
    let (mut tasks, gate) = (JoinSet::new(), Arc::new(Semaphore::new(PARALLEL)));
    let mut found: Vec<Option<StackDrift>> = stacks.iter().map(|_| None).collect();
    for (index, stack) in stacks.into_iter().enumerate() {
        let (aws, account_region, gate) = (aws.clone(), account_region.clone(), Arc::clone(&gate));
        tasks.spawn(async move {
            // The gate is never closed.
            let _open = gate.acquire().await;
            (index, of_stack(&aws, &account_region, &stack).await)
        });
    }
    let (mut errors, mut stopped) = (Vec::new(), stop.clone());
    loop {
        let done = tokio::select! {
            done = tasks.join_next() => done,
            () = stopped.wait(1) => return Err(Stop::error("the drift is not known; nothing was changed")),
        };
        match done {
            None => break,
            Some(Ok((index, Ok(drift)))) => {
                ended(&drift.name, tasks.len());
                found[index] = Some(drift);
            }
            Some(Ok((_, Err(error)))) => errors.push(error),
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    // The order of responses is random; the order of errors must not be.
    errors.sort_by_key(|error| error.message().to_owned());
    errors.dedup_by_key(|error| error.message().to_owned());
    Error::all(errors)?;
    Ok(Drift {
        environment: spec.environment_name.clone(),
        account: account_region.account,
        region: account_region.region,
        stacks: found.into_iter().flatten().collect(),
    })
}

async fn of_stack(aws: &Aws, account_region: &AccountRegion, desired: &RenderedStack) -> Result<StackDrift> {
    let Some(stack) = aws.cloudformation.stack(&desired.stack_name).await? else {
        return Ok(StackDrift::absent(desired));
    };
    match stack.status.state() {
        StackState::Absent | StackState::Shell => return Ok(StackDrift::absent(desired)),
        StackState::Busy => {
            return Err(Error::new(format!("`{}` is in {}", stack.name, stack.status))
                .hint("run the command again when the operation has ended"));
        }
        StackState::Settled | StackState::Broken => {}
    }
    let id = started(aws, &stack.id).await?;
    let mut patience = Patience::new(aws.pace);
    let failure = loop {
        match patience.tolerate(aws.cloudformation.drift_detection(&id).await)? {
            Some(Detection::Done) => break None,
            Some(Detection::Failed(reason)) => break Some(reason),
            Some(Detection::Running) | None => patience.pause().await,
        }
    };
    let found = aws.cloudformation.drifts(&stack.id).await?;
    let resources = aws.cloudformation.resources(&stack.id).await?;
    let there = resources.iter().filter(|resource| resource.status != "DELETE_COMPLETE");
    let resources: Vec<(String, String)> =
        there.map(|resource| (resource.logical_id.clone(), resource.resource_type.clone())).collect();
    StackDrift::new(desired, account_region, &found, &resources, failure)
}

/// Starts a detection; waits for one that somebody else has begun, since that one may be older than the change.
async fn started(aws: &Aws, stack: &str) -> Result<String> {
    let mut patience = Patience::new(aws.pace);
    loop {
        if let Some(Some(id)) = patience.tolerate(aws.cloudformation.detect_drift(stack).await)? {
            return Ok(id);
        }
        patience.pause().await;
    }
}

#[cfg(test)]
mod tests;
