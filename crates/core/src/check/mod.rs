//! Rules over a whole project, one file a rule. They read; they never stop at the first error.

pub mod advice;
pub mod iam;

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::render;
use crate::spec::Spec;
use crate::sql::{marts, transforms};
use crate::yaml::Source;

/// The texts of a project's other files.
pub struct ProjectFiles<'a> {
    /// The SQL of each mart, in the order of the pipeline file.
    pub marts: Vec<(String, Arc<Source>)>,
    /// The SQL of each table that is made by SQL.
    pub transforms: Vec<(String, Arc<Source>)>,
    /// An error for each file that is missing.
    pub errors: Vec<Error>,
    /// Reads the templates.
    pub templates: render::Templates<'a>,
}

/// Runs every rule. Fails with everything that is wrong.
pub fn all(files: ProjectFiles<'_>, spec: &Spec) -> Result<()> {
    let ProjectFiles { marts, transforms, mut errors, templates } = files;
    errors.extend(marts::check(spec, &marts));
    errors.extend(transforms::check(spec, &transforms).err().map(Error::into_each).unwrap_or_default());
    if errors.is_empty() {
        // What goes wrong where statements are made of the queries.
        let made = crate::document::document(spec, &marts, &transforms);
        errors.extend(made.err().map(Error::into_each).unwrap_or_default());
    }
    match render::stacks(spec, templates) {
        Ok(stacks) => errors.extend(iam::check(spec, &stacks)),
        Err(error) => errors.extend(error.into_each()),
    }
    Error::all(errors)
}
