//! When AWS would refuse a resource: the schema's rules, and what must exist before.

use serde_json::Value;

use super::{Refusal, ResourceAddress, property, text};
use crate::account::state::StackResource;
use crate::s3::Store;
use crate::service_rules::{self, Declared};
use crate::template::{schema, shape};

/// What a check can look at.
pub(crate) struct World<'a> {
    /// Every resource of the account that exists now.
    pub(crate) resources: &'a [&'a StackResource],
    pub(crate) store: &'a Store,
}

impl World<'_> {
    fn find(&self, resource_type: &str, id: &str) -> Option<&StackResource> {
        self.resources.iter().copied().find(|resource| {
            resource.resource_type == resource_type
                && (resource.physical_id == id
                    || resource.attributes.get("Arn").and_then(Value::as_str) == Some(id)
                    || resource.attributes.values().any(|value| value.as_str() == Some(id)))
        })
    }
}

/// Checks the properties of a resource as AWS does when it makes or changes it.
pub(crate) fn check(
    world: &World<'_>,
    address: ResourceAddress<'_>,
    resource_type: &str,
    properties: &Value,
) -> Result<(), Refusal> {
    check_schema(resource_type, properties)?;
    check_dependencies(world, address, resource_type, properties)?;
    check_rules(world, address, resource_type, properties)
}

/// The rules of the services, which `pipectl check` applies to templates.
fn check_rules(
    world: &World<'_>,
    address: ResourceAddress<'_>,
    resource_type: &str,
    properties: &Value,
) -> Result<(), Refusal> {
    let resources = world.resources.iter().map(|one| Declared {
        stack: "",
        logical_id: &one.logical_id,
        resource_type: &one.resource_type,
        physical_id: one.physical_id.clone(),
        arn: one.attributes.get("Arn").and_then(Value::as_str).map(str::to_owned),
        properties: &one.properties,
    });
    let known = service_rules::World {
        account: address.account,
        region: address.region,
        resources: resources.collect(),
        is_complete: false,
    };
    let resource = Declared {
        stack: "",
        logical_id: address.logical_id,
        resource_type,
        physical_id: String::new(),
        arn: None,
        properties,
    };
    match service_rules::findings(&resource, &known).into_iter().next() {
        Some(finding) => {
            let said = if finding.answer.is_empty() { finding.message } else { finding.answer };
            Err(Refusal::by_handler(&said, "InvalidRequest"))
        }
        None => Ok(()),
    }
}

/// What must exist before a resource, in the words of its service.
fn check_dependencies(
    world: &World<'_>,
    address: ResourceAddress<'_>,
    resource_type: &str,
    properties: &Value,
) -> Result<(), Refusal> {
    match resource_type {
        "AWS::Lambda::Function" => check_function(world, properties),
        "AWS::IAM::RolePolicy" => exists(world, "AWS::IAM::Role", text(properties, "RoleName"), |name| {
            Refusal::by_handler(&format!("The role with name {name} cannot be found."), "NotFound")
        }),
        "AWS::S3::BucketPolicy" => {
            let bucket = text(properties, "Bucket").unwrap_or_default();
            if world.store.has_bucket(bucket) {
                Ok(())
            } else {
                Err(Refusal::by_handler("The specified bucket does not exist", "NotFound"))
            }
        }
        "AWS::S3::Bucket" => check_replication(world, properties),
        "AWS::CloudTrail::Trail" => {
            let bucket = text(properties, "S3BucketName").unwrap_or_default();
            if world.store.has_bucket(bucket) {
                Ok(())
            } else {
                Err(Refusal::by_handler(&format!("S3 bucket {bucket} does not exist!"), "InvalidRequest"))
            }
        }
        "AWS::Glue::Trigger" => exists(world, "AWS::Glue::Workflow", text(properties, "WorkflowName"), |name| {
            Refusal::by_handler(&format!("Workflow {name} not found"), "NotFound")
        }),
        "AWS::Lambda::Permission" | "AWS::Lambda::EventInvokeConfig" | "AWS::Lambda::EventSourceMapping" => {
            exists(world, "AWS::Lambda::Function", text(properties, "FunctionName"), |name| {
                Refusal::by_handler(
                    &format!(
                        "Function not found: arn:aws:lambda:{}:{}:function:{name}",
                        address.region, address.account
                    ),
                    "NotFound",
                )
            })
        }
        "AWS::RedshiftServerless::Workgroup" => {
            exists(world, "AWS::RedshiftServerless::Namespace", text(properties, "NamespaceName"), |name| {
                Refusal::by_handler(&format!("Namespace with name {name} does not exist"), "NotFound")
            })
        }
        "AWS::Logs::MetricFilter" | "AWS::Logs::SubscriptionFilter" => {
            exists(world, "AWS::Logs::LogGroup", text(properties, "LogGroupName"), |_| {
                Refusal::by_handler("The specified log group does not exist.", "NotFound")
            })
        }
        _ => Ok(()),
    }
}

