//! Why an operation failed: the first failure that is not the consequence of another.

use crate::aws::cloudformation::Event;
use crate::error::Error;
use crate::plan::deployed::Stack;
use crate::render::RenderedStack;

/// The failures of resources, in the order in which they happened. What CloudFormation cancelled because of another
/// failure is not one.
fn failures(events: &[Event]) -> impl Iterator<Item = &Event> {
    events.iter().filter(|event| {
        event.status.ends_with("_FAILED")
            && event.resource_type != "AWS::CloudFormation::Stack"
            && !event.reason.as_deref().unwrap_or_default().to_lowercase().contains("cancelled")
    })
}

/// The error of a stack that did not become what was asked for.
pub(super) fn error(wanted: &RenderedStack, stack: &Stack, events: &[Event]) -> Error {
    let name = &wanted.stack_name;
    let verb = match stack.status.as_str() {
        status if status.starts_with("UPDATE") => "updated",
        status if status.starts_with("DELETE") => "deleted",
        _ => "created",
    };
    let state = format!("`{name}` is now in {}", stack.status);
    let mut failures = failures(events);
    let Some(first) = failures.next() else {
        let reason = stack.status_reason.as_deref().unwrap_or("CloudFormation gave no reason");
        return Error::new(format!("`{name}` was not {verb}: {reason}")).note(state);
    };
    let reason = first.reason.as_deref().unwrap_or("CloudFormation gave no reason");
    let mut error = Error::new(format!(
        "`{name}` was not {verb}: `{}` ({}) failed: {}",
        first.logical_id,
        first.resource_type,
        reason.trim().trim_end_matches('.')
    ));
    if let Some(resource) = wanted.template.resource(&first.logical_id) {
        error = error.at(&resource.span, "this resource");
    }
    for other in failures.filter(|other| other.logical_id != first.logical_id).take(5) {
        error = error.note(format!(
            "`{}` failed after it: {}",
            other.logical_id,
            other.reason.as_deref().unwrap_or("no reason given")
        ));
    }
    error = error.note(state);
    match known_fix(reason, &first.resource_type) {
        Some(hint) => error.hint(hint),
        None => error.hint("mend what this names, then run `pipectl deploy` again: it goes on where it stopped"),
    }
}

/// Fixes of the failures that are met again and again.
fn known_fix(reason: &str, resource_type: &str) -> Option<&'static str> {
    let reason = reason.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    Some(if has(&["already exists", "already owned"]) {
        "something of this name is there already, perhaps kept when an earlier stack was deleted: delete it, or import it into the stack"
    } else if resource_type == "AWS::S3::Bucket" && has(&["not empty"]) {
        "run `pipectl destroy --delete-data` if the objects in it may go"
    } else if has(&["unable to assume", "cannot be assumed", "is not authorized to perform: sts:assumerole"]) {
        "a new role takes some seconds to be known everywhere: run `pipectl deploy` again"
    } else if has(&["access denied", "accessdenied", "not authorized to perform", "is not authorized"]) {
        "the execution role lacks this right: run `pipectl bootstrap` again as an administrator, it brings the role up to date"
    } else if has(&["limit exceeded", "quota", "limitexceeded"]) {
        "ask for a larger quota in the Service Quotas console, then run `pipectl deploy` again"
    } else if has(&["subnet", "availability zone"]) && resource_type.starts_with("AWS::RedshiftServerless") {
        "Redshift Serverless wants three subnets in three availability zones, each with enough free addresses"
    } else {
        return None;
    })
}
