//! What there is: stacks by the start of their names, change sets that wait.

use std::time::SystemTime;

use aws_sdk_cloudformation::primitives::DateTime;
use aws_sdk_cloudformation::types::{StackStatus, TemplateStage};

use super::{CloudFormation, Status, text};
use crate::aws::error::{Failure, Kind};

/// A stack, as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedStack {
    pub name: String,
    pub id: String,
    pub status: Status,
    pub created: SystemTime,
}

/// A change set that was not executed, as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingChangeSet {
    pub name: String,
    pub id: String,
    pub stack_name: String,
    pub created: SystemTime,
}

impl CloudFormation {
    /// All stacks that exist and whose names start so, in name order.
    pub async fn stacks_named(&self, start: &str) -> Result<Vec<ListedStack>, Failure> {
        // Those that are gone stay in the list for 90 days.
        let there = StackStatus::values().iter().filter(|status| **status != "DELETE_COMPLETE");
        let there: Vec<StackStatus> = there.map(|status| StackStatus::from(*status)).collect();
        let (mut stacks, mut token) = (Vec::new(), None);
        loop {
            let page = self.0.list_stacks().set_stack_status_filter(Some(there.clone())).set_next_token(token);
            let page = page.send().await.map_err(|error| Failure::new("ListStacks", &error))?;
            let named = page.stack_summaries().iter().filter(|found| text(found.stack_name()).starts_with(start));
            stacks.extend(named.map(|found| ListedStack {
                name: text(found.stack_name()),
                id: text(found.stack_id()),
                status: Status(found.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default()),
                created: moment(found.creation_time()),
            }));
            match page.next_token {
                Some(next) if !next.is_empty() => token = Some(next),
                _ => break,
            }
        }
        stacks.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(stacks)
    }

    /// The names of the stacks that import an export.
    pub async fn importers(&self, export: &str) -> Result<Vec<String>, Failure> {
        let (mut names, mut token) = (Vec::new(), None);
        loop {
            let page = match self.0.list_imports().export_name(export).set_next_token(token).send().await {
                Ok(page) => page,
                Err(error) => match Failure::new("ListImports", &error) {
                    // CloudFormation calls it an error that nobody does.
                    failure if failure.message.contains("is not imported by any stack") => return Ok(names),
                    failure => return Err(failure),
                },
            };
            names.extend(page.imports().iter().cloned());
            match page.next_token {
                Some(next) if !next.is_empty() => token = Some(next),
                _ => return Ok(names),
            }
        }
    }

    /// The change sets of a stack that were not executed; none of a stack that is not there.
    pub async fn waiting_change_sets(&self, stack: &str) -> Result<Vec<WaitingChangeSet>, Failure> {
        let (mut waiting, mut token) = (Vec::new(), None);
        loop {
            let page = match self.0.list_change_sets().stack_name(stack).set_next_token(token).send().await {
                Ok(page) => page,
                Err(error) => match Failure::new("ListChangeSets", &error) {
                    Failure { kind: Kind::NoSuchStack, .. } => return Ok(waiting),
                    failure => return Err(failure),
                },
            };
            let idle = page.summaries().iter().filter(|found| {
                let status = found.execution_status().map(|status| status.as_str().to_owned()).unwrap_or_default();
                !status.starts_with("EXECUTE_")
            });
            waiting.extend(idle.map(|found| WaitingChangeSet {
                name: text(found.change_set_name()),
                id: text(found.change_set_id()),
                stack_name: text(found.stack_name()),
                created: moment(found.creation_time()),
            }));
            match page.next_token {
                Some(next) if !next.is_empty() => token = Some(next),
                _ => return Ok(waiting),
            }
        }
    }

    /// All that a waiting change set would deploy with: its template, and the values of its parameters.
    pub async fn texts_of_change_set(&self, stack: &str, id: &str) -> Result<Vec<String>, Failure> {
        let described = match self.describe(stack, id, false, None).await {
            Ok(described) => described,
            Err(failure) if failure.kind == Kind::ChangeSetNotFound => return Ok(Vec::new()),
            Err(failure) => return Err(failure),
        };
        let mut texts: Vec<String> = described.parameters().iter().map(|one| text(one.parameter_value())).collect();
        let template = self.0.get_template().stack_name(stack).change_set_name(id);
        let template = template.template_stage(TemplateStage::Original).send().await;
        match template.map_err(|error| Failure::new("GetTemplate", &error)) {
            Ok(template) => texts.extend(template.template_body),
            // One that failed has none.
            Err(failure) if matches!(failure.kind, Kind::ChangeSetNotFound | Kind::Other) => {}
            Err(failure) => return Err(failure),
        }
        Ok(texts)
    }
}

/// A missing timestamp counts as now.
fn moment(time: Option<&DateTime>) -> SystemTime {
    time.and_then(|time| (*time).try_into().ok()).unwrap_or_else(SystemTime::now)
}
