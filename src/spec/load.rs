//! From two YAML texts to a checked spec.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::yaml::Source;

use super::{Environment, Pipeline};

/// A pipeline in one of its environments, checked.
#[derive(Debug, Clone)]
pub struct Spec {
    /// With the environment's overrides laid over it.
    pub pipeline: Pipeline,
    pub environment: Environment,
    /// The environment's name: `dev` for `stacks/dev.yaml`.
    pub environment_name: String,
}

impl Spec {
    /// Reads and checks both texts. Fails with everything that is wrong, each with its place.
    pub fn load(pipeline: &Arc<Source>, environment: &Arc<Source>, environment_name: &str) -> Result<Self> {
        let _ = (pipeline, environment, environment_name);
        Err(Error::new("the spec is not read yet"))
    }

    /// `<pipeline>-<environment>`: the start of every name.
    pub fn prefix(&self) -> String {
        format!("{}-{}", self.pipeline.name, self.environment_name)
    }

    /// `<prefix>-<stack>`.
    pub fn stack_name(&self, stack: &str) -> String {
        format!("{}-{stack}", self.prefix())
    }

    /// `<prefix>-<zone>-<account>-<region>`.
    pub fn bucket(&self, zone: &str) -> String {
        format!("{}-{zone}-{}-{}", self.prefix(), self.environment.account, self.environment.region)
    }
}
