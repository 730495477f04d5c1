//! The release of an environment: its desired state with packaged artifacts.

use pipectl_contract::names::Artifact;
use pipectl_core::desired_state::DesiredState;

use crate::context::Context;
use crate::deploy::Release;
use crate::deploy::artifacts::{Content, Upload};
use crate::digest::sha256;
use crate::error::Result;
use crate::package::{self, Compile, Kind, Package};
use crate::plan::stack_parameters::ArtifactKeys;
use crate::project::Project;
use crate::spec::Spec;

/// Runs the rules of `pipectl check`, and packages.
pub(crate) fn checked(context: &Context, project: &Project, spec: &Spec, compile: Compile) -> Result<Release> {
    let desired = project.check(spec)?;
    Ok(complete(project, packaged(context, project, spec, compile)?, desired))
}

/// Renders and packages, without the checks: a rehearsal authorizes each call.
#[cfg(feature = "rehearse")]
pub(crate) fn release(context: &Context, project: &Project, spec: &Spec) -> Result<Release> {
    let desired = project.desired_state(spec)?;
    Ok(complete(project, packaged(context, project, spec, Compile::IfChanged)?, desired))
}

fn complete(project: &Project, package: Package, desired: DesiredState) -> Release {
    let key = desired.document_key();
    let DesiredState { stacks, document: bytes } = desired;
    let mut keys = ArtifactKeys { document: Some(key.clone()), ..ArtifactKeys::default() };
    let mut uploads = vec![Upload { key, sha256: sha256(&bytes), content: Content::Bytes(bytes) }];
    for artifact in package.artifacts {
        let name = if artifact.kind == Kind::Library { Artifact::Library.as_str().to_owned() } else { artifact.name };
        keys.artifacts.insert(name, artifact.key.clone());
        uploads.push(Upload { key: artifact.key, sha256: artifact.sha256, content: Content::File(artifact.path) });
    }
    Release { stacks, uploads, keys, commit: project.commit() }
}

/// Builds changed Lambdas and jobs, and prints a message if that takes long.
pub(crate) fn packaged(context: &Context, project: &Project, spec: &Spec, compile: Compile) -> Result<Package> {
    let mut announced = false;
    let mut progress = |line: &str| {
        // Without a status line, minutes would pass without output.
        if !announced && ["Compiling", "Downloading", "Updating"].iter().any(|start| line.starts_with(start)) {
            announced = true;
            context.ui.line("compiling the Lambdas; the first time takes some minutes");
        }
        context.ui.status(line);
    };
    let crates = spec.pipeline.crates();
    package::build_with(&project.root, spec.pipeline.functions.architecture, &crates, compile, &mut progress)
}

/// The bootstrap stack needs no artifact; the rules of `pipectl check` hold for it as for the others.
pub(crate) fn checked_stacks(project: &Project, spec: &Spec) -> Result<Release> {
    Ok(Release { stacks: project.check(spec)?.stacks, commit: project.commit(), ..Release::default() })
}

/// The stacks alone, to take them down.
pub(crate) fn stacks(project: &Project, spec: &Spec) -> Result<Release> {
    Ok(Release { stacks: project.render(spec)?, commit: project.commit(), ..Release::default() })
}
