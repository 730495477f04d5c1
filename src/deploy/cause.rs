//! Why an operation failed: the first failure that is not the consequence of another.

use super::{Session, fixes};
use crate::aws::cloudformation::{Event, FailedEvent};
use crate::error::Error;
use crate::plan::deployed::Stack;
use crate::render::RenderedStack;
use crate::yaml::Span;

/// How many failures are reported after the first.
const OTHERS: usize = 5;

/// The failures of resources, in the order in which they happened. What CloudFormation cancelled because of another
/// failure is not one.
fn failures(events: &[Event]) -> impl Iterator<Item = &Event> {
    events.iter().filter(|event| {
        event.status.ends_with("_FAILED")
            && !event.of_stack()
            && !event.reason.as_deref().unwrap_or_default().to_lowercase().contains("cancelled")
    })
}

/// The root cause in one line.
pub(super) fn root(events: &[Event]) -> Option<String> {
    let first = failures(events).next()?;
    Some(format!("`{}` ({}) failed: {}", first.logical_id, first.resource_type, reason(events, first)))
}

/// Why a resource failed. Where a hook was against it, the hook says more.
fn reason(events: &[Event], failed: &Event) -> String {
    let reported = failed.reason.as_deref().unwrap_or("CloudFormation gave no reason");
    let hook = events.iter().filter(|event| event.logical_id == failed.logical_id).find_map(|event| {
        let hook = event.hook.as_ref()?;
        Some((hook, hook.reason.as_deref()?))
            .filter(|_| hook.status.ends_with("FAILED") && reported.contains(&hook.name))
    });
    let text = match hook {
        Some((hook, reason)) => format!("the hook {} refuses it: {reason}", hook.name),
        None => reported.to_owned(),
    };
    text.trim().trim_end_matches('.').to_owned()
}

/// The error of a stack that did not become what was asked for.
pub(super) fn error(desired: &RenderedStack, stack: &Stack, events: &[Event]) -> Error {
    let name = &desired.stack_name;
    let verb = verb(stack);
    let state = format!("`{name}` is now in {}", stack.status);
    let mut failures = failures(events);
    let Some(first) = failures.next() else {
        let reason = stack.status_reason.as_deref().unwrap_or("CloudFormation gave no reason");
        return Error::new(format!("`{name}` was not {verb}: {reason}")).note(state);
    };
    let reason = reason(events, first);
    let message = format!("`{name}` was not {verb}: `{}` ({}) failed: {reason}", first.logical_id, first.resource_type);
    let mut error = Error::new(message);
    if let Some(resource) = desired.template.resource(&first.logical_id) {
        error = error.at(&resource.span, "this resource");
    }
    for other in failures.filter(|other| other.logical_id != first.logical_id).take(OTHERS) {
        error = error.note(format!(
            "`{}` failed after it: {}",
            other.logical_id,
            other.reason.as_deref().unwrap_or("no reason given")
        ));
    }
    error = error.note(state);
    error.hint(
        fixes::of(&reason, &first.resource_type)
            .unwrap_or("fix the cause, then run `pipectl deploy` again: it resumes where it stopped"),
    )
}

fn verb(stack: &Stack) -> &'static str {
    match stack.status.as_str() {
        status if status.starts_with("UPDATE") => "updated",
        status if status.starts_with("DELETE") => "deleted",
        _ => "created",
    }
}

impl Session {
    /// The error of an operation that failed. Where its events name no resource, `DescribeEvents` is asked.
    pub(super) async fn cause(&self, desired: &RenderedStack, stack: &Stack, events: &[Event]) -> Error {
        if failures(events).next().is_none()
            && let Some(operation) = events.iter().rev().find_map(|event| event.operation.as_deref())
            && let Ok(failed) = self.target.aws.cloudformation.failures_of_operation(&stack.id, operation).await
            && let failed = self.reporter.redactor.failures(&desired.name, failed)
            && let Some(error) =
                failure_error(desired, &format!("`{}` was not {}", desired.stack_name, verb(stack)), &failed)
        {
            return error.note(format!("`{}` is now in {}", desired.stack_name, stack.status));
        }
        let error = error(desired, stack, events);
        if stack.status.as_str() != "UPDATE_ROLLBACK_FAILED" {
            return error;
        }
        let command = format!("pipectl deploy --env {} --continue-rollback", self.target.environment);
        error.hint(format!(
            "the rollback failed too: fix its cause, then run `{command}`: it continues the rollback and deploys"
        ))
    }

