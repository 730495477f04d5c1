//! Rules over a whole project, one file a rule. They read; they never stop at the first error.

pub mod advice;
pub mod iam;
pub mod prefixes;

use std::sync::Arc;

use pipectl_contract::document::Document;

use crate::error::{Error, Result};
use crate::render::{self, RenderedStack};
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
    /// The names and accounts of all environments of the project.
    pub environments: Vec<prefixes::Environment>,
    /// Reads the templates.
    pub templates: render::Templates<'a>,
}

/// What an environment deploys, after every rule has passed.
pub struct Checked {
    pub stacks: Vec<RenderedStack>,
    pub document: Document,
}

/// Runs every rule. Fails with everything that is wrong.
pub fn all(files: ProjectFiles<'_>, spec: &Spec) -> Result<Checked> {
    let ProjectFiles { marts, transforms, mut errors, environments, templates } = files;
    errors.extend(marts::check(spec, &marts));
    errors.extend(transforms::check(spec, &transforms).err().map(Error::into_each).unwrap_or_default());
    // It is made of queries that are correct, and reports what goes wrong where statements are made of them.
    let document = errors.is_empty().then(|| crate::document::document(spec, &marts, &transforms));
    errors.extend(prefixes::check(spec, &environments));
    let rendered = render::stacks(spec, templates);
    if let Ok(stacks) = &rendered {
        errors.extend(iam::check(spec, stacks));
    }
    match (document, rendered) {
        (Some(Ok(document)), Ok(stacks)) if errors.is_empty() => Ok(Checked { stacks, document }),
        (document, rendered) => {
            let failed = [document.and_then(Result::err), rendered.err()];
            errors.extend(failed.into_iter().flatten().flat_map(Error::into_each));
            let count = errors.len();
            let error = Error::all(errors).err().unwrap_or_else(|| Error::project("the project cannot be checked"));
            Err(if count > 1 { error.summary(format!("{count} errors")) } else { error })
        }
    }
}
