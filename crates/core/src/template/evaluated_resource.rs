//! Resources with their properties evaluated: as they will be deployed, or as they are.

use std::sync::Arc;

use serde_json::Value;

use crate::resource_types;
use crate::yaml::{Node, Span};

/// A resource of a stack.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The stack's short name, such as `events`.
    pub stack: String,
    /// The logical id.
    pub id: String,
    /// The type, such as `AWS::Events::Rule`.
    pub kind: String,
    /// The physical id: mostly the name.
    pub name: String,
    /// The properties, evaluated; in a forecast, what is known only after a deployment is `?`.
    pub properties: Value,
    /// Where it stands in the rendered template.
    pub node: Option<Arc<Node>>,
}

impl Resource {
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.properties.pointer(pointer)
    }

    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.get(pointer)?.as_str()
    }

    /// An environment variable of a Lambda function.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.text(&format!("/Environment/Variables/{name}"))
    }

    pub fn number(&self, pointer: &str) -> Option<u64> {
        let value = self.get(pointer)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    /// Whether a property is true; CloudFormation takes the word as well.
    pub fn is_true(&self, pointer: &str) -> bool {
        match self.get(pointer) {
            Some(Value::Bool(value)) => *value,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    pub fn list(&self, pointer: &str) -> &[Value] {
        self.get(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Where a property stands in the template: the deepest part of the path that is written there.
    pub fn span_of(&self, path: &[&str]) -> Option<Span> {
        let path = std::iter::once("Properties").chain(path.iter().copied());
        Some(self.node.as_ref()?.span_of(path))
    }
}

/// All deployed resources, and the account that they live in.
#[derive(Debug, Clone, Default)]
pub struct Resources {
    pub all: Vec<Resource>,
    pub account: String,
    pub region: String,
}

impl Resources {
    pub fn of(&self, kind: &str) -> impl Iterator<Item = &Resource> {
        self.all.iter().filter(move |resource| resource.kind == kind)
    }

    pub fn named(&self, kind: &str, name: &str) -> Option<&Resource> {
        self.of(kind).find(|resource| resource.name == name)
    }

    /// The ARN of a rule. One that is not on the default bus has `<bus>|<name>` as its physical id.
    pub fn rule_arn(&self, rule: &Resource) -> String {
        self.arn("events", &format!("rule/{}", rule.name.replace('|', "/")))
    }

    /// The ARN of a resource by its type and name; the name if no ARN follows from it.
    pub fn arn_of(&self, kind: &str, name: &str) -> String {
        resource_types::arn(kind, &self.account, &self.region, name).unwrap_or_else(|| name.to_owned())
    }

    /// `arn:aws:<service>:<region>:<account>:<rest>`.
    pub fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{rest}", self.region, self.account)
    }
}

/// Resources for the tests of this crate and of those above it.
#[cfg(any(test, feature = "testing"))]
pub mod testing {
    use super::{Resource, Resources};
    use crate::yaml::{self, Source};

    /// Resources of a template in which nothing is left to evaluate; the name of each is its `Name`, or its id.
    pub fn resources(text: &str) -> Resources {
        let source = Source::new("events.yaml", text);
        let document = yaml::parse(&source).expect("YAML");
        let yaml::Value::Mapping(entries) = document.value else { panic!("not a mapping") };
        let all = entries.into_iter().map(|(key, node)| {
            let value = node.to_json();
            let properties = value["Properties"].clone();
            let kind = value["Type"].as_str().expect("a type").to_owned();
            let name = ["Name", "RoleName", "FunctionName", "BucketName", "TrailName"]
                .iter()
                .find_map(|name| properties[*name].as_str())
                .unwrap_or(&key.name)
                .to_owned();
            Resource {
                stack: "events".into(),
                id: key.name,
                kind,
                name,
                properties,
                node: Some(std::sync::Arc::new(node)),
            }
        });
        Resources { all: all.collect(), account: "000000000000".into(), region: "us-east-1".into() }
    }
}
