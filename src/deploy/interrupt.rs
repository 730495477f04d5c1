//! Interrupting a deploy while CloudFormation works: what continues, and which updates can be cancelled.

use super::Session;
use super::progress::Progress;
use crate::error::Error;

impl Session {
    /// Reports how to follow the running operations, and offers to cancel the updates among them. The creation of a
    /// stack cannot be cancelled, only waited for.
    pub(super) async fn interrupt(&self, running: &[String], error: Error, progress: &mut dyn Progress) -> Error {
        let mut updates = Vec::new();
        for name in running {
            let Some(desired) = self.stacks.get(name) else { continue };
            if let Ok(Some(stack)) = self.target.aws.cloudformation.stack(&desired.stack_name).await
                && stack.status.as_str() == "UPDATE_IN_PROGRESS"
            {
                updates.push((name.clone(), stack));
            }
        }
        let error = error.hint(format!("follow with `pipectl status --env {}`", self.target.environment));
        if updates.is_empty() {
            return error;
        }
        let names: Vec<String> = updates.iter().map(|(name, _)| name.clone()).collect();
        if !progress.cancel(&names, self.run.stop.clone()).await {
            let command = |name: &String| {
                let region = &self.target.aws.region;
                let stack_name = self.stacks.get(name).map(|desired| desired.stack_name.clone()).unwrap_or_default();
                format!("aws cloudformation cancel-update-stack --region {region} --stack-name {stack_name}")
            };
            let commands: Vec<String> = names.iter().map(command).collect();
            return error.hint(format!("to cancel an update while it runs:\n{}", commands.join("\n")));
        }
        let mut error = error;
        for (name, stack) in updates {
            error = match self.target.aws.cloudformation.cancel_update(&stack.id).await {
                Ok(()) => error.note(format!("the update of `{name}` is cancelled: AWS rolls it back now")),
                Err(failure) => error.note(format!("the update of `{name}` was not cancelled: {failure}")),
            };
        }
        error
    }
}
