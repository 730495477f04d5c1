//! Rules over a whole project, one file a rule. They read; they never stop at the first error.

pub mod iam;
pub mod marts;

use crate::error::{Error, Result};
use crate::project::Project;
use crate::spec::Spec;

/// Runs every rule. Fails with everything that is wrong.
pub fn all(project: &Project, spec: &Spec) -> Result<()> {
    let (marts, mut errors) = project.marts(spec);
    errors.extend(marts::check(spec, &marts));
    match project.render(spec) {
        Ok(stacks) => errors.extend(iam::check(spec, &stacks)),
        Err(error) => errors.extend(error.into_each()),
    }
    Error::all(errors)
}
