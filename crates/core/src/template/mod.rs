//! A CloudFormation document: what stands in it, where, and what it comes to.
//!
//! [`Template::parse`] reads a document and reports everything that is wrong with it at once. Both spellings of an
//! intrinsic function (`!Ref X`, `{"Ref": "X"}`) become the same [`Intrinsic`]. [`Scope`] evaluates expressions;
//! what is known only after a deployment becomes [`Evaluated::Unknown`].

mod evaluate;
mod evaluated;
pub mod evaluated_resource;
mod expression;
mod intrinsic;
mod network;
mod parameter;
mod problem;
mod read;
mod references;
pub mod schema;
pub mod shape;
mod verify;

use std::sync::Arc;

pub use evaluate::{Lookup, PseudoParameters, Scope};
pub use evaluated::Evaluated;
pub use expression::{Expression, Form, Intrinsic, SubPart};
pub use network::base64;
pub use parameter::{Parameter, ParameterType};
pub use problem::{Problem, Wording};
pub use references::Reference;

use crate::error::{Error, Result};
use crate::yaml::{self, Key, Source, Span};

/// A CloudFormation template.
#[derive(Debug, Clone)]
pub struct Template {
    pub source: Arc<Source>,
    pub description: Option<String>,
    pub parameters: Vec<Parameter>,
    pub mappings: Vec<(Key, Expression)>,
    pub conditions: Vec<(Key, Expression)>,
    pub resources: Vec<Resource>,
    pub outputs: Vec<Output>,
    pub metadata: Option<yaml::Node>,
}

/// A resource of a template.
#[derive(Debug, Clone)]
pub struct Resource {
    pub logical_id: String,
    pub resource_type: String,
    pub properties: Expression,
    pub depends_on: Vec<(String, Span)>,
    pub condition: Option<(String, Span)>,
    pub deletion_policy: Option<String>,
    pub update_replace_policy: Option<String>,
    /// The place of the logical id.
    pub span: Span,
    /// The place of the type.
    pub type_span: Span,
    /// The resource as it is written.
    pub node: Arc<yaml::Node>,
}

/// An output of a template.
#[derive(Debug, Clone)]
pub struct Output {
    pub name: String,
    pub description: Option<String>,
    pub value: Expression,
    pub export: Option<Expression>,
    pub condition: Option<(String, Span)>,
    pub span: Span,
}

impl Template {
    /// Reads a template. Fails with everything that is wrong with it, each with its place.
    pub fn parse(source: &Arc<Source>) -> Result<Self> {
        let node = yaml::parse(source)?;
        Self::from_node(source, &node).map_err(|problems| {
            Error::all(problems.iter().map(Problem::to_error))
                .expect_err("a template that cannot be read has at least one problem")
        })
    }

    /// Reads a template from a document that is already parsed. Fails with everything that is wrong with it.
    pub fn from_node(source: &Arc<Source>, node: &yaml::Node) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let template = read::template(source, node, &mut problems);
        // References into a part that could not be read would be reported as missing: fix the structure first.
        if problems.is_empty() {
            problems = verify::problems(&template);
        }
        if problems.is_empty() { Ok(template) } else { Err(problems) }
    }

    pub fn resource(&self, logical_id: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.logical_id == logical_id)
    }

    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    pub fn output(&self, name: &str) -> Option<&Output> {
        self.outputs.iter().find(|output| output.name == name)
    }

    pub fn condition(&self, name: &str) -> Option<&Expression> {
        self.conditions.iter().find(|(key, _)| key.name == name).map(|(_, expression)| expression)
    }

    /// The values that an absent policy attribute stands for: CloudFormation takes a snapshot only on request.
    pub const DEFAULT_POLICY: &'static str = "Delete";
}

impl Resource {
    /// What happens to the resource when it leaves the stack.
    pub fn deletion_policy(&self) -> &str {
        self.deletion_policy.as_deref().unwrap_or(Template::DEFAULT_POLICY)
    }

    /// What happens to the old physical resource when the resource is replaced.
    pub fn update_replace_policy(&self) -> &str {
        self.update_replace_policy.as_deref().unwrap_or(Template::DEFAULT_POLICY)
    }

    /// A property by its name.
    pub fn property(&self, name: &str) -> Option<&Expression> {
        self.properties.get(name)
    }
}

#[cfg(test)]
mod tests;
