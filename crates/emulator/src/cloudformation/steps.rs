//! One resource at a time: made, changed, replaced, removed, each with its events.

use serde_json::Value;

use super::{adoption, difference::differences, policy};
use crate::account::clock;
use crate::account::local_account::{Account, exists};
use crate::account::state::{Stack, StackResource, Stacks};
use crate::resource::{self, Refusal, ResourceAddress, World};
use crate::template::schema::{self, Recreation};
use crate::template::{Evaluated, Resource};

/// Why an operation failed, and at which resource.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) logical_id: Option<String>,
    pub(super) verb: &'static str,
    pub(super) reason: String,
}

impl Failure {
    pub(super) fn of_stack(reason: &str) -> Self {
        Self { logical_id: None, verb: "create", reason: reason.to_owned() }
    }
}

/// What becomes of a resource that leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    Delete,
    Keep,
}

impl Leaving {
    pub(super) fn by_policy(policy: &str, rolling_back_creation: bool) -> Self {
        match policy {
            "Retain" | "Snapshot" => Self::Keep,
            "RetainExceptOnCreate" if !rolling_back_creation => Self::Keep,
            _ => Self::Delete,
        }
    }
}

/// Writes the state of a stack. That the disk is full must not stop a rollback: the stack in memory stays right, and
/// the next write tries again.
pub(super) fn save(stacks: &Stacks, stack_name: &str) {
    let _ = stacks.save(stack_name);
}

/// Brings one resource to what the template says, whatever it is now.
pub(super) async fn apply(
    account: &Account,
    stack_name: &str,
    resource: &Resource,
    properties: &Evaluated,
) -> Result<(), Failure> {
    let mut waits_for = None;
    let properties = properties.to_json(&mut |name| {
        waits_for.get_or_insert(name.to_owned());
        Value::Null
    });
    let deployed = {
        let stacks = account.stacks();
        stacks
            .find(stack_name)
            .and_then(|stack| stack.resource(&resource.logical_id))
            .filter(|one| exists(one))
            .cloned()
    };
    let failure = |verb: &'static str, Refusal(reason): Refusal| Failure {
        logical_id: Some(resource.logical_id.clone()),
        verb,
        reason,
    };
    if let Some(waits_for) = waits_for {
        let verb = if deployed.is_some() { "update" } else { "create" };
        let refusal = Refusal(format!("Unable to retrieve {waits_for} attribute, it does not exist"));
        fail(account, stack_name, resource, deployed.as_ref(), &properties, verb, &refusal.0);
        return Err(failure(verb, refusal));
    }
    match deployed {
        None => {
            let made = create(account, stack_name, resource, &properties, None).await;
            made.map_err(|refusal| failure("create", refusal))
        }
        Some(deployed) => {
            let found = differences(&deployed.properties, &properties);
            let schema = schema::of(&resource.resource_type);
            let recreation = |path: &str| schema.map_or(Recreation::Never, |schema| schema.recreation(path));
            let replaces = found.iter().any(|difference| recreation(&difference.path) == Recreation::Always);
            let action = if replaces { "Update:Replace" } else { "Update:Modify" };
            if !found.is_empty()
                && let Some(reason) = refused_by_policy(account, stack_name, action, &deployed)
            {
                fail(account, stack_name, resource, Some(&deployed), &properties, "update", &reason);
                return Err(failure("update", Refusal(reason)));
            }
            let changed = if found.is_empty() {
                keep(account, stack_name, resource);
                Ok(())
            } else if replaces {
                create(account, stack_name, resource, &properties, Some(&deployed)).await
            } else {
                update(account, stack_name, resource, &deployed, &properties).await
            };
            changed.map_err(|refusal| failure("update", refusal))
        }
    }
}

fn refused_by_policy(account: &Account, stack_name: &str, action: &str, resource: &StackResource) -> Option<String> {
    policy::refusal(account.stacks().find(stack_name)?, action, resource)
}

