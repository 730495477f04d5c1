//! A plan in a file: what was approved, and everything that must be unchanged when it is executed.

use pipectl_contract::keys;
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
        match plan.unsound() {
            Some(what) => Err(wrong(format!("{what} is not as pipectl writes it; the file was changed"))),
            None => Ok(plan),
        }
    }

    /// What of the file cannot be a part of a path, a key or a request to AWS. A change of the file between `plan` and
    /// `deploy` must not reach more than the plan.
    fn unsound(&self) -> Option<String> {
        if !is_run(&self.run) {
            return Some(format!("the run `{}`", self.run));
        }
        let digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let key = |key: &str| key.split('/').all(keys::is_id);
        if let Some((key, _)) = self.artifacts.iter().find(|(name, sha256)| !key(name) || !digest(sha256)) {
            return Some(format!("the artifact `{key}`"));
        }
        for (index, stack) in self.stacks.iter().enumerate() {
            let name = &stack.name;
            if !keys::is_id(name) || self.stacks[..index].iter().any(|other| other.name == *name) {
                return Some(format!("the stack `{name}`"));
            }
            let change_set = stack.change_set.as_ref().filter(|arn| !self.owns_change_set(arn));
            if let Some(arn) = change_set {
                return Some(format!("the change set `{arn}` of `{name}`"));
            }
        }
        None
    }

    /// Whether an ARN is that of a change set of this run, in the plan's account and region:
    /// `arn:aws:cloudformation:<region>:<account>:changeSet/saved-<run>[-<number>]/<id>`.
    fn owns_change_set(&self, arn: &str) -> bool {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, "cloudformation", region, account, resource] = parts.as_slice() else { return false };
        let resource: Vec<&str> = resource.split('/').collect();
        let ["changeSet", name, id] = resource.as_slice() else { return false };
        // The second one that a run makes at a stack has a number.
        let number = name.strip_prefix("saved-").and_then(|name| name.strip_prefix(self.run.as_str()));
        let number = number.map(|rest| rest.strip_prefix('-').unwrap_or(rest));
        partition.starts_with("aws")
            && (*region, *account) == (self.plan.region.as_str(), self.plan.account.as_str())
            && number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
            && keys::is_id(id)
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

/// How long the name of a run is, in bytes.
pub const RUN_LENGTH: usize = "20261121T133236Z-389175f5ff52abcd".len();

/// Whether a text is the name of a run of pipectl.
pub fn is_run(text: &str) -> bool {
    text.len() == RUN_LENGTH
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            16 => byte == b'-',
            17.. => byte.is_ascii_hexdigit(),
            _ => byte.is_ascii_digit(),
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "20261121T133236Z-389175f5ff52abcd";

    fn saved(change: impl FnOnce(&mut serde_json::Value)) -> Result<SavedPlan> {
        let arn = format!("arn:aws:cloudformation:eu-central-1:123456789012:changeSet/saved-{RUN}/0a1b");
        let mut file = serde_json::json!({
            "version": VERSION, "pipectl": env!("CARGO_PKG_VERSION"), "run": RUN, "commit": null,
            "artifacts": {format!("lambda/load-{}.zip", "a".repeat(64)): "a".repeat(64)},
            "stacks": [{"name": "storage", "template": "t", "tags": {}, "parameters": {}, "deployed": null, "change_set": arn}],
            "plan": Plan {
                environment: "dev".into(), account: "123456789012".into(), region: "eu-central-1".into(), ..Plan::default()
            },
        });
        change(&mut file);
        SavedPlan::parse("plan.json", &file.to_string())
    }

    #[test]
    fn ids_of_a_changed_file_reach_nothing_else() {
        assert!(saved(|_| ()).is_ok(), "{:?}", saved(|_| ()));
        let other = |arn: &str| saved(|file| file["stacks"][0]["change_set"] = arn.into());
        let arn =
            |account: &str, name: &str| format!("arn:aws:cloudformation:eu-central-1:{account}:changeSet/{name}/0a1b");
        for (what, result) in [
            ("run", saved(|file| file["run"] = "x-../../state".into())),
            ("run", saved(|file| file["run"] = format!("{RUN}/../x").into())),
            ("artifact", saved(|file| file["artifacts"] = serde_json::json!({"../../etc/passwd": "a".repeat(64)}))),
            ("artifact", saved(|file| file["artifacts"] = serde_json::json!({"lambda/load.zip": "../x"}))),
            ("stack", saved(|file| file["stacks"][0]["name"] = "../storage".into())),
            ("stack", saved(|file| file["stacks"] = serde_json::json!([file["stacks"][0], file["stacks"][0]]))),
            ("change set", other(&arn("999999999999", &format!("saved-{RUN}")))),
            ("change set", other(&arn("123456789012", "deploy-20261121T133236Z-389175f5ff52abcd"))),
            ("change set", other(&arn("123456789012", "somebody-elses"))),
            ("change set", other("../x")),
        ] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(what) && error.contains("not as pipectl writes it"), "{what}: {error}");
        }
    }
}
