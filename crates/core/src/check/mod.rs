//! Rules over a whole project, one file a rule. They read; they never stop at the first error.

pub mod advice;
pub mod iam;
pub mod prefixes;
pub mod report;
pub mod values;

use crate::desired_state::{self, DesiredState, ProjectFiles};
use crate::error::{Error, Result};
use crate::spec::Spec;
use crate::sql::{marts, transforms};

/// Runs every rule, and returns what the environment deploys. Fails with everything that is wrong. `environments` are the
/// names and accounts of all environments of the project.
pub fn all(mut files: ProjectFiles<'_>, environments: &[prefixes::Environment], spec: &Spec) -> Result<DesiredState> {
    files.errors.extend(marts::check(spec, &files.marts));
    files.errors.extend(transforms::check(spec, &files.transforms).err().map(Error::into_each).unwrap_or_default());
    let mut assembly = desired_state::assembly(spec, files);
    assembly.errors.extend(prefixes::check(spec, environments));
    if let Some(stacks) = &assembly.stacks {
        assembly.errors.extend(iam::check(spec, stacks));
        assembly.errors.extend(values::check(spec, stacks));
    }
    let count = assembly.errors.len();
    assembly.finish().map_err(|error| if count > 1 { error.summary(format!("{count} errors")) } else { error })
}
