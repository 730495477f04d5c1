//! Drift: where the account is not as CloudFormation deployed it.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::local::{AccountRegion, Evaluation};
use super::mask::Mask;
use super::resource::readable;
use super::text::{bold, pair, shown, symbol};
use crate::error::Result;
use crate::render::RenderedStack;
use crate::spec::Map;

/// How many types of resources are named that cannot be compared.
const TYPES: usize = 6;

/// A resource as a detection of drift found it.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveResource {
    pub logical_id: String,
    pub physical_id: String,
    pub resource_type: String,
    pub status: DriftStatus,
    /// Why it could not be compared.
    pub reason: Option<String>,
    /// Path such as `/Tags/0/Value`, what was deployed, what is there. None: there is no such property.
    pub differences: Vec<(String, Option<Value>, Option<Value>)>,
    /// All properties that were compared, as they were deployed and as they are.
    pub expected: Option<Value>,
    pub actual: Option<Value>,
}

/// The drift status of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriftStatus {
    InSync,
    Modified,
    Deleted,
    /// Its type cannot be compared, or nobody may read it.
    NotChecked,
    /// An unknown status, shown as it is.
    Other(String),
}

impl From<&str> for DriftStatus {
    fn from(text: &str) -> Self {
        match text {
            "IN_SYNC" => Self::InSync,
            "MODIFIED" => Self::Modified,
            "DELETED" => Self::Deleted,
            "NOT_CHECKED" | "UNKNOWN" | "UNSUPPORTED" => Self::NotChecked,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl DriftStatus {
    pub fn as_str(&self) -> &str {
        match self {
            Self::InSync => "in-sync",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
            Self::NotChecked => "not-checked",
            Self::Other(word) => word,
        }
    }

    /// Whether the resource has drifted. An unknown status counts as drift.
    pub fn is_drift(&self) -> bool {
        !matches!(self, Self::InSync | Self::NotChecked)
    }
}

impl Serialize for DriftStatus {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for DriftStatus {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = [Self::InSync, Self::Modified, Self::Deleted, Self::NotChecked];
        Ok(known.into_iter().find(|status| status.as_str() == text).unwrap_or(Self::Other(text)))
    }
}

/// The drift of an environment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    pub environment: String,
    pub account: String,
    pub region: String,
    /// In the order in which they deploy.
    pub stacks: Vec<StackDrift>,
}

/// The drift of one stack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StackDrift {
    pub name: String,
    pub stack_name: String,
    /// Whether there is such a stack.
    pub deployed: bool,
    /// Those that are not what was deployed, in the order of the template.
    pub drifted: Vec<ResourceDrift>,
    /// How many are as deployed.
    pub in_sync: usize,
    /// Those that were not compared.
    pub not_checked: Vec<Unchecked>,
    /// Why the detection did not come to its end, if it did not.
    pub failure: Option<String>,
}

/// A resource that is not what was deployed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResourceDrift {
    pub logical_id: String,
    #[serde(rename = "type")]
    pub resource_type: String,
    pub physical_id: String,
    pub status: DriftStatus,
    pub properties: Vec<PropertyDrift>,
}

/// A property that is not what was deployed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PropertyDrift {
    /// A JSON pointer from the resource, such as `/Properties/Tags/0/Value`.
    pub path: String,
    /// None if it was not deployed.
    pub deployed: Option<Value>,
    /// None if it is not there.
    pub live: Option<Value>,
}

/// A resource that was not compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unchecked {
    pub logical_id: String,
    #[serde(rename = "type")]
    pub resource_type: String,
    /// None if CloudFormation cannot compare resources of this type.
    pub reason: Option<String>,
}

impl StackDrift {
    /// A stack that does not exist.
    pub fn absent(desired: &RenderedStack) -> Self {
        Self {
            name: desired.name.clone(),
            stack_name: desired.stack_name.clone(),
            deployed: false,
            drifted: Vec::new(),
            in_sync: 0,
            not_checked: Vec::new(),
            failure: None,
        }
    }

    /// What a detection found, fit to be shown. `resources` are all of the stack, by logical id and type.
    pub fn new(
        desired: &RenderedStack,
        account_region: &AccountRegion,
        found: &[LiveResource],
        resources: &[(String, String)],
        failure: Option<String>,
    ) -> Result<Self> {
        let mut mask = Mask::default();
        for parameter in desired.template.parameters.iter().filter(|parameter| parameter.no_echo) {
            parameter.default.iter().for_each(|value| mask.hide_value(value));
        }
        let evaluation = Evaluation::new(&desired.template, &Map::new(), account_region, &desired.stack_name, None);
        for (resource, properties) in evaluation.resources()? {
            mask.hide_paths(&resource.logical_id, &properties, "/Properties");
        }
        let known = |id: &str| found.iter().find(|one| one.logical_id == id);
        let mut drift = Self { deployed: true, failure, ..Self::absent(desired) };
        for (logical_id, resource_type) in resources {
            match known(logical_id) {
                Some(live) if live.status.is_drift() => drift.drifted.push(resource(live, &mask)),
                Some(live) if live.status == DriftStatus::InSync => drift.in_sync += 1,
                live => drift.not_checked.push(Unchecked {
                    logical_id: logical_id.clone(),
                    resource_type: resource_type.clone(),
                    reason: live.and_then(|live| live.reason.as_deref()).map(|reason| mask.text(reason)),
                }),
            }
        }
        Ok(drift)
    }
}

