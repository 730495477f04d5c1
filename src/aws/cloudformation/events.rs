//! What happened to a stack: its events, and the failures that only `DescribeEvents` returns.

use aws_sdk_cloudformation as sdk;
use aws_sdk_cloudformation::types::EventFilter;

use super::{CloudFormation, text, time};
use crate::aws::error::Failure;

/// Something that happened to a stack or one of its resources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    pub id: String,
    pub logical_id: String,
    pub physical_id: String,
    pub resource_type: String,
    pub status: String,
    pub reason: Option<String>,
    /// RFC 3339, UTC.
    pub time: String,
    /// The client request token of the operation that it belongs to; none if the operation was started without one.
    pub token: Option<String>,
    /// The operation that it belongs to, by AWS's own id.
    pub operation: Option<String>,
    /// The hook that was invoked, such as `Acme::Guard::Hook`, if the event is about one.
    pub hook: Option<Hook>,
}

/// What a hook said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hook {
    pub name: String,
    /// `HOOK_COMPLETE_FAILED`, `HOOK_FAILED`, …
    pub status: String,
    pub reason: Option<String>,
}

/// A failure that `DescribeEvents` returns: of a resource, a hook, or a validation before the deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailedEvent {
    /// `VALIDATION_ERROR`, `HOOK_INVOCATION_ERROR`, `PROVISIONING_ERROR`, …
    pub kind: String,
    pub logical_id: String,
    pub resource_type: String,
    /// The name of the validation or the type of the hook; empty for a resource.
    pub source: String,
    pub reason: Option<String>,
    /// Where in the template, such as `/Resources/Raw/Properties/BucketName`.
    pub path: Option<String>,
    /// Whether it only warns.
    pub warning: bool,
}

impl Event {
    /// Whether it is about the stack itself.
    pub fn of_stack(&self) -> bool {
        self.resource_type == "AWS::CloudFormation::Stack" && !self.status.is_empty()
    }

    /// What the operation is known by: AWS's id of it, or the token of who started it.
    pub fn operation_key(&self) -> Option<&str> {
        self.operation.as_deref().or(self.token.as_deref())
    }
}

impl CloudFormation {
    /// The events of a stack, all pages of them, back to the first that is `known`; in the order in
    /// which they happened.
    pub async fn events_until(
        &self,
        stack: &str,
        mut known: impl FnMut(&Event) -> bool + Send,
    ) -> Result<Vec<Event>, Failure> {
        let mut events = Vec::new();
        let mut token = None;
        'pages: loop {
            let page = self.0.describe_stack_events().stack_name(stack).set_next_token(token).send().await;
            let page = page.map_err(|error| Failure::new("DescribeStackEvents", &error))?;
            for found in page.stack_events().iter().map(event) {
                if known(&found) {
                    break 'pages;
                }
                events.push(found);
            }
            match page.next_token {
                Some(next) if !next.is_empty() => token = Some(next),
                _ => break,
            }
        }
        events.reverse();
        Ok(events)
    }

    /// The newest event of a stack.
    pub async fn last_event(&self, stack: &str) -> Result<Option<Event>, Failure> {
        let page = self.0.describe_stack_events().stack_name(stack).send().await;
        let page = page.map_err(|error| Failure::new("DescribeStackEvents", &error))?;
        Ok(page.stack_events().first().map(event))
    }

    /// The client request token of the newest event of a stack: by it an operation is known again.
    pub async fn last_token(&self, stack: &str) -> Result<Option<String>, Failure> {
        let page = self.0.describe_stack_events().stack_name(stack).send().await;
        let page = page.map_err(|error| Failure::new("DescribeStackEvents", &error))?;
        Ok(page.stack_events().iter().find_map(|event| event.client_request_token()).map(str::to_owned))
    }

    /// The failures of making or executing a change set, by its ARN, in the order in which they happened.
    pub async fn failures_of_change_set(&self, stack: &str, change_set: &str) -> Result<Vec<FailedEvent>, Failure> {
        self.failures(stack, Some(change_set), None).await
    }

    /// The failures of an operation, by its id, in the order in which they happened.
    pub async fn failures_of_operation(&self, stack: &str, operation: &str) -> Result<Vec<FailedEvent>, Failure> {
        self.failures(stack, None, Some(operation)).await
    }

    async fn failures(
        &self,
        stack: &str,
        change_set: Option<&str>,
        operation: Option<&str>,
    ) -> Result<Vec<FailedEvent>, Failure> {
        let mut found: Vec<(Option<sdk::primitives::DateTime>, FailedEvent)> = Vec::new();
        let mut token = None;
        loop {
            let request = self.0.describe_events().stack_name(stack).set_change_set_name(change_set.map(str::to_owned));
            let request = request.set_operation_id(operation.map(str::to_owned)).set_next_token(token);
            let page = request.filters(EventFilter::builder().failed_events(true).build()).send().await;
            let page = page.map_err(|error| Failure::new("DescribeEvents", &error))?;
            found.extend(page.operation_events().iter().map(|event| (event.timestamp, failed(event))));
            match page.next_token {
                Some(next) if !next.is_empty() => token = Some(next),
                _ => break,
            }
        }
        // The newest comes first, and events of one instant keep that order.
        found.reverse();
        found.sort_by_key(|(time, _)| *time);
        Ok(found.into_iter().map(|(_, event)| event).collect())
    }
}

fn event(event: &sdk::types::StackEvent) -> Event {
    let owned = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    Event {
        id: text(event.event_id()),
        logical_id: text(event.logical_resource_id()),
        physical_id: text(event.physical_resource_id()),
        resource_type: text(event.resource_type()),
        status: event.resource_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        reason: owned(event.resource_status_reason()),
        time: event.timestamp().and_then(time).unwrap_or_default(),
        token: owned(event.client_request_token()),
        operation: owned(event.operation_id()),
        hook: event.hook_type().map(|name| Hook {
            name: name.to_owned(),
            status: event.hook_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
            reason: owned(event.hook_status_reason()),
        }),
    }
}

fn failed(event: &sdk::types::OperationEvent) -> FailedEvent {
    let reasons = [event.validation_status_reason(), event.hook_status_reason(), event.resource_status_reason()];
    let modes = [event.validation_failure_mode(), event.hook_failure_mode()];
    FailedEvent {
        kind: event.event_type().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        logical_id: text(event.logical_resource_id()),
        resource_type: text(event.resource_type()),
        source: text(event.validation_name().or(event.hook_type())),
        reason: reasons.into_iter().flatten().find(|reason| !reason.is_empty()).map(str::to_owned),
        path: event.validation_path().filter(|path| !path.is_empty()).map(str::to_owned),
        warning: modes.into_iter().flatten().any(|mode| mode.as_str() == "WARN"),
    }
}
