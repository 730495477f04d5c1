//! `pipectl package`

use super::format::Format;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::figure::size;
use crate::package;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How the artifacts are listed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    Error::all(project.crates(&spec))?;
    let (architecture, crates) = (spec.pipeline.functions.architecture, spec.pipeline.crates());
    let package = package::build_with(&project.root, architecture, &crates, &mut |line| context.ui.status(line))?;
    args.format.print(&context.ui, &package.artifacts, || {
        package.artifacts.iter().map(|artifact| format!("{:>9}  {}\n", size(artifact.size), artifact.key)).collect()
    })?;
    if !package.rebuilt {
        context.ui.line("nothing has changed since the last build");
    }
    Ok(Exit::Success)
}