fn resource(live: &LiveResource, mask: &Mask) -> ResourceDrift {
    let shown = |path: &str, value: &Option<Value>| {
        let value = value.as_ref().filter(|value| !value.is_null());
        value.map(|value| mask.shown(&live.logical_id, &live.resource_type, path, value))
    };
    ResourceDrift {
        logical_id: live.logical_id.clone(),
        resource_type: live.resource_type.clone(),
        physical_id: live.physical_id.clone(),
        status: live.status.clone(),
        properties: live
            .differences
            .iter()
            .map(|(path, deployed, live)| {
                let path = format!("/Properties{path}");
                PropertyDrift { deployed: shown(&path, deployed), live: shown(&path, live), path }
            })
            .collect(),
    }
}

/// How much of an environment has drifted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Resources that are not what was deployed.
    pub drifted: usize,
    pub in_sync: usize,
    pub not_checked: usize,
    /// Stacks with drift.
    pub drifted_stacks: usize,
    /// Stacks that are deployed.
    pub stacks: usize,
}

impl Drift {
    /// Whether anything is not what was deployed.
    pub fn is_any(&self) -> bool {
        self.stacks.iter().any(|stack| !stack.drifted.is_empty())
    }

    pub fn summary(&self) -> Summary {
        let deployed = || self.stacks.iter().filter(|stack| stack.deployed);
        Summary {
            drifted: deployed().map(|stack| stack.drifted.len()).sum(),
            in_sync: deployed().map(|stack| stack.in_sync).sum(),
            not_checked: deployed().map(|stack| stack.not_checked.len()).sum(),
            drifted_stacks: deployed().filter(|stack| !stack.drifted.is_empty()).count(),
            stacks: deployed().count(),
        }
    }

    /// The drift for people, in colour if asked for.
    pub fn text(&self, colour: bool) -> String {
        let mut text = String::new();
        for stack in self.stacks.iter().filter(|stack| !stack.drifted.is_empty()) {
            let _ = writeln!(text, "{}", bold(&stack.stack_name, colour));
            for resource in &stack.drifted {
                write_resource(&mut text, resource, colour);
            }
            text.push('\n');
        }
        self.write_unchecked(&mut text);
        let absent: Vec<&str> =
            self.stacks.iter().filter(|stack| !stack.deployed).map(|stack| stack.name.as_str()).collect();
        if !absent.is_empty() {
            let _ = writeln!(text, "Not deployed: {}\n", absent.join(", "));
        }
        let _ = writeln!(text, "{}", bold(&self.summary().to_string(), colour));
        text
    }

    /// What was not compared: by type where CloudFormation cannot, one by one where it could have.
    fn write_unchecked(&self, text: &mut String) {
        let all = || self.stacks.iter().flat_map(|stack| stack.not_checked.iter().map(move |one| (stack, one)));
        let mut types: Map<usize> = Map::new();
        for (_, one) in all().filter(|(_, one)| one.reason.is_none()) {
            *types.entry(one.resource_type.clone()).or_default() += 1;
        }
        types.sort_unstable_keys();
        if !types.is_empty() {
            let shown: Vec<String> =
                types.iter().take(TYPES).map(|(name, count)| format!("{name} ({count})")).collect();
            let rest = types.len().saturating_sub(TYPES);
            let more =
                if rest == 0 { String::new() } else { format!(" and {rest} more types; `--format json` has all") };
            let _ = writeln!(text, "Not checked: {}{more}\n", shown.join(", "));
        }
        let reasons: Vec<_> = all().filter_map(|(stack, one)| Some((stack, one, one.reason.as_ref()?))).collect();
        for (stack, one, reason) in &reasons {
            let _ = writeln!(text, "Not checked: {}/{}: {reason}", stack.name, one.logical_id);
        }
        if !reasons.is_empty() {
            text.push('\n');
        }
    }
}

fn write_resource(text: &mut String, resource: &ResourceDrift, colour: bool) {
    let (mark, remark) = match &resource.status {
        DriftStatus::Deleted => ("  - ", "  # was deleted".to_owned()),
        DriftStatus::Other(word) => ("  ~ ", format!("  # {word}")),
        _ => ("  ~ ", String::new()),
    };
    let ResourceDrift { logical_id, resource_type, physical_id, .. } = resource;
    let _ = writeln!(text, "{}{logical_id}  {resource_type}  {physical_id}{remark}", symbol(mark, colour));
    for PropertyDrift { path, deployed, live } in &resource.properties {
        let path = readable(path);
        let line = match (deployed, live) {
            (Some(deployed), Some(live)) => {
                let (deployed, live) = pair(deployed, live);
                format!("{}{path}: {deployed} → {live}", symbol("~ ", colour))
            }
            (Some(deployed), None) => format!("{}{path}: {}", symbol("- ", colour), shown(deployed)),
            (None, Some(live)) => format!("{}{path}: {}", symbol("+ ", colour), shown(live)),
            (None, None) => format!("{}{path}", symbol("~ ", colour)),
        };
        let _ = writeln!(text, "      {line}");
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { drifted, in_sync, not_checked, drifted_stacks, stacks } = self;
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let rest = format!("{in_sync} as deployed, {not_checked} not checked");
        if *drifted == 0 {
            return write!(f, "No drift in {stacks} stack{}: {rest}.", plural(*stacks));
        }
        write!(
            f,
            "Drift: {drifted} resource{} in {drifted_stacks} of {stacks} stack{}; {rest}.",
            plural(*drifted),
            plural(*stacks)
        )
    }
}
