//! The desired values of a stack's parameters, and where they come from.

use std::collections::BTreeMap;

use crate::render::{InputSource, RenderedStack};
use crate::spec::Map;

/// The outputs of the stacks that a stack reads, by stack and output. An output that is known only after a deploy is none.
pub type Outputs = BTreeMap<String, BTreeMap<String, Option<String>>>;

/// The keys of the artifacts in the artifact bucket, by artifact name, and of the pipeline document.
#[derive(Debug, Clone, Default)]
pub struct ArtifactKeys {
    pub artifacts: Map<String>,
    pub document: Option<String>,
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterValue {
    Known(String),
    /// It comes from an output that the deploy will make; holds `stack.Output`.
    AfterDeploy(String),
}

impl ParameterValue {
    pub fn known(&self) -> Option<&str> {
        match self {
            Self::Known(value) => Some(value),
            Self::AfterDeploy(_) => None,
        }
    }
}

/// The values that the project gives to the parameters of a stack. Parameters that keep their default are not among
/// them.
pub fn parameters(desired: &RenderedStack, outputs: &Outputs, keys: &ArtifactKeys) -> Map<ParameterValue> {
    let value = |from: &InputSource| {
        let (known, output) = match from {
            InputSource::Output { stack, output } => (
                outputs.get(stack).and_then(|outputs| outputs.get(output)).cloned().flatten(),
                format!("{stack}.{output}"),
            ),
            InputSource::Artifact { name } => (keys.artifacts.get(name).cloned(), format!("artifact {name}")),
            InputSource::Document => (keys.document.clone(), "the pipeline document".to_owned()),
        };
        known.map_or(ParameterValue::AfterDeploy(output), ParameterValue::Known)
    };
    desired.inputs.iter().map(|input| (input.parameter.clone(), value(&input.from))).collect()
}
