//! What an environment should be: its stacks and its pipeline document, assembled from the texts of a project.
//!
//! `check`, `plan`, `deploy` and `rehearse` all assemble it here, so none of them sees another project than the others.

use std::sync::Arc;

use crate::document;
use crate::error::{Error, Result};
use crate::render::{self, RenderedStack};
use crate::spec::Spec;
use crate::yaml::Source;

/// The texts of a project's files beside the pipeline file.
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

/// The stacks of an environment, each after those that it needs, and the bytes of its pipeline document.
#[derive(Debug)]
pub struct DesiredState {
    pub stacks: Vec<RenderedStack>,
    pub document: Vec<u8>,
}

/// The parts of a desired state that could be made, and everything that is wrong.
pub(crate) struct Assembly {
    pub(crate) stacks: Option<Vec<RenderedStack>>,
    pub(crate) document: Option<Vec<u8>>,
    pub(crate) errors: Vec<Error>,
}

impl DesiredState {
    /// Renders the stacks and makes the document. Fails with everything that prevents it; `check` knows more rules.
    pub fn assemble(spec: &Spec, files: ProjectFiles<'_>) -> Result<Self> {
        assembly(spec, files).finish()
    }

    /// The key of the document in the artifact bucket.
    pub fn document_key(&self) -> String {
        document::key(&self.document)
    }
}

impl Assembly {
    /// The desired state, if nothing is wrong.
    pub(crate) fn finish(self) -> Result<DesiredState> {
        Error::all(self.errors)?;
        // Without an error both were made.
        Ok(DesiredState { stacks: self.stacks.unwrap_or_default(), document: self.document.unwrap_or_default() })
    }
}

pub(crate) fn assembly(spec: &Spec, files: ProjectFiles<'_>) -> Assembly {
    let ProjectFiles { marts, transforms, mut errors, templates } = files;
    let mut made = None;
    // Without all queries, the document would report what is reported already.
    if errors.is_empty() {
        match document::document(spec, &marts, &transforms).and_then(|document| document::bytes(&document)) {
            Ok(bytes) => made = Some(bytes),
            Err(error) => errors.extend(error.into_each()),
        }
    }
    let stacks = match render::stacks(spec, templates) {
        Ok(stacks) => Some(stacks),
        Err(error) => {
            errors.extend(error.into_each());
            None
        }
    };
    Assembly { stacks, document: made, errors }
}
