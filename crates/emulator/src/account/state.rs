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
pub(crate) struct Deployment {
    pub(crate) template: String,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) capabilities: Vec<String>,
}

/// A stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stack {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) status_reason: Option<String>,
    pub(crate) created: String,
    pub(crate) updated: Option<String>,
    pub(crate) deleted: Option<String>,
    pub(crate) deployment: Deployment,
    pub(crate) resources: Vec<StackResource>,
    pub(crate) outputs: Vec<StackOutput>,
    pub(crate) events: Vec<Event>,
    pub(crate) change_sets: Vec<ChangeSet>,
    pub(crate) change_set_id: Option<String>,
    pub(crate) termination_protection: bool,
    /// The stack policy; none if none was ever set.
    #[serde(default)]
    pub(crate) policy: Option<Value>,
    pub(crate) disable_rollback: bool,
    pub(crate) role_arn: Option<String>,
    /// What is being done, so that the next process can finish it after a crash.
    pub(crate) operation: Option<Operation>,
    /// What the last detection of drift has found.
    #[serde(default)]
    pub(crate) drift: Option<Drift>,
}

/// What a detection of drift has found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Drift {
    pub(crate) id: String,
    pub(crate) time: String,
    /// As AWS reports them.
    pub(crate) resources: Vec<Value>,
}

/// A resource of a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StackResource {
    pub(crate) logical_id: String,
    pub(crate) resource_type: String,
    pub(crate) physical_id: String,
    pub(crate) status: String,
    pub(crate) status_reason: Option<String>,
    pub(crate) updated: String,
    pub(crate) properties: Value,
    pub(crate) attributes: BTreeMap<String, Value>,
    pub(crate) deletion_policy: String,
    pub(crate) update_replace_policy: String,
    /// Where in the template it stands.
    pub(crate) line: usize,
}

/// An output of a stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StackOutput {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) description: Option<String>,
    pub(crate) export: Option<String>,
}

/// Something that happened to a stack or one of its resources.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) logical_id: String,
    pub(crate) physical_id: String,
    pub(crate) resource_type: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) properties: Option<Value>,
    pub(crate) token: Option<String>,
    pub(crate) time: String,
}

/// A change set.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ChangeSet {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) description: Option<String>,
    pub(crate) created: String,
    pub(crate) status: String,
    pub(crate) execution_status: String,
    pub(crate) status_reason: Option<String>,
    pub(crate) client_token: Option<String>,
    pub(crate) on_stack_failure: Option<String>,
    pub(crate) role_arn: Option<String>,
    pub(crate) desired: Deployment,
    /// The changes with values, and as they are without.
    pub(crate) changes: Vec<Value>,
    pub(crate) plain_changes: Vec<Value>,
    /// The logical ids of what exists already and is taken over.
    #[serde(default)]
    pub(crate) imports: Vec<String>,
    /// It was made to be looked at: it compares with what is there instead of what was deployed.
    #[serde(default)]
    pub(crate) revert_drift: bool,
}

/// What is being done to a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) kind: OperationKind,
    pub(crate) token: Option<String>,
    /// What stood before, to go back to.
    pub(crate) deployment: Deployment,
    pub(crate) resources: Vec<StackResource>,
    pub(crate) outputs: Vec<StackOutput>,
    /// Old physical resources, to be deleted once the update has succeeded.
    pub(crate) cleanup: Vec<StackResource>,
    /// New physical resources, to be deleted if the update is rolled back.
    pub(crate) created: Vec<StackResource>,
    /// The logical ids of what is to be taken over.
    #[serde(default)]
    pub(crate) imports: Vec<String>,
    /// What was taken over, as it was before.
    #[serde(default)]
    pub(crate) imported: Vec<StackResource>,
    pub(crate) retain: Vec<String>,
    pub(crate) retain_except_on_create: bool,
    pub(crate) on_failure: OnFailure,
    /// Somebody asked to take the update back.
    #[serde(default)]
    pub(crate) cancelled: bool,
    /// The logical ids of what a rollback leaves as it is.
    #[serde(default)]
    pub(crate) skip: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OperationKind {
    Create,
    Update,
    Delete,
}

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OnFailure {
    Rollback,
    Delete,
    DoNothing,
}

impl Stack {
    pub(crate) fn is_in_progress(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && self.status != "REVIEW_IN_PROGRESS"
    }

    pub(crate) fn resource(&self, logical_id: &str) -> Option<&StackResource> {
        self.resources.iter().find(|resource| resource.logical_id == logical_id)
    }

    pub(crate) fn resource_mut(&mut self, logical_id: &str) -> Option<&mut StackResource> {
        self.resources.iter_mut().find(|resource| resource.logical_id == logical_id)
    }

    /// Sets the status of the stack and writes the event.
    pub(crate) fn set_status(&mut self, status: &str, reason: Option<&str>) {
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
    pub(crate) fn resource_event(&mut self, resource: &StackResource, status: &str, reason: Option<&str>) {
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
pub(crate) struct Stacks {
    directory: PathBuf,
    pub(crate) live: BTreeMap<String, Stack>,
    /// Oldest first.
    pub(crate) deleted: Vec<Stack>,
    /// Resources that a deletion policy has kept: no stack owns them.
    pub(crate) retained: Vec<StackResource>,
}

impl Stacks {
    pub(crate) fn load(directory: &Path) -> Result<Self> {
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
    pub(crate) fn find(&self, name_or_id: &str) -> Option<&Stack> {
        if name_or_id.starts_with("arn:") {
            self.live.values().chain(self.deleted.iter().rev()).find(|stack| stack.id == name_or_id)
        } else {
            self.live.get(name_or_id)
        }
    }

    pub(crate) fn find_mut(&mut self, name_or_id: &str) -> Option<&mut Stack> {
        if name_or_id.starts_with("arn:") {
            self.live.values_mut().find(|stack| stack.id == name_or_id)
        } else {
            self.live.get_mut(name_or_id)
        }
    }

    /// Writes a stack to its file.
    pub(crate) fn save(&self, name: &str) -> io::Result<()> {
        match self.live.get(name) {
            Some(stack) => file::write_json(&self.path(name), stack),
            None => Ok(()),
        }
    }

    /// Takes a stack out of the living ones, to be described by its ARN only.
    pub(crate) fn bury(&mut self, name: &str) -> io::Result<()> {
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
    pub(crate) fn retain(&mut self, resource: StackResource) {
        self.retained
            .retain(|known| known.resource_type != resource.resource_type || known.physical_id != resource.physical_id);
        self.retained.push(resource);
        let _ = file::write_json(&self.retained_path(), &self.retained);
    }

    /// Forgets a resource that a stack owns again.
    pub(crate) fn taken_over(&mut self, resource: &StackResource) {
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
