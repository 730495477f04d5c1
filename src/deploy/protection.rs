//! Protection against termination. The role that deploys may not change it, or it could switch it off unseen: what it
//! creates is protected by the next `pipectl bootstrap`.

use super::progress::Step;
use super::reporter::Reporter;
use super::target::Target;
use crate::aws::Aws;
use crate::aws::error::Kind;
use crate::error::Result;
use crate::render::{RenderedStack, STACKS};
use crate::spec::Spec;

/// Protects a stack, or reports that this role may not.
pub(super) async fn protect(target: &Target, reporter: &Reporter, desired: &RenderedStack) -> Result<()> {
    match target.aws.cloudformation.protect(&desired.stack_name, true).await {
        Ok(()) => Ok(()),
        Err(failure) if failure.kind == Kind::AccessDenied => {
            reporter.emit(Step::Note(format!(
                "`{}` is not protected against termination, which only an administrator may change; \
                     `pipectl bootstrap --env {}` protects all stacks",
                desired.stack_name, target.environment
            )));
            Ok(())
        }
        Err(failure) => Err(failure.into()),
    }
}
/// Protects the deployed stacks of a pipeline, and returns the names of those that were not protected.
pub async fn protect_all(aws: &Aws, spec: &Spec) -> Result<Vec<String>> {
    let mut protected = Vec::new();
    for name in STACKS {
        let name = spec.stack_name(name);
        let Some(stack) = aws.cloudformation.stack(&name).await? else { continue };
        if !stack.termination_protection && stack.status.succeeded() {
            aws.cloudformation.protect(&name, true).await?;
            protected.push(name);
        }
    }
    Ok(protected)
}
