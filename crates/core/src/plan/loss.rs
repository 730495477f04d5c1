//! What a plan would destroy that no deploy can bring back.

use schemars::JsonSchema;
use serde::Serialize;

use super::resource::{Action, ResourcePlan};
use crate::resource_types;

/// The policies that keep the resource, or a snapshot of it.
const KEEPING: [&str; 6] = [
    "Retain",
    "RetainExceptOnCreate",
    "Snapshot",
    "ReplaceAndRetain",
    "ReplaceAndRetainExceptOnCreate",
    "ReplaceAndSnapshot",
];

/// Data that a deploy of the plan would destroy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Loss {
    /// The short name of the stack.
    pub stack: String,
    pub logical_id: String,
    #[serde(rename = "type")]
    pub resource_type: String,
    pub physical_id: Option<String>,
    /// False if CloudFormation decides during the deploy whether it comes to that.
    pub certain: bool,
    /// What is lost, in words.
    pub holds: String,
    /// What else must be known of such a deletion.
    pub remark: Option<String>,
}

/// What is lost with a resource of this type, in words; none if it holds no data.
pub fn holds(resource_type: &str) -> Option<&'static str> {
    resource_types::find(resource_type)?.data.as_ref().map(|data| data.holds)
}

/// What the change of a resource would destroy; none if it holds nothing, or if what it holds is kept.
pub(super) fn of(stack: &str, resource: &ResourcePlan) -> Option<Loss> {
    let data = resource_types::find(&resource.resource_type)?.data.as_ref()?;
    let deletes = matches!(resource.policy.as_deref(), Some("Delete" | "ReplaceAndDelete"));
    let certain = match resource.action {
        Action::Remove | Action::Replace => true,
        Action::MayReplace => false,
        // An action of which nothing else can be said, with a policy that says enough.
        Action::Change | Action::MayChange | Action::Other(_) if deletes => false,
        // What is added, changed in place or imported loses nothing.
        Action::Add | Action::Change | Action::MayChange | Action::Import | Action::Other(_) => return None,
    };
    // Without a policy the resource is deleted. A policy that is not known here may delete it as well.
    if matches!(resource.policy.as_deref(), Some(policy) if KEEPING.contains(&policy)) {
        return None;
    }
    Some(Loss {
        stack: stack.to_owned(),
        logical_id: resource.logical_id.clone(),
        resource_type: resource.resource_type.clone(),
        physical_id: resource.physical_id.clone(),
        certain,
        holds: data.holds.to_owned(),
        remark: Some(data.remark).filter(|remark| !remark.is_empty()).map(str::to_owned),
    })
}

impl Loss {
    /// The name that `--allow-data-loss` takes: `stack/LogicalId`.
    pub fn address(&self) -> String {
        format!("{}/{}", self.stack, self.logical_id)
    }
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { stack, logical_id, holds, certain, .. } = self;
        write!(f, "{stack}/{logical_id}")?;
        if let Some(name) = &self.physical_id {
            write!(f, " ({name})")?;
        }
        write!(f, " {} {holds}", if *certain { "loses" } else { "may lose" })?;
        match &self.remark {
            Some(remark) => write!(f, "; {remark}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(resource_type: &str, action: Action, policy: Option<&str>) -> ResourcePlan {
        ResourcePlan {
            action,
            logical_id: "Raw".into(),
            resource_type: resource_type.into(),
            physical_id: Some("shop-raw".into()),
            policy: policy.map(Into::into),
            forced_by: Vec::new(),
            properties: Vec::new(),
        }
    }

    #[test]
    fn only_deleted_resources_with_data_are_a_loss() {
        let bucket = "AWS::S3::Bucket";
        for (resource_type, action, policy, expected) in [
            (bucket, Action::Remove, None, Some(true)),
            (bucket, Action::Remove, Some("Delete"), Some(true)),
            (bucket, Action::Remove, Some("Retain"), None),
            (bucket, Action::Remove, Some("RetainExceptOnCreate"), None),
            (bucket, Action::Replace, Some("ReplaceAndDelete"), Some(true)),
            (bucket, Action::Replace, Some("ReplaceAndRetain"), None),
            (bucket, Action::Replace, Some("ReplaceAndSnapshot"), None),
            (bucket, Action::MayReplace, None, Some(false)),
            (bucket, Action::Remove, Some("APolicyOfTomorrow"), Some(true)),
            (bucket, Action::Change, None, None),
            (bucket, Action::Other("Teleport".into()), None, None),
            (bucket, Action::Other("Teleport".into()), Some("ReplaceAndDelete"), Some(false)),
            (bucket, Action::MayChange, Some("Delete"), Some(false)),
            (bucket, Action::MayChange, Some("ReplaceAndRetain"), None),
            (bucket, Action::Add, None, None),
            ("AWS::SNS::Topic", Action::Remove, None, None),
        ] {
            let loss = of("storage", &resource(resource_type, action.clone(), policy));
            assert_eq!(loss.map(|loss| loss.certain), expected, "{resource_type} {action:?} {policy:?}");
        }
    }

    #[test]
    fn a_loss_names_the_data_and_the_consequence() {
        let loss = of("storage", &resource("AWS::S3::Bucket", Action::Remove, None)).unwrap();
        insta::assert_snapshot!(loss, @"storage/Raw (shop-raw) loses all objects in it; CloudFormation cannot delete a bucket that is not empty: the deploy fails on it");
        assert_eq!(loss.address(), "storage/Raw");
    }
}
