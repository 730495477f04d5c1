//! The secrets of a stack, which no plan and no error may contain, also not in text that AWS returns.

use std::collections::BTreeSet;

use serde_json::Value;

use super::difference::step;
use super::mask::{AFTER_DEPLOY, Mask, SECRET, is_secret};
use super::stack::Comparison;
use super::stack_parameters::ParameterValue;
use super::{Plan, StackPlan};
use crate::spec::Map;

/// Shorter values at secret places are not looked for in what AWS says: they would tear words apart.
const SHORTEST: usize = 6;
/// The fields of a plan that are names of ours or words of CloudFormation: others look things up by them.
const NAMES: [&str; 13] = [
    "name",
    "stack_name",
    "stack",
    "action",
    "logical_id",
    "type",
    "kind",
    "path",
    "policy",
    "requires_recreation",
    "environment",
    "account",
    "region",
];

/// The secrets of one stack that are known from its template and its parameters.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// The values of `NoEcho` parameters: hidden wherever they turn up.
    mask: Mask,
    /// By logical id what stands at the secret places of a resource, such as the variables of a function: hidden in what
    /// is said of this resource.
    own: Map<Mask>,
}

impl Secrets {
    /// A text without secrets.
    pub fn text(&self, text: &str) -> String {
        let named = self.own.iter().filter(|(id, _)| text.contains(id.as_str()));
        named.fold(self.mask.text(text), |text, (_, mask)| mask.text(&text))
    }

    /// Adds the secrets of the same stack at another time.
    pub fn add(&mut self, other: Self) {
        self.mask.add(&other.mask);
        for (id, own) in other.own {
            self.own.entry(id).or_default().add(&own);
        }
    }

    /// What is said of a resource, without secrets.
    pub fn about(&self, logical_id: &str, text: &str) -> String {
        let own = self.own.get(logical_id);
        self.text(&own.map_or_else(|| text.to_owned(), |mask| mask.text(text)))
    }
}

impl Comparison<'_> {
    /// The secrets of the stack. A value that stands elsewhere in the template too, or that comes by an ordinary
    /// parameter, is none: every plan shows it there.
    pub fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        let parameters = &self.desired.template.parameters;
        let given = |name: &str| self.parameters.get(name).and_then(ParameterValue::known);
        let mut open: BTreeSet<String> =
            [AFTER_DEPLOY, SECRET, self.account_region.account.as_str(), self.account_region.region.as_str()]
                .map(str::to_owned)
                .into();
        for parameter in parameters {
            let values = given(&parameter.name).into_iter().chain(parameter.default.as_deref());
            if parameter.no_echo {
                values.for_each(|value| secrets.mask.hide_value(value));
            } else {
                open.extend(values.map(str::to_owned));
            }
        }
        // What was secret still is: its old value may stand where it came by an output.
        if let Some(known) = self.known {
            let deployed = known.template.iter().flat_map(|template| &template.parameters);
            let defaults = deployed.filter(|parameter| parameter.no_echo).filter_map(|one| one.default.as_deref());
            let outputs = self.secret_outputs().unwrap_or_default();
            let outputs = outputs.iter().filter_map(|name| known.stack.outputs.get(name)).map(String::as_str);
            defaults.chain(outputs).for_each(|value| secrets.mask.hide_value(value));
        }
        // A template that cannot be evaluated is reported elsewhere.
        let resources = self.evaluation().resources().unwrap_or_default();
        let mut found = Vec::new();
        for (resource, properties) in &resources {
            leaves(properties, &resource.resource_type, "/Properties", false, &mut |text, secret| {
                if secret {
                    found.push((resource.logical_id.clone(), text.to_owned()));
                } else {
                    open.insert(text.to_owned());
                }
            });
        }
        for (id, text) in found {
            if text.chars().count() >= SHORTEST && !open.contains(&text) {
                secrets.own.entry(id).or_default().hide_value(&text);
            }
        }
        secrets
    }
}

/// Visits all texts in a value, each with whether it stands at a secret place.
fn leaves(value: &Value, resource_type: &str, path: &str, secret: bool, visit: &mut impl FnMut(&str, bool)) {
    let secret = secret || is_secret(resource_type, path);
    match value {
        Value::String(text) => visit(text, secret),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, resource_type, &step(path, &index.to_string()), secret, visit);
            }
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                leaves(value, resource_type, &step(path, key), secret, visit);
            }
        }
        _ => {}
    }
}

impl Plan {
    /// The plan without these secrets, whatever way they took into it: a value that one stack hides may have come to
    /// another by an output.
    #[must_use]
    pub fn without(self, secrets: &[Secrets]) -> Self {
        let without = |stack: &StackPlan| {
            let mut value = serde_json::to_value(stack).ok()?;
            let shown = value.clone();
            hide(&mut value, secrets);
            if value == shown { None } else { serde_json::from_value(value).ok() }
        };
        let stacks = self.stacks.into_iter().map(|stack| without(&stack).unwrap_or(stack)).collect();
        let text = |text: String| secrets.iter().fold(text, |text, one| one.mask.text(&text));
        let mut warnings = self.warnings;
        for warning in &mut warnings {
            warning.message = text(std::mem::take(&mut warning.message));
            warning.steps = warning.steps.drain(..).map(text).collect();
        }
        Self { stacks, warnings, ..self }
    }
}

fn hide(value: &mut Value, secrets: &[Secrets]) {
    match value {
        Value::String(text) => *text = secrets.iter().fold(std::mem::take(text), |text, one| one.mask.text(&text)),
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, secrets)),
        Value::Object(entries) => {
            for (_, value) in
                entries.iter_mut().filter(|(key, value)| !(value.is_string() && NAMES.contains(&key.as_str())))
            {
                hide(value, secrets);
            }
        }
        _ => {}
    }
}