    /// The error of a change set that cannot be made. The result of a hook or an early validation is returned by
    /// `DescribeEvents` alone: the reason of the change set only points there.
    pub(super) async fn refusal(&self, desired: &RenderedStack, change_set: &str, reason: &str) -> Error {
        let what = format!("CloudFormation cannot change `{}`", desired.stack_name);
        let plain = || {
            Error::new(format!("{what}: {reason}"))
                .hint("fix the template or the parameter that the error names, then run the command again")
        };
        if !["DescribeEvents", "hook", "alidation failed"].iter().any(|word| reason.contains(word)) {
            return plain();
        }
        match self.target.aws.cloudformation.failures_of_change_set(&desired.stack_name, change_set).await {
            Ok(failed) => {
                let failed = self.reporter.redactor.failures(&desired.name, failed);
                failure_error(desired, &what, &failed).unwrap_or_else(plain)
            }
            Err(failure) => plain().note(format!("the cause is unknown: {failure}")),
        }
    }
}

/// The error that names all these failures, the first one with its place in the template.
fn failure_error(desired: &RenderedStack, what: &str, failed: &[FailedEvent]) -> Option<Error> {
    // What only warns did not stop it.
    let mut failed = failed.iter().filter(|event| !event.warning && event.reason.is_some());
    let first = failed.next()?;
    let mut error = Error::new(format!("{what}: {}", sentence(first)));
    if let Some((span, label)) = location(desired, first) {
        error = error.at(&span, label);
    }
    for other in failed.take(OTHERS) {
        let text = sentence(other);
        error = error.note(match location(desired, other) {
            Some((span, _)) => format!("{text} ({}:{}:{})", span.file(), span.line(), span.column()),
            None => text,
        });
    }
    let fix = fixes::of(first.reason.as_deref().unwrap_or_default(), &first.resource_type);
    Some(
        error.hint(fix.unwrap_or("fix the template or the parameter that the error names, then run the command again")),
    )
}

fn sentence(event: &FailedEvent) -> String {
    let reason = event.reason.as_deref().unwrap_or_default().trim().trim_end_matches('.');
    let subject = match (event.logical_id.as_str(), event.resource_type.as_str()) {
        ("", _) => String::new(),
        (id, "") => format!("`{id}`: "),
        (id, of) => format!("`{id}` ({of}): "),
    };
    match event.source.as_str() {
        "" => format!("{subject}{reason}"),
        source => format!("{subject}{reason} ({source})"),
    }
}

/// Where in the template a failure is: the property, or else the resource.
fn location(desired: &RenderedStack, event: &FailedEvent) -> Option<(Span, &'static str)> {
    let path = event.path.as_deref().unwrap_or_default().trim_start_matches('/');
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    // The path begins at the template or, without the resource, at its properties.
    let (id, steps) = match steps.as_slice() {
        ["Resources", id, rest @ ..] => (*id, rest),
        rest => (event.logical_id.as_str(), rest),
    };
    let resource = desired.template.resource(id)?;
    let steps = steps.strip_prefix(&["Properties"]).unwrap_or(steps);
    let mut location = None;
    let mut at = &resource.properties;
    for step in steps {
        let next = match step.parse::<usize>() {
            Ok(index) => at.items().get(index),
            Err(_) => at.get(step),
        };
        let Some(next) = next else { break };
        location = Some((next.span.clone(), "here"));
        at = next;
    }
    location.or_else(|| Some((resource.span.clone(), "this resource")))
}
