//! CloudFormation: change sets, stacks and their events.

mod adoption;
mod change_set;
mod changes;
mod delete;
mod describe;
mod detail;
mod difference;
mod drift;
mod evaluation;
mod execute;
mod intervene;
mod operation_events;
mod policy;
mod recover;
mod rollback;
mod steps;
mod template_source;

use std::sync::Arc;

use serde_json::{Value, json};

pub(super) use recover::recover;

use crate::account::local_account::Account;
use crate::account::query::{Fault, Query};
use crate::account::state::Stack;

pub(super) const NAMESPACE: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

/// The text in a change set for a value that is known only after the deployment.
pub(crate) const KNOWN_AFTER_APPLY: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// How many entries a page of an answer has.
const PAGE: usize = 100;

/// Answers an action of CloudFormation.
pub(super) fn answer(account: &Arc<Account>, action: &str, query: &Query) -> Result<Value, Fault> {
    match action {
        "CreateChangeSet" => change_set::create(account, query),
        "DescribeChangeSet" => change_set::describe(account, query),
        "ListChangeSets" => change_set::list(account, query),
        "DeleteChangeSet" => change_set::delete(account, query),
        "ExecuteChangeSet" => execute::start(account, query),
        "DeleteStack" => delete::start(account, query),
        "DescribeStacks" => describe::stacks(account, query),
        "ListStacks" => Ok(describe::list_stacks(account, query)),
        "DescribeStackEvents" => describe::events(account, query),
        "DescribeEvents" => operation_events::describe(account, query),
        "DescribeStackResources" => describe::resources(account, query),
        "DescribeStackResource" => describe::resource(account, query),
        "ListStackResources" => describe::list_resources(account, query),
        "ListExports" => Ok(describe::exports(account)),
        "ListImports" => describe::imports(account, query),
        "GetTemplate" => template_source::get(account, query),
        "GetTemplateSummary" => template_source::summary(account, query),
        "ValidateTemplate" => template_source::validate(account, query),
        "CancelUpdateStack" => intervene::cancel(account, query),
        "ContinueUpdateRollback" => intervene::continue_rollback(account, query),
        "GetStackPolicy" => policy::get(account, query),
        "SetStackPolicy" => policy::set(account, query),
        "DetectStackDrift" => drift::detect(account, query),
        "DescribeStackDriftDetectionStatus" => drift::detection(account, query),
        "DescribeStackResourceDrifts" => drift::resource_drifts(account, query),
        "UpdateTerminationProtection" => protect(account, query),
        _ => Err(Fault::new("InvalidAction", format!("the local account has no action {action} of CloudFormation"))),
    }
}

fn protect(account: &Account, query: &Query) -> Result<Value, Fault> {
    let name = query.required("StackName")?;
    let protected = query.flag("EnableTerminationProtection");
    let mut stacks = account.stacks();
    let stack = stacks.find_mut(name).ok_or_else(|| no_stack(name))?;
    stack.termination_protection = protected;
    let (id, name) = (stack.id.clone(), stack.name.clone());
    stacks.save(&name).map_err(|error| unsaved(&error))?;
    Ok(json!({"StackId": id}))
}

fn no_stack(name: &str) -> Fault {
    Fault::validation(format!("Stack with id {name} does not exist"))
}

/// The answer of those actions that say it in the other way.
fn no_such_stack(name: &str) -> Fault {
    Fault::validation(format!("Stack [{name}] does not exist"))
}

fn not_updatable(stack: &Stack) -> Fault {
    Fault::validation(format!("Stack:{} is in {} state and can not be updated.", stack.id, stack.status))
}

fn unsaved(error: &std::io::Error) -> Fault {
    Fault::internal(format!("the local account cannot write its state: {error}"))
}

/// One page of a list, and the token of the next.
fn page(items: Vec<Value>, query: &Query, size: usize) -> (Vec<Value>, Option<String>) {
    let start = query.get("NextToken").and_then(|token| token.parse::<usize>().ok()).unwrap_or(0);
    let next = (items.len() > start + size).then(|| (start + size).to_string());
    (items.into_iter().skip(start).take(size).collect(), next)
}
