//! The files of the reference project, for the tests of this crate and of those above it.

use std::path::Path;
use std::sync::Arc;

use crate::spec::Spec;
use crate::yaml::Source;

/// A file of this repository by its path; `None` if it is not there.
pub fn built_in(path: &str) -> Option<Arc<Source>> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(repository.join(path)).ok()?;
    Some(Source::new(path, text))
}

/// The reference pipeline in one of its environments, and the SQL of its marts.
pub fn reference(environment: &str) -> (Spec, Vec<(String, Arc<Source>)>) {
    let file = |path: &str| built_in(path).unwrap_or_else(|| panic!("no {path}"));
    let spec = Spec::load(&file("stacks/pipeline.yaml"), &file(&format!("stacks/{environment}.yaml")), environment)
        .unwrap_or_else(|error| panic!("{error}"));
    let marts = spec.pipeline.marts.iter().map(|(name, mart)| (name.clone(), file(&mart.sql))).collect();
    (spec, marts)
}
