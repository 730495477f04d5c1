//! Resources that outlived their stack, and the stack that takes them over.
//!
//! The rules are those of `ImportExistingResources`: the template names the resource by a literal text in the property
//! that identifies its type, a deletion policy keeps it, and no stack owns it. Types whose identifier the service makes
//! up, such as secrets with their ARN, cannot be taken over.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::difference::differences;
use super::steps::all_resources;
use crate::account::local_account::Account;
use crate::account::state::{StackResource, Stacks};
use crate::resource::{self, Refusal, ResourceAddress, identify, is_same, text};
use crate::template::Resource;
use crate::template::schema::{self, Recreation};

const BUCKET: &str = "AWS::S3::Bucket";

/// The property that names a resource of a type, if a template may set it.
fn naming_property(resource_type: &str) -> Option<&'static str> {
    let schema = schema::of(resource_type)?;
    match schema.identifier.as_slice() {
        [name] if !schema.is_read_only(name) => Some(name),
        _ => None,
    }
}

/// The resource without a stack that this resource of a template would take over.
pub(super) fn orphan(account: &Account, stacks: &Stacks, stack: &str, resource: &Resource) -> Option<StackResource> {
    if !matches!(resource.deletion_policy(), "Retain" | "RetainExceptOnCreate") {
        return None;
    }
    let property = naming_property(&resource.resource_type)?;
    let name = resource.property(property)?.as_str()?;
    let bucket = resource.resource_type == BUCKET;
    // A bucket can also be deleted, or made, without CloudFormation.
    if bucket && !account.store.has_bucket(name) {
        return None;
    }
    let named = |known: &&StackResource| {
        known.resource_type == resource.resource_type && text(&known.properties, property) == Some(name)
    };
    let found = stacks.retained.iter().find(named).cloned().or_else(|| {
        bucket.then(|| {
            let properties = json!({ property: name });
            let id = &resource.logical_id;
            let address = ResourceAddress { account: &account.id, region: &account.region, stack, logical_id: id };
            let identity = identify(address, BUCKET, &properties);
            let mut made = super::steps::uncreated(resource, &properties);
            made.physical_id = identity.physical_id;
            made.attributes = identity.attributes;
            made
        })
    })?;
    (!all_resources(stacks).into_iter().any(|owned| is_same(owned, &found))).then_some(found)
}

/// Whether something that is kept without a stack has the name of a new resource.
pub(super) fn in_the_way(stacks: &Stacks, made: &StackResource) -> bool {
    // Of buckets the store itself knows best.
    made.resource_type != BUCKET
        && naming_property(&made.resource_type).is_some()
        && stacks.retained.iter().any(|known| is_same(known, made))
}

/// Gives an orphan to a stack: its properties become those of the template.
pub(super) fn adopt(
    account: &Account,
    stacks: &mut Stacks,
    stack_name: &str,
    orphan: &StackResource,
    made: &mut StackResource,
) -> Result<(), Refusal> {
    let schema = schema::of(&made.resource_type);
    let fixed = differences(&orphan.properties, &made.properties).into_iter().find(|difference| {
        difference.before.is_some()
            && schema.is_some_and(|schema| schema.recreation(&difference.path) == Recreation::Always)
    });
    if let Some(difference) = fixed {
        return Err(Refusal(format!(
            "{} exists already with another {}, which cannot be changed",
            orphan.physical_id, difference.path
        )));
    }
    made.physical_id.clone_from(&orphan.physical_id);
    let address = ResourceAddress {
        account: &account.id,
        region: &account.region,
        stack: stack_name,
        logical_id: &made.logical_id,
    };
    made.attributes = resource::refreshed(address, orphan, &made.properties);
    resource::update(&account.store, &account.secrets, orphan, &made.properties)?;
    if let Some(operation) = stacks.find_mut(stack_name).and_then(|stack| stack.operation.as_mut()) {
        operation.imported.push(StackResource { logical_id: made.logical_id.clone(), ..orphan.clone() });
    }
    Ok(())
}

/// After a failure: what was taken over is what it was, and belongs to no stack again.
pub(super) fn give_back(account: &Account, stack_name: &str) {
    let mut stacks = account.stacks();
    let Some(stack) = stacks.find_mut(stack_name) else { return };
    let imported: BTreeMap<String, StackResource> = stack
        .operation
        .as_mut()
        .map(|operation| std::mem::take(&mut operation.imported))
        .unwrap_or_default()
        .into_iter()
        .map(|before| (before.logical_id.clone(), before))
        .collect();
    for (logical_id, before) in &imported {
        if let Some(current) = stack.resource(logical_id) {
            // What was accepted once is accepted again.
            let _ = resource::update(&account.store, &account.secrets, current, &before.properties);
        }
        stack.resource_event(before, "IMPORT_ROLLBACK_COMPLETE", None);
    }
    stack.resources.retain(|known| !imported.contains_key(&known.logical_id));
    for before in imported.into_values() {
        stacks.retain(before);
    }
}

/// The logical ids that a change set takes over.
pub(super) fn imports(changes: &[Value]) -> Vec<String> {
    let changes = changes.iter().map(|change| &change["ResourceChange"]);
    let imported = changes.filter(|change| change["Action"] == "Import");
    imported.filter_map(|change| Some(change["LogicalResourceId"].as_str()?.to_owned())).collect()
}