/// Fails if the stack policy refuses the removal of something that is no longer in the template.
pub(super) fn check_removals(account: &Account, stack_name: &str, included: &[String]) -> Result<(), Failure> {
    let mut stacks = account.stacks();
    let Some(stack) = stacks.find_mut(stack_name) else { return Ok(()) };
    let gone: Vec<StackResource> =
        stack.resources.iter().filter(|one| exists(one) && !included.contains(&one.logical_id)).cloned().collect();
    for resource in gone {
        if let Some(reason) = policy::refusal(stack, "Update:Delete", &resource) {
            stack.resource_event(&resource, "UPDATE_FAILED", Some(&reason));
            return Err(Failure { logical_id: Some(resource.logical_id), verb: "update", reason });
        }
    }
    Ok(())
}

/// Takes over what stands beside the properties: policies and the place in the template.
fn keep(account: &Account, stack_name: &str, resource: &Resource) {
    let mut stacks = account.stacks();
    if let Some(deployed) = stacks.find_mut(stack_name).and_then(|stack| stack.resource_mut(&resource.logical_id)) {
        resource.deletion_policy().clone_into(&mut deployed.deletion_policy);
        resource.update_replace_policy().clone_into(&mut deployed.update_replace_policy);
        deployed.line = resource.span.line();
    }
}