fn exists(
    world: &World<'_>,
    resource_type: &str,
    id: Option<&str>,
    refusal: impl Fn(&str) -> Refusal,
) -> Result<(), Refusal> {
    match id {
        // Names of things that AWS itself owns, such as the groups of Glue's jobs, are not in any template.
        Some(id) if !id.starts_with("/aws") && world.find(resource_type, id).is_none() => Err(refusal(id)),
        _ => Ok(()),
    }
}

fn check_schema(resource_type: &str, properties: &Value) -> Result<(), Refusal> {
    let Some(schema) = schema::of(resource_type) else { return Ok(()) };
    let Value::Object(entries) = properties else {
        return Err(Refusal("Properties validation failed: the properties are no object".to_owned()));
    };
    if let Some(name) = entries.keys().find(|name| !schema.properties.contains_key(*name) || schema.is_read_only(name))
    {
        return Err(Refusal(format!("Encountered unsupported property {name}")));
    }
    if let Some(name) = schema.required.iter().find(|name| !entries.contains_key(*name)) {
        return Err(Refusal(format!(
            "Properties validation failed for resource with message:\n#: required key [{name}] not found"
        )));
    }
    match shape::mismatches(resource_type, properties).first() {
        Some(mismatch) => {
            Err(Refusal(format!("Properties validation failed for resource with message:\n{}", mismatch.wording)))
        }
        None => Ok(()),
    }
}

fn check_function(world: &World<'_>, properties: &Value) -> Result<(), Refusal> {
    let role = text(properties, "Role").unwrap_or_default();
    let trusted = world
        .find("AWS::IAM::Role", role)
        .is_some_and(|role| role.properties["AssumeRolePolicyDocument"].to_string().contains("lambda.amazonaws.com"));
    if !trusted {
        return Err(Refusal::by_handler(
            "The role defined for the function cannot be assumed by Lambda.",
            "InvalidRequest",
        ));
    }
    if let (Some(bucket), Some(key)) = (text(properties, "Code/S3Bucket"), text(properties, "Code/S3Key")) {
        let missing = if !world.store.has_bucket(bucket) {
            Some(("NoSuchBucket", "The specified bucket does not exist"))
        } else if !world.store.has_object(bucket, key) {
            Some(("NoSuchKey", "The specified key does not exist."))
        } else {
            None
        };
        if let Some((code, message)) = missing {
            return Err(Refusal::by_handler(
                &format!("Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"),
                "InvalidRequest",
            ));
        }
    }
    Ok(())
}

fn check_replication(world: &World<'_>, properties: &Value) -> Result<(), Refusal> {
    let rules = property(properties, "ReplicationConfiguration/Rules").and_then(Value::as_array);
    let Some(rules) = rules else { return Ok(()) };
    if text(properties, "VersioningConfiguration/Status") != Some("Enabled") {
        return Err(Refusal::by_handler(
            "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
            "InvalidRequest",
        ));
    }
    for rule in rules {
        let target = text(rule, "Destination/Bucket").unwrap_or_default();
        let target = target.rsplit(':').next().unwrap_or_default();
        let Some(bucket) = world.find("AWS::S3::Bucket", target) else {
            return Err(Refusal::by_handler("Destination bucket must exist.", "InvalidRequest"));
        };
        if text(&bucket.properties, "VersioningConfiguration/Status") != Some("Enabled") {
            return Err(Refusal::by_handler("Destination bucket must have versioning enabled.", "InvalidRequest"));
        }
    }
    Ok(())
}
