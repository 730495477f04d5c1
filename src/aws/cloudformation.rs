//! CloudFormation in our words. Every change goes through a change set.

mod drift;
mod events;
mod listing;
mod recovery;

use aws_config::SdkConfig;
use aws_sdk_cloudformation as sdk;
use aws_sdk_cloudformation::primitives::{DateTime, DateTimeFormat};
use aws_sdk_cloudformation::types::{
    Capability, ChangeSetType, DeploymentMode, OnStackFailure, Parameter, StackStatus, Tag, TemplateStage,
};

use super::error::{Failure, Kind};
use crate::plan::change_set::{Change, ChangeSet, Detail};
use crate::plan::deployed::{Stack, Status};
use crate::spec::Map;

pub use drift::Detection;
pub use events::{Event, FailedEvent, Hook};
pub use listing::{ListedStack, WaitingChangeSet};
pub use recovery::ListedChangeSet;

/// The longest template that fits into a request; a longer one goes through S3.
pub const LONGEST_TEMPLATE_BODY: usize = 51_200;

/// `CloudFormation` in our words.
#[derive(Debug, Clone)]
pub struct CloudFormation(sdk::Client);

/// A change set to be made.
#[derive(Debug, Clone)]
pub struct NewChangeSet {
    pub stack_name: String,
    /// Unique to this run.
    pub name: String,
    /// The stack does not exist yet.
    pub create: bool,
    pub template: TemplateSource,
    pub parameters: Map<String>,
    /// All of them: an update replaces the whole set.
    pub tags: Map<String>,
    /// The role that CloudFormation acts as.
    pub role: Option<String>,
    /// Compare with what is there instead of what was deployed. Only to be looked at.
    pub revert_drift: bool,
}

/// Where CloudFormation finds a template.
#[derive(Debug, Clone)]
pub enum TemplateSource {
    Body(String),
    Url(String),
}

/// A resource of a deployed stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackResource {
    pub logical_id: String,
    pub physical_id: String,
    pub resource_type: String,
    pub status: String,
    pub reason: Option<String>,
}

