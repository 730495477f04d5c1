//! Rules over a whole project, one file a rule. They read; they never stop at the first error.

pub mod advice;
pub mod iam;

use crate::error::{Error, Result};
use crate::project::Project;
use crate::spec::Spec;
use crate::sql::{marts, transforms};

/// Runs every rule. Fails with everything that is wrong.
pub fn all(project: &Project, spec: &Spec) -> Result<()> {
    let (marts, mut errors) = project.marts(spec);
    errors.extend(marts::check(spec, &marts));
    let (transforms, missing) = project.transforms(spec);
    errors.extend(missing);
    errors.extend(transforms::check(spec, &transforms).err().map(Error::into_each).unwrap_or_default());
    errors.extend(project.crates(spec));
    if errors.is_empty() {
        // What goes wrong where statements are made of the queries.
        let made = crate::document::document(spec, &marts, &transforms);
        errors.extend(made.err().map(Error::into_each).unwrap_or_default());
    }
    match project.render(spec) {
        Ok(stacks) => errors.extend(iam::check(spec, &stacks)),
        Err(error) => errors.extend(error.into_each()),
    }
    Error::all(errors)
}