/// Makes a resource, or a new physical one in place of `old`.
async fn create(
    account: &Account,
    stack_name: &str,
    resource: &Resource,
    properties: &Value,
    old: Option<&StackResource>,
) -> Result<(), Refusal> {
    let orphan = {
        let stacks = account.stacks();
        let operation = stacks.find(stack_name).and_then(|stack| stack.operation.as_ref());
        let planned = operation.is_some_and(|operation| operation.imports.contains(&resource.logical_id));
        if planned { adoption::orphan(account, &stacks, stack_name, resource) } else { None }
    };
    let (verb, in_progress, completed) = match old {
        None if orphan.is_some() => ("import", "IMPORT_IN_PROGRESS", "IMPORT_COMPLETE"),
        None => ("create", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"),
        Some(_) => ("update", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"),
    };
    let mut made = uncreated(resource, properties);
    {
        let mut stacks = account.stacks();
        if let Some(stack) = stacks.find_mut(stack_name) {
            if let Some(old) = old {
                made.physical_id.clone_from(&old.physical_id);
                let reason = "Requested update requires the creation of a new physical resource; hence creating one.";
                stack.resource_event(&made, in_progress, Some(reason));
            } else {
                stack.resource_event(&made, in_progress, None);
                in_progress.clone_into(&mut made.status);
                put(stack, made.clone());
            }
        }
    }
    tokio::time::sleep(account.current_pace()).await;
    match establish(account, stack_name, resource, &mut made, old, orphan.as_ref()) {
        Ok(()) => {
            let mut stacks = account.stacks();
            if let Some(stack) = stacks.find_mut(stack_name) {
                completed.clone_into(&mut made.status);
                made.updated = clock::now();
                stack.resource_event(&made, completed, None);
                put(stack, made);
            }
            save(&stacks, stack_name);
            if let Some(orphan) = &orphan {
                stacks.taken_over(orphan);
            }
            Ok(())
        }
        Err(refusal) => {
            fail(account, stack_name, resource, old, properties, verb, &refusal.0);
            Err(refusal)
        }
    }
}

/// Checks a new resource, gives it its identity and makes it.
fn establish(
    account: &Account,
    stack_name: &str,
    resource: &Resource,
    made: &mut StackResource,
    old: Option<&StackResource>,
    orphan: Option<&StackResource>,
) -> Result<(), Refusal> {
    let mut stacks = account.stacks();
    let existing = all_resources(&stacks);
    let address = ResourceAddress {
        account: &account.id,
        region: &account.region,
        stack: stack_name,
        logical_id: &resource.logical_id,
    };
    let world = World { resources: &existing, store: &account.store };
    resource::check(&world, address, &resource.resource_type, &made.properties)?;
    if let Some(orphan) = orphan {
        return adoption::adopt(account, &mut stacks, stack_name, orphan, made);
    }
    let identity = resource::identify(address, &resource.resource_type, &made.properties);
    made.physical_id = identity.physical_id;
    made.attributes = identity.attributes;
    if old.is_some_and(|old| resource::is_same(old, made)) {
        return Err(Refusal(format!(
            "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {} and update \
             the stack again.",
            made.physical_id
        )));
    }
    // A bucket may be there without a stack: it must not get into the list of what a rollback takes away.
    let strange = resource.resource_type == "AWS::S3::Bucket" && account.store.has_bucket(&made.physical_id);
    let taken = all_resources(&stacks).iter().any(|known| resource::is_same(known, made));
    if strange || taken || adoption::in_the_way(&stacks, made) {
        return Err(resource::already_exists(&made.physical_id));
    }
    if let Some(stack) = stacks.find_mut(stack_name) {
        let in_progress = if old.is_some() { "UPDATE_IN_PROGRESS" } else { "CREATE_IN_PROGRESS" };
        stack.resource_event(made, in_progress, Some("Resource creation Initiated"));
        if let Some(operation) = &mut stack.operation {
            operation.created.push(made.clone());
            operation.cleanup.extend(old.cloned());
        }
        // Written down before it is made: after a crash the next process knows what to take away.
        if resource.resource_type == "AWS::S3::Bucket" {
            save(&stacks, stack_name);
        }
    }
    let outcome = resource::create(
        &account.store,
        &account.secrets,
        &resource.resource_type,
        &made.physical_id,
        &made.properties,
    );
    if outcome.is_err()
        && let Some(operation) = stacks.find_mut(stack_name).and_then(|stack| stack.operation.as_mut())
    {
        operation.created.retain(|known| known.physical_id != made.physical_id);
        operation.cleanup.retain(|known| old.is_none_or(|old| known.physical_id != old.physical_id));
    }
    outcome
}

async fn update(
    account: &Account,
    stack_name: &str,
    resource: &Resource,
    deployed: &StackResource,
    properties: &Value,
) -> Result<(), Refusal> {
    let mut changed = StackResource { properties: properties.clone(), ..deployed.clone() };
    {
        let mut stacks = account.stacks();
        if let Some(stack) = stacks.find_mut(stack_name) {
            stack.resource_event(&changed, "UPDATE_IN_PROGRESS", None);
        }
    }
    tokio::time::sleep(account.current_pace()).await;
    let outcome = {
        let stacks = account.stacks();
        let existing = all_resources(&stacks);
        let address = ResourceAddress {
            account: &account.id,
            region: &account.region,
            stack: stack_name,
            logical_id: &resource.logical_id,
        };
        let world = World { resources: &existing, store: &account.store };
        resource::check(&world, address, &resource.resource_type, properties)
            .and_then(|()| account.replications.check_at_rest(deployed, &existing))
            .and_then(|()| resource::update(&account.store, &account.secrets, deployed, properties))
    };
    if let Err(refusal) = outcome {
        fail(account, stack_name, resource, Some(deployed), properties, "update", &refusal.0);
        return Err(refusal);
    }
    // What the service made stays; what mirrors a property follows it.
    let address = ResourceAddress {
        account: &account.id,
        region: &account.region,
        stack: stack_name,
        logical_id: &resource.logical_id,
    };
    changed.attributes = resource::refreshed(address, deployed, properties);
    "UPDATE_COMPLETE".clone_into(&mut changed.status);
    changed.status_reason = None;
    changed.updated = clock::now();
    resource.deletion_policy().clone_into(&mut changed.deletion_policy);
    resource.update_replace_policy().clone_into(&mut changed.update_replace_policy);
    changed.line = resource.span.line();
    let mut stacks = account.stacks();
    if let Some(stack) = stacks.find_mut(stack_name) {
        stack.resource_event(&changed, "UPDATE_COMPLETE", None);
        put(stack, changed);
    }
    save(&stacks, stack_name);
    Ok(())
}

/// Removes a physical resource of a stack, or leaves it behind, with the events of either.
pub(super) fn remove(
    account: &Account,
    stack_name: &str,
    resource: &StackResource,
    leaving: Leaving,
) -> Result<(), Refusal> {
    if leaving == Leaving::Keep {
        account.stacks().retain(resource.clone());
        conclude(account, stack_name, resource, "DELETE_SKIPPED", None);
        return Ok(());
    }
    {
        let mut stacks = account.stacks();
        if let Some(stack) = stacks.find_mut(stack_name) {
            stack.resource_event(resource, "DELETE_IN_PROGRESS", None);
        }
    }
    let at_rest = {
        let stacks = account.stacks();
        account.replications.check_at_rest(resource, &all_resources(&stacks))
    };
    match at_rest.and_then(|()| resource::delete(&account.store, &account.secrets, resource)) {
        Ok(()) => {
            account.replications.forget(&resource.physical_id);
            if resource.resource_type == "AWS::Glue::Database" {
                account.catalog.forget(&resource.physical_id);
            }
            conclude(account, stack_name, resource, "DELETE_COMPLETE", None);
            Ok(())
        }
        Err(refusal) => {
            conclude(account, stack_name, resource, "DELETE_FAILED", Some(&refusal.0));
            Err(refusal)
        }
    }
}

/// What the policies say about an old resource once an update is through.
pub(super) fn policy_in_cleanup(account: &Account, stack_name: &str, old: &StackResource) -> Leaving {
    let stacks = account.stacks();
    let replaced = stacks.find(stack_name).is_some_and(|stack| stack.resource(&old.logical_id).is_some());
    // A replaced resource goes by the policy of the new template, a removed one by its last.
    let policy = if replaced {
        stacks
            .find(stack_name)
            .and_then(|stack| stack.resource(&old.logical_id))
            .map_or(old.update_replace_policy.clone(), |new| new.update_replace_policy.clone())
    } else {
        old.deletion_policy.clone()
    };
    Leaving::by_policy(&policy, false)
}

fn conclude(account: &Account, stack_name: &str, resource: &StackResource, status: &str, reason: Option<&str>) {
    let mut stacks = account.stacks();
    if let Some(stack) = stacks.find_mut(stack_name) {
        stack.resource_event(resource, status, reason);
        if let Some(known) = stack
            .resources
            .iter_mut()
            .find(|known| known.physical_id == resource.physical_id && known.logical_id == resource.logical_id)
        {
            status.clone_into(&mut known.status);
            known.status_reason = reason.map(str::to_owned);
            known.updated = clock::now();
        }
    }
    save(&stacks, stack_name);
}

fn fail(
    account: &Account,
    stack_name: &str,
    resource: &Resource,
    deployed: Option<&StackResource>,
    properties: &Value,
    verb: &str,
    reason: &str,
) {
    let status = if matches!(verb, "create" | "import") { "CREATE_FAILED" } else { "UPDATE_FAILED" };
    let mut failed = deployed.cloned().unwrap_or_else(|| uncreated(resource, properties));
    let before = failed.properties.clone();
    failed.properties = properties.clone();
    let mut stacks = account.stacks();
    if let Some(stack) = stacks.find_mut(stack_name) {
        stack.resource_event(&failed, status, Some(reason));
        failed.properties = before;
        status.clone_into(&mut failed.status);
        failed.status_reason = Some(reason.to_owned());
        put(stack, failed);
    }
    save(&stacks, stack_name);
}

fn put(stack: &mut Stack, resource: StackResource) {
    match stack.resource_mut(&resource.logical_id) {
        Some(known) => *known = resource,
        None => stack.resources.push(resource),
    }
}

pub(super) fn uncreated(resource: &Resource, properties: &Value) -> StackResource {
    StackResource {
        logical_id: resource.logical_id.clone(),
        resource_type: resource.resource_type.clone(),
        physical_id: String::new(),
        status: String::new(),
        status_reason: None,
        updated: clock::now(),
        properties: properties.clone(),
        attributes: std::collections::BTreeMap::new(),
        deletion_policy: resource.deletion_policy().to_owned(),
        update_replace_policy: resource.update_replace_policy().to_owned(),
        line: resource.span.line(),
    }
}

/// Every resource of every stack that is there now, old ones that wait for their removal included.
pub(super) fn all_resources(stacks: &Stacks) -> Vec<&StackResource> {
    let waiting = stacks.live.values().filter_map(|stack| stack.operation.as_ref()).flat_map(|one| &one.cleanup);
    stacks.live.values().flat_map(|stack| &stack.resources).chain(waiting).filter(|one| exists(one)).collect()
}
