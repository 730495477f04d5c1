//! What the account remembers of its stacks: one JSON file a stack.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::clock;
use super::file;
use crate::error::{Error, Result};

/// How many stacks that are gone can still be described by their ARN.
const REMEMBERED: usize = 20;
/// How many events of a stack are kept.
const EVENTS: usize = 2000;

/// What a deployment is made of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Deployment {
    pub(super) template: String,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) capabilities: Vec<String>,
}

/// A stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stack {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) status: String,
    pub(super) status_reason: Option<String>,
    pub(super) created: String,
    pub(super) updated: Option<String>,
    pub(super) deleted: Option<String>,
    pub(super) deployment: Deployment,
    pub(super) resources: Vec<StackResource>,
    pub(super) outputs: Vec<StackOutput>,
    pub(super) events: Vec<Event>,
    pub(super) change_sets: Vec<ChangeSet>,
    pub(super) change_set_id: Option<String>,
    pub(super) termination_protection: bool,
    /// The stack policy; none if none was ever set.
    #[serde(default)]
    pub(super) policy: Option<Value>,
    pub(super) disable_rollback: bool,
    pub(super) role_arn: Option<String>,
    /// What is being done, so that the next process can finish it after a crash.
    pub(super) operation: Option<Operation>,
    /// What the last detection of drift has found.
    #[serde(default)]
    pub(super) drift: Option<Drift>,
}

/// What a detection of drift has found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Drift {
    pub(super) id: String,
    pub(super) time: String,
    /// As AWS tells them.
    pub(super) resources: Vec<Value>,
}

/// A resource of a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StackResource {
    pub(super) logical_id: String,
    pub(super) resource_type: String,
    pub(super) physical_id: String,
    pub(super) status: String,
    pub(super) status_reason: Option<String>,
    pub(super) updated: String,
    pub(super) properties: Value,
    pub(super) attributes: BTreeMap<String, Value>,
    pub(super) deletion_policy: String,
    pub(super) update_replace_policy: String,
    /// Where in the template it stands.
    pub(super) line: usize,
}

/// An output of a stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StackOutput {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) description: Option<String>,
    pub(super) export: Option<String>,
}

/// Something that happened to a stack or one of its resources.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) logical_id: String,
    pub(super) physical_id: String,
    pub(super) resource_type: String,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) properties: Option<Value>,
    pub(super) token: Option<String>,
    pub(super) time: String,
}

/// A change set.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ChangeSet {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) description: Option<String>,
    pub(super) created: String,
    pub(super) status: String,
    pub(super) execution_status: String,
    pub(super) status_reason: Option<String>,
    pub(super) client_token: Option<String>,
    pub(super) on_stack_failure: Option<String>,
    pub(super) role_arn: Option<String>,
    pub(super) wanted: Deployment,
    /// The changes with values, and as they are without.
    pub(super) changes: Vec<Value>,
    pub(super) plain_changes: Vec<Value>,
    /// The logical ids of what exists already and is taken over.
    #[serde(default)]
    pub(super) imports: Vec<String>,
    /// It was made to be looked at: it compares with what is there instead of what was deployed.
    #[serde(default)]
    pub(super) revert_drift: bool,
}

/// What is being done to a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Operation {
    pub(super) kind: OperationKind,
    pub(super) token: Option<String>,
    /// What stood before, to go back to.
    pub(super) deployment: Deployment,
    pub(super) resources: Vec<StackResource>,
    pub(super) outputs: Vec<StackOutput>,
    /// Old physical resources, to be deleted once the update has succeeded.
    pub(super) cleanup: Vec<StackResource>,
    /// New physical resources, to be deleted if the update is rolled back.
    pub(super) created: Vec<StackResource>,
    /// The logical ids of what is to be taken over.
    #[serde(default)]
    pub(super) imports: Vec<String>,
    /// What was taken over, as it was before.
    #[serde(default)]
    pub(super) imported: Vec<StackResource>,
    pub(super) retain: Vec<String>,
    pub(super) retain_except_on_create: bool,
    pub(super) on_failure: OnFailure,
    /// Somebody asked to take the update back.
    #[serde(default)]
    pub(super) cancelled: bool,
    /// The logical ids of what a rollback leaves as it is.
    #[serde(default)]
    pub(super) skip: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OperationKind {
    Create,
    Update,
    Delete,
}

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OnFailure {
    Rollback,
    Delete,
    DoNothing,
}

impl Stack {
    pub(super) fn is_in_progress(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && self.status != "REVIEW_IN_PROGRESS"
    }

    pub(super) fn resource(&self, logical_id: &str) -> Option<&StackResource> {
        self.resources.iter().find(|resource| resource.logical_id == logical_id)
    }

    pub(super) fn resource_mut(&mut self, logical_id: &str) -> Option<&mut StackResource> {
        self.resources.iter_mut().find(|resource| resource.logical_id == logical_id)
    }

