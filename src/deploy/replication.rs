//! What CloudFormation does not do for DMS: a replication is started after its stack, and stopped before a change of
//! what it uses, which DMS refuses while it runs.

use std::time::{Duration, Instant};

use super::progress::Step;
use super::reporter::Reporter;
use super::target::Target;
use crate::aws::dms::{Replication, Start};
use crate::aws::{Aws, Kind};
use crate::error::{Error, Result};
use crate::plan::{Action, StackPlan};
use crate::render::RenderedStack;

const CONFIGURATION: &str = "AWS::DMS::ReplicationConfig";
/// What cannot be changed while a replication uses it.
const IN_USE: [&str; 2] = [CONFIGURATION, "AWS::DMS::Endpoint"];
/// A stop writes what is under way; DMS takes minutes for it.
const STOP_LIMIT: Duration = Duration::from_mins(30);

/// Whether a stack declares replications.
pub fn declares(desired: &RenderedStack) -> bool {
    desired.template.resources.iter().any(|resource| resource.resource_type == CONFIGURATION)
}

/// Whether changes of these resource types need the replications to be stopped.
pub(super) fn needs_stop<'a>(mut changed_types: impl Iterator<Item = &'a str>) -> bool {
    changed_types.any(|changed| IN_USE.contains(&changed))
}

/// The types of what a plan changes among what is deployed.
pub(super) fn changed(plan: &StackPlan) -> impl Iterator<Item = &str> {
    let changed = plan.resources.iter().filter(|resource| !matches!(resource.action, Action::Add | Action::Import));
    changed.map(|resource| resource.resource_type.as_str())
}

/// The replications of a deployed stack.
pub async fn replications(aws: &Aws, stack: &str) -> Result<Vec<Replication>> {
    let mut found = Vec::new();
    for resource in aws.cloudformation.resources(stack).await? {
        if resource.resource_type == CONFIGURATION && !resource.physical_id.is_empty() {
            found.extend(aws.dms.replication(&resource.physical_id).await?);
        }
    }
    Ok(found)
}

/// What a deploy will do with the replications of a stack.
pub(super) async fn notes(
    aws: &Aws,
    desired: &RenderedStack,
    deployed: Option<&str>,
    plan: &StackPlan,
) -> Result<Vec<String>> {
    if !declares(desired) && !needs_stop(changed(plan)) {
        return Ok(Vec::new());
    }
    let known = match deployed {
        Some(stack) => replications(aws, stack).await?,
        None => Vec::new(),
    };
    let stops = needs_stop(changed(plan));
    let mut notes: Vec<String> = known
        .iter()
        .filter_map(|replication| match (replication.at_rest(), stops) {
            (false, true) => Some(format!(
                "the replication `{}` is {}: it is stopped before this update, and resumed after it",
                replication.name, replication.status
            )),
            (true, _) => Some(format!(
                "the replication `{}` is {}: it is started after this stack",
                replication.name, replication.status
            )),
            (false, false) => None,
        })
        .collect();
    let added = plan.resources.iter().filter(|resource| {
        resource.resource_type == CONFIGURATION && matches!(resource.action, Action::Add | Action::Import)
    });
    notes
        .extend(added.map(|resource| format!("the replication `{}` is started after this stack", resource.logical_id)));
    Ok(notes)
}

/// Stops the replications of a stack that run, and waits until they have. Returns those that it stopped.
pub(super) async fn stop_all(
    target: &Target,
    reporter: &Reporter,
    name: &str,
    stack: &str,
) -> Result<Vec<Replication>> {
    let mut stopped = Vec::new();
    for replication in replications(&target.aws, stack).await? {
        if !replication.at_rest() {
            stop(target, reporter, name, &replication).await?;
            stopped.push(replication);
        }
    }
    Ok(stopped)
}

async fn stop(target: &Target, reporter: &Reporter, stack: &str, replication: &Replication) -> Result<()> {
    let Replication { arn, name, .. } = replication;
    let began = Instant::now();
    let mut asked = false;
    for wait in target.aws.pace.waits() {
        let Some(now) = target.aws.dms.replication(arn).await? else { return Ok(()) };
        if now.at_rest() {
            return Ok(());
        }
        if !asked && now.status != "stopping" {
            match target.aws.dms.stop(arn).await {
                Ok(()) => asked = true,
                // It is between two states: it is asked again in a moment.
                Err(failure) if failure.kind == Kind::WrongState => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        let what = format!("stops the replication `{name}` ({})", now.status);
        reporter.emit(Step::Stack { stack: stack.to_owned(), what });
        if began.elapsed() > STOP_LIMIT {
            return Err(Error::new(format!(
                "the replication `{name}` is still {} after {} minutes",
                now.status,
                STOP_LIMIT.as_secs() / 60
            ))
            .hint("check it in the DMS console; when it has stopped, deploy again"));
        }
        tokio::time::sleep(wait).await;
    }
    Ok(())
}

/// Starts the replications of a stack that do not run.
pub(super) async fn start_all(
    target: &Target,
    reporter: &Reporter,
    desired: &RenderedStack,
    stack: &str,
) -> Result<()> {
    if !declares(desired) {
        return Ok(());
    }
    for replication in replications(&target.aws, stack).await? {
        start(target, reporter, &desired.name, &replication).await?;
    }
    Ok(())
}

/// Resumes what was stopped for a failed update. The error of the update is the one to report.
pub(super) async fn resume(target: &Target, reporter: &Reporter, stack: &str, stopped: &[Replication]) {
    for replication in stopped {
        if let Ok(Some(now)) = target.aws.dms.replication(&replication.arn).await {
            let _ = start(target, reporter, stack, &now).await;
        }
    }
}

async fn start(target: &Target, reporter: &Reporter, stack: &str, replication: &Replication) -> Result<()> {
    let Replication { arn, name, status, failures, .. } = replication;
    let how = match status.as_str() {
        "created" => Start::FullLoad,
        "stopped" | "failed" => Start::Resumed,
        _ => return Ok(()),
    };
    if status == "failed" && !failures.is_empty() {
        let text = format!("the replication `{name}` had failed: {}; it is resumed", failures.join("; "));
        reporter.emit(Step::Note(text));
    }
    match target.aws.dms.start(arn, how).await {
        Ok(()) => {}
        Err(failure) => {
            let error: Error = failure.into();
            return Err(error
                .note(format!("the stack is deployed, but its replication `{name}` does not run"))
                .hint(format!("run `pipectl deploy --env {}` again after you fix the cause", target.environment)));
        }
    }
    let what = match how {
        Start::FullLoad => "starts",
        Start::Resumed => "resumes",
    };
    reporter.emit(Step::Stack { stack: stack.to_owned(), what: format!("{what} the replication `{name}`") });
    Ok(())
}
#[cfg(test)]
#[cfg(feature = "rehearse")]
mod tests;
