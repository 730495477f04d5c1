//! A plan in a file: what was approved, and everything that must be unchanged when it is executed.

use serde::{Deserialize, Serialize};

use super::deployed::Stack;
use super::stack::Known;
use super::stack_parameters::ParameterValue;
use super::{Plan, StackPlan};
use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::render::RenderedStack;
use crate::spec::Map;

/// The version of the file's form. It goes up when a field changes its meaning.
const VERSION: u32 = 1;
/// Stands where the value of a parameter with `NoEcho` would: not even its digest is kept.
const NOT_KEPT: &str = "secret";

/// A plan in a file. It holds no secret: values are masked as they are on the screen, parameters are digests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedPlan {
    pub version: u32,
    /// The version of pipectl that made it.
    pub pipectl: String,
    /// The run that made it: part of the names of its change sets and of its client request tokens.
    pub run: String,
    pub commit: Option<Commit>,
    /// The sha256 of each artifact, by its key.
    pub artifacts: Map<String>,
    pub stacks: Vec<SavedStack>,
    pub plan: Plan,
}

/// What the project's files were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    pub sha: String,
    /// Whether files were changed since that commit.
    pub modified: bool,
}

/// What one stack was, and is to become.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedStack {
    pub name: String,
    /// The sha256 of the template that is wanted.
    pub template: String,
    pub tags: Map<String>,
    /// The sha256 of each parameter's value; none for a value that is known only after the deploy.
    pub parameters: Map<Option<String>>,
    /// The stack as it was deployed; none if there was none.
    pub deployed: Option<Deployed>,
    /// The ARN of the change set that does it; none if nothing changes, or if it can be made only during the deploy.
    pub change_set: Option<String>,
}

/// A stack as it was deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployed {
    pub id: String,
    /// RFC 3339, UTC; none if it was never updated.
    pub updated: Option<String>,
    /// The sha256 of its template.
    pub template: String,
}

impl SavedPlan {
    pub fn new(run: String, commit: Option<Commit>, artifacts: Map<String>, plan: Plan) -> Self {
        let (pipectl, stacks) = (env!("CARGO_PKG_VERSION").to_owned(), Vec::new());
        Self { version: VERSION, pipectl, run, commit, artifacts, stacks, plan }
    }

    /// Reads a file. Fails if it is not a plan, or one of another version of pipectl.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let wrong = |why: String| {
            Error::project(format!("`{name}` is not a plan that this pipectl can execute: {why}"))
                .hint(format!("make a new one: `pipectl plan --env ENV --out {name}`"))
        };
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        match value.get("pipectl").and_then(serde_json::Value::as_str) {
            Some(version) if version != env!("CARGO_PKG_VERSION") => {
                return Err(wrong(format!("pipectl {version} made it, this is {}", env!("CARGO_PKG_VERSION"))));
            }
            _ => {}
        }
        let plan: Self = serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
        if plan.version != VERSION {
            return Err(wrong(format!("it has version {}, this pipectl reads version {VERSION}", plan.version)));
        }
        Ok(plan)
    }

    /// The file's text.
    pub fn write(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self);
        Ok(text.map_err(|error| Error::new("the plan cannot be written").cause(&error))? + "\n")
    }

    /// What of the project's files is not as it was, in words; nothing if all is.
    pub fn changed_files(&self, stacks: &[RenderedStack], artifacts: &Map<String>) -> Vec<String> {
        let mut changed = Vec::new();
        for saved in &self.stacks {
            match stacks.iter().find(|stack| stack.name == saved.name) {
                None => changed.push(format!("the project has no stack `{}` any more", saved.name)),
                Some(stack) if sha256(&stack.text) != saved.template => {
                    changed.push(format!("the template of `{}` differs", saved.name));
                }
                Some(stack) if stack.tags != saved.tags => {
                    changed.push(format!("the tags of `{}` differ", saved.name));
                }
                Some(_) => {}
            }
        }
        for stack in stacks.iter().filter(|stack| !self.stacks.iter().any(|saved| saved.name == stack.name)) {
            changed.push(format!("the stack `{}` is new", stack.name));
        }
        let missing = self.artifacts.keys().filter(|key| !artifacts.contains_key(*key));
        let added = artifacts.keys().filter(|key| !self.artifacts.contains_key(*key));
        changed.extend(missing.map(|key| format!("the artifact `{key}` is not built any more")));
        changed.extend(added.map(|key| format!("the artifact `{key}` is new")));
        changed
    }

    /// What was planned for a stack.
    pub fn stack_plan(&self, name: &str) -> Option<&StackPlan> {
        self.plan.stacks.iter().find(|stack| stack.name == name)
    }
}

impl SavedStack {
    pub fn new(
        desired: &RenderedStack,
        parameters: &Map<ParameterValue>,
        known: Option<&Known>,
        change_set: Option<String>,
    ) -> Self {
        let deployed = known.map(|known| Deployed {
            id: known.stack.id.clone(),
            updated: known.stack.updated.clone(),
            template: sha256(&known.text),
        });
        let digests = parameters.iter().map(|(name, value)| (name.clone(), digest(desired, name, value)));
        Self {
            name: desired.name.clone(),
            template: sha256(&desired.text),
            tags: desired.tags.clone(),
            parameters: digests.collect(),
            deployed,
            change_set,
        }
    }

    /// The parameters whose value was known and is another now.
    pub fn changed_parameters(&self, desired: &RenderedStack, now: &Map<ParameterValue>) -> Vec<String> {
        let known = self.parameters.iter().filter(|(_, digest)| digest.is_some());
        known
            .filter(|(name, before)| now.get(*name).is_none_or(|value| digest(desired, name, value) != **before))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// What someone else did to the stack since; none if it is as it was.
    pub fn changed_stack(&self, now: Option<&Stack>, stack_name: &str) -> Option<String> {
        match (&self.deployed, now) {
            (None, Some(_)) => Some(format!("`{stack_name}` was created since")),
            (Some(_), None) => Some(format!("`{stack_name}` was deleted since")),
            (Some(then), Some(now)) if then.id != now.id => {
                Some(format!("`{stack_name}` was deleted and created again since"))
            }
            (Some(then), Some(now)) if then.updated != now.updated => Some(format!(
                "`{stack_name}` was updated since, at {}",
                now.updated.as_deref().unwrap_or("an unknown time")
            )),
            _ => None,
        }
    }
}

fn digest(desired: &RenderedStack, name: &str, value: &ParameterValue) -> Option<String> {
    let value = value.known()?;
    let secret = desired.template.parameter(name).is_some_and(|parameter| parameter.no_echo);
    Some(if secret { NOT_KEPT.to_owned() } else { sha256(value) })
}