impl CloudFormation {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self(sdk::Client::new(config))
    }

    /// A stack by its name or ARN; none if there is none. A deleted stack is found only by its ARN.
    pub async fn stack(&self, name: &str) -> Result<Option<Stack>, Failure> {
        match self.0.describe_stacks().stack_name(name).send().await {
            Ok(described) => Ok(described.stacks().first().map(stack)),
            Err(error) => match Failure::new("DescribeStacks", &error) {
                Failure { kind: Kind::NoSuchStack, .. } => Ok(None),
                failure => Err(failure),
            },
        }
    }

    /// The names of all stacks of the region that start so, deleted ones left out.
    pub async fn stack_names(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let gone = |status: &str| matches!(status, "DELETE_COMPLETE" | "REVIEW_IN_PROGRESS");
        // Deleted stacks are listed for 90 days, if nothing else is asked for.
        let statuses: Vec<StackStatus> = StackStatus::values()
            .iter()
            .filter(|status| !gone(status))
            .map(|status| StackStatus::from(*status))
            .collect();
        let mut names = Vec::new();
        let mut token = None;
        loop {
            let request = self.0.list_stacks().set_stack_status_filter(Some(statuses.clone()));
            let page = request.set_next_token(token).send().await;
            let page = page.map_err(|error| Failure::new("ListStacks", &error))?;
            let live = page
                .stack_summaries()
                .iter()
                .filter(|stack| !stack.stack_status().is_some_and(|status| gone(status.as_str())));
            names.extend(live.map(|stack| text(stack.stack_name())).filter(|name| name.starts_with(prefix)));
            match page.next_token {
                Some(next) if !next.is_empty() => token = Some(next),
                _ => return Ok(names),
            }
        }
    }

    /// The template of a stack, as it was sent.
    pub async fn template(&self, name: &str) -> Result<String, Failure> {
        let template = self.0.get_template().stack_name(name).template_stage(TemplateStage::Original).send().await;
        let template = template.map_err(|error| Failure::new("GetTemplate", &error))?;
        Ok(template.template_body.unwrap_or_default())
    }

    /// Starts the making of a change set and returns its ARN. If the first answer was lost, AWS says that there is one
    /// of this name: it is ours, because the name is unique to the run.
    pub async fn create_change_set(&self, new: &NewChangeSet) -> Result<String, Failure> {
        let parameter =
            |(key, value): (&String, &String)| Parameter::builder().parameter_key(key).parameter_value(value).build();
        let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
        let request = self
            .0
            .create_change_set()
            .stack_name(&new.stack_name)
            .change_set_name(&new.name)
            .client_token(&new.name)
            .change_set_type(if new.create { ChangeSetType::Create } else { ChangeSetType::Update })
            .capabilities(Capability::CapabilityNamedIam)
            // A deploy after a destroy takes over what the deletion policies have kept.
            .import_existing_resources(!new.revert_drift)
            .set_deployment_mode(new.revert_drift.then_some(DeploymentMode::RevertDrift))
            .set_parameters(Some(new.parameters.iter().map(parameter).collect()))
            .set_tags(Some(new.tags.iter().map(tag).collect()))
            .set_role_arn(new.role.clone())
            // A stack whose creation fails is rolled back and not deleted: a deletion would keep the buckets, whose
            // names would then be taken when the deploy is tried again.
            .set_on_stack_failure(new.create.then_some(OnStackFailure::Rollback));
        let request = match &new.template {
            TemplateSource::Body(body) => request.template_body(body),
            TemplateSource::Url(url) => request.template_url(url),
        };
        match request.send().await {
            Ok(created) => Ok(created.id.unwrap_or_else(|| new.name.clone())),
            Err(error) => match Failure::new("CreateChangeSet", &error) {
                failure @ Failure { kind: Kind::AlreadyExists, .. } => {
                    let found = self.describe(&new.stack_name, &new.name, false, None).await;
                    found.ok().and_then(|found| found.change_set_id).ok_or(failure)
                }
                failure => Err(failure),
            },
        }
    }

    /// A change set, all pages of it, with the values of properties.
    ///
    /// This and every other call names the stack beside the change set: IAM authorizes it on the stack, and roles are
    /// granted stacks only. With the ARN of a change set alone, some accounts are asked for a right on the change set.
    pub async fn change_set(&self, stack: &str, arn: &str) -> Result<ChangeSet, Failure> {
        let mut change_set = self.pages(stack, arn, true).await?;
        if change_set.incomplete() {
            change_set.complete(self.pages(stack, arn, false).await?);
        }
        Ok(change_set)
    }

    async fn pages(&self, stack: &str, arn: &str, values: bool) -> Result<ChangeSet, Failure> {
        let page = self.describe(stack, arn, values, None).await?;
        let mut next = page.next_token.clone();
        let mut change_set = ChangeSet {
            id: page.change_set_id().unwrap_or(arn).to_owned(),
            stack_id: text(page.stack_id()),
            status: page.status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
            status_reason: page.status_reason().map(str::to_owned),
            execution_status: page.execution_status().map(|status| status.as_str().to_owned()),
            changes: page.changes().iter().filter_map(change).collect(),
            others: page.changes().iter().filter_map(other).collect(),
        };
        while let Some(token) = next.filter(|token| !token.is_empty()) {
            let page = self.describe(stack, arn, values, Some(token)).await?;
            change_set.changes.extend(page.changes().iter().filter_map(change));
            change_set.others.extend(page.changes().iter().filter_map(other));
            next = page.next_token;
        }
        Ok(change_set)
    }

    async fn describe(
        &self,
        stack: &str,
        name: &str,
        values: bool,
        token: Option<String>,
    ) -> Result<sdk::operation::describe_change_set::DescribeChangeSetOutput, Failure> {
        let request = self.0.describe_change_set().stack_name(stack).change_set_name(name);
        let request = request.include_property_values(values).set_next_token(token);
        request.send().await.map_err(|error| Failure::new("DescribeChangeSet", &error))
    }

    /// Deletes a change set by its name or ARN. One that is already deleted counts as deleted.
    pub async fn delete_change_set(&self, stack: &str, name: &str) -> Result<(), Failure> {
        let request = self.0.delete_change_set().stack_name(stack).change_set_name(name);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => match Failure::new("DeleteChangeSet", &error) {
                Failure { kind: Kind::ChangeSetNotFound | Kind::NoSuchStack, .. } => Ok(()),
                failure => Err(failure),
            },
        }
    }

    /// Starts the execution of a change set. If the first answer was lost, AWS says that it is not executable any more:
    /// then it is under way if its own status says so.
    pub async fn execute(&self, stack: &str, arn: &str, token: &str, create: bool) -> Result<(), Failure> {
        let request = self
            .0
            .execute_change_set()
            .stack_name(stack)
            .change_set_name(arn)
            .client_request_token(token)
            // A failed first deploy must not retain resources that a later one creates.
            .set_retain_except_on_create(create.then_some(true));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let failure = Failure::new("ExecuteChangeSet", &error);
                let unsure = [Kind::InvalidChangeSetStatus, Kind::AlreadyExists, Kind::NoAnswer, Kind::Server];
                if !unsure.contains(&failure.kind) {
                    return Err(failure);
                }
                let found = self.describe(stack, arn, false, None).await.ok();
                let status = found.and_then(|found| found.execution_status);
                match status.as_ref().map(sdk::types::ExecutionStatus::as_str) {
                    Some("EXECUTE_IN_PROGRESS" | "EXECUTE_COMPLETE" | "EXECUTE_FAILED") => Ok(()),
                    _ => Err(failure),
                }
            }
        }
    }

    /// The resources of a stack.
    pub async fn resources(&self, stack: &str) -> Result<Vec<StackResource>, Failure> {
        let mut resources = Vec::new();
        let mut token = None;
        loop {
            let page = self.0.list_stack_resources().stack_name(stack).set_next_token(token).send().await;
            let page = page.map_err(|error| Failure::new("ListStackResources", &error))?;
            resources.extend(page.stack_resource_summaries().iter().map(|found| StackResource {
                logical_id: text(found.logical_resource_id()),
                physical_id: text(found.physical_resource_id()),
                resource_type: text(found.resource_type()),
                status: found.resource_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
                reason: found.resource_status_reason().filter(|reason| !reason.is_empty()).map(str::to_owned),
            }));
            match page.next_token {
                Some(next) if !next.is_empty() => token = Some(next),
                _ => return Ok(resources),
            }
        }
    }

    /// Starts the deletion of a stack.
    pub async fn delete_stack(&self, arn: &str, token: &str, role: Option<&str>) -> Result<(), Failure> {
        let request = self.0.delete_stack().stack_name(arn).client_request_token(token);
        let deleted = request.set_role_arn(role.map(str::to_owned)).send().await;
        deleted.map(|_| ()).map_err(|error| Failure::new("DeleteStack", &error))
    }

    /// Switches the protection against termination.
    pub async fn protect(&self, stack: &str, protect: bool) -> Result<(), Failure> {
        let request = self.0.update_termination_protection().stack_name(stack).enable_termination_protection(protect);
        request.send().await.map(|_| ()).map_err(|error| Failure::new("UpdateTerminationProtection", &error))
    }
}

fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn time(time: &DateTime) -> Option<String> {
    time.fmt(DateTimeFormat::DateTime).ok()
}

fn stack(stack: &sdk::types::Stack) -> Stack {
    let pair = |key: Option<&str>, value: Option<&str>| (text(key), text(value));
    Stack {
        name: text(stack.stack_name()),
        id: text(stack.stack_id()),
        status: Status(stack.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default()),
        status_reason: stack.stack_status_reason().map(str::to_owned),
        parameters: stack.parameters().iter().map(|one| pair(one.parameter_key(), one.parameter_value())).collect(),
        tags: stack.tags().iter().map(|one| pair(one.key(), one.value())).collect(),
        outputs: stack.outputs().iter().map(|one| pair(one.output_key(), one.output_value())).collect(),
        termination_protection: stack.enable_termination_protection().unwrap_or_default(),
        created: stack.creation_time().and_then(time),
        updated: stack.last_updated_time().and_then(time),
    }
}

/// The type of a change that is not of a resource.
fn other(change: &sdk::types::Change) -> Option<String> {
    let kind = change.r#type().map_or("unknown", |kind| kind.as_str());
    change.resource_change().is_none().then(|| kind.to_owned())
}

fn change(change: &sdk::types::Change) -> Option<Change> {
    let change = change.resource_change()?;
    let context = |text: Option<&str>| text.and_then(|text| serde_json::from_str(text).ok());
    Some(Change {
        action: change.action().map(|action| action.as_str().to_owned()).unwrap_or_default(),
        logical_id: text(change.logical_resource_id()),
        physical_id: change.physical_resource_id().map(str::to_owned),
        resource_type: text(change.resource_type()),
        replacement: change.replacement().map(|replacement| replacement.as_str().to_owned()),
        policy_action: change.policy_action().map(|action| action.as_str().to_owned()),
        details: change.details().iter().filter_map(detail).collect(),
        before: context(change.before_context()),
        after: context(change.after_context()),
        drift_status: change.resource_drift_status().map(|status| status.as_str().to_owned()),
        previous: context(change.previous_deployment_context()),
    })
}

fn detail(detail: &sdk::types::ResourceChangeDetail) -> Option<Detail> {
    let target = detail.target()?;
    Some(Detail {
        attribute: target.attribute().map(|attribute| attribute.as_str().to_owned()).unwrap_or_default(),
        name: target.name().map(str::to_owned),
        path: target.path().map(str::to_owned),
        before: target.before_value().map(str::to_owned),
        after: target.after_value().map(str::to_owned),
        change_type: target.attribute_change_type().map(|kind| kind.as_str().to_owned()),
        requires_recreation: target.requires_recreation().map(|recreation| recreation.as_str().to_owned()),
        source: detail.change_source().map(|source| source.as_str().to_owned()),
        cause: detail.causing_entity().map(str::to_owned),
        drift: target
            .drift()
            .map(|drift| (drift.previous_value().map(str::to_owned), drift.actual_value().map(str::to_owned))),
    })
}