    /// Sets the status of the stack and writes the event.
    pub(super) fn set_status(&mut self, status: &str, reason: Option<&str>) {
        status.clone_into(&mut self.status);
        self.status_reason = reason.map(str::to_owned);
        let event = Event {
            id: clock::uuid(),
            logical_id: self.name.clone(),
            physical_id: self.id.clone(),
            resource_type: "AWS::CloudFormation::Stack".to_owned(),
            status: status.to_owned(),
            reason: reason.map(str::to_owned),
            properties: None,
            token: self.operation.as_ref().and_then(|operation| operation.token.clone()),
            time: clock::now(),
        };
        self.push(event);
    }

    /// Writes an event about a resource.
    pub(super) fn resource_event(&mut self, resource: &StackResource, status: &str, reason: Option<&str>) {
        let time = clock::now();
        // Deletions carry a UUID, everything else the status and time: the recorded answers show both.
        let id = if status.starts_with("DELETE") {
            format!("{}-{}", resource.logical_id, clock::uuid())
        } else {
            format!("{}-{status}-{time}-{}", resource.logical_id, self.events.len())
        };
        let deleting = status.starts_with("DELETE");
        let event = Event {
            id,
            logical_id: resource.logical_id.clone(),
            physical_id: resource.physical_id.clone(),
            resource_type: resource.resource_type.clone(),
            status: status.to_owned(),
            reason: reason.map(str::to_owned),
            properties: (!deleting).then(|| resource.properties.clone()),
            token: self.operation.as_ref().and_then(|operation| operation.token.clone()),
            time,
        };
        self.push(event);
    }

    fn push(&mut self, event: Event) {
        self.events.push(event);
        if self.events.len() > EVENTS {
            let surplus = self.events.len() - EVENTS;
            self.events.drain(..surplus);
        }
    }
}

/// All stacks of the account.
#[derive(Debug, Default)]
pub(super) struct Stacks {
    directory: PathBuf,
    pub(super) live: BTreeMap<String, Stack>,
    /// Oldest first.
    pub(super) deleted: Vec<Stack>,
    /// Resources that a deletion policy has kept: no stack owns them.
    pub(super) retained: Vec<StackResource>,
}

impl Stacks {
    pub(super) fn load(directory: &Path) -> Result<Self> {
        let mut stacks = Self { directory: directory.to_owned(), ..Self::default() };
        for path in json_files(directory)? {
            if let Some(stack) = file::read_json::<Stack>(&path)? {
                stacks.live.insert(stack.name.clone(), stack);
            }
        }
        for path in json_files(&directory.join("deleted"))? {
            stacks.deleted.extend(file::read_json::<Stack>(&path)?);
        }
        stacks.retained = file::read_json(&stacks.retained_path())?.unwrap_or_default();
        stacks.deleted.sort_by(|left, right| left.deleted.cmp(&right.deleted));
        Ok(stacks)
    }

    /// A stack by its name, or by its ARN (then also one that is gone).
    pub(super) fn find(&self, name_or_id: &str) -> Option<&Stack> {
        if name_or_id.starts_with("arn:") {
            self.live.values().chain(self.deleted.iter().rev()).find(|stack| stack.id == name_or_id)
        } else {
            self.live.get(name_or_id)
        }
    }

    pub(super) fn find_mut(&mut self, name_or_id: &str) -> Option<&mut Stack> {
        if name_or_id.starts_with("arn:") {
            self.live.values_mut().find(|stack| stack.id == name_or_id)
        } else {
            self.live.get_mut(name_or_id)
        }
    }

    /// Writes a stack to its file.
    pub(super) fn save(&self, name: &str) -> io::Result<()> {
        match self.live.get(name) {
            Some(stack) => file::write_json(&self.path(name), stack),
            None => Ok(()),
        }
    }

    /// Takes a stack out of the living ones, to be described by its ARN only.
    pub(super) fn bury(&mut self, name: &str) -> io::Result<()> {
        let Some(stack) = self.live.remove(name) else { return Ok(()) };
        let graves = self.directory.join("deleted");
        file::write_json(&graves.join(grave(&stack)), &stack)?;
        self.deleted.push(stack);
        while self.deleted.len() > REMEMBERED {
            let oldest = self.deleted.remove(0);
            let _ = fs::remove_file(graves.join(grave(&oldest)));
        }
        self.remove_file(name)
    }

    /// Remembers a resource that no stack owns any more. If the disk is full it is forgotten with this process.
    pub(super) fn retain(&mut self, resource: StackResource) {
        self.retained
            .retain(|known| known.resource_type != resource.resource_type || known.physical_id != resource.physical_id);
        self.retained.push(resource);
        let _ = file::write_json(&self.retained_path(), &self.retained);
    }

    /// Forgets a resource that a stack owns again.
    pub(super) fn taken_over(&mut self, resource: &StackResource) {
        self.retained
            .retain(|known| known.resource_type != resource.resource_type || known.physical_id != resource.physical_id);
        let _ = file::write_json(&self.retained_path(), &self.retained);
    }

    fn retained_path(&self) -> PathBuf {
        self.directory.join("retained").join("resources.json")
    }

    fn remove_file(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.json"))
    }
}

fn grave(stack: &Stack) -> String {
    format!("{}.json", stack.id.rsplit('/').next().unwrap_or(&stack.name))
}

fn json_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::new(format!("cannot read `{}`", directory.display())).cause(&error)),
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    Ok(paths)
}
