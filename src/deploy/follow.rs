//! Follows an operation of a stack to its end.

use super::Session;
use super::change_set::Patience;
use super::progress::Step;
use crate::aws::cloudformation::Event;
use crate::error::{Error, Result};
use crate::plan::deployed::{Stack, Standing, Status};

/// How often the status is asked for without a sign of the operation, before it is believed: the first answers after
/// the start may still be the old ones.
const STALE_ANSWERS: usize = 3;

/// How an operation ended, and all that happened.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) stack: Stack,
    pub(super) events: Vec<Event>,
}

impl Session {
    /// Follows the operation that began after the event `since`, and reports what happens.
    pub(super) async fn follow(&self, name: &str, arn: &str, since: Option<String>) -> Result<Ended> {
        let mut patience = Patience::new(self.aws.pace);
        let mut events: Vec<Event> = Vec::new();
        let mut last = since;
        let mut asked = 0;
        loop {
            self.read_events(name, arn, &mut last, &mut events).await;
            if let Some(found) = patience.bear(self.aws.cloudformation.stack(arn).await)? {
                let stack = found.unwrap_or_else(|| gone(arn));
                asked += 1;
                let begun = !events.is_empty() || asked > STALE_ANSWERS;
                if begun && stack.status.settled() {
                    // The reason of a failure may have come after the last look.
                    self.read_events(name, arn, &mut last, &mut events).await;
                    return Ok(Ended { stack, events });
                }
            }
            patience.pause().await;
        }
    }

    /// Reads and reports new events. They are there for people to see: not to get them is no failure.
    async fn read_events(&self, name: &str, arn: &str, last: &mut Option<String>, events: &mut Vec<Event>) {
        let Ok(new) = self.aws.cloudformation.events_since(arn, last.as_deref()).await else { return };
        for event in new {
            if events.iter().any(|known| known.id == event.id) {
                continue;
            }
            *last = Some(event.id.clone());
            if event.resource_type != "AWS::CloudFormation::Stack" {
                self.say(Step::Resource {
                    stack: name.to_owned(),
                    logical_id: event.logical_id.clone(),
                    resource_type: event.resource_type.clone(),
                    status: event.status.clone(),
                    reason: event.reason.clone(),
                });
            }
            events.push(event);
        }
    }

    /// Waits for an operation that someone else started on a stack, then returns the stack.
    pub(super) async fn settled(&self, name: &str, stack_name: &str) -> Result<Option<Stack>> {
        let mut patience = Patience::new(self.aws.pace);
        let mut said = false;
        loop {
            if let Some(found) = patience.bear(self.aws.cloudformation.stack(stack_name).await)? {
                match found {
                    Some(stack) if stack.status.standing() == Standing::Busy => {
                        if !said {
                            said = true;
                            let what = format!("waits for another operation to end ({})", stack.status);
                            self.say(Step::Stack { stack: name.to_owned(), what });
                        }
                        if self.stop.requested() {
                            return Err(super::stop::Stop::error(&format!(
                                "`{stack_name}` is still in {}",
                                stack.status
                            )));
                        }
                    }
                    found => return Ok(found),
                }
            }
            patience.pause().await;
        }
    }

    /// Fails if nothing can be done with a stack until someone mends it.
    pub(super) fn check_standing(&self, stack: &Stack) -> Result<()> {
        if stack.status.standing() != Standing::Broken {
            return Ok(());
        }
        let error = Error::new(format!("`{}` is in {} and cannot be changed", stack.name, stack.status));
        let error = match &stack.status_reason {
            Some(reason) => error.note(reason.clone()),
            None => error,
        };
        let region = &self.aws.region;
        Err(match stack.status.as_str() {
            "UPDATE_ROLLBACK_FAILED" => error.hint(format!(
                "mend what its events name, then run `aws cloudformation continue-update-rollback --region {region} --stack-name {}`",
                stack.name
            )),
            "UPDATE_FAILED" => error.hint(format!(
                "run `aws cloudformation rollback-stack --region {region} --stack-name {}`, then deploy again",
                stack.name
            )),
            _ => error.hint(format!(
                "look at its events, then delete it with `aws cloudformation delete-stack --region {region} --stack-name {}`",
                stack.name
            )),
        })
    }
}

/// A stack that cannot be found any more, not even by its ARN.
fn gone(arn: &str) -> Stack {
    Stack { id: arn.to_owned(), status: Status("DELETE_COMPLETE".to_owned()), ..Stack::default() }
}
