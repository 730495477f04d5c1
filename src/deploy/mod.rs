//! Applies the desired state: the only code that changes AWS.
//!
//! [`survey`] plans the changes and cleans up; [`rollout`] applies them, stack by stack along
//! the graph; [`destroy`] takes it down in the opposite order.
//!
//! A [`Session`] is one run of pipectl against one environment. Each of its parts owns one thing:
//!
//! ```text
//! target     the environment in AWS, and the clients      change_sets  what was created and is not executed
//! run        the id, the scope, the settings, Ctrl-C      reporter     the progress, without secrets
//! stacks     the desired stacks and their order           journal      the results, for the record of the run
//! artifacts  what the stacks need in the bucket
//! ```

pub mod artifacts;
mod cause;
mod change_set;
mod conflict;
pub mod consent;
pub mod destroy;
pub mod drift;
mod fixes;
mod follow;
mod imports;
mod interrupt;
mod journal;
mod open_change_sets;
mod orphaned_stacks;
pub mod overwrite;
mod patience;
mod policy;
mod previous_run;
pub mod progress;
pub mod protection;
mod purpose;
pub mod record;
mod redactor;
pub mod replication;
mod reporter;
pub mod rollout;
mod run;
pub mod saved;
mod schedule;
mod session;
mod settings;
mod stack;
mod stack_state;
mod stacks;
pub(crate) mod stale_change_sets;
pub mod stop;
pub mod survey;
mod target;

#[cfg(test)]
mod tests;

use crate::plan::saved::Commit;
use crate::plan::stack_parameters::ArtifactKeys;
use crate::render::RenderedStack;

use artifacts::Upload;

pub(crate) use purpose::Purpose;
pub use run::Scope;
pub use session::Session;
pub use settings::{Recovery, Settings};

/// The stack with the artifact bucket and the roles that deploy all others.
pub const BOOTSTRAP: &str = "bootstrap";
/// The output of the bootstrap stack with the role that CloudFormation acts as.
const EXECUTION_ROLE: &str = "ExecutionRoleArn";
/// How many stacks are deployed at once by default.
pub const PARALLEL: usize = 10;

/// The desired state of an environment with its artifacts.
#[derive(Debug, Clone, Default)]
pub struct Release {
    /// In an order in which each follows all that it needs.
    pub stacks: Vec<RenderedStack>,
    pub uploads: Vec<Upload>,
    pub keys: ArtifactKeys,
    /// What the project's files are, for the record.
    pub commit: Option<Commit>,
}
